package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// wantReferences wants s to list pushes of a name in pages of limit. It calls between
// before each page except the first.
func wantReferences(t *testing.T, s store.Reader, name reference.Name, limit int, want []event.Push, between func()) {
	t.Helper()
	got := pages(t, limit, func(span store.Span) (store.Page[event.Push], error) {
		return s.References(t.Context(), name, nil, span)
	}, between)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("References(%s) by pages of %d: -want +got\n%s", name, limit, diff)
	}
}

// wantEntries is wantReferences for entries of the catalogue.
func wantEntries(t *testing.T, s store.Reader, limit int, want []store.Entry, between func()) {
	t.Helper()
	got := pages(t, limit, func(span store.Span) (store.Page[store.Entry], error) {
		return s.Repositories(t.Context(), store.Listing{Span: span})
	}, between)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Repositories by pages of %d: -want +got\n%s", limit, diff)
	}
}

func catalogue(t *testing.T, s store.Store) {
	wantEntries(t, s, 10, nil, nothing)
	var want []store.Entry
	for i, name := range []string{"a", "a-b", "a/b", "b", "c", "d"} {
		newest := pushOf(registry, name, "latest", i, noon.Add(time.Minute))
		version := pushOf(registry, name, fmt.Sprintf("v1.%d.0", i), i+100, noon)
		want = append(want, store.Entry{Name: anywhere(name), Newest: newest, Highest: version.Reference})
		push(t, s,
			newest,
			version,
			pushOf("other.azurecr.io", name, "2.0.0-rc.1", i, noon))
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		wantEntries(t, s, limit, want, nothing)
	}
}

func versionOfAnEntry(t *testing.T, s store.Store) {
	var want []store.Entry
	for _, test := range []struct {
		name    string
		tags    []string // oldest first
		highest int      // index in tags; -1: none
		version string
	}{
		{name: "none", tags: []string{"latest"}, highest: -1},
		{name: "prereleases", tags: []string{"1.0.0-rc.10", "1.0.0-rc.9", "latest"}, highest: 0, version: "1.0.0-rc.10"},
		{name: "release", tags: []string{"0.9.0", "1.0.0-rc.1", "0.8.0"}, highest: 0, version: "0.9.0"},
		{name: "short", tags: []string{"20.10", "22.04", "latest"}, highest: 1, version: "22.04"},
		{name: "with-build", tags: []string{"0.18.1", "v0.19.0_build.5", "nightly"}, highest: 1, version: "0.19.0+build.5"},
	} {
		entry := store.Entry{Name: anywhere(test.name)}
		if test.highest >= 0 {
			entry.Highest = pushOf(registry, test.name, test.tags[test.highest], 1, noon).Reference
		}
		if got := entry.Version(); got != test.version {
			t.Errorf("the version of %s is %q, want %q", entry.Highest, got, test.version)
		}
		for i, tag := range test.tags {
			entry.Newest = pushOf(registry, test.name, tag, i, noon.Add(time.Duration(i)*time.Second))
			push(t, s, entry.Newest)
		}
		want = append(want, entry)
	}
	wantEntries(t, s, 10, want, nothing)
}

func catalogueFollowsDeletes(t *testing.T, s store.Store) {
	zoo := store.Entry{Name: anywhere("zoo"), Newest: pushOf(registry, "zoo", "1", 1, noon)}
	push(t, s, washOf("1.0.0", 1, 0), washOf("2.0.0", 2, 1), zoo.Newest)
	wantDeleted(t, s, deleteOfDigest("wash", 2, 60), 1)
	wantEntries(t, s, 10, []store.Entry{{Name: anywhere("wash"), Newest: washOf("1.0.0", 1, 0), Highest: washOf("1.0.0", 1, 0).Reference}, zoo}, nothing)
	wantDeleted(t, s, deleteOf("wash", 60), 1)
	wantEntries(t, s, 1, []store.Entry{zoo}, nothing)
	again := washOf("1.0.0", 1, 61)
	push(t, s, again)
	wantEntries(t, s, 1, []store.Entry{{Name: anywhere("wash"), Newest: again, Highest: again.Reference}, zoo}, nothing)
}

