// Package ingest is the write side. It checks that the sender may write, turns
// requests into events, stores them, and reports the result of each to the sender.
// Events come from webhooks, which package webhook parses, or are written by hand:
// references that a CI has pushed, and the members of categories.
package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

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

// reportTime is how long it takes, in a function of 128 MB, to log and to answer an
// event for which no time is left. A batch stops storing early enough for all of its
// events, so that its answer, too, is within Deadline.
const reportTime = 200 * time.Microsecond

// New returns the routes of the write side.
//
// An event is written to log, whole, before it is stored, so that it can be sent
// again even after this process has died: a line "event". If it cannot be stored,
// an error follows that also has it: "event not stored". An event of a batch for
// which no time was left has the second line alone. A delete that the store goes on
// with, as it failed half-way, is a warning: "event not finished".
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
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reportTime*time.Duration(len(items))))
		defer cancel()
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
	next := make(chan int, len(items))
	for _, i := range rand.Perm(len(items)) {
		next <- i
	}
	close(next)
	var workers sync.WaitGroup
	for range min(parallel, len(items)) {
		workers.Go(func() {
			for i := range next {
				responses[i] = h.handle(ctx, items[i])
			}
		})
	}
	workers.Wait()
	return responses
}

// handle carries out one item.
func (h hook) handle(ctx context.Context, item webhook.Item) response {
	switch {
	case item.Err != nil:
		return responseTo(h.unusable(item.Err))
	case item.Event.IsZero():
		return answered(item.Answer)
	}
	answer, err := h.store(ctx, item.Event, item.Raw)
	if err != nil {
		return responseTo(err)
	}
	return answer
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

// storeByHand stores an event that is written by hand. The log has it as JSON.
func (h *handler) storeByHand(ctx context.Context, e event.Event) (response, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return response{}, err
	}
	return h.store(ctx, e, raw)
}

// store stores e, however it came, if its registry is allowed, and returns the
// response to it. raw is e as it came.
func (h *handler) store(ctx context.Context, e event.Event, raw json.RawMessage) (response, error) {
	if e.Membership == nil { // which is about a name, whatever its registry
		if err := h.settings.allow(e.Registry()); err != nil {
			return response{}, err
		}
	}
	answer, err := h.try(ctx, e, raw)
	if err == nil {
		return answer, nil
	}
	attrs := []slog.Attr{slog.Any("err", err)}
	if p, ok := errors.AsType[*panicked](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	h.logEvent(ctx, slog.LevelError, "event not stored", raw, attrs...)
	return response{}, err
}

// try stores e, if there is time for it. A panic becomes an error, so that it fails
// this event alone.
func (h *handler) try(ctx context.Context, e event.Event, raw json.RawMessage) (answer response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	if err := ctx.Err(); err != nil {
		return response{}, fmt.Errorf("not tried: %w", err)
	}
	h.logEvent(ctx, slog.LevelInfo, "event", raw)
	deleted, err := store.Apply(ctx, h.db, e)
	if err != nil {
		return response{}, err
	}
	if deleted.Err != nil {
		h.logEvent(ctx, slog.LevelWarn, "event not finished", raw, slog.Any("err", deleted.Err))
	}
	return stored(e, deleted), nil
}

// logEvent writes a line with an event as it came, and the id of its request.
func (h *handler) logEvent(ctx context.Context, level slog.Level, msg string, raw json.RawMessage, more ...slog.Attr) {
	attrs := append([]slog.Attr{slog.Any("event", raw)}, more...)
	if id := requestlog.ID(ctx); id != "" {
		attrs = append(attrs, slog.String("requestId", id))
	}
	h.log.LogAttrs(ctx, level, msg, attrs...)
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
