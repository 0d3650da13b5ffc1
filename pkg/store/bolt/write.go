package bolt

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Push implements store.Writer.
func (db *DB) Push(ctx context.Context, p event.Push) error {
	if err := db.pushAll(ctx, p); err != nil {
		return fmt.Errorf("push %s: %w", p.Reference, err)
	}
	return nil
}

// PushAll implements store.Importer, in one transaction.
func (db *DB) PushAll(ctx context.Context, pushes []event.Push) error {
	if err := db.pushAll(ctx, pushes...); err != nil {
		return fmt.Errorf("push %d references: %w", len(pushes), err)
	}
	return nil
}

func (db *DB) pushAll(ctx context.Context, pushes ...event.Push) error {
	return db.update(ctx, func(tx *bbolt.Tx) error {
		listed := map[reference.Name]bool{}
		for _, p := range pushes {
			for _, name := range p.Names() {
				if err := pushUnder(tx, store.Partition(name), p); err != nil {
					return err
				}
			}
			listed[p.ListedAs()] = true
		}
		for name := range listed {
			if err := refreshEntry(tx, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func pushUnder(tx *bbolt.Tx, partition string, p event.Push) error {
	old, err := getRecord(tx, partition, p.Reference.String())
	if err != nil {
		return err
	}
	if p.Rank() <= old.Rank {
		return nil
	}
	if old.isLive() {
		if err := unindex(tx, partition, old.push); err != nil {
			return err
		}
	}
	covered, err := isCovered(tx, partition, p)
	if err != nil {
		return err
	}
	if !covered {
		if err := index(tx, partition, p); err != nil {
			return err
		}
	}
	return putRecord(tx, partition, p, covered)
}

// isCovered reports whether a tombstone covers p.
func isCovered(tx *bbolt.Tx, partition string, p event.Push) (bool, error) {
	for _, target := range p.Targets() {
		d, found, err := getTombstone(tx, partition, target)
		if err != nil {
			return false, err
		}
		if found && d.Covers(p) {
			return true, nil
		}
	}
	return false, nil
}

// Delete implements store.Writer.
func (db *DB) Delete(ctx context.Context, d event.Delete) (store.Deleted, error) {
	var deleted store.Deleted
	err := db.update(ctx, func(tx *bbolt.Tx) (err error) {
		for _, name := range d.Names() {
			// Both partitions hold the same references, so the count of one is the total.
			if deleted.References, err = deleteUnder(tx, store.Partition(name), d); err != nil {
				return err
			}
		}
		return refreshEntry(tx, d.ListedAs())
	})
	if err != nil {
		return store.Deleted{}, fmt.Errorf("delete %s: %w", d.Target, err)
	}
	return deleted, nil
}

// deleteUnder stores d and returns how many references it removed.
func deleteUnder(tx *bbolt.Tx, partition string, d event.Delete) (int, error) {
	if err := putTombstone(tx, partition, d); err != nil {
		return 0, err
	}
	covered, err := coveredBy(tx, partition, d)
	if err != nil {
		return 0, err
	}
	for _, p := range covered {
		if err := unindex(tx, partition, p); err != nil {
			return 0, err
		}
		if err := putRecord(tx, partition, p, true); err != nil {
			return 0, err
		}
	}
	return len(covered), nil
}

// coveredBy returns the live references that d covers. It reads only the references with
// d's digest, or those that begin with d's tag, or else the whole repository.
func coveredBy(tx *bbolt.Tx, partition string, d event.Delete) (covered []event.Push, err error) {
	if d.Digest != "" {
		return digestCoveredBy(tx, partition, d)
	}
	first := reference.Reference{Registry: d.Registry, Repository: d.Repository, Tag: d.Tag}
	prefix := key(partition, first.String())
	cursor := tx.Bucket(references).Cursor()
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		r, err := decodeRecord(k, v)
		if err != nil {
			return nil, err
		}
		if r.isLive() && d.Covers(r.push) {
			covered = append(covered, r.push)
		}
	}
	return covered, nil
}

// digestCoveredBy is coveredBy for the delete of a digest.
func digestCoveredBy(tx *bbolt.Tx, partition string, d event.Delete) (covered []event.Push, err error) {
	scan := store.Scan{Name: store.NameOf(partition), Order: store.ByDigest, Prefix: store.DigestPrefix(d.Target)}
	for ref := range refsOf(tx, scan) {
		p, err := livePush(tx, partition, ref)
		if err != nil {
			return nil, err
		}
		if d.Covers(p) {
			covered = append(covered, p)
		}
	}
	return covered, nil
}

// index adds a reference to each index that it has a key for.
func index(tx *bbolt.Tx, partition string, p event.Push) error {
	return eachKey(p, func(order store.Order, sortKey string) error {
		return indexOf(tx, order).Put(key(partition, sortKey), []byte(p.Reference.String()))
	})
}

func unindex(tx *bbolt.Tx, partition string, p event.Push) error {
	return eachKey(p, func(order store.Order, sortKey string) error {
		return indexOf(tx, order).Delete(key(partition, sortKey))
	})
}

func eachKey(p event.Push, do func(order store.Order, sortKey string) error) error {
	keys := store.KeysOf(p)
	for _, order := range store.Indexes {
		if keys[order] == "" {
			continue
		}
		if err := do(order, keys[order]); err != nil {
			return err
		}
	}
	return nil
}
