package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// An Event is a push, a delete or a membership.
type Event struct {
	Push       *store.Push
	Delete     *store.Delete
	Membership *store.Membership
}

func (e Event) String() string {
	switch {
	case e.Push != nil:
		return fmt.Sprintf("push %s@%s at %s", e.Push.Reference, e.Push.Digest, store.Stamp(e.Push.PushedAt))
	case e.Delete != nil:
		return fmt.Sprintf("delete %s at %s", e.Delete.Target(), store.Stamp(e.Delete.DeletedAt))
	default:
		return fmt.Sprintf("%+v", *e.Membership)
	}
}

func (e Event) store(ctx context.Context, s store.Writer) error {
	switch {
	case e.Push != nil:
		return s.Push(ctx, *e.Push)
	case e.Delete != nil:
		_, err := s.Delete(ctx, *e.Delete)
		return err
	default:
		return s.Categorize(ctx, *e.Membership)
	}
}

// A World is what events are made of: few values each, so that they meet.
type World struct {
	Registries, Repositories, Tags []string
	ByHand                         []string // names given by hand; an empty one is none
	Categories                     []string // without one there are no memberships
	Digests, Seconds               int      // how many digests and times there are, beside none and noon
}

// Large is the world of the suite.
var Large = World{
	Registries:   []string{"a.azurecr.io", "b.azurecr.io"},
	Repositories: []string{"wash", "app", "app/sub"},
	Tags:         []string{"1.0.0", "v1.0.0", "1.1.0-rc.1", "0.9", "latest", "nightly"},
	ByHand:       []string{"", "", "other", "wash"},
	Categories:   []string{"official", "official-2"},
	Digests:      6,
	Seconds:      8,
}

// Event draws an event of a repository, or a category, whose name begins with base.
func (w World) Event(base string) *rapid.Generator[Event] {
	return rapid.Custom(func(t *rapid.T) Event {
		registry := rapid.SampledFrom(w.Registries).Draw(t, "registry")
		repository := base + rapid.SampledFrom(w.Repositories).Draw(t, "repository")
		tag := rapid.SampledFrom(w.Tags).Draw(t, "tag")
		digestOf := rapid.IntRange(0, w.Digests).Draw(t, "digest")
		at := noon.Add(time.Duration(rapid.IntRange(0, w.Seconds).Draw(t, "second")) * time.Second)
		byHand := rapid.SampledFrom(w.ByHand).Draw(t, "byHand")
		if byHand != "" {
			byHand = store.NameByHand(base+byHand, reference.Reference{Registry: registry, Repository: repository})
		}
		d := store.Delete{Registry: registry, Repository: repository, DeletedAt: at, ReceivedAt: time.Now()}
		kinds := []string{"push", "push", "push", "digest", "tag", "repository"}
		if len(w.Categories) > 0 {
			kinds = append(kinds, "membership")
		}
		switch rapid.SampledFrom(kinds).Draw(t, "kind") {
		case "membership":
			category := base + rapid.SampledFrom(w.Categories).Draw(t, "category")
			name := rapid.SampledFrom([]string{repository, registry + "/" + repository, cmp.Or(byHand, repository)}).Draw(t, "member")
			return Event{Membership: &store.Membership{Member: store.Member{Category: category, Name: name}, Out: rapid.Bool().Draw(t, "out"), At: at}}
		case "digest":
			d.Digest = digest(max(digestOf, 1))
		case "tag":
			d.Tag, d.Name = tag, byHand
		case "repository":
		default:
			p := pushOf(registry, repository, tag, digestOf, at)
			if digestOf == 0 {
				p.Digest = ""
			}
			p.Name = byHand
			p.Size = int64(rapid.IntRange(store.UnknownSize, 1).Draw(t, "size"))
			return Event{Push: &p}
		}
		return Event{Delete: &d}
	})
}

// live is the model: the references of a name that a store must have after
// events, however they came.
func live(events []Event, name string) (all []store.Push) {
	type register struct {
		name      string
		reference reference.Reference
	}
	newest := map[register]store.Push{}
	for _, e := range events {
		if e.Push == nil {
			continue
		}
		r := register{e.Push.Name, e.Push.Reference}
		if old, ok := newest[r]; !ok || e.Push.Compare(old) > 0 {
			newest[r] = *e.Push
		}
	}
	for _, p := range newest {
		counts := slices.Contains(p.Names(), name)
		for _, e := range events {
			counts = counts && (e.Delete == nil || !e.Delete.Reaches(p))
		}
		if counts {
			all = append(all, p)
		}
	}
	return all
}

// pick is the one of the model's references that q asks for.
func pick(events []Event, q store.Query) (best store.Push, found bool) {
	for _, p := range live(events, q.Name) {
		if (q.Match == nil || q.Match(p.Reference.Tag)) && (!found || compare(q.Order, p, best) > 0) {
			best, found = p, true
		}
	}
	return best, found
}

// compare says which of two references an order prefers.
func compare(order store.Order, p, q store.Push) int {
	byVersion := 0
	if order != store.ByPushed {
		pClass, pKey := class(order, p)
		qClass, qKey := class(order, q)
		byVersion = cmp.Or(cmp.Compare(pClass, qClass), cmp.Compare(pKey, qKey))
	}
	return cmp.Or(byVersion, p.PushedAt.Compare(q.PushedAt), cmp.Compare(p.Reference.String(), q.Reference.String()))
}

