// Package lookup answers readers: which reference of a repository is the newest.
// It only reads from the store. How a badge looks is package badge's matter.
package lookup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"ocireffer/pkg/badge"
	"ocireffer/pkg/gateway"
	"ocireffer/pkg/openapi"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// New makes the read side: the routes of the lookup function.
func New(s Settings, db store.Reader) gateway.Routes {
	h := &handler{s, db}
	return gateway.Routes{
		"GET /api/repositories":          h.repositories,
		"GET /api/repositories/{name+}":  h.references,
		"GET /api/categories":            h.categories,
		"GET /api/categories/{category}": h.category,
		"GET /api/openapi.json":          h.description,
		"GET /":                          h.catalog,
		"HEAD /":                         h.catalog,
		"GET /{name+}":                   h.name,
		"HEAD /{name+}":                  h.name,
	}
}

type handler struct {
	settings Settings
	db       store.Reader
}

// name answers for a repository in the format that is asked for: all that is
// known of it, or the one reference that is asked for.
func (h *handler) name(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.Query())
	if q.format == "html" {
		h.repository(w, r, err)
		return
	}
	var text string
	if err == nil {
		text, err = h.find(r, q)
	}
	status, outcome, color := http.StatusOK, "found", h.settings.Color
	if err != nil {
		status, outcome, color, text = failure(err)
	}
	if status >= 500 {
		requestlog.Add(r.Context(), slog.Any("err", err))
	}
	a := answer{status: status, outcome: outcome}
	if q.format == "text" {
		a.contentType, a.body = "text/plain; charset=utf-8", []byte(text+"\n")
		h.write(w, r, a)
		return
	}
	// What shields.io and browsers cannot fetch with 200 they do not show, so a
	// mistake in a README would not be seen there.
	if status < 500 {
		a.status = http.StatusOK
	}
	b := badge.Badge{Label: h.settings.Label, Message: text, Color: color, IsError: err != nil}
	if err == nil {
		b.Logo = h.settings.Logo
	}
	if q.format == "svg" {
		a.contentType, a.body = "image/svg+xml; charset=utf-8", b.SVG()
		// An image needs nothing, and one that is opened by itself gets nothing.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	} else {
		a.contentType, a.body = "application/json", b.JSON()
	}
	h.write(w, r, a)
}

// description answers GET /api/openapi.json.
func (h *handler) description(w http.ResponseWriter, r *http.Request) {
	h.write(w, r, answer{status: http.StatusOK, contentType: "application/json", body: []byte(openapi.Document), outcome: "found"})
}

var errNoDigest = errors.New("no digest is known")

// find gives the text that is asked for.
func (h *handler) find(r *http.Request, q query) (string, error) {
	name, err := h.parseName(r)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(r.Context(), Deadline)
	defer cancel()
	push, err := h.db.Pick(ctx, store.Query{Name: name, Order: q.order, Match: q.matches()})
	if err != nil {
		return "", err
	}
	requestlog.Add(r.Context(), slog.String("reference", push.Reference.String()))
	if (q.show == "digest" || q.show == "pinned") && push.Digest == "" {
		return "", errNoDigest
	}
	switch q.show {
	case "tag":
		return push.Reference.Tag, nil
	case "digest":
		return push.Reference.Name() + "@" + push.Digest, nil
	case "pinned":
		return push.Reference.String() + "@" + push.Digest, nil
	default:
		return push.Reference.String(), nil
	}
}

// parseName is the name in the path. One that is none is not found, without a read.
func (h *handler) parseName(r *http.Request) (string, error) {
	name, err := reference.Name(strings.TrimSuffix(r.PathValue("name"), "/"))
	if err != nil {
		return "", fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	requestlog.Add(r.Context(), slog.String("repository", name))
	return name, nil
}

// failure is the one place where an error becomes a status and a sentence. What
// it does not know is our fault: the log gets err, the reader does not.
func failure(err error) (status int, outcome, color, text string) {
	var bad *queryError
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest, "bad_query", "red", bad.Error()
	case errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound, "unknown", "lightgrey", "Provider not yet published"
	case errors.Is(err, errNoCategory):
		return http.StatusNotFound, "unknown", "lightgrey", "No such category"
	case errors.Is(err, errNoDigest):
		return http.StatusNotFound, "no_digest", "lightgrey", "digest unknown"
	default:
		return http.StatusServiceUnavailable, "store_failed", "lightgrey", "Lookup failed, try again"
	}
}

// answer is all that a reader gets.
type answer struct {
	status      int
	contentType string
	body        []byte
	outcome     string // for the log
}

// write sends a, or 304 if the reader has it. Failures of ours are not cached.
func (h *handler) write(w http.ResponseWriter, r *http.Request, a answer) {
	requestlog.Add(r.Context(), slog.String("outcome", a.outcome))
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("X-Content-Type-Options", "nosniff")
	if a.status >= 500 {
		header.Set("Cache-Control", "no-store")
	} else {
		header.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", h.settings.CacheSeconds))
		zip := false
		if len(a.body) >= minGzip {
			header.Set("Vary", "Accept-Encoding")
			zip = acceptsGzip(r.Header.Values("Accept-Encoding"))
		}
		tag := etag(a, zip)
		header.Set("ETag", tag)
		if matches(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if zip {
			header.Set("Content-Encoding", "gzip")
			a.body = compress(a.body)
		}
	}
	header.Set("Content-Type", a.contentType)
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		w.Write(a.body)
	}
}

// etag is a strong one: equal tags, equal bytes, of which zip makes others.
func etag(a answer, zip bool) string {
	sum := sha256.Sum256(append([]byte(a.contentType+"\n"), a.body...))
	tag := hex.EncodeToString(sum[:12])
	if zip {
		tag += "-gzip"
	}
	return `"` + tag + `"`
}

// matches reports whether a reader that sent these If-None-Match headers has
// what tag stands for: RFC 9110, section 13.1.2, which compares weakly.
func matches(headers []string, tag string) bool {
	for _, candidate := range strings.Split(strings.Join(headers, ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}
