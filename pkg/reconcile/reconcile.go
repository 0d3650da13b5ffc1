// Package reconcile makes a store agree with a registry. It repairs what the registry's
// webhooks did not report: pushes before the webhook was set up, lost events, and removed
// tags, which no registry reports. The clients of registries are in package registry.
//
// It writes ordinary pushes and deletes, whose times order them among all other events.
// So correctness needs no lock. A push has the time that the registry gives it, or else
// one no later than the time called safe. A delete has the time safe. Safe is the
// registry's time of an answer, less a margin for clocks that differ and replicas that
// lag. What the registry shows was true at some moment after safe. So it overrules
// everything up to safe, and anything pushed since wins.
//
// A tag's absence from a list proves little: the list may be cut off, limited by a right,
// or hide the tag. A reference is deleted only if the whole list was read and a request
// for that one tag was answered with a real 404. If suspiciously many references would be
// deleted, none is.
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

// A Store is the part of a store that a run needs.
type Store interface {
	store.Reconciler
	Repositories(ctx context.Context, l store.Listing) (store.Page[store.Entry], error)
	References(ctx context.Context, name reference.Name, match func(tag string) bool, s store.Span) (store.Page[event.Push], error)
}

// Options configure a run. The zero value is an ordinary run.
type Options struct {
	// Full also lists the repositories that seem unchanged.
	Full bool
	// Force deletes any number of references. It also believes a registry that says it
	// does not know a repository. Except in ACR, that may mean that the credential lacks
	// a right.
	Force bool
	// Ignored reports whether pushes of a tag are not stored. nil: none is ignored.
	Ignored func(tag string) bool
	// Owner holds the lease that keeps two runs apart. A run takes over a lease of the
	// same Owner, which suits a store that only one process can open. Empty: a new,
	// unique owner.
	Owner string
	// Margin covers the difference of clocks and the lag of replicas, together. 0:
	// DefaultMargin.
	Margin time.Duration
	// Concurrent is how many repositories to read at once. 0: 4.
	Concurrent int
	// Now is the clock. nil: the system's.
	Now func() time.Time
	// Progress is called with the report so far after each repository and each delete,
	// never concurrently. nil: it is not called.
	Progress func(Report)
}

// DefaultMargin suffices for the clocks of a registry's machines, which differ by
// seconds, and for replicas in other regions.
const DefaultMargin = 15 * time.Minute

const (
	defaultConcurrent = 4
	// relist is how long a repository may be skipped. Listing it finds changes that its
	// attributes do not show.
	relist = 7 * 24 * time.Hour
	// lateEvents is how late an event may come. Event Grid retries for a day:
	// https://learn.microsoft.com/azure/event-grid/delivery-and-retry
	lateEvents = 24 * time.Hour
	// reserve is how long before its context's deadline a run stops reading, to save its
	// progress. It is longer than a call of the registry's client with its retries.
	reserve = time.Minute
	// wrapUp is the time to save progress after the context was cancelled.
	wrapUp = 5 * time.Second
)

// Run reads the registry r and writes what db lacks. It stops a minute before ctx's
// deadline, or when the registry asks for a pause; then Report.Stopped is set, and the
// next run continues behind the last repository. Deletes come last, after all
// repositories have been read.
//
// What could not be read is counted in the Report and is no error. An error is one of the
// store, that of ctx if it was cancelled, an *AliasError, or ErrRunning.
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

// An AliasError says that the registry at Host calls itself Name. Its references have
// that name.
type AliasError struct{ Host, Name string }

func (e *AliasError) Error() string {
	return fmt.Sprintf("%s calls itself %s: reconcile that", e.Host, reference.Line(e.Name))
}

// A run is the state of one Run.
type run struct {
	registry    registry.Registry
	host        string
	db          Store
	options     Options
	callsBefore int64

	catalogued map[string]bool // by repository: the registry lists it
	saving     sync.Mutex      // held while the pass is stored

	mu     sync.Mutex
	pass   pass
	report Report
	seen   map[string]record // by repository
	names  []string          // the repositories of this pass that were not done when the run began, in order
	done   []bool            // by index in names
	behind int               // how many of names are done without a gap
	begun  bool              // reading names has begun
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

// work reads all repositories that remain in the pass, and then deletes what is gone.
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

// tell changes the report and reports progress.
func (w *run) tell(change func(*Report)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.report)
	if w.options.Progress != nil {
		w.report.Calls = w.registry.Calls() - w.callsBefore
		w.options.Progress(w.report)
	}
}

// problem adds a problem to the report.
func (w *run) problem(format string, args ...any) {
	w.tell(func(r *Report) { r.addProblem(format, args...) })
}
