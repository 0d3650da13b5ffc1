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
// once would do no harm but ask everything twice.
var ErrRunning = errors.New("another run is reading the registry")

// A pass is one walk over all repositories. It takes one run, or several where a run's
// time is limited. It is stored, and so is the lease of the run that is at it.
type pass struct {
	Started time.Time `json:"started,omitzero"` // zero: none is under way
	After   string    `json:"after,omitempty"`  // the repositories up to this one are done
	Full    bool      `json:"full,omitempty"`   // see Options
	Force   bool      `json:"force,omitempty"`  // see Options
	Owner   string    `json:"owner,omitempty"`  // of the lease
	Until   time.Time `json:"expires,omitzero"` // the lease's end

	revision int64
	saved    time.Time
	lost     bool // another run has the lease
}

const (
	// passKey is the key of the stored pass. No repository begins with #.
	passKey = "#run"
	// lease is how long a run that died keeps others away.
	lease = 5 * time.Minute
	// saveEvery is how often a run renews its lease, and notes how far it is.
	saveEvery = 30 * time.Second
	// maxPass is how long a pass may take. What was read in an older one says little.
	maxPass = 24 * time.Hour
)

func newOwner() string { return rand.Text() }

// acquire takes the lease, and begins a pass or goes on with the one under way.
func (w *run) acquire(ctx context.Context) error {
	revision, p, err := w.storedPass(ctx)
	if err != nil {
		return err
	}
	now := w.options.Now().UTC()
	if p.Owner != "" && p.Owner != w.options.Owner && now.Before(p.Until) {
		return fmt.Errorf("%s: %w until %s or longer", w.host, ErrRunning, p.Until.Format(time.RFC3339))
	}
	tooOld := now.Sub(p.Started) > maxPass // also where none is under way
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

// save stores the pass with a lease of owner, or of nobody if that is empty. Only one
// goroutine may be at it.
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
	// The answer to the last save may have got lost.
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

// storedPass returns the pass as it is stored, with its revision.
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

// finished notes that the repository number i is done, and renews the lease if it is
// time to.
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

// release gives the lease back, and notes how far the run is. If another run has taken
// the lease, the pass is that one's.
func (w *run) release(ctx context.Context) error {
	if w.pass.lost {
		return nil
	}
	if err := w.save(ctx, ""); !errors.Is(err, ErrRunning) {
		return err
	}
	return nil
}

// skipStuck leaves out the first repository if it alone took longer than the run had,
// so that the next run comes further.
func (w *run) skipStuck() {
	if w.begun && w.behind == 0 {
		w.behind = 1
		w.problem("%s takes longer than a run has: it is left out this time", w.names[0])
		w.report.Unsure++
	}
}
