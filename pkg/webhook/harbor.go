package webhook

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Harbor sends its own events, or the same as CloudEvents. It names only the first of
// several tags of an artifact. It deletes by digest.
//
// See https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/.

func isHarbor(body object) bool {
	return body.has("type") && body.object("event_data") != nil || isHarborCloudEvent(body)
}

func isHarborCloudEvent(body object) bool {
	return body.has("specversion") && strings.HasPrefix(body.textOr("type"), "harbor.")
}

func parseHarbor(body object, d Delivery) []Item {
	kind := body.textOr("type")
	push := kind == "PUSH_ARTIFACT" || kind == "harbor.artifact.pushed"
	if !push && kind != "DELETE_ARTIFACT" && kind != "harbor.artifact.deleted" {
		return []Item{ignore("event type %s", reference.Quote(kind))}
	}
	holder := "event_data"
	at, err := event.ParseUnix(string(body["occur_at"]), d.Now)
	if isHarborCloudEvent(body) {
		holder = "data"
		at, err = event.ParseTime(body.textOr("time"), d.Now)
	}
	if err != nil {
		at = d.Now.UTC()
	}
	data := body.object(holder)
	resources := data.list("resources")
	if len(resources) == 0 {
		return []Item{refuse(errors.New("resources are missing"))}
	}
	shared := body.with(holder, data.with("resources", listWith(nil)))
	if err := checkSize(len(resources), len(resources)*len(shared)); err != nil {
		return []Item{refuse(err)}
	}
	items := make([]Item, len(resources))
	for i, raw := range resources {
		items[i] = parseResource(data.object("repository"), objectOf(raw), push, at, d)
		items[i].Raw = body.with(holder, data.with("resources", listWith(raw)))
	}
	return items
}

// parseResource parses what was pushed to a repository or deleted from it.
func parseResource(repository, resource object, push bool, at time.Time, d Delivery) Item {
	r := &reader{Delivery: d}
	name := r.required(repository, "repository.repo_full_name", reference.CheckRepository)
	host, _, _ := strings.Cut(resource.textOr("resource_url"), "/"+name)
	registry := r.registry(host, "resource_url")
	if !push {
		// The digest is deleted, with all its tags.
		t := event.Target{Registry: registry, Repository: name, Digest: r.optional(resource, "digest", reference.CheckDigest)}
		if t.Digest == "" {
			t.Tag = r.optional(resource, "tag", reference.CheckTag)
		}
		return r.delete(t, at)
	}
	p := event.Push{
		Reference: reference.Reference{Registry: registry, Repository: name},
		Digest:    resource.digest("digest"),
		Size:      event.UnknownSize,
		PushedAt:  at,
	}
	if resource.digest("tag") == "" { // after a push by digest, the tag is the digest
		p.Reference.Tag = r.optional(resource, "tag", reference.CheckTag)
	}
	return r.push(p)
}

// listWith returns a JSON list with one item, or with none if raw is empty.
func listWith(raw json.RawMessage) json.RawMessage {
	return json.RawMessage("[" + string(raw) + "]")
}
