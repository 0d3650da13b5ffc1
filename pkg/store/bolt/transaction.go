package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"go.etcd.io/bbolt"
)

// view runs f in a transaction that changes nothing.
func (db *DB) view(ctx context.Context, f func(*bbolt.Tx) error) error {
	if err := db.usable(ctx); err != nil {
		return err
	}
	err := try(func() error { return db.bolt.View(f) })
	if _, ok := errors.AsType[*panicked](err); ok {
		db.writing.Lock()
		defer db.writing.Unlock()
	}
	return db.explain(err)
}

// update runs f in a transaction that it may share with others. If another one
// fails, f runs again.
func (db *DB) update(ctx context.Context, f func(*bbolt.Tx) error) error {
	if err := db.usable(ctx); err != nil {
		return err
	}
	w := &write{run: f}
	db.queue.add(w)
	db.writing.Lock()
	defer db.writing.Unlock()
	if !w.done {
		db.commit(db.queue.take())
	}
	return w.err
}

// usable returns an error if a transaction need not begin.
func (db *DB) usable(ctx context.Context) error {
	if damage := db.damage.Load(); damage != nil {
		return *damage
	}
	return ctx.Err()
}

// A write is the part of a transaction that one caller of update has.
type write struct {
	run  func(*bbolt.Tx) error
	done bool
	err  error
}

// A queue has writes that wait for a transaction. While one of them is written to the
// disk, others gather, and share the next.
type queue struct {
	mu     sync.Mutex
	writes []*write
}

func (q *queue) add(w *write) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writes = append(q.writes, w)
}

// take returns all writes and empties q.
func (q *queue) take() []*write {
	q.mu.Lock()
	defer q.mu.Unlock()
	writes := q.writes
	q.writes = nil
	return writes
}

// commit carries out writes. If one of them fails, it fails alone.
func (db *DB) commit(writes []*write) {
	err := db.runAll(writes...)
	for _, w := range writes {
		if err != nil && len(writes) > 1 {
			w.err = db.runAll(w)
		} else {
			w.err = err
		}
		w.done = true
	}
}

// runAll runs writes in one transaction.
func (db *DB) runAll(writes ...*write) error {
	if damage := db.damage.Load(); damage != nil {
		return *damage // found while they waited
	}
	return db.explain(try(func() error {
		return db.bolt.Update(func(tx *bbolt.Tx) error {
			for _, w := range writes {
				if err := w.run(tx); err != nil {
					return err
				}
			}
			return nil
		})
	}))
}

// explain returns err, the error of a transaction. If that is a panic and the file is
// damaged, it returns the damage. Whoever calls it holds writing, if it is a panic, so
// that the file stays as it is.
func (db *DB) explain(err error) error {
	if _, ok := errors.AsType[*panicked](err); !ok {
		return err
	}
	what := check(db.file)
	if what == nil {
		return err
	}
	found := fmt.Errorf("%s: %w", db.file.Name(), what)
	if db.damage.CompareAndSwap(nil, &found) {
		db.damaged <- found
	}
	return found
}

// A panicked is the error of a transaction in which the code panicked.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// try returns a panic of run as an error, also one for reading memory that is not
// there, as bbolt may in a damaged file.
func try(run func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	return run()
}
