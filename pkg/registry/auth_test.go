package registry_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"ocireffer/pkg/registry"
)

// A recorder lets a handler answer, and records which host got which Authorization.
type recorder struct {
	mu   sync.Mutex
	seen []string // as "host Authorization"
	to   handler
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.seen = append(r.seen, strings.TrimSpace(req.URL.Scheme+"://"+req.URL.Host+" "+req.Header.Get("Authorization")))
	r.mu.Unlock()
	return r.to.RoundTrip(req)
}

func TestRealm(t *testing.T) {
	t.Parallel()
	const host = "registry.example.com"
	for _, test := range []struct {
		name, host, realm string
		realms            []string
		asked             string // where a token was requested; "": nowhere
	}{
		{"its own", host, "https://registry.example.com/token", nil, "https://registry.example.com"},
		{"its own, with a port", host, "https://registry.example.com:443/token", nil, "https://registry.example.com:443"},
		{"its own, by HTTP", host, "http://registry.example.com/token", nil, ""},
		{"another port", host, "https://registry.example.com:8443/token", nil, ""},
		{"another host", host, "https://evil.example/token", nil, ""},
		{"a host below it", host, "https://evil.registry.example.com/token", nil, ""},
		{"a user that looks like it", host, "https://registry.example.com@evil.example/token", nil, ""},
		{"one that is configured", host, "https://auth.example.com/token", []string{"auth.example.com"}, "https://auth.example.com"},
		{"a configured one by HTTP", host, "http://auth.example.com/token", []string{"auth.example.com"}, ""},
		{"GitLab's", "registry.gitlab.com", "https://gitlab.com/jwt/auth", nil, "https://gitlab.com"},
		{"GitLab's, of another", host, "https://gitlab.com/jwt/auth", nil, ""},
		{"this machine's services", host, "http://127.0.0.1/token", nil, ""},
		{"no URL", host, "token", nil, ""},
		{"none", host, "", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			record := &recorder{to: func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !strings.HasPrefix(r.URL.Path, "/v2/"):
					fmt.Fprint(w, `{"token":"t"}`)
				case r.Header.Get("Authorization") == "Bearer t":
					fmt.Fprint(w, `{"name":"wash","tags":[]}`)
				default:
					w.Header().Set("WWW-Authenticate", `Bearer realm="`+test.realm+`",service="s"`)
					w.WriteHeader(http.StatusUnauthorized)
				}
			}}
			r := open(t, test.host, record, as("user", "password"), func(o *registry.Options) { o.Realms = test.realms })
			got := repository(t, r, "wash")
			want := []string{"https://" + test.host, test.asked + " Basic dXNlcjpwYXNzd29yZA==", "https://" + test.host + " Bearer t"}
			state := registry.Found
			if test.asked == "" {
				want, state = want[:1], registry.Forbidden
			}
			wantState(t, "wash", got.State, got.Why, state)
			if strings.Join(record.seen, "\n") != strings.Join(want, "\n") {
				t.Errorf("asked\n%s\nwant\n%s", strings.Join(record.seen, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestBasic(t *testing.T) {
	t.Parallel()
	for _, credential := range []registry.Credential{{User: "user", Password: "password"}, {User: "user", Password: "wrong"}, {}} {
		record := &recorder{to: func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password == "password" {
				fmt.Fprint(w, `{"name":"wash","tags":["1"]}`)
				return
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		}}
		r := open(t, "registry.example.com", record, func(o *registry.Options) { o.Credential = credential })
		want, requests := registry.Found, 3 // one of them gets the challenge
		switch credential.Password {
		case "wrong":
			want = registry.Forbidden
		case "":
			want, requests = registry.Forbidden, 2
		}
		for range 2 {
			got := repository(t, r, "wash")
			wantState(t, "wash", got.State, got.Why, want)
		}
		if len(record.seen) != requests {
			t.Errorf("%+v: %d requests, want %d", credential, len(record.seen), requests)
		}
	}
}

// An image's config may be stored on another host.
func TestRedirectOfABlob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, host, location string
		followed             bool
	}{
		{"by HTTPS", "registry.example.com", "https://store.example.net/blob?sig=1", true},
		{"by HTTP", "registry.example.com", "http://store.example.net/blob?sig=1", false},
		{"to this machine", "registry.example.com", "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", false},
		{"on this machine", "127.0.0.1:5000", "http://127.0.0.1:9000/blob?sig=1", true},
		{"from this machine", "127.0.0.1:5000", "http://169.254.169.254/blob?sig=1", false},
		{"to nowhere", "registry.example.com", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			record := &recorder{to: func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasPrefix(r.URL.Path, "/v2/wash/manifests/"):
					w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
					fmt.Fprintf(w, `{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q}}`, digest)
				case strings.HasPrefix(r.URL.Path, "/v2/wash/blobs/"):
					if r.Header.Get("Authorization") == "" {
						w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					w.Header().Set("Location", test.location)
					w.WriteHeader(http.StatusTemporaryRedirect)
				default:
					fmt.Fprint(w, `{"created":"2023-07-03T14:56:52Z"}`)
				}
			}}
			r := open(t, test.host, record, as("user", "password"))
			at, err := r.Created(t.Context(), "wash", registry.Tag{Digest: digest})
			if err != nil || at.IsZero() == test.followed {
				t.Errorf("Created = %s, %v, want a time: %t", at, err, test.followed)
			}
			for _, seen := range record.seen {
				if host, _, with := strings.Cut(seen, " "); with && !strings.HasSuffix(host, test.host) {
					t.Errorf("the credential went to %s", host)
				}
			}
			last := record.seen[len(record.seen)-1]
			if strings.HasSuffix(strings.Fields(last)[0], test.host) == test.followed {
				t.Errorf("requests %v, want the redirect followed: %t", record.seen, test.followed)
			}
		})
	}
}

const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
