package reconcile_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
)

// A lab has a stand-in of ACR that everybody may read, a client of it, and a store. All
// share one clock, which starts at noon.
type lab struct {
	*testing.T
	acr      *acrtest.Server
	clock    *acrtest.Clock
	registry registry.Registry
	db       store.Store
}

var noon = epoch

func newLab(t *testing.T, change ...func(*registry.Options)) *lab {
	t.Helper()
	db, err := bolt.OpenTemporary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := acrtest.NewClock(noon)
	l := &lab{T: t, acr: acrtest.Public(clock.Now), clock: clock, db: db}
	l.registry = l.open(l.acr, change...)
	return l
}

// open returns a client that uses transport.
func (l *lab) open(transport http.RoundTripper, change ...func(*registry.Options)) registry.Registry {
	l.Helper()
	o := registry.Options{Transport: transport, Clock: l.clock, Rate: math.Inf(1)}
	for _, c := range change {
		c(&o)
	}
	r, err := registry.Open(host, o)
	if err != nil {
		l.Fatal(err)
	}
	return r
}

// as is an option of a client: its credential.
func as(user, password string) func(*registry.Options) {
	return func(o *registry.Options) { o.Credential = registry.Credential{User: user, Password: password} }
}

// run starts a run with these options and fails the test on an error.
func (l *lab) run(o reconcile.Options) reconcile.Report {
	l.Helper()
	r, err := l.try(o)
	if err != nil {
		l.Fatalf("Run(%+v): %v", o, err)
	}
	return r
}

func (l *lab) try(o reconcile.Options) (reconcile.Report, error) {
	o.Now = l.clock.Now
	return reconcile.Run(l.Context(), l.registry, l.db, o)
}

// push puts a tag on a digest, and stores the event if told is set.
func (l *lab) push(repository, tag, seed string, told bool) {
	l.Helper()
	at := l.acr.Push(repository, tag, acrtest.Digest(seed))
	if told {
		l.deliver(repository, tag, seed, at)
	}
}

// deliver stores the event of a push.
func (l *lab) deliver(repository, tag, seed string, at time.Time) {
	l.Helper()
	p := event.Push{
		Reference: reference.Reference{Registry: host, Repository: repository, Tag: tag},
		Digest:    acrtest.Digest(seed), MediaType: "application/vnd.oci.image.index.v1+json", Size: 856, PushedAt: at,
	}
	if err := l.db.Push(l.Context(), p); err != nil {
		l.Fatal(err)
	}
}

// fill pushes tags of a repository an hour ago, with their events, and sets the clock
// back to noon.
func (l *lab) fill(repository string, tags int) {
	l.Helper()
	l.clock.Advance(-time.Hour)
	for i := range tags {
		l.push(repository, fmt.Sprintf("1.%03d", i), fmt.Sprint(i), true)
	}
	l.clock.Advance(time.Hour)
}

// live returns the digests of the store's live references of a repository, by tag.
func live(t testing.TB, db store.Reconciler, registry, repository string) map[string]string {
	t.Helper()
	h, err := db.History(context.WithoutCancel(t.Context()), registry, repository)
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for tag, p := range h.Pushes {
		if h.Live(p) {
			tags[tag] = p.Digest
		}
	}
	return tags
}

// wantEqual checks that the store has the registry's tags in repositories.
func (l *lab) wantEqual(repositories ...string) {
	l.Helper()
	for _, name := range repositories {
		if diff := cmp.Diff(l.acr.Tags(name), live(l, l.db, host, name)); diff != "" {
			l.Errorf("live references of %s: -registry +store\n%s", name, diff)
		}
	}
}

// wantKept checks that the store still has all references that fill made.
func (l *lab) wantKept(repository string, tags int) {
	l.Helper()
	if got := live(l, l.db, host, repository); len(got) != tags {
		l.Errorf("the store has %d references of %s, want %d", len(got), repository, tags)
	}
}

// wantReport checks the fields that want sets, and that the other counts are 0.
func wantReport(t testing.TB, what string, got, want reconcile.Report) {
	t.Helper()
	shown := got
	got.Registry, got.Calls, got.Problems, got.Stopped, got.Finished, got.Resumed = "", 0, nil, nil, false, false
	got.Repositories, got.Done = 0, 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s%+v", what, diff, shown)
	}
}

// pushedAt returns the time of the store's push of a reference.
func (l *lab) pushedAt(repository, tag string) time.Time {
	l.Helper()
	at, err := l.db.PushedAt(l.Context(), event.Target{Registry: host, Repository: repository, Tag: tag})
	if err != nil {
		l.Fatal(err)
	}
	return at
}

// intercept lets f answer requests instead of the stand-in. f reports whether it did.
func (l *lab) intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	l.acr.Set(func(rules *acrtest.Rules) {
		rules.Intercept = nil
		if f != nil {
			rules.Intercept = func(w http.ResponseWriter, r *http.Request, _ int) bool { return f(w, r) }
		}
	})
}
