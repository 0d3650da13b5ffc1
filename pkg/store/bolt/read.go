package bolt

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Pick implements store.Reader.
func (db *DB) Pick(ctx context.Context, q store.Query) (p event.Push, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		p, err = scanner(tx).Pick(ctx, q)
		return err
	})
	if err != nil {
		return event.Push{}, fmt.Errorf("pick %s: %w", q.Name, err)
	}
	return p, nil
}

// Versioned implements store.Reader.
func (db *DB) Versioned(ctx context.Context, name reference.Name, p event.Push) (best event.Push, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		best, err = scanner(tx).Versioned(ctx, name, p)
		return err
	})
	if err != nil {
		return event.Push{}, fmt.Errorf("find the version of %s in %s: %w", p.Reference, name, err)
	}
	return best, nil
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
func (db *DB) References(ctx context.Context, name reference.Name, match func(tag string) bool, s store.Span) (page store.Page[event.Push], err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		page, err = scanner(tx).References(ctx, name, match, s)
		return err
	})
	if err != nil {
		return store.Page[event.Push]{}, fmt.Errorf("list references of %s: %w", name, err)
	}
	return page, nil
}

// scanner reads references in tx.
func scanner(tx *bbolt.Tx) store.Scanner {
	return func(ctx context.Context, s store.Scan) iter.Seq2[event.Push, error] {
		return func(yield func(event.Push, error) bool) {
			for ref := range refsOf(tx, s) {
				p, err := livePush(tx, store.Partition(s.Name), ref)
				if err == nil {
					err = ctx.Err()
				}
				if !yield(p, err) || err != nil {
					return
				}
			}
		}
	}
}

// refsOf yields the references of a scan as texts.
func refsOf(tx *bbolt.Tx, s store.Scan) iter.Seq[string] {
	return func(yield func(string) bool) {
		partition := store.Partition(s.Name)
		prefix := key(partition, s.Prefix)
		end := key(partition, s.Prefix+afterAll)
		if s.Below != "" {
			end = key(partition, s.Below)
		}
		cursor := indexOf(tx, s.Order).Cursor()
		for k, ref := lastBelow(cursor, end); bytes.HasPrefix(k, prefix); k, ref = cursor.Prev() {
			if !yield(string(ref)) {
				return
			}
		}
	}
}

// lastBelow moves a cursor to the last key below end.
func lastBelow(cursor *bbolt.Cursor, end []byte) (k, v []byte) {
	if k, _ = cursor.Seek(end); k == nil { // all keys are less
		return cursor.Last()
	}
	return cursor.Prev()
}

// livePush returns the push of a reference that is in an index.
func livePush(tx *bbolt.Tx, partition, ref string) (event.Push, error) {
	r, err := getRecord(tx, partition, ref)
	if err != nil {
		return event.Push{}, err
	}
	if !r.isLive() {
		return event.Push{}, fmt.Errorf("an index has %q of %s, which is not live", ref, partition)
	}
	return r.push, nil
}
