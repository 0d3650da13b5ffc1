package webhook

import (
	"encoding/json"
	"slices"

	"ocireffer/pkg/event"
)

// CNCF Distribution, and GitLab's registry, which derives from it, send native events in
// an envelope. Until an envelope is answered with 2xx or 3xx, they repeat it and send
// nothing else.
//
// See https://distribution.github.io/distribution/about/notifications/
// and https://docs.gitlab.com/administration/packages/container_registry/.

func isDistribution(body object) bool { return body.list("events") != nil }

func parseDistribution(body object, d Delivery) []Item {
	events := body.list("events")
	if len(events) == 0 {
		return []Item{ignore("the envelope has no events")}
	}
	if err := checkSize(len(events), 0); err != nil {
		return []Item{refuse(err)}
	}
	items := make([]Item, len(events))
	for i, raw := range events {
		items[i] = parseNotification(raw, d)
		items[i].Raw = slices.Concat([]byte(`{"events":[`), raw, []byte(`]}`))
	}
	return items
}

// parseNotification parses one event in an envelope. Blobs are pushed and deleted too:
// their pushes have no tag, and no reference has their digest.
func parseNotification(raw json.RawMessage, d Delivery) Item {
	payload := objectOf(raw)
	if payload == nil {
		return refuse(errNotObject)
	}
	action, reason := nativeAction(payload)
	if reason != "" {
		return ignore("%s", reason)
	}
	return native{payload: payload, action: action, at: event.FirstTime(d.Now, payload.textOr("timestamp"))}.parse(d)
}
