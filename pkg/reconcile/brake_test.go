package reconcile_test

import (
	"context"
	"fmt"
	"testing"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry"
)

func TestBrake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tags, gone, braked int
	}{
		{tags: 12, gone: 10},
		{tags: 12, gone: 11, braked: 11},
		{tags: 54, gone: 10},
		{tags: 54, gone: 11, braked: 11},
		{tags: 60, gone: 12},
		{tags: 60, gone: 13, braked: 13},
	} {
		what := fmt.Sprintf("%d of %d are gone", c.gone, c.tags)
		l := newLab(t)
		l.fill("one", c.tags/2)
		l.fill("two", c.tags-c.tags/2)
		for i := range c.gone {
			l.acr.Untag([]string{"one", "two"}[i%2], fmt.Sprintf("1.%03d", i/2))
		}
		r := l.run(reconcile.Options{})
		wantReport(t, what, r, reconcile.Report{Listed: 2, Deleted: c.gone - c.braked, Braked: c.braked})
		if c.braked == 0 {
			l.wantEqual("one", "two")
			continue
		}
		if r.Complete() || !r.Finished || len(r.Problems) != 1 {
			t.Errorf("%s: %+v, want an incomplete run", what, r)
		}
		l.wantKept("one", c.tags/2)
		r = l.run(reconcile.Options{})
		wantReport(t, what+", again", r, reconcile.Report{Listed: 2, Braked: c.braked})
		r = l.run(reconcile.Options{Force: true})
		wantReport(t, what+", forced", r, reconcile.Report{Listed: 2, Deleted: c.gone})
		l.wantEqual("one", "two")
	}
}

// The brake counts all of a repository's references, and also those of skipped
// repositories.
func TestBrakeCountsWholeRepositories(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("large", 80)
	l.fill("small", 15)
	l.fill("other", 5)
	l.run(reconcile.Options{})
	l.acr.DeleteRepository("small")
	r := l.run(reconcile.Options{})
	wantReport(t, "15 of 100 are gone", r, reconcile.Report{Listed: 1, Skipped: 2, Deleted: 15})
	l.acr.DeleteRepository("large")
	r = l.run(reconcile.Options{})
	wantReport(t, "80 of 85 are gone", r, reconcile.Report{Listed: 1, Skipped: 1, Braked: 80})
	l.wantKept("large", 80)
}

// Together, the runs of one pass must not delete more than a single run may.
func TestBrakeHoldsForAPassOfSeveralRuns(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 4 {
		name := fmt.Sprintf("r%d", i)
		l.fill(name, 5)
		for tag := range 3 {
			l.acr.Untag(name, fmt.Sprintf("1.%03d", tag))
		}
	}
	l.registry = &busyAfter{Registry: l.registry, calls: 2}
	r := l.run(reconcile.Options{Concurrent: 1})
	wantReport(t, "two of four", r, reconcile.Report{Listed: 2})
	r = l.run(reconcile.Options{Concurrent: 1})
	wantReport(t, "the other two", r, reconcile.Report{Listed: 2, Braked: 12})
	l.wantKept("r0", 5)
}

// busyAfter is a registry that asks for a pause after some repositories, once.
type busyAfter struct {
	registry.Registry
	calls int
}

func (b *busyAfter) Repository(ctx context.Context, name string) (registry.Repository, error) {
	if b.calls--; b.calls == -1 {
		return registry.Repository{}, &registry.BusyError{Host: host}
	}
	return b.Registry.Repository(ctx, name)
}
