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

// update runs f in a transaction that it may share with others. If another part of that
// transaction fails, f runs again.
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

// usable returns an error if the store is damaged or ctx has ended.
func (db *DB) usable(ctx context.Context) error {
	if damage := db.damage.Load(); damage != nil {
		return *damage
	}
	return ctx.Err()
}

// A write is one caller's part of a transaction.
type write struct {
	run  func(*bbolt.Tx) error
	done bool
	err  error
}

// A queue contains the writes that wait for a transaction. While one transaction is
// written to the disk, others gather here and share the next.
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

// commit carries out writes. One that fails does not fail the others.
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
// damaged, it returns the damage instead. After a panic the caller must hold writing, so
// that the file does not change.
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

// A panicked is the error of a transaction that panicked.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// try returns a panic of run as an error. That includes a read of unmapped memory, which
// bbolt may try in a damaged file.
func try(run func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	return run()
}
