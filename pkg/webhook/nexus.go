package webhook

import (
	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Sonatype Nexus reports which component changed, without host or digest. Its time is not
// RFC 3339, since it has no usable zone.
//
// See https://help.sonatype.com/en/working-with-webhooks.html.

func isNexus(body object) bool { return body.has("repositoryName") && body.object("component") != nil }

func parseNexus(body object, d Delivery) Item {
	component := body.object("component")
	if format := component.textOr("format"); format != "docker" {
		return ignore("component of format %s", reference.Quote(format))
	}
	action := body.textOr("action")
	if action != "CREATED" && action != "UPDATED" && action != "DELETED" {
		return ignore("action %s", reference.Quote(action))
	}
	r := &reader{Delivery: d}
	registry := r.givenRegistry()
	repository := r.required(component, "component.name", reference.CheckRepository)
	if version := component.digest("version"); version != "" {
		return ignore("component %s has no tag", version)
	}
	tag := r.required(component, "component.version", reference.CheckTag)
	if action == "DELETED" {
		return r.delete(event.Target{Registry: registry, Repository: repository, Tag: tag}, d.Now.UTC())
	}
	return r.push(event.Push{
		Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
		Size:      event.UnknownSize,
		PushedAt:  d.Now.UTC(),
	})
}
