package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

const (
	catalogScope  = "registry:catalog:*"
	wildcardScope = "repository:*:metadata_read"
	// batchSize is how many repositories one token covers if there is no token for all.
	// acr-cli uses the same size.
	batchSize = 10
)

// acrPages are the page sizes of ACR's lists, in the order in which they are tried.
var acrPages = []int{largePage, pageSize}

// acr reads an Azure Container Registry by its own API, which has the time of each tag.
// Its calls, scopes and answers follow acr-cli's docs/swagger.yaml and recorded sessions
// of Azure's SDKs.
type acr struct {
	*client
	host       string
	configured []string

	mu    sync.Mutex
	known []string // the repositories for batches of tokens, sorted
}

func newACR(host string, o Options) *acr {
	a := &acr{client: newClient(host, baseURL(host), o), host: host, configured: o.Repositories, known: o.Repositories}
	a.extra.Set("X-Meta-Source-Client", a.agent) // Azure/acr docs/http-headers.md
	s := newSigner(a.client, o)
	s.isACR = true
	s.scopes = a.scopes
	a.auth = s
	return a
}

var _ Registry = (*acr)(nil)

// Host implements Registry.
func (a *acr) Host() string { return a.host }

// scopes first asks for everything at once. A registry with ABAC grants nothing for a
// wildcard, and one with a restricted scope map may not either, both without an error.
// Then it asks for ten repositories at a time.
func (a *acr) scopes(scope string) [][]string {
	all := []string{catalogScope, wildcardScope}
	if scope == catalogScope {
		return [][]string{all, {scope}}
	}
	return [][]string{all, a.batch(scope)}
}

// batch returns the scopes of the batch of known repositories that contains scope.
func (a *acr) batch(scope string) []string {
	_, name, _ := splitScope(scope)
	a.mu.Lock()
	defer a.mu.Unlock()
	i, found := slices.BinarySearch(a.known, name)
	if !found {
		return []string{scope}
	}
	i -= i % batchSize
	var batch []string
	for _, name := range a.known[i:min(i+batchSize, len(a.known))] {
		batch = append(batch, metadataScope(name))
	}
	return batch
}

func metadataScope(name string) string { return "repository:" + name + ":metadata_read" }

// Repositories implements Registry.
func (a *acr) Repositories(ctx context.Context) (Catalogue, error) {
	if len(a.configured) > 0 {
		return Catalogue{Names: a.configured, Configured: true, Complete: true}, nil
	}
	c, err := a.catalogue(ctx, "/acr/v1/_catalog", acrPages)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = c.Names
	return c, err
}

// Repository implements Registry.
func (a *acr) Repository(ctx context.Context, name string) (Repository, error) {
	r, err := a.ask(ctx, request{path: "/acr/v1/" + name, scope: metadataScope(name)})
	if err != nil {
		return Repository{}, err
	}
	repository := Repository{Name: name, State: r.state, Why: r.why, Moment: r.moment()}
	switch {
	case r.state == Missing && r.code != "NAME_UNKNOWN":
		repository.State = Unsure
	case r.state == Missing && r.granted:
		repository.State = Gone
	case r.state == Found:
		repository.LoginServer, repository.Attributes, err = parseAttributes(r.body, name)
		if err != nil {
			repository.State, repository.Why = Unsure, err
		}
	}
	return repository, nil
}

func parseAttributes(body []byte, name string) (server string, a Attributes, err error) {
	var b struct {
		Registry       string
		ImageName      string
		LastUpdateTime string
		TagCount       *int
		ManifestCount  *int
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return "", Attributes{}, fmt.Errorf("attributes of %s: %w", name, err)
	}
	if b.ImageName != name {
		return "", Attributes{}, fmt.Errorf("attributes of %s: they are those of %s", name, reference.Quote(b.ImageName))
	}
	if at := parseTime(b.LastUpdateTime); !at.IsZero() && b.TagCount != nil && b.ManifestCount != nil {
		a = Attributes{at, *b.TagCount, *b.ManifestCount}
	}
	return strings.ToLower(b.Registry), a, nil
}

