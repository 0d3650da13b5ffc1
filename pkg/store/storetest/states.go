package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"ocireffer/pkg/store"
)

func putState(t *testing.T, s store.Reconciler, state store.State, want bool) {
	t.Helper()
	if written, err := s.PutState(t.Context(), registry, state); err != nil || written != want {
		t.Errorf("PutState(%s, revision %d) = %t, %v, want %t", state.Key, state.Revision, written, err, want)
	}
}

func wantState(t *testing.T, s store.Reconciler, want store.State) {
	t.Helper()
	got, err := s.State(t.Context(), registry, want.Key)
	if err != nil {
		t.Errorf("State(%s): %v", want.Key, err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("State(%s): -want +got\n%s", want.Key, diff)
	}
}

// stateIsSwapped: a state is written only over the revision that its writer has read.
func stateIsSwapped(t *testing.T, s store.Store) {
	state := func(value string, revision int64) store.State {
		return store.State{Key: "wash", Value: []byte(value), Revision: revision}
	}
	wantState(t, s, store.State{Key: "wash"})
	putState(t, s, state("early", 1), false)
	wantState(t, s, store.State{Key: "wash"})
	putState(t, s, state("a\x00\xff", 0), true)
	wantState(t, s, state("a\x00\xff", 1))
	putState(t, s, state("late", 0), false)
	putState(t, s, state("b", 1), true)
	putState(t, s, state("c", 1), false)
	putState(t, s, state("early", 3), false)
	wantState(t, s, state("b", 2))
	putState(t, s, state("b", 1), true) // a repeat, as after a lost answer
	putState(t, s, state("b", 0), false)
	wantState(t, s, state("b", 2))
	putState(t, s, state("b", 2), true)
	wantState(t, s, state("b", 3))
	putState(t, s, store.State{Key: "empty"}, true)
	if got, err := s.State(t.Context(), registry, "empty"); err != nil || len(got.Value) > 0 || got.Revision != 1 {
		t.Errorf("State(empty) = %+v, %v, want revision 1 without a value", got, err)
	}
}

// oneWriterOfAState: of many writers that have read the same revision, one succeeds.
func oneWriterOfAState(t *testing.T, s store.Store) {
	const writers = 8
	for revision := range int64(3) {
		var wg sync.WaitGroup
		written := make([]bool, writers)
		errs := make([]error, writers)
		for i := range writers {
			wg.Go(func() {
				mine := store.State{Key: "lease", Value: fmt.Append(nil, i), Revision: revision}
				written[i], errs[i] = s.PutState(t.Context(), registry, mine)
			})
		}
		wg.Wait()
		winner := -1
		for i := range writers {
			if errs[i] != nil || written[i] && winner >= 0 {
				t.Fatalf("writers of revision %d: %t, %v, want one to write", revision, written, errs)
			}
			if written[i] {
				winner = i
			}
		}
		wantState(t, s, store.State{Key: "lease", Value: fmt.Append(nil, winner), Revision: revision + 1})
	}
}

// statesOfARegistry: states come in the order of their keys, apart from those of other
// registries.
func statesOfARegistry(t *testing.T, s store.Store) {
	var want []store.State
	for i, key := range []string{"#run", "team", "team/app", "wash", "wash-2", strings.Repeat("z", 1024)} {
		want = append(want, store.State{Key: key, Value: fmt.Append(nil, i), Revision: 1})
	}
	for _, i := range []int{3, 0, 5, 2, 4, 1} {
		putState(t, s, store.State{Key: want[i].Key, Value: want[i].Value}, true)
	}
	for _, other := range []string{registry + ":5000", "a" + registry, registry[:len(registry)-1]} {
		if written, err := s.PutState(t.Context(), other, store.State{Key: "wash", Value: []byte("other")}); err != nil || !written {
			t.Errorf("PutState of %s: %t, %v", other, written, err)
		}
	}
	if diff := gocmp.Diff(want, collect(t, "States", s.States(t.Context(), registry))); diff != "" {
		t.Errorf("States: -want +got\n%s", diff)
	}
	for state, err := range s.States(t.Context(), registry) {
		if err != nil {
			t.Fatal(err)
		}
		state.Value = []byte("again")
		putState(t, s, state, true)
		break
	}
	wantState(t, s, store.State{Key: "#run", Value: []byte("again"), Revision: 2})
	if none := collect(t, "States", s.States(t.Context(), "unknown.azurecr.io")); len(none) > 0 {
		t.Errorf("States of another registry = %+v, want none", none)
	}
}
