package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
)

// A run stops a minute before its context ends, and the next run continues where it
// stopped.
func TestRunStopsInTimeAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(epoch))
		acr := acrtest.Public(nil)
		acr.Fill(20, 3)
		r, err := registry.Open(host, registry.Options{Transport: acr, Rate: 0.05}) // 20 s per call
		if err != nil {
			t.Fatal(err)
		}
		db := newMemory()
		begin := time.Now()
		var pushed, runs int
		for finished := false; !finished; runs++ {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
			report, err := reconcile.Run(ctx, r, db, reconcile.Options{Concurrent: 1})
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 14*time.Minute {
				t.Errorf("run %d took %s, want at most 14 minutes of 15", runs, took)
			}
			if finished = report.Finished; !finished && report.Stopped == nil {
				t.Errorf("run %d: %+v, want it to say that it stopped", runs, report)
			}
			pushed += report.Pushed
		}
		// 60 calls about repositories and a few others need 20 minutes.
		if took := time.Since(begin); pushed != 60 || runs != 2 || took > 25*time.Minute {
			t.Errorf("%d runs pushed %d references in %s, want 2, 60, 20 minutes", runs, pushed, took)
		}
	})
}

// A repository that takes longer than a whole run is skipped, so that the others are
// read.
func TestRepositoryThatTakesTooLongIsLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(epoch))
		acr := acrtest.Public(nil)
		acr.Fill(3, 3)
		r, err := registry.Open(host, registry.Options{Transport: acr})
		if err != nil {
			t.Fatal(err)
		}
		slow := &slowly{r, "team-0001/app"}
		db := newMemory()
		var left []string
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
			report, err := reconcile.Run(ctx, slow, db, reconcile.Options{Concurrent: 1})
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, report.Problems...)
			if report.Finished {
				break
			}
		}
		if len(left) != 1 || !strings.HasPrefix(left[0], "team-0001/app takes longer") || db.liveOf("team-0002/app") != 3 || db.liveOf("team-0001/app") != 0 {
			t.Errorf("skipped: %q, stored: %d and %d references, want team-0001/app skipped", left, db.liveOf("team-0002/app"), db.liveOf("team-0001/app"))
		}
	})
}

// slowly is a registry that needs an hour to list one repository.
type slowly struct {
	registry.Registry
	name string
}

func (s *slowly) Tags(ctx context.Context, r registry.Repository) (registry.Listing, error) {
	if r.Name == s.name {
		select {
		case <-time.After(time.Hour):
		case <-ctx.Done():
			return registry.Listing{}, ctx.Err()
		}
	}
	return s.Registry.Tags(ctx, r)
}
