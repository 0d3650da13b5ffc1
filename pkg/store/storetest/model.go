package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// The model answers as a store must after some events, however they came. It
// spells out the contract's sentences and borrows none of the code that a backend
// uses: neither ranks and keys nor the rules of package event.

// A World has the values of which events are made: few, so that events meet.
type World struct {
	Registries   []string
	Repositories []string // each may begin with one of Registries
	Tags         []string // each is one of versions
	ByHand       []string // names given by hand; an empty one is none
	Categories   []string // without one there are no memberships
	Digests      int      // how many there are, beside none
	Seconds      int      // how many times there are, beside noon
}

// Large is the world of the suite.
var Large = World{
	Registries:   []string{"a.azurecr.io", "b.azurecr.io"},
	Repositories: []string{"wash", "team/app", "a.azurecr.io/wash"},
	Tags:         []string{"1.0.0", "v1.0.0", "1.0", "1.1.0-rc.1", "0.9", "latest", "nightly"},
	ByHand:       []string{"", "", "other", "wash"},
	Categories:   []string{"official", "official-2"},
	Digests:      6,
	Seconds:      8,
}

// versions says of each tag which version it is: its text, and its place in the
// order of versions, from 1 on. A tag that is no version has place 0.
var versions = map[string]struct {
	place      int
	prerelease bool
	text       string
}{
	"latest":     {place: 0},
	"nightly":    {place: 0},
	"0.9":        {place: 1, text: "0.9.0"},
	"1.0":        {place: 2, text: "1.0.0"}, // of equal precedence as 1.0.0, with fewer numbers
	"1.0.0":      {place: 3, text: "1.0.0"},
	"v1.0.0":     {place: 3, text: "1.0.0"},
	"1.1.0-rc.1": {place: 4, text: "1.1.0-rc.1", prerelease: true},
}

// receipt is when memberships are received: lately, since a backend may forget
// that a member was removed long ago.
var receipt = time.Now().UTC().Truncate(time.Hour)

