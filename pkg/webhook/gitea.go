package webhook

import (
	"net/url"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Gitea and Forgejo send an event for each version of a package: a tag in lower case, or
// a digest. They also send GitHub's headers, so only the body identifies them.
//
// See https://docs.gitea.com/usage/webhooks and modules/structs/hook.go in
// https://github.com/go-gitea/gitea.

func isGitea(body object) bool { return body.object("package").has("type") || isGitPush(body) }

// isGitPush reports whether a body is about commits. Gitea's Test Delivery sends one.
func isGitPush(body object) bool { return body.has("ref") && body.has("before") && body.has("after") }

func parseGitea(body object, d Delivery) Item {
	if isGitPush(body) {
		return ignore("push to a Git repository")
	}
	p := body.object("package")
	if kind := p.textOr("type"); kind != "container" {
		return ignore("package of type %s", reference.Quote(kind))
	}
	action := body.textOr("action")
	if action != "created" && action != "deleted" {
		return ignore("action %s", reference.Quote(action))
	}
	if version := p.textOr("version"); reference.CheckDigest(version) == nil {
		return ignore("package %s has no tag", version)
	}
	r := &reader{Delivery: d}
	registry := r.registry(hostOfURL(p.textOr("html_url")), "package.html_url")
	repository := lowerRepository(r, p, "package")
	tag := r.required(p, "package.version", reference.CheckTag)
	if action == "deleted" {
		// created_at is the time of the push. Only the receipt is known of the delete.
		return r.delete(event.Target{Registry: registry, Repository: repository, Tag: tag}, d.Now.UTC())
	}
	return r.push(event.Push{
		Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
		Size:      event.UnknownSize,
		PushedAt:  event.FirstTime(d.Now, p.textOr("created_at")),
	})
}

// hostOfURL returns the host of a URL, or "".
func hostOfURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Host
}
