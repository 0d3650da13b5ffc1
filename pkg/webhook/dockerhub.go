package webhook

import (
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Docker Hub reports only pushes, without their digest.
//
// See https://docs.docker.com/docker-hub/repos/manage/webhooks/.

func isDockerHub(body object) bool { return body.object("push_data") != nil }

func parseDockerHub(body object, d Delivery) Item {
	repository := body.object("repository")
	if repository.has("region") {
		return ignore("event of Alibaba Cloud's registry, which names neither its host nor the zone of its time")
	}
	r := &reader{Delivery: d}
	name := r.required(repository, "repository.repo_name", reference.CheckRepository)
	if name != "" && !strings.Contains(name, "/") {
		name = "library/" + name
	}
	push := body.object("push_data")
	at, err := event.ParseUnix(string(push["pushed_at"]), d.Now)
	if err != nil {
		at = d.Now.UTC()
	}
	return r.push(event.Push{
		Reference: reference.Reference{
			Registry:   r.registry("docker.io", "repository.repo_name"),
			Repository: name,
			Tag:        r.optional(push, "push_data.tag", reference.CheckTag),
		},
		Size:     event.UnknownSize,
		PushedAt: at,
	})
}
