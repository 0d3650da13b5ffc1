package dynamomodel

import (
	"hash/maphash"
	"slices"
)

// A Digest tells items of a table from others: two tables with the same items have
// the same digest, in one process. With other items they hardly ever have: it has
// 128 bits.
type Digest [2]uint64

var seeds = [len(Digest{})]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// digestOf returns the digest of an item, which it computes once.
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

// Snapshot returns the items and the stream as they are. It costs the same for any
// number of items.
func (t *Table) Snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Snapshot{t.state.copy()}
}

// Digest returns the digest of the items. It costs some nanoseconds for each.
func (s Snapshot) Digest() (d Digest) {
	s.state.items.root.ascend(func(position) int { return 0 }, func(n *treeNode) bool {
		for i, part := range digestOf(n.item) {
			d[i] += part // in whatever order
		}
		return true
	})
	return d
}

// Records returns how many records the stream has.
func (s Snapshot) Records() int { return s.state.last.count() }

// copy returns a state that later writes to s do not change.
func (s state) copy() state {
	s.indexes = slices.Clone(s.indexes)
	return s
}

// Restore brings back the items and the stream of a snapshot, which may be that of
// a table with the same schema. Units and hooks stay as they are. To go back to an
// empty table is quicker than New, since the table keeps the expressions it parsed.
func (t *Table) Restore(s Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = s.state.copy()
}

// Clone returns a table of its own with the same items and stream. It has the time
// of t, and no hook.
func (t *Table) Clone() *Table {
	c := &Table{Now: t.Now, name: t.name, keys: t.keys, indexes: t.indexes, expressions: t.expressions, tieOf: t.tieOf, units: map[string]Units{}}
	c.Restore(t.Snapshot())
	return c
}
