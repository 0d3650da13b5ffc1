package lookup

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/web"
)

// repositoryPage returns the page of a name. The first page shows the newest reference
// and the highest version at its head.
func repositoryPage(ctx context.Context, h *handler, req request) (drawer, error) {
	page := web.Repository{Site: h.site(req), Name: req.name, Filter: req.filter, BySemver: req.query.order != store.ByPushed, Page: req.page}
	var found store.Page[event.Push]
	var err error
	if page.Page != "" {
		found, err = readReferences(ctx, h.db, req.name, req.query.match(), req.listing.Span)
	} else {
		page.Newest, page.Highest, found, err = readHead(ctx, h.db, req)
	}
	page.References, page.Next = found.Items, plainToken.of(found.Next)
	return page, err
}

// readHead returns the first page of references, and the newest and the highest of all
// references. Either may be missing if a filter would have to look at too many. If all
// references fit on the page, it makes one read. Otherwise the highest costs another
// read, and so does the newest if the tag pushed last is no full version.
func readHead(ctx context.Context, db store.Reader, req request) (newest, highest event.Push, page store.Page[event.Push], err error) {
	match := req.query.match()
	if page, err = db.References(ctx, req.name, match, req.listing.Span); err != nil {
		return newest, highest, page, err
	}
	isWhole := page.Next == ""
	if isWhole && match == nil && len(page.Items) == 0 {
		return newest, highest, page, store.ErrNotFound
	}
	pick := db.Pick
	if isWhole && len(page.Items) > 0 {
		pick = scannerOf(page.Items).Pick
	}
	group, groupCtx := errgroup.WithContext(ctx)
	var errNewest error // set if nothing matches
	group.Go(func() (err error) {
		newest, errNewest, err = unlessNoMatch(pickNewest(groupCtx, pick, req, page.Items))
		return err
	})
	if !isWhole || len(page.Items) > 0 {
		group.Go(func() (err error) {
			highest, _, err = unlessNoMatch(pickHighest(groupCtx, pick, req))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return newest, highest, page, err
	}
	if highest.Reference == (reference.Reference{}) {
		return newest, highest, page, errNewest
	}
	return newest, highest, page, nil
}

// unlessNoMatch returns err as missing if it says that nothing matches, otherwise as
// other.
func unlessNoMatch(p event.Push, err error) (push event.Push, missing, other error) {
	if none, ok := errors.AsType[*store.NoMatchError](err); ok {
		return p, none, nil
	}
	return p, nil, err
}

// pickNewest returns the newest reference that passes the filter in req. first are the
// references pushed last.
func pickNewest(ctx context.Context, pick picker, req request, first []event.Push) (event.Push, error) {
	if len(first) > 0 {
		if version, ok := reference.ParseVersion(first[0].Reference.Tag); ok && version.Full() {
			return first[0], nil
		}
	}
	return pick(ctx, store.Query{Name: req.name, Match: req.query.match()})
}

// A picker is store.Reader.Pick, or does the same with all of a name's references in
// memory.
type picker = func(context.Context, store.Query) (event.Push, error)

// pickHighest returns the reference with the highest version that passes the filter in
// req, or the zero push if no tag is a version.
func pickHighest(ctx context.Context, pick picker, req request) (event.Push, error) {
	q := store.Query{Name: req.name, Order: store.ByRelease, Match: req.query.match(), Prefix: req.query.tag.Prefix()}
	if req.query.order == store.ByVersion {
		q.Order = store.ByVersion
	}
	p, err := pick(ctx, q)
	if err != nil || versionBehind(q.Prefix, p) == "" {
		return event.Push{}, err
	}
	return p, nil
}

// scannerOf returns a scanner of pushes, which must be all references of a name.
func scannerOf(pushes []event.Push) store.Scanner {
	type entry struct {
		push event.Push
		keys store.Keys
	}
	all := make([]entry, len(pushes))
	for i, p := range pushes {
		all[i] = entry{p, store.KeysOf(p)}
	}
	return func(_ context.Context, s store.Scan) iter.Seq2[event.Push, error] {
		sorted := slices.SortedFunc(slices.Values(all), func(a, b entry) int { return cmp.Compare(b.keys[s.Order], a.keys[s.Order]) })
		return func(yield func(event.Push, error) bool) {
			for _, e := range sorted {
				key := e.keys[s.Order]
				if strings.HasPrefix(key, s.Prefix) && (s.Below == "" || key < s.Below) && !yield(e.push, nil) {
					return
				}
			}
		}
	}
}
