package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
)

// A comparison compares a repository's listing with the store.
type comparison struct {
	*run
	name    string
	moment  moment
	history store.History

	pushes []event.Push
	gone   []string // tags that the registry no longer has
	later  int      // tags that changed within the margin
	unsure int      // tags about which the registry gave no usable answer
	hidden int      // tags that are not listed, but exist; the attributes may not show their deletion
	why    error    // why the listing does not prove that a tag is gone; nil: it does
}

var errNoDate = errors.New("the registry's answer has no time, comes from a cache, or its clock is more than 5 minutes off: cannot tell what is gone")

func (c *comparison) compare(ctx context.Context, list registry.Listing) error {
	listed := map[string]bool{}
	for _, t := range list.Tags {
		listed[t.Name] = true
		if err := c.show(ctx, t); err != nil {
			return err
		}
	}
	switch {
	case !list.Complete:
		c.why = list.Why
		return nil
	case c.moment.safe.IsZero():
		c.why = errNoDate
		return nil
	}
	for _, tag := range slices.Sorted(maps.Keys(c.history.Pushes)) {
		if p := c.history.Pushes[tag]; !listed[tag] && c.history.Live(p) {
			if err := c.missing(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// show compares a tag that the registry shows with the store.
func (c *comparison) show(ctx context.Context, t registry.Tag) error {
	if c.options.Ignored(t.Name) {
		return nil
	}
	if t.Digest == "" {
		c.unsure++
		return nil
	}
	s := shown{event.Push{
		Reference: reference.Reference{Registry: c.host, Repository: c.name, Tag: t.Name},
		Digest:    t.Digest, MediaType: t.MediaType, Size: t.Size, PushedAt: t.PushedAt,
	}, t.NotBefore}
	if c.moment.agrees(s, c.history) {
		return nil
	}
	if t.PushedAt.IsZero() && t.NotBefore.IsZero() {
		var err error
		if s.notBefore, err = c.registry.Created(ctx, c.name, t); err != nil {
			return err
		}
	}
	switch p, v := c.moment.decide(s, c.history); v {
	case push:
		c.pushes = append(c.pushes, p)
	case later:
		c.later++
	}
	return nil
}

// missing asks the registry for a live reference that it did not list. The tag may be
// hidden from lists, or may have changed since.
func (c *comparison) missing(ctx context.Context, p event.Push) error {
	if p.PushedAt.After(c.moment.safe) {
		c.later++
		return nil
	}
	tag := p.Reference.Tag
	answer, err := c.registry.Tag(ctx, c.name, tag)
	if err != nil {
		return err
	}
	switch answer.State {
	case registry.Gone:
		c.gone = append(c.gone, tag)
		return nil
	case registry.Found:
		c.hidden++
		return c.show(ctx, answer.Tag)
	default:
		c.unsure++
		return nil
	}
}

// record returns what to remember of a repository with attributes a. belongs says that
// the attributes describe the listing.
func (c *comparison) record(a registry.Attributes, belongs bool) record {
	live := map[string]bool{}
	for tag, p := range c.history.Pushes {
		if c.history.Live(p) {
			live[tag] = true
		}
	}
	for _, p := range c.pushes {
		live[p.Reference.Tag] = true
	}
	r := record{Live: len(live)}
	if a.Known() {
		r.Updated, r.Tags, r.Manifests = a.LastUpdate, a.Tags, a.Manifests
		if belongs && c.why == nil && c.later+c.unsure+c.hidden == 0 {
			r.Listed = c.moment.safe
		}
	}
	if len(c.gone) > 0 {
		r.GoneAt = c.moment.safe
		r.Gone, r.More = fitting(c.gone)
	}
	return r
}

// fitting returns the tags that fit into a record, and the number of the others.
func fitting(tags []string) (fit []string, more int) {
	size := 0
	for i, tag := range tags {
		if size += len(tag) + len(`"",`); size > maxGone {
			return tags[:i], len(tags) - i
		}
	}
	return tags, 0
}
