package reconcile

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
)

// mayGo returns how many of a registry's live references may be deleted at once. More
// than that suggests an outage, a lost right, or another registry under the same name. A
// big clean-up looks the same, and needs Options.Force.
func mayGo(live int) int { return max(leastMayGo, live/5) }

const leastMayGo = 10

// deleteGone deletes what the registry no longer has, once the whole registry is read. If
// that is too much, it deletes nothing.
func (w *run) deleteGone(ctx context.Context) error {
	going, live := 0, 0
	for _, r := range w.seen {
		going += r.going()
		live += r.Live
	}
	if going > mayGo(live) && !w.pass.Force {
		w.report.Braked = going
		w.problem("%d of %d references are gone from the registry: none is deleted, as that is more than %d; a forced run deletes them", going, live, mayGo(live))
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(w.options.Concurrent)
	for _, name := range slices.Sorted(maps.Keys(w.seen)) {
		if r := w.last(name); r.going() > 0 {
			group.Go(func() error { return w.deleteFrom(ctx, name, r) })
		}
	}
	return group.Wait()
}

// deleteFrom deletes what is gone from a repository.
func (w *run) deleteFrom(ctx context.Context, name string, r record) error {
	tags := r.Gone
	if r.Whole {
		tags = []string{""}
	}
	for _, tag := range tags {
		deleted, err := w.db.Delete(ctx, event.Delete{
			Target:    event.Target{Registry: w.host, Repository: name, Tag: tag},
			DeletedAt: r.GoneAt, ReceivedAt: w.options.Now().UTC(),
		})
		if err != nil {
			return err
		}
		w.tell(func(report *Report) { report.Deleted += deleted.References })
	}
	left := record{Live: r.Live - r.going() + r.More}
	if !r.Whole && r.More == 0 {
		left.Updated, left.Tags, left.Manifests, left.Listed = r.Updated, r.Tags, r.Manifests, r.Listed
	}
	return w.record(ctx, name, left)
}
