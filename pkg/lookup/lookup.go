// Package lookup answers readers: with the newest reference of a repository, as a
// badge or as text, and with the catalogue, a repository's references and curated
// lists, as pages and as JSON. It only reads from the store. Badges and pages are
// drawn by packages badge and web.
//
// Each request takes three steps: its route's parser makes it a request struct, a
// renderer asks the store and draws the answer, and respond sends it. An error of
// any step becomes an answer in one place, outcome.
package lookup

import (
	"context"
	"log/slog"
	"net/http"

	"ocireffer/pkg/badge"
	"ocireffer/pkg/openapi"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/route"
	"ocireffer/pkg/store"
)

// New returns the routes of the read side. Each path has GET and HEAD.
func New(s Settings, db store.Reader) route.Routes {
	h := &handler{s, newCatalogue(s, db)}
	routes := route.Routes{}
	for path, serve := range map[string]http.HandlerFunc{
		"/api/repositories":          h.serve(parseRepositories, asJSON(listRepositories)),
		"/api/repositories/{name+}":  h.serve(parseReferences, asJSON(listReferences)),
		"/api/categories":            h.serve(parseNothing, asJSON(listCategories)),
		"/api/categories/{category}": h.serve(parseCategory, asJSON(listCategory)),
		"/api/openapi.json":          h.serve(parseNothing, description),
		"/":                          h.serve(parseCatalogue, asPage(cataloguePage)),
		"/{name+}":                   h.name,
	} {
		routes["GET "+path], routes["HEAD "+path] = serve, serve
	}
	return routes
}

// WarmUpPath is the path of a badge for a function to draw before its first reader
// comes. It takes the same steps as any other, and nobody has such a registry: RFC 6761
// reserves the domain.
const WarmUpPath = "/warm-up.invalid/warm-up"

// formats has a renderer for each value of the parameter format.
var formats = map[string]renderer{
	"json": asBadge("application/json", badge.Badge.JSON, nil),
	"svg":  asBadge("image/svg+xml; charset=utf-8", badge.Badge.SVG, forbidLoading),
	"text": {contentType: "text/plain; charset=utf-8", found: drawLine, failed: failedLine},
	"html": asPage(repositoryPage),
}

// name answers GET /{name+}.
func (h *handler) name(w http.ResponseWriter, r *http.Request) {
	req, err := parseLookup(r)
	format, ok := formats[req.query.format]
	if !ok {
		format, err = formats["json"], &queryError{"format"}
	}
	h.respond(r.Context(), w, format, req, err)
}

// description answers GET /api/openapi.json.
var description = renderer{contentType: "application/json", found: document, failed: failedJSON}

func document(context.Context, *handler, request) ([]byte, error) {
	return []byte(openapi.Document), nil
}

// asBadge returns the renderer of a badge. Shields.io and browsers show no answer
// whose status is not 200, so with another one nobody would see a mistake in a
// README.
func asBadge(contentType string, draw func(badge.Badge) []byte, header func(http.Header)) renderer {
	return renderer{
		contentType: contentType,
		header:      header,
		alwaysOK:    true,
		found: func(ctx context.Context, h *handler, req request) ([]byte, error) {
			text, err := pick(ctx, h.db, req)
			if err != nil {
				return nil, err
			}
			return draw(badge.Badge{Label: h.settings.Label, Message: text, Color: h.settings.Color, Logo: h.settings.Logo}), nil
		},
		failed: func(h *handler, _ request, f failure) []byte {
			color := "lightgrey"
			if f.status == http.StatusBadRequest {
				color = "red"
			}
			return draw(badge.Badge{Label: h.settings.Label, Message: f.text, Color: color, IsError: true})
		},
	}
}

// forbidLoading keeps an image that is opened by itself from loading or running
// anything.
func forbidLoading(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

// drawLine answers scripts with a line of text.
func drawLine(ctx context.Context, h *handler, req request) ([]byte, error) {
	text, err := pick(ctx, h.db, req)
	if err != nil {
		return nil, err
	}
	return []byte(text + "\n"), nil
}

func failedLine(_ *handler, _ request, f failure) []byte { return []byte(f.text + "\n") }

// pick returns the reference that req asks for, or the part of it to show.
func pick(ctx context.Context, db store.Reader, req request) (string, error) {
	q := req.query
	push, err := db.Pick(ctx, store.Query{Name: req.name, Order: q.order, Match: q.matches()})
	if err != nil {
		return "", err
	}
	ref := push.Reference
	requestlog.Add(ctx, slog.String("reference", ref.String()))
	if q.needsDigest() && push.Digest == "" {
		return "", errNoDigest
	}
	switch q.show {
	case "tag":
		return ref.Tag, nil
	case "digest":
		return ref.Name().String() + "@" + push.Digest, nil
	case "pinned":
		return ref.String() + "@" + push.Digest, nil
	default:
		return ref.String(), nil
	}
}
