package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ocireffer/pkg/registry"
)

// TestListsEnd: they end even if a registry's do not, because each page names a next one
// with new entries, or because the pages are larger than those of any registry.
func TestListsEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		entries int // of a page
		noLink  bool
		most    int64 // calls
	}{
		{name: "pages of one", entries: 1, most: 10_000},
		{name: "large pages without a Link", entries: 250_001, noLink: true, most: 2},
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
					fmt.Fprintf(&body, `,"%d-%d"`, pages, i)
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

// A roundTripper is a function that implements http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
