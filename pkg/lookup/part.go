package lookup

import (
	"sort"
	"strings"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A part is a page of the store's repositories in one text. A store.Entry for each
// would take twice the memory, in a dozen pieces that the garbage collector visits.
type part struct {
	text   string  // the entries one after the other, each its name and then itself, packed
	places []place // of the entries, in the order of names
	next   string  // as in store.Page
}

// A place says where an entry is in the text of its part.
type place struct{ name, packed, end uint32 }

const placeBytes = 12

func newPart(page store.Page[store.Entry]) *part {
	p := &part{places: make([]place, len(page.Items)), next: page.Next}
	var text []byte
	for i, e := range page.Items {
		at := &p.places[i]
		at.name = uint32(len(text))
		text = append(text, store.Partition(e.Name)...)
		at.packed = uint32(len(text))
		text = append(text, pack(e)...)
		at.end = uint32(len(text))
	}
	p.text = string(text)
	return p
}

// size returns how many bytes p takes.
func (p *part) size() int { return len(p.text) + placeBytes*len(p.places) }

// name returns the text of entry i's name, which is what sorts the entries.
func (p *part) name(i int) string { return p.text[p.places[i].name:p.places[i].packed] }

func (p *part) unpack(i int) store.Entry {
	return unpack(store.NameOf(p.name(i)), p.text[p.places[i].packed:p.places[i].end])
}

// find returns the first entry whose name is not less than name.
func (p *part) find(name string) int {
	return sort.Search(len(p.places), func(i int) bool { return p.name(i) >= name })
}

// entry returns the entry of a name, unpublished if p has none.
func (p *part) entry(name reference.Name) store.Entry {
	text := store.Partition(name)
	if i := p.find(text); i < len(p.places) && p.name(i) == text {
		return p.unpack(i)
	}
	return store.Entry{Name: name}
}

// appendTo appends to entries those that l lists, until they are enough.
func (p *part) appendTo(entries []store.Entry, l store.Listing, enough int) []store.Entry {
	for i := p.find(l.After); i < len(p.places) && len(entries) < enough; i++ {
		if e := p.unpack(i); p.name(i) != l.After && l.Has(e) {
			entries = append(entries, e)
		}
	}
	return entries
}

// pack returns an entry but for its name as a text, which is empty for an unpublished
// one.
func pack(e store.Entry) string {
	if !e.Published() {
		return ""
	}
	return e.Newest.Reference.String() + " " + packHighest(e) + " " + e.Newest.Rank()
}

// sameAsNewest stands for the highest version where that is the newest reference.
const sameAsNewest = "="

// packHighest returns the reference of e's highest version as a text, empty if it has
// none.
func packHighest(e store.Entry) string {
	switch e.Highest {
	case reference.Reference{}:
		return ""
	case e.Newest.Reference:
		return sameAsNewest
	default:
		return e.Highest.String()
	}
}

// unpack is the reverse of pack.
func unpack(name reference.Name, packed string) store.Entry {
	e := store.Entry{Name: name}
	if packed == "" {
		return e
	}
	ref, rest, _ := strings.Cut(packed, " ")
	highest, rank, _ := strings.Cut(rest, " ")
	e.Newest.Reference, _ = reference.Split(ref)
	if e.Highest, _ = reference.Split(highest); highest == sameAsNewest {
		e.Highest = e.Newest.Reference
	}
	e.Newest.GivenName = store.GivenNameIn(store.Partition(name), e.Newest.Reference)
	if err := e.Newest.SetRank(rank); err != nil {
		panic(err) // Rank made it
	}
	return e
}
