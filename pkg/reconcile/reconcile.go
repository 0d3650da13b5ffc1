// Package reconcile makes a store agree with what a registry has. It repairs what the
// registry's webhooks did not tell: what was pushed before there was one, events that
// got lost, tags that were taken away, of which no registry tells.
//
// It writes ordinary pushes and deletes, with times from which the order of events
// follows as it does for all others. Hence no lock is needed for what is right. What it
// writes is either a push that the registry itself dates, or has the time that is
// called safe here: the registry's time of an answer, less a margin for clocks that
// differ and replicas that are behind. What the registry shows was true at some moment
// after safe. So whatever happened until then is overruled by it, and whatever was
// pushed since wins.
//
// A tag's absence from a list proves little: the list may be cut, limited by a right, or
// hide the tag. A reference is deleted only if the whole list was read, and the
// question for that one tag was answered by a real 404; and none at all if suspiciously
// many would go.
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
)

// A Store is what a run needs of a store.
type Store interface {
	store.Reconciler
	Repositories(ctx context.Context, l store.Listing) (store.Page[store.Entry], error)
	References(ctx context.Context, name reference.Name, match func(tag string) bool, s store.Span) (store.Page[event.Push], error)
}

// Options say how a run goes. The zero value is that of an ordinary run.
type Options struct {
	// Full lists also the repositories that seem unchanged.
	Full bool
	// Force deletes however many references that is. It also takes a registry's word for
	// it that it does not know a repository, which elsewhere than in ACR may mean that
	// the credential lacks a right.
	Force bool
	// Ignored reports whether pushes of a tag are not stored. nil: all are.
	Ignored func(tag string) bool
	// Owner is who holds the lease that keeps two runs apart. A run takes over the lease
	// of its own Owner, which is for a store that only one process can open. Empty: one
	// that nobody else has.
	Owner string
	// Margin is by how much clocks may differ and replicas be behind, together.
	// 0: DefaultMargin.
	Margin time.Duration
	// Concurrent is how many repositories are read at once. 0: 4.
	Concurrent int
	// Now is the clock. nil: the system's.
	Now func() time.Time
	// Progress is called with the report so far after each repository and each delete,
	// by one goroutine at a time. nil: nobody is told.
	Progress func(Report)
}

// DefaultMargin is a margin for the clocks of a registry's machines, whose events are
// told apart by seconds, and for replicas in other regions.
const DefaultMargin = 15 * time.Minute

const (
	defaultConcurrent = 4
	// relist is how long a repository is skipped at most. What its attributes do not
	// show is found then.
	relist = 7 * 24 * time.Hour
	// lateEvents is how late an event may come. Event Grid tries for a day:
	// https://learn.microsoft.com/azure/event-grid/delivery-and-retry
	lateEvents = 24 * time.Hour
	// reserve is how long before its context ends a run stops reading, to note where it
	// was. It is longer than a call of the registry's client takes with its repeats.
	reserve = time.Minute
	// wrapUp is for that note where the context has been cancelled.
	wrapUp = 5 * time.Second
)

// Run reads the registry r and writes what db lacks. It stops a minute before ctx's
// deadline, or when the registry asks to be left alone; then Report.Stopped says so,
// and the next run goes on behind the last repository. Deletes come last, when all
// repositories have been read.
//
// What could not be read is counted in the Report and is no error. An error is one of
// the store's, of ctx if that was cancelled, an *AliasError, or ErrRunning.
func Run(ctx context.Context, r registry.Registry, db Store, o Options) (Report, error) {
	w := newRun(r, db, o)
	if err := w.acquire(ctx); err != nil {
		return w.report, err
	}
	work, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		work, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
	}
	defer cancel()
	err := w.work(work)
	timeUp := work.Err() != nil && ctx.Err() == nil
	if err != nil && (timeUp || isBusy(err)) {
		w.report.Stopped, err = err, nil
	}
	if timeUp {
		w.skipStuck()
	}
	end := ctx
	if ctx.Err() != nil {
		end, cancel = context.WithTimeout(context.WithoutCancel(ctx), wrapUp)
		defer cancel()
	}
	err = errors.Join(err, w.release(end))
	w.report.Calls = r.Calls() - w.callsBefore
	return w.report, err
}

func isBusy(err error) bool {
	_, ok := errors.AsType[*registry.BusyError](err)
	return ok
}

// An AliasError says that the registry has another name, which its references have.
type AliasError struct{ Host, Name string }

func (e *AliasError) Error() string {
	return fmt.Sprintf("%s calls itself %s: reconcile that", e.Host, reference.Line(e.Name))
}

// A run is the work of one Run.
type run struct {
	registry    registry.Registry
	host        string
	db          Store
	options     Options
	callsBefore int64

	catalogued map[string]bool // the registry's own list has it
	saving     sync.Mutex      // held while the pass is stored

	mu     sync.Mutex
	pass   pass
	report Report
	seen   map[string]record // by repository
	names  []string          // of the repositories of this pass that are not done, in order
	done   []bool            // of names
	behind int               // how many of names are done, without a gap
	begun  bool              // reading them
}

func newRun(r registry.Registry, db Store, o Options) *run {
	if o.Ignored == nil {
		o.Ignored = func(string) bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Margin = cmp.Or(o.Margin, DefaultMargin)
	o.Concurrent = cmp.Or(o.Concurrent, defaultConcurrent)
	o.Owner = cmp.Or(o.Owner, newOwner())
	return &run{
		registry: r, host: r.Host(), db: db, options: o, callsBefore: r.Calls(),
		report: Report{Registry: r.Host()}, seen: map[string]record{}, catalogued: map[string]bool{},
	}
}

// work reads all repositories that are left of the pass, and then deletes what it
// found to be gone.
func (w *run) work(ctx context.Context) error {
	if err := w.loadSeen(ctx); err != nil {
		return err
	}
	if err := w.loadNames(ctx); err != nil {
		return err
	}
	w.tell(func(*Report) {})
	w.begun = len(w.names) > 0
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(w.options.Concurrent)
	for i, name := range w.names {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := w.repository(inner, name); err != nil {
				return err
			}
			return w.finished(inner, i)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.deleteGone(ctx); err != nil {
		return err
	}
	w.pass.finish()
	w.report.Finished = true
	return nil
}

// tell changes the report and shows it.
func (w *run) tell(change func(*Report)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.report)
	if w.options.Progress != nil {
		w.report.Calls = w.registry.Calls() - w.callsBefore
		w.options.Progress(w.report)
	}
}

// problem notes what went wrong.
func (w *run) problem(format string, args ...any) {
	w.tell(func(r *Report) { r.addProblem(format, args...) })
}
