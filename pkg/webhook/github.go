package webhook

import (
	"cmp"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// GitHub sends an event for each version of a package, and none when one is deleted.
//
// See https://docs.github.com/webhooks/webhook-events-and-payloads#package
// and https://github.com/octokit/webhooks.

// githubRegistry is where GitHub keeps containers, unless package_url says otherwise:
// GitHub Enterprise has hosts of its own.
const githubRegistry = "ghcr.io"

func isGitHub(body object) bool {
	return githubPackage(body).has("package_type") || isGitHubPing(body)
}

func isGitHubPing(body object) bool { return body.has("zen") && body.has("hook_id") }

// githubPackage returns the package of an event: of a webhook, or of a GitHub App.
func githubPackage(body object) object {
	if p := body.object("package"); p != nil {
		return p
	}
	return body.object("registry_package")
}

func parseGitHub(body object, d Delivery) Item {
	if isGitHubPing(body) {
		return answer(Pong, "pong")
	}
	p := githubPackage(body)
	if kind := p.textOr("package_type"); !strings.EqualFold(kind, "container") {
		return ignore("package of type %s", reference.Quote(kind))
	}
	if action := body.textOr("action"); action != "published" && action != "updated" {
		return ignore("action %s", reference.Quote(action))
	}
	version := p.object("package_version")
	if version == nil {
		return ignore("the package has no version")
	}
	r := &reader{Delivery: d}
	container := version.object("container_metadata")
	tag, manifest := container.object("tag"), container.object("manifest")
	host, urlTag := splitPackageURL(version.textOr("package_url"))
	name := reference.Reference{
		Registry:   r.registry(cmp.Or(host, githubRegistry), "package_url"),
		Repository: lowerRepository(r, p, "package"),
		Tag:        cmp.Or(r.optional(tag, "container_metadata.tag.name", reference.CheckTag), urlTag),
	}
	return r.push(event.Push{
		Reference: name,
		Digest:    cmp.Or(tag.digest("digest"), manifest.digest("digest"), version.digest("version"), version.digest("name")),
		MediaType: manifest.mediaType("media_type"),
		Size:      manifest.size("size"),
		PushedAt:  githubTime(p, d.Now),
	})
}

// lowerRepository returns owner/name of a package of GitHub's or Gitea's. Both show
// the owner's name as its owner writes it, and serve it in lower case.
func lowerRepository(r *reader, p object, path string) string {
	owner := r.required(p.object("owner"), path+".owner.login", anyText)
	name := r.required(p, path+".name", anyText)
	repository := strings.ToLower(owner + "/" + name)
	if owner != "" && name != "" {
		r.check(repository, path+".name", reference.CheckRepository)
	}
	return repository
}

// splitPackageURL returns the host and the tag of a package_url, such as
// ghcr.io/owner/name:tag; empty where it has none.
func splitPackageURL(url string) (host, tag string) {
	host, rest, _ := strings.Cut(url, "/")
	if _, err := reference.ParseRegistry(host); err != nil {
		return "", ""
	}
	if _, tag, _ = strings.Cut(rest, ":"); reference.CheckTag(tag) != nil {
		return host, ""
	}
	return host, tag
}

// redelivered is for how long GitHub sends an event again when it is asked to (3 days),
// and a day more.
const redelivered = 4 * 24 * time.Hour

// githubTime returns the time of a push. Versions have no time. The package's is
// updated_at in some events, and in others that of its creation long ago: it is only
// taken where it may be that of this push.
func githubTime(p object, now time.Time) time.Time {
	updated, err := event.ParseTime(p.textOr("updated_at"), now)
	if err != nil || now.Sub(updated) > redelivered {
		return now.UTC()
	}
	if created, err := event.ParseTime(p.textOr("created_at"), now); err == nil && created.Equal(updated) {
		return now.UTC()
	}
	return updated
}
