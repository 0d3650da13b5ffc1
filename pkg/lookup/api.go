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

// asJSON returns the renderer of an answer for programs: the value that find returns, as
// JSON.
func asJSON(find func(context.Context, store.Reader, request) (any, error)) renderer {
	return renderer{
		contentType: "application/json",
		found: func(ctx context.Context, h *handler, req request) ([]byte, error) {
			value, err := find(ctx, h.db, req)
			if err != nil {
				return nil, err
			}
			return encode(value), nil
		},
		failed: failedJSON,
	}
}

func failedJSON(_ *handler, _ request, f failure) []byte {
	return encode(map[string]string{"error": f.text})
}

// listRepositories answers GET /api/repositories.
func listRepositories(ctx context.Context, db store.Reader, req request) (any, error) {
	page, err := db.Repositories(ctx, store.Listing{Span: req.span})
	if err != nil {
		return nil, err
	}
	return struct {
		Repositories []repositoryJSON `json:"repositories"`
		Next         string           `json:"next,omitempty"`
	}{repositoriesJSON(page.Items), pageToken(page.Next)}, nil
}

// listReferences answers GET /api/repositories/{name+}.
func listReferences(ctx context.Context, db store.Reader, req request) (any, error) {
	page, err := readReferences(ctx, db, req.name, req.span)
	if err != nil {
		return nil, err
	}
	return struct {
		Name       string          `json:"name"`
		References []referenceJSON `json:"references"`
		Next       string          `json:"next,omitempty"`
	}{req.name.String(), referencesJSON(page.Items), pageToken(page.Next)}, nil
}

// listCategories answers GET /api/categories.
func listCategories(ctx context.Context, db store.Reader, _ request) (any, error) {
	members, err := db.Members(ctx, "")
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
func listCategory(ctx context.Context, db store.Reader, req request) (any, error) {
	page, err := readMembers(ctx, db, req.category, req.span)
	if err != nil {
		return nil, err
	}
	return struct {
		Category     string           `json:"category"`
		Repositories []repositoryJSON `json:"repositories"`
		Next         string           `json:"next,omitempty"`
	}{req.category, repositoriesJSON(page.Items), pageToken(page.Next)}, nil
}

// repositoryJSON is an entry of the catalogue. Of a member of a category that is
// not published only the name is known.
type repositoryJSON struct {
	Name      string `json:"name"`
	Registry  string `json:"registry,omitempty"`
	Reference string `json:"reference,omitempty"`
	Tag       string `json:"tag,omitempty"`
	Digest    string `json:"digest,omitempty"`
	PushedAt  string `json:"pushedAt,omitempty"`
	Version   string `json:"version,omitempty"` // the highest of the repository, releases first
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
		all[i].PushedAt = e.Newest.PushedAt.Format(time.RFC3339Nano)
		all[i].Version = e.Version()
	}
	return all
}

// referenceJSON is a reference of a repository.
type referenceJSON struct {
	Reference string `json:"reference"`
	Registry  string `json:"registry"`
	Tag       string `json:"tag"`
	Digest    string `json:"digest,omitempty"`
	MediaType string `json:"mediaType,omitempty"`
	Size      *int64 `json:"size,omitempty"` // of the manifest, in bytes
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
			PushedAt:  p.PushedAt.Format(time.RFC3339Nano),
			Version:   p.Version(),
		}
		if p.Size >= 0 {
			all[i].Size = &p.Size
		}
	}
	return all
}

// encode returns v as JSON, without a newline at its end and with <, > and & as
// they are.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // strings and numbers can be encoded
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
