// Package store says what ocireffer remembers and what a backend promises:
// the newest push of each reference, the newest delete of each digest, tag and
// repository, who is in a category, and the order in which readers want references. Backends live
// below it, and storetest holds each to these promises.
//
// The whole state is a set of last-writer-wins registers that only grow, so the
// same pushes and deletes end in the same answers in whatever order, however
// often and by however many processes they are stored. A reference is live if
// its newest push is newer than every delete that reaches it.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// ErrNotFound says that a name has no live reference.
var ErrNotFound = errors.New("not found")

// UnknownSize is the Size of a push that did not tell it.
const UnknownSize = -1

// Tombstone is how long a backend keeps, at least, what a delete leaves behind
// to win against late pushes, counted from the receipt of the delete.
const Tombstone = 30 * 24 * time.Hour

// A Push is what a registry tells of a reference when it is pushed.
type Push struct {
	Name      string // another name than the repository's, given by hand; else empty
	Reference reference.Reference
	Digest    string    // empty when unknown
	MediaType string    // of the manifest; empty when unknown
	Size      int64     // of the manifest in bytes; UnknownSize when unknown
	PushedAt  time.Time // of year 0 to 9999 in UTC
}

// Compare orders the pushes of one reference: the greater one is the newer.
// Of two pushes at one time that is the one with the greater digest, then size,
// then media type; what is unknown is less than all that is known.
func (p Push) Compare(q Push) int {
	return cmp.Or(
		p.PushedAt.Compare(q.PushedAt),
		cmp.Compare(p.Digest, q.Digest),
		cmp.Compare(p.Size, q.Size),
		cmp.Compare(p.MediaType, q.MediaType),
	)
}

// Version is p's tag as a version, empty if it is none.
func (p Push) Version() string {
	v, ok := reference.ParseVersion(p.Reference.Tag)
	if !ok {
		return ""
	}
	return v.String()
}

// Names are those under which p is looked up: the first is the one that the
// catalogue lists.
func (p Push) Names() []string { return names(p.Name, p.Reference.Registry, p.Reference.Repository) }

// names are a name given by hand alone, or else the repository, whatever its
// registry, and the repository in its registry.
func names(byHand, registry, repository string) []string {
	if byHand != "" {
		return []string{byHand}
	}
	return []string{repository, registry + "/" + repository}
}

// NameByHand is what stands in Push.Name for a reference that is found under
// name: nothing where that is one of its own names.
func NameByHand(name string, r reference.Reference) string {
	if name == r.Repository || name == r.Name() {
		return ""
	}
	return name
}

// A Delete takes out references of one repository in one registry, recorded
// under the same name by hand or under none, that were not pushed after it:
// those with Digest if it is given, else the one with Tag if that is given, else
// all.
type Delete struct {
	Name                 string // as in Push
	Registry, Repository string
	Tag, Digest          string
	DeletedAt            time.Time // of year 0 to 9999 in UTC
	ReceivedAt           time.Time // when Tombstone begins
}

// Reaches reports whether d takes out what p pushed.
func (d Delete) Reaches(p Push) bool {
	r := p.Reference
	switch {
	case p.Name != d.Name || r.Registry != d.Registry || r.Repository != d.Repository || p.PushedAt.After(d.DeletedAt):
		return false
	case d.Digest != "":
		return p.Digest == d.Digest
	default:
		return d.Tag == "" || r.Tag == d.Tag
	}
}

// Names are those under which what d takes out is looked up.
func (d Delete) Names() []string { return names(d.Name, d.Registry, d.Repository) }

// Target is what d takes out, as text: registry/repository, and behind it
// @digest or :tag. For each target the newest delete counts.
func (d Delete) Target() string {
	repository := d.Registry + "/" + d.Repository
	switch {
	case d.Digest != "":
		return repository + "@" + d.Digest
	case d.Tag != "":
		return repository + ":" + d.Tag
	default:
		return repository
	}
}

// Threats are the deletes, but for their times, that could reach p: those of
// its repository, its tag and its digest.
func (p Push) Threats() []Delete {
	repository := Delete{Name: p.Name, Registry: p.Reference.Registry, Repository: p.Reference.Repository}
	tag, digest := repository, repository
	tag.Tag, digest.Digest = p.Reference.Tag, p.Digest
	if p.Digest == "" {
		return []Delete{repository, tag}
	}
	return []Delete{repository, tag, digest}
}

