package lookup

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// Limits of a page of JSON.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// repositoryJSON is an entry of the catalogue. What is not known is left out; of
// a member of a category that is not published that is all but its name.
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
	all := make([]repositoryJSON, len(entries)) // not nil, which JSON would call null
	for i, e := range entries {
		all[i].Name = e.Name
		if !e.Published() {
			continue
		}
		all[i] = repositoryJSON{
			Name:      e.Name,
			Registry:  e.Newest.Reference.Registry,
			Reference: e.Newest.Reference.String(),
			Tag:       e.Newest.Reference.Tag,
			Digest:    e.Newest.Digest,
			PushedAt:  e.Newest.PushedAt.Format(time.RFC3339Nano),
			Version:   e.Version,
		}
	}
	return all
}

// referenceJSON is one reference of a repository.
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

// repositories answers GET /api/repositories.
func (h *handler) repositories(w http.ResponseWriter, r *http.Request) {
	h.json(w, r, func(ctx context.Context) (any, error) {
		limit, err := parseLimit(r.URL.Query())
		if err != nil {
			return nil, err
		}
		after, err := parseNext(r.URL.Query())
		if err != nil {
			return nil, err
		}
		entries, more, err := h.db.Repositories(ctx, store.Listing{After: after, Limit: limit})
		if err != nil {
			return nil, err
		}
		page := struct {
			Repositories []repositoryJSON `json:"repositories"`
			Next         string           `json:"next,omitempty"`
		}{Repositories: repositoriesJSON(entries)}
		if more {
			page.Next = token(entries[len(entries)-1].Name)
		}
		return page, nil
	})
}

// categories answers GET /api/categories.
func (h *handler) categories(w http.ResponseWriter, r *http.Request) {
	h.json(w, r, func(ctx context.Context) (any, error) {
		members, err := h.db.Members(ctx, "")
		if err != nil {
			return nil, err
		}
		names := []string{} // not nil, which JSON would call null
		for _, m := range members {
			names = append(names, m.Category)
		}
		return map[string][]string{"categories": slices.Compact(names)}, nil
	})
}

var errNoCategory = errors.New("no such category")

// category answers GET /api/categories/{category}.
func (h *handler) category(w http.ResponseWriter, r *http.Request) {
	h.json(w, r, func(ctx context.Context) (any, error) {
		category := r.PathValue("category")
		entries, err := h.members(ctx, category)
		if err != nil {
			return nil, err
		}
		return struct {
			Category     string           `json:"category"`
			Repositories []repositoryJSON `json:"repositories"`
		}{category, repositoriesJSON(entries)}, nil
	})
}

// members are the entries of a category's members.
func (h *handler) members(ctx context.Context, category string) ([]store.Entry, error) {
	if err := store.CheckCategory(category); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCategory, err)
	}
	members, err := h.db.Members(ctx, category)
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, errNoCategory
	}
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	return h.db.Entries(ctx, names)
}

// references answers GET /api/repositories/{name+}.
func (h *handler) references(w http.ResponseWriter, r *http.Request) {
	h.json(w, r, func(ctx context.Context) (any, error) {
		limit, err := parseLimit(r.URL.Query())
		if err != nil {
			return nil, err
		}
		found, err := h.referencePage(ctx, r, limit)
		if err != nil {
			return nil, err
		}
		page := struct {
			Name       string          `json:"name"`
			References []referenceJSON `json:"references"`
			Next       string          `json:"next,omitempty"`
		}{found.name, []referenceJSON{}, found.next} // not nil, which JSON would call null
		for _, p := range found.pushes {
			ref := referenceJSON{
				Reference: p.Reference.String(),
				Registry:  p.Reference.Registry,
				Tag:       p.Reference.Tag,
				Digest:    p.Digest,
				MediaType: p.MediaType,
				PushedAt:  p.PushedAt.Format(time.RFC3339Nano),
				Version:   p.Version(),
			}
			if p.Size >= 0 {
				ref.Size = &p.Size
			}
			page.References = append(page.References, ref)
		}
		return page, nil
	})
}

// referencePage is a page of a name's references, newest first.
type referencePage struct {
	name   string
	pushes []store.Push // none only where those that followed the page before are gone by now
	later  bool         // it is not the first page
	next   string       // token of the next page, if there is one
}

// referencePage reads the page that r asks for. A name that has no reference at all
// is not found.
func (h *handler) referencePage(ctx context.Context, r *http.Request, limit int) (page referencePage, err error) {
	after, err := parseNext(r.URL.Query())
	if err != nil {
		return page, err
	}
	page.later = after != ""
	if page.name, err = h.parseName(r); err != nil {
		return page, err
	}
	pushes, more, err := h.db.References(ctx, page.name, after, limit)
	switch {
	case err != nil:
		return page, err
	case more:
		page.next = token(pushes[len(pushes)-1].Keys().Pushed)
	case len(pushes) == 0 && page.later:
		_, err = h.db.Pick(ctx, store.Query{Name: page.name})
	case len(pushes) == 0:
		err = store.ErrNotFound
	}
	page.pushes = pushes
	return page, err
}

// json answers with what find gives, or with its error.
func (h *handler) json(w http.ResponseWriter, r *http.Request, find func(ctx context.Context) (any, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), Deadline)
	defer cancel()
	body, err := find(ctx)
	a := answer{status: http.StatusOK, outcome: "found", contentType: "application/json"}
	if err != nil {
		var text string
		a.status, a.outcome, _, text = failure(err)
		body = map[string]string{"error": text}
		if a.status >= 500 {
			requestlog.Add(r.Context(), slog.Any("err", err))
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(err) // strings and numbers can be encoded
	}
	a.body = bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	h.write(w, r, a)
}

// parseLimit reads how many entries a page may have.
func parseLimit(values url.Values) (int, error) {
	v := parameter(values, "limit")
	if v == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(v)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, &queryError{"limit"}
	}
	return limit, nil
}

// parseNext reads behind which key a page begins.
func parseNext(values url.Values) (after string, err error) {
	v := parameter(values, "next")
	if v == "" {
		return "", nil
	}
	if after, err = untoken(v); err != nil {
		return "", &queryError{"next"}
	}
	return after, nil
}

// token makes a key the opaque text by which a reader asks for what comes behind
// it. A key names a place in the order, so pages stay right while pushes arrive.
func token(key string) string { return base64.RawURLEncoding.EncodeToString([]byte("1" + key)) }

// untoken is the reverse of token.
func untoken(s string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return "", err
	}
	key, ok := strings.CutPrefix(string(b), "1")
	if !ok || key == "" || len(key) > 1024 || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", errors.New("not one of ours")
	}
	return key, nil
}
