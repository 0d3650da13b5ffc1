package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// The kinds of manifests that Docker and OCI define (image spec 1.1, media-types.md).
const (
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

var manifestTypes = []string{ociIndex, ociManifest, dockerList, dockerManifest}

// acceptManifests accepts every kind. Distribution answers 404 for an existing manifest
// if Accept lacks its kind, even if it contains */*.
var acceptManifests = strings.Join(manifestTypes, ", ")

// oci reads a registry by the OCI distribution spec 1.1 and Docker's catalogue API.
// Neither has times; Created gives a lower bound.
type oci struct {
	*client
	host       string
	configured []string
	catalog    bool // there is a catalogue

	unreachable sync.Map // hosts that store blobs, as keys
}

// newOCI returns a client of the registry host, which answers at address.
func newOCI(host, address string, o Options) *oci {
	r := &oci{client: newClient(host, baseURL(address), o), host: host, configured: o.Repositories, catalog: true}
	r.auth = newSigner(r.client, o)
	return r
}

var _ Registry = (*oci)(nil)

// Host implements Registry.
func (o *oci) Host() string { return o.host }

func pullScope(name string) string { return "repository:" + name + ":pull" }

// Repositories implements Registry.
func (o *oci) Repositories(ctx context.Context) (Catalogue, error) {
	if len(o.configured) > 0 {
		return Catalogue{Names: o.configured, Configured: true, Complete: true}, nil
	}
	if !o.catalog {
		return Catalogue{Why: fmt.Errorf("catalogue of %s: %w", o.host, ErrNoCatalogue)}, nil
	}
	return o.catalogue(ctx, "/v2/_catalog", nil)
}

// Repository implements Registry. It requests a list of one tag, since the spec has no
// request about a repository itself.
func (o *oci) Repository(ctx context.Context, name string) (Repository, error) {
	path := tagsPath(name)
	r, err := o.ask(ctx, request{path: path, query: firstN(1), scope: pullScope(name)})
	if err != nil {
		return Repository{}, err
	}
	repository := Repository{Name: name, State: r.state, Why: r.why, Moment: r.moment()}
	switch {
	case r.state == Missing && r.code != "NAME_UNKNOWN":
		repository.State = Unsure
	case r.state == Found:
		if _, why := o.namesPage(r, path, "tags", reference.CheckTag); why != nil {
			repository.State, repository.Why = Unsure, why
		}
	}
	return repository, nil
}

func tagsPath(name string) string { return "/v2/" + name + "/tags/list" }

// Tags implements Registry. The list gives the names; each tag's manifest is requested by
// itself.
func (o *oci) Tags(ctx context.Context, r Repository) (Listing, error) {
	path := tagsPath(r.Name)
	names, why, err := list[string]{
		name: func(s string) string { return s },
		get: func(ctx context.Context, query string) (page[string], error, error) {
			reply, err := o.ask(ctx, request{path: path, query: query, scope: pullScope(r.Name)})
			if err != nil {
				return page[string]{}, nil, err
			}
			p, why := o.namesPage(reply, path, "tags", reference.CheckTag)
			return p, why, nil
		},
		first: firstN,
		after: afterLast,
	}.read(ctx)
	if err != nil {
		return Listing{}, err
	}
	tags := make([]Tag, len(names))
	for i, name := range names {
		tags[i].Name = name
	}
	tags, err = o.manifests(ctx, r.Name, tags)
	if err != nil {
		return Listing{}, err
	}
	return newListing(r, tags, why), nil
}

// manifests fills in the manifests of tags without a digest. It leaves out tags whose
// manifests the registry does not know: they have been deleted, or never had a manifest.
func (o *oci) manifests(ctx context.Context, repository string, tags []Tag) ([]Tag, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(o.pace.slots))
	gone := make([]bool, len(tags))
	for i, t := range tags {
		if t.Digest != "" {
			continue
		}
		group.Go(func() error {
			r, err := o.manifest(ctx, http.MethodHead, repository, t.Name)
			if err != nil {
				return err
			}
			tags[i] = describe(t, r)
			// A HEAD has no error code. A caller that misses the tag asks by Tag.
			gone[i] = r.status == http.StatusNotFound
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	kept := tags[:0]
	for i, t := range tags {
		if !gone[i] {
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// manifest requests the manifest of a tag or a digest.
func (o *oci) manifest(ctx context.Context, method, repository, name string) (reply, error) {
	r, err := o.ask(ctx, request{
		method: method,
		path:   "/v2/" + repository + "/manifests/" + url.PathEscape(name),
		accept: acceptManifests,
		scope:  pullScope(repository),
	})
	if err != nil || method != http.MethodHead || r.state != Found || r.header.Get(digestHeader) != "" {
		return r, err
	}
	// The spec does not require the header in an answer to HEAD. The digest is then that
	// of the body.
	return o.manifest(ctx, http.MethodGet, repository, name)
}

const digestHeader = "Docker-Content-Digest"

// describe returns t with what the answer for its manifest tells.
func describe(t Tag, r reply) Tag {
	t.Digest, t.MediaType, t.Size = "", "", event.UnknownSize
	if r.state != Found {
		return t
	}
	mediaType, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil || !reference.IsMediaType(mediaType) {
		mediaType = ""
	}
	t.Digest = r.header.Get(digestHeader)
	if t.Digest == "" && slices.Contains(manifestTypes, mediaType) {
		sum := sha256.Sum256(r.body)
		t.Digest = "sha256:" + hex.EncodeToString(sum[:])
	}
	if reference.CheckDigest(t.Digest) != nil {
		t.Digest = ""
		return t
	}
	t.MediaType = mediaType
	if size, err := strconv.ParseInt(r.header.Get("Content-Length"), 10, 64); err == nil && size >= 0 && r.header.Get("Content-Encoding") == "" {
		t.Size = size
	} else if len(r.body) > 0 {
		t.Size = int64(len(r.body))
	}
	return t
}

// Tag implements Registry. It uses GET, since the answer to HEAD has no body to explain a
// 404.
func (o *oci) Tag(ctx context.Context, repository, tag string) (TagAnswer, error) {
	r, err := o.manifest(ctx, http.MethodGet, repository, tag)
	if err != nil {
		return TagAnswer{}, err
	}
	answer := TagAnswer{State: r.state, Why: r.why}
	switch r.state {
	case Missing:
		answer.State = Gone
	case Found:
		answer.Tag = describe(Tag{Name: tag}, r)
		if answer.Tag.Digest == "" {
			return TagAnswer{Why: errors.New("the answer is no manifest")}, nil
		}
	}
	return answer, nil
}

// Created implements Registry.
func (o *oci) Created(ctx context.Context, repository string, t Tag) (time.Time, error) {
	if !t.PushedAt.IsZero() || !t.NotBefore.IsZero() || t.Digest == "" {
		return time.Time{}, nil
	}
	return o.created(ctx, repository, t.Digest, deepest)
}
