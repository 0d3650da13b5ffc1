package webhook

import (
	"encoding/json"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Quay reports which tags of a repository are new, but neither their digest nor a time.
// After three refusals it stops sending until its user restarts it.
//
// See https://docs.quay.io/guides/notifications.html and notifications/ in
// https://github.com/quay/quay.

func isQuay(body object) bool { return body.has("docker_url") }

func parseQuay(body object, d Delivery) []Item {
	tags := body.list("updated_tags")
	if len(tags) == 0 {
		return []Item{ignore("no updated_tags, so no push")}
	}
	if isQuayTest(body) {
		return []Item{answer(Pong, "pong")}
	}
	shared := body.with("updated_tags", listWith(nil))
	if err := checkSize(len(tags), len(tags)*len(shared)); err != nil {
		return []Item{refuse(err)}
	}
	items := make([]Item, len(tags))
	for i, tag := range tags {
		items[i] = parseQuayTag(body, tag, d)
		items[i].Raw = body.with("updated_tags", listWith(tag))
	}
	return items
}

// isQuayTest reports whether a body comes from the button Test Notification: it names the
// real repository, and always these two tags.
func isQuayTest(body object) bool {
	var tags []string
	for _, raw := range body.list("updated_tags") {
		tag, _ := textOf(raw)
		tags = append(tags, tag)
	}
	return body.has("pruned_image_count") && strings.Join(tags, " ") == "latest foo"
}

// parseQuayTag parses the push of one tag.
func parseQuayTag(body object, tag json.RawMessage, d Delivery) Item {
	r := &reader{Delivery: d}
	host, repository, _ := strings.Cut(r.required(body, "docker_url", anyText), "/")
	r.check(repository, "docker_url", reference.CheckRepository)
	return r.push(event.Push{
		Reference: reference.Reference{
			Registry:   r.registry(host, "docker_url"),
			Repository: repository,
			Tag:        r.required(object{"updated_tags": tag}, "updated_tags", reference.CheckTag),
		},
		Size:     event.UnknownSize,
		PushedAt: d.Now.UTC(),
	})
}
