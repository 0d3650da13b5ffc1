package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// hub reads Docker Hub. The tags come from Docker Hub's own API, with the time of each
// tag: https://docs.docker.com/reference/api/hub/latest/. If the API does not know a
// repository, hub reads it like any registry.
type hub struct {
	*oci
	api *client // for hub.docker.com

	mu    sync.Mutex
	paths map[string]string // in the API, by repository
}

func newHub(host string, o Options) *hub {
	h := &hub{oci: newOCI(host, "registry-1.docker.io", o), api: newClient(host, "https://hub.docker.com", o), paths: map[string]string{}}
	h.catalog = false
	if o.Credential.User != "" {
		h.api.auth = &hubLogin{client: h.api, credential: o.Credential, lock: make(chan struct{}, 1)}
	}
	return h
}

// hubLogin holds the token of Docker Hub's API, which lives for ten minutes.
type hubLogin struct {
	client     *client
	credential Credential
	lock       chan struct{} // held while kept is used or renewed
	kept       token
}

func (l *hubLogin) token(ctx context.Context, _ string) (token, error) {
	select {
	case l.lock <- struct{}{}:
		defer func() { <-l.lock }()
	case <-ctx.Done():
		return token{}, ctx.Err()
	}
	if l.client.clock.Now().Before(l.kept.until) {
		return l.kept, nil
	}
	body, err := json.Marshal(map[string]string{"identifier": l.credential.User, "secret": l.credential.Password})
	if err != nil {
		return token{}, err
	}
	r, err := l.client.send(ctx, message{
		method: http.MethodPost, url: l.client.base.JoinPath("/v2/auth/token").String(), body: string(body),
		header: http.Header{"Content-Type": {"application/json"}},
	})
	if err != nil {
		return token{}, err
	}
	t, ok := newToken(r.body, nil, r.moment().Date, r.received)
	if r.status != http.StatusOK || !ok {
		return token{}, &refusedError{fmt.Errorf("token of %s: %d %s", l.client.base.Host, r.status, http.StatusText(r.status))}
	}
	l.kept = t
	return t, nil
}

func (*hubLogin) challenged(context.Context, string, token, []string) (token, bool, error) {
	return token{}, false, nil
}

// Calls implements Registry.
func (h *hub) Calls() int64 { return h.oci.Calls() + h.api.Calls() }

// Repository implements Registry.
func (h *hub) Repository(ctx context.Context, name string) (Repository, error) {
	namespace, rest, ok := strings.Cut(name, "/")
	if !ok || strings.Contains(rest, "/") {
		return h.oci.Repository(ctx, name)
	}
	path := "/v2/namespaces/" + namespace + "/repositories/" + rest
	r, err := h.api.ask(ctx, request{path: path})
	if err != nil {
		return Repository{}, err
	}
	if r.state != Found {
		return h.oci.Repository(ctx, name)
	}
	h.mu.Lock()
	h.paths[name] = path
	h.mu.Unlock()
	return Repository{Name: name, State: Found, Moment: r.moment()}, nil
}

// Tags implements Registry.
func (h *hub) Tags(ctx context.Context, r Repository) (Listing, error) {
	h.mu.Lock()
	path, known := h.paths[r.Name]
	h.mu.Unlock()
	if !known {
		return h.oci.Tags(ctx, r)
	}
	count := -1 // as the last page gives it
	tags, why, err := list[Tag]{
		name: func(t Tag) string { return t.Name },
		get: func(ctx context.Context, query string) (p page[Tag], why, err error) {
			p, count, why, err = h.tagsPage(ctx, path+"/tags", query)
			return p, why, err
		},
		first: func(n int) string { return fmt.Sprintf("page_size=%d", n) },
		// The API answers 404 for a page behind the last one. The count tells whether all
		// tags were listed.
	}.read(ctx)
	if err != nil {
		return Listing{}, err
	}
	if why == nil && len(tags) < count {
		why = fmt.Errorf("%d were listed of %d", len(tags), count)
	}
	// Old tags may lack a digest.
	described, err := h.manifests(ctx, r.Name, tags)
	if err != nil {
		return Listing{}, err
	}
	return newListing(r, described, why), nil
}

func (h *hub) tagsPage(ctx context.Context, path, query string) (p page[Tag], count int, why, err error) {
	r, err := h.api.ask(ctx, request{path: path, query: query})
	if err != nil {
		return p, 0, nil, err
	}
	if why := listReply(r); why != nil {
		return p, 0, why, nil
	}
	var body struct {
		Count   *int
		Next    string
		Results []struct {
			Name, Digest  string
			TagLastPushed string `json:"tag_last_pushed"`
			MediaType     string `json:"media_type"`
		}
	}
	if err := json.Unmarshal(r.body, &body); err != nil || body.Count == nil {
		return p, 0, fmt.Errorf("%s is no list of tags: %s", path, reference.Quote(string(r.body))), nil
	}
	for _, t := range body.Results {
		if err := reference.CheckTag(t.Name); err != nil {
			return p, 0, err, nil
		}
		tag := Tag{Name: t.Name, PushedAt: parseTime(t.TagLastPushed), Size: event.UnknownSize}
		if reference.CheckDigest(t.Digest) == nil {
			tag.Digest = t.Digest
		}
		if reference.IsMediaType(t.MediaType) {
			tag.MediaType = t.MediaType
		}
		p.items = append(p.items, tag)
	}
	if body.Next != "" {
		p.next, p.more, why = pageQuery(body.Next, h.api.base.JoinPath(path))
	}
	return p, *body.Count, why, nil
}
