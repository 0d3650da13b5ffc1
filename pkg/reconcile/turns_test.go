package reconcile_test

import (
	"context"
	"time"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/store"
)

// A turn is a run, which waits at each of its calls.
type turn struct{ resume chan struct{} }

// wait lets others go on, and returns when it is the caller's turn.
func (w *world) wait() {
	t := w.running
	if t == nil {
		return
	}
	w.paused <- false
	<-t.resume
}

// run lets runs with options go on in turns until all have ended. Those of several have
// a pass each, as if none knew of the others.
func (w *world) run(options ...reconcile.Options) (reports []reconcile.Report, errs []error) {
	reports, errs = make([]reconcile.Report, len(options)), make([]error, len(options))
	turns := make([]*turn, len(options))
	for i, o := range options {
		t := &turn{make(chan struct{})}
		turns[i] = t
		o.Margin, o.Concurrent = margin*tick, 1
		o.Now = func() time.Time { return at(w.now + w.own) }
		var db reconcile.Store = w.with
		if len(options) > 1 {
			db = alone{w.with, map[string]store.State{}}
		}
		go func() {
			<-t.resume
			reports[i], errs[i] = reconcile.Run(context.Background(), &fake{w}, db, o)
			w.paused <- true
		}()
	}
	for len(turns) > 0 {
		i := w.IntN(len(turns))
		w.running = turns[i]
		turns[i].resume <- struct{}{}
		if ended := <-w.paused; ended {
			turns = append(turns[:i:i], turns[i+1:]...)
		}
		w.running = nil
		w.ticks(w.IntN(2))
	}
	return reports, errs
}

// alone is a store with a pass of its own.
type alone struct {
	*memory
	own map[string]store.State
}

func (a alone) State(_ context.Context, _, key string) (store.State, error) { return a.own[key], nil }

func (a alone) PutState(ctx context.Context, registry string, s store.State) (bool, error) {
	if s.Key[0] != '#' {
		return a.memory.PutState(ctx, registry, s)
	}
	s.Revision++
	a.own[s.Key] = s
	return true, nil
}
