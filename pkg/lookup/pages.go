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

// pageMembers is how many members of each curated list the first page shows. The list's
// own pages show all.
const pageMembers = 24

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
			return problemPage(h, req, f).HTML()
		},
	}
}

// A drawer is a page of package web.
type drawer interface{ HTML() []byte }

// protect lets a page load only its own parts, and hides its address from the sites that
// it links to.
func protect(header http.Header) {
	header.Set("Content-Security-Policy", web.Policy())
	header.Set("Referrer-Policy", "no-referrer")
}

// cataloguePage returns the page of all repositories, of a search, or of a category.
func cataloguePage(ctx context.Context, h *handler, req request) (drawer, error) {
	page := web.Catalogue{Site: h.site(req), View: viewOf(req)}
	var err error
	if page.IsFirst() {
		err = readFirstPage(ctx, h.db, req, &page)
	} else {
		err = readPage(ctx, h.db, req, &page)
	}
	if err == nil && !(page.IsFirst() && page.Next == "") { // that one has all repositories
		page.Registries, err = registriesOf(ctx, h.db)
	}
	return page, err
}

// registriesOf returns the registries that a search may choose from: those of the held
// lists. If lists are not held, it reads as many repositories as a part has, and returns
// their registries.
func registriesOf(ctx context.Context, db store.Reader) ([]string, error) {
	if c, ok := db.(*catalogue); ok {
		return c.registries(ctx)
	}
	page, err := db.Repositories(ctx, store.Listing{Span: store.Span{Limit: partSize}})
	return registriesIn(page.Items), err
}

func viewOf(req request) web.View {
	v := web.View{Search: req.search, Category: req.category, Registry: req.listing.Registry, Page: req.page}
	v.Newest = req.listing.Newest && req.query.format != "atom" // every feed is in that order
	return v
}

// readPage adds to page the repositories that a reader asks for.
func readPage(ctx context.Context, db store.Reader, req request, page *web.Catalogue) error {
	found, err := readListing(ctx, db, req)
	page.Entries, page.Next = found.Items, tokenOf(req.listing).of(found.Next)
	return err
}

// readListing returns the repositories that a reader asks for: those of a category, or
// all.
func readListing(ctx context.Context, db store.Reader, req request) (store.Page[store.Entry], error) {
	if req.category != "" {
		return readMembers(ctx, db, req.category, req.listing)
	}
	return db.Repositories(ctx, req.listing)
}

// readFirstPage adds to page the first repositories and the curated lists.
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

// listsOf groups members into lists of names without their entries. The members must be
// sorted by category and name. It only counts members that are not shown.
func listsOf(members []event.Member) []web.Category {
	var all []web.Category
	for _, m := range members {
		if n := len(all); n == 0 || all[n-1].Name != m.Category {
			all = append(all, web.Category{Name: m.Category})
		}
		list := &all[len(all)-1]
		if len(list.Members) == pageMembers || len(all) > web.ShownLists {
			list.More++
			continue
		}
		list.Members = append(list.Members, store.Entry{Name: m.Name})
	}
	return all
}

// completeLists adds the entries of members to their lists. It reads only those that are
// not already on the page.
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

// site returns what all pages and feeds need.
func (h *handler) site(req request) web.Site {
	return web.Site{
		URL:         req.site,
		Now:         time.Now(),
		Instance:    h.settings.Instance,
		Version:     h.settings.Version,
		Title:       h.settings.SiteTitle,
		PullCommand: h.settings.PullCommand,
	}
}
