package lookup

import (
	"context"
	"sort"
	"sync"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// held contains the lists of a catalogue. It only grows; when it is too old, an empty one
// replaces it.
type held struct {
	begun time.Time // time before its first read
	room  int       // bytes; once it has this many, nothing more is added

	byName, byPush chain
	listing        turn // held to load the members

	mu         sync.Mutex
	bytes      int
	entries    map[reference.Name]string // packed entries of names that byName lacks
	allMembers []event.Member
	hasMembers bool
}

// A chain has repositories in an order, from the first to the last one that was needed.
type chain struct {
	loading turn    // held to load the next part
	parts   []*part // guarded by held.mu
}

func newHeld(begun time.Time, room int) *held {
	return &held{
		begun:   begun,
		room:    room,
		byName:  chain{loading: make(turn, 1)},
		byPush:  chain{loading: make(turn, 1)},
		listing: make(turn, 1),
		entries: map[reference.Name]string{},
	}
}

// chain returns the chain in the order of l.
func (h *held) chain(l store.Listing) *chain {
	if l.Newest {
		return &h.byPush
	}
	return &h.byName
}

// part returns part i of a chain, or nil if it is not loaded.
func (h *held) part(c *chain, i int) *part {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i >= len(c.parts) {
		return nil
	}
	return c.parts[i]
}

func (h *held) isFull() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bytes >= h.room
}

// next returns the Span.After of the part behind the last one of a chain.
func (h *held) next(c *chain) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(c.parts) == 0 {
		return ""
	}
	return c.parts[len(c.parts)-1].next
}

func (h *held) addPart(c *chain, p *part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.parts = append(c.parts, p)
	h.bytes += p.size()
}

// entry returns the entry of a name; ok is false if it is not known.
func (h *held) entry(name reference.Name) (e store.Entry, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if packed, ok := h.entries[name]; ok && packed == "" {
		return store.Entry{Name: name}, true
	} else if ok {
		return unpack(packed), true
	}
	if name.Registry != "" { // byName has only repositories
		return store.Entry{}, false
	}
	text, parts := store.Partition(name), h.byName.parts
	i := sort.Search(len(parts), func(i int) bool { return parts[i].next == "" || parts[i].next >= text })
	if i == len(parts) {
		return store.Entry{}, false
	}
	return parts[i].entry(name), true
}

// entryBytes is the size of an entry in held.entries besides its texts: three strings of
// 16 bytes, in a map that may be half empty.
const entryBytes = 120

// addEntry adds an entry if there is room for it. The entry of an unpublished name is an
// empty text.
func (h *held) addEntry(e store.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bytes >= h.room {
		return
	}
	packed := ""
	if e.Published() {
		packed = pack(e)
	}
	h.entries[e.Name] = packed
	h.bytes += entryBytes + len(e.Name.String()) + len(packed)
}

// members returns the members of all categories; ok is false if they are not loaded. The
// caller must not change them.
func (h *held) members() (all []event.Member, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.allMembers, h.hasMembers
}

// memberBytes is the size of a member besides its texts: three strings.
const memberBytes = 48

// addMembers adds the members of all categories if there is room for them.
func (h *held) addMembers(all []event.Member) {
	bytes := 0
	for _, m := range all {
		bytes += memberBytes + len(m.Category) + len(store.Partition(m.Name))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bytes+bytes > h.room {
		return
	}
	h.allMembers, h.hasMembers = all, true
	h.bytes += bytes
}

// A turn is a lock. Waiting for it ends with a context.
type turn chan struct{}

// take reports whether the turn came before ctx ended. If it did, the caller must pass it
// on.
func (t turn) take(ctx context.Context) bool {
	select {
	case t <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t turn) pass() { <-t }
