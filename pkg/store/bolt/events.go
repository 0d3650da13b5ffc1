package bolt

import (
	"context"
	"fmt"
	"iter"
	"math"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Events implements store.Exporter. Deletes come first: a store that gets the events in
// this order never shows what is deleted.
func (db *DB) Events(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, part := range []iter.Seq2[event.Event, error]{
			rows(ctx, db, tombstones, nil, deleteRow),
			rows(ctx, db, members, nil, membershipRow),
			rows(ctx, db, references, nil, pushRow),
		} {
			for e, err := range part {
				if err != nil {
					yield(event.Event{}, fmt.Errorf("read all events: %w", err))
					return
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// isCopy reports whether a register is the second copy of an event. A register without a
// given name is also in the partition of its registry.
func isCopy(partition, givenName string) bool {
	return givenName == "" && store.NameOf(partition).Registry == ""
}

func deleteRow(k, v []byte) (event.Event, bool, error) {
	d, err := decodeTombstone(k, v)
	partition, _ := splitKey(k)
	return event.Event{Delete: &d}, !isCopy(partition, d.GivenName), err
}

func pushRow(k, v []byte) (event.Event, bool, error) {
	r, err := decodeRecord(k, v)
	partition, _ := splitKey(k)
	return event.Event{Push: &r.push}, !isCopy(partition, r.push.GivenName), err
}

func membershipRow(k, v []byte) (event.Event, bool, error) {
	m, err := decodeMember(k, v)
	return event.Event{Membership: &m}, true, err
}

// History implements store.Reconciler.
func (db *DB) History(ctx context.Context, registry, repository string) (store.History, error) {
	name := reference.Name{Registry: registry, Repository: repository}
	h := store.History{Pushes: map[string]event.Push{}, Deletes: map[event.Target]event.Delete{}}
	err := db.view(ctx, func(tx *bbolt.Tx) error {
		prefix := key(store.Partition(name), "")
		pushes, _, err := readPage(tx.Bucket(references).Cursor(), prefix, prefix, math.MaxInt, pushRow)
		if err != nil {
			return err
		}
		for _, e := range pushes {
			h.Pushes[e.Push.Reference.Tag] = *e.Push
		}
		deletes, _, err := readPage(tx.Bucket(tombstones).Cursor(), prefix, prefix, math.MaxInt, deleteRow)
		for _, e := range deletes {
			h.Deletes[e.Delete.Target] = *e.Delete
		}
		return err
	})
	if err != nil {
		return store.History{}, fmt.Errorf("read the history of %s: %w", name, err)
	}
	return h, nil
}