// cataloguePagesStayRight pushes and deletes between the pages of the catalogue.
func cataloguePagesStayRight(t *testing.T, s store.Store) {
	entry := func(name string) store.Entry {
		return store.Entry{Name: anywhere(name), Newest: pushOf(registry, name, "1", 1, noon)}
	}
	for _, name := range []string{"b", "d", "f", "h"} {
		push(t, s, entry(name).Newest)
	}
	// The first page ends with d. What comes before it changes nothing that follows.
	want := []store.Entry{entry("b"), entry("d"), entry("e"), entry("h")}
	first := true
	wantEntries(t, s, 2, want, func() {
		if !first {
			return
		}
		first = false
		push(t, s, entry("a").Newest, entry("c").Newest, entry("e").Newest)
		wantDeleted(t, s, deleteOf("b", 60), 1)
		wantDeleted(t, s, deleteOf("d", 60), 1)
		wantDeleted(t, s, deleteOf("f", 60), 1)
	})
}

func search(t *testing.T, s store.Store) {
	// The last two match no word. The page of the one match that is left must not end the
	// list.
	names := []string{"app", "app-server", "server", "team/app", "team/app-server-2", "zebra", "zoo"}
	for i, name := range names {
		push(t, s, pushOf(registry, name, "1", i, noon))
	}
	wantDeleted(t, s, deleteOf("zoo", 0), 1)
	for _, test := range []struct {
		words []string
		want  []string
	}{
		{words: nil, want: names[:6]},
		{words: []string{"app"}, want: []string{"app", "app-server", "team/app", "team/app-server-2"}},
		{words: []string{"server", "app"}, want: []string{"app-server", "team/app-server-2"}},
		{words: []string{"m/a"}, want: []string{"team/app", "team/app-server-2"}},
		{words: []string{"zoo"}, want: nil},
		{words: []string{"azurecr"}, want: names[:6]}, // in the newest reference
		{words: []string{"cr.io/app"}, want: []string{"app", "app-server"}},
		{words: []string{"1"}, want: nil}, // tags are not searched
	} {
		for limit := 1; limit <= len(names); limit++ {
			var got []string
			for _, e := range pages(t, limit, func(span store.Span) (store.Page[store.Entry], error) {
				return s.Repositories(t.Context(), store.Listing{Span: span, Words: test.words})
			}, nothing) {
				got = append(got, e.Name.Repository)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Repositories with %v by pages of %d: -want +got\n%s", test.words, limit, diff)
			}
		}
	}
}

func entries(t *testing.T, s store.Store) {
	own := washOf("1.0.0", 1, 0)
	elsewhere := pushOf("other.azurecr.io", "wash", "2.0.0", 1, noon.Add(time.Second))
	push(t, s, own, elsewhere)
	want := []store.Entry{
		{Name: anywhere("none")},
		{Name: in(registry, "wash"), Newest: own, Highest: own.Reference},
		{Name: anywhere("wash"), Newest: elsewhere, Highest: elsewhere.Reference},
		{Name: in(registry, "none")},
		{Name: in("other.azurecr.io", "wash"), Newest: elsewhere, Highest: elsewhere.Reference},
	}
	for i := range 120 { // more than one BatchGetItem reads
		p := pushOf(registry, fmt.Sprintf("app-%d", i), "1", i, noon)
		push(t, s, p)
		want = append(want, store.Entry{Name: anywhere(p.Reference.Repository), Newest: p})
	}
	want = append(want, want[5], want[0], want[1])
	var names []reference.Name
	for _, e := range want {
		names = append(names, e.Name)
	}
	got, err := s.Entries(t.Context(), names)
	if err != nil {
		t.Fatalf("Entries: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Entries: -want +got\n%s", diff)
	}
	if got, err := s.Entries(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("Entries of no names = %v, %v", got, err)
	}
}

