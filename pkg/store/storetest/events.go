package storetest

import (
	"cmp"
	"context"
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
		var register string
		var newer func(old event.Event) bool
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

// collect returns what a sequence yields. An error fails the test.
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

// eventsOf returns the events in s whose names begin with base.
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

// lineOf returns an event as one line of text.
func lineOf(t rapid.TB, e event.Event) string {
	t.Helper()
	line, err := e.MarshalJSON()
	if err != nil {
		t.Fatalf("%s: %v", e, err)
	}
	return string(line)
}

// eventsAreRegisters wants Events to yield the winners of random events, each once, and
// another store of these events to answer the same.
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

// loopOverEvents: a loop over the events of a store may write to the store, and may end
// early.
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

// statesAreNoEvents: Events does not yield states.
func statesAreNoEvents(t *testing.T, s store.Store) {
	p := washOf("1", 1, 0)
	push(t, s, p)
	putState(t, s, store.State{Key: "wash", Value: []byte("seen")}, true)
	WantEvents(t, "Events", []event.Event{{Push: &p}}, collect(t, "Events", s.Events(t.Context())))
}
