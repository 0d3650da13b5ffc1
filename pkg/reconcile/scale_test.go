package reconcile_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry/acrtest"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

var scale = flag.Int("scale", 20, "how many repositories of 200 tags TestScale has")

// A tally is a store that counts a run's calls.
type tally struct {
	reconcile.Store
	histories, pushes, batches, deletes, states atomic.Int64
}

func (c *tally) History(ctx context.Context, registry, repository string) (store.History, error) {
	c.histories.Add(1)
	return c.Store.History(ctx, registry, repository)
}

func (c *tally) PushAll(ctx context.Context, pushes []event.Push) error {
	c.batches.Add(1)
	c.pushes.Add(int64(len(pushes)))
	return c.Store.PushAll(ctx, pushes)
}

func (c *tally) Delete(ctx context.Context, d event.Delete) (store.Deleted, error) {
	c.deletes.Add(1)
	return c.Store.Delete(ctx, d)
}

func (c *tally) PutState(ctx context.Context, registry string, s store.State) (bool, error) {
	c.states.Add(1)
	return c.Store.PutState(ctx, registry, s)
}

// TestScale measures runs. With -scale 5000 that is a backfill of a million references, a
// run with 50 changes, and a full one.
func TestScale(t *testing.T) {
	if *scale <= 20 {
		t.Parallel()
	}
	const tags = 200
	n := *scale
	l := newLab(t)
	l.acr.Fill(n, tags)
	l.clock.Advance(48 * time.Hour)
	changed := min(n, 50)
	for _, c := range []struct {
		what    string
		change  func()
		options reconcile.Options
		calls   int64    // maximum
		counts  [4]int64 // histories, pushes, deletes, states
	}{
		// For each repository: attributes, a page, attributes again.
		{"a backfill", func() {}, reconcile.Options{}, int64(3*n + n/1000 + 10), [4]int64{int64(n), int64(n * tags), 0, int64(n)}},
		{"an hourly run", func() {
			for i := range changed {
				l.acr.Push(fmt.Sprintf("team-%04d/app", i), "2.0.0", acrtest.Digest("new"))
			}
			l.clock.Advance(time.Hour)
		}, reconcile.Options{}, int64(n + 2*changed + n/1000 + 10), [4]int64{int64(changed), int64(changed), 0, int64(changed)}},
		{"a full run", func() { l.clock.Advance(7 * 24 * time.Hour) }, reconcile.Options{Full: true}, int64(3*n + n/1000 + 10), [4]int64{int64(n), 0, 0, int64(n)}},
	} {
		c.change()
		db := &tally{Store: l.db}
		var peak atomic.Uint64
		memory := func(r reconcile.Report) {
			if r.Done%500 == 0 {
				var m runtime.MemStats
				runtime.GC() // what remains is in use by the registry and the run
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
		}
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begin := time.Now()
		o := c.options
		o.Now, o.Progress = l.clock.Now, memory
		r, err := reconcile.Run(t.Context(), l.registry, db, o)
		if err != nil || !r.Complete() {
			t.Fatalf("%s: %+v, %v", c.what, r, err)
		}
		t.Logf("%s: %d calls (%s at 10 a second), %d histories, %d pushes in %d calls, %d states, %s, %d MB above the registry's %d", c.what, r.Calls,
			time.Duration(r.Calls)*time.Second/10, db.histories.Load(), db.pushes.Load(), db.batches.Load(), db.states.Load(),
			time.Since(begin).Round(time.Millisecond), (peak.Load()-min(peak.Load(), before.HeapAlloc))>>20, before.HeapAlloc>>20)
		got := [4]int64{db.histories.Load(), db.pushes.Load(), db.deletes.Load(), db.states.Load() - 2}
		if extra := got[3] - c.counts[3]; extra > 0 && extra <= int64(time.Since(begin)/(20*time.Second))+1 {
			got[3] = c.counts[3] // saves of the pass depend on time
		}
		if r.Calls > c.calls || got != c.counts {
			t.Errorf("%s: %d calls, histories, pushes, deletes, states %v; want at most %d, %v", c.what, r.Calls, got, c.calls, c.counts)
		}
	}
}

// TestUnitsOfRuns measures what runs cost in DynamoDB, for two repositories with 200
// tags. The table is used as in the function: Derive costs extra.
func TestUnitsOfRuns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("DynamoDB Local takes seconds")
	}
	l := newLab(t)
	var m dynamotest.Meter
	cfg := dynamolocal.Config(t)
	cfg.HTTPClient = &http.Client{Transport: &m}
	db, err := dynamo.Open(cfg, dynamotest.Table(t), dynamo.Patient())
	if err != nil {
		t.Fatal(err)
	}
	l.db = db
	l.acr.Fill(2, 200)
	l.clock.Advance(48 * time.Hour)
	for _, c := range []struct {
		what          string
		options       reconcile.Options
		writes, reads float64 // maximum
	}{
		{"a backfill", reconcile.Options{}, 400*10 + 2 + 3, 2},
		{"a quiet run", reconcile.Options{}, 2, 2},
		{"a full run", reconcile.Options{Full: true}, 2 + 2, 2*16 + 2},
	} {
		m.Take()
		l.clock.Advance(time.Hour)
		l.run(c.options)
		cost := m.Take()
		t.Logf("%s: %+v", c.what, cost)
		writes, reads := cost.Units["PutItem"]+cost.Units["UpdateItem"], cost.Units["Query"]+cost.Units["GetItem"]+cost.Units["BatchGetItem"]
		if writes > c.writes || reads > c.reads || len(cost.Units) > 3 {
			t.Errorf("%s: %g write and %g read units, want at most %g and %g: %+v", c.what, writes, reads, c.writes, c.reads, cost)
		}
	}
}
