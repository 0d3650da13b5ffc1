package reconcile

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ocireffer/pkg/store"
)

// ErrRunning says that another run reads the same registry for the same store. Two at
// once would do no harm, but would ask for everything twice.
var ErrRunning = errors.New("another run is reading the registry")

// A pass is one walk over all repositories of a registry. It needs one run, or several if
// the time of a run is limited. The store keeps it between runs, with the lease of the
// current run.
type pass struct {
	Started time.Time `json:"started,omitzero"` // zero: no pass has begun
	After   string    `json:"after,omitempty"`  // repositories up to this one are done
	Full    bool      `json:"full,omitempty"`   // see Options
	Force   bool      `json:"force,omitempty"`  // see Options
	Owner   string    `json:"owner,omitempty"`  // holder of the lease
	Until   time.Time `json:"expires,omitzero"` // end of the lease

	revision int64
	saved    time.Time
	lost     bool // another run has taken the lease
}

const (
	// passKey is the key of the stored pass. No repository begins with #.
	passKey = "#run"
	// lease is how long a dead run keeps others away.
	lease = 5 * time.Minute
	// saveEvery is how often a run renews its lease and saves its progress.
	saveEvery = 30 * time.Second
	// maxPass is how long a pass may last. What an older one has read is out of date.
	maxPass = 24 * time.Hour
)

func newOwner() string { return rand.Text() }

// acquire takes the lease, and begins a pass or continues the unfinished one.
func (w *run) acquire(ctx context.Context) error {
	revision, p, err := w.storedPass(ctx)
	if err != nil {
		return err
	}
	now := w.options.Now().UTC()
	if p.Owner != "" && p.Owner != w.options.Owner && now.Before(p.Until) {
		return fmt.Errorf("%s: %w until %s or longer", w.host, ErrRunning, p.Until.Format(time.RFC3339))
	}
	tooOld := now.Sub(p.Started) > maxPass // also if no pass has begun
	tooLittle := w.options.Full && !p.Full
	if tooOld || tooLittle {
		p = pass{Started: now, Full: w.options.Full}
	}
	w.report.Resumed = !tooOld && !tooLittle
	p.Force = p.Force || w.options.Force
	p.revision = revision
	w.pass = p
	return w.save(ctx, w.options.Owner)
}

// save stores the pass with a lease of owner, or without a lease if owner is empty. Only
// one goroutine may call it at a time.
func (w *run) save(ctx context.Context, owner string) error {
	w.mu.Lock()
	p := &w.pass
	now := w.options.Now().UTC()
	p.Owner, p.Until, p.saved = owner, now.Add(lease), now
	if owner == "" {
		p.Until = time.Time{}
	}
	if w.behind > 0 && !p.Started.IsZero() {
		p.After = w.names[w.behind-1]
	}
	value, err := json.Marshal(p)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	if written, err := w.putPass(ctx, value); err != nil || written {
		return err
	}
	// The answer to the last save may have been lost.
	revision, stored, err := w.storedPass(ctx)
	if err != nil {
		return err
	}
	if stored.Owner == w.options.Owner {
		p.revision = revision
		if written, err := w.putPass(ctx, value); err != nil || written {
			return err
		}
	}
	p.lost = true
	return fmt.Errorf("%s: %w", w.host, ErrRunning)
}

func (w *run) putPass(ctx context.Context, value []byte) (written bool, err error) {
	written, err = w.db.PutState(ctx, w.host, store.State{Key: passKey, Value: value, Revision: w.pass.revision})
	if written {
		w.pass.revision++
	}
	return written, err
}

// storedPass returns the stored pass, with its revision.
func (w *run) storedPass(ctx context.Context) (revision int64, p pass, err error) {
	s, err := w.db.State(ctx, w.host, passKey)
	if err != nil || s.Revision == 0 {
		return 0, pass{}, err
	}
	if err := json.Unmarshal(s.Value, &p); err != nil {
		return 0, pass{}, fmt.Errorf("state %s of %s: %w", passKey, w.host, err)
	}
	return s.Revision, p, nil
}

// finished notes that repository i is done, and renews the lease if saveEvery has passed.
func (w *run) finished(ctx context.Context, i int) error {
	w.mu.Lock()
	w.done[i] = true
	for w.behind < len(w.done) && w.done[w.behind] {
		w.behind++
	}
	due := w.options.Now().Sub(w.pass.saved) >= saveEvery
	w.mu.Unlock()
	if !due || !w.saving.TryLock() {
		return nil
	}
	defer w.saving.Unlock()
	return w.save(ctx, w.options.Owner)
}

// finish ends the pass.
func (p *pass) finish() {
	*p = pass{revision: p.revision, saved: p.saved, lost: p.lost}
}

// release gives up the lease and saves the progress. If another run has taken the lease,
// the pass belongs to that run.
func (w *run) release(ctx context.Context) error {
	if w.pass.lost {
		return nil
	}
	if err := w.save(ctx, ""); !errors.Is(err, ErrRunning) {
		return err
	}
	return nil
}

// skipStuck skips the first repository if it took longer than the whole run, so that the
// next run gets further.
func (w *run) skipStuck() {
	if w.begun && w.behind == 0 {
		w.behind = 1
		w.problem("%s takes longer than a whole run: it is skipped this time", w.names[0])
		w.report.Unsure++
	}
}
