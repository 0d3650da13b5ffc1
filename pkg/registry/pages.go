package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// How many entries of a list to request at a time. A registry that returns fewer must add
// a Link if there are more.
const (
	pageSize = 100 // what azure-cli and acr-cli request from ACR, and the maximum of GitHub and Docker Hub
	// largePage is what other clients request from ACR. The maximum is not documented,
	// but ACR's count shows if entries were cut off.
	largePage = 1000
)

// A page is part of a list.
type page[T any] struct {
	items []T
	next  string // the query of the next page
	more  bool   // there is a next page
}

// A list is a list that a registry returns in pages.
type list[T any] struct {
	name  func(T) string
	sizes []int // sizes of a page to request, each if the one before was refused; nil: pageSize
	// get requests the page with a query. It returns why the page cannot be used, or an
	// error that ends the whole run.
	get func(ctx context.Context, query string) (p page[T], why, err error)
	// first returns the query of a first page with n entries.
	first func(n int) string
	// after returns the query for the n entries behind the last entry of page number,
	// counted from 1. It is used if the registry does not say that more entries follow.
	// nil: what the registry says can be trusted.
	after func(n int, last T, number int) string
}

var (
	errBadPage  = errors.New("the page was refused")
	errRepeated = errors.New("a page repeats what was listed before")
	errCut      = errors.New("the registry cuts the list, and ignores the position to continue from")
	errEndless  = fmt.Errorf("the list continues after %d pages or %d entries", maxPages, maxEntries)
)

// These limit how much of a list is read. No known registry has more, and an endless list
// cannot exhaust time or memory.
const (
	maxPages   = 10_000
	maxEntries = 500_000
)

// read reads all pages, and returns each entry once. why says why they may not be all.
//
// A list is complete if every page could be read and had new entries, and the last page
// had no Link and was not full. A registry may cut a full page without saying so, since
// Link is optional (distribution spec 1.1, "Listing Tags"). Then read requests what
// follows, which must be empty.
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

// readBy is read with one page size.
func (l list[T]) readBy(ctx context.Context, size int) (items []T, why, err error) {
	seen := map[string]bool{}
	query, own := l.first(size), false // own: the query is from after, not from the registry
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

// ignored says why a list is not complete after the request for what follows returned n
// entries that were all seen before. The registry may return everything each time, as
// Distribution 2 does, or include the entry behind which it should start. But it may also
// obey the number and ignore the position. Then a request for one more entry returns a
// new one.
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
