package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/registry"
)

// TestListsEnd: they end even if a registry's do not, because each page names a next one
// with new entries, or because the pages are larger than those of any registry. A page
// may repeat a name, which takes memory for each time.
func TestListsEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		entries int    // of a page
		format  string // of an entry, from the number of the page and of the entry
		noLink  bool
		most    int64 // calls
	}{
		{name: "pages of one", entries: 1, format: "%d-%d", most: 10_000},
		{name: "large pages without a Link", entries: 250_001, format: "%d-%d", noLink: true, most: 2},
		{name: "a page of one name", entries: 500_001, format: "%[1]d", noLink: true, most: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pages := 0
			var r registry.Registry
			r = open(t, example, handler(func(w http.ResponseWriter, _ *http.Request) {
				if r.Calls() > 2*test.most { // so that it ends without an end, too
					fmt.Fprint(w, `{"repositories":[]}`)
					return
				}
				if !test.noLink {
					w.Header().Set("Link", fmt.Sprintf(`<?last=%d>; rel="next"`, pages))
				}
				var body strings.Builder
				for i := range test.entries {
					fmt.Fprintf(&body, `,"`+test.format+`"`, pages, i)
				}
				fmt.Fprintf(w, `{"repositories":[%s]}`, body.String()[1:])
				pages++
			}))
			got := catalogue(t, r)
			if got.Complete || got.Why == nil || !strings.Contains(got.Why.Error(), "the list continues after 10000 pages or 500000 entries") {
				t.Errorf("the catalogue has %d names, complete %t because of %v, want that it continues", len(got.Names), got.Complete, got.Why)
			}
			if r.Calls() != test.most {
				t.Errorf("it took %d calls, want %d", r.Calls(), test.most)
			}
		})
	}
}

// TestUnreachableBlobsAreNotAskedForAgain: if the network blocks the host of the blobs,
// each tag would cost a minute or more.
func TestUnreachableBlobsAreNotAskedForAgain(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	registryOf := handler(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/wash/manifests/") {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			fmt.Fprintf(w, `{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q}}`, digest)
			return
		}
		w.Header().Set("Location", "https://store.example.net/blob?sig=1")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	r := open(t, example, roundTripper(func(req *http.Request) (*http.Response, error) {
		asked[req.URL.Host]++
		if req.URL.Host == "store.example.net" {
			return nil, errors.New("planted")
		}
		return registryOf.RoundTrip(req)
	}))
	for range 10 {
		if at, err := r.Created(t.Context(), "wash", registry.Tag{Digest: digest}); err != nil || !at.IsZero() {
			t.Errorf("Created = %s, %v, want no time", at, err)
		}
	}
	if asked[example] != 20 || asked["store.example.net"] != 5 {
		t.Errorf("asked %v, want the registry 20 times, and the store of blobs 5 times, for one blob", asked)
	}
}

// TestLargeBlobSaysNothingOfItsHost: the other blobs there tell their times.
func TestLargeBlobSaysNothingOfItsHost(t *testing.T) {
	t.Parallel()
	large, small := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	r := open(t, example, handler(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		switch {
		case strings.HasPrefix(r.URL.Path, "/v2/wash/manifests/"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			fmt.Fprintf(w, `{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q}}`, name)
		case r.Host == example:
			w.Header().Set("Location", "https://store.example.net/"+name)
			w.WriteHeader(http.StatusTemporaryRedirect)
		case name == large:
			fmt.Fprintf(w, `{"created":"2023-07-03T14:56:52Z","history":"%s"}`, strings.Repeat("x", 8<<20))
		default:
			fmt.Fprint(w, `{"created":"2023-07-03T14:56:52Z"}`)
		}
	}))
	for _, c := range []struct {
		digest string
		want   time.Time
	}{{large, time.Time{}}, {small, time.Date(2023, 7, 3, 14, 56, 52, 0, time.UTC)}} {
		if at, err := r.Created(t.Context(), "wash", registry.Tag{Digest: c.digest}); err != nil || !at.Equal(c.want) {
			t.Errorf("Created(%s) = %s, %v, want %s", c.digest, at, err, c.want)
		}
	}
}

// A roundTripper is a function that implements http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
