package webhook

import (
	"fmt"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// JFrog Artifactory stores an image as files, and reports which file changed. It reports
// no time. The host from which a client pulls depends on Artifactory's settings.
//
// See https://docs.jfrog.com/integrations/docs/webhook-event-types.

func isArtifactory(body object) bool { return body.has("domain") && body.has("event_type") }

func parseArtifactory(body object, d Delivery) Item {
	domain, kind := body.textOr("domain"), body.textOr("event_type")
	if domain != "docker" || kind != "pushed" && kind != "promoted" && kind != "deleted" {
		return ignore("event type %s of %s", reference.Quote(kind), reference.Quote(domain))
	}
	r := &reader{Delivery: d}
	data := body.object("data")
	repository, tag := splitPath(r, data)
	var registry string
	if host := hostOfURL(body.textOr("jpd_origin")); host != "" {
		registry = r.registry(host, "jpd_origin")
	} else { // the user has not set a base URL
		registry = r.givenRegistry()
	}
	if r.err == nil && isDigestFolder(tag) {
		return ignore("manifest of %s has no tag", repository)
	}
	if kind == "deleted" {
		// Only the tag's folder is gone; other tags have their own copies of the
		// manifest.
		return r.delete(event.Target{Registry: registry, Repository: repository, Tag: tag}, d.Now.UTC())
	}
	p := event.Push{
		Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
		Size:      data.size("size"),
		PushedAt:  d.Now.UTC(),
	}
	if digest := "sha256:" + data.textOr("sha256"); reference.CheckDigest(digest) == nil {
		p.Digest = digest
	}
	return r.push(p)
}

// splitPath returns the repository, which begins with Artifactory's own repository key,
// and the tag of a manifest at IMAGE/TAG/manifest.json. image_name is the last part of
// IMAGE.
func splitPath(r *reader, data object) (repository, tag string) {
	key, path := r.required(data, "data.repo_key", anyText), r.required(data, "data.path", anyText)
	parts := strings.Split(path, "/")
	if len(parts) < 3 {
		r.fail(fmt.Errorf("data.path %s is not IMAGE/TAG/manifest.json", reference.Quote(path)))
		return "", ""
	}
	last := len(parts) - 2
	repository, tag = key+"/"+strings.Join(parts[:last], "/"), parts[last]
	r.check(repository, "data.path", reference.CheckRepository)
	r.check(tag, "data.path", reference.CheckTag)
	return repository, tag
}

// isDigestFolder reports whether a manifest's folder is named after its digest instead of
// a tag. The manifest of one platform has such a folder.
func isDigestFolder(tag string) bool {
	hex, ok := strings.CutPrefix(tag, "sha256__")
	return ok && reference.CheckDigest("sha256:"+hex) == nil
}
