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
func asPage(find func(context.Context, store.Reader, request) (drawer, error)) renderer {
	return renderer{
		contentType: "text/html; charset=utf-8",
		header:      protect,
		found: func(ctx context.Context, h *handler, req request) ([]byte, error) {
			page, err := find(ctx, h.db, req)
			if err != nil {
				return nil, err
			}
			return page.HTML(), nil
		},
		failed: func(_ *handler, req request, f failure) []byte {
			return web.Problem{Title: f.text, Text: advice(req, f)}.HTML()
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

// repositoryPage returns the page of a name.
func repositoryPage(ctx context.Context, db store.Reader, req request) (drawer, error) {
	page, err := readReferences(ctx, db, req.name, req.span)
	return web.Repository{
		Site:       siteOf(req),
		Name:       req.name,
		References: page.Items,
		Later:      isLater(req),
		Next:       pageToken(page.Next),
	}, err
}

// cataloguePage returns the page of all repositories, of a search, or of a category.
func cataloguePage(ctx context.Context, db store.Reader, req request) (drawer, error) {
	page := web.Catalogue{Site: siteOf(req), Search: req.search, Category: req.category, Later: isLater(req)}
	var err error
	switch {
	case req.category != "":
		err = readCategory(ctx, db, req, &page)
	case req.search != "" || page.Later:
		err = readEntries(ctx, db, req, &page)
	default:
		err = readFirstPage(ctx, db, req, &page)
	}
	return page, err
}

// readEntries puts the repositories that a reader asks for into page.
func readEntries(ctx context.Context, db store.Reader, req request, page *web.Catalogue) error {
	found, err := db.Repositories(ctx, store.Listing{Span: req.span, Words: req.words})
	page.Entries, page.Next = found.Items, pageToken(found.Next)
	return err
}

// readCategory puts members of the category that a reader asks for into page.
func readCategory(ctx context.Context, db store.Reader, req request, page *web.Catalogue) error {
	found, err := readMembers(ctx, db, req.category, req.span)
	page.Entries, page.Next = found.Items, pageToken(found.Next)
	return err
}

// readFirstPage puts the first repositories and the curated lists into page.
func readFirstPage(ctx context.Context, db store.Reader, req request, page *web.Catalogue) error {
	var members []event.Member
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return readEntries(groupCtx, db, req, page) })
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

func siteOf(req request) web.Site { return web.Site{URL: req.site, Now: time.Now()} }

func isLater(req request) bool { return req.span.After != "" }

// advice says what a person can do about a failure.
func advice(req request, f failure) string {
	switch {
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
