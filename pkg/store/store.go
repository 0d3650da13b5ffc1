// Package store is the contract of a backend: it stores events and returns
// references in order. Each backend has a package below this one, and storetest
// checks that it keeps the contract. Package event says what the events mean, and
// which of two is the newer.
package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// A Store is both sides of a backend.
type Store interface {
	Writer
	Reader
}

// A Writer stores events. Calls may come late, twice, in any order and from many
// processes: the same events always end in the same state. Once a method returns
// nil, its change survives a crash. After an error a part of the change may have
// been stored; repeating the call completes it.
type Writer interface {
	// Push stores p. Losing to a newer push of the same reference, or to a delete
	// that covers p, is no error.
	Push(ctx context.Context, p event.Push) error
	// Delete stores d and says what it removed: nothing if d was stored before, or if
	// all that its target has was pushed later.
	Delete(ctx context.Context, d event.Delete) (Deleted, error)
	// Categorize stores m. Losing to a newer membership is no error.
	Categorize(ctx context.Context, m event.Membership) error
	// PushedAt returns when the reference that t, of a tag, has was last pushed, or
	// the zero time if it never was. It sees every push that was stored before, under
	// whichever of its names, also one that is deleted.
	PushedAt(ctx context.Context, t event.Target) (time.Time, error)
}

// Deleted says what a delete has removed.
type Deleted struct {
	References int  // by this call
	More       bool // the backend goes on and removes the rest by itself within a minute
}

// A Reader reads references, the catalogue and categories. A name or a page that
// does not exist is an error only for Pick.
type Reader interface {
	// Pick returns the newest push of the reference that q asks for, or ErrNotFound.
	// Without Match it is one read, whatever the order and the number of
	// references; with Match it reads references in their order, at most MaxScan.
	Pick(ctx context.Context, q Query) (event.Push, error)
	// Repositories lists the catalogue by name. Its cost grows with the repositories
	// that it reads, not with their references.
	Repositories(ctx context.Context, l Listing) (Page[Entry], error)
	// References lists the references of a name, newest first.
	References(ctx context.Context, name reference.Name, s Span) (Page[event.Push], error)
	// Entries returns the entries of names, in their order. A name with no live
	// reference has an entry that is not published.
	Entries(ctx context.Context, names []reference.Name) ([]Entry, error)
	// Members lists the members of a category, or of all if it is empty, by
	// category and name.
	Members(ctx context.Context, category string) ([]event.Member, error)
}

// ErrNotFound says that a name has no live reference, or none that matches.
var ErrNotFound = errors.New("not found")

// TombstoneTTL is the least time for which a backend keeps a tombstone, counted from
// the receipt of the delete, or of the removal from a category. While a tombstone
// exists, late events lose to it.
const TombstoneTTL = 30 * 24 * time.Hour

// A Query asks for one reference of a name.
type Query struct {
	Name  reference.Name
	Order Order
	Match func(tag string) bool // which tags count; nil: all
}

// MaxScan is how many references a Query with Match may read. After that many it
// returns ErrNotFound.
const MaxScan = 1000

// A Span asks for a page of a list.
type Span struct {
	After string // Next of the previous page; empty: the first page
	Limit int    // the most items that the page may have; above 0
}

// A Listing asks for a page of the catalogue.
type Listing struct {
	Span
	Words []string // only names that contain all of these; none: any name
}

// Has reports whether l lists name.
func (l Listing) Has(name string) bool {
	return !slices.ContainsFunc(l.Words, func(word string) bool { return !strings.Contains(name, word) })
}

// A Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Next is the Span.After of the next page; empty on the last page. It names a place
	// in the order, so pages stay right while events arrive. It has at most 1,024
	// bytes of printable ASCII.
	Next string
}

// An Entry is the catalogue's entry for a name.
type Entry struct {
	Name    reference.Name
	Newest  event.Push
	Version string // the highest release, or else the highest prerelease; empty: no tag is a version
}

// Published reports whether the name has a live reference.
func (e Entry) Published() bool { return e.Newest.Reference != (reference.Reference{}) }

// Path returns the name under which a reader finds e's references. It is e's own
// name, except for a repository whose path begins with a registry. That one is found
// in its own registry only.
func (e Entry) Path() reference.Name {
	if n, err := reference.ParseName(e.Name.String()); err == nil && n == e.Name || !e.Published() {
		return e.Name
	}
	return e.Newest.Reference.Name()
}

// Apply stores e and says what it removed, which is nothing unless e is a delete.
func Apply(ctx context.Context, w Writer, e event.Event) (Deleted, error) {
	switch {
	case e.Push != nil:
		return Deleted{}, w.Push(ctx, *e.Push)
	case e.Delete != nil:
		return w.Delete(ctx, *e.Delete)
	case e.Membership != nil:
		return Deleted{}, w.Categorize(ctx, *e.Membership)
	default:
		return Deleted{}, errors.New("apply: the event has no push, delete or membership")
	}
}
