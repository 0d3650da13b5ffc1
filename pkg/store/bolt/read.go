package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Pick implements store.Reader.
func (db *DB) Pick(ctx context.Context, q store.Query) (p event.Push, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		p, err = pick(ctx, tx, q)
		return err
	})
	if err != nil {
		return event.Push{}, fmt.Errorf("pick %s: %w", q.Name, err)
	}
	return p, nil
}

func pick(ctx context.Context, tx *bbolt.Tx, q store.Query) (event.Push, error) {
	refs := descending(tx, q.Order, q.Name, "")
	for range store.MaxScan {
		if err := ctx.Err(); err != nil { // Match may take longer than a caller waits
			return event.Push{}, err
		}
		p, ok, err := refs.next()
		if err != nil {
			return event.Push{}, err
		}
		if !ok {
			break
		}
		if q.Match == nil || q.Match(p.Reference.Tag) {
			return p, nil
		}
	}
	return event.Push{}, store.ErrNotFound
}

// first returns the first reference of a name in an order, or ErrNotFound.
func first(tx *bbolt.Tx, name reference.Name, order store.Order) (event.Push, error) {
	p, ok, err := descending(tx, order, name, "").next()
	if err == nil && !ok {
		err = store.ErrNotFound
	}
	return p, err
}

// PushedAt implements store.Writer.
func (db *DB) PushedAt(ctx context.Context, t event.Target) (pushedAt time.Time, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		ref := reference.Reference{Registry: t.Registry, Repository: t.Repository, Tag: t.Tag}
		r, err := getRecord(tx, store.Partition(t.ListedAs()), ref.String())
		pushedAt = r.push.PushedAt
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("read when %s was pushed: %w", t, err)
	}
	return pushedAt, nil
}

// References implements store.Reader.
func (db *DB) References(ctx context.Context, name reference.Name, s store.Span) (page store.Page[event.Push], err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		refs := descending(tx, store.ByPushed, name, s.After)
		for {
			p, ok, err := refs.next()
			if err != nil || !ok {
				return err
			}
			if len(page.Items) == s.Limit {
				page.Next = store.KeysOf(page.Items[s.Limit-1])[store.ByPushed]
				return nil
			}
			page.Items = append(page.Items, p)
		}
	})
	if err != nil {
		return store.Page[event.Push]{}, fmt.Errorf("list references of %s: %w", name, err)
	}
	return page, nil
}

// walk visits the references of a partition in the order of an index, from the
// greatest key down.
type walk struct {
	tx        *bbolt.Tx
	partition string
	cursor    *bbolt.Cursor
	before    []byte // the key below which it begins; nil once it has begun
}

// descending begins a walk below the sort key before, or with the greatest key if
// before is empty.
func descending(tx *bbolt.Tx, order store.Order, name reference.Name, before string) *walk {
	partition := store.Partition(name)
	bound := []byte(partition + "\x01") // greater than every key of the partition
	if before != "" {
		bound = key(partition, before)
	}
	return &walk{tx, partition, indexOf(tx, order).Cursor(), bound}
}

// next returns the next reference; ok is false after the last one.
func (w *walk) next() (p event.Push, ok bool, err error) {
	k, ref := w.move()
	if !bytes.HasPrefix(k, key(w.partition, "")) {
		return event.Push{}, false, nil
	}
	r, err := getRecord(w.tx, w.partition, string(ref))
	if err != nil {
		return event.Push{}, false, err
	}
	if !r.isLive() {
		return event.Push{}, false, fmt.Errorf("index key %q belongs to a reference that is not live", k)
	}
	return r.push, true, nil
}

func (w *walk) move() (k, v []byte) {
	if w.before == nil {
		return w.cursor.Prev()
	}
	k, _ = w.cursor.Seek(w.before)
	w.before = nil
	if k == nil { // all keys are less
		return w.cursor.Last()
	}
	return w.cursor.Prev()
}
