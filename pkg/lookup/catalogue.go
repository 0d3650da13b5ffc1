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

// partSize is how many repositories are loaded at once: what the longest page needs,
// which has to know whether another follows.
const partSize = maxLimit + 1

// loadTime is how long one request may load parts. It leaves the other half of
// Deadline for an answer from the store.
const loadTime = Deadline / 2

// CatalogueBytes returns the Settings.CatalogueBytes of a Lambda function: an eighth
// of its memory, which AWS_LAMBDA_FUNCTION_MEMORY_SIZE has in MB. The garbage collector
// lets the heap grow to twice that, and answers are drawn beside it. Without a number
// it returns 0.
func CatalogueBytes(memorySize string) int {
	megabytes, err := strconv.Atoi(memorySize)
	if err != nil {
		return 0
	}
	return megabytes << 20 / 8
}

// A catalogue is a store.Reader that answers lists from memory for maxAge, so that
// the store is read as often for many readers as for one. Everything else goes to the
// store.
//
// It holds the repositories in a chain of parts for each order, by name and by push, from
// the first part to the last that a request has needed. A request that needs more loads
// the next parts, for at most loadTime, and takes the rest of its answer from the store.
// So a load that takes longer than one request goes on in the next. Once there is no
// room, the parts that are held stay, and the repositories behind them come from the
// store. By push, a repository that is pushed while parts are loaded moves to the front,
// which is held already: such a list lacks it for as long as that is.
type catalogue struct {
	store.Reader
	maxAge time.Duration
	room   int // bytes

	mu   sync.Mutex
	held *held
}

// newCatalogue returns a reader of db that holds lists as s says: db itself if none
// are to be held.
func newCatalogue(s Settings, db store.Reader) store.Reader {
	if s.CacheSeconds == 0 || s.CatalogueBytes == 0 {
		return db
	}
	return &catalogue{Reader: db, maxAge: time.Duration(s.CacheSeconds) * time.Second, room: s.CatalogueBytes}
}

// current returns the lists that are held: empty ones in place of those that are too
// old. Ages are by the wall clock, because the monotonic one may stop while Lambda
// freezes a function. The wall clock may be set back.
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
	enough := l.Limit + 1 // one more shows that another page follows
	after := ""           // where the store would have to go on, if not at l.After
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

// further returns that of two places which is further in the order of l. The empty one
// is the beginning.
func further(l store.Listing, a, b string) string {
	if b == "" || a != "" && (a > b) != l.Newest {
		return a
	}
	return b
}

// part returns part i of the repositories in the order of l, of which h has all before
// it. It loads the part if h lacks it, unless ctx ends or there is no room: then it
// returns nil.
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
	if i > 0 || len(page.Items) > 0 { // a first push shows at once
		h.addPart(chain, part)
	}
	return part, nil
}

// registries returns those of the repositories that are held, after a first part if
// there is none. They are those of the whole catalogue if that has no more repositories
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
	var places []int // of missing, in entries
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
// that a category that does not exist costs no read of its own.
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

// allMembers returns the members of all categories, which it loads if h lacks them.
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
