// Package store is the contract of a backend: it stores events and returns
// references in order. Each backend has a package below this one, and storetest
// checks that it keeps the contract. Package event says what the events mean, and
// which of two is the newer.
package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// A Store is all sides of a backend.
type Store interface {
	Writer
	Reader
	Reconciler
	Exporter
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
	// Err is why there is more, if not for lack of time. Nobody need repeat the delete:
	// the error is for the log.
	Err error
}

// A Reader reads references, the catalogue and categories. A name or a page that
// does not exist is an error only for Pick and Versioned.
type Reader interface {
	// Pick returns the newest push of the reference that q asks for: the first in q's
	// order. If that one's tag is no full version (or no version at all, in an order of
	// versions), it stands for its digest. The answer is then the one of the tags of its
	// registry's repository with its digest that says most: the greatest full version,
	// else the greatest version, releases before prereleases, else the last pushed, but
	// latest behind all others.
	//
	// The error is ErrNotFound if the name has no live reference, or a *NoMatchError if
	// Match takes none of those that were looked at. Without Match it is one read,
	// whatever the order and the number of references, and a second one for a digest.
	// With Match both reads together look at MaxScan references at most.
	Pick(ctx context.Context, q Query) (event.Push, error)
	// Versioned returns that reference with p's digest, registry and repository whose
	// tag is the greatest version: the greatest full one, else the greatest, releases
	// before prereleases. The error is ErrNotFound if none is a version or p has no
	// digest. It is one read. For a p that a Pick without Match returned, it is needless:
	// if p's own tag is no version, none is.
	Versioned(ctx context.Context, name reference.Name, p event.Push) (event.Push, error)
	// Repositories lists the catalogue. Its cost grows with the entries that it reads,
	// which is about as many as the page has unless some are left out.
	Repositories(ctx context.Context, l Listing) (Page[Entry], error)
	// References lists the references of a name whose tags match takes, or all if it
	// is nil, the last pushed first. With match it looks at no more than MaxScan for a
	// page, which may therefore be short, or empty, and still have a Next.
	References(ctx context.Context, name reference.Name, match func(tag string) bool, s Span) (Page[event.Push], error)
	// Entries returns the entries of names, in their order. A name with no live
	// reference has an entry that is not published.
	Entries(ctx context.Context, names []reference.Name) ([]Entry, error)
	// Members lists the members of a category, or of all if it is empty, by
	// category and name.
	Members(ctx context.Context, category string) ([]event.Member, error)
}

// ErrNotFound says that a name has no live reference.
var ErrNotFound = errors.New("not found")

// A NoMatchError says that a name has live references, but none of those that were
// looked at matches.
type NoMatchError struct {
	Read int  // how many were looked at; at most MaxScan
	More bool // there are more
}

func (e *NoMatchError) Error() string {
	if e.More {
		return fmt.Sprintf("none of the first %d tags matches", e.Read)
	}
	return fmt.Sprintf("none of %d tags matches", e.Read)
}

// TombstoneTTL is the least time for which a backend keeps a tombstone, counted from
// the receipt of the delete, or of the removal from a category. While a tombstone
// exists, late events lose to it.
const TombstoneTTL = 30 * 24 * time.Hour

// A Query asks for one reference of a name.
type Query struct {
	Name  reference.Name
	Order Order
	Match func(tag string) bool // which tags count; nil: all

	// Prefix is a text with which all tags begin that Match takes. In an order of
	// versions, a tag that is no version counts as the version that it is without
	// Prefix, for which up to MaxScan references are looked at. A Prefix with which a
	// version may begin, such as v or 1., changes nothing.
	Prefix string
}

// MaxScan is how many references a Pick or a page with a condition on tags may look at.
const MaxScan = 1000

// A Span asks for a page of a list.
type Span struct {
	After string // Next of the previous page; empty: the first page
	Limit int    // the most items that the page may have; above 0
}

// A Listing asks for a page of the catalogue.
type Listing struct {
	Span
	Newest   bool     // the last pushed first, by the Newest of each entry; else by name
	Words    []string // only entries with all of these in their text; none has a blank
	Registry string   // only entries whose Newest is of this registry; empty: of any
}

// Has reports whether l lists e, which is published.
func (l Listing) Has(e Entry) bool {
	if l.Registry != "" && e.Newest.Reference.Registry != l.Registry {
		return false
	}
	text := e.Text()
	return !slices.ContainsFunc(l.Words, func(word string) bool { return !strings.Contains(text, word) })
}

// Place returns the place of e, which is published, in the order of l: the Span.After
// of what follows it.
func (l Listing) Place(e Entry) string {
	if l.Newest {
		return e.PushedKey()
	}
	return Partition(e.Name)
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
	Newest  event.Push          // as Pick returns it ByPushed
	Highest reference.Reference // the first ByRelease; zero: no tag is a version
}

// Published reports whether the name has a live reference.
func (e Entry) Published() bool { return e.Newest.Reference != (reference.Reference{}) }

// Version returns the version of Highest, or "" if no tag is a version.
func (e Entry) Version() string { return event.Push{Reference: e.Highest}.Version() }

// Text returns what Listing.Words are looked for in: the name, a blank, and the
// registry and repository of Newest.
func (e Entry) Text() string { return e.Name.String() + " " + e.Newest.Reference.Name().String() }

// PushedKey returns the key by which the catalogue sorts entries by Newest. It is that
// of Newest, with the name behind it: one that was given by hand may have the same
// Newest as another.
func (e Entry) PushedKey() string { return pushedKey(e.Newest) + " " + Partition(e.Name) }

// SplitPushedKey returns the reference in a PushedKey; ok is false if key is none.
func SplitPushedKey(key string) (r reference.Reference, ok bool) {
	parts := strings.Split(key, " ")
	if len(parts) != 3 {
		return reference.Reference{}, false
	}
	return reference.Split(parts[1])
}

// LookupName returns the name under which a reader finds e's references. It is e's own
// name, except for a repository whose path begins with a registry. That one is found
// in its own registry only.
func (e Entry) LookupName() reference.Name {
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
