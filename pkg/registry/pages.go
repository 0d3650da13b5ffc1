package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// How many entries of a list are asked for at a time. A registry that gives fewer must
// have a Link.
const (
	pageSize = 100 // what azure-cli and acr-cli ask ACR for, and GitHub's and Docker Hub's most
	// largePage is what others ask ACR for. Its most is not documented, but what it cuts
	// is missing in its count.
	largePage = 1000
)

// A page is a part of a list.
type page[T any] struct {
	items []T
	next  string // the query of the page that follows
	more  bool   // there is one
}

// A list is a list of a registry, read in pages.
type list[T any] struct {
	name  func(T) string
	sizes []int // of a page: what to ask for, and then, if that is too much; nil: pageSize
	// get asks for the page with a query. It returns why that page cannot be used, or
	// an error for the whole run.
	get func(ctx context.Context, query string) (p page[T], why, err error)
	// first returns the query of a first page with n entries.
	first func(n int) string
	// after returns the query of what follows the last entry of page number, from 1, of
	// n entries, where the registry does not say that anything does. nil: it can be
	// trusted.
	after func(n int, last T, number int) string
}

var (
	errBadPage  = errors.New("the page was refused")
	errRepeated = errors.New("a page repeats what was listed before")
	errCut      = errors.New("the registry cuts the list, and ignores where to go on")
	errEndless  = fmt.Errorf("the list goes on behind %d pages or %d entries", maxPages, maxEntries)
)

// How much of a list is read: more than any registry is known to have, in a time and a
// memory that a list without an end does not exceed.
const (
	maxPages   = 10_000
	maxEntries = 500_000
)

// read reads all pages, and returns each entry once. why says why they may not be all.
//
// A list is complete if each page could be read and brought something new, no page
// follows the last one, and that was not full. A full one may have been cut without
// saying so, as Link is optional (distribution spec 1.1, "Listing Tags"); then what
// comes after it is asked for, and there must be nothing.
func (l list[T]) read(ctx context.Context) (items []T, why, err error) {
	sizes := l.sizes
	if sizes == nil {
		sizes = []int{pageSize}
	}
	for _, size := range sizes {
		if items, why, err = l.readBy(ctx, size); err != nil || !errors.Is(why, errBadPage) {
			break
		}
	}
	return items, why, err
}

// readBy is read with a size of pages.
func (l list[T]) readBy(ctx context.Context, size int) (items []T, why, err error) {
	seen := map[string]bool{}
	query, own := l.first(size), false // own: after asked, not the registry
	for number := 1; number <= maxPages && len(items) <= maxEntries; number++ {
		p, why, err := l.get(ctx, query)
		if why != nil || err != nil {
			return items, why, err
		}
		fresh := 0
		for _, item := range p.items {
			if name := l.name(item); !seen[name] {
				seen[name] = true
				items = append(items, item)
				fresh++
			}
		}
		repeated := fresh == 0 && len(p.items) > 0
		switch {
		case repeated && own && !p.more:
			why, err := l.ignored(ctx, size, len(p.items), number, seen)
			return items, why, err
		case repeated || fresh == 0 && p.more:
			return items, errRepeated, nil
		case p.more:
			query, own = p.next, false
		case len(p.items) < size || l.after == nil:
			return items, nil, nil
		default:
			query, own = l.after(size, p.items[len(p.items)-1], number), true
		}
	}
	return items, errEndless, nil
}

// ignored says why a list is not complete where the question for what follows brought
// n entries, all of them seen before. The registry may give everything each time, as
// Distribution 2 does, or include the entry after which it was asked. But it may also
// obey the number and ignore the place: then one entry more is another one.
func (l list[T]) ignored(ctx context.Context, size, n, number int, seen map[string]bool) (why, err error) {
	switch {
	case n < size:
		return nil, nil
	case number > 2:
		return errRepeated, nil
	case n > size:
		return nil, nil
	}
	p, why, err := l.get(ctx, l.first(size+1))
	if why != nil || err != nil {
		return why, err
	}
	fresh := func(item T) bool { return !seen[l.name(item)] }
	if p.more || len(p.items) != n || slices.ContainsFunc(p.items, fresh) {
		return errCut, nil
	}
	return nil, nil
}
