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

	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// handler handles all routes.
type handler struct {
	settings Settings
	store    store.Reader
	db       store.Reader // the store, behind the lists in memory
}

// A renderer is a way to answer.
type renderer struct {
	contentType string
	header      func(http.Header) // sets the renderer's own headers; nil: none
	alwaysOK    bool              // the reader's mistakes are also answered with 200

	// found asks the store and draws the answer to req.
	found func(ctx context.Context, h *handler, req request) (body []byte, err error)
	// failed draws a failure.
	failed func(h *handler, req request, f failure) (body []byte)
}

// A failure is what a reader is told about an error.
type failure struct {
	status  int
	outcome string // for the log
	text    string // a sentence for the reader
}

const notPublished = "Provider not yet published"

// failureOf is the one place where an error becomes a failure. An error that it does not
// know is our fault: it goes to the log, not to the reader.
func failureOf(err error) failure {
	if bad, ok := errors.AsType[*queryError](err); ok {
		return failure{http.StatusBadRequest, "bad_query", bad.Error()}
	}
	if none, ok := errors.AsType[*store.NoMatchError](err); ok {
		text := "No tag matches"
		if none.More {
			text = fmt.Sprintf("No match among %d tags", none.Read)
		}
		return failure{http.StatusNotFound, "no_match", text}
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return failure{http.StatusNotFound, "unknown", notPublished}
	case errors.Is(err, errNoCategory):
		return failure{http.StatusNotFound, "unknown", "No such category"}
	case errors.Is(err, errNoDigest):
		return failure{http.StatusNotFound, "no_digest", "digest unknown"}
	case errors.Is(err, errNoVersion):
		return failure{http.StatusNotFound, "no_version", "no version"}
	default:
		return failure{http.StatusServiceUnavailable, "store_failed", "Lookup failed, try again"}
	}
}

// serve returns the handler of a route with these formats. Its parser sets the format of
// each request.
func (h *handler) serve(parse func(*http.Request) (request, error), formats map[string]renderer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, err := parse(r)
		h.respond(r.Context(), w, formats[req.query.format], req, err)
	}
}

// respond answers req within Deadline. err is the mistake in the request, or nil.
func (h *handler) respond(ctx context.Context, w http.ResponseWriter, render renderer, req request, err error) {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	if req.name != (reference.Name{}) {
		requestlog.Add(ctx, slog.String("repository", req.name.String()))
	}
	var body []byte
	if err == nil {
		body, err = render.found(ctx, h, req)
	}
	if err != nil {
		h.fail(ctx, w, render, req, err)
		return
	}
	requestlog.Add(ctx, slog.String("outcome", "found"))
	h.write(w, render, req, http.StatusOK, body)
}

// fail answers req with a failure.
func (h *handler) fail(ctx context.Context, w http.ResponseWriter, render renderer, req request, err error) {
	f := failureOf(err)
	requestlog.Add(ctx, slog.String("outcome", f.outcome))
	status := f.status
	switch {
	case status >= 500:
		requestlog.Add(ctx, slog.Any("err", err))
	case render.alwaysOK:
		status = http.StatusOK
	}
	h.write(w, render, req, status, render.failed(h, req, f))
}

// write sends an answer, or 304 instead of a 200 that the reader already has. Failures of
// ours must not be cached.
func (h *handler) write(w http.ResponseWriter, render renderer, req request, status int, body []byte) {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("X-Content-Type-Options", "nosniff")
	if render.header != nil {
		render.header(header)
	}
	if req.byAccept {
		header.Set("Vary", "Accept")
	}
	if status >= 500 {
		header.Set("Cache-Control", "no-store")
		send(w, render, req, status, body)
		return
	}
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(h.settings.CacheSeconds))
	zip := false
	if len(body) >= minGzip {
		header.Set("Vary", strings.TrimPrefix(header.Get("Vary")+", Accept-Encoding", ", "))
		zip = acceptsGzip(req.acceptEncoding)
	}
	tag := etag(render.contentType, body, zip)
	header.Set("ETag", tag)
	if status == http.StatusOK && has(req.ifNoneMatch, tag) { // RFC 9110, section 13.2.1
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if zip {
		header.Set("Content-Encoding", "gzip")
		body = compress(body)
	}
	send(w, render, req, status, body)
}

func send(w http.ResponseWriter, render renderer, req request, status int, body []byte) {
	w.Header().Set("Content-Type", render.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if !req.isHead {
		w.Write(body)
	}
}

// etag returns a strong ETag. The gzip encoding has a different one, since its bytes
// differ.
func etag(contentType string, body []byte, zip bool) string {
	sum := sha256.Sum256(append([]byte(contentType+"\n"), body...))
	tag := hex.EncodeToString(sum[:12])
	if zip {
		tag += "-gzip"
	}
	return `"` + tag + `"`
}

// has reports whether a reader with these If-None-Match headers has the answer with tag,
// by weak comparison (RFC 9110, section 13.1.2).
func has(headers []string, tag string) bool {
	for candidate := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}
