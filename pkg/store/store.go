// Package store is the contract of a backend, which stores events and returns references
// in order. Each backend has a package below this one, and package storetest checks that
// it keeps the contract. Package event defines what the events mean, and which of two is
// the newer.
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

// A Store is every interface of a backend together.
type Store interface {
	Writer
	Reader
	Reconciler
	Exporter
}

// A Writer stores events. Calls may come late, twice, in any order and from many
// processes: the same events always end in the same state. Once a method returns nil, its
// change survives a crash. After an error, part of the change may be stored; repeating
// the call completes it.
type Writer interface {
	// Push stores p. It is no error to lose to a newer push of the same reference, or to
	// a delete that covers p.
	Push(ctx context.Context, p event.Push) error
	// Delete stores d and returns what it removed: nothing if d was stored before, or if
	// everything in its target was pushed later.
	Delete(ctx context.Context, d event.Delete) (Deleted, error)
	// Categorize stores m. It is no error to lose to a newer membership.
	Categorize(ctx context.Context, m event.Membership) error
	// PushedAt returns when t's reference was last pushed, or the zero time if it never
	// was. t must have a tag. PushedAt sees every push that was stored before, under any
	// of the reference's names, even if the reference is deleted.
	PushedAt(ctx context.Context, t event.Target) (time.Time, error)
}

// Deleted tells what a delete removed.
type Deleted struct {
	References int  // by this call
	More       bool // the backend removes the rest by itself within a minute
	// Err is why More is set, unless time ran out. It is for the log: nobody needs to
	// repeat the delete.
	Err error
}

// A Reader reads references, the catalogue and categories. Only Pick and Versioned return
// an error for a name that does not exist.
type Reader interface {
	// Pick returns the newest push of the reference that q asks for: the first in q's
	// order. If its tag is no full version (or no version at all, in an order of
	// versions), the reference stands for its digest. Then the answer is the tag in the
	// same registry and repository with the same digest that says most: the greatest full
	// version, else the greatest version, releases before prereleases, else the last
	// pushed, with latest behind all others.
	//
	// The error is ErrNotFound if the name has no live reference, or a *NoMatchError if
	// Match accepts none of the tags that Pick looked at. Without Match, Pick costs one
	// read, whatever the order and the number of references, and a second one if it looks
	// for a digest's other tags. With Match, both reads together look at MaxScan
	// references at most.
	Pick(ctx context.Context, q Query) (event.Push, error)
	// Versioned returns the reference with p's digest, registry and repository whose tag
	// is the greatest version: the greatest full one, else the greatest, releases before
	// prereleases. The error is ErrNotFound if none is a version or p has no digest. It
	// costs one read. It is not needed for a p that Pick returned without Match: if p's
	// own tag is no version, none is.
	Versioned(ctx context.Context, name reference.Name, p event.Push) (event.Push, error)
	// Repositories lists the catalogue. Its cost grows with the entries that it reads:
	// about as many as the page has, unless l leaves some out.
	Repositories(ctx context.Context, l Listing) (Page[Entry], error)
	// References lists the references of a name whose tags match accepts, or all if match
	// is nil, the last pushed first. With match, it looks at MaxScan references at most
	// for one page. Such a page may be short, or empty, and still have a Next.
	References(ctx context.Context, name reference.Name, match func(tag string) bool, s Span) (Page[event.Push], error)
	// Entries returns the entries of names, in their order. The entry of a name with no
	// live reference is not published.
	Entries(ctx context.Context, names []reference.Name) ([]Entry, error)
	// Members lists the members of a category, by category and name. An empty category
	// means all.
	Members(ctx context.Context, category string) ([]event.Member, error)
}

// ErrNotFound says that a name has no live reference.
var ErrNotFound = errors.New("not found")

// A NoMatchError says that a name has live references, but no tag that was looked at
// matches.
type NoMatchError struct {
	Read int  // how many tags were looked at; at most MaxScan
	More bool // there are more tags
}