// An Order says which of a name's references a reader wants.
type Order int

const (
	ByPushed  Order = iota // the most recently pushed; of those pushed at one time the greatest text
	ByRelease              // the highest version, releases before prereleases before the rest by push
	ByVersion              // the highest version, prereleases among the others, before the rest by push
)

// A Query asks for one reference of a name.
type Query struct {
	Name  string // repository or registry/repository, as reference.Name gives it
	Order Order
	Match func(tag string) bool // which tags count; nil: all
}

// MaxScan is how many references a Query with Match may read. Beyond them it
// gives up as if there were none.
const MaxScan = 1000

// An Entry is what the catalogue says of a repository, or of a name given by hand.
type Entry struct {
	Name    string
	Newest  Push
	Version string // the highest of its references, releases first; empty if no tag is one
}

// Published reports whether the name has a live reference.
func (e Entry) Published() bool { return e.Newest.Reference != (reference.Reference{}) }

// A Member is a name in a category, which is a curated list of names.
type Member struct{ Category, Name string }

// CheckCategory reports what is wrong with the name of a category.
func CheckCategory(s string) error {
	isNone := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if s == "" || len(s) > maxCategory || strings.ContainsFunc(s, isNone) {
		return fmt.Errorf("category %.*q is not 1 to %d lower-case letters, digits and hyphens", maxCategory+1, s, maxCategory)
	}
	return nil
}

const maxCategory = 63

// Compare orders members by category and name.
func (m Member) Compare(n Member) int {
	return cmp.Or(cmp.Compare(m.Category, n.Category), cmp.Compare(m.Name, n.Name))
}

// A Membership puts a member in, or takes it out. Of those of one member the
// newest counts, of those of one time the one that takes it out.
type Membership struct {
	Member Member
	Out    bool
	At     time.Time // of its receipt; when Tombstone begins
}

// Compare orders the memberships of one member: the greater one counts.
func (m Membership) Compare(n Membership) int {
	byTime := m.At.Compare(n.At)
	switch {
	case byTime != 0 || m.Out == n.Out:
		return byTime
	case m.Out:
		return 1
	default:
		return -1
	}
}

// A Listing asks for a page of the catalogue.
type Listing struct {
	After string   // the last name that was seen, or empty
	Limit int      // at most so many entries
	Words []string // only names that contain them all; none: any name
}

// Has reports whether a name contains all words.
func (l Listing) Has(name string) bool {
	return !slices.ContainsFunc(l.Words, func(word string) bool { return !strings.Contains(name, word) })
}

// A Writer takes in what registries report. Calls may come late, twice, in any
// order and from many processes: the same set always ends in the same state.
// Once a method returns nil, its change survives a crash. After an error a part
// of it may have been stored; the same call again completes it.
type Writer interface {
	// Push stores p. Losing to a newer push of the same reference, or to a
	// delete that reaches p, is no error.
	Push(ctx context.Context, p Push) error
	// Delete stores d and says how many references it took out just now: none
	// when it is repeated, or older than what it would reach.
	Delete(ctx context.Context, d Delete) (int, error)
	// Categorize stores m. Losing to a newer membership is no error.
	Categorize(ctx context.Context, m Membership) error
}

// A Reader answers readers.
type Reader interface {
	// Pick returns the push of the reference that q asks for, or ErrNotFound.
	// Without Match it is one read, whatever the order and the number of
	// references; with Match they are read in their order, at most MaxScan.
	Pick(ctx context.Context, q Query) (Push, error)
	// Repositories lists entries by name. It reads in proportion to the
	// repositories that it looks at, not to their references. More says whether
	// others follow.
	Repositories(ctx context.Context, l Listing) (entries []Entry, more bool, err error)
	// Entries gives the entries of names, in their order; that of a name with no
	// live reference has its Name alone.
	Entries(ctx context.Context, names []string) ([]Entry, error)
	// Members lists the members of a category, or of all if it is empty, by
	// category and name.
	Members(ctx context.Context, category string) ([]Member, error)
	// References lists at most limit references of a name, newest first, those
	// behind after, which is the Keys.Pushed of the last one seen, or empty. More
	// says whether others follow.
	References(ctx context.Context, name, after string, limit int) (pushes []Push, more bool, err error)
}

// A Store is both sides of a backend.
type Store interface {
	Writer
	Reader
}
