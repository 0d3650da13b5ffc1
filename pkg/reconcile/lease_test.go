package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
)

func TestLeaseKeepsRunsApart(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 1)
	inner := l.registry
	entered := false
	l.registry = &during{inner, func() {
		if entered {
			return
		}
		entered = true
		if _, err := l.try(reconcile.Options{Owner: "second"}); !errors.Is(err, reconcile.ErrRunning) {
			t.Errorf("a second run: %v, want %v", err, reconcile.ErrRunning)
		}
		if _, err := l.try(reconcile.Options{Owner: "first", Full: true}); err != nil {
			t.Errorf("a run of the same owner: %v", err)
		}
	}}
	// The run of the same owner took over the lease and gave it up.
	if _, err := l.try(reconcile.Options{Owner: "first"}); err != nil {
		t.Errorf("the first run: %v", err)
	}
	if !entered {
		t.Error("no run was under way")
	}
}

// during calls a function while a repository is requested.
type during struct {
	registry.Registry
	do func()
}

func (d *during) Repository(ctx context.Context, name string) (registry.Repository, error) {
	d.do()
	return d.Registry.Repository(ctx, name)
}

// A dead run keeps others away for five minutes.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 1)
	ctx, cancel := context.WithCancel(t.Context())
	l.registry = &during{l.registry, cancel}
	// Its store refuses all writes, as if the process had died.
	if _, err := reconcile.Run(ctx, l.registry, dead{l.db, ctx}, reconcile.Options{Now: l.clock.Now}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that dies: %v, want %v", err, context.Canceled)
	}
	l.clock.Advance(5*time.Minute - time.Second)
	if _, err := l.try(reconcile.Options{}); !errors.Is(err, reconcile.ErrRunning) {
		t.Errorf("before the lease ends: %v, want %v", err, reconcile.ErrRunning)
	}
	l.clock.Advance(time.Second)
	wantReport(t, "after the lease", l.run(reconcile.Options{}), reconcile.Report{Listed: 1})
}

// dead is a store that fails once a context has ended.
type dead struct {
	reconcile.Store
	ctx context.Context
}

func (d dead) PutState(ctx context.Context, registry string, s store.State) (bool, error) {
	if err := d.ctx.Err(); err != nil {
		return false, err
	}
	return d.Store.PutState(ctx, registry, s)
}

// A run whose lease was taken ends when it tries to renew the lease.
func TestRunWithoutItsLeaseEnds(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 4 {
		l.fill(fmt.Sprintf("r%d", i), 1)
	}
	inner, n := l.registry, 0
	l.registry = &during{inner, func() {
		if n++; n != 2 {
			return
		}
		l.clock.Advance(6 * time.Minute)
		other := *l
		other.registry = inner
		wantReport(t, "the second run", other.run(reconcile.Options{}), reconcile.Report{Listed: 3, Skipped: 1})
	}}
	r, err := l.try(reconcile.Options{Concurrent: 1})
	if !errors.Is(err, reconcile.ErrRunning) || r.Done > 2 {
		t.Errorf("the first run: %+v, %v, want %v after two repositories", r, err, reconcile.ErrRunning)
	}
}

// A cancelled run returns an error, and gives up its lease.
func TestCancelledRunCanGoOn(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 4 {
		l.push(fmt.Sprintf("r%d", i), "1", "one", false)
	}
	ctx, cancel := context.WithCancel(t.Context())
	inner, n := l.registry, 0
	l.registry = &during{inner, func() {
		if n++; n == 3 {
			cancel()
		}
	}}
	r, err := reconcile.Run(ctx, l.registry, l.db, reconcile.Options{Now: l.clock.Now, Concurrent: 1})
	if !errors.Is(err, context.Canceled) || r.Finished {
		t.Errorf("a cancelled run: %+v, %v, want %v", r, err, context.Canceled)
	}
	l.registry = inner
	r = l.run(reconcile.Options{})
	wantReport(t, "the rest", r, reconcile.Report{Listed: 2, Pushed: 2})
	l.wantEqual("r0", "r1", "r2", "r3")
}
