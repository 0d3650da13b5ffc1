package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Azure Container Registry sends native events, Event Grid events or CloudEvents.
//
// See https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference
// and https://learn.microsoft.com/azure/event-grid/event-schema-container-registry.

// parseACR parses an event from Azure Container Registry, with or without an envelope.
func parseACR(body object, d Delivery) Item {
	e := unwrap(body)
	if isConnected(e.payload) {
		return ignore("event of a connected registry")
	}
	if e.eventType == typeValidation {
		return parseValidation(e.payload)
	}
	action, reason := e.action()
	if reason != "" {
		return ignore("%s", reason)
	}
	return native{
		payload:   e.payload,
		action:    action,
		at:        event.FirstTime(d.Now, e.payload.textOr("timestamp"), e.time),
		elsewhere: hostOf(e.resource),
		resource:  e.resourceField,
	}.parse(d)
}

// An envelope is what an Event Grid event or a CloudEvent says around its payload.
// Without an envelope, only payload is set.
type envelope struct {
	payload                 object // nil if the envelope contains none
	eventType, time         string
	resource, resourceField string // the registry as an Azure resource, and the field that names it
}

func unwrap(body object) envelope {
	if _, ok := body.text("specversion"); ok {
		return envelope{payloadOf(body["data"]), body.textOr("type"), body.textOr("time"), body.textOr("source"), "source"}
	}
	if eventType, ok := body.text("eventType"); ok {
		return envelope{payloadOf(body["data"]), eventType, body.textOr("eventTime"), body.textOr("topic"), "topic"}
	}
	return envelope{payload: body}
}

// payloadOf returns the payload in an envelope, which may be a text that contains the
// JSON.
func payloadOf(data json.RawMessage) object {
	if text, ok := textOf(data); ok {
		data = json.RawMessage(text)
	}
	return objectOf(data)
}

// isConnected reports whether an event comes from a connected registry. That is a copy on
// somebody's premises, and has no host.
func isConnected(payload object) bool {
	for name := range payload {
		if strings.EqualFold(name, "connectedRegistry") && payload.has(name) {
			return true
		}
	}
	return false
}

// hostOf returns the login server of an Azure registry, or "" if resource does not name
// one: /subscriptions/…/providers/Microsoft.ContainerRegistry/registries/NAME.
func hostOf(resource string) string {
	// Azure's resource names ignore case.
	_, rest, _ := strings.Cut(strings.ToLower(resource), "/registries/")
	name, _, _ := strings.Cut(rest, "/")
	if name == "" {
		return ""
	}
	return name + ".azurecr.io"
}

// Event types that are not ignored. Microsoft's own sample has those of a registry
// without the namespace.
const (
	namespace      = "Microsoft.ContainerRegistry."
	typePushed     = "ImagePushed"
	typeDeleted    = "ImageDeleted"
	typeValidation = "Microsoft.EventGrid.SubscriptionValidationEvent"
)

// action returns the action, or else the reason to ignore the event. The envelope's type
// gives the action, or without an envelope the payload does.
func (e envelope) action() (action, reason string) {
	switch e.eventType {
	case "":
		return nativeAction(e.payload)
	case namespace + typePushed, typePushed:
		action = "push"
	case namespace + typeDeleted, typeDeleted:
		action = "delete"
	default:
		return "", "event type " + reference.Quote(e.eventType)
	}
	if said, ok := e.payload.text("action"); ok && said != action {
		return "", fmt.Sprintf("action %s in an event of type %s", reference.Quote(said), reference.Quote(e.eventType))
	}
	return action, ""
}

// parseValidation parses Event Grid's validation of a new subscription. The answer
// repeats the code in it.
//
// See https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
func parseValidation(payload object) Item {
	code, ok := payload.text("validationCode")
	if !ok || code == "" {
		return refuse(errors.New("data.validationCode is missing"))
	}
	text, err := json.Marshal(map[string]string{"validationResponse": code})
	if err != nil {
		return refuse(fmt.Errorf("answer the validation: %w", err))
	}
	return Item{Answer: Answer{Outcome: Validated, Text: string(text), JSON: true}}
}
