package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A Change is the key of an item that was written, as in a record of the table's stream.
type Change struct{ Partition, Key string }

// UnmarshalJSON reads an item's keys in the stream's format.
func (c *Change) UnmarshalJSON(b []byte) error {
	var keys map[string]struct{ S string }
	if err := json.Unmarshal(b, &keys); err != nil {
		return err
	}
	c.Partition, c.Key = keys[attrName].S, keys[attrKey].S
	if c.Partition == "" || c.Key == "" {
		return fmt.Errorf("keys of a record: %s lacks %s or %s", b, attrName, attrKey)
	}
	return nil
}

// isTombstone reports whether c is the key of a tombstone. Otherwise it is that of a
// reference.
func (c Change) isTombstone() bool { return strings.HasPrefix(c.Key, tombstonePrefix) }

// A work is what a change requires. Both copies of a push require the same work. Each
// tombstone of a delete requires work in its own partition.
type work struct {
	listed    reference.Name // the name whose catalogue entry depends on the item
	key       string         // of a reference or a tombstone
	partition string         // of a tombstone
}

// workOf returns what c requires; ok is false if nothing depends on its item.
func workOf(c Change) (w work, ok bool) {
	w = work{listed: reference.Name{Repository: store.NameOf(c.Partition).Repository}, key: c.Key}
	if c.isTombstone() {
		w.partition = c.Partition
	}
	return w, !strings.HasPrefix(c.Partition, ownPrefix)
}

// Derive updates what depends on changed items: the copy of a push under its other name,
// the rest of a delete, and the catalogue entry. It returns an error for each change, nil
// if the change is done.
//
// A stream delivers each change at least once, late, and in any order. So a change only
// tells Derive where to look. Derive uses consistent reads and conditional writes only.
// The writer of an item may have stopped at any point after that write: once Derive has
// seen the change, all answers agree.
//
// A reference and its copy cost 8 read units. Each tombstone costs 2, and the query for
// the references that it covers. An entry costs 3 to 4 read units and 2 to 3 write units.
func (db *DB) Derive(ctx context.Context, changes []Change) []error {
	// Changes that require the same work share a task.
	items := map[work]*task{}
	entries := map[reference.Name]*task{}
	for _, c := range changes {
		w, ok := workOf(c)
		if !ok {
			continue
		}
		items[w] = &task{do: func(ctx context.Context) error { return db.complete(ctx, c) }}
		entries[w.listed] = &task{do: func(ctx context.Context) error { return db.refreshEntry(ctx, w.listed) }}
	}
	// An entry is computed from the references, so it is refreshed after them.
	db.runAll(ctx, maps.Values(items))
	db.runAll(ctx, maps.Values(entries))
	errs := make([]error, len(changes))
	for i, c := range changes {
		w, ok := workOf(c)
		if !ok {
			continue
		}
		if err := errors.Join(items[w].err, entries[w.listed].err); err != nil {
			errs[i] = fmt.Errorf("derive from %s of %s: %w", c.Key, c.Partition, err)
		}
	}
	return errs
}

// deriveNow does what the views function would do after an item was written under names.
func (db *DB) deriveNow(ctx context.Context, names []reference.Name, key string) error {
	var changes []Change
	for _, partition := range partitionsOf(names) {
		changes = append(changes, Change{partition, key})
	}
	return errors.Join(db.Derive(ctx, changes)...)
}

// A task is a part of Derive's work, with its outcome.
type task struct {
	do  func(context.Context) error
	err error
}

// runAll runs tasks in parallel. A failed task does not stop the others.
func (db *DB) runAll(ctx context.Context, tasks iter.Seq[*task]) {
	var group errgroup.Group
	group.SetLimit(db.parallel)
	for t := range tasks {
		group.Go(func() error {
			t.err = t.do(ctx)
			return nil
		})
	}
	_ = group.Wait() // the errors are in the tasks
}

// complete completes the event that wrote the item of c.
func (db *DB) complete(ctx context.Context, c Change) error {
	if c.isTombstone() {
		return db.completeDelete(ctx, c)
	}
	return db.completePush(ctx, c)
}

// completePush writes the newest push of a reference under each of its names that lacks
// it, and marks the copies that a tombstone covers.
func (db *DB) completePush(ctx context.Context, c Change) error {
	r, ok := reference.Split(c.Key)
	if !ok {
		return fmt.Errorf("%q is not a reference", c.Key)
	}
	partitions := partitionsOf(event.Push{Reference: r, GivenName: store.GivenNameIn(c.Partition, r)}.Names())
	items, newest, err := db.newestOf(ctx, partitions, c.Key)
	if err != nil || newest == nil {
		return err
	}
	p, err := unmarshalPush(newest)
	if err != nil {
		return err
	}
	// The mark of a deleted reference is copied too, since its tombstone may be gone by
	// now.
	item := asDerived(newest)
	copies := make([]copyOf, len(partitions))
	for i, partition := range partitions {
		if text(items[partition], attrRank) == text(newest, attrRank) {
			copies[i], err = unmarshalCopy(items[partition])
		} else {
			copies[i], err = db.putCopy(ctx, partition, p, item)
		}
		if err != nil {
			return err
		}
	}
	return db.markCovered(ctx, copies)
}

// completeDelete writes the newest tombstone of a target under each of its names that
// lacks it, and marks the references that it covers. It marks them in the partition of
// the change, and in partitions whose tombstone Derive wrote, since those have no change
// of their own. If it marked the others too, two changes handled at the same time would
// mark each reference twice.
func (db *DB) completeDelete(ctx context.Context, c Change) error {
	target, err := targetOf(c.Partition, c.Key)
	if err != nil {
		return err
	}
	partitions := partitionsOf(target.Names())
	items, newest, err := db.newestOf(ctx, partitions, c.Key)
	if err != nil || newest == nil {
		return err
	}
	d, err := unmarshalTombstone(newest)
	if err != nil {
		return err
	}
	for _, item := range items {
		other, err := unmarshalTombstone(item)
		if err != nil {
			return err
		}
		if other.ReceivedAt.After(d.ReceivedAt) {
			d.ReceivedAt = other.ReceivedAt
		}
	}
	tombstone := asDerived(marshalTombstone(d))
	var lacking, marked []string
	for _, partition := range partitions {
		item := items[partition]
		lacks := text(item, attrRank) != text(tombstone, attrRank) || text(item, attrReceivedAt) != text(tombstone, attrReceivedAt)
		if lacks {
			lacking = append(lacking, partition)
		}
		if lacks || item[attrDerived] != nil || partition == c.Partition {
			marked = append(marked, partition)
		}
	}
	if err := db.putTombstones(ctx, lacking, tombstone); err != nil {
		return err
	}
	return db.markAll(ctx, marked, d, func(string) {})
}

// newestOf reads a register in all partitions of its names. newest is the item with the
// greatest rank, or nil if all have expired.
func (db *DB) newestOf(ctx context.Context, partitions []string, key string) (items map[string]attributes, newest attributes, err error) {
	var keys []attributes
	for _, partition := range partitions {
		keys = append(keys, keyOf(partition, key))
	}
	found, err := db.batchGet(ctx, keys, true)
	if err != nil {
		return nil, nil, err
	}
	items = map[string]attributes{}
	for _, item := range found {
		items[text(item, attrName)] = item
		if newest == nil || text(item, attrRank) > text(newest, attrRank) {
			newest = item
		}
	}
	return items, newest, nil
}
