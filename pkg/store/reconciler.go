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
	// PushAll stores each of pushes as Push does, in any order. It costs less the more
	// of them are of one repository, whose catalogue entry it computes once. pushes may
	// be of many, and several of one reference. How many they may be is limited by
	// memory alone; one transaction has all, where a backend has any.
	PushAll(ctx context.Context, pushes []event.Push) error
}

// An Exporter hands out what is stored.
type Exporter interface {
	// Events yields the newest event of each register that is stored: pushes, live or
	// not, deletes of which a tombstone is left, and memberships, removed ones, too. The
	// same events make an equal store of any other. Each comes once, in no order that a
	// caller may rely on, and none after an error. Of what is written meanwhile any part
	// may be missing. It holds some thousand events in memory at most. The loop may
	// write to the store.
	//
	// Where a backend has dropped the tombstone of a reference that is deleted, a delete
	// of its tag at the time of its push takes the tombstone's place.
	Events(ctx context.Context) iter.Seq2[event.Event, error]
}

// A Reconciler is what a comparison with a registry needs to read and write, besides
// the catalogue, from which a Reader lists the repositories: those of a registry are
// among all, since an entry tells only the registry of its newest reference.
type Reconciler interface {
	Importer
	// History returns what is known of a registry's repository. References that were
	// recorded under a given name, and their deletes, are none of it. It may be behind by
	// a second: what was concluded from it must be right to write even so.
	History(ctx context.Context, registry, repository string) (History, error)
	// State returns the state of a registry that is stored under a key, with a Revision
	// of 0 and no Value if there is none.
	State(ctx context.Context, registry, key string) (State, error)
	// PutState replaces a state that is stored with s.Revision, or adds it if that is 0,
	// and counts the revision up by one. Otherwise it changes nothing and reports that s
	// was not written, unless just this Value with the next Revision is stored, as after
	// a call whose answer got lost.
	PutState(ctx context.Context, registry string, s State) (written bool, err error)
	// States yields all states of a registry in the order of their keys, and none after
	// an error. It may be behind by a second; PutState tells. The loop may write to the
	// store.
	States(ctx context.Context, registry string) iter.Seq2[State, error]
}

// A State is a note that a reconciler makes about a registry, such as what it saw of a
// repository last. It says nothing about references and is no event.
type State struct {
	Key      string // printable ASCII, 1 to 1,024 bytes
	Value    []byte // at most 300 KB
	Revision int64  // how often it was written
}

// A History is what is known of a registry's repository. A push in it is live unless
// one of its deletes covers it.
type History struct {
	Pushes  map[string]event.Push         // by tag: the newest of each reference, live or not
	Deletes map[event.Target]event.Delete // the newest of each target, while its tombstone is kept
}

// LastDelete returns the time of the newest delete whose target has p's reference, or
// the zero time if there is none. p need not be in h.
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

// IsCovered reports whether one of deletes, each under its target, covers p.
func IsCovered(p event.Push, deletes map[event.Target]event.Delete) bool {
	for _, target := range p.Targets() {
		if d, ok := deletes[target]; ok && d.Covers(p) {
			return true
		}
	}
	return false
}
