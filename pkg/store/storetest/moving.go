package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// registers returns the events that win: the newest of each register.
func registers(events []event.Event) []event.Event {
	newest := map[string]event.Event{}
	for _, e := range events {
		register, newer := "", func(event.Event) bool { return false }
		switch {
		case e.Push != nil:
			register = fmt.Sprintf("push %s as %q", e.Push.Reference, e.Push.GivenName)
			newer = func(old event.Event) bool { return isNewer(*e.Push, *old.Push) }
		case e.Delete != nil:
			register = fmt.Sprintf("delete %s as %q", e.Delete.Target, e.Delete.GivenName)
			newer = func(old event.Event) bool { return e.Delete.DeletedAt.After(old.Delete.DeletedAt) }
		default:
			register = fmt.Sprintf("membership %+v", e.Membership.Member)
			newer = func(old event.Event) bool { return isNewerMembership(*e.Membership, *old.Membership) }
		}
		if old, found := newest[register]; !found || newer(old) {
			newest[register] = e
		}
	}
	return slices.Collect(maps.Values(newest))
}

// collect returns what a sequence yields, which must not fail.
func collect[T any](t rapid.TB, what string, all iter.Seq2[T, error]) (items []T) {
	t.Helper()
	for item, err := range all {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		items = append(items, item)
	}
	return items
}

// eventsOf returns the events of s that are about a base.
func eventsOf(t rapid.TB, s store.Exporter, base string) []event.Event {
	t.Helper()
	return slices.DeleteFunc(collect(t, "Events", s.Events(context.Background())), func(e event.Event) bool { return !strings.Contains(e.String(), base) })
}

// WantEvents wants two lists to have the same events, in any order.
func WantEvents(t rapid.TB, what string, want, got []event.Event) {
	t.Helper()
	inOrder := cmpopts.SortSlices(func(a, b event.Event) int { return cmp.Compare(lineOf(t, a), lineOf(t, b)) })
	if diff := gocmp.Diff(want, got, inOrder, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s: -want +got\n%s", what, diff)
	}
}

// lineOf returns all of an event as text.
func lineOf(t rapid.TB, e event.Event) string {
	t.Helper()
	line, err := e.MarshalJSON()
	if err != nil {
		t.Fatalf("%s: %v", e, err)
	}
	return string(line)
}

// eventsAreRegisters wants Events to yield what wins of random events, each once, and
// another store of the same events to answer the same.
func eventsAreRegisters(open func(testing.TB) store.Store) func(*testing.T, store.Store) {
	return func(t *testing.T, s store.Store) {
		other := open(t)
		var cases atomic.Int64
		rapid.Check(t, func(rt *rapid.T) {
			base := fmt.Sprintf("c%d-", cases.Add(1))
			events := rapid.SliceOfN(Large.Event(base), 1, 20).Draw(rt, "events")
			apply(rt, s, events)
			stored := eventsOf(rt, s, base)
			WantEvents(rt, fmt.Sprintf("Events, of %v", events), registers(events), stored)
			for range 2 {
				apply(rt, other, rapid.Permutation(stored).Draw(rt, "order"))
				check(rt, other, base, events)
			}
			WantEvents(rt, fmt.Sprintf("Events of the other store, of %v", events), stored, eventsOf(rt, other, base))
		})
	}
}

func apply(t *rapid.T, s store.Writer, events []event.Event) {
	t.Helper()
	for _, e := range events {
		if _, err := store.Apply(t.Context(), s, e); err != nil {
			t.Fatalf("%v: %v", e, err)
		}
	}
}

// loopOverEvents: who goes through the events of a store may write to it, and end.
func loopOverEvents(t *testing.T, s store.Store) {
	for i := range 5 {
		push(t, s, washOf(fmt.Sprint(i), i, i))
	}
	looked := 0
	for e, err := range s.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		p := *e.Push
		p.Reference.Repository = "copy"
		push(t, s, p)
		if looked++; looked == 3 {
			break
		}
	}
	page, err := s.References(t.Context(), anywhere("copy"), nil, store.Span{Limit: 10})
	if err != nil || len(page.Items) != 3 {
		t.Errorf("References(copy) has %d items, %v, want the 3 that the loop wrote", len(page.Items), err)
	}
}

// statesAreNoEvents: states stay where they are.
func statesAreNoEvents(t *testing.T, s store.Store) {
	p := washOf("1", 1, 0)
	push(t, s, p)
	putState(t, s, store.State{Key: "wash", Value: []byte("seen")}, true)
	WantEvents(t, "Events", []event.Event{{Push: &p}}, collect(t, "Events", s.Events(t.Context())))
}

