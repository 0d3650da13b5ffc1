package lookup

import (
	"slices"
	"sort"
	"strings"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A part is a page of the store's repositories in one text. A store.Entry for each would
// need twice the memory, in a dozen pieces for the garbage collector to visit.
type part struct {
	text   string   // the packed entries, one after the other
	ends   []uint32 // where each entry ends in text
	newest bool     // as in store.Listing
	next   string   // as in store.Page

	registries []string // of the newest references, sorted
}

// The sizes in bytes of an end, and of a registry besides its text.
const (
	endBytes      = 4
	registryBytes = 16
)

func newPart(newest bool, page store.Page[store.Entry]) *part {
	p := &part{ends: make([]uint32, len(page.Items)), newest: newest, next: page.Next}
	var text []byte
	for i, e := range page.Items {
		text = append(text, pack(e)...)
		p.ends[i] = uint32(len(text))
	}
	p.text = string(text)
	p.registries = registriesIn(page.Items)
	return p
}

// registriesIn returns the registries of the newest references of entries, sorted. They
// are copies, since a part of an answer would keep all of it in memory.
func registriesIn(entries []store.Entry) (all []string) {
	for _, e := range entries {
		registry := e.Newest.Reference.Registry
		if i, found := slices.BinarySearch(all, registry); !found {
			all = slices.Insert(all, i, strings.Clone(registry))
		}
	}
	return all
}

// size returns the size of p in bytes.
func (p *part) size() int {
	bytes := len(p.text) + endBytes*len(p.ends)
	for _, registry := range p.registries {
		bytes += registryBytes + len(registry)
	}
	return bytes
}

// packed returns entry i in its packed form.
func (p *part) packed(i int) string {
	begin := uint32(0)
	if i > 0 {
		begin = p.ends[i-1]
	}
	return p.text[begin:p.ends[i]]
}

// find returns the first entry behind a place in the order of p.
func (p *part) find(place string) int {
	if place == "" {
		return 0
	}
	return sort.Search(len(p.ends), func(i int) bool {
		name, pushed := keysOf(p.packed(i))
		if p.newest {
			return pushed < place
		}
		return name > place
	})
}

// entry returns the entry of a name. It is unpublished if p, which must be sorted by
// name, has none.
func (p *part) entry(name reference.Name) store.Entry {
	text := store.Partition(name)
	i := sort.Search(len(p.ends), func(i int) bool {
		name, _ := keysOf(p.packed(i))
		return name >= text
	})
	if i < len(p.ends) {
		if e := unpack(p.packed(i)); e.Name == name {
			return e
		}
	}
	return store.Entry{Name: name}
}

// appendTo appends to entries those entries that l lists, until there are enough.
func (p *part) appendTo(entries []store.Entry, l store.Listing, enough int) []store.Entry {
	for i := p.find(l.After); i < len(p.ends) && len(entries) < enough; i++ {
		packed := p.packed(i)
		if !mayHave(packed, l) {
			continue
		}
		if e := unpack(packed); l.Has(e) {
			entries = append(entries, e)
		}
	}
	return entries
}

// mayHave reports whether l may list a packed entry. That saves unpacking most entries
// that l does not list: a text that is not in the packed entry is not in the entry's
// Text.
func mayHave(packed string, l store.Listing) bool {
	for _, word := range l.Words {
		if !strings.Contains(packed, word) {
			return false
		}
	}
	return strings.Contains(packed, l.Registry)
}

// pack returns a published entry as a text with spaces between its parts: the entry's
// store.Entry.PushedKey, which is a time, the newest reference and the name; the highest
// reference; and the rest of the newest push's rank.
func pack(e store.Entry) string {
	_, rank, _ := strings.Cut(e.Newest.Rank(), " ") // the time is already in the key
	return e.PushedKey() + " " + packHighest(e) + " " + rank
}

// packHighest returns the highest reference. It omits the repository if that is the
// newest's.
func packHighest(e store.Entry) string {
	if e.Highest.Name() == e.Newest.Reference.Name() {
		return ":" + e.Highest.Tag
	}
	if e.Highest == (reference.Reference{}) {
		return ""
	}
	return e.Highest.String()
}

// keysOf returns the keys that sort a packed entry by name and by push.
func keysOf(packed string) (name, pushed string) {
	begin := strings.IndexByte(packed, ' ') + 1 // where the newest reference begins
	begin += strings.IndexByte(packed[begin:], ' ') + 1
	end := begin + strings.IndexByte(packed[begin:], ' ')
	return packed[begin:end], packed[:end]
}

// unpack is the reverse of pack.
func unpack(packed string) store.Entry {
	name, pushed := keysOf(packed)
	at, ref, _ := strings.Cut(pushed[:len(pushed)-len(name)-1], " ")
	highest, rank, _ := strings.Cut(packed[len(pushed)+1:], " ")

	e := store.Entry{Name: store.NameOf(name)}
	e.Newest.Reference, _ = reference.Split(ref)
	e.Newest.GivenName = store.GivenNameIn(name, e.Newest.Reference)
	if err := e.Newest.SetRank(at + " " + rank); err != nil {
		panic(err) // pack made it
	}
	if tag, ok := strings.CutPrefix(highest, ":"); ok {
		e.Highest = e.Newest.Reference
		e.Highest.Tag = tag
	} else {
		e.Highest, _ = reference.Split(highest)
	}
	return e
}
