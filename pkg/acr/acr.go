// Package acr reads what Azure Container Registry sends to a webhook: its native
// payload, Event Grid events and CloudEvents, alone or in batches. It turns
// bytes into events and no more: it answers nobody, stores nothing and does not
// ask the clock.
//
// Payloads: https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference
// and https://learn.microsoft.com/azure/event-grid/event-schema-container-registry.
package acr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A Kind says what an event asks for.
type Kind int

const (
	Bad        Kind = iota // nothing: Err says what is wrong with it
	Push                   // a tag was pushed
	Delete                 // a digest, a tag or a whole repository was deleted
	Ping                   // someone tries the webhook
	Validation             // Event Grid asks whether its subscription is welcome
	Ignored                // nothing: Why says what it was
)

// An Event is one thing that a registry reports.
type Event struct {
	Kind Kind

	// Of a push all of these but what is unknown: the digest and the media
	// type are empty then, and the size is -1. Of a delete the registry and the
	// repository, and the tag or the digest if there is one.
	Registry   string
	Repository string
	Tag        string
	Digest     string
	MediaType  string
	Size       int64 // of the manifest, in bytes

	// Time is when it happened, in UTC: the first of the payload's timestamp
	// and the envelope's time that can be used, else the time of receipt.
	Time time.Time

	Code string // of a validation: what must be sent back
	Why  string // of an ignored event
	Err  error  // of a bad event

	// Raw is the event as JSON, so that it can be sent again by itself.
	Raw json.RawMessage
}

// ClockSkew is how far ahead of the clock an event's time may be. A time from
// further in the future would win against every true one to come.
const ClockSkew = 5 * time.Minute

// MaxBatch is how many events a body may have. Event Grid sends at most 5,000.
const MaxBatch = 5000

// Parse reads the events of a request's body, in order. Header gives a header's
// value, empty if it is absent; only CloudEvents in binary mode have theirs
// there. Now is the time of receipt. An error says why there is no event at all;
// an event that is bad by itself has the kind Bad and stands among the others.
func Parse(body []byte, header func(name string) string, now time.Time) ([]Event, error) {
	// RFC 8259, section 8.1: JSON is UTF-8. Its decoder would mend what is not.
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not UTF-8")
	}
	if !json.Valid(body) {
		return nil, errors.New("the body is not JSON")
	}
	var batch []json.RawMessage
	if json.Unmarshal(body, &batch) == nil && batch != nil {
		if len(batch) == 0 {
			return nil, errors.New("the body is an empty array")
		}
		if len(batch) > MaxBatch {
			return nil, fmt.Errorf("the body has %d events, more than %d", len(batch), MaxBatch)
		}
		events := make([]Event, len(batch))
		for i, raw := range batch {
			events[i] = parse(raw, now)
		}
		return events, nil
	}
	if header("ce-specversion") != "" && objectOf(body) != nil {
		var err error
		if body, err = structured(body, header); err != nil {
			return nil, err
		}
	}
	return []Event{parse(body, now)}, nil
}

// structured is a CloudEvent in binary mode, data in the body and the rest in
// headers, as one in structured mode.
//
// See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
func structured(data json.RawMessage, header func(string) string) (json.RawMessage, error) {
	event := map[string]any{"data": data}
	for _, attribute := range []string{"specversion", "type", "source", "id", "time", "subject"} {
		if v := header("ce-" + attribute); v != "" {
			event[attribute] = v
		}
	}
	b, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("join headers and body: %w", err)
	}
	return b, nil
}

// object is a JSON object. Its fields are decoded one by one, since one that is
// of another type than the schema's must not spoil the rest.
type object map[string]json.RawMessage

// objectOf is nil if raw is no object. Names match exactly; of two fields of one
// name the last counts.
func objectOf(raw json.RawMessage) object {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// has reports whether o has a field that is not null.
func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && string(v) != "null"
}

// text is a string field; ok is false if there is none or it is no string.
func (o object) text(name string) (s string, ok bool) {
	if !o.has(name) || json.Unmarshal(o[name], &s) != nil {
		return "", false
	}
	return s, true
}