// historyOfARepository: what has a given name, or is of another registry or repository,
// is no part of it.
func historyOfARepository(t *testing.T, s store.Store) {
	moved, gone := washOf("latest", 2, 2), washOf("gone", 3, 3)
	other, given := washOf("1", 1, 1), washOf("1", 1, 1)
	other.Reference.Registry, given.GivenName = "ghcr.io", "app"
	longer := washOf("1", 1, 1)
	longer.Reference.Repository = "wash-2"
	push(t, s, washOf("latest", 1, 1), moved, gone, other, given, longer)
	older, newer, ofGiven := deleteOfTag("wash", "gone", 4), deleteOfTag("wash", "gone", 5), deleteOf("wash", 60)
	ofNothing, ofDigest := deleteOfTag("wash", "never", 6), deleteOfDigest("wash", 2, 1)
	ofGiven.GivenName = "app"
	for d, removed := range map[event.Delete]int{older: 1, ofNothing: 0, ofDigest: 0, ofGiven: 1} {
		wantDeleted(t, s, d, removed)
	}
	wantDeleted(t, s, newer, 0)

	got := historyOf(t, s, "wash")
	want := store.History{
		Pushes:  map[string]event.Push{"latest": moved, "gone": gone},
		Deletes: map[event.Target]event.Delete{newer.Target: newer, ofNothing.Target: ofNothing, ofDigest.Target: ofDigest},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("History(wash): -want +got\n%s", diff)
	}
	if !got.Live(moved) || got.Live(gone) {
		t.Errorf("Live(latest) = %t, Live(gone) = %t, want only latest", got.Live(moved), got.Live(gone))
	}
	for p, last := range map[event.Push]event.Delete{moved: ofDigest, gone: newer, washOf("never", 2, 0): ofNothing, washOf("2", 2, 0): ofDigest, washOf("2", 1, 0): {}} {
		if at := got.LastDelete(p); !at.Equal(last.DeletedAt) {
			t.Errorf("LastDelete(%s@%s) = %s, want %s", p.Reference, p.Digest, at, last.DeletedAt)
		}
	}
	nothing := historyOf(t, s, "unknown")
	if len(nothing.Pushes) > 0 || len(nothing.Deletes) > 0 {
		t.Errorf("History(unknown) = %+v, want nothing", nothing)
	}
}

func historyOf(t testing.TB, s store.Reconciler, repository string) store.History {
	t.Helper()
	h, err := s.History(t.Context(), registry, repository)
	if err != nil {
		t.Fatalf("History(%s): %v", repository, err)
	}
	return h
}

// historyIsOfTheEvents wants the histories after random events to be the model's.
func historyIsOfTheEvents(t *testing.T, s store.Store) {
	var cases atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		base := fmt.Sprintf("c%d-", cases.Add(1))
		events := rapid.SliceOfN(Large.Event(base), 1, 20).Draw(rt, "events")
		apply(rt, s, events)
		for _, registry := range Large.Registries {
			for _, repository := range Large.Repositories {
				checkHistory(rt, s, registry, Large.repository(base, repository), events)
			}
		}
	})
}

func checkHistory(t *rapid.T, s store.Reconciler, registry, repository string, events []event.Event) {
	t.Helper()
	got, err := s.History(t.Context(), registry, repository)
	if err != nil {
		t.Fatalf("History(%s, %s): %v", registry, repository, err)
	}
	want := store.History{Pushes: map[string]event.Push{}, Deletes: map[event.Target]event.Delete{}}
	for _, e := range registers(events) {
		switch p, d := e.Push, e.Delete; {
		case p != nil && p.GivenName == "" && p.Reference.Registry == registry && p.Reference.Repository == repository:
			want.Pushes[p.Reference.Tag] = *p
		case d != nil && d.GivenName == "" && d.Registry == registry && d.Repository == repository:
			want.Deletes[d.Target] = *d
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("History(%s, %s): -want +got\n%s", registry, repository, diff)
	}
	left := live(events, in(registry, repository))
	for _, p := range got.Pushes {
		if want := slices.Contains(left, p); got.Live(p) != want {
			t.Fatalf("Live(%s) = %t, want %t", p.Reference, !want, want)
		}
	}
}

// pushAllIsPush stores random events, with those pushes at once that are neighbors, and
// wants the store to answer as the model does.
func pushAllIsPush(t *testing.T, s store.Store) {
	var cases atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		base := fmt.Sprintf("c%d-", cases.Add(1))
		events := rapid.SliceOfN(Large.Event(base), 1, 20).Draw(rt, "events")
		var pushes []event.Push
		flush := func() {
			if err := s.PushAll(rt.Context(), pushes); err != nil {
				rt.Fatalf("PushAll(%v): %v", pushes, err)
			}
			pushes = nil
		}
		for _, i := range rapid.Permutation(repeated(rt, len(events))).Draw(rt, "order") {
			if e := events[i]; e.Push != nil {
				pushes = append(pushes, *e.Push)
				continue
			}
			flush()
			apply(rt, s, events[i:i+1])
		}
		flush()
		check(rt, s, base, events)
	})
}

// pushAllOfOneReference: of several pushes of a reference the newest wins, wherever it
// is among them, and against what is stored.
func pushAllOfOneReference(t *testing.T, s store.Store) {
	push(t, s, washOf("1", 1, 10), washOf("2", 1, 0))
	pushes := []event.Push{washOf("1", 2, 5), washOf("2", 3, 2), washOf("2", 2, 1), washOf("3", 1, 3), washOf("3", 2, 4)}
	if err := s.PushAll(t.Context(), pushes); err != nil {
		t.Fatalf("PushAll: %v", err)
	}
	want := map[string]event.Push{"1": washOf("1", 1, 10), "2": washOf("2", 3, 2), "3": washOf("3", 2, 4)}
	if diff := gocmp.Diff(want, historyOf(t, s, "wash").Pushes); diff != "" {
		t.Errorf("PushAll leaves: -want +got\n%s", diff)
	}
	wantNewest(t, s, want["1"])
	if err := errors.Join(s.PushAll(t.Context(), nil), s.PushAll(t.Context(), pushes)); err != nil {
		t.Errorf("PushAll of nothing, and again: %v", err)
	}
	wantNewest(t, s, want["1"])
}
