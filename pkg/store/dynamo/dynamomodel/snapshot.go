package dynamomodel

import (
	"hash/maphash"
	"slices"
)

// A Digest identifies the items of a table within one process. Tables with the same items
// have the same digest. Tables with different items almost never do: it has 128 bits.
type Digest [2]uint64

var seeds = [len(Digest{})]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// digestOf returns the digest of an item. It is computed once.
func digestOf(it *item) Digest {
	if d := it.digest.Load(); d != nil {
		return *d
	}
	text := it.text()
	var d Digest
	for i, seed := range seeds {
		d[i] = maphash.String(seed, text)
	}
	it.digest.Store(&d)
	return d
}

// A Snapshot is the state of a table at one time.
type Snapshot struct{ state state }

// Snapshot returns the current items and stream. Its cost does not depend on the number
// of items.
func (t *Table) Snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Snapshot{t.state.copy()}
}

// Digest returns the digest of the items. It takes some nanoseconds for each.
func (s Snapshot) Digest() (d Digest) {
	s.state.items.root.ascend(func(position) int { return 0 }, func(n *treeNode) bool {
		for i, part := range digestOf(n.item) {
			d[i] += part // the order does not matter
		}
		return true
	})
	return d
}

// Records returns the number of records in the stream.
func (s Snapshot) Records() int { return s.state.last.count() }

// copy returns a state that later writes to s do not change.
func (s state) copy() state {
	s.indexes = slices.Clone(s.indexes)
	return s
}

// Restore brings back the items and the stream of a snapshot, which may come from another
// table with the same schema. Units and hooks do not change. Restoring an empty table is
// faster than New, since the table keeps its parsed expressions.
func (t *Table) Restore(s Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = s.state.copy()
}

// Clone returns an independent table with the same items and stream. It has t's time, and
// no hooks.
func (t *Table) Clone() *Table {
	c := &Table{Now: t.Now, name: t.name, keys: t.keys, indexes: t.indexes, expressions: t.expressions, tieOf: t.tieOf, units: map[string]Units{}}
	c.Restore(t.Snapshot())
	return c
}
