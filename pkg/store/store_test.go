package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

func TestListingHasEntriesWithAllWords(t *testing.T) {
	t.Parallel()
	entry := func(name, newest string) store.Entry {
		ref, ok := reference.Split(newest)
		if !ok {
			t.Fatalf("%s is not a reference", newest)
		}
		return store.Entry{Name: reference.Name{Repository: name}, Newest: event.Push{Reference: ref}}
	}
	wash := entry("wash", "a.azurecr.io/wash:0.18.1")
	app := entry("team/app", "b.azurecr.io/team/app:1")
	given := entry("app", "ghcr.io/acme/server:1")
	for _, test := range []struct {
		listing store.Listing
		entry   store.Entry
		want    bool
	}{
		{listing: store.Listing{}, entry: wash, want: true},
		{listing: store.Listing{Words: []string{"wash"}}, entry: wash, want: true},
		{listing: store.Listing{Words: []string{"as"}}, entry: wash, want: true},
		{listing: store.Listing{Words: []string{"a.azurecr.io/wash"}}, entry: wash, want: true},
		{listing: store.Listing{Words: []string{"m/a"}}, entry: app, want: true},
		{listing: store.Listing{Words: []string{"app", "team", "b.azure"}}, entry: app, want: true},
		{listing: store.Listing{Words: []string{"app", "zoo"}}, entry: app, want: false},
		{listing: store.Listing{Words: []string{"zoo", "app"}}, entry: app, want: false},
		{listing: store.Listing{Words: []string{"washer"}}, entry: wash, want: false},
		{listing: store.Listing{Words: []string{"WASH"}}, entry: wash, want: false},
		{listing: store.Listing{Words: []string{"0.18.1"}}, entry: wash, want: false},
		{listing: store.Listing{Words: []string{"wash:"}}, entry: wash, want: false},
		{listing: store.Listing{Words: []string{"app"}}, entry: given, want: true},
		{listing: store.Listing{Words: []string{"acme/server", "ghcr"}}, entry: given, want: true},
		{listing: store.Listing{Words: []string{"appghcr"}}, entry: given, want: false},
		{listing: store.Listing{Registry: "a.azurecr.io"}, entry: wash, want: true},
		{listing: store.Listing{Registry: "a.azurecr.io", Words: []string{"wash"}}, entry: wash, want: true},
		{listing: store.Listing{Registry: "a.azurecr.io", Words: []string{"zoo"}}, entry: wash, want: false},
		{listing: store.Listing{Registry: "a.azurecr.i"}, entry: wash, want: false},
		{listing: store.Listing{Registry: "azurecr.io"}, entry: wash, want: false},
		{listing: store.Listing{Registry: "b.azurecr.io"}, entry: wash, want: false},
	} {
		if got := test.listing.Has(test.entry); got != test.want {
			t.Errorf("Listing{Words: %q, Registry: %q}.Has(%s, %s) = %t, want %t", test.listing.Words, test.listing.Registry, test.entry.Name, test.entry.Newest.Reference, got, test.want)
		}
	}
}

func TestLookupNameFindsTheEntry(t *testing.T) {
	t.Parallel()
	newest := func(registry, repository, givenName string) event.Push {
		return event.Push{Reference: reference.Reference{Registry: registry, Repository: repository, Tag: "1"}, GivenName: givenName}
	}
	for _, test := range []struct {
		name      string
		entry     store.Entry
		want      reference.Name
		published bool
	}{
		{
			name:      "repository",
			entry:     store.Entry{Name: reference.Name{Repository: "team/app"}, Newest: newest("a.io", "team/app", "")},
			want:      reference.Name{Repository: "team/app"},
			published: true,
		},
		{
			name:      "given name",
			entry:     store.Entry{Name: reference.Name{Repository: "app"}, Newest: newest("a.io", "team/app", "app")},
			want:      reference.Name{Repository: "app"},
			published: true,
		},
		{
			name:      "registry's repository",
			entry:     store.Entry{Name: reference.Name{Registry: "a.io", Repository: "app"}, Newest: newest("a.io", "app", "")},
			want:      reference.Name{Registry: "a.io", Repository: "app"},
			published: true,
		},
		{
			name:      "path that begins with a registry",
			entry:     store.Entry{Name: reference.Name{Repository: "b.io/app"}, Newest: newest("a.io", "b.io/app", "")},
			want:      reference.Name{Registry: "a.io", Repository: "b.io/app"},
			published: true,
		},
		{
			name:      "a single segment with a dot is a repository",
			entry:     store.Entry{Name: reference.Name{Repository: "b.io"}, Newest: newest("a.io", "b.io", "")},
			want:      reference.Name{Repository: "b.io"},
			published: true,
		},
		{
			name:  "not published",
			entry: store.Entry{Name: reference.Name{Repository: "team/app"}},
			want:  reference.Name{Repository: "team/app"},
		},
		{
			name:  "path that begins with a registry, not published",
			entry: store.Entry{Name: reference.Name{Repository: "b.io/app"}},
			want:  reference.Name{Repository: "b.io/app"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.entry.LookupName(); got != test.want {
				t.Errorf("LookupName() = %#v, want %#v", got, test.want)
			}
			if got := test.entry.Published(); got != test.published {
				t.Errorf("Published() = %t, want %t", got, test.published)
			}
		})
	}
}

