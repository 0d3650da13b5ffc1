package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
)

// ACR answers a token with a restricted scope map with 200 and an empty catalogue.
func TestEmptyCatalogueTakesNothingOut(t *testing.T) {
	t.Parallel()
	l := newLab(t, as("reader", "secret"))
	l.fill("wash", 3)
	l.push("wash", "2", "two", false)
	l.acr.Untag("wash", "1.000")
	l.acr.Set(func(r *acrtest.Rules) {
		r.Anonymous = false
		r.Users = map[string]acrtest.User{"reader": {Password: "secret", Repositories: []string{"wash"}, Catalogue: acrtest.Empty}}
	})
	r := l.run(reconcile.Options{})
	wantReport(t, "an empty catalogue", r, reconcile.Report{NoCatalogue: true, Listed: 1, Pushed: 1, Deleted: 1})
	if r.Complete() || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "configure its repositories") {
		t.Errorf("%+v, want an incomplete run that says what to do", r)
	}
	l.wantEqual("wash")
}

func TestRefusedCatalogueTakesNothingOut(t *testing.T) {
	t.Parallel()
	l := newLab(t, as("reader", "secret"))
	l.fill("wash", 3)
	l.fill("team/app", 3)
	l.acr.Set(func(r *acrtest.Rules) {
		r.Anonymous = false
		r.Users = map[string]acrtest.User{"reader": {Password: "secret", Repositories: []string{"wash"}, Catalogue: acrtest.Refused}}
	})
	r := l.run(reconcile.Options{})
	wantReport(t, "a refused catalogue", r, reconcile.Report{NoCatalogue: true, Listed: 1, Forbidden: 1})
	l.wantKept("team/app", 3)
}

// A registry with rights by repository silently ignores wildcards and roles.
func TestWhatIsForbiddenIsKept(t *testing.T) {
	t.Parallel()
	l := newLab(t, as("reader", "secret"))
	l.fill("wash", 3)
	l.fill("team/app", 3)
	l.acr.Untag("wash", "1.000")
	l.acr.DeleteRepository("team/app")
	l.acr.Set(func(r *acrtest.Rules) {
		r.Anonymous, r.ABAC = false, true
		r.Users = map[string]acrtest.User{"reader": {Password: "secret", Repositories: []string{"wash"}}}
	})
	r := l.run(reconcile.Options{})
	wantReport(t, "ABAC", r, reconcile.Report{Listed: 1, Forbidden: 1, Deleted: 1})
	l.wantEqual("wash")
	l.wantKept("team/app", 3)
}

// In other registries than ACR, a 404 may hide a missing right.
func TestMissingRepositoryIsKeptUnlessForced(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 3)
	l.registry = missing{l.registry}
	r := l.run(reconcile.Options{})
	wantReport(t, "a missing repository", r, reconcile.Report{Missing: 1})
	l.wantKept("wash", 3)
	r = l.run(reconcile.Options{Force: true})
	wantReport(t, "a missing repository, forced", r, reconcile.Report{Listed: 1, Deleted: 3})
	l.wantKept("wash", 0)
}

// missing is a registry that does not know any of its repositories.
type missing struct{ registry.Registry }

func (m missing) Repository(ctx context.Context, name string) (registry.Repository, error) {
	r, err := m.Registry.Repository(ctx, name)
	r.State, r.Why = registry.Missing, errFails
	return r, err
}

// Under an alias, a registry would get a second set of references.
func TestAliasIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.push("wash", "1", "one", false)
	l.acr.Set(func(r *acrtest.Rules) { r.LoginServer = "other.azurecr.io" })
	if r, err := l.try(reconcile.Options{}); err == nil || err.Error() != host+" calls itself other.azurecr.io: reconcile that" {
		t.Errorf("an alias: %+v, %v, want an error that names the registry", r, err)
	}
	l.wantKept("wash", 0)
}

// A 404 proves something only if the token's claims allow the repository.
func TestRepositoryWithoutARightIsKept(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 3)
	l.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		hides := r.URL.Path == "/acr/v1/wash" || r.URL.Path == "/oauth2/token"
		switch r.URL.Path {
		case "/acr/v1/wash":
			acrtest.Fail(w, http.StatusNotFound, "NAME_UNKNOWN", "")
		case "/oauth2/token":
			fmt.Fprint(w, `{"access_token":"opaque"}`)
		}
		return hides
	})
	r := l.run(reconcile.Options{})
	wantReport(t, "a 404 without a right", r, reconcile.Report{NoCatalogue: true, Missing: 1})
	l.wantKept("wash", 3)
}

// A catalogue may list a repository that has only blobs. A configured one should have
// tags.
func TestMissingRepositoryIsNothingIfItIsOnlyListed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		configured []string
		want       reconcile.Report
	}{
		"listed":     {want: reconcile.Report{Listed: 1}},
		"configured": {configured: []string{"wash"}, want: reconcile.Report{Missing: 1}},
	} {
		l := newLab(t, func(o *registry.Options) { o.Repositories = c.configured })
		l.push("wash", "1", "one", false)
		l.registry = missing{l.registry}
		wantReport(t, name, l.run(reconcile.Options{}), c.want)
	}
}
