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
	Tags         []string // each is one of meanings
	ByHand       []string // names given by hand; an empty one is none
	Categories   []string // without one there are no memberships
	Digests      int      // how many there are, beside none
	Seconds      int      // how many times there are, beside noon
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
	place      int // in the order of versions, from 1 on; 0: it is no version
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
	"1.0":        {place: 2}, // of equal precedence as 1.0.0, with fewer numbers
	"1.0.0":      {place: 3, full: true},
	"v1.0.0":     {place: 3, full: true},
	"1.0.0.0":    {place: 4, full: true}, // with more
	"1.0.0.2":    {place: 5, full: true},
	"1.1-rc.1":   {place: 6, prerelease: true},
	"1.1.0-rc.1": {place: 7, prerelease: true, full: true},
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
func pick(events []event.Event, q store.Query) (answer event.Push, found bool) {
	all := slices.DeleteFunc(live(events, q.Name), func(p event.Push) bool { return q.Match != nil && !q.Match(p.Reference.Tag) })
	if q.Order != store.ByPushed {
		if answer, found = most(all, func(p event.Push) []int { return byVersion(q, p) }); found && byVersion(q, answer)[0] > 0 {
			return answer, true
		}
	}
	newest, found := most(all, func(event.Push) []int { return nil })
	if !found || newest.Digest == "" || meanings[newest.Reference.Tag].full {
		return newest, found
	}
	same := slices.DeleteFunc(all, func(p event.Push) bool {
		return p.Digest != newest.Digest || p.Reference.Registry != newest.Reference.Registry || p.Reference.Repository != newest.Reference.Repository
	})
	return most(same, saysMost)
}

// byVersion ranks p among versions, where it is one for q.
func byVersion(q store.Query, p event.Push) []int {
	m := meanings[p.Reference.Tag]
	place := m.place
	if q.Prefix == "cli-" && place == 0 {
		place = m.behindCLI
	}
	switch {
	case place == 0:
		return []int{0, 0}
	case q.Order == store.ByRelease && m.prerelease:
		return []int{1, place}
	default:
		return []int{2, place}
	}
}

// saysMost ranks p by what its tag says: a full version, else a version, releases
// before prereleases, else anything but latest.
func saysMost(p event.Push) []int {
	m := meanings[p.Reference.Tag]
	is := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	return []int{is(m.full), is(m.place > 0), is(!m.prerelease), m.place, is(p.Reference.Tag != "latest")}
}

// most returns the greatest of all by a rank, of equal ones the newest.
func most(all []event.Push, rank func(event.Push) []int) (best event.Push, found bool) {
	for _, p := range all {
		if c := slices.Compare(rank(p), rank(best)); !found || c > 0 || c == 0 && compareTimes(p, best) > 0 {
			best, found = p, true
		}
	}
	return best, found
}

// compareTimes says which of two references is the newer.
func compareTimes(p, q event.Push) int {
	text := func(p event.Push) string {
		return p.Reference.Registry + "/" + p.Reference.Repository + ":" + p.Reference.Tag
	}
	return cmp.Or(p.PushedAt.Compare(q.PushedAt), cmp.Compare(text(p), text(q)))
}

// entryOf returns the model's entry of the catalogue.
func entryOf(events []event.Event, name reference.Name) (entry store.Entry, ok bool) {
	newest, ok := pick(events, store.Query{Name: name, Order: store.ByPushed})
	entry = store.Entry{Name: name, Newest: newest}
	if highest, _ := pick(events, store.Query{Name: name, Order: store.ByRelease}); meanings[highest.Reference.Tag].place > 0 {
		entry.Highest = highest.Reference
	}
	return entry, ok
}

