package reconcile

import (
	"context"
	"maps"
	"slices"
	"sort"
	"sync"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// catalogPage is how many entries of the store's catalogue are read at a time.
const catalogPage = 1000

// loadNames collects the repositories that remain in the pass: those that the registry
// lists, and those with references in the store. The registry's list only adds work; it
// does not prove that anything is gone.
func (w *run) loadNames(ctx context.Context) error {
	catalogue, err := w.registry.Repositories(ctx)
	if err != nil {
		return err
	}
	if !catalogue.Complete {
		w.report.NoCatalogue = true
		w.problem("%v", catalogue.Why)
	}
	names := map[string]bool{}
	for _, name := range catalogue.Names {
		names[name] = true
		w.catalogued[name] = !catalogue.Configured
	}
	for name, r := range w.seen {
		if r.Live > 0 || r.going() > 0 {
			names[name] = true
		}
	}
	if err := w.addStored(ctx, names); err != nil {
		return err
	}
	all := slices.Sorted(maps.Keys(names))
	first := 0
	if after := w.pass.After; after != "" {
		first = sort.Search(len(all), func(i int) bool { return all[i] > after })
	}
	w.names = all[first:]
	w.done = make([]bool, len(w.names))
	w.report.Repositories, w.report.Done = len(all), first
	return nil
}

// addStored adds to names the repositories with live references in the store. A catalogue
// entry tells only the registry of its newest reference. If that is another registry,
// addStored asks for the entry of this registry's repository.
func (w *run) addStored(ctx context.Context, names map[string]bool) error {
	var doubtful []string
	for l := (store.Listing{Span: store.Span{Limit: catalogPage}}); ; {
		page, err := w.db.Repositories(ctx, l)
		if err != nil {
			return err
		}
		for _, e := range page.Items {
			name := e.Name.Repository
			switch {
			case names[name]:
			case e.Newest.GivenName == "" && e.Newest.Reference.Registry == w.host:
				names[name] = true
			default:
				doubtful = append(doubtful, name)
			}
		}
		if page.Next == "" {
			break
		}
		l.After = page.Next
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(w.options.Concurrent)
	for _, name := range doubtful {
		group.Go(func() error {
			page, err := w.db.References(ctx, reference.Name{Registry: w.host, Repository: name}, nil, store.Span{Limit: 1})
			if err != nil || len(page.Items) == 0 {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			names[name] = true
			return nil
		})
	}
	return group.Wait()
}
