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
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// New makes the read side: the routes of the lookup function.
func New(s Settings, db store.Reader) gateway.Routes {
	h := &handler{s, db}
	return gateway.Routes{
		"GET /{name+}":  h.badge,
		"HEAD /{name+}": h.badge,
	}
}

type handler struct {
	settings Settings
	db       store.Reader
}

// badge answers with the newest reference of a repository.
func (h *handler) badge(w http.ResponseWriter, r *http.Request) {
	push, err := h.pick(r)
	b, a := h.draw(push, err), answer{status: http.StatusOK, contentType: "application/json"}
	switch {
	case err == nil:
		a.outcome = "found"
		requestlog.Add(r.Context(), slog.String("reference", push.Reference.String()))
	case errors.Is(err, store.ErrNotFound):
		a.outcome = "unknown"
	default:
		a.outcome, a.status = "store_failed", http.StatusServiceUnavailable
		requestlog.Add(r.Context(), slog.Any("err", err))
	}
	a.body = b.JSON()
	h.write(w, r, a)
}

// pick asks the store for what r wants. A name that is none costs no read.
func (h *handler) pick(r *http.Request) (store.Push, error) {
	name, err := reference.Name(strings.TrimSuffix(r.PathValue("name"), "/"))
	if err != nil {
		return store.Push{}, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	requestlog.Add(r.Context(), slog.String("repository", name))
	ctx, cancel := context.WithTimeout(r.Context(), Deadline)
	defer cancel()
	return h.db.Pick(ctx, store.Query{Name: name, Order: store.ByPushed})
}

// draw is the badge that says push, or what went wrong. What it does not know is
// our fault: the log gets err, the reader does not.
func (h *handler) draw(push store.Push, err error) badge.Badge {
	b := badge.Badge{Label: h.settings.Label, Color: "lightgrey", IsError: true}
	switch {
	case err == nil:
		b.Message, b.Color, b.Logo, b.IsError = push.Reference.String(), h.settings.Color, h.settings.Logo, false
	case errors.Is(err, store.ErrNotFound):
		b.Message = "Provider not yet published"
	default:
		b.Message = "Lookup failed, try again"
	}
	return b
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
		tag := etag(a)
		header.Set("ETag", tag)
		if matches(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	header.Set("Content-Type", a.contentType)
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		w.Write(a.body)
	}
}

// etag is a strong one: equal tags, equal bytes.
func etag(a answer) string {
	sum := sha256.Sum256(append([]byte(a.contentType+"\n"), a.body...))
	return `"` + hex.EncodeToString(sum[:12]) + `"`
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
