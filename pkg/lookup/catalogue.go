package lookup

import (
	"context"
	"strconv"
	"sync"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// partSize is how many repositories are loaded at once: enough for the longest page and
// the one entry that shows that another page follows.
const partSize = maxLimit + 1

// loadTime is how long one request may load parts. The other half of Deadline is left for
// an answer from the store.
const loadTime = Deadline / 2

// CatalogueBytes returns the Settings.CatalogueBytes of a Lambda function: an eighth of
// its memory, which AWS_LAMBDA_FUNCTION_MEMORY_SIZE gives in MB. The garbage collector
// lets the heap grow to twice the size of the lists, and answers need memory, too. If
// memorySize is not a number, it returns 0.
func CatalogueBytes(memorySize string) int {
	megabytes, err := strconv.Atoi(memorySize)
	if err != nil {
		return 0
	}
	return megabytes << 20 / 8
}

// A catalogue is a store.Reader that answers lists from memory for maxAge. So many
// readers cause no more reads of the store than one. Other calls go to the store.
//
// For each order, by name and by push, it holds repositories in a chain of parts, from
// the first part to the last one that a request has needed. A request that needs more
// loads the next parts, for at most loadTime, and reads the rest of its answer from the
// store. So a load that takes longer than one request continues in the next. When the
// room is used up, the loaded parts stay, and later repositories come from the store. If
// a repository is pushed while parts are loaded by push, it moves to the front, which is
// already loaded: the list then lacks it until the list is too old.
type catalogue struct {
	store.Reader
	maxAge time.Duration
	room   int // bytes

	mu   sync.Mutex
	held *held
}

// newCatalogue returns a reader of db that holds lists as s says, or db itself if s says
// to hold none.
func newCatalogue(s Settings, db store.Reader) store.Reader {
	if s.CacheSeconds == 0 || s.CatalogueBytes == 0 {
		return db
	}
	return &catalogue{Reader: db, maxAge: time.Duration(s.CacheSeconds) * time.Second, room: s.CatalogueBytes}
}

// current returns the present lists, or empty ones if those are too old. Ages use the
// wall clock, because the monotonic clock may stop while Lambda freezes a function. The
// wall clock may be set back.
func (c *catalogue) current() *held {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now().Round(0) // without the monotonic clock
	if c.held == nil || now.Before(c.held.begun) || now.Sub(c.held.begun) >= c.maxAge {
		c.held = newHeld(now, c.room)
	}
	return c.held
}

// Repositories implements store.Reader.
func (c *catalogue) Repositories(ctx context.Context, l store.Listing) (page store.Page[store.Entry], err error) {
	h := c.current()
	loading, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	enough := l.Limit + 1 // one more shows whether another page follows
	after := ""           // where the store must continue; empty: at l.After
	for i := 0; len(page.Items) < enough; i++ {
		if err := ctx.Err(); err != nil {
			return page, err
		}
		part, err := c.part(loading, h, l, i)
		if err != nil {
			return page, err
		}
		if part == nil {
			rest := l
			rest.Span = store.Span{After: further(l, l.After, after), Limit: enough - len(page.Items)}
			more, err := c.Reader.Repositories(ctx, rest)
			if err != nil {
				return page, err
			}
			page.Items = append(page.Items, more.Items...)
			break
		}
		page.Items = part.appendTo(page.Items, l, enough)
		if part.next == "" {
			break
		}
		after = part.next
	}
	if len(page.Items) == enough {
		page.Items = page.Items[:l.Limit]
		page.Next = l.Place(page.Items[l.Limit-1])
	}
	return page, nil
}

// further returns the later of two places in the order of l. The empty place is the
// beginning.
func further(l store.Listing, a, b string) string {
	if b == "" || a != "" && (a > b) != l.Newest {
		return a
	}
	return b
}

// part returns part i of the repositories in the order of l. h must have all parts before
// it. If h lacks the part, it is loaded, unless ctx ends or there is no room: then the
// result is nil.
func (c *catalogue) part(ctx context.Context, h *held, l store.Listing, i int) (*part, error) {
	chain := h.chain(l)
	if part := h.part(chain, i); part != nil {
		return part, nil
	}
	if !chain.loading.take(ctx) {
		return nil, nil
	}
	defer chain.loading.pass()
	if part := h.part(chain, i); part != nil { // loaded while this request waited
		return part, nil
	}
	if h.isFull() {
		return nil, nil
	}
	all := store.Listing{Span: store.Span{After: h.next(chain), Limit: partSize}, Newest: l.Newest}
	page, err := c.Reader.Repositories(ctx, all)
	if ctx.Err() != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	part := newPart(l.Newest, page)
	if i > 0 || len(page.Items) > 0 { // an empty catalogue is not held, so that a first push shows at once
		h.addPart(chain, part)
	}
	return part, nil
}

// registries returns the registries of the held repositories. If there are none, it loads
// the first part. The registries are complete if the catalogue has no more repositories
// than a part, or if a request has needed all of it.
func (c *catalogue) registries(ctx context.Context) ([]string, error) {
	h := c.current()
	if all, ok := h.registries(); ok {
		return all, nil
	}
	loading, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	_, err := c.part(loading, h, store.Listing{}, 0)
	all, _ := h.registries()
	return all, err
}

// Entries implements store.Reader.
func (c *catalogue) Entries(ctx context.Context, names []reference.Name) ([]store.Entry, error) {
	h := c.current()
	entries := make([]store.Entry, len(names))
	var missing []reference.Name
	var places []int // indexes of missing in entries
	for i, name := range names {
		entry, ok := h.entry(name)
		if !ok {
			missing = append(missing, name)
			places = append(places, i)
		}
		entries[i] = entry
	}
	if len(missing) == 0 {
		return entries, nil
	}
	read, err := c.Reader.Entries(ctx, missing)
	if err != nil {
		return nil, err
	}
	for i, entry := range read {
		entries[places[i]] = entry
		h.addEntry(entry)
	}
	return entries, nil
}

// Members implements store.Reader. It reads the members of all categories at once, so
// that an unknown category costs no extra read.
func (c *catalogue) Members(ctx context.Context, category string) ([]event.Member, error) {
	h := c.current()
	all, err := c.allMembers(ctx, h)
	if err != nil || category == "" {
		return all, err
	}
	var some []event.Member
	for _, m := range all {
		if m.Category == category {
			some = append(some, m)
		}
	}
	return some, nil
}

// allMembers returns the members of all categories, and loads them if h lacks them.
func (c *catalogue) allMembers(ctx context.Context, h *held) ([]event.Member, error) {
	if all, ok := h.members(); ok {
		return all, nil
	}
	if !h.listing.take(ctx) {
		return nil, ctx.Err()
	}
	defer h.listing.pass()
	if all, ok := h.members(); ok {
		return all, nil
	}
	all, err := c.Reader.Members(ctx, "")
	if err != nil {
		return nil, err
	}
	h.addMembers(all)
	return all, nil
}
