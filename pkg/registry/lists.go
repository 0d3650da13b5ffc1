package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// catalogue reads a list of repositories.
func (c *client) catalogue(ctx context.Context, path string, sizes []int) (Catalogue, error) {
	names, why, err := list[string]{
		name: func(s string) string { return s },
		get: func(ctx context.Context, query string) (p page[string], why, err error) {
			r, err := c.ask(ctx, request{path: path, query: query, scope: catalogScope})
			if err != nil {
				return page[string]{}, nil, err
			}
			p, why = c.namesPage(r, path, "repositories", reference.CheckRepository)
			return p, why, nil
		},
		first: firstN,
		after: afterLast,
		sizes: sizes,
	}.read(ctx)
	if err == nil && why == nil && len(names) == 0 {
		why = ErrEmptyCatalogue
	}
	if why != nil {
		why = fmt.Errorf("catalogue of %s: %w", c.host, why)
	}
	return Catalogue{Names: sorted(names), Complete: why == nil && err == nil, Why: why}, err
}

// namesPage parses a page of a list of names. The names are in a field of its body. The
// field must be present, but may be null, as Distribution 2 writes an empty list.
func (c *client) namesPage(r reply, path, field string, check func(string) error) (p page[string], why error) {
	if why := listReply(r); why != nil {
		return p, why
	}
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal(r.body, &body); err != nil || body[field] == nil {
		return p, fmt.Errorf("%s is not a list of %s: %s", path, field, reference.Quote(string(r.body)))
	}
	if p.items, why = namesOf(body[field], check); why != nil {
		return p, fmt.Errorf("%s of %s: %w", field, path, why)
	}
	p.next, p.more, why = nextPage(r.header, c.base.JoinPath(path))
	return p, why
}

// namesOf returns the names in a JSON list, or why it contains anything else. It checks
// each name before it parses the next: an empty name has three bytes of JSON, but needs
// 16 bytes of memory.
func namesOf(list json.RawMessage, check func(string) error) (names []string, err error) {
	if string(list) == "null" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(list))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return nil, errors.New("it is no list")
	}
	for d.More() {
		var name string
		if err := d.Decode(&name); err != nil {
			return nil, err
		}
		if err := check(name); err != nil {
			return nil, err
		}
		if names = append(names, name); len(names) > maxEntries {
			return nil, errEndless
		}
	}
	return names, nil
}

// newListing returns the listed tags of r, and why they may not be all.
func newListing(r Repository, tags []Tag, why error) Listing {
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Name, b.Name) })
	if why != nil {
		why = fmt.Errorf("tags of %s: %w", r.Name, why)
	}
	return Listing{Tags: tags, Complete: why == nil, Why: why}
}

// Queries of /v2/ and /acr/v1: n entries, behind a last one.

func firstN(n int) string { return "n=" + strconv.Itoa(n) }

func afterLast(n int, last string, _ int) string {
	return firstN(n) + "&last=" + url.QueryEscape(last)
}

// listReply says why a page of a list cannot be used.
func listReply(r reply) error {
	switch {
	case r.status == http.StatusBadRequest:
		return fmt.Errorf("%w: %w", errBadPage, r.why)
	case r.state != Found:
		return r.why
	case r.aged():
		return fmt.Errorf("a page comes from a cache, with an Age of %q", r.header.Get("Age"))
	default:
		return nil
	}
}

// firstYear is the year of the first container images. An earlier time comes from a
// reproducible build or is a zero value.
const firstYear = 2013

// parseTime parses a registry's time. It returns the zero time if s is not a plausible
// one.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.UTC().Year() < firstYear {
		return time.Time{}
	}
	return t.UTC()
}
