// Package event defines the events: a tag was pushed, something was deleted, a name was
// put into a category or removed from it. It defines which delete covers which push, and
// which of two events is the newer. It also defines the line of JSON in which a store's
// events are exported and imported.
//
// Each event is a write to a last-writer-wins register, which only grows. So the same
// events leave the same registers in any order and with any repeats. A reference is live
// if its newest push is newer than every delete that covers it.
//
// Readers find a reference under its own two names, repository and registry/repository. A
// reference that was recorded by hand may have a given name instead. Then they find it
// only under that name, and no registry's delete covers it.
package event

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// An Event is one thing that happened. Exactly one field is set.
type Event struct {
	Push       *Push
	Delete     *Delete
	Membership *Membership
}

// IsZero reports whether no field is set.
func (e Event) IsZero() bool { return e == Event{} }

// Registry returns the registry of e, or "" for a membership.
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

// String describes e for the messages of tests.
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

// UnknownSize is the Size of a push whose event did not tell it.
const UnknownSize = -1

// A Push says that a reference was pushed, and what is known of its manifest.
type Push struct {
	Reference reference.Reference
	GivenName string    // the only name to find it under; empty: its own two names
	Digest    string    // of the manifest; empty: unknown
	MediaType string    // of the manifest; empty: unknown
	Size      int64     // of the manifest, in bytes; UnknownSize: unknown
	PushedAt  time.Time // in UTC, years 0 to 9999
}

// SizeKnown reports whether p has a size.
func (p Push) SizeKnown() bool { return p.Size >= 0 }

// GivenName returns name, or "" if that is r's own repository, under which r is found
// anyway.
func GivenName(name string, r reference.Reference) string {
	if name == r.Repository {
		return ""
	}
	return name
}

// ListedAs returns the name under which the catalogue lists p.
func (p Push) ListedAs() reference.Name { return listedAs(p.GivenName, p.Reference.Repository) }

// Names returns the names under which p is looked up, beginning with ListedAs.
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

// Version returns p's tag in the form in which a version is shown, or "" if the tag is
// not a version.
func (p Push) Version() string {
	v, ok := reference.ParseVersion(p.Reference.Tag)
	if !ok {
		return ""
	}
	return v.String()
}

// A Target is the part of a registry's repository that a delete removes: the references
// with Digest if that is set, otherwise the one with Tag if that is set, otherwise all.
// It contains only references with the same GivenName.
type Target struct {
	Registry, Repository string
	GivenName            string // see Push
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

// ListedAs returns the name under which the catalogue lists t's references.
func (t Target) ListedAs() reference.Name { return listedAs(t.GivenName, t.Repository) }

// Names returns the names under which t's references are looked up, beginning with
// ListedAs.
func (t Target) Names() []reference.Name {
	return names(t.GivenName, reference.Name{Registry: t.Registry, Repository: t.Repository})
}

// String returns registry/repository, followed by @digest or :tag if t has one.
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

// ParseTarget is the reverse of Target.String, without the GivenName. It does not check
// the parts: it is only for text that String returned. ok is false if the registry is
// missing.
func ParseTarget(s string) (t Target, ok bool) {
	t.Registry, t.Repository, ok = strings.Cut(s, "/")
	if repository, digest, found := strings.Cut(t.Repository, "@"); found {
		t.Repository, t.Digest = repository, digest
	} else if repository, tag, found := strings.Cut(t.Repository, ":"); found {
		t.Repository, t.Tag = repository, tag
	}
	return t, ok
}

// Targets returns the targets that contain p's reference: its repository, its tag and, if
// known, its digest. Only a delete of one of these can cover p.
func (p Push) Targets() []Target {
	repository := Target{Registry: p.Reference.Registry, Repository: p.Reference.Repository, GivenName: p.GivenName}
	tag, digest := repository, repository
	tag.Tag, digest.Digest = p.Reference.Tag, p.Digest
	if p.Digest == "" {
		return []Target{repository, tag}
	}
	return []Target{repository, tag, digest}
}

// A Delete removes the references of its target, except those pushed later.
type Delete struct {
	Target
	DeletedAt  time.Time // in UTC, years 0 to 9999
	ReceivedAt time.Time // in UTC; from it a backend counts the age of the tombstone
}

// Covers reports whether d removes p's reference. If their times are equal, it does.
func (d Delete) Covers(p Push) bool { return d.Has(p) && !p.PushedAt.After(d.DeletedAt) }

// A Member is a name in a category, which is a curated list of names.
type Member struct {
	Category string
	Name     reference.Name
}

// Compare orders members by category, then by name. Comparing the text category/name
// would be wrong: as text, a-b/ comes before a/.
func (m Member) Compare(n Member) int {
	return cmp.Or(cmp.Compare(m.Category, n.Category), m.Name.Compare(n.Name))
}

// A Membership puts a member into its category, or removes it.
type Membership struct {
	Member
	Removed bool      // it removes the member
	At      time.Time // when it was received, in UTC
}
