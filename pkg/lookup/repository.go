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

// repositoryPage returns the page of a name. The first one has the newest reference, the
// highest version and the name's curated lists at its head.
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
	if err == nil && page.Page == "" {
		page.Lists, err = readLists(ctx, h.db, req.name)
	}
	return page, err
}

// readLists returns the curated lists that a name is in. If lists are held in memory, it
// reads nothing.
func readLists(ctx context.Context, db store.Reader, name reference.Name) (lists []string, err error) {
	members, err := db.Members(ctx, "")
	for _, m := range members {
		if m.Name == name {
			lists = append(lists, m.Category)
		}
	}
	return lists, err
}

// readHead returns the first page of references, and the newest and the highest of all.
// One of these two may be missing if a filter would have to look at too many references.
// If all references are on the page, there is only one read.
func readHead(ctx context.Context, db store.Reader, req request) (newest, highest event.Push, page store.Page[event.Push], err error) {
	match := req.query.match()
	if page, err = db.References(ctx, req.name, match, req.listing.Span); err != nil {
		return newest, highest, page, err
	}
	isWhole := page.Next == ""
	switch {
	case isWhole && match == nil && len(page.Items) == 0:
		err = store.ErrNotFound
	case isWhole && len(page.Items) == 0: // the error says how many were looked at
		newest, err = db.Pick(ctx, store.Query{Name: req.name, Match: match})
	case isWhole:
		newest, highest, err = pickBoth(ctx, scannerOf(page.Items).Pick, req)
	case match == nil:
		newest, highest, err = readBoth(ctx, db, req, page.Items)
	default:
		newest, highest, err = pickBoth(ctx, db.Pick, req)
	}
	return newest, highest, page, err
}

// pickBoth picks the newest and the highest reference that pass the filter of req. It is
// an error if there is neither.
func pickBoth(ctx context.Context, pick picker, req request) (newest, highest event.Push, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	var missing error // nothing matches
	group.Go(func() (err error) {
		newest, missing, err = unlessNoMatch(pick(groupCtx, store.Query{Name: req.name, Match: req.query.match()}))
		return err
	})
	group.Go(func() (err error) {
		highest, _, err = unlessNoMatch(pickHighest(groupCtx, pick, req))
		return err
	})
	if err := group.Wait(); err != nil || highest != (event.Push{}) {
		return newest, highest, err
	}
	return newest, highest, missing
}

// unlessNoMatch returns err as missing if it says that nothing matches, otherwise as
// other.
func unlessNoMatch(p event.Push, err error) (push event.Push, missing, other error) {
	if none, ok := errors.AsType[*store.NoMatchError](err); ok {
		return p, none, nil
	}
	return p, nil, err
}

// readBoth reads what pickBoth picks without a filter, for a name whose last pushed
// references are known. Usually it needs one read, for the highest.
func readBoth(ctx context.Context, db store.Reader, req request, last []event.Push) (newest, highest event.Push, err error) {
	if highest, err = pickHighest(ctx, db.Pick, req); err != nil {
		return newest, highest, err
	}
	newest, err = readNewest(ctx, db, req.name, last, highest)
	return newest, highest, err
}

// readNewest returns the newest reference of a name. If the tag pushed last says little,
// that is the most specific tag with its digest: see store.Reader.Pick. It reads only if
// the last pushed references and the highest version are not enough to tell.
func readNewest(ctx context.Context, db store.Reader, name reference.Name, last []event.Push, highest event.Push) (event.Push, error) {
	first := last[0]
	if version, ok := reference.ParseVersion(first.Reference.Tag); ok && version.Full() || first.Digest == "" {
		return first, nil
	}
	version, isVersioned := reference.ParseVersion(highest.Reference.Tag)
	if isVersioned && version.Full() && !version.Prerelease() && isSameManifest(highest, first) {
		return highest, nil // no other tag of the digest is a greater one
	}
	best := first // among those that are not versions
	if first.Reference.Tag == "latest" {
		i := slices.IndexFunc(last[1:], func(p event.Push) bool { return isSameManifest(p, first) })
		if i < 0 {
			return db.Pick(ctx, store.Query{Name: name})
		}
		best = last[1+i]
	}
	if !isVersioned { // nor is any other
		return best, nil
	}
	p, err := db.Versioned(ctx, name, first)
	if errors.Is(err, store.ErrNotFound) {
		return best, nil
	}
	return p, err
}

// isSameManifest reports whether two references of a repository have one digest.
func isSameManifest(a, b event.Push) bool {
	return a.Digest == b.Digest && a.Reference.Name() == b.Reference.Name()
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
