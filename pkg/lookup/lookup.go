// Package lookup answers readers: with the newest reference of a repository, as a badge
// or as text, and with the catalogue, a repository's references and curated lists, as
// pages, as JSON and as feeds. It only reads from the store; writes are in package
// ingest. Packages badge and web draw badges, pages and feeds.
//
// Each request goes through three steps: its route's parser turns it into a request
// struct, a renderer asks the store and draws the answer, and respond sends it. An error
// in any step becomes an answer in one place, failureOf.
package lookup

import (
	"context"
	"net/http"

	"ocireffer/pkg/badge"
	"ocireffer/pkg/openapi"
	"ocireffer/pkg/route"
	"ocireffer/pkg/store"
)

// New returns the routes of the read side. Each path accepts GET and HEAD.
func New(s Settings, db store.Reader) route.Routes {
	h := &handler{settings: s, store: db, db: newCatalogue(s, db)}
	routes := route.Routes{}
	for path, serve := range map[string]http.HandlerFunc{
		"/api/repositories":          h.serve(parseRepositories, asJSON(listRepositories)),
		"/api/repositories/{name+}":  h.serve(parseReferences, asJSON(listReferences)),
		"/api/categories":            h.serve(parseNothing, asJSON(listCategories)),
		"/api/categories/{category}": h.serve(parseCategory, asJSON(listCategory)),
		"/api/status":                h.serve(parseNothing, asJSON(tellStatus)),
		"/api/openapi.json":          h.serve(parseNothing, only(description)),
		"/robots.txt":                h.serve(parseNothing, only(robots)),
		"/":                          h.serve(parseCatalogue, catalogueFormats),
		"/{name+}":                   h.serve(parseLookup, nameFormats),
	} {
		routes["GET "+path], routes["HEAD "+path] = serve, serve
	}
	return routes
}

// WarmUpPath is the path of a badge that a function draws before its first reader comes.
// It goes through the same steps as any other. Nobody has such a registry: RFC 6761
// reserves the domain.
const WarmUpPath = "/warm-up.invalid/warm-up"

// The formats of /{name+} and of /, keyed by the value of the parameter format.
var (
	nameFormats = map[string]renderer{
		"json": asBadge("application/json", func(b badge.Badge) []byte { return encode(b.Endpoint()) }, nil),
		"svg":  asBadge("image/svg+xml; charset=utf-8", badge.Badge.SVG, forbidLoading),
		"text": {contentType: "text/plain; charset=utf-8", found: drawLine, failed: failedLine},
		"html": asPage(repositoryPage),
		"atom": asFeed(repositoryFeed),
	}
	catalogueFormats = map[string]renderer{
		"html": asPage(cataloguePage),
		"atom": asFeed(catalogueFeed),
	}
)

// only returns the formats of a route without the parameter format.
func only(r renderer) map[string]renderer { return map[string]renderer{"": r} }

// description answers GET /api/openapi.json.
var description = renderer{contentType: "application/json", found: document, failed: failedJSON}

func document(context.Context, *handler, request) ([]byte, error) {
	return []byte(openapi.Document), nil
}

// robots answers GET /robots.txt. By RFC 9309 it lets robots read the pages, but not the
// API, searches or later pages.
var robots = renderer{
	contentType: "text/plain; charset=utf-8",
	found: func(context.Context, *handler, request) ([]byte, error) {
		return []byte("User-agent: *\nDisallow: /api/\nDisallow: /*?\nAllow: /*?format=html$\n"), nil
	},
	failed: failedLine,
}

// asBadge returns the renderer of a badge. shields.io and browsers show only answers with
// status 200, so with any other status nobody would see a mistake in a README.
func asBadge(contentType string, draw func(badge.Badge) []byte, header func(http.Header)) renderer {
	return renderer{
		contentType: contentType,
		header:      header,
		alwaysOK:    true,
		found: func(ctx context.Context, h *handler, req request) ([]byte, error) {
			text, err := answer(ctx, h.db, req)
			if err != nil {
				return nil, err
			}
			return draw(h.badge(req, text)), nil
		},
		failed: func(h *handler, req request, f failure) []byte {
			b := h.badge(req, f.text)
			b.Color, b.Logo, b.IsError = "lightgrey", "", true
			if f.status == http.StatusBadRequest {
				b.Color = "red"
			}
			return draw(b)
		},
	}
}

// forbidLoading prevents an image that is opened by itself from loading or running
// anything.
func forbidLoading(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

// drawLine answers scripts with a line of text.
func drawLine(ctx context.Context, h *handler, req request) ([]byte, error) {
	text, err := answer(ctx, h.db, req)
	if err != nil {
		return nil, err
	}
	return []byte(text + "\n"), nil
}

func failedLine(_ *handler, _ request, f failure) []byte { return []byte(f.text + "\n") }
