package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
)

// byHost answers for several hosts.
func byHost(hosts map[string]http.HandlerFunc) handler {
	return func(w http.ResponseWriter, r *http.Request) {
		if answer := hosts[r.URL.Host]; answer != nil {
			answer(w, r)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}
}

// github has the package app/cli of user acme, with n versions; some have tags.
func github(n int, link bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", noon.Format(http.TimeFormat))
		const path = "/users/acme/packages/container/app%2Fcli"
		switch {
		case r.Header.Get("Authorization") != "Bearer pat":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.EscapedPath() == path:
			fmt.Fprint(w, `{"name":"app/cli"}`)
		case r.URL.EscapedPath() == path+"/versions":
			versions, page, rest := []string{}, max(1, number(r.FormValue("page"))), 0
			for i := (page - 1) * 100; i < n && len(versions) < 100; i++ {
				tags := "[]"
				if i%2 == 0 {
					tags = fmt.Sprintf(`["%03d"]`, i)
				}
				versions = append(versions, fmt.Sprintf(`{"name":%q,"created_at":"2023-07-03T14:56:52Z","updated_at":"2024-01-01T00:00:00Z","metadata":{"container":{"tags":%s}}}`, acrtest.Digest(fmt.Sprint(i)), tags))
				rest = n - i - 1
			}
			if link && rest > 0 {
				w.Header().Set("Link", fmt.Sprintf(`<https://api.github.com/user/7%s?page=%d&per_page=100>; rel="next", <https://api.github.com/x?page=9>; rel="last"`, path, page+1))
			}
			fmt.Fprint(w, "["+strings.Join(versions, ",")+"]")
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"Not Found"}`)
		}
	}
}

func number(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

func TestGHCR(t *testing.T) {
	t.Parallel()
	for _, link := range []bool{true, false} {
		for _, n := range []int{1, 100, 250} {
			r := open(t, "ghcr.io", byHost(map[string]http.HandlerFunc{"api.github.com": github(n, link)}), as("acme", "pat"))
			got := repository(t, r, "acme/app/cli")
			wantState(t, "acme/app/cli", got.State, got.Why, registry.Found)
			if !got.Moment.Trusted(time.Second) || got.Attributes.Known() {
				t.Errorf("acme/app/cli is %+v, want its time, and no attributes", got)
			}
			l := list(t, r, "acme/app/cli")
			if len(l.Tags) != (n+1)/2 || !l.Complete {
				t.Errorf("%d versions: %d tags, complete %t because of %v, want half, complete", n, len(l.Tags), l.Complete, l.Why)
			}
			// The time is that of the digest: a tag cannot be older, but may be newer.
			want := registry.Tag{Name: "000", Digest: acrtest.Digest("0"), NotBefore: time.Date(2023, 7, 3, 14, 56, 52, 0, time.UTC), Size: -1}
			if l.Tags[0] != want {
				t.Errorf("listed %+v, want %+v", l.Tags[0], want)
			}
		}
	}
}

// plain is a registry of the distribution spec with one tag.
func plain(w http.ResponseWriter, r *http.Request) {
	s := simple{tags: []string{"1"}}
	r.URL.Path = strings.Replace(r.URL.Path, "/v2/acme/wash/", "/v2/wash/", 1)
	s.serve(w, r)
}

func TestWithoutTheirAPIs(t *testing.T) {
	t.Parallel()
	closed := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
	hosts := map[string]http.HandlerFunc{"api.github.com": closed, "ghcr.io": plain, "hub.docker.com": closed, "registry-1.docker.io": plain}
	for _, host := range []string{"ghcr.io", "docker.io"} {
		for _, credential := range []func(*registry.Options){as("", ""), as("acme", "pat")} {
			r := open(t, host, byHost(hosts), credential)
			if r.Host() != host {
				t.Errorf("Host = %s, want %s", r.Host(), host)
			}
			l := list(t, r, "acme/wash")
			wantComplete(t, l, "1")
			if got := l.Tags[0]; got.Digest != indexDigest || !got.PushedAt.IsZero() || !got.NotBefore.IsZero() {
				t.Errorf("listed %+v, want a digest and no time", got)
			}
			answer := tag(t, r, "acme/wash", "2")
			wantState(t, "acme/wash:2", answer.State, answer.Why, registry.Gone)
		}
	}
}

func TestTagOnTwoVersionsHasNoDigest(t *testing.T) {
	t.Parallel()
	r := open(t, "ghcr.io", byHost(map[string]http.HandlerFunc{"api.github.com": func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/versions") {
			return
		}
		fmt.Fprintf(w, `[{"name":%q,"metadata":{"container":{"tags":["1","2"]}}},{"name":%q,"metadata":{"container":{"tags":["1"]}}}]`, acrtest.Digest("a"), acrtest.Digest("b"))
	}}), as("acme", "pat"))
	l := list(t, r, "acme/app")
	wantComplete(t, l, "1", "2")
	if l.Tags[0].Digest != "" || l.Tags[1].Digest != acrtest.Digest("a") {
		t.Errorf("listed %+v, want a digest only for 2", l.Tags)
	}
}

// dockerHub answers as Docker Hub's API about acme/wash, which has n tags, and claims
// that there are more.
func dockerHub(n, more int, requests *[]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*requests = append(*requests, r.Method+" "+r.URL.RequestURI())
		const path = "/v2/namespaces/acme/repositories/wash"
		if r.URL.Path == "/v2/auth/token" {
			var login struct{ Identifier, Secret string }
			json.NewDecoder(r.Body).Decode(&login)
			fmt.Fprintf(w, `{"access_token":"%s.%s"}`, login.Identifier, login.Secret)
			return
		}
		if got := r.Header.Get("Authorization"); got != "Bearer acme.pat" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == path {
			fmt.Fprint(w, `{"name":"wash"}`)
			return
		}
		results, page := []string{}, max(1, number(r.FormValue("page")))
		for i := (page - 1) * 100; i < n && len(results) < 100; i++ {
			digest := fmt.Sprintf(`,"digest":%q`, acrtest.Digest(fmt.Sprint(i)))
			if i == 1 {
				digest = ""
			}
			results = append(results, fmt.Sprintf(`{"name":"%03d","full_size":99,"media_type":"application/vnd.oci.image.index.v1+json","tag_last_pushed":"2023-07-03T14:56:52.1Z","last_updated":"2024-01-01T00:00:00Z"%s}`, i, digest))
		}
		next := "null"
		if page*100 < n {
			next = fmt.Sprintf(`"https://hub.docker.com%s/tags?page=%d&page_size=100"`, path, page+1)
		}
		fmt.Fprintf(w, `{"count":%d,"next":%s,"results":[%s]}`, n+more, next, strings.Join(results, ","))
	}
}

func TestDockerHub(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 100, 250} {
		var requests []string
		hosts := map[string]http.HandlerFunc{"hub.docker.com": dockerHub(n, 0, &requests), "registry-1.docker.io": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Docker-Content-Digest", indexDigest)
		}}
		r := open(t, "docker.io", byHost(hosts), as("acme", "pat"))
		l := list(t, r, "acme/wash")
		if len(l.Tags) != n || !l.Complete {
			t.Errorf("%d tags, complete %t because of %v, want %d, complete", len(l.Tags), l.Complete, l.Why, n)
		}
		want := registry.Tag{
			Name: "000", Digest: acrtest.Digest("0"), PushedAt: time.Date(2023, 7, 3, 14, 56, 52, 1e8, time.UTC),
			MediaType: "application/vnd.oci.image.index.v1+json", Size: -1,
		}
		if l.Tags[0] != want {
			t.Errorf("listed %+v, want %+v", l.Tags[0], want)
		}
		if n > 1 && (l.Tags[1].Digest != indexDigest || l.Tags[1].PushedAt.IsZero()) {
			t.Errorf("listed %+v, want the registry's digest, and the time", l.Tags[1])
		}
		if got := count(requests, "POST /v2/auth/token"); got != 1 {
			t.Errorf("%d tokens, want 1", got)
		}
	}
	var requests []string
	r := open(t, "docker.io", byHost(map[string]http.HandlerFunc{"hub.docker.com": dockerHub(100, 1, &requests)}), as("acme", "pat"))
	wantIncomplete(t, list(t, r, "acme/wash"), "100 were listed of 101")
}
