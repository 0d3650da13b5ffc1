package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry/acrtest"
	"ocireffer/pkg/store"
)

func TestEmptyStoreGetsAllThatIsListed(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 3 {
		for tag := range 5 {
			l.push(fmt.Sprintf("team/r%d", i), fmt.Sprint(tag), fmt.Sprint(tag), false)
		}
	}
	r := l.run(reconcile.Options{})
	wantReport(t, "a backfill", r, reconcile.Report{Listed: 3, Pushed: 15})
	if !r.Complete() || r.Repositories != 3 || r.Done != 3 || r.Calls == 0 {
		t.Errorf("%+v, want a complete run of 3 repositories", r)
	}
	l.wantEqual("team/r0", "team/r1", "team/r2")
	if got := l.pushedAt("team/r0", "0"); !got.Equal(noon) {
		t.Errorf("pushed at %s, want the registry's time %s", got, noon)
	}
}

func TestUnchangedRepositoriesAreSkipped(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 5 {
		l.fill(fmt.Sprintf("r%d", i), 2)
	}
	l.run(reconcile.Options{})
	l.acr.Requests()
	l.push("r2", "2", "two", false)
	l.acr.Untag("r3", "1.000") // changes only the number of tags
	r := l.run(reconcile.Options{})
	wantReport(t, "two changed", r, reconcile.Report{Listed: 2, Skipped: 3, Pushed: 1, Deleted: 1})
	asked := 0
	for _, request := range l.acr.Requests() {
		if strings.HasPrefix(request, "GET /acr/v1/r") {
			asked++
		}
	}
	if want := 5 + 2*2 + 1; asked != want { // attributes; a page and attributes again; the missing tag
		t.Errorf("%d requests about repositories, want %d", asked, want)
	}
	// r2 changed within the margin; r3 is settled.
	r = l.run(reconcile.Options{})
	wantReport(t, "nothing changed", r, reconcile.Report{Listed: 1, Skipped: 4})
	r = l.run(reconcile.Options{Full: true})
	wantReport(t, "a full run", r, reconcile.Report{Listed: 5})
	l.clock.Advance(8 * 24 * time.Hour)
	r = l.run(reconcile.Options{})
	wantReport(t, "a week later", r, reconcile.Report{Listed: 5})
	l.wantEqual("r2", "r3")
}

// The effect of an event that comes after its repository was compared is corrected a day
// later.
func TestLateEventIsUndoneADayLater(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 1)
	pushed := l.acr.Push("wash", "2", acrtest.Digest("two"))
	l.acr.Untag("wash", "2")
	l.clock.Advance(time.Hour)
	l.run(reconcile.Options{})
	l.deliver("wash", "2", "two", pushed)
	l.clock.Advance(time.Hour)
	r := l.run(reconcile.Options{})
	wantReport(t, "an hour later", r, reconcile.Report{Skipped: 1})
	l.clock.Advance(23 * time.Hour)
	r = l.run(reconcile.Options{})
	wantReport(t, "a day later", r, reconcile.Report{Listed: 1, Deleted: 1})
	l.wantEqual("wash")
}

// A run does not touch other registries, nor what was recorded by hand under a given
// name.
func TestOnlyTheRegistrysOwnReferencesAreTouched(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 1)
	for _, p := range []event.Push{
		{Reference: reference.Reference{Registry: "ghcr.io", Repository: "wash", Tag: "9"}},
		{Reference: reference.Reference{Registry: "ghcr.io", Repository: "other", Tag: "9"}},
		{Reference: reference.Reference{Registry: host, Repository: "wash", Tag: "by-hand"}, GivenName: "tool"},
	} {
		p.Digest, p.Size, p.PushedAt = acrtest.Digest("9"), event.UnknownSize, noon.Add(-time.Minute)
		if err := l.db.Push(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	// The newest wash is in another registry, so the catalogue does not name this one.
	l.acr.DeleteRepository("wash")
	l.fill("app", 1)
	r := l.run(reconcile.Options{})
	wantReport(t, "a repository of two registries", r, reconcile.Report{Listed: 2, Deleted: 1})
	for name, want := range map[string]string{"wash": "ghcr.io/wash:9", "other": "ghcr.io/other:9", "tool": host + "/wash:by-hand"} {
		p, err := l.db.Pick(t.Context(), store.Query{Name: reference.Name{Repository: name}})
		if err != nil || p.Reference.String() != want {
			t.Errorf("Pick(%s) = %s, %v, want %s", name, p.Reference, err, want)
		}
	}
}

// A run without changes writes only its pass.
func TestQuietRunWritesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 3 {
		l.fill(fmt.Sprintf("r%d", i), 2)
	}
	l.run(reconcile.Options{})
	l.clock.Advance(time.Hour)
	db := &counting{Store: l.db}
	if _, err := reconcile.Run(t.Context(), l.registry, db, reconcile.Options{Now: l.clock.Now}); err != nil {
		t.Fatal(err)
	}
	if db.histories > 0 || len(db.written) != 2 || db.written[0] != "#run" || db.written[1] != "#run" {
		t.Errorf("a quiet run read %d histories and wrote %q, want none and its pass", db.histories, db.written)
	}
}

// counting records what a run does with its store.
type counting struct {
	reconcile.Store
	histories int
	written   []string
}

func (c *counting) History(ctx context.Context, registry, repository string) (store.History, error) {
	c.histories++
	return c.Store.History(ctx, registry, repository)
}

func (c *counting) PutState(ctx context.Context, registry string, s store.State) (bool, error) {
	c.written = append(c.written, s.Key)
	return c.Store.PutState(ctx, registry, s)
}

func (c *counting) PushAll(ctx context.Context, pushes []event.Push) error {
	c.written = append(c.written, "pushes")
	return c.Store.PushAll(ctx, pushes)
}

func (c *counting) Delete(ctx context.Context, d event.Delete) (store.Deleted, error) {
	c.written = append(c.written, "delete")
	return c.Store.Delete(ctx, d)
}

// A run records a repository only after its pushes are stored.
func TestFailedWriteIsDoneAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.push("wash", "1", "one", false)
	l.clock.Advance(time.Hour)
	_, err := reconcile.Run(t.Context(), l.registry, full{l.db}, reconcile.Options{Now: l.clock.Now})
	if !errors.Is(err, errStore) {
		t.Errorf("a full store: %v, want %v", err, errStore)
	}
	wantReport(t, "the next run", l.run(reconcile.Options{}), reconcile.Report{Listed: 1, Pushed: 1})
	l.wantEqual("wash")
}

// full is a store that refuses every push.
type full struct{ reconcile.Store }

func (full) PushAll(context.Context, []event.Push) error { return errStore }
