// Package ingest is the write side. It checks that the sender may write, turns
// requests into events, stores them, and reports the result of each to the sender.
// Events come from webhooks, which package webhook parses, or are written by hand:
// references that a CI has pushed, and the members of categories.
package ingest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/route"
	"ocireffer/pkg/store"
	"ocireffer/pkg/webhook"
)

// Deadline is how long a request may take once its body is read, retries to the
// store included. Azure waits 5 s for the answer to its native webhook and never
// sends it again. An answer is promised within 4.5 s, of which a cold start takes
// some.
const Deadline = 3 * time.Second

// maxBody is the largest body that is read, in bytes. Azure sends at most 1 MB.
const maxBody = 1 << 20

// parallel is how many events of a batch are stored at once.
const parallel = 16

// New returns the routes of the write side. Each event of a webhook that could not
// be stored is written to log, whole, in a line of its own.
func New(s Settings, db store.Writer, log *slog.Logger) route.Routes {
	h := &handler{s, db, log}
	return route.Routes{
		"POST /api/azurehook":    h.authorized(hook{h, "Azure webhook payload"}.receive),
		"OPTIONS /api/azurehook": handshake,

		"PUT /api/references/{reference+}":    h.authorized(h.putReference),
		"DELETE /api/references/{reference+}": h.authorized(h.deleteReference),

		"PUT /api/categories/{category}/{name+}":    h.authorized(h.putMember),
		"DELETE /api/categories/{category}/{name+}": h.authorized(h.deleteMember),
	}
}

type handler struct {
	settings Settings
	db       store.Writer
	log      *slog.Logger
}

// An endpoint answers a request that has been let through. It gets the request's
// body, and a context that ends at the deadline.
type endpoint func(r *http.Request, body []byte) (response, error)

// authorized returns a handler that calls next for those who may write.
func (h *handler) authorized(next endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := h.serve(r, next)
		respond(r.Context(), w, answer, err)
	}
}

func (h *handler) serve(r *http.Request, next endpoint) (response, error) {
	// A stranger's body is not even read.
	if err := h.settings.authorize(r); err != nil {
		return response{}, err
	}
	body, err := readBody(r.Body)
	if err != nil {
		return response{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), Deadline)
	defer cancel()
	return next(r.WithContext(ctx), body)
}

func readBody(body io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return nil, badRequest{"the body was cut short: " + err.Error()}
	}
	if len(b) > maxBody {
		return nil, errTooLarge
	}
	return b, nil
}

// A hook receives webhooks, whoever sends them.
type hook struct {
	*handler
	payload string // the name of the body in error messages
}

// receive stores each event of a body by itself, and answers with a line for each.
func (h hook) receive(r *http.Request, body []byte) (response, error) {
	items, err := webhook.Parse(body, r.Header.Get, time.Now())
	if err != nil {
		return response{}, h.unusable(err)
	}
	ctx := r.Context()
	if len(items) == 1 {
		logNames(ctx, items[0].Event)
	} else {
		requestlog.Add(ctx, slog.Int("events", len(items)))
	}
	return join(h.handleAll(ctx, items)), nil
}

// unusable returns the error of a body, or of one event of it, that cannot be used.
func (h hook) unusable(err error) error {
	return badRequest{h.payload + " did not contain required fields: " + err.Error()}
}

// handleAll stores events concurrently and in random order, and returns a response
// for each, in their order. The order of storing does not affect the result, and if
// a batch exceeds the deadline, a random one lets each redelivery store different
// events.
func (h hook) handleAll(ctx context.Context, items []webhook.Item) []response {
	responses := make([]response, len(items))
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, i := range rand.Perm(len(items)) {
		group.Go(func() error {
			responses[i] = h.handle(ctx, items[i])
			return nil // one event's failure must not stop the others
		})
	}
	group.Wait()
	return responses
}

// handle carries out one item. An event that could not be stored is written to
// the log, so that it can be sent again.
func (h hook) handle(ctx context.Context, item webhook.Item) response {
	answer, err := h.try(ctx, item)
	if err == nil {
		return answer
	}
	answer = responseTo(err)
	if answer.err != nil {
		attrs := []slog.Attr{slog.Any("event", item.Raw), slog.Any("err", err), slog.String("requestId", requestlog.ID(ctx))}
		if p, ok := errors.AsType[*panicked](err); ok {
			attrs = append(attrs, slog.String("stack", string(p.stack)))
		}
		h.log.LogAttrs(ctx, slog.LevelError, "event not stored", attrs...)
	}
	return answer
}

// try carries out one item. A panic becomes an error, so that it fails this item
// alone.
func (h hook) try(ctx context.Context, item webhook.Item) (answer response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	switch {
	case item.Err != nil:
		return response{}, h.unusable(item.Err)
	case item.Event.IsZero():
		return answered(item.Answer), nil
	default:
		return h.store(ctx, item.Event)
	}
}

// logNames adds the names in e to the request's line in the log.
func logNames(ctx context.Context, e event.Event) {
	if e.Push != nil {
		logReference(ctx, e.Push.Reference)
	}
	if e.Delete != nil {
		requestlog.Add(ctx, slog.String("repository", e.Delete.Repository))
	}
}

func logReference(ctx context.Context, ref reference.Reference) {
	requestlog.Add(ctx, slog.String("repository", ref.Repository), slog.String("reference", ref.String()))
}

// store stores e, however it came, if its registry is allowed, and returns the
// response to it.
func (h *handler) store(ctx context.Context, e event.Event) (response, error) {
	// A membership is about a name, whatever its registry.
	if registry := e.Registry(); e.Membership == nil && !h.settings.allows(registry) {
		return response{}, forbidden{registry}
	}
	deleted, err := store.Apply(ctx, h.db, e)
	if err != nil {
		return response{}, err
	}
	return stored(e, deleted), nil
}

// handshake tells a CloudEvents sender that it may deliver here.
//
// See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
func handshake(w http.ResponseWriter, r *http.Request) {
	answer := response{status: http.StatusOK, outcome: "handshake", header: map[string]string{
		"WebHook-Allowed-Origin": r.Header.Get("WebHook-Request-Origin"),
		"WebHook-Allowed-Rate":   "*",
	}}
	var err error
	if r.Header.Get("WebHook-Request-Origin") == "" {
		err = badRequest{"The header WebHook-Request-Origin is missing"}
	}
	respond(r.Context(), w, answer, err)
}
