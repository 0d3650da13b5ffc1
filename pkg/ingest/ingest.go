// Package ingest takes in what registries report: it checks who calls, has the
// body read by package acr, puts pushes and deletes into the store, and says
// what became of each event. References can also be recorded and forgotten by hand,
// and names put into categories.
package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ocireffer/pkg/acr"
	"ocireffer/pkg/gateway"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// maxBody is the largest body that is read, in bytes. Azure sends at most 1 MB.
const maxBody = 1 << 20

// parallel bounds the events of a batch that are stored at once.
const parallel = 16

// New makes the write side: the routes of the ingest function. Log gets the
// events that could not be stored, each whole in a line of its own.
func New(s Settings, db store.Writer, log *slog.Logger) gateway.Routes {
	h := &handler{s, db, log}
	return gateway.Routes{
		"POST /api/azurehook":    h.authorized(h.azurehook),
		"OPTIONS /api/azurehook": h.handshake,

		"PUT /api/references/{reference+}":    h.authorized(h.putReference),
		"DELETE /api/references/{reference+}": h.authorized(h.deleteReference),

		"PUT /api/categories/{category}/{name+}":    h.authorized(h.categorize(false)),
		"DELETE /api/categories/{category}/{name+}": h.authorized(h.categorize(true)),
	}
}

type handler struct {
	settings Settings
	db       store.Writer
	log      *slog.Logger
}

// authorized lets only those through to next who have an accepted token, in the
// Authorization header or, as Event Grid can send no other, in the query.
func (h *handler) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			token = r.URL.Query().Get("token")
		}
		token = strings.TrimSpace(token)
		if h.settings.WithoutToken && len(h.settings.Tokens) == 0 || token != "" && h.settings.accepts(token) {
			next(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, r, result{http.StatusUnauthorized, "unauthorized", "Unauthorized"})
	}
}

// handshake lets CloudEvents senders deliver here.
//
// See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
func (h *handler) handshake(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("WebHook-Request-Origin")
	if origin == "" {
		answer(w, r, result{http.StatusBadRequest, "bad_request", "The header WebHook-Request-Origin is missing"})
		return
	}
	w.Header().Set("WebHook-Allowed-Origin", origin)
	w.Header().Set("WebHook-Allowed-Rate", "*")
	answer(w, r, result{http.StatusOK, "handshake", ""})
}

// result is what became of an event, or of a request.
type result struct {
	status  int
	outcome string // for the log
	text    string // for the sender
}

// azurehook stores the events of one request, each for itself, and answers line
// by line.
func (h *handler) azurehook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		answer(w, r, bad(fmt.Errorf("the body was cut short: %w", err)))
		return
	}
	if len(body) > maxBody {
		answer(w, r, tooLarge)
		return
	}
	now := time.Now()
	events, err := acr.Parse(body, r.Header.Get, now)
	if err != nil {
		answer(w, r, bad(err))
		return
	}
	if len(events) == 1 {
		logEvent(r.Context(), events[0])
	} else {
		requestlog.Add(r.Context(), slog.Int("events", len(events)))
	}
	a := join(h.handleAll(r, events, now))
	if len(events) == 1 && events[0].Kind == acr.Validation {
		w.Header().Set("Content-Type", "application/json")
	}
	answer(w, r, a)
}

// handleAll handles events side by side. Their order does not matter, so it is
// chance's: of a batch that is too long for the deadline each repeat stores other
// events.
func (h *handler) handleAll(r *http.Request, events []acr.Event, now time.Time) []result {
	ctx, cancel := h.deadline(r)
	defer cancel()
	results := make([]result, len(events))
	room := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for _, i := range rand.Perm(len(events)) {
		event := events[i]
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			var err error
			if results[i], err = h.handle(ctx, event, now); err != nil {
				h.log.LogAttrs(ctx, slog.LevelError, "event not stored",
					slog.Any("event", event.Raw), slog.Any("err", err),
					slog.String("requestId", r.Header.Get(gateway.RequestIDHeader)))
			}
		})
	}
	wg.Wait()
	return results
}

