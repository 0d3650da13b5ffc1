package lookup

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A request is everything that an answer depends on besides the store. Each route has a
// parser, which reads the parameters that the route knows and ignores others. With an
// error a parser also returns what it read before the mistake, since the answer that
// reports the mistake needs a format and headers, too.
type request struct {
	name     reference.Name // to look up
	path     string         // the name as the reader wrote it
	query    query
	filter   url.Values    // the parameters in query that choose references, as the reader wrote them
	listing  store.Listing // which page of a list
	search   string        // the listing's words, as the reader typed them
	page     string        // the token of the listing's page; empty: the first
	category string
	site     string // scheme and host that the reader used

	isHead         bool
	byAccept       bool // the Accept header has decided the format
	ifNoneMatch    []string
	acceptEncoding []string
}

// How many items a page for people and a feed show.
const (
	pageRepositories = 100
	pageReferences   = 100
	feedEntries      = 50
)

// How many items a list for programs has. A curated list is short, so it is a single page
// unless it has more than maxLimit members or a reader asks for fewer.
const (
	defaultLimit         = 100
	defaultCategoryLimit = maxLimit
	maxLimit             = 1000
)

// maxWords is how many words a search may have.
const maxWords = 10

// errNoCategory says that a category has no members, or that the name of a category is
// invalid.
var errNoCategory = errors.New("no such category")

// parseNothing is the parser of routes without parameters.
func parseNothing(r *http.Request) (request, error) { return newRequest(r), nil }

// parseLookup is the parser of /{name+}.
func parseLookup(r *http.Request) (request, error) {
	req, values := newRequest(r), r.URL.Query()
	req.path = r.PathValue("name")
	var err error
	format := "json"
	if prefersPage(r.Header.Values("Accept")) {
		format = "html"
	}
	req.byAccept = parameter(values, "format") == ""
	req.query, err = parseQuery(values, format)
	if format := req.query.format; format == "html" || format == "atom" {
		req.site = siteURL(r)
	}
	if err != nil {
		return req, err
	}
	switch req.query.format {
	case "html":
		req.filter = keep(values, "tag", "ignore", "sort", "include_prereleases")
		if req.listing.Span, err = parseSpan(values, pageReferences, plainToken); err != nil {
			return req, err
		}
		req.page = parameter(values, "next")
	case "atom":
		req.filter = keep(values, "tag", "ignore")
		req.listing.Limit = feedEntries
	}
	req.name, err = parseName(req.path)
	return req, err
}

// keep returns the values of some parameters, without empty ones.
func keep(values url.Values, names ...string) url.Values {
	kept := url.Values{}
	for _, name := range names {
		for _, v := range values[name] {
			if v != "" {
				kept.Add(name, v)
			}
		}
	}
	return kept
}

// parseReferences is the parser of /api/repositories/{name+}.
func parseReferences(r *http.Request) (request, error) {
	req, err := parseList(r, defaultLimit)
	if err != nil {
		return req, err
	}
	if req.query.tag, req.query.ignore, err = parseTags(r.URL.Query()); err != nil {
		return req, err
	}
	req.path = r.PathValue("name")
	req.name, err = parseName(req.path)
	return req, err
}

// parseRepositories is the parser of /api/repositories.
func parseRepositories(r *http.Request) (request, error) {
	req, values := newRequest(r), r.URL.Query()
	limit, err := parseLimit(values, defaultLimit)
	if err != nil {
		return req, err
	}
	return req, req.parseListing(values, limit)
}

// parseList reads which page of a list for programs the reader asks for.
func parseList(r *http.Request, preset int) (request, error) {
	req, values := newRequest(r), r.URL.Query()
	limit, err := parseLimit(values, preset)
	if err != nil {
		return req, err
	}
	req.listing.Span, err = parseSpan(values, limit, plainToken)
	return req, err
}

// parseCategory is the parser of /api/categories/{category}.
func parseCategory(r *http.Request) (request, error) {
	req, err := parseList(r, defaultCategoryLimit)
	if err != nil {
		return req, err
	}
	req.category = r.PathValue("category")
	return req, checkCategory(req.category)
}

// parseCatalogue is the parser of /. It ignores a category beside a search, since a
// search looks at all repositories.
func parseCatalogue(r *http.Request) (request, error) {
	req, values := newRequest(r), r.URL.Query()
	req.site = siteURL(r)
	req.query.format = "html"
	format, err := oneOf(values, "format", "html", "atom")
	if err != nil {
		return req, err
	}
	req.query.format = format
	if err := req.parseListing(values, pageRepositories); err != nil {
		return req, err
	}
	req.page = parameter(values, "next")
	if format == "atom" {
		req.listing.Span, req.listing.Newest, req.page = store.Span{Limit: feedEntries}, true, ""
	}
	if req.search != "" {
		return req, nil
	}
	if req.category = parameter(values, "category"); req.category != "" {
		err = checkCategory(req.category)
	}
	return req, err
}

func newRequest(r *http.Request) request {
	return request{
		isHead:         r.Method == http.MethodHead,
		ifNoneMatch:    r.Header.Values("If-None-Match"),
		acceptEncoding: r.Header.Values("Accept-Encoding"),
	}
}

// parseName parses the name in a path. A text that cannot be a name is not found, without
// a read of the store.
func parseName(path string) (reference.Name, error) {
	name, err := reference.ParseName(strings.TrimSuffix(path, "/"))
	if err != nil {
		return reference.Name{}, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	return name, nil
}

func checkCategory(category string) error {
	if err := reference.CheckCategory(category); err != nil {
		return fmt.Errorf("%w: %w", errNoCategory, err)
	}
	return nil
}

// parseListing reads which page of the catalogue the reader asks for, with at most limit
// repositories.
func (req *request) parseListing(values url.Values, limit int) error {
	sort, err := oneOf(values, "sort", "name", "pushed")
	if err != nil {
		return err
	}
	l := &req.listing
	l.Newest = sort == "pushed"
	if l.Span, err = parseSpan(values, limit, tokenOf(*l)); err != nil {
		return err
	}
	req.search = strings.TrimSpace(parameter(values, "q"))
	l.Words = strings.Fields(strings.ToLower(req.search))
	if len(l.Words) > maxWords {
		return &queryError{"q"}
	}
	if registry := parameter(values, "registry"); registry != "" {
		if l.Registry, err = reference.ParseRegistry(registry); err != nil {
			return &queryError{"registry"}
		}
	}
	return nil
}

func parseSpan(values url.Values, limit int, token token) (store.Span, error) {
	after, err := token.parse(parameter(values, "next"))
	if err != nil {
		return store.Span{}, &queryError{"next"}
	}
	return store.Span{After: after, Limit: limit}, nil
}

// pick returns the store's query for the one reference that the reader asks for.
func (req request) pick() store.Query {
	q := req.query
	return store.Query{Name: req.name, Order: q.order, Match: q.match(), Prefix: q.prefix()}
}

// siteURL returns the scheme and host in the URL of r. Behind API Gateway a header gives
// the scheme.
func siteURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
