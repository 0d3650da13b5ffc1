// Package ingest is the write side. It checks that the sender may write, turns requests
// into events, stores them, and tells the sender the result of each. Events come from
// webhooks, which package webhook parses, or from writes by hand: references that a CI
// job pushed, and members of categories. It reads nothing for readers; package lookup
// does.
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

// Deadline is how long a request may take once its body is read, including retries in the
// store. Azure waits 5 s for the answer to its native webhook and never sends it again.
// The contract promises an answer within 4.5 s; a cold start may need a part of them.
const Deadline = 3 * time.Second

// New returns the routes of the write side.
//
// The log gets the whole event before it is stored, in a line "event". So it can be sent
// again even after this process has died. If it cannot be stored, an error line "event
// not stored" follows, which also contains it. An event in a batch that ran out of time
// has only the second line. Beside the event is the registry of the webhook's URL. A
// warning "event not finished" means that a delete failed half-way and the store
// completes it.
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

// storeByHand stores an event that was written by hand. The log shows it as JSON.
func (h *handler) storeByHand(ctx context.Context, e event.Event) (response, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return response{}, err
	}
	return h.store(ctx, e, raw)
}

// store stores e if its registry is allowed, and returns the response. raw is e as it
// came.
func (h *handler) store(ctx context.Context, e event.Event, raw json.RawMessage) (response, error) {
	if e.Membership == nil { // a membership may be of any registry
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

// try stores e if there is time. A panic becomes an error, so that only this event fails.
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

// apply stores e after logging it as it came.
func (h *handler) apply(ctx context.Context, e event.Event, raw json.RawMessage) (store.Deleted, error) {
	h.logEvent(ctx, slog.LevelInfo, "event", raw)
	deleted, err := store.Apply(ctx, h.db, e)
	if deleted.Err != nil {
		h.logEvent(ctx, slog.LevelWarn, "event not finished", raw, slog.Any("err", deleted.Err))
	}
	return deleted, err
}

// logEvent logs an event as it came, with the ID of its request.
func (h *handler) logEvent(ctx context.Context, level slog.Level, msg string, raw json.RawMessage, more ...slog.Attr) {
	attrs := append([]slog.Attr{slog.Any("event", raw)}, more...)
	if id := requestlog.ID(ctx); id != "" {
		attrs = append(attrs, slog.String("requestId", id))
	}
	h.log.LogAttrs(ctx, level, msg, attrs...)
}
