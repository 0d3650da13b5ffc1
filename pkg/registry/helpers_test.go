package registry_test

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
)

// noon is when the tests' clocks begin.
var noon = time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)

const acrHost = "wasm.azurecr.io"

// open returns a client of host that uses transport and its own clock, without limits.
func open(t *testing.T, host string, transport http.RoundTripper, change ...func(*registry.Options)) registry.Registry {
	t.Helper()
	o := registry.Options{Transport: transport, Clock: acrtest.NewClock(noon), Rate: math.Inf(1)}
	for _, c := range change {
		c(&o)
	}
	r, err := registry.Open(host, o)
	if err != nil {
		t.Fatalf("Open(%s): %v", host, err)
	}
	return r
}

// as is an option of open.
func as(user, password string) func(*registry.Options) {
	return func(o *registry.Options) { o.Credential = registry.Credential{User: user, Password: password} }
}

// on is an option of open: the client's clock.
func on(clock registry.Clock) func(*registry.Options) {
	return func(o *registry.Options) { o.Clock = clock }
}

// repository requests one repository.
func repository(t *testing.T, r registry.Registry, name string) registry.Repository {
	t.Helper()
	got, err := r.Repository(t.Context(), name)
	if err != nil {
		t.Fatalf("Repository(%s): %v", name, err)
	}
	return got
}

// list requests one repository and its tags.
func list(t *testing.T, r registry.Registry, name string) registry.Listing {
	t.Helper()
	got, err := r.Tags(t.Context(), repository(t, r, name))
	if err != nil {
		t.Fatalf("Tags(%s): %v", name, err)
	}
	return got
}

func tag(t *testing.T, r registry.Registry, repository, name string) registry.TagAnswer {
	t.Helper()
	got, err := r.Tag(t.Context(), repository, name)
	if err != nil {
		t.Fatalf("Tag(%s, %s): %v", repository, name, err)
	}
	return got
}

func catalogue(t *testing.T, r registry.Registry) registry.Catalogue {
	t.Helper()
	got, err := r.Repositories(t.Context())
	if err != nil {
		t.Fatalf("Repositories: %v", err)
	}
	return got
}

// names returns the tags in a listing, separated by commas.
func names(l registry.Listing) string {
	var all []string
	for _, t := range l.Tags {
		all = append(all, t.Name)
	}
	return strings.Join(all, ",")
}

// wantComplete fails unless l is complete with these tags, in order.
func wantComplete(t *testing.T, l registry.Listing, want ...string) {
	t.Helper()
	if got := names(l); got != strings.Join(want, ",") || !l.Complete || l.Why != nil {
		t.Errorf("listed %s, complete %t because of %v, want %s, complete", got, l.Complete, l.Why, strings.Join(want, ","))
	}
}

// wantIncomplete fails unless l is incomplete and says why.
func wantIncomplete(t *testing.T, l registry.Listing, why string) {
	t.Helper()
	if l.Complete || l.Why == nil || !strings.Contains(l.Why.Error(), why) {
		t.Errorf("listed %s, complete %t because of %v, want incomplete because of %q", names(l), l.Complete, l.Why, why)
	}
}

func wantState(t *testing.T, what string, got registry.State, why error, want registry.State) {
	t.Helper()
	if got != want || (why == nil) != (want == registry.Found) {
		t.Errorf("%s is %s because of %v, want %s", what, got, why, want)
	}
}

// count returns how many requests begin with a text.
func count(requests []string, beginning string) int {
	return len(slices.DeleteFunc(slices.Clone(requests), func(s string) bool { return !strings.HasPrefix(s, beginning) }))
}

// A handler answers in the same process.
type handler http.HandlerFunc

func (h handler) RoundTrip(r *http.Request) (*http.Response, error) {
	s := acrtest.New(nil)
	s.Set(func(rules *acrtest.Rules) {
		rules.NoDate = true
		rules.Intercept = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			h(w, r)
			return true
		}
	})
	return s.RoundTrip(r)
}
