package webhook

import (
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// zot sends CloudEvents that do not name its host.
//
// See https://zotregistry.dev/latest/articles/events/ and pkg/extensions/events in
// https://github.com/project-zot/zot.

func isZot(body object) bool {
	return body.has("specversion") && strings.HasPrefix(body.textOr("type"), "zotregistry.")
}

func parseZot(body object, d Delivery) Item {
	kind := body.textOr("type")
	if kind != "zotregistry.image.updated" && kind != "zotregistry.image.deleted" {
		return ignore("event type %s", reference.Quote(kind))
	}
	r := &reader{Delivery: d}
	data := payloadOf(body["data"])
	registry := r.givenRegistry()
	repository := r.required(data, "data.name", reference.CheckRepository)
	at := event.FirstTime(d.Now, body.textOr("time"))
	digest, tag := data.digest("reference"), ""
	if digest == "" { // a push or a delete by tag
		tag = r.required(data, "data.reference", reference.CheckTag)
	}
	if kind == "zotregistry.image.deleted" {
		return r.delete(event.Target{Registry: registry, Repository: repository, Tag: tag, Digest: digest}, at)
	}
	if tag != "" {
		digest = data.digest("digest")
	}
	return r.push(event.Push{
		Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
		Digest:    digest,
		MediaType: data.mediaType("mediaType"),
		Size:      event.UnknownSize,
		PushedAt:  at,
	})
}
