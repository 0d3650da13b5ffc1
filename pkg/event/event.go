// Package event is what happened: a tag was pushed, something was deleted, a name
// was put into a category or removed from it. It says which delete covers which
// push and which of two events is the newer, and writes an event as a line of JSON.
// Where events come from, and where they are kept, is not known here.
//
// Each event is a write to a last-writer-wins register. A register only grows, so
// the same events leave the same registers in whatever order and however often they
// come. A reference is live if its newest push is newer than every delete that
// covers it.
package event

import (
	"fmt"
	"time"

	"ocireffer/pkg/reference"
)

// An Event is one thing that happened: one of its fields is set.
type Event struct {
	Push       *Push
	Delete     *Delete
	Membership *Membership
}

// IsZero reports whether nothing happened.
func (e Event) IsZero() bool { return e == Event{} }

// Registry returns the registry in which e happened, empty for a membership.
func (e Event) Registry() string {
	switch {
	case e.Push != nil:
		return e.Push.Reference.Registry
	case e.Delete != nil:
		return e.Delete.Registry
	default:
		return ""
	}
}

// String says what happened, for logs and failing tests.
func (e Event) String() string {
	switch {
	case e.Push != nil:
		return fmt.Sprintf("push %s@%s at %s", e.Push.Reference, e.Push.Digest, Stamp(e.Push.PushedAt))
	case e.Delete != nil:
		return fmt.Sprintf("delete %s at %s", e.Delete.Target, Stamp(e.Delete.DeletedAt))
	case e.Membership != nil:
		return fmt.Sprintf("membership %s of %s, removed %t, at %s", e.Membership.Name, e.Membership.Category, e.Membership.Removed, Stamp(e.Membership.At))
	default:
		return "nothing"
	}
}

// UnknownSize is the Size of a push that did not tell it.
const UnknownSize = -1

// A Push is what is known of a reference when it was pushed.
type Push struct {
	Reference reference.Reference
	GivenName string    // see GivenName; empty: the reference is found under its own names
	Digest    string    // of the manifest; empty: unknown
	MediaType string    // of the manifest; empty: unknown
	Size      int64     // of the manifest, in bytes; UnknownSize: unknown
	PushedAt  time.Time // in UTC, years 0 to 9999
}

// GivenName returns what Push.GivenName and Target.GivenName are for a reference
// that is to be found under name, a repository, in place of its own names: nothing
// where name is its repository anyway.
func GivenName(name string, r reference.Reference) string {
	if name == r.Repository {
		return ""
	}
	return name
}

// ListedAs returns the name under which the catalogue lists p.
func (p Push) ListedAs() reference.Name { return listedAs(p.GivenName, p.Reference.Repository) }

// Names returns the names under which p is looked up, that of ListedAs first.
func (p Push) Names() []reference.Name { return names(p.GivenName, p.Reference.Name()) }

func listedAs(givenName, repository string) reference.Name {
	if givenName != "" {
		return reference.Name{Repository: givenName}
	}
	return reference.Name{Repository: repository}
}

func names(givenName string, own reference.Name) []reference.Name {
	listed := listedAs(givenName, own.Repository)
	if givenName != "" {
		return []reference.Name{listed}
	}
	return []reference.Name{listed, own}
}

// Version returns p's tag as a version, empty if it is none.
func (p Push) Version() string {
	v, ok := reference.ParseVersion(p.Reference.Tag)
	if !ok {
		return ""
	}
	return v.String()
}

// A Target is what a delete is of: in one repository of one registry the
// references with Digest if that is set, otherwise the one with Tag if that is set,
// otherwise all. It has only references with its own GivenName.
type Target struct {
	Registry, Repository string
	GivenName            string // as in Push
	Tag, Digest          string
}

// Has reports whether p's reference belongs to t.
func (t Target) Has(p Push) bool {
	r := p.Reference
	if p.GivenName != t.GivenName || r.Registry != t.Registry || r.Repository != t.Repository {
		return false
	}
	if t.Digest != "" {
		return p.Digest == t.Digest
	}
	return t.Tag == "" || r.Tag == t.Tag
}

// ListedAs returns the name under which the catalogue lists what t has.
func (t Target) ListedAs() reference.Name { return listedAs(t.GivenName, t.Repository) }

// Names returns the names under which what t has is looked up, that of ListedAs
// first.
func (t Target) Names() []reference.Name {
	return names(t.GivenName, reference.Name{Registry: t.Registry, Repository: t.Repository})
}

// String returns registry/repository, and behind it @digest or :tag.
func (t Target) String() string {
	repository := t.Registry + "/" + t.Repository
	switch {
	case t.Digest != "":
		return repository + "@" + t.Digest
	case t.Tag != "":
		return repository + ":" + t.Tag
	default:
		return repository
	}
}

// Targets returns the targets that have p's reference: its repository, its tag and,
// if known, its digest. A delete covers p only if it is of one of these.
func (p Push) Targets() []Target {
	repository := Target{Registry: p.Reference.Registry, Repository: p.Reference.Repository, GivenName: p.GivenName}
	tag, digest := repository, repository
	tag.Tag, digest.Digest = p.Reference.Tag, p.Digest
	if p.Digest == "" {
		return []Target{repository, tag}
	}
	return []Target{repository, tag, digest}
}

// A Delete removes what its target has, unless it was pushed later.
type Delete struct {
	Target
	DeletedAt  time.Time // in UTC, years 0 to 9999
	ReceivedAt time.Time // from which a backend keeps its tombstone; in UTC
}

// Covers reports whether d removes what p pushed. At equal times it does.
func (d Delete) Covers(p Push) bool { return d.Has(p) && !p.PushedAt.After(d.DeletedAt) }

// A Member is a name in a category, which is a curated list of names.
type Member struct {
	Category string
	Name     reference.Name
}

// A Membership puts a member into its category, or removes it.
type Membership struct {
	Member
	Removed bool
	At      time.Time // of its receipt, in UTC
}
