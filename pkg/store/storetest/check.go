package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// TB is a test, or one case of a rapid test.
type TB interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// check wants s to answer as the model does for every name, and to list what the model
// lists.
func check(t TB, s store.Reader, base string, events []event.Event) {
	t.Helper()
	checkAll(t, s, base, events, CheckName)
}

// CheckViews is a quick check for tests of many histories: it does not match tags.
func CheckViews(t TB, s store.Reader, base string, events []event.Event) {
	t.Helper()
	checkAll(t, s, base, events, CheckView)
}

func checkAll(t TB, s store.Reader, base string, events []event.Event, checkName func(TB, store.Reader, reference.Name, []event.Event)) {
	t.Helper()
	for _, listed := range Large.listed(base) {
		for _, name := range Large.allNames(listed) {
			checkName(t, s, name, events)
		}
	}
	CheckLists(t, s, base, events)
}

// CheckLists wants s to list repositories and categories as the model does.
func CheckLists(t TB, s store.Reader, base string, events []event.Event) {
	t.Helper()
	var want []store.Entry
	for _, name := range Large.listed(base) {
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

// checkPages wants s to list exactly these entries, page by page.
func checkPages(t TB, s store.Reader, l store.Listing, want []store.Entry) {
	t.Helper()
	if diff := gocmp.Diff(want, readPages(t, s, l), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Repositories(%+v), all pages: -want +got\n%s", l, diff)
	}
}

// readPages returns the entries of a listing from its first page on. Every page except
// the last must be full, and an entry must follow it.
func readPages(t TB, s store.Reader, l store.Listing) (all []store.Entry) {
	t.Helper()
	for {
		page, err := s.Repositories(t.Context(), l)
		if err != nil {
			t.Fatalf("Repositories(%+v): %v", l, err)
		}
		all = append(all, page.Items...)
		if l.After != "" && len(page.Items) == 0 || page.Next != "" && len(page.Items) != l.Limit {
			t.Fatalf("Repositories(%+v) has %d entries, Next = %q", l, len(page.Items), page.Next)
		}
		if page.Next == "" {
			return all
		}
		l.After = page.Next
	}
}

// checkCategory wants s to list the members of a category, and their entries, as the
// model does.
func checkCategory(t TB, s store.Reader, category string, events []event.Event) {
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

// CheckEntry wants s to list one name as the model does after events.
func CheckEntry(t TB, s store.Reader, name reference.Name, events []event.Event) {
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

// A match is a condition on tags, with the prefix that the tags share.
type match struct {
	what, prefix string
	match        func(tag string) bool
}

var matches = []match{
	{what: "all"},
	{what: "without a dot", match: func(tag string) bool { return !strings.Contains(tag, ".") }},
	{what: "not latest", match: func(tag string) bool { return tag != "latest" }},
	{what: "cli-*", prefix: "cli-", match: func(tag string) bool { return strings.HasPrefix(tag, "cli-") }},
	{what: "v*", prefix: "v", match: func(tag string) bool { return strings.HasPrefix(tag, "v") }},
}

// CheckName wants s to answer as the model does for one name after events: in every
// order, for all tags and for some, and in lists of references.
func CheckName(t TB, s store.Reader, name reference.Name, events []event.Event) {
	t.Helper()
	for _, m := range matches {
		m.check(t, s, name, events)
	}
	for _, p := range live(events, name) {
		checkVersioned(t, s, name, p, events)
	}
}

// CheckView is CheckName without conditions on tags.
func CheckView(t TB, s store.Reader, name reference.Name, events []event.Event) {
	t.Helper()
	match{what: "all"}.check(t, s, name, events)
}

// check wants s to answer as the model does about the tags that m accepts.
func (m match) check(t TB, s store.Reader, name reference.Name, events []event.Event) {
	t.Helper()
	checkReferences(t, s, name, m.what, m.match, events)
	for _, order := range []store.Order{store.ByPushed, store.ByRelease, store.ByVersion} {
		checkPick(t, s, store.Query{Name: name, Order: order, Match: m.match, Prefix: m.prefix}, m.what, events)
	}
}

// checkVersioned wants s to find the same version of p as the model.
func checkVersioned(t TB, s store.Reader, name reference.Name, p event.Push, events []event.Event) {
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

// checkReferences wants s to list the matching references of a name as the model does, in
// pages of two.
func checkReferences(t TB, s store.Reader, name reference.Name, what string, match func(tag string) bool, events []event.Event) {
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
	if slices.Equal(want, got) {
		return
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("References(%s, tags: %s): -want +got\n%s", name, what, diff)
	}
}

// checkPick wants s to pick as the model does. tags describes the tags that q matches.
func checkPick(t TB, s store.Reader, q store.Query, tags string, events []event.Event) {
	t.Helper()
	want, found := pick(events, q)
	got, err := s.Pick(t.Context(), q)
	if found && err == nil && got == want { // the usual case, without a slow diff
		return
	}
	call := fmt.Sprintf("Pick(%s, %s, tags: %s)", q.Name, q.Order, tags)
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
