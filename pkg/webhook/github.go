package webhook

import (
	"cmp"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// GitHub sends an event for each new version of a package, and none for a deleted one.
//
// See https://docs.github.com/webhooks/webhook-events-and-payloads#package
// and https://github.com/octokit/webhooks.

// githubRegistry is GitHub's registry, unless package_url says otherwise: GitHub
// Enterprise has its own hosts.
const githubRegistry = "ghcr.io"

func isGitHub(body object) bool {
	return githubPackage(body).has("package_type") || isGitHubPing(body)
}

func isGitHubPing(body object) bool { return body.has("zen") && body.has("hook_id") }

// githubPackage returns the package in an event, which a webhook or a GitHub App sends.
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

// lowerRepository returns owner/name of a package in GitHub or Gitea. Both spell the
// owner's name as the owner does, but serve it in lower case.
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
// ghcr.io/owner/name:tag. A missing part is empty.
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

// redelivered is how long GitHub redelivers an event on request (3 days), plus a day.
const redelivered = 4 * 24 * time.Hour

// githubTime returns the time of a push. Versions have no time. The package's updated_at
// is the time of the push in some events, and in others that of its creation long ago. So
// it counts only if it may be the time of this push.
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
