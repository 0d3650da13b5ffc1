// Package webhook parses the events that registries send when something happens to a
// repository. It turns the body of a request into events: it stores nothing and does not
// ask the clock. The shape of a body tells who sent it. Each sender has its own file, and
// a line in senders.go.
package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"ocireffer/pkg/event"
)

// An Item is the result for one event in a body: an event to store, an answer to send, or
// an error. Exactly one of Event, Answer and Err is set.
type Item struct {
	Event  event.Event
	Answer Answer
	Err    error

	// Insistent says that the sender cannot handle a refusal: it repeats a refused event
	// for ever and sends nothing else, or it stops sending.
	Insistent bool

	// Raw is the event as JSON, so that it can be sent again on its own.
	Raw json.RawMessage
}

// An Answer is the response to an event that changes nothing.
type Answer struct {
	Outcome Outcome // for the log
	Text    string  // for the sender
	JSON    bool    // Text is JSON and must be the whole answer
}

// An Outcome says in a word why there is nothing to store.
type Outcome string

const (
	Pong      Outcome = "pong"      // a test of the webhook
	Ignored   Outcome = "ignored"   // ocireffer does not store events of this kind
	Validated Outcome = "validated" // Event Grid validates its subscription
)

// MaxBatch is how many events a body may have. Event Grid sends at most 5,000.
const MaxBatch = 5000

// A Delivery is what a request says besides its body.
type Delivery struct {
	// Header returns the value of a header, or "" if it is absent. Only CloudEvents in
	// binary mode use headers.
	Header func(name string) string
	// Registry replaces the registry of an event, named or not. It comes from
	// reference.ParseRegistry. If it is empty, the event must name its registry.
	Registry string
	// Now is the time of receipt.
	Now time.Time
}

// Parse parses the events in a request's body, in order. An error says why the body has
// no events at all; a single bad event is an Item with Err.
//
// It decodes each level separately, so that a field of a wrong type does not make
// json.Unmarshal reject the rest.
func Parse(body []byte, d Delivery) ([]Item, error) {
	// RFC 8259, section 8.1: JSON is UTF-8. The decoder would replace bad bytes.
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not UTF-8")
	}
	if !json.Valid(body) {
		return nil, errors.New("the body is not JSON")
	}
	if batch := listOf(body); batch != nil {
		return parseBatch(batch, d)
	}
	if d.Header("ce-specversion") != "" && objectOf(body) != nil {
		var err error
		if body, err = fromBinaryMode(body, d.Header); err != nil {
			return nil, err
		}
	}
	return parse(body, d), nil
}

func parseBatch(batch []json.RawMessage, d Delivery) ([]Item, error) {
	if len(batch) == 0 {
		return nil, errors.New("the body is an empty array")
	}
	if err := checkSize(len(batch), 0); err != nil {
		return nil, err
	}
	items := make([]Item, 0, len(batch))
	size := 0
	for _, raw := range batch {
		more := parse(raw, d) // an envelope may contain several events
		for _, item := range more {
			size += len(item.Raw)
		}
		items = append(items, more...)
		if err := checkSize(len(items), size); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// maxRaw is how many bytes Item.Raw of a body's items may have together. The events of an
// envelope repeat what they share, so that it can be much more than the body has.
const maxRaw = 8 << 20

// checkSize returns why a body is not taken apart: it has too many events, or these too
// many bytes.
func checkSize(events, size int) error {
	switch {
	case events > MaxBatch:
		return fmt.Errorf("the body has more than %d events", MaxBatch)
	case size > maxRaw:
		return fmt.Errorf("the events of the body would have more than %d bytes, each with what they share", maxRaw)
	default:
		return nil
	}
}

// fromBinaryMode converts a CloudEvent from binary to structured mode. In binary mode the
// data is in the body and the other attributes are in headers. Item.Raw must contain
// both, so that the event can be sent again without the headers.
//
// See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
func fromBinaryMode(data json.RawMessage, header func(string) string) (json.RawMessage, error) {
	e := map[string]any{"data": data}
	for _, attribute := range []string{"specversion", "type", "source", "id", "time", "subject"} {
		if v := header("ce-" + attribute); v != "" {
			e[attribute] = v
		}
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("join headers and body: %w", err)
	}
	return b, nil
}

// parse parses one event, or an envelope of several.
func parse(raw json.RawMessage, d Delivery) []Item {
	body := objectOf(raw)
	if body == nil {
		return []Item{{Err: errNotObject, Raw: raw}}
	}
	s := senderOf(body)
	items := s.parse(body, d)
	for i := range items {
		items[i].Insistent = s.insistent
		if items[i].Raw == nil {
			items[i].Raw = raw
		}
	}
	return items
}

var errNotObject = errors.New("the event is not an object")

func answer(outcome Outcome, text string) Item {
	return Item{Answer: Answer{Outcome: outcome, Text: text}}
}

func ignore(format string, args ...any) Item {
	return answer(Ignored, "Ignored: "+fmt.Sprintf(format, args...))
}

func refuse(err error) Item { return Item{Err: err} }

// deleted returns the item of a delete with its time and the time of its receipt.
func deleted(t event.Target, at, received time.Time) Item {
	return Item{Event: event.Event{Delete: &event.Delete{Target: t, DeletedAt: at, ReceivedAt: received.UTC()}}}
}
