package store

import (
	"context"
	"iter"
	"time"

	"ocireffer/pkg/event"
)

// An Importer stores many events.
type Importer interface {
	Writer
	// PushAll stores each of pushes as Push does, in any order. The more of them belong
	// to one repository, the less each costs, because its catalogue entry is computed
	// once. pushes may contain several of one reference. Only memory limits their number.
	// A backend with transactions stores all in one.
	PushAll(ctx context.Context, pushes []event.Push) error
}

// An Exporter hands out what is stored.
type Exporter interface {
	// Events yields the newest event of each stored register: pushes, live or not;
	// deletes whose tombstone is still kept; and memberships, also removed ones. Storing
	// these events in an empty store makes an equal one. Each comes once, in no
	// particular order, and none after an error. Events that are written meanwhile may be
	// missing. It holds a few thousand events in memory at most. The loop may write to
	// the store.
	//
	// If a backend has dropped the tombstone of a deleted reference, Events yields a
	// delete of its tag at the time of its push instead.
	Events(ctx context.Context) iter.Seq2[event.Event, error]
}

// A Reconciler is what a comparison with a registry reads and writes, besides the
// catalogue. A Reader lists the catalogue. All its names must be considered, since an
// entry tells only the registry of its newest reference.
type Reconciler interface {
	Importer
	// History returns what is known of a registry's repository. It leaves out references
	// that were recorded under a given name, and their deletes. It may be a second old:
	// what the caller concludes from it must be right to write even then.
	History(ctx context.Context, registry, repository string) (History, error)
	// State returns the state of a registry under a key. If there is none, its Revision
	// is 0 and it has no Value.
	State(ctx context.Context, registry, key string) (State, error)
	// PutState writes s if the stored state has s.Revision, or if there is none and
	// s.Revision is 0. The stored revision is then one higher. Otherwise it changes
	// nothing and returns false. It returns true if this Value is already stored with the
	// next Revision, as after a call whose answer got lost.
	PutState(ctx context.Context, registry string, s State) (written bool, err error)
	// States yields all states of a registry in the order of their keys, and none after
	// an error. They may be a second old, in which case PutState refuses the write. The
	// loop may write to the store.
	States(ctx context.Context, registry string) iter.Seq2[State, error]
}

// A State is a note that a reconciler keeps about a registry, such as when it last saw a
// repository. It says nothing about references and is no event.
type State struct {
	Key      string // printable ASCII, 1 to 1,024 bytes
	Value    []byte // at most 300 KB
	Revision int64  // how many times it was written
}

// A History is what is known of a registry's repository. A push in it is live unless
// one of its deletes covers it.
type History struct {
	Pushes  map[string]event.Push         // by tag: the newest of each reference, live or not
	Deletes map[event.Target]event.Delete // the newest of each target whose tombstone is kept
}

// LastDelete returns the time of the newest delete whose target contains p's reference,
// or the zero time if there is none. p need not be in h.
func (h History) LastDelete(p event.Push) (last time.Time) {
	for _, target := range p.Targets() {
		if d, ok := h.Deletes[target]; ok && d.DeletedAt.After(last) {
			last = d.DeletedAt
		}
	}
	return last
}

// Live reports whether none of h's deletes covers p. p need not be in h.
func (h History) Live(p event.Push) bool { return !IsCovered(p, h.Deletes) }

// IsCovered reports whether one of deletes, which are keyed by target, covers p.
func IsCovered(p event.Push, deletes map[event.Target]event.Delete) bool {
	for _, target := range p.Targets() {
		if d, ok := deletes[target]; ok && d.Covers(p) {
			return true
		}
	}
	return false
}