// Event draws an event of a repository, or a category, whose name begins with base,
// or has it behind a registry.
func (w World) Event(base string) *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		registry := rapid.SampledFrom(w.Registries).Draw(t, "registry")
		repository := w.repository(base, rapid.SampledFrom(w.Repositories).Draw(t, "repository"))
		tag := rapid.SampledFrom(w.Tags).Draw(t, "tag")
		if _, ok := versions[tag]; !ok {
			t.Fatalf("the model does not know the version of tag %s", tag)
		}
		digestOf := rapid.IntRange(0, w.Digests).Draw(t, "digest")
		after := time.Duration(rapid.IntRange(0, w.Seconds).Draw(t, "second")) * time.Second
		given := rapid.SampledFrom(w.ByHand).Draw(t, "byHand")
		if given != "" {
			given = base + given
		}
		if given == repository {
			given = "" // it is its name anyway
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

// repository puts base in front of a repository, or behind the registry with which
// its path begins.
func (w World) repository(base, repository string) string {
	if registry, rest, ok := strings.Cut(repository, "/"); ok && slices.Contains(w.Registries, registry) {
		return registry + "/" + base + rest
	}
	return base + repository
}

// isNewer reports whether of two pushes of one reference p wins.
func isNewer(p, q event.Push) bool {
	switch {
	case !p.PushedAt.Equal(q.PushedAt):
		return p.PushedAt.After(q.PushedAt)
	case p.Digest != q.Digest:
		return p.Digest > q.Digest
	case p.Size != q.Size:
		return p.Size > q.Size
	default:
		return p.MediaType > q.MediaType
	}
}

// isFoundUnder reports whether a reader finds p under a name.
func isFoundUnder(p event.Push, name reference.Name) bool {
	r := p.Reference
	switch {
	case p.GivenName != "":
		return name.Registry == "" && name.Repository == p.GivenName
	case name.Registry != "":
		return name.Registry == r.Registry && name.Repository == r.Repository
	default:
		return name.Repository == r.Repository
	}
}

// isRemovedBy reports whether a delete removes what p pushed.
func isRemovedBy(p event.Push, d event.Delete) bool {
	r := p.Reference
	switch {
	case d.Registry != r.Registry || d.Repository != r.Repository || d.GivenName != p.GivenName:
		return false
	case p.PushedAt.After(d.DeletedAt):
		return false
	case d.Digest != "":
		return d.Digest == p.Digest
	case d.Tag != "":
		return d.Tag == r.Tag
	default:
		return true
	}
}

// live returns the references of a name that are left after events.
func live(events []event.Event, name reference.Name) (all []event.Push) {
	type register struct {
		givenName string
		reference reference.Reference
	}
	newest := map[register]event.Push{}
	for _, e := range events {
		if e.Push == nil {
			continue
		}
		r := register{e.Push.GivenName, e.Push.Reference}
		if old, ok := newest[r]; !ok || isNewer(*e.Push, old) {
			newest[r] = *e.Push
		}
	}
	for _, p := range newest {
		isRemoved := func(e event.Event) bool { return e.Delete != nil && isRemovedBy(p, *e.Delete) }
		if isFoundUnder(p, name) && !slices.ContainsFunc(events, isRemoved) {
			all = append(all, p)
		}
	}
	return all
}

// pick returns the one of the model's references that q asks for.
func pick(events []event.Event, q store.Query) (best event.Push, found bool) {
	for _, p := range live(events, q.Name) {
		if (q.Match == nil || q.Match(p.Reference.Tag)) && (!found || compare(q.Order, p, best) > 0) {
			best, found = p, true
		}
	}
	return best, found
}

// compare says which of two references an order prefers.
func compare(order store.Order, p, q event.Push) int {
	byVersion := 0
	if order != store.ByPushed {
		v, w := versions[p.Reference.Tag], versions[q.Reference.Tag]
		byVersion = cmp.Compare(v.place, w.place)
		if order == store.ByRelease && v.place > 0 && w.place > 0 && v.prerelease != w.prerelease {
			byVersion = 1
			if v.prerelease {
				byVersion = -1
			}
		}
	}
	text := func(p event.Push) string {
		return p.Reference.Registry + "/" + p.Reference.Repository + ":" + p.Reference.Tag
	}
	return cmp.Or(byVersion, p.PushedAt.Compare(q.PushedAt), cmp.Compare(text(p), text(q)))
}

// entryOf returns the model's entry of the catalogue.
func entryOf(events []event.Event, name reference.Name) (entry store.Entry, ok bool) {
	newest, ok := pick(events, store.Query{Name: name, Order: store.ByPushed})
	highest, _ := pick(events, store.Query{Name: name, Order: store.ByRelease})
	return store.Entry{Name: name, Newest: newest, Version: versions[highest.Reference.Tag].text}, ok
}

// membersOf returns the model's members of a category.
func membersOf(events []event.Event, category string) []event.Member {
	newest := map[event.Member]event.Membership{}
	for _, e := range events {
		if e.Membership == nil || e.Membership.Category != category {
			continue
		}
		m := *e.Membership
		old, ok := newest[m.Member]
		if !ok || m.At.After(old.At) || m.At.Equal(old.At) && m.Removed {
			newest[m.Member] = m
		}
	}
	maps.DeleteFunc(newest, func(_ event.Member, m event.Membership) bool { return m.Removed })
	return slices.SortedFunc(maps.Keys(newest), func(m, n event.Member) int {
		return cmp.Compare(textOf(m.Name), textOf(n.Name))
	})
}

func textOf(n reference.Name) string { return strings.TrimPrefix(n.Registry+"/"+n.Repository, "/") }

// check wants s to answer as the model for every name, and to list as it.
func check(t *rapid.T, s store.Reader, base string, events []event.Event) {
	t.Helper()
	var listed []reference.Name
	for _, repository := range append(slices.Clone(Large.Repositories), "other") {
		name := reference.Name{Repository: Large.repository(base, repository)}
		listed = append(listed, name)
		CheckName(t, s, name, events)
		for _, registry := range Large.Registries {
			CheckName(t, s, reference.Name{Registry: registry, Repository: name.Repository}, events)
		}
	}
	slices.SortFunc(listed, func(m, n reference.Name) int { return cmp.Compare(m.Repository, n.Repository) })
	var want []store.Entry
	for _, name := range listed {
		if entry, ok := entryOf(events, name); ok {
			want = append(want, entry)
		}
	}
	checkListing(t, s, base, want)
	for _, category := range Large.Categories {
		checkCategory(t, s, base+category, events)
	}
}

// checkListing wants s to list just some entries of the names that contain word.
func checkListing(t *rapid.T, s store.Reader, word string, want []store.Entry) {
	t.Helper()
	page, err := s.Repositories(t.Context(), store.Listing{Words: []string{word}, Span: store.Span{Limit: len(want) + 1}})
	if err != nil {
		t.Fatalf("Repositories with %s: %v", word, err)
	}
	if diff := gocmp.Diff(want, page.Items, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Repositories with %s: -want +got\n%s", word, diff)
	}
	if page.Next != "" {
		t.Fatalf("Repositories with %s: Next = %q on the last page", word, page.Next)
	}
}

// checkCategory wants s to list the members of a category, and their entries, as
// the model.
func checkCategory(t *rapid.T, s store.Reader, category string, events []event.Event) {
	t.Helper()
	want := membersOf(events, category)
	got, err := s.Members(t.Context(), category)
	if err != nil {
		t.Fatalf("Members(%s): %v", category, err)
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Members(%s): -want +got\n%s", category, diff)
	}
	var names []reference.Name
	var entries []store.Entry
	for _, m := range want {
		entry, _ := entryOf(events, m.Name)
		names, entries = append(names, m.Name), append(entries, entry)
	}
	gotEntries, err := s.Entries(t.Context(), names)
	if err != nil {
		t.Fatalf("Entries(%v): %v", names, err)
	}
	if diff := gocmp.Diff(entries, gotEntries, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Entries(%v): -want +got\n%s", names, diff)
	}
}

// CheckEntry wants s to list one name as the model, after events. No other name of
// s may contain it.
func CheckEntry(t *rapid.T, s store.Reader, name reference.Name, events []event.Event) {
	t.Helper()
	var want []store.Entry
	if entry, ok := entryOf(events, name); ok {
		want = []store.Entry{entry}
	}
	checkListing(t, s, textOf(name), want)
}

// CheckName wants s to answer as the model for one name, in every order, of all
// tags and of some, and to list its references, after events.
func CheckName(t *rapid.T, s store.Reader, name reference.Name, events []event.Event) {
	t.Helper()
	checkReferences(t, s, name, events)
	for _, order := range []store.Order{store.ByPushed, store.ByRelease, store.ByVersion} {
		checkPick(t, s, store.Query{Name: name, Order: order}, "all", events)
		withoutDot := func(tag string) bool { return !strings.Contains(tag, ".") }
		checkPick(t, s, store.Query{Name: name, Order: order, Match: withoutDot}, "without a dot", events)
	}
}

// checkReferences wants s to list the references of a name as the model does, in
// pages of two.
func checkReferences(t *rapid.T, s store.Reader, name reference.Name, events []event.Event) {
	t.Helper()
	want := live(events, name)
	slices.SortFunc(want, func(p, q event.Push) int { return compare(store.ByPushed, q, p) })
	var got []event.Push
	for span := (store.Span{Limit: 2}); ; {
		page, err := s.References(t.Context(), name, span)
		if err != nil {
			t.Fatalf("References(%s, %+v): %v", name, span, err)
		}
		got = append(got, page.Items...)
		if page.Next == "" {
			break
		}
		if len(page.Items) == 0 || len(got) >= len(want) {
			t.Fatalf("References(%s, %+v) has %d items, Next = %q; want the last page to be behind %d in all", name, span, len(page.Items), page.Next, len(want))
		}
		span.After = page.Next
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("References(%s): -want +got\n%s", name, diff)
	}
}

// checkPick wants s to pick as the model does; tags says which tags q matches.
func checkPick(t *rapid.T, s store.Reader, q store.Query, tags string, events []event.Event) {
	t.Helper()
	call := fmt.Sprintf("Pick(%s, %s, tags: %s)", q.Name, q.Order, tags)
	want, found := pick(events, q)
	got, err := s.Pick(t.Context(), q)
	if !found {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%s = %s, %v, want ErrNotFound", call, got.Reference, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v, want %s", call, err, want.Reference)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("%s: -want +got\n%s", call, diff)
	}
}