// writer is a store.Writer that records its last call.
type writer struct {
	call string
	err  error
}

func (w *writer) Push(_ context.Context, p event.Push) error {
	w.call = fmt.Sprintf("Push(%s)", p.Reference)
	return w.err
}

func (w *writer) Delete(_ context.Context, d event.Delete) (store.Deleted, error) {
	w.call = fmt.Sprintf("Delete(%s)", d.Target)
	return store.Deleted{References: 3, More: true}, w.err
}

func (w *writer) Categorize(_ context.Context, m event.Membership) error {
	w.call = fmt.Sprintf("Categorize(%s, %s)", m.Category, m.Name)
	return w.err
}

func (w *writer) PushedAt(_ context.Context, t event.Target) (time.Time, error) {
	w.call = fmt.Sprintf("PushedAt(%s)", t)
	return time.Time{}, w.err
}

func TestApplyCallsTheMethodOfItsKind(t *testing.T) {
	t.Parallel()
	member := event.Member{Category: "official", Name: reference.Name{Repository: "wash"}}
	for _, test := range []struct {
		name        string
		event       event.Event
		wantCall    string
		wantDeleted store.Deleted
	}{
		{
			name:     "push",
			event:    event.Event{Push: &event.Push{Reference: reference.Reference{Registry: "a.io", Repository: "wash", Tag: "1"}}},
			wantCall: "Push(a.io/wash:1)",
		},
		{
			name:        "delete",
			event:       event.Event{Delete: &event.Delete{Target: event.Target{Registry: "a.io", Repository: "wash"}}},
			wantCall:    "Delete(a.io/wash)",
			wantDeleted: store.Deleted{References: 3, More: true},
		},
		{
			name:     "membership",
			event:    event.Event{Membership: &event.Membership{Member: member}},
			wantCall: "Categorize(official, wash)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var w writer
			deleted, err := store.Apply(t.Context(), &w, test.event)
			if err != nil || deleted != test.wantDeleted {
				t.Errorf("Apply = %+v, %v, want %+v", deleted, err, test.wantDeleted)
			}
			if w.call != test.wantCall {
				t.Errorf("Apply calls %s, want %s", w.call, test.wantCall)
			}
			w.err = errors.New("planted")
			if _, err := store.Apply(t.Context(), &w, test.event); !errors.Is(err, w.err) {
				t.Errorf("Apply to a failing writer: %v, want %v", err, w.err)
			}
		})
	}
}

func TestApplyRefusesNothing(t *testing.T) {
	t.Parallel()
	var w writer
	if _, err := store.Apply(t.Context(), &w, event.Event{}); err == nil {
		t.Error("Apply of nothing: no error")
	}
	if w.call != "" {
		t.Errorf("Apply of nothing calls %s", w.call)
	}
}

// TestPromisesStay checks numbers that the documentation and the template also contain.
func TestPromisesStay(t *testing.T) {
	t.Parallel()
	if store.TombstoneTTL != 30*24*time.Hour {
		t.Errorf("TombstoneTTL = %s, want 30 days", store.TombstoneTTL)
	}
	if store.MaxScan != 1000 {
		t.Errorf("MaxScan = %d, want 1000", store.MaxScan)
	}
}
