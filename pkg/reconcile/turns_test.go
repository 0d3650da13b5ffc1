package reconcile_test

import (
	"context"
	"time"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/store"
)

// A turn is a run that waits at each of its calls.
type turn struct{ resume chan struct{} }

// wait pauses the caller until it is its turn again.
func (w *world) wait() {
	t := w.running
	if t == nil {
		return
	}
	w.paused <- false
	<-t.resume
}

// run lets runs with these options take turns until all have ended. Several runs each
// have their own pass, as if they did not know of each other.
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

// alone is a store with its own pass.
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
