package reconcile_test

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry"
)

var histories = flag.Int("histories", 2000, "how many histories of each mode TestSimulation goes through")

// outcome counts references at the end of histories.
type outcome struct {
	// Wrong, unlike in a store that got the same events and was not reconciled:
	lost   int // the event of the push was delivered
	untold int // no event could have told; the next run repairs it
	locked int // hidden from lists

	afterRun, afterFull int // wrong after a run during which nothing happened
	braked              int // runs that the brake stopped
	skipped             int // skipped repositories
	whole               int // deletes of whole repositories
}

func (o *outcome) add(p outcome) {
	o.lost += p.lost
	o.untold += p.untold
	o.locked += p.locked
	o.afterRun += p.afterRun
	o.afterFull += p.afterFull
	o.braked += p.braked
	o.skipped += p.skipped
	o.whole += p.whole
}

// TestSimulation plays random histories of a registry: pushes, untags, deletes, locks,
// restores; events that are lost, late and repeated; replicas that lag, clocks that are
// wrong, calls that fail, runs that overlap or are stopped. Reconciling must lose no push
// whose event was delivered, and must be right once nothing happens any more.
func TestSimulation(t *testing.T) {
	t.Parallel()
	n := *histories
	if testing.Short() {
		n = min(n, 300)
	}
	for _, m := range []mode{oneClock, skewed, noTimes} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			var sum outcome
			var mu sync.Mutex
			var next atomic.Int64
			var workers sync.WaitGroup
			for range runtime.GOMAXPROCS(0) {
				workers.Go(func() {
					for seed := next.Add(1); seed <= int64(n); seed = next.Add(1) {
						o, err := history(uint64(seed), m)
						if err != nil {
							t.Errorf("history %d: %v", seed, err)
							return
						}
						mu.Lock()
						sum.add(o)
						mu.Unlock()
						if o.lost > 0 && m != skewed || o.afterFull > 0 {
							t.Errorf("history %d: %+v, want nothing lost and nothing wrong after a full run", seed, o)
						}
					}
				})
			}
			workers.Wait()
			t.Logf("%d histories: %+v", n, sum)
			if n >= 1000 && (sum.whole == 0 && m != noTimes || sum.braked == 0 || sum.skipped == 0 && m != noTimes) {
				t.Errorf("%+v: the histories had no brake, skip, or delete of a repository", sum)
			}
		})
	}
}

// history plays one history.
func history(seed uint64, m mode) (o outcome, err error) {
	w := newWorld(seed, m)
	w.ticks(30)
	for range 3 {
		w.faulty = w.IntN(2) == 0
		options := []reconcile.Options{{Full: w.IntN(4) == 0, Force: w.IntN(8) == 0}}
		if w.IntN(4) == 0 {
			options = append(options, reconcile.Options{Full: w.IntN(4) == 0})
		}
		reports, errs := w.run(options...)
		if err := errors.Join(errs...); err != nil && !errors.Is(err, errStore) && !errors.Is(err, reconcile.ErrRunning) {
			return o, err
		}
		for _, r := range reports {
			o.note(r)
		}
		w.ticks(w.IntN(20))
	}
	w.faulty, w.quiet = false, true
	w.cleanUp()
	for len(w.onTheWay) > 0 {
		w.tick()
	}
	w.each(func(repository, tag int, is trueTag) {
		want := digestTexts[is.digest]
		if w.is(w.without, repository, tag) != want || w.is(w.with, repository, tag) == want || want == "" {
			return
		}
		switch {
		case is.hidden:
			o.locked++
		case is.told:
			o.lost++
		default:
			o.untold++
		}
	})
	w.ticks(2*margin + lagMax)
	if w.IntN(2) == 0 {
		n, err := w.wrongAfter(&o, reconcile.Options{})
		if err != nil {
			return o, err
		}
		o.afterRun += n
	}
	n, err := w.wrongAfter(&o, reconcile.Options{Full: true})
	o.afterFull += n
	o.whole = w.with.whole
	return o, err
}

func (o *outcome) note(r reconcile.Report) {
	if r.Braked > 0 {
		o.braked++
	}
	o.skipped += r.Skipped
}

func (w *world) is(m *memory, repository, tag int) string {
	return m.live(repositoryName(repository), tagName(tag))
}

func (w *world) each(f func(repository, tag int, is trueTag)) {
	for i := range w.repositories {
		for k := range w.tags {
			f(i, k, w.cur[i].tags[k])
		}
	}
}

// wrongAfter returns how many references are wrong after a run during which nothing
// happens. If the brake holds, what is gone stays until a forced run.
func (w *world) wrongAfter(o *outcome, options reconcile.Options) (int, error) {
	hidden := map[[2]int]string{} // the store's digests of hidden tags
	w.each(func(repository, tag int, is trueTag) {
		if is.hidden {
			hidden[[2]int{repository, tag}] = w.is(w.with, repository, tag)
		}
	})
	r, err := w.complete(options)
	if err != nil {
		return 0, err
	}
	o.note(r)
	if r.Braked > 0 || r.Missing > 0 {
		gone := 0
		w.each(func(repository, tag int, is trueTag) {
			if is.digest == 0 && w.is(w.with, repository, tag) != "" {
				gone++
			}
			if want := digestTexts[is.digest]; want != "" && !is.hidden && w.is(w.with, repository, tag) != want {
				err = fmt.Errorf("%d:%d is %q although the brake holds only deletes, want %q", repository, tag, w.is(w.with, repository, tag), want)
			}
		})
		if gone < r.Braked || r.Braked > 0 && gone <= 10 && r.Missing == 0 {
			err = errors.Join(err, fmt.Errorf("%d references are wrong, and %d were not deleted", gone, r.Braked))
		}
		if err != nil {
			return 0, err
		}
		options.Force = true
		if r, err = w.complete(options); err != nil || r.Braked > 0 {
			return 0, errors.Join(err, fmt.Errorf("a forced run: %+v", r))
		}
	}
	wrong := 0
	w.each(func(repository, tag int, is trueTag) {
		got := w.is(w.with, repository, tag)
		if is.hidden {
			if got == "" && hidden[[2]int{repository, tag}] == digestTexts[is.digest] {
				o.locked++
			}
		} else if got != digestTexts[is.digest] {
			wrong++
			// The repository was skipped. There must have been a reason.
			if name := repositoryName(repository); !w.unseen(name) {
				err = fmt.Errorf("%s:%s is %q after %+v, which should have seen it, want %q", name, tagName(tag), got, r, digestTexts[is.digest])
			}
		}
	})
	return wrong, err
}

// complete starts runs until one has read all repositories by itself.
func (w *world) complete(o reconcile.Options) (reconcile.Report, error) {
	for {
		reports, errs := w.run(o)
		r := reports[0]
		if errs[0] != nil || r.Stopped != nil || r.Unsure+r.Incomplete+r.Forbidden+r.UnsureTags > 0 || r.Missing > 0 && w.mode != noTimes {
			return r, fmt.Errorf("%+v, %w", r, errors.Join(errs[0], r.Stopped, errNotQuiet))
		}
		if !r.Resumed {
			return r, nil
		}
	}
}

var errNotQuiet = errors.New("a run in which nothing fails is not complete")

var _ registry.Registry = (*fake)(nil)
