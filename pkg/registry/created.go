package registry

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"ocireffer/pkg/reference"
)

// deepest is how many levels of manifests Created reads: an index, and the image of one
// platform. A deeper index is rare, and has no better time.
const deepest = 2

// A descriptor names a manifest or a blob (image spec 1.1, descriptor.md).
type descriptor struct {
	MediaType string
	Digest    string
}

// configTypes are the media types of configs that contain the time of the build (image
// spec 1.1, config.md). Configs of other artifacts may contain anything.
var configTypes = map[string]bool{
	"application/vnd.oci.image.config.v1+json":       true,
	"application/vnd.docker.container.image.v1+json": true,
}

// created returns when a manifest was built. The time is in its annotations or its
// config, or in those of the first manifest that it lists. Missing or wrong values are no
// error: then the time is zero.
func (o *oci) created(ctx context.Context, repository, digest string, depth int) (time.Time, error) {
	r, err := o.manifest(ctx, http.MethodGet, repository, digest)
	if err != nil || r.state != Found {
		return time.Time{}, err
	}
	var m struct {
		Config      descriptor
		Manifests   first[descriptor]
		Annotations map[string]string
	}
	if json.Unmarshal(r.body, &m) != nil {
		return time.Time{}, nil //nolint:nilerr // it is no manifest, and tells no time
	}
	if at := parseTime(m.Annotations["org.opencontainers.image.created"]); !at.IsZero() {
		return at, nil
	}
	switch {
	case configTypes[m.Config.MediaType] && reference.CheckDigest(m.Config.Digest) == nil:
		return o.built(ctx, repository, m.Config.Digest)
	case depth > 1 && reference.CheckDigest(m.Manifests.item.Digest) == nil:
		return o.created(ctx, repository, m.Manifests.item.Digest, depth-1)
	default:
		return time.Time{}, nil
	}
}

// built returns the time in a config.
func (o *oci) built(ctx context.Context, repository, digest string) (time.Time, error) {
	r, err := o.ask(ctx, request{
		path:   "/v2/" + repository + "/blobs/" + digest,
		accept: "*/*",
		scope:  pullScope(repository),
	})
	if err == nil && isRedirect(r.status) {
		r, err = o.follow(ctx, r)
	}
	if err != nil || r.state != Found {
		return time.Time{}, err
	}
	var config struct{ Created string }
	if json.Unmarshal(r.body, &config) != nil {
		return time.Time{}, nil //nolint:nilerr // it is no config, and tells no time
	}
	return parseTime(config.Created), nil
}

func isRedirect(status int) bool {
	return status == http.StatusTemporaryRedirect || status == http.StatusFound || status == http.StatusSeeOther || status == http.StatusPermanentRedirect
}

// follow fetches a blob from where the registry redirects to, without a credential: the
// address itself is signed. It uses only HTTPS, or loopback if the registry is there, so
// that a registry cannot send us to services in our own network. It does not ask a host
// again that it could not reach: a network may let us reach a registry, but not the host
// of its blobs.
func (o *oci) follow(ctx context.Context, r reply) (reply, error) {
	location := r.header.Get("Location")
	u, err := o.base.Parse(location)
	if err != nil || location == "" || u.Scheme != "https" && !(o.base.Scheme == "http" && u.Scheme == "http" && isLoopback(u.Host)) {
		return reply{}, nil //nolint:nilerr // an address that is not followed tells no time
	}
	if _, fails := o.unreachable.Load(u.Host); fails {
		return reply{}, nil
	}
	stored, err := o.send(ctx, message{method: http.MethodGet, url: (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()})
	if ctx.Err() != nil {
		return reply{}, err
	}
	if err != nil && !errors.Is(err, errTooLarge) {
		o.unreachable.Store(u.Host, nil)
	}
	if err == nil && stored.status == http.StatusOK {
		stored.state = Found
	}
	return stored, nil
}
