package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Azure Container Registry sends its own payload, Event Grid events or CloudEvents.
//
// See https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference
// and https://learn.microsoft.com/azure/event-grid/event-schema-container-registry.

// parseACR reads an event of Azure Container Registry, with or without an envelope.
func parseACR(body object, now time.Time) Item {
	payload, eventType, eventTime := unwrap(body)
	action, reason := actionOf(payload, eventType)
	if reason != "" {
		return ignore("%s", reason)
	}
	timestamp, _ := payload.text("timestamp")
	at := event.FirstTime(now, timestamp, eventTime)
	switch action {
	case "push":
		return parsePush(payload, at)
	case "delete":
		return parseDelete(payload, at, now)
	case "ping":
		return answer(Pong, "pong")
	case "validate":
		return parseValidation(payload)
	case "":
		return refuse(errors.New("action and target are missing"))
	default:
		return ignore("action %s", reference.Quote(action))
	}
}

// unwrap returns the payload of body, and the type and time on its envelope, empty
// if it has none. The payload is nil if an envelope holds none.
func unwrap(body object) (payload object, eventType, eventTime string) {
	if _, ok := body.text("specversion"); ok {
		eventType, _ = body.text("type")
		eventTime, _ = body.text("time")
		return objectOf(body["data"]), eventType, eventTime
	}
	if eventType, ok := body.text("eventType"); ok {
		eventTime, _ = body.text("eventTime")
		return objectOf(body["data"]), eventType, eventTime
	}
	return body, "", ""
}

// Types of the events that are not ignored.
const (
	typePushed     = "Microsoft.ContainerRegistry.ImagePushed"
	typeDeleted    = "Microsoft.ContainerRegistry.ImageDeleted"
	typeValidation = "Microsoft.EventGrid.SubscriptionValidationEvent"
)

// actionOf returns the action, or else the reason to ignore the event. The type on
// the envelope says the action, or without an envelope the payload does.
func actionOf(payload object, eventType string) (action, reason string) {
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
		return "", "event type " + reference.Quote(eventType)
	}
	if ok && action != typeAction {
		return "", fmt.Sprintf("action %s in an event of type %s", reference.Quote(action), reference.Quote(eventType))
	}
	return typeAction, ""
}

// parsePush reads a push. A bad digest, media type or size is dropped and the push
// still counts; a bad tag is refused.
func parsePush(payload object, at time.Time) Item {
	target, name, err := parseTarget(payload)
	if err != nil {
		return refuse(err)
	}
	tag, err := field(target, "target.tag", checked(reference.CheckTag))
	if err != nil && !errors.Is(err, errEmpty) {
		return refuse(err)
	}
	p := event.Push{
		Reference: reference.Reference{Registry: name.Registry, Repository: name.Repository, Tag: tag},
		Size:      event.UnknownSize,
		PushedAt:  at,
	}
	if digest, ok := target.text("digest"); ok && reference.CheckDigest(digest) == nil {
		p.Digest = digest
	}
	if tag == "" && p.Digest == "" {
		return refuse(errors.New("target.tag and target.digest are missing"))
	}
	if tag == "" {
		return ignore("push of %s@%s has no tag", name.Repository, p.Digest)
	}
	if mediaType, ok := target.text("mediaType"); ok && reference.IsMediaType(mediaType) {
		p.MediaType = mediaType
	}
	// The schema says int32, but the size may count the layers too.
	if size, err := strconv.ParseInt(string(target["size"]), 10, 64); err == nil && size >= 0 {
		p.Size = size
	}
	return Item{Event: event.Event{Push: &p}}
}

// parseDelete reads a delete. A bad tag or digest is refused: without it the delete
// would remove more than was meant.
func parseDelete(payload object, at, now time.Time) Item {
	target, name, err := parseTarget(payload)
	if err != nil {
		return refuse(err)
	}
	tag, err := field(target, "target.tag", checked(reference.CheckTag))
	if err != nil {
		return refuse(err)
	}
	digest, err := field(target, "target.digest", checked(reference.CheckDigest))
	if err != nil {
		return refuse(err)
	}
	if digest != "" {
		tag = "" // the manifest was deleted, and with it all its tags
	}
	return Item{Event: event.Event{Delete: &event.Delete{
		Target:     event.Target{Registry: name.Registry, Repository: name.Repository, Tag: tag, Digest: digest},
		DeletedAt:  at,
		ReceivedAt: now.UTC(),
	}}}
}

// parseTarget reads the target, and the name of its repository in its registry.
// Pushes and deletes both need them.
func parseTarget(payload object) (target object, name reference.Name, err error) {
	target = objectOf(payload["target"])
	if target == nil {
		return nil, reference.Name{}, errors.New("target is missing")
	}
	if name.Repository, err = field(target, "target.repository", checked(reference.CheckRepository)); err != nil {
		return nil, reference.Name{}, err
	}
	if name.Repository == "" {
		return nil, reference.Name{}, errors.New("target.repository is missing")
	}
	if name.Registry, err = field(objectOf(payload["request"]), "request.host", reference.ParseRegistry); err != nil {
		return nil, reference.Name{}, err
	}
	if name.Registry == "" {
		return nil, reference.Name{}, errors.New("request.host is missing")
	}
	return target, name, nil
}

// parseValidation reads Event Grid's question whether its subscription is welcome.
// The answer repeats the code of the question.
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
