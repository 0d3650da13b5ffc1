package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/webhook"
)

// parallel is how many events of a batch are stored concurrently.
const parallel = 16

// reportTime is how long a function of 128 MB needs to log and answer one event that ran
// out of time. A batch stops storing early enough to do so for all its events, so that
// its answer still meets Deadline.
const reportTime = 200 * time.Microsecond

// A hook receives webhooks from any sender.
type hook struct {
	*handler
	payload string // what error messages call the body
}

// receive stores each event of a body separately, and answers with a line for each.
func (h hook) receive(r *http.Request, body []byte) (response, error) {
	registry, err := givenRegistry(r)
	if err != nil {
		return response{}, badRequest{err.Error()}
	}
	if registry != "" {
		// The event itself does not contain it.
		h.handler = &handler{h.settings, h.db, h.log.With("registry", registry)}
	}
	items, err := webhook.Parse(body, webhook.Delivery{Header: r.Header.Get, Registry: registry, Now: time.Now()})
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

// givenRegistry returns the registry in the webhook's URL, or "".
func givenRegistry(r *http.Request) (string, error) {
	host := r.URL.Query().Get("registry")
	if host == "" {
		return "", nil
	}
	registry, err := reference.ParseRegistry(host)
	if err != nil {
		return "", fmt.Errorf("registry behind the webhook's URL: %w", err)
	}
	return registry, nil
}

// unusable returns the error for a body, or for one event in it, that cannot be used.
func (h hook) unusable(err error) error {
	return badRequest{h.payload + " did not contain required fields: " + err.Error()}
}

// handleAll stores events concurrently and in random order, and returns their responses
// in the order of items. The order of storing does not affect the result. If a batch
// exceeds the deadline, a random order lets each redelivery store different events.
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

// handle handles one item.
func (h hook) handle(ctx context.Context, item webhook.Item) response {
	switch {
	case item.Err != nil && item.Insistent:
		return responseTo(badRequest{item.Err.Error()}).withoutRefusal()
	case item.Err != nil:
		return responseTo(h.unusable(item.Err))
	case item.Event.IsZero():
		return answered(item.Answer)
	}
	answer, err := h.store(ctx, item.Event, item.Raw)
	if err != nil {
		answer = responseTo(err)
	}
	if item.Insistent {
		answer = answer.withoutRefusal()
	}
	return answer
}

// logNames adds the names in e to the request's log line.
func logNames(ctx context.Context, e event.Event) {
	if e.Push != nil {
		logReference(ctx, e.Push.Reference)
	}
	if e.Delete != nil {
		requestlog.Add(ctx, slog.String("repository", e.Delete.Repository))
	}
}

// handshake tells a CloudEvents sender that it may deliver here.
//
// See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
func handshake(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("WebHook-Request-Origin")
	if origin == "" {
		respond(r.Context(), w, response{}, badRequest{"The header WebHook-Request-Origin is missing"})
		return
	}
	respond(r.Context(), w, response{status: http.StatusOK, outcome: "handshake", header: map[string]string{
		"WebHook-Allowed-Origin": origin,
		"WebHook-Allowed-Rate":   "*",
	}}, nil)
}
