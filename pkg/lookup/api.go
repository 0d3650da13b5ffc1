package lookup

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// asJSON returns the format of an answer for programs: the value that find returns, as
// JSON.
func asJSON(find func(context.Context, *handler, request) (any, error)) map[string]renderer {
	return only(renderer{
		contentType: "application/json",
		found: func(ctx context.Context, h *handler, req request) ([]byte, error) {
			value, err := find(ctx, h, req)
			if err != nil {
				return nil, err
			}
			return encode(value), nil
		},
		failed: failedJSON,
	})
}

func failedJSON(_ *handler, _ request, f failure) []byte {
	return encode(map[string]string{"error": f.text})
}

// listRepositories answers GET /api/repositories.
func listRepositories(ctx context.Context, h *handler, req request) (any, error) {
	page, err := h.db.Repositories(ctx, req.listing)
	if err != nil {
		return nil, err
	}
	return struct {
		Repositories []repositoryJSON `json:"repositories"`
		Next         string           `json:"next,omitempty"`
	}{repositoriesJSON(page.Items), tokenOf(req.listing).of(page.Next)}, nil
}

// listReferences answers GET /api/repositories/{name+}.
func listReferences(ctx context.Context, h *handler, req request) (any, error) {
	page, err := readReferences(ctx, h.db, req.name, req.query.match(), req.listing.Span)
	if err != nil {
		return nil, err
	}
	return struct {
		Name       string          `json:"name"`
		References []referenceJSON `json:"references"`
		Next       string          `json:"next,omitempty"`
	}{req.name.String(), referencesJSON(page.Items), plainToken.of(page.Next)}, nil
}

// listCategories answers GET /api/categories.
func listCategories(ctx context.Context, h *handler, _ request) (any, error) {
	members, err := h.db.Members(ctx, "")
	if err != nil {
		return nil, err
	}
	names := []string{} // nil would be null
	for _, m := range members {
		names = append(names, m.Category)
	}
	return map[string][]string{"categories": slices.Compact(names)}, nil
}

// listCategory answers GET /api/categories/{category}.
func listCategory(ctx context.Context, h *handler, req request) (any, error) {
	page, err := readMembers(ctx, h.db, req.category, req.listing)
	if err != nil {
		return nil, err
	}
	return struct {
		Category     string           `json:"category"`
		Repositories []repositoryJSON `json:"repositories"`
		Next         string           `json:"next,omitempty"`
	}{req.category, repositoriesJSON(page.Items), plainToken.of(page.Next)}, nil
}

// tellStatus answers GET /api/status. It reads the store itself, not the lists in memory:
// its answer says that the store works.
func tellStatus(ctx context.Context, h *handler, _ request) (any, error) {
	page, err := h.store.Repositories(ctx, store.Listing{Span: store.Span{Limit: 1}, Newest: true})
	if err != nil {
		return nil, err
	}
	type newest struct {
		Reference string `json:"reference"`
		PushedAt  string `json:"pushedAt"`
	}
	status := struct {
		Version string  `json:"version"`
		Newest  *newest `json:"newest,omitempty"`
	}{Version: h.settings.Version}
	for _, e := range page.Items {
		status.Newest = &newest{e.Newest.Reference.String(), timeJSON(e.Newest.PushedAt)}
	}
	return status, nil
}

// repositoryJSON is an entry of the catalogue. An unpublished member of a category has
// only its name.
type repositoryJSON struct {
	Name      string `json:"name"`
	Registry  string `json:"registry,omitempty"`
	Reference string `json:"reference,omitempty"`
	Tag       string `json:"tag,omitempty"`
	Digest    string `json:"digest,omitempty"`
	PushedAt  string `json:"pushedAt,omitempty"`
	Version   string `json:"version,omitempty"` // the repository's highest, releases before prereleases
	Highest   string `json:"highest,omitempty"` // the reference of Version
}

func repositoriesJSON(entries []store.Entry) []repositoryJSON {
	all := make([]repositoryJSON, len(entries)) // nil would be null
	for i, e := range entries {
		all[i].Name = e.Name.String()
		if !e.Published() {
			continue
		}
		all[i].Registry = e.Newest.Reference.Registry
		all[i].Reference = e.Newest.Reference.String()
		all[i].Tag = e.Newest.Reference.Tag
		all[i].Digest = e.Newest.Digest
		all[i].PushedAt = timeJSON(e.Newest.PushedAt)
		if version := e.Version(); version != "" {
			all[i].Version, all[i].Highest = version, e.Highest.String()
		}
	}
	return all
}

// referenceJSON is a reference in a repository.
type referenceJSON struct {
	Reference string `json:"reference"`
	Registry  string `json:"registry"`
	Tag       string `json:"tag"`
	Digest    string `json:"digest,omitempty"`
	MediaType string `json:"mediaType,omitempty"`
	Size      *int64 `json:"size,omitempty"` // size of the manifest, in bytes
	PushedAt  string `json:"pushedAt"`
	Version   string `json:"version,omitempty"`
}

func referencesJSON(pushes []event.Push) []referenceJSON {
	all := make([]referenceJSON, len(pushes)) // nil would be null
	for i, p := range pushes {
		all[i] = referenceJSON{
			Reference: p.Reference.String(),
			Registry:  p.Reference.Registry,
			Tag:       p.Reference.Tag,
			Digest:    p.Digest,
			MediaType: p.MediaType,
			PushedAt:  timeJSON(p.PushedAt),
			Version:   p.Version(),
		}
		if p.SizeKnown() {
			all[i].Size = &p.Size
		}
	}
	return all
}

func timeJSON(t time.Time) string { return t.Format(time.RFC3339Nano) }

// encode returns v as JSON, without a final newline and without escaping <, > and &.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // strings and numbers can be encoded
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