// parse reads one event, whatever its envelope.
func parse(raw json.RawMessage, now time.Time) Event {
	event := Event{Size: -1, Raw: raw}
	body := objectOf(raw)
	if body == nil {
		return event.bad(errors.New("the event is not an object"))
	}
	payload, eventType, envelopeTime := open(body)
	timestamp, _ := payload.text("timestamp")
	eventTime, _ := body.text(envelopeTime)
	event.Time = firstTime(now, timestamp, eventTime)

	action, why := actionOf(payload, eventType)
	if why != "" {
		event.Kind, event.Why = Ignored, why
		return event
	}
	switch action {
	case "push":
		return event.push(payload)
	case "delete":
		return event.delete(payload)
	case "ping":
		event.Kind = Ping
	case "validate":
		return event.validate(payload)
	case "":
		return event.bad(errors.New("action and target are missing"))
	default:
		event.Kind, event.Why = Ignored, "action "+quote(action)
	}
	return event
}

// open takes the payload out of its envelope, if it has one, and gives the type
// that is written on that and the name of its time. The payload is nil if the
// envelope holds none.
func open(body object) (payload object, eventType, timeField string) {
	if _, ok := body.text("specversion"); ok {
		eventType, _ = body.text("type")
		return objectOf(body["data"]), eventType, "time"
	}
	if eventType, ok := body.text("eventType"); ok {
		return objectOf(body["data"]), eventType, "eventTime"
	}
	return body, "", ""
}

// Types of the events that are not ignored.
const (
	typePushed     = "Microsoft.ContainerRegistry.ImagePushed"
	typeDeleted    = "Microsoft.ContainerRegistry.ImageDeleted"
	typeValidation = "Microsoft.EventGrid.SubscriptionValidationEvent"
)

// actionOf says what is to be done: the payload's action, or what the type of
// its envelope stands for. A reason not to do anything comes second.
func actionOf(payload object, eventType string) (action, ignore string) {
	action, ok := payload.text("action")
	typeAction := ""
	switch eventType {
	case "":
		if !ok && payload.has("target") {
			return "push", ""
		}
		if ok && action == "" {
			return "", `action ""`
		}
		return action, ""
	case typePushed:
		typeAction = "push"
	case typeDeleted:
		typeAction = "delete"
	case typeValidation:
		return "validate", ""
	default:
		return "", "event type " + quote(eventType)
	}
	if ok && action != typeAction {
		return "", fmt.Sprintf("action %s in an event of type %s", quote(action), quote(eventType))
	}
	return typeAction, ""
}

// firstTime is the first of times that is one and not too far ahead of now, or
// else now, in UTC.
func firstTime(now time.Time, times ...string) time.Time {
	for _, s := range times {
		if t, err := Time(s, now); err == nil {
			return t
		}
	}
	return now.UTC()
}

// Time reads an RFC 3339 time, in UTC, that is not more than ClockSkew ahead of
// now and in a year that is one in UTC, too: none is before the year 0.
func Time(s string, now time.Time) (time.Time, error) {
	var t time.Time
	// Unlike time.Parse this takes RFC 3339 by the letter.
	if err := t.UnmarshalText([]byte(s)); err != nil || t.UTC().Year() < 0 {
		return t, fmt.Errorf("%s is not an RFC 3339 time, such as 2023-07-03T14:56:52Z", quote(s))
	}
	if t.After(now.Add(ClockSkew)) {
		return t, fmt.Errorf("%s is more than %s in the future", quote(s), ClockSkew)
	}
	return t.UTC(), nil
}

func (e Event) bad(err error) Event {
	e.Kind, e.Err = Bad, err
	return e
}

func (e Event) validate(payload object) Event {
	code, ok := payload.text("validationCode")
	if !ok || code == "" {
		return e.bad(errors.New("data.validationCode is missing"))
	}
	e.Kind, e.Code = Validation, code
	return e
}

// quote shows a value from outside, shortened.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(s[:most], ""))
	}
	return fmt.Sprintf("%q", s)
}