func wantMembers(t *testing.T, s store.Reader, category string, want ...event.Member) {
	t.Helper()
	got, err := s.Members(t.Context(), category)
	if err != nil {
		t.Fatalf("Members(%q): %v", category, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Members(%q): -want +got\n%s", category, diff)
	}
}

func categories(t *testing.T, s store.Store) {
	wantMembers(t, s, "")
	// As text, a-b/c sorts before a/b; as a category, a sorts before a-b.
	b := event.Member{Category: "a", Name: anywhere("b")}
	z := event.Member{Category: "a", Name: anywhere("z/z")}
	c := event.Member{Category: "a-b", Name: anywhere("c")}
	for _, m := range []event.Member{c, z, b, z} {
		categorize(t, s, m, false, receipt)
	}
	categorize(t, s, event.Member{Category: "b", Name: anywhere("never-in")}, true, receipt)
	wantMembers(t, s, "", b, z, c)
	wantMembers(t, s, "a", b, z)
	wantMembers(t, s, "a-b", c)
	wantMembers(t, s, "b")
	wantMembers(t, s, "a-")
}

// membersOfRegistries: a repository in any registry and the same one in a given registry
// are two members, in the order of their texts.
func membersOfRegistries(t *testing.T, s store.Store) {
	var want []event.Member
	for _, name := range []reference.Name{
		in("a.azurecr.io", "wash"),
		anywhere("app"),
		anywhere("wash"),
		in(registry, "wash"),
		in(registry, "wash/sub"),
		anywhere("zoo"),
	} {
		want = append(want, event.Member{Category: "official", Name: name})
	}
	for _, i := range []int{3, 1, 5, 0, 4, 2} {
		categorize(t, s, want[i], false, receipt)
	}
	wantMembers(t, s, "official", want...)
	categorize(t, s, want[2], true, receipt.Add(1))
	wantMembers(t, s, "official", slices.Delete(slices.Clone(want), 2, 3)...)
}

func newestMembership(t *testing.T, s store.Store) {
	m := event.Member{Category: "official", Name: anywhere("wash")}
	categorize(t, s, m, false, receipt)
	categorize(t, s, m, true, receipt.Add(2))
	wantMembers(t, s, "official")
	categorize(t, s, m, false, receipt.Add(1)) // late
	wantMembers(t, s, "official")
	categorize(t, s, m, false, receipt.Add(2)) // equal times: the removal wins
	wantMembers(t, s, "official")
	categorize(t, s, m, false, receipt.Add(3))
	wantMembers(t, s, "official", m)
	categorize(t, s, m, true, receipt.Add(2)) // late
	wantMembers(t, s, "official", m)
	categorize(t, s, m, true, receipt.Add(3)) // equal times, the removal comes last
	wantMembers(t, s, "official")
}

func referencesInPages(t *testing.T, s store.Store) {
	// In pairs of one time. In each pair the greater text is the newer.
	want := []event.Push{
		washOf("0.6", 1, 9),
		washOf("0.9", 2, 8),
		washOf("0.8", 3, 8),
		washOf("0.7", 4, 7),
		washOf("0.10", 5, 7),
		washOf("latest", 6, 6),
		washOf("0.5", 7, 6),
	}
	for _, i := range []int{3, 6, 0, 5, 1, 4, 2} {
		push(t, s, want[i])
	}
	elsewhere := washOf("1.0", 8, 10)
	elsewhere.Reference.Registry = "other.azurecr.io"
	push(t, s, elsewhere)
	for limit := 1; limit <= len(want)+2; limit++ {
		wantReferences(t, s, anywhere("wash"), limit, append([]event.Push{elsewhere}, want...), nothing)
		wantReferences(t, s, in(registry, "wash"), limit, want, nothing)
	}
	for _, name := range []string{"was", "wash/sub", "washer"} {
		wantReferences(t, s, anywhere(name), 10, nil, nothing)
	}
}

// referencePagesStayRight pushes and deletes between two pages.
func referencePagesStayRight(t *testing.T, s store.Store) {
	pushed := []event.Push{washOf("6", 6, 6), washOf("5", 5, 5), washOf("4", 4, 4), washOf("3", 3, 3), washOf("2", 2, 2), washOf("1", 1, 1)}
	push(t, s, pushed...)
	late := pushOf(registry, "wash", "late", 7, noon.Add(2500*time.Millisecond))
	want := []event.Push{pushed[0], pushed[1], pushed[3], late, pushed[5]}
	first := true
	wantReferences(t, s, anywhere("wash"), 2, want, func() {
		if !first {
			return
		}
		first = false
		push(t, s, washOf("7", 7, 7), late)
		wantDeleted(t, s, deleteOfTag("wash", "5", 60), 1) // the last of that page
		wantDeleted(t, s, deleteOfTag("wash", "4", 60), 1) // would be the first of the next page
		wantDeleted(t, s, deleteOfTag("wash", "2", 60), 1)
	})
}
