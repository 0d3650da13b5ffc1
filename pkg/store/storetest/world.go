package storetest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// A World has the values from which events are made. They are few, so that events
// collide.
type World struct {
	Registries   []string
	Repositories []string // each may begin with one of Registries
	Tags         []string // each is one of meanings
	ByHand       []string // names given by hand; empty: not given by hand
	Categories   []string // if empty, there are no memberships
	Digests      int      // how many digests there are, besides an unknown one
	Seconds      int      // how many times there are, besides noon
}

// Large is the world of the suite.
var Large = World{
	Registries:   []string{"a.azurecr.io", "b.azurecr.io"},
	Repositories: []string{"wash", "team/app", "a.azurecr.io/wash"},
	Tags: []string{
		"1.0.0", "v1.0.0", "1.0", "v1", "1.0.0.0", "1.0.0.2", "1.1.0-rc.1", "1.1-rc.1", "0.9",
		"latest", "nightly", "stable", "cli-0.9.0", "cli-0.10.0", "cli-next",
	},
	ByHand:     []string{"", "", "other", "wash"},
	Categories: []string{"official", "official-2"},
	Digests:    3,
	Seconds:    8,
}

// A meaning is what the model knows of a tag.
type meaning struct {
	place      int // in the order of versions, from 1 on; 0: no version
	prerelease bool
	full       bool // it has three numbers or more
	behindCLI  int  // its place without "cli-"
}

// meanings says what each tag means.
var meanings = map[string]meaning{
	"latest":     {},
	"nightly":    {},
	"stable":     {},
	"v1":         {},
	"cli-next":   {},
	"cli-0.9.0":  {behindCLI: 1},
	"cli-0.10.0": {behindCLI: 2},
	"0.9":        {place: 1},
	"1.0":        {place: 2}, // the same precedence as 1.0.0, with fewer numbers
	"1.0.0":      {place: 3, full: true},
	"v1.0.0":     {place: 3, full: true},
	"1.0.0.0":    {place: 4, full: true}, // with more numbers
	"1.0.0.2":    {place: 5, full: true},
	"1.1-rc.1":   {place: 6, prerelease: true},
	"1.1.0-rc.1": {place: 7, prerelease: true, full: true},
}

// receipt is when memberships are received. It is recent, since a backend may forget old
// removals.
var receipt = time.Now().UTC().Truncate(time.Hour)

// Event draws an event of a repository, or a category, whose name begins with base,
// or has it behind a registry.
func (w World) Event(base string) *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		registry := rapid.SampledFrom(w.Registries).Draw(t, "registry")
		repository := w.repository(base, rapid.SampledFrom(w.Repositories).Draw(t, "repository"))
		tag := rapid.SampledFrom(w.Tags).Draw(t, "tag")
		if _, ok := meanings[tag]; !ok {
			t.Fatalf("the model does not know the meaning of tag %s", tag)
		}
		digestOf := rapid.IntRange(0, w.Digests).Draw(t, "digest")
		after := time.Duration(rapid.IntRange(0, w.Seconds).Draw(t, "second")) * time.Second
		given := rapid.SampledFrom(w.ByHand).Draw(t, "byHand")
		if given != "" {
			given = base + given
		}
		if given == repository {
			given = "" // it would be the repository's own name
		}
		target := event.Target{Registry: registry, Repository: repository, GivenName: given}
		kinds := []string{"push", "push", "push", "digest", "tag", "repository"}
		if len(w.Categories) > 0 {
			kinds = append(kinds, "membership")
		}
		switch rapid.SampledFrom(kinds).Draw(t, "kind") {
		case "membership":
			names := []reference.Name{{Registry: registry, Repository: repository}, {Repository: cmp.Or(given, base+"wash")}}
			member := event.Member{
				Category: base + rapid.SampledFrom(w.Categories).Draw(t, "category"),
				Name:     rapid.SampledFrom(names).Draw(t, "member"),
			}
			return event.Event{Membership: &event.Membership{Member: member, Removed: rapid.Bool().Draw(t, "removed"), At: receipt.Add(after)}}
		case "digest":
			target.Digest = digest(max(digestOf, 1))
		case "tag":
			target.Tag = tag
		case "repository":
		default:
			p := pushOf(registry, repository, tag, digestOf, noon.Add(after))
			if digestOf == 0 {
				p.Digest = ""
			}
			p.GivenName = given
			p.Size = int64(rapid.IntRange(event.UnknownSize, 1).Draw(t, "size"))
			p.MediaType = rapid.SampledFrom([]string{"", "a/a", "a/b"}).Draw(t, "mediaType")
			return event.Event{Push: &p}
		}
		return event.Event{Delete: &event.Delete{Target: target, DeletedAt: noon.Add(after), ReceivedAt: receipt}}
	})
}

// listed returns the names that may be in the catalogue, in its order.
func (w World) listed(base string) (all []reference.Name) {
	for _, repository := range append(slices.Clone(w.Repositories), "other") {
		all = append(all, reference.Name{Repository: w.repository(base, repository)})
	}
	slices.SortFunc(all, func(m, n reference.Name) int { return cmp.Compare(m.Repository, n.Repository) })
	return all
}

// allNames returns all names under which a repository's references may be found.
func (w World) allNames(listed reference.Name) []reference.Name {
	all := []reference.Name{listed}
	for _, registry := range w.Registries {
		all = append(all, reference.Name{Registry: registry, Repository: listed.Repository})
	}
	return all
}

// repository puts base in front of a repository, or behind the registry that its path
// begins with.
func (w World) repository(base, repository string) string {
	if registry, rest, ok := strings.Cut(repository, "/"); ok && slices.Contains(w.Registries, registry) {
		return registry + "/" + base + rest
	}
	return base + repository
}
