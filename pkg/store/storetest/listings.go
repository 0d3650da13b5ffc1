package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// wantByPush wants s to list entries by push, in pages of limit. It calls between before
// each page except the first.
func wantByPush(t *testing.T, s store.Reader, limit int, want []string, between func()) {
	t.Helper()
	var got []string
	for _, e := range pages(t, limit, func(span store.Span) (store.Page[store.Entry], error) {
		return s.Repositories(t.Context(), store.Listing{Span: span, Newest: true})
	}, between) {
		got = append(got, e.Name.Repository)
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Repositories by push, by pages of %d: -want +got\n%s", limit, diff)
	}
}

// catalogueByPush: the catalogue's order by push follows the reference that is shown as
// newest.
func catalogueByPush(t *testing.T, s store.Store) {
	wantByPush(t, s, 10, nil, nothing)
	at := func(repository, tag string, digestOf, seconds int) event.Push {
		return pushOf(registry, repository, tag, digestOf, noon.Add(time.Duration(seconds)*time.Second))
	}
	given := at("b", "1.0.0", 1, 5)
	given.GivenName = "also-b" // has the same newest as b
	push(t, s,
		at("a", "1.0.0", 1, 1), at("a", "latest", 1, 9), // the newest is from 1
		at("b", "1.0.0", 1, 5), given,
		at("c", "1.0.0", 1, 3), at("c", "latest", 2, 4),
		at("d", "1.0.0", 1, 6), at("gone", "1.0.0", 1, 7))
	wantDeleted(t, s, deleteOf("gone", 60), 1)
	for limit := 1; limit <= 6; limit++ {
		wantByPush(t, s, limit, []string{"d", "b", "also-b", "c", "a"}, nothing)
	}
	push(t, s, at("a", "latest", 3, 10))
	wantDeleted(t, s, deleteOfTag("d", "1.0.0", 60), 1)
	push(t, s, at("d", "1.0.0", 2, 61))
	wantDeleted(t, s, deleteOfTag("c", "latest", 60), 1)
	for limit := 1; limit <= 6; limit++ {
		wantByPush(t, s, limit, []string{"d", "a", "b", "also-b", "c"}, nothing)
	}
}

// pagesByPushStayRight pushes and deletes between the pages.
func pagesByPushStayRight(t *testing.T, s store.Store) {
	at := func(repository string, seconds int) event.Push {
		return pushOf(registry, repository, "1.0.0", 1, noon.Add(time.Duration(seconds)*time.Second))
	}
	push(t, s, at("f", 6), at("e", 5), at("d", 4), at("c", 3), at("b", 2), at("a", 1))
	first := true
	// The first page ends with e. A new push comes before it.
	wantByPush(t, s, 2, []string{"f", "e", "c", "late", "a"}, func() {
		if !first {
			return
		}
		first = false
		late := at("late", 2)
		late.PushedAt = late.PushedAt.Add(500 * time.Millisecond)
		push(t, s, at("new", 7), at("b", 8), late)
		wantDeleted(t, s, deleteOf("e", 60), 1) // the last of that page
		wantDeleted(t, s, deleteOf("d", 60), 1) // would be the first of the next page
	})
}

// listings draws listings of some entries, and wants exactly those that the model lists,
// in pages.
func listings(t *testing.T, s store.Store) {
	registries := []string{"a.azurecr.io", "a.azurecr.io:5000", "b.azurecr.io"}
	var all []store.Entry
	for i, name := range []string{"app", "app-server", "server", "team/app", "a.azurecr.io/app", "zebra", "zoo"} {
		p := pushOf(registries[i%3], name, "1", i, noon.Add(time.Duration(i*5%7)*time.Second))
		all = append(all, store.Entry{Name: anywhere(name), Newest: p})
	}
	given := pushOf("a.azurecr.io", "acme/zoo", "1", 1, noon.Add(time.Minute))
	given.GivenName = "by-hand"
	all = append(all, store.Entry{Name: anywhere("by-hand"), Newest: given})
	for _, e := range all {
		push(t, s, e.Newest)
	}
	push(t, s, pushOf("c.azurecr.io", "zoo", "0", 1, noon.Add(-time.Hour))) // is not zoo's newest
	gone := pushOf("a.azurecr.io", "gone/app", "1", 1, noon)
	gone.Reference.Registry = registry
	push(t, s, gone)
	wantDeleted(t, s, deleteOf("gone/app", 60), 1)
	rapid.Check(t, func(t *rapid.T) {
		l := store.Listing{
			Newest:   rapid.Bool().Draw(t, "newest"),
			Words:    rapid.SliceOfN(rapid.SampledFrom([]string{"app", "server", "azurecr", "a.azurecr.io/", "o/z", "m/a", "zoo", "5000", "by-hand", ":1", "none"}), 0, 2).Draw(t, "words"),
			Registry: rapid.SampledFrom([]string{"", "", "a.azurecr.io", "a.azurecr.io:5000", "b.azurecr.io", "azurecr.io", "c.azurecr.io"}).Draw(t, "registry"),
		}
		l.Limit = rapid.IntRange(1, len(all)+1).Draw(t, "limit")
		want := slices.DeleteFunc(slices.Clone(all), func(e store.Entry) bool { return !isListed(l, e) })
		slices.SortFunc(want, func(d, e store.Entry) int { return compareEntries(l.Newest, d, e) })
		checkPages(t, s, l, want)
		for _, e := range all {
			if got := l.Has(e); got != isListed(l, e) {
				t.Fatalf("%+v.Has(%s, %s) = %t, want %t", l, e.Name, e.Newest.Reference, got, !got)
			}
		}
	})
}

func matchingReferencesInPages(t *testing.T, s store.Store) {
	var want []event.Push
	for i := range 12 {
		p := washOf(fmt.Sprintf("1.%d", i), i, i)
		if i%3 > 0 {
			p.Reference.Tag = fmt.Sprintf("dev-%d", i)
		} else {
			want = append([]event.Push{p}, want...)
		}
		push(t, s, p)
	}
	match := func(tag string) bool { return !strings.HasPrefix(tag, "dev-") }
	for _, name := range []reference.Name{anywhere("wash"), in(registry, "wash")} {
		for limit := 1; limit <= len(want)+1; limit++ {
			got := pages(t, limit, func(span store.Span) (store.Page[event.Push], error) {
				return s.References(t.Context(), name, match, span)
			}, nothing)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("References(%s) that match, by pages of %d: -want +got\n%s", name, limit, diff)
			}
		}
	}
	page, err := s.References(t.Context(), anywhere("wash"), func(string) bool { return false }, store.Span{Limit: 10})
	if err != nil || len(page.Items) > 0 || page.Next != "" {
		t.Errorf("References(wash) of which none matches = %+v, %v, want an empty last page", page, err)
	}
}
