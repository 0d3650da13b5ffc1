package lookup

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/web"
)

// pageMembers is how many members of each curated list the first page shows. The
// list's own pages show all.
const pageMembers = 50

// asPage returns the renderer of an answer for people: the page that find returns.
func asPage(find func(context.Context, *handler, request) (drawer, error)) renderer {
	return renderer{
		contentType: "text/html; charset=utf-8",
		header:      protect,
		found: func(ctx context.Context, h *handler, req request) ([]byte, error) {
			page, err := find(ctx, h, req)
			if err != nil {
				return nil, err
			}
			return page.HTML(), nil
		},
		failed: func(h *handler, req request, f failure) []byte {
			return web.Problem{Site: h.site(req), Title: heading(f), Text: advice(req, f)}.HTML()
		},
	}
}

// A drawer is one of package web's pages.
type drawer interface{ HTML() []byte }

// protect lets a page load nothing but its own parts, and keeps its address from the
// sites that it links to.
func protect(header http.Header) {
	header.Set("Content-Security-Policy", web.Policy())
	header.Set("Referrer-Policy", "no-referrer")
}

// repositoryPage returns the page of a name. The first one has the answer to req's query
// at its head.
func repositoryPage(ctx context.Context, h *handler, req request) (drawer, error) {
	page := web.Repository{Site: h.site(req), Name: req.name, Filter: req.filter, NotFirst: isLater(req)}
	var found store.Page[event.Push]
	var err error
	if page.NotFirst {
		found, err = readReferences(ctx, h.db, req.name, req.query.match(), req.listing.Span)
	} else {
		page.Newest, found, err = readHead(ctx, h.db, req)
	}
	page.References, page.Next = found.Items, plainToken.of(found.Next)
	return page, err
}

// readHead returns the answer to req's query, and the first page of references.
func readHead(ctx context.Context, db store.Reader, req request) (newest reference.Reference, page store.Page[event.Push], err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		push, err := db.Pick(groupCtx, req.pick())
		newest = push.Reference
		return err
	})
	group.Go(func() (err error) {
		page, err = db.References(groupCtx, req.name, req.query.match(), req.listing.Span)
		return err
	})
	err = group.Wait()
	return newest, page, err
}

// cataloguePage returns the page of all repositories, of a search, or of a category.
func cataloguePage(ctx context.Context, h *handler, req request) (drawer, error) {
	page := web.Catalogue{Site: h.site(req), View: viewOf(req), NotFirst: isLater(req)}
	var err error
	if req.category == "" && req.search == "" && req.listing.Registry == "" && !page.NotFirst {
		err = readFirstPage(ctx, h.db, req, &page)
	} else {
		err = readPage(ctx, h.db, req, &page)
	}
	return page, err
}

func viewOf(req request) web.View {
	v := web.View{Search: req.search, Category: req.category, Registry: req.listing.Registry}
	v.Newest = req.listing.Newest && req.query.format != "atom" // each feed is in that order
	return v
}

// readPage puts the repositories that a reader asks for into page.
func readPage(ctx context.Context, db store.Reader, req request, page *web.Catalogue) error {
	found, err := readListing(ctx, db, req)
	page.Entries, page.Next = found.Items, tokenOf(req.listing).of(found.Next)
	return err
}

// readListing returns the repositories that a reader asks for: of a category, or of all.
func readListing(ctx context.Context, db store.Reader, req request) (store.Page[store.Entry], error) {
	if req.category != "" {
		return readMembers(ctx, db, req.category, req.listing)
	}
	return db.Repositories(ctx, req.listing)
}

// readFirstPage puts the first repositories and the curated lists into page.
func readFirstPage(ctx context.Context, db store.Reader, req request, page *web.Catalogue) error {
	var members []event.Member
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return readPage(groupCtx, db, req, page) })
	group.Go(func() (err error) {
		members, err = db.Members(groupCtx, "")
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	page.Lists = listsOf(members)
	return completeLists(ctx, db, page)
}

// listsOf groups members, which come by category and name, into lists of names
// without their entries.
func listsOf(members []event.Member) []web.Category {
	var all []web.Category
	for _, m := range members {
		if n := len(all); n == 0 || all[n-1].Name != m.Category {
			all = append(all, web.Category{Name: m.Category})
		}
		list := &all[len(all)-1]
		if len(list.Members) == pageMembers {
			list.More++
			continue
		}
		list.Members = append(list.Members, store.Entry{Name: m.Name})
	}
	return all
}

// completeLists puts the entries of members into their lists. It reads only those
// that are not on the page already.
func completeLists(ctx context.Context, db store.Reader, page *web.Catalogue) error {
	known := map[reference.Name]store.Entry{}
	for _, e := range page.Entries {
		known[e.Name] = e
	}
	var missing []reference.Name
	for _, list := range page.Lists {
		for _, e := range list.Members {
			if _, ok := known[e.Name]; !ok {
				known[e.Name] = e
				missing = append(missing, e.Name)
			}
		}
	}
	entries, err := db.Entries(ctx, missing)
	if err != nil {
		return err
	}
	for _, e := range entries {
		known[e.Name] = e
	}
	for _, list := range page.Lists {
		for i, e := range list.Members {
			list.Members[i] = known[e.Name]
		}
	}
	return nil
}

// site returns what all pages and feeds know.
func (h *handler) site(req request) web.Site {
	return web.Site{URL: req.site, Now: time.Now(), Instance: h.settings.Instance, Version: h.settings.Version}
}

func isLater(req request) bool { return req.listing.After != "" }

// heading returns the heading of a page about a failure. People do not look up providers.
func heading(f failure) string {
	if f.text == notPublished {
		return "Repository not yet published"
	}
	return f.text
}

// advice says what a person can do about a failure.
func advice(req request, f failure) string {
	switch {
	case f.outcome == "no_match":
		return "“" + req.path + "” is published, but under no tag that passes the filter in the address. At most 1,000 tags are looked at, in the order that is asked for."
	case f.status == http.StatusNotFound && req.path != "":
		return "No push of “" + req.path + "” is known, or all that was pushed is deleted. It appears here with its next push."
	case f.status == http.StatusNotFound:
		return "A curated list is there as long as it has a member."
	case f.status == http.StatusBadRequest:
		return "The address has a parameter with a value that it cannot have."
	default:
		return "This is no fault of yours. It is worth trying again in a moment."
	}
}
