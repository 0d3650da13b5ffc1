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

// A request is everything an answer depends on besides the store. Each route has a
// parser, which reads the parameters that the route knows and ignores others. With an
// error a parser also returns what it read before the mistake, since the answer that
// reports it needs a format and headers, too.
type request struct {
	name     reference.Name // to look up
	path     string         // the name as the reader wrote it
	query    query
	span     store.Span // which page of a list
	search   string     // as the reader typed it
	words    []string   // of search, in lower case like all names
	category string
	site     string // scheme and host under which the reader found us

	isHead         bool
	ifNoneMatch    []string
	acceptEncoding []string
}

// How many items a page for people shows.
const (
	pageRepositories = 1000
	pageReferences   = 200
)

// How many items a list for programs has. Curated lists are short: one is a single page
// unless it has more than maxLimit members or a reader wants fewer.
const (
	defaultLimit         = 100
	defaultCategoryLimit = maxLimit
	maxLimit             = 1000
)

// maxWords is how many words a search may have.
const maxWords = 10

// errNoCategory says that a category has no members, or that no category can have
// such a name.
var errNoCategory = errors.New("no such category")

// parseNothing is the parser of routes without parameters.
func parseNothing(r *http.Request) (request, error) { return newRequest(r), nil }

// parseLookup is the parser of /{name+}.
func parseLookup(r *http.Request) (request, error) {
	req, values := newRequest(r), r.URL.Query()
	req.path = r.PathValue("name")
	var err error
	if req.query, err = parseQuery(values); err != nil {
		return req, err
	}
	if req.query.format == "html" { // no other format has pages
		req.site = siteURL(r)
		if req.span, err = parseSpan(values, pageReferences); err != nil {
			return req, err
		}
	}
	req.name, err = parseName(req.path)
	return req, err
}

// parseReferences is the parser of /api/repositories/{name+}.
func parseReferences(r *http.Request) (request, error) {
	req, err := parseList(r, defaultLimit)
	if err != nil {
		return req, err
	}
	req.path = r.PathValue("name")
	req.name, err = parseName(req.path)
	return req, err
}

// parseRepositories is the parser of /api/repositories.
func parseRepositories(r *http.Request) (request, error) { return parseList(r, defaultLimit) }

// parseList reads which page of a list for programs is wanted.
func parseList(r *http.Request, preset int) (request, error) {
	req, values := newRequest(r), r.URL.Query()
	limit, err := parseLimit(values, preset)
	if err != nil {
		return req, err
	}
	req.span, err = parseSpan(values, limit)
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

// parseCatalogue is the parser of /. A search looks at all repositories, so a category
// beside it is ignored.
func parseCatalogue(r *http.Request) (request, error) {
	req, values := newRequest(r), r.URL.Query()
	req.site = siteURL(r)
	var err error
	if req.span, err = parseSpan(values, pageRepositories); err != nil {
		return req, err
	}
	req.search = strings.TrimSpace(parameter(values, "q"))
	req.words = strings.Fields(strings.ToLower(req.search))
	if len(req.words) > maxWords {
		return req, &queryError{"q"}
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

// parseName reads the name in a path. A text that cannot be a name is not found,
// without a read of the store.
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

func parseSpan(values url.Values, limit int) (store.Span, error) {
	after, err := parsePageToken(parameter(values, "next"))
	if err != nil {
		return store.Span{}, &queryError{"next"}
	}
	return store.Span{After: after, Limit: limit}, nil
}

// siteURL returns the scheme and host to which r was sent. Behind API Gateway the
// scheme is in a header.
func siteURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