func (e *NoMatchError) Error() string {
	if e.More {
		return fmt.Sprintf("none of the first %d tags matches", e.Read)
	}
	return fmt.Sprintf("none of %d tags matches", e.Read)
}

// TombstoneTTL is how long a backend keeps a tombstone at least. It counts from the
// receipt of the delete, or of the removal from a category. While a tombstone exists,
// late events lose to it.
const TombstoneTTL = 30 * 24 * time.Hour

// A Query asks for one reference of a name.
type Query struct {
	Name  reference.Name
	Order Order                 // any but ByDigest
	Match func(tag string) bool // which tags count; nil: all

	// Prefix is a text that begins every tag that Match accepts. In an order of versions,
	// a tag that is no version counts as the version that it is without Prefix. That
	// costs a look at up to MaxScan references. A Prefix that may begin a version, such
	// as v or 1., changes nothing.
	Prefix string
}

// MaxScan is how many references a Pick or a page with a condition on tags may look at.
const MaxScan = 1000

// A Span asks for a page of a list.
type Span struct {
	After string // Next of the previous page; empty: the first page
	Limit int    // the most items that the page may have; at least 1
}

// A Listing asks for a page of the catalogue.
type Listing struct {
	Span
	Newest   bool     // the last Newest first; else by name
	Words    []string // only entries with all of these in their Text; none contains a blank
	Registry string   // only entries whose Newest is in this registry; empty: any
}

// Has reports whether l lists e, which must be published.
func (l Listing) Has(e Entry) bool {
	if l.Registry != "" && e.Newest.Reference.Registry != l.Registry {
		return false
	}
	text := e.Text()
	return !slices.ContainsFunc(l.Words, func(word string) bool { return !strings.Contains(text, word) })
}

// Place returns the place of e in the order of l: the Span.After that continues behind e.
// e must be published.
func (l Listing) Place(e Entry) string {
	if l.Newest {
		return e.PushedKey()
	}
	return Partition(e.Name)
}

// A Page is part of a list.
type Page[T any] struct {
	Items []T
	// Next is the Span.After of the next page, or empty on the last page. It names a
	// place in the order, so pages stay right while events arrive. It is printable ASCII
	// of at most 1,024 bytes.
	Next string
}

// An Entry is the catalogue's entry for a name.
type Entry struct {
	Name    reference.Name      // the listed name
	Newest  event.Push          // what Pick returns ByPushed
	Highest reference.Reference // the first ByRelease; zero if no tag is a version
}

// Published reports whether the name has a live reference.
func (e Entry) Published() bool { return e.Newest.Reference != (reference.Reference{}) }

// Version returns the version of Highest, or "" if no tag is a version.
func (e Entry) Version() string { return event.Push{Reference: e.Highest}.Version() }

// Text returns the text that Listing.Words search: the name, a blank, and the registry
// and repository of Newest.
func (e Entry) Text() string { return e.Name.String() + " " + e.Newest.Reference.Name().String() }

// PushedKey returns the key that sorts catalogue entries by Newest. It ends with the
// name, since a name that was given by hand may have the same Newest as another.
func (e Entry) PushedKey() string { return pushedKey(e.Newest) + " " + Partition(e.Name) }

// SplitPushedKey returns the reference in a PushedKey; ok is false if key is not one.
func SplitPushedKey(key string) (r reference.Reference, ok bool) {
	parts := strings.Split(key, " ")
	if len(parts) != 3 {
		return reference.Reference{}, false
	}
	return reference.Split(parts[1])
}

// LookupName returns the name under which a reader finds e's references. That is e's own
// name, unless its path begins with a registry: such a repository is found only with its
// registry.
func (e Entry) LookupName() reference.Name {
	if n, err := reference.ParseName(e.Name.String()); err == nil && n == e.Name || !e.Published() {
		return e.Name
	}
	return e.Newest.Reference.Name()
}

// Apply stores e and returns what it removed, which is nothing unless e is a delete.
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
