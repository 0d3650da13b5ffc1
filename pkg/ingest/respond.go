package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/webhook"
)

// A response is the answer to a request, or to one event in it.
type response struct {
	status  int
	outcome string            // one word for the log
	text    string            // for the sender
	header  map[string]string // besides the headers of every answer
	err     error             // why the status is 500, for the log
}

// Outcomes that are used in more than one place.
const (
	badInput    = "bad_request"
	notAllowed  = "forbidden"
	storeFailed = "store_failed"
)

// stored returns the response to e. deleted tells which references e has deleted.
func stored(e event.Event, deleted store.Deleted) response {
	switch {
	case e.Push != nil:
		return response{status: http.StatusOK, outcome: "stored", text: fmt.Sprintf("Url %s stored for %s", e.Push.Reference, e.Push.ListedAs())}
	case e.Delete != nil:
		return response{status: http.StatusOK, outcome: "deleted", text: deletedText(e.Delete.ListedAs(), deleted)}
	case e.Membership.Removed:
		return response{status: http.StatusNoContent, outcome: "deleted"}
	default:
		return response{status: http.StatusNoContent, outcome: "stored"}
	}
}

func deletedText(listed reference.Name, deleted store.Deleted) string {
	noun, rest := "references", ""
	if deleted.References == 1 {
		noun = "reference"
	}
	if deleted.More {
		rest = ", more follow"
	}
	return fmt.Sprintf("Deleted %d %s of %s%s", deleted.References, noun, listed, rest)
}

// answered returns the response to an event that changes nothing.
func answered(a webhook.Answer) response {
	answer := response{status: http.StatusOK, outcome: string(a.Outcome), text: a.Text}
	if a.JSON {
		answer.header = map[string]string{"Content-Type": "application/json"}
	}
	return answer
}

// A badRequest tells the sender what is wrong with its request.
type badRequest struct{ text string }

func (e badRequest) Error() string { return e.text }

// A forbidden is the error of an event whose registry is not allowed.
type forbidden struct{ registry string }

func (e forbidden) Error() string { return "registry " + e.registry + " is not allowed" }

var (
	errNoToken    = errors.New("no token")
	errWrongToken = errors.New("a token that is not accepted")
	errTooLarge   = errors.New("the body is too large")
)

// A notCategorized is the store's error for a membership.
type notCategorized struct {
	event.Membership
	error
}

func (e notCategorized) text() string {
	if e.Removed {
		return fmt.Sprintf("Failed to remove %s from %s", e.Name, e.Category)
	}
	return fmt.Sprintf("Failed to store %s in %s", e.Name, e.Category)
}

// A panicked is the error of an event whose handling panicked.
type panicked struct {
	value any
	stack []byte
}

func (e *panicked) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// responseTo is the one place where an error becomes a status and a sentence. All errors
// but those above come from the store or from this code. They are for the log, not for
// the sender.
func responseTo(err error) response {
	if e, ok := errors.AsType[badRequest](err); ok {
		return response{status: http.StatusBadRequest, outcome: badInput, text: e.text}
	}
	if e, ok := errors.AsType[forbidden](err); ok {
		return response{status: http.StatusForbidden, outcome: notAllowed, text: fmt.Sprintf("Registry %s is not allowed", e.registry)}
	}
	if errors.Is(err, errTooLarge) {
		return response{status: http.StatusRequestEntityTooLarge, outcome: "too_large", text: fmt.Sprintf("The body is larger than %d bytes", maxBody)}
	}
	if errors.Is(err, errNoToken) {
		return unauthorized("no_token")
	}
	if errors.Is(err, errWrongToken) {
		return unauthorized("wrong_token")
	}
	text := "Failed to store url"
	if e, ok := errors.AsType[notCategorized](err); ok {
		text = e.text()
	}
	return response{status: http.StatusInternalServerError, outcome: storeFailed, text: text, err: err}
}

// unauthorized returns a response that does not tell why the sender may not write.
func unauthorized(outcome string) response {
	return response{status: http.StatusUnauthorized, outcome: outcome, text: "Unauthorized",
		header: map[string]string{"WWW-Authenticate": "Bearer"}}
}

// join returns the answer to a batch of at least one event. It has a line for each event,
// and the status that matters most to the sender.
func join(responses []response) response {
	if len(responses) == 1 {
		return responses[0]
	}
	worst := slices.MaxFunc(responses, func(a, b response) int { return a.severity() - b.severity() })
	lines := make([]string, len(responses))
	for i, answer := range responses {
		lines[i] = answer.text
	}
	return response{status: worst.status, outcome: worst.outcome, text: strings.Join(lines, "\n"), err: worst.err}
}

// severity ranks the answers to the events of a batch. A sender repeats a batch only
// after a 500, so one event that could not be stored makes the answer a 500; repeating
// the stored ones changes nothing. The answer is 400 only if no event could be used, and
// 403 only if all were forbidden.
func (r response) severity() int {
	switch r.outcome {
	case storeFailed:
		return 3
	case badInput:
		return 1
	case notAllowed:
		return 0
	default:
		return 2
	}
}

// withoutRefusal returns the response to a sender that cannot handle a refusal: it says
// that the event was ignored. The log keeps the real outcome.
func (r response) withoutRefusal() response {
	if r.outcome == badInput || r.outcome == notAllowed {
		r.status, r.text = http.StatusOK, "Ignored: "+r.text
	}
	return r
}

// respond answers a request and adds the outcome to its log line.
func respond(ctx context.Context, w http.ResponseWriter, answer response, err error) {
	if err != nil {
		answer = responseTo(err)
	}
	requestlog.Add(ctx, slog.String("outcome", answer.outcome))
	if answer.err != nil {
		requestlog.Add(ctx, slog.Any("err", answer.err))
	}
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	if answer.status != http.StatusNoContent {
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	for name, value := range answer.header {
		header.Set(name, value)
	}
	w.WriteHeader(answer.status)
	io.WriteString(w, answer.text)
}