func class(order store.Order, p store.Push) (class int, key string) {
	v, ok := reference.ParseVersion(p.Reference.Tag)
	switch {
	case !ok:
		return 0, ""
	case v.Prerelease() && order == store.ByRelease:
		return 1, v.Key()
	default:
		return 2, v.Key()
	}
}

// check wants s to answer as the model for every name, and to list as it.
func check(t *rapid.T, s store.Reader, base string, events []Event) {
	listed := append(slices.Clone(Large.Repositories), "other")
	for _, name := range listed {
		CheckName(t, s, base+name, events)
		for _, registry := range Large.Registries {
			CheckName(t, s, registry+"/"+base+name, events)
		}
	}
	slices.Sort(listed)
	var want []store.Entry
	for _, name := range listed {
		if entry, ok := entryOf(events, base+name); ok {
			want = append(want, entry)
		}
	}
	entries, _, err := s.Repositories(t.Context(), store.Listing{Words: []string{base}, Limit: len(listed)})
	if err != nil {
		t.Fatalf("Repositories: %v", err)
	}
	if diff := gocmp.Diff(want, entries, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Repositories(%s…): -want +got\n%s", base, diff)
	}
	for _, category := range Large.Categories {
		checkCategory(t, s, base+category, events)
	}
}

// checkCategory wants s to list the members of a category, and their entries, as
// the model.
func checkCategory(t *rapid.T, s store.Reader, category string, events []Event) {
	newest := map[store.Member]store.Membership{}
	for _, e := range events {
		if e.Membership == nil || e.Membership.Member.Category != category {
			continue
		}
		if old, ok := newest[e.Membership.Member]; !ok || e.Membership.Compare(old) > 0 {
			newest[e.Membership.Member] = *e.Membership
		}
	}
	maps.DeleteFunc(newest, func(_ store.Member, m store.Membership) bool { return m.Out })
	want := slices.SortedFunc(maps.Keys(newest), store.Member.Compare)
	got, err := s.Members(t.Context(), category)
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Fatalf("Members(%s): %v; -want +got\n%s", category, err, diff)
	}
	var names []string
	var entries []store.Entry
	for _, m := range want {
		entry, _ := entryOf(events, m.Name)
		names, entries = append(names, m.Name), append(entries, entry)
	}
	gotEntries, err := s.Entries(t.Context(), names)
	if diff := gocmp.Diff(entries, gotEntries, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Fatalf("Entries(%v): %v; -want +got\n%s", names, err, diff)
	}
}

// entryOf is the model's entry of the catalogue.
func entryOf(events []Event, name string) (entry store.Entry, ok bool) {
	newest, ok := pick(events, store.Query{Name: name, Order: store.ByPushed})
	highest, _ := pick(events, store.Query{Name: name, Order: store.ByRelease})
	return store.Entry{Name: name, Newest: newest, Version: highest.Version()}, ok
}

// CheckEntry wants s to list one name as the model, after events.
func CheckEntry(t *rapid.T, s store.Reader, name string, events []Event) {
	want, ok := entryOf(events, name)
	// What stands directly before the name is the name less its last letter.
	entries, _, err := s.Repositories(t.Context(), store.Listing{After: name[:len(name)-1], Limit: 1})
	if err != nil {
		t.Fatalf("Repositories: %v", err)
	}
	found := len(entries) > 0 && entries[0].Name == name
	if found != ok {
		t.Fatalf("Repositories list %s: %v, want %v", name, found, ok)
	}
	if diff := gocmp.Diff([]store.Entry{want}, entries); found && diff != "" {
		t.Fatalf("Repositories: -want +got\n%s", diff)
	}
}

// CheckName wants s to answer as the model for one name, in every order, of all
// tags and of some, and to list its references, after events.
func CheckName(t *rapid.T, s store.Reader, name string, events []Event) {
	want := live(events, name)
	slices.SortFunc(want, func(p, q store.Push) int { return compare(store.ByPushed, q, p) })
	var got []store.Push
	for after, more := "", true; more; {
		page, m, err := s.References(t.Context(), name, after, 2)
		if err != nil {
			t.Fatalf("References(%s): %v", name, err)
		}
		for _, p := range page {
			got, after = append(got, p), p.Keys().Pushed
		}
		more = m
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("References(%s): -want +got\n%s", name, diff)
	}
	for _, order := range orders {
		for what, match := range map[string]func(string) bool{"all": nil, "without .": func(tag string) bool { return !strings.Contains(tag, ".") }} {
			q := store.Query{Name: name, Order: order, Match: match}
			want, found := pick(events, q)
			got, err := s.Pick(t.Context(), q)
			switch {
			case err != nil && !errors.Is(err, store.ErrNotFound):
				t.Fatalf("Pick(%s, order %d, %s tags): %v", name, order, what, err)
			case !found && err == nil:
				t.Fatalf("Pick(%s, order %d, %s tags) = %s, want ErrNotFound", name, order, what, got.Reference)
			case found:
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Fatalf("Pick(%s, order %d, %s tags): %v; -want +got\n%s", name, order, what, err, diff)
				}
			}
		}
	}
}