// isNewerMembership reports whether of two memberships of one member m wins.
func isNewerMembership(m, old event.Membership) bool {
	return m.At.After(old.At) || m.At.Equal(old.At) && m.Removed
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
		if !ok || isNewerMembership(m, old) {
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
	checkPages(t, s, store.Listing{Words: []string{base}, Span: store.Span{Limit: 2}}, want)
	slices.SortFunc(want, func(d, e store.Entry) int { return compareEntries(true, d, e) })
	checkPages(t, s, store.Listing{Words: []string{base}, Newest: true, Span: store.Span{Limit: 2}}, want)
	for _, category := range Large.Categories {
		checkCategory(t, s, base+category, events)
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

// CheckEntry wants s to list one name as the model, after events.
func CheckEntry(t *rapid.T, s store.Reader, name reference.Name, events []event.Event) {
	t.Helper()
	var want []store.Entry
	if entry, ok := entryOf(events, name); ok {
		want = []store.Entry{entry}
	}
	for _, byPush := range []bool{false, true} {
		l := store.Listing{Words: []string{textOf(name)}, Newest: byPush, Span: store.Span{Limit: 2}}
		got := slices.DeleteFunc(readPages(t, s, l), func(e store.Entry) bool { return e.Name != name })
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s in Repositories(%+v): -want +got\n%s", name, l, diff)
		}
	}
}

// matches are conditions on tags, with the prefix that their tags have in common.
var matches = []struct {
	what, prefix string
	match        func(tag string) bool
}{
	{what: "all"},
	{what: "without a dot", match: func(tag string) bool { return !strings.Contains(tag, ".") }},
	{what: "not latest", match: func(tag string) bool { return tag != "latest" }},
	{what: "cli-*", prefix: "cli-", match: func(tag string) bool { return strings.HasPrefix(tag, "cli-") }},
	{what: "v*", prefix: "v", match: func(tag string) bool { return strings.HasPrefix(tag, "v") }},
}

// CheckName wants s to answer as the model for one name, in every order, of all
// tags and of some, and to list its references, after events.
func CheckName(t *rapid.T, s store.Reader, name reference.Name, events []event.Event) {
	t.Helper()
	for _, m := range matches {
		checkReferences(t, s, name, m.what, m.match, events)
		for _, order := range []store.Order{store.ByPushed, store.ByRelease, store.ByVersion} {
			checkPick(t, s, store.Query{Name: name, Order: order, Match: m.match, Prefix: m.prefix}, m.what, events)
		}
	}
	for _, p := range live(events, name) {
		checkVersioned(t, s, name, p, events)
	}
}

// checkVersioned wants s to know the version of p as the model does.
func checkVersioned(t *rapid.T, s store.Reader, name reference.Name, p event.Push, events []event.Event) {
	t.Helper()
	want, found := most(slices.DeleteFunc(live(events, name), func(q event.Push) bool {
		return p.Digest == "" || q.Digest != p.Digest || q.Reference.Name() != p.Reference.Name() || meanings[q.Reference.Tag].place == 0
	}), saysMost)
	got, err := s.Versioned(t.Context(), name, p)
	if !found {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("Versioned(%s, %s) = %s, %v, want ErrNotFound", name, p.Reference, got.Reference, err)
		}
		return
	}
	if diff := gocmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("Versioned(%s, %s): %v, -want +got\n%s", name, p.Reference, err, diff)
	}
}

// checkReferences wants s to list the references of a name that match takes, as the
// model does, in pages of two.
func checkReferences(t *rapid.T, s store.Reader, name reference.Name, what string, match func(tag string) bool, events []event.Event) {
	t.Helper()
	want := slices.DeleteFunc(live(events, name), func(p event.Push) bool { return match != nil && !match(p.Reference.Tag) })
	slices.SortFunc(want, func(p, q event.Push) int { return compareTimes(q, p) })
	var got []event.Push
	for span := (store.Span{Limit: 2}); ; {
		page, err := s.References(t.Context(), name, match, span)
		if err != nil {
			t.Fatalf("References(%s, tags: %s, %+v): %v", name, what, span, err)
		}
		got = append(got, page.Items...)
		if page.Next == "" {
			break
		}
		if len(page.Items) == 0 || len(got) >= len(want) {
			t.Fatalf("References(%s, tags: %s, %+v) has %d items, Next = %q; want the last page to be behind %d in all", name, what, span, len(page.Items), page.Next, len(want))
		}
		span.After = page.Next
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("References(%s, tags: %s): -want +got\n%s", name, what, diff)
	}
}

// checkPick wants s to pick as the model does; tags says which tags q matches.
func checkPick(t *rapid.T, s store.Reader, q store.Query, tags string, events []event.Event) {
	t.Helper()
	call := fmt.Sprintf("Pick(%s, %s, tags: %s)", q.Name, q.Order, tags)
	want, found := pick(events, q)
	got, err := s.Pick(t.Context(), q)
	if found {
		if err != nil {
			t.Fatalf("%s: %v, want %s", call, err, want.Reference)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: -want +got\n%s", call, diff)
		}
		return
	}
	all := len(live(events, q.Name))
	if all == 0 && !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("%s = %s, %v, want ErrNotFound", call, got.Reference, err)
	}
	if noMatch, ok := errors.AsType[*store.NoMatchError](err); all > 0 && (!ok || *noMatch != store.NoMatchError{Read: all}) {
		t.Fatalf("%s = %s, %v, want a NoMatchError of %d", call, got.Reference, err, all)
	}
}
