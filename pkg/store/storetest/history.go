package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// historyOfARepository: a history leaves out what has a given name, and what is in
// another registry or repository.
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

// historyIsOfTheEvents wants the histories after random events to equal the model's.
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

// pushAllIsPush stores random events, neighboring pushes with one PushAll, and wants the
// store to answer as the model does.
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

// pushAllOfOneReference: of several pushes of a reference the newest wins, whatever its
// place among them, and also against what is stored.
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