// acrTag is a tag in ACR's answers. They have further fields, but neither media type nor
// size.
type acrTag struct {
	Name, Digest   string
	LastUpdateTime string
}

func (t acrTag) tag() Tag {
	tag := Tag{Name: t.Name, Digest: t.Digest, PushedAt: parseTime(t.LastUpdateTime), Size: event.UnknownSize}
	if reference.CheckDigest(t.Digest) != nil {
		tag.Digest = ""
	}
	return tag
}

// Tags implements Registry.
func (a *acr) Tags(ctx context.Context, r Repository) (Listing, error) {
	tags, why, err := list[Tag]{
		name: func(t Tag) string { return t.Name },
		get: func(ctx context.Context, query string) (page[Tag], error, error) {
			return a.tagsPage(ctx, r.Name, query)
		},
		first: firstN,
		after: func(n int, last Tag, number int) string { return afterLast(n, last.Name, number) },
		sizes: acrPages,
	}.read(ctx)
	if err != nil {
		return Listing{}, err
	}
	if why == nil {
		if why, err = a.miscounted(ctx, r, len(tags)); err != nil {
			return Listing{}, err
		}
	}
	return newListing(r, tags, why), nil
}

func (a *acr) tagsPage(ctx context.Context, name, query string) (p page[Tag], why, err error) {
	path := "/acr/v1/" + name + "/_tags"
	r, err := a.ask(ctx, request{path: path, query: query, scope: metadataScope(name)})
	if err != nil {
		return p, nil, err
	}
	if why := listReply(r); why != nil {
		return p, why, nil
	}
	var body struct {
		ImageName string
		Tags      []acrTag // absent or null if there is none, so miscounted compares the number
	}
	if err := json.Unmarshal(r.body, &body); err != nil {
		return p, fmt.Errorf("%s: %w", path, err), nil
	}
	if body.ImageName != name {
		return p, fmt.Errorf("%s lists %s", path, reference.Quote(body.ImageName)), nil
	}
	for _, t := range body.Tags {
		if err := reference.CheckTag(t.Name); err != nil {
			return p, err, nil
		}
		p.items = append(p.items, t.tag())
	}
	p.next, p.more, why = nextPage(r.header, a.base.JoinPath(path))
	return p, why, nil
}

// miscounted says why the n listed tags may not be all of r's: ACR counts more. If the
// count has changed meanwhile, it proves nothing.
func (a *acr) miscounted(ctx context.Context, r Repository, n int) (why, err error) {
	again, err := a.Repository(ctx, r.Name)
	switch {
	case err != nil:
		return nil, err
	case again.State != Found:
		return again.Why, nil
	case !r.Attributes.Known() || !again.Attributes.Known():
		return fmt.Errorf("%d were listed, and the registry's count is unknown", n), nil
	case r.Attributes.Equal(again.Attributes) && n < again.Attributes.Tags:
		return fmt.Errorf("%d were listed of %d", n, again.Attributes.Tags), nil
	default:
		return nil, nil
	}
}

// Tag implements Registry.
func (a *acr) Tag(ctx context.Context, repository, tag string) (TagAnswer, error) {
	path := "/acr/v1/" + repository + "/_tags/" + url.PathEscape(tag)
	r, err := a.ask(ctx, request{path: path, scope: metadataScope(repository)})
	if err != nil {
		return TagAnswer{}, err
	}
	answer := TagAnswer{State: r.state, Why: r.why}
	switch r.state {
	case Missing:
		answer.State = Gone // ACR answers 401, not 404, if a right is missing
	case Found:
		var body struct {
			ImageName string
			Tag       acrTag
		}
		if err := json.Unmarshal(r.body, &body); err != nil || body.ImageName != repository || body.Tag.Name != tag {
			return TagAnswer{Why: fmt.Errorf("%s is about something else: %s", path, reference.Quote(string(r.body)))}, nil
		}
		answer.Tag = body.Tag.tag()
	}
	return answer, nil
}

// Created implements Registry. ACR has the times of its tags.
func (a *acr) Created(context.Context, string, Tag) (time.Time, error) { return time.Time{}, nil }
