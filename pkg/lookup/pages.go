package lookup

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/web"
)

// How much a page shows.
const (
	pageRepositories = 1000
	pageReferences   = 200
	pageMembers      = 50 // of each curated list on the first page; its own page has all
)

// maxWords is how many words a search may have.
const maxWords = 10

// catalog answers GET /: all repositories, those that a search finds, or those of
// a category.
func (h *handler) catalog(w http.ResponseWriter, r *http.Request) {
	h.page(w, r, func(ctx context.Context, site web.Site) ([]byte, error) {
		values := r.URL.Query()
		after, err := parseNext(values)
		if err != nil {
			return nil, err
		}
		page := web.Catalog{Site: site, Search: strings.TrimSpace(parameter(values, "q")), Category: parameter(values, "category"), Later: after != ""}
		switch {
		case page.Search != "":
			err = h.search(ctx, &page, after)
		case page.Category != "":
			page.Entries, err = h.members(ctx, page.Category)
		case page.Later:
			err = h.search(ctx, &page, after)
		default:
			err = h.everything(ctx, &page)
		}
		if err != nil {
			return nil, err
		}
		return page.HTML(), nil
	})
}

// search puts the repositories behind after whose names have all words into page.
func (h *handler) search(ctx context.Context, page *web.Catalog, after string) error {
	words := strings.Fields(strings.ToLower(page.Search)) // names are in lower case
	if len(words) > maxWords {
		return &queryError{"q"}
	}
	entries, more, err := h.db.Repositories(ctx, store.Listing{After: after, Limit: pageRepositories, Words: words})
	if err != nil {
		return err
	}
	page.Entries = entries
	if more {
		page.Next = token(entries[len(entries)-1].Name)
	}
	return nil
}

// everything puts the first repositories and the curated lists into page. Members
// that are among the repositories are not read again.
func (h *handler) everything(ctx context.Context, page *web.Catalog) error {
	var members []store.Member
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.search(groupCtx, page, "") })
	group.Go(func() (err error) {
		members, err = h.db.Members(groupCtx, "")
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	known := map[string]store.Entry{}
	for _, e := range page.Entries {
		known[e.Name] = e
	}
	page.Lists = lists(members)
	var missing []string
	for _, list := range page.Lists {
		for _, e := range list.Members {
			if _, ok := known[e.Name]; !ok {
				known[e.Name] = e
				missing = append(missing, e.Name)
			}
		}
	}
	entries, err := h.db.Entries(ctx, missing)
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

// lists are the categories of members, of which each shows its first by name.
func lists(members []store.Member) (all []web.Category) {
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

// repository answers GET /{name}?format=html, unless err tells what is wrong with
// the query.
func (h *handler) repository(w http.ResponseWriter, r *http.Request, err error) {
	h.page(w, r, func(ctx context.Context, site web.Site) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		found, err := h.referencePage(ctx, r, pageReferences)
		if err != nil {
			return nil, err
		}
		page := web.Repository{Site: site, Name: found.name, References: found.pushes, Later: found.later, Next: found.next}
		return page.HTML(), nil
	})
}

// page answers with a page that draw makes, or with one about its error.
func (h *handler) page(w http.ResponseWriter, r *http.Request, draw func(ctx context.Context, site web.Site) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), Deadline)
	defer cancel()
	body, err := draw(ctx, web.Site{URL: siteURL(r), Now: time.Now()})
	a := answer{status: http.StatusOK, outcome: "found", contentType: "text/html; charset=utf-8", body: body}
	if err != nil {
		var title string
		a.status, a.outcome, _, title = failure(err)
		a.body = web.Problem{Title: title, Text: advice(r, a.status)}.HTML()
	}
	if a.status >= 500 {
		requestlog.Add(r.Context(), slog.Any("err", err))
	}
	w.Header().Set("Content-Security-Policy", web.Policy())
	w.Header().Set("Referrer-Policy", "no-referrer")
	h.write(w, r, a)
}

// advice is what a person can do about an answer with this status.
func advice(r *http.Request, status int) string {
	switch name := r.PathValue("name"); {
	case status == http.StatusNotFound && name != "":
		return "No push of “" + name + "” is known, or all that was pushed is deleted. It appears here with its next push."
	case status == http.StatusNotFound:
		return "A curated list is there as long as it has a member."
	case status == http.StatusBadRequest:
		return "The address has a parameter with a value that it cannot have."
	default:
		return "This is no fault of yours. It is worth trying again in a moment."
	}
}

// siteURL is where r was sent, as its sender knows it. Behind API Gateway that is
// always https, of which the header tells.
func siteURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
