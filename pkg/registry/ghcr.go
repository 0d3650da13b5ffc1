package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// ghcr reads GitHub's container registry. With a credential, the tags come from GitHub's
// API, a hundred digests per call: https://docs.github.com/rest/packages. The API gives
// the time of each digest. A tag may have been put on a digest long afterwards, so the
// time is a lower bound. Without a credential, or if the API does not know a repository,
// ghcr reads it like any registry.
type ghcr struct {
	*oci
	api *client // for api.github.com

	mu    sync.Mutex
	paths map[string]string // in the API, by repository
}

func newGHCR(host string, o Options) Registry {
	r := newOCI(host, host, o)
	r.catalog = false // oras-project/oras-go#621
	if o.Credential.Password == "" {
		return r
	}
	g := &ghcr{oci: r, api: newClient(host, "https://api.github.com", o), paths: map[string]string{}}
	g.api.auth = fixedToken{token{header: "Bearer " + o.Credential.Password}}
	g.api.extra.Set("X-GitHub-Api-Version", "2022-11-28")
	return g
}

// A fixedToken authorizes every request.
type fixedToken struct{ t token }

func (f fixedToken) token(context.Context, string) (token, error) { return f.t, nil }

func (fixedToken) challenged(context.Context, string, token, []string) (token, bool, error) {
	return token{}, false, nil
}

// Calls implements Registry.
func (g *ghcr) Calls() int64 { return g.oci.Calls() + g.api.Calls() }

// Repository implements Registry. A repository belongs to an organization or to a user.
// The API has a path for each, and only a call tells which is right.
func (g *ghcr) Repository(ctx context.Context, name string) (Repository, error) {
	owner, rest, _ := strings.Cut(name, "/")
	for _, kind := range []string{"orgs", "users"} {
		path := "/" + kind + "/" + owner + "/packages/container/" + url.PathEscape(rest)
		r, err := g.api.ask(ctx, request{path: path, accept: githubJSON})
		if err != nil {
			return Repository{}, err
		}
		if r.state == Found {
			g.mu.Lock()
			g.paths[name] = path
			g.mu.Unlock()
			return Repository{Name: name, State: Found, Moment: r.moment()}, nil
		}
	}
	return g.oci.Repository(ctx, name)
}

const githubJSON = "application/vnd.github+json"

// Tags implements Registry.
func (g *ghcr) Tags(ctx context.Context, r Repository) (Listing, error) {
	g.mu.Lock()
	path, known := g.paths[r.Name]
	g.mu.Unlock()
	if !known {
		return g.oci.Tags(ctx, r)
	}
	versions, why, err := list[githubVersion]{
		name: func(v githubVersion) string { return v.Name },
		get: func(ctx context.Context, query string) (page[githubVersion], error, error) {
			return g.versionsPage(ctx, path+"/versions", query)
		},
		first: func(n int) string { return fmt.Sprintf("per_page=%d", n) },
		after: func(n int, _ githubVersion, number int) string {
			return fmt.Sprintf("per_page=%d&page=%d", n, number+1)
		},
	}.read(ctx)
	if err != nil {
		return Listing{}, err
	}
	return newListing(r, tagsOf(versions), why), nil
}

// A githubVersion is a digest with the tags that now point to it.
type githubVersion struct {
	Name      string // the digest
	CreatedAt string `json:"created_at"`
	Metadata  struct {
		Container struct{ Tags []string }
	}
}

func (g *ghcr) versionsPage(ctx context.Context, path, query string) (p page[githubVersion], why, err error) {
	r, err := g.api.ask(ctx, request{path: path, query: query, accept: githubJSON})
	if err != nil {
		return p, nil, err
	}
	if why := listReply(r); why != nil {
		return p, why, nil
	}
	if err := json.Unmarshal(r.body, &p.items); err != nil || p.items == nil {
		return p, fmt.Errorf("%s is no list of versions: %s", path, reference.Quote(string(r.body))), nil
	}
	for _, v := range p.items {
		if err := reference.CheckDigest(v.Name); err != nil {
			return p, err, nil
		}
		for _, tag := range v.Metadata.Container.Tags {
			if err := reference.CheckTag(tag); err != nil {
				return p, err, nil
			}
		}
	}
	p.next, p.more, why = nextPage(r.header, g.api.base.JoinPath(path))
	return p, why, nil
}

// tagsOf returns the tags of versions. A tag that moved during the listing may be on two
// versions. Then its digest is unknown.
func tagsOf(versions []githubVersion) []Tag {
	var tags []Tag
	index := map[string]int{}
	for _, v := range versions {
		for _, name := range v.Metadata.Container.Tags {
			if i, twice := index[name]; twice {
				tags[i] = Tag{Name: name, Size: event.UnknownSize}
				continue
			}
			index[name] = len(tags)
			tags = append(tags, Tag{Name: name, Digest: v.Name, NotBefore: parseTime(v.CreatedAt), Size: event.UnknownSize})
		}
	}
	return tags
}
