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
	"log/slog"
	"runtime/debug"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/route"
	"ocireffer/pkg/store"
)

// Deadline is how long a request may take once its body is read, retries to the
// store included. Azure waits 5 s for the answer to its native webhook and never
// sends it again. An answer is promised within 4.5 s, of which a cold start takes
// some.
const Deadline = 3 * time.Second

// New returns the routes of the write side.
//
// An event is written to log, whole, before it is stored, so that it can be sent
// again even after this process has died: a line "event". If it cannot be stored,
// an error follows that also has it: "event not stored". An event of a batch for
// which no time was left has the second line alone. The registry of a webhook's URL
// stands beside the event. A delete that the store goes on with, as it failed half-way,
// is a warning: "event not finished".
func New(s Settings, db store.Writer, log *slog.Logger) route.Routes {
	h := &handler{s, db, log}
	return route.Routes{
		"POST /api/webhook":      authorized(s.byTokenOrSignature, hook{h, "Webhook payload"}.receive),
		"OPTIONS /api/webhook":   handshake,
		"POST /api/azurehook":    authorized(s.byTokenOrSignature, hook{h, "Azure webhook payload"}.receive),
		"OPTIONS /api/azurehook": handshake,

		"PUT /api/references/{reference+}":    authorized(s.byToken, h.putReference),
		"DELETE /api/references/{reference+}": authorized(s.byToken, h.deleteReference),

		"PUT /api/categories/{category}/{name+}":    authorized(s.byToken, h.putMember),
		"DELETE /api/categories/{category}/{name+}": authorized(s.byToken, h.deleteMember),
	}
}

type handler struct {
	settings Settings
	db       store.Writer
	log      *slog.Logger
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
	if p := e.Push; p != nil {
		if why := h.settings.whyIgnored(p.Reference.Tag); why != "" {
			return h.ignore(ctx, *p, raw, why)
		}
	}
	deleted, err := h.apply(ctx, e, raw)
	if err != nil {
		return response{}, err
	}
	return stored(e, deleted), nil
}

// apply stores e, after the log has it as it came.
func (h *handler) apply(ctx context.Context, e event.Event, raw json.RawMessage) (store.Deleted, error) {
	h.logEvent(ctx, slog.LevelInfo, "event", raw)
	deleted, err := store.Apply(ctx, h.db, e)
	if deleted.Err != nil {
		h.logEvent(ctx, slog.LevelWarn, "event not finished", raw, slog.Any("err", deleted.Err))
	}
	return deleted, err
}

// logEvent writes a line with an event as it came, and the id of its request.
func (h *handler) logEvent(ctx context.Context, level slog.Level, msg string, raw json.RawMessage, more ...slog.Attr) {
	attrs := append([]slog.Attr{slog.Any("event", raw)}, more...)
	if id := requestlog.ID(ctx); id != "" {
		attrs = append(attrs, slog.String("requestId", id))
	}
	h.log.LogAttrs(ctx, level, msg, attrs...)
}