// handle does what event asks for. An error is the store's: the result says no
// more to the sender than that there was one.
func (h *handler) handle(ctx context.Context, event acr.Event, now time.Time) (result, error) {
	if (event.Kind == acr.Push || event.Kind == acr.Delete) && !h.settings.allows(event.Registry) {
		return forbidden(event.Registry), nil
	}
	switch event.Kind {
	case acr.Push:
		p := push(event)
		if err := h.db.Push(ctx, p); err != nil {
			return notStored, err
		}
		return result{http.StatusOK, "stored", fmt.Sprintf("Url %s stored for %s", p.Reference, event.Repository)}, nil
	case acr.Delete:
		n, err := h.db.Delete(ctx, store.Delete{
			Registry: event.Registry, Repository: event.Repository, Tag: event.Tag, Digest: event.Digest,
			DeletedAt: event.Time, ReceivedAt: now,
		})
		if err != nil {
			return notStored, err
		}
		return deleted(n, event.Repository), nil
	case acr.Ping:
		return result{http.StatusOK, "pong", "pong"}, nil
	case acr.Validation:
		return result{http.StatusOK, "validated", validationResponse(event.Code)}, nil
	case acr.Ignored:
		return result{http.StatusOK, "ignored", "Ignored: " + event.Why}, nil
	default:
		return bad(event.Err), nil
	}
}

// deadline bounds what is left to do for r.
func (h *handler) deadline(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), Deadline)
}

var (
	notStored = result{http.StatusInternalServerError, "store_failed", "Failed to store url"}
	tooLarge  = result{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("The body is larger than %d bytes", maxBody)}
)

func forbidden(registry string) result {
	return result{http.StatusForbidden, "forbidden", fmt.Sprintf("Registry %s is not allowed", registry)}
}

func deleted(n int, name string) result {
	noun := "references"
	if n == 1 {
		noun = "reference"
	}
	return result{http.StatusOK, "deleted", fmt.Sprintf("Deleted %d %s of %s", n, noun, name)}
}

func bad(err error) result {
	return result{http.StatusBadRequest, "bad_request", "Azure webhook payload did not contain required fields: " + err.Error()}
}

func push(event acr.Event) store.Push {
	return store.Push{
		Reference: reference.Reference{Registry: event.Registry, Repository: event.Repository, Tag: event.Tag},
		Digest:    event.Digest,
		MediaType: event.MediaType,
		Size:      event.Size,
		PushedAt:  event.Time,
	}
}

// validationResponse is what Event Grid wants to read before it sends events.
//
// See https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
func validationResponse(code string) string {
	b, err := json.Marshal(map[string]string{"validationResponse": code})
	if err != nil {
		panic(err) // a string can be encoded
	}
	return string(b)
}

// join is the answer to a batch: a line for each event, and the status that
// makes the sender do right. It repeats all after a 500, which changes nothing
// where an event was stored before; after any other it does not come again.
func join(results []result) result {
	all := result{status: http.StatusForbidden, outcome: "forbidden"}
	lines := make([]string, len(results))
	for i, r := range results {
		lines[i] = r.text
		if rank(r.status) > rank(all.status) {
			all.status, all.outcome = r.status, r.outcome
		}
	}
	all.text = strings.Join(lines, "\n")
	return all
}

func rank(status int) int {
	return slices.Index([]int{http.StatusForbidden, http.StatusBadRequest, http.StatusOK, http.StatusInternalServerError}, status)
}

// answer sends a as text, unless the header has another type already.
func answer(w http.ResponseWriter, r *http.Request, a result) {
	requestlog.Add(r.Context(), slog.String("outcome", a.outcome))
	if w.Header().Get("Content-Type") == "" && a.status != http.StatusNoContent {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	io.WriteString(w, a.text)
}

// logEvent puts what the event is about into the request's line.
func logEvent(ctx context.Context, event acr.Event) {
	if event.Repository == "" {
		return
	}
	requestlog.Add(ctx, slog.String("repository", event.Repository))
	if event.Kind == acr.Push {
		requestlog.Add(ctx, slog.String("reference", push(event).Reference.String()))
	}
}
