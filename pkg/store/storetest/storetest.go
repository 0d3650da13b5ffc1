// Package storetest holds a backend to what package store promises. It is the
// one suite that all of them pass; what is a backend's own, such as what a call
// costs, is tested beside it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Run runs the suite. open returns an empty store and closes it with t.Cleanup.
func Run(t *testing.T, open func(testing.TB) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"push is picked":                       pushIsPicked,
		"unknown name":                         unknownName,
		"late push loses":                      latePushLoses,
		"repeated push changes nothing":        repeatedPush,
		"newest of all registries":             newestOfAllRegistries,
		"registry alone":                       registryAlone,
		"names that begin alike":               namesThatBeginAlike,
		"equal times":                          equalTimes,
		"moved tag":                            movedTag,
		"version orders":                       versionOrders,
		"optional fields":                      optionalFields,
		"longest reference":                    longestReference,
		"delete by digest":                     deleteByDigest,
		"delete by tag":                        deleteByTag,
		"delete of a repository":               deleteOfRepository,
		"delete before its push":               deleteBeforeItsPush,
		"push after its delete":                pushAfterItsDelete,
		"delete of what a tag moved away from": deleteOfMovedDigest,
		"catalogue":                            catalogue,
		"catalogue follows deletes":            catalogueFollowsDeletes,
		"search":                               search,
		"entries":                              entries,
		"categories":                           categories,
		"references in pages":                  referencesInPages,
		"names given by hand":                  namesGivenByHand,
		"cancelled context":                    cancelledContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
	t.Run("any order, any repeats", func(t *testing.T) { anyOrder(t, open(t)) })
	t.Run("many at once", func(t *testing.T) { manyAtOnce(t, open(t)) })
}

const registry = "wasmcloud.azurecr.io"

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// pushOf is a push of registry/repository:tag with all that can be known.
func pushOf(registry, repository, tag string, digestOf int, at time.Time) store.Push {
	return store.Push{
		Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
		Digest:    digest(digestOf),
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Size:      2203,
		PushedAt:  at,
	}
}

func push(t *testing.T, s store.Store, p store.Push) {
	t.Helper()
	if err := s.Push(t.Context(), p); err != nil {
		t.Fatalf("Push(%s): %v", p.Reference, err)
	}
}

func wantDeleted(t *testing.T, s store.Store, d store.Delete, want int) {
	t.Helper()
	d.ReceivedAt = noon
	n, err := s.Delete(t.Context(), d)
	if err != nil || n != want {
		t.Errorf("Delete(%s) = %d, %v, want %d", d.Target(), n, err, want)
	}
}

func wantPick(t *testing.T, s store.Store, q store.Query, want store.Push) {
	t.Helper()
	got, err := s.Pick(t.Context(), q)
	if err != nil {
		t.Errorf("Pick(%+v): %v, want %s", q, err, want.Reference)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Pick(%+v): -want +got\n%s", q, diff)
	}
}

func wantNone(t *testing.T, s store.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		for _, order := range orders {
			if got, err := s.Pick(t.Context(), store.Query{Name: name, Order: order}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Pick(%s, order %d) = %s, %v, want ErrNotFound", name, order, got.Reference, err)
			}
		}
	}
}

var orders = []store.Order{store.ByPushed, store.ByRelease, store.ByVersion}

func pushIsPicked(t *testing.T, s store.Store) {
	p := pushOf(registry, "wash", "0.18.1", 1, noon.Add(60421800))
	push(t, s, p)
	for _, order := range orders {
		wantPick(t, s, store.Query{Name: "wash", Order: order}, p)
		wantPick(t, s, store.Query{Name: registry + "/wash", Order: order}, p)
	}
}

func unknownName(t *testing.T, s store.Store) {
	wantNone(t, s, "wash", registry+"/wash")
	push(t, s, pushOf(registry, "wash", "1", 1, noon))
	wantNone(t, s, "was", "washer", "aaa", "zzz", "other.azurecr.io/wash")
}

func latePushLoses(t *testing.T, s store.Store) {
	newer := pushOf(registry, "wash", "2", 2, noon)
	push(t, s, newer)
	push(t, s, pushOf(registry, "wash", "1", 1, noon.Add(-time.Hour)))
	wantPick(t, s, store.Query{Name: "wash"}, newer)

	// The same reference, too, keeps its newest push.
	push(t, s, pushOf(registry, "wash", "2", 3, noon.Add(-time.Nanosecond)))
	wantPick(t, s, store.Query{Name: "wash"}, newer)
}

func repeatedPush(t *testing.T, s store.Store) {
	p := pushOf(registry, "wash", "1", 1, noon)
	push(t, s, p)
	push(t, s, p)
	wantPick(t, s, store.Query{Name: "wash"}, p)
}

func newestOfAllRegistries(t *testing.T, s store.Store) {
	push(t, s, pushOf("b.azurecr.io", "wash", "1", 1, noon))
	newest := pushOf("a.azurecr.io", "wash", "1", 2, noon.Add(time.Second))
	push(t, s, newest)
	push(t, s, pushOf("c.azurecr.io", "wash", "1", 3, noon.Add(-time.Second)))
	wantPick(t, s, store.Query{Name: "wash"}, newest)
}

func registryAlone(t *testing.T, s store.Store) {
	a, b := pushOf("a.azurecr.io", "team/app", "1", 1, noon), pushOf("b.azurecr.io:5000", "team/app", "2", 2, noon.Add(time.Second))
	push(t, s, a)
	push(t, s, b)
	wantPick(t, s, store.Query{Name: "a.azurecr.io/team/app"}, a)
	wantPick(t, s, store.Query{Name: "b.azurecr.io:5000/team/app"}, b)
	wantPick(t, s, store.Query{Name: "team/app"}, b)
	wantNone(t, s, "app", "b.azurecr.io/team/app")
}

func namesThatBeginAlike(t *testing.T, s store.Store) {
	names := []string{"app", "app-1", "app/sub", "app0", "app_1", "ap"}
	for i, name := range names {
		push(t, s, pushOf(registry, name, "1", i, noon.Add(time.Duration(i)*time.Second)))
	}
	for i, name := range names {
		wantPick(t, s, store.Query{Name: name}, pushOf(registry, name, "1", i, noon.Add(time.Duration(i)*time.Second)))
	}
	wantDeleted(t, s, store.Delete{Registry: registry, Repository: "app", DeletedAt: noon.Add(time.Hour)}, 1)
	wantNone(t, s, "app")
	for i, name := range names[1:] {
		wantPick(t, s, store.Query{Name: name}, pushOf(registry, name, "1", i+1, noon.Add(time.Duration(i+1)*time.Second)))
	}
}

// equalTimes checks each of the tie-breaks, with the winner stored first and
// last.
func equalTimes(t *testing.T, s store.Store) {
	base := pushOf(registry, "wash", "1", 5, noon)
	vary := func(f func(*store.Push)) store.Push {
		p := base
		f(&p)
		return p
	}
	for i, c := range []struct {
		name       string
		less, more store.Push
	}{
		{"digest", base, vary(func(p *store.Push) { p.Digest = digest(6); p.Size = 1; p.MediaType = "" })},
		{"no digest", vary(func(p *store.Push) { p.Digest = ""; p.Size = 9999 }), base},
		{"size", vary(func(p *store.Push) { p.Size = 999; p.MediaType = "z/z" }), base},
		{"no size", vary(func(p *store.Push) { p.Size = store.UnknownSize }), vary(func(p *store.Push) { p.Size = 0 })},
		{"large size", base, vary(func(p *store.Push) { p.Size = 1<<63 - 1 })},
		{"media type", vary(func(p *store.Push) { p.MediaType = "application/a" }), base},
		{"no media type", vary(func(p *store.Push) { p.MediaType = "" }), base},
		{"nothing known", vary(func(p *store.Push) { p.Digest, p.Size, p.MediaType = "", store.UnknownSize, "" }),
			vary(func(p *store.Push) { p.Digest, p.Size, p.MediaType = "", store.UnknownSize, "a/b" })},
	} {
		for j, order := range [][]store.Push{{c.less, c.more, c.less}, {c.more, c.less, c.more}} {
			repository := fmt.Sprintf("wash-%d-%d", i, j)
			for _, p := range order {
				p.Reference.Repository = repository
				push(t, s, p)
			}
			want := c.more
			want.Reference.Repository = repository
			t.Run(c.name, func(t *testing.T) { wantPick(t, s, store.Query{Name: repository}, want) })
		}
	}

	// Among references of one time the greater text is the newer.
	push(t, s, pushOf("b.azurecr.io", "app", "1", 1, noon))
	push(t, s, pushOf("a.azurecr.io", "app", "2", 2, noon))
	wantPick(t, s, store.Query{Name: "app"}, pushOf("b.azurecr.io", "app", "1", 1, noon))
}

func movedTag(t *testing.T, s store.Store) {
	push(t, s, pushOf(registry, "wash", "latest", 1, noon))
	push(t, s, pushOf(registry, "wash", "1.0.0", 2, noon.Add(time.Second)))
	moved := pushOf(registry, "wash", "latest", 3, noon.Add(time.Minute))
	push(t, s, moved)
	wantPick(t, s, store.Query{Name: "wash"}, moved)
}

func versionOrders(t *testing.T, s store.Store) {
	at := func(tag string, n int) store.Push {
		return pushOf(registry, "wash", tag, n, noon.Add(time.Duration(n)*time.Second))
	}
	steps := []struct {
		push                           store.Push
		byPushed, byRelease, byVersion int // which of the pushes so far
	}{
		{at("latest", 10), 0, 0, 0},
		{at("nightly", 9), 0, 0, 0},
		{at("1.0.0-rc.1", 1), 0, 2, 2},
		{at("1.0.0-rc.2", 0), 0, 3, 3},
		{at("0.9.0", 2), 0, 4, 3},
		{at("0.10", 3), 0, 5, 3},
		{at("v0.10.0", 4), 0, 6, 3}, // equal precedence: the later push
		{at("0.010.0_build", -1), 0, 6, 3},
		{at("20231103", 11), 8, 6, 3},
	}
	for i, step := range steps {
		push(t, s, step.push)
		for order, want := range map[store.Order]int{store.ByPushed: step.byPushed, store.ByRelease: step.byRelease, store.ByVersion: step.byVersion} {
			t.Run(fmt.Sprintf("step %d order %d", i, order), func(t *testing.T) {
				wantPick(t, s, store.Query{Name: "wash", Order: order}, steps[want].push)
			})
		}
	}
}

func optionalFields(t *testing.T, s store.Store) {
	p := pushOf(registry, "wash", "1", 1, noon)
	p.Digest, p.MediaType, p.Size = "", "", store.UnknownSize
	push(t, s, p)
	wantPick(t, s, store.Query{Name: "wash"}, p)
}

// longestReference has every part at the length that package reference allows.
func longestReference(t *testing.T, s store.Store) {
	long := func(n int, c byte) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = c
		}
		return string(b)
	}
	for i, tag := range []string{long(128, 'x'), "1." + long(126, '2'), "1.2.3-" + long(122, '4')} {
		p := pushOf(long(255, 'r'), long(255, 'n'), tag, 1, noon.Add(time.Duration(i)*time.Second))
		p.MediaType = long(127, 'a') + "/" + long(127, 'b')
		push(t, s, p)
		wantPick(t, s, store.Query{Name: p.Reference.Repository}, p)
		wantPick(t, s, store.Query{Name: p.Reference.Name()}, p)
	}
}

func deleteByDigest(t *testing.T, s store.Store) {
	kept := pushOf(registry, "wash", "1", 1, noon)
	push(t, s, kept)
	push(t, s, pushOf(registry, "wash", "2", 2, noon.Add(time.Second)))
	push(t, s, pushOf(registry, "wash", "latest", 2, noon.Add(2*time.Second)))
	elsewhere := pushOf("other.azurecr.io", "wash", "2", 2, noon.Add(-time.Second))
	push(t, s, elsewhere)
	d := store.Delete{Registry: registry, Repository: "wash", Digest: digest(2), DeletedAt: noon.Add(time.Minute)}
	wantDeleted(t, s, d, 2)
	for _, order := range orders {
		wantPick(t, s, store.Query{Name: registry + "/wash", Order: order}, kept)
	}
	wantPick(t, s, store.Query{Name: "wash"}, kept)
	wantPick(t, s, store.Query{Name: "other.azurecr.io/wash"}, elsewhere)
	wantDeleted(t, s, d, 0)
	d.Digest = digest(1)
	wantDeleted(t, s, d, 1)
	wantNone(t, s, registry+"/wash")
	wantPick(t, s, store.Query{Name: "wash"}, elsewhere)
}

func deleteByTag(t *testing.T, s store.Store) {
	kept := pushOf(registry, "wash", "1", 1, noon)
	push(t, s, kept)
	push(t, s, pushOf(registry, "wash", "11", 1, noon.Add(time.Second)))
	wantDeleted(t, s, store.Delete{Registry: registry, Repository: "wash", Tag: "11", DeletedAt: noon.Add(time.Minute)}, 1)
	wantPick(t, s, store.Query{Name: "wash"}, kept)
	wantDeleted(t, s, store.Delete{Registry: registry, Repository: "wash", Tag: "2", DeletedAt: noon.Add(time.Minute)}, 0)
}

func deleteOfRepository(t *testing.T, s store.Store) {
	for i := range 40 {
		push(t, s, pushOf(registry, "wash", fmt.Sprintf("0.%d", i), i, noon.Add(time.Duration(i)*time.Second)))
	}
	later := pushOf(registry, "wash", "1.0", 1, noon.Add(time.Hour))
	push(t, s, later)
	d := store.Delete{Registry: registry, Repository: "wash", DeletedAt: noon.Add(time.Minute)}
	wantDeleted(t, s, d, 40)
	wantPick(t, s, store.Query{Name: "wash", Order: store.ByRelease}, later)
	d.DeletedAt = noon.Add(time.Hour)
	wantDeleted(t, s, d, 1)
	wantNone(t, s, "wash", registry+"/wash")
}

func deleteBeforeItsPush(t *testing.T, s store.Store) {
	for i, d := range []store.Delete{{Digest: digest(1)}, {Tag: "1"}, {}} {
		repository := fmt.Sprintf("wash%d", i)
		d.Registry, d.Repository, d.DeletedAt = registry, repository, noon
		wantDeleted(t, s, d, 0)
		push(t, s, pushOf(registry, repository, "1", 1, noon.Add(-time.Second)))
		push(t, s, pushOf(registry, repository, "1", 1, noon)) // equal times: the delete wins
		wantNone(t, s, repository, registry+"/"+repository)
		newer := pushOf(registry, repository, "1", 1, noon.Add(1))
		push(t, s, newer)
		wantPick(t, s, store.Query{Name: repository}, newer)
	}
}

func pushAfterItsDelete(t *testing.T, s store.Store) {
	push(t, s, pushOf(registry, "wash", "1", 1, noon))
	d := store.Delete{Registry: registry, Repository: "wash", Digest: digest(1), DeletedAt: noon.Add(time.Second)}
	wantDeleted(t, s, d, 1)
	again := pushOf(registry, "wash", "1", 1, noon.Add(2*time.Second))
	push(t, s, again)
	for _, order := range orders {
		wantPick(t, s, store.Query{Name: "wash", Order: order}, again)
	}
	wantDeleted(t, s, d, 0)
	wantPick(t, s, store.Query{Name: "wash"}, again)
	d.DeletedAt = noon.Add(3 * time.Second)
	wantDeleted(t, s, d, 1)
	wantNone(t, s, "wash")
}

// deleteOfMovedDigest: the mark that a digest's delete leaves on a tag does not
// outlive the tag's next push of another digest, though that is older than the
// delete.
func deleteOfMovedDigest(t *testing.T, s store.Store) {
	push(t, s, pushOf(registry, "wash", "1", 1, noon))
	d := store.Delete{Registry: registry, Repository: "wash", Digest: digest(1), DeletedAt: noon.Add(time.Hour)}
	wantDeleted(t, s, d, 1)
	moved := pushOf(registry, "wash", "1", 2, noon.Add(time.Second))
	push(t, s, moved)
	wantPick(t, s, store.Query{Name: "wash"}, moved)
	wantDeleted(t, s, d, 0)
	wantPick(t, s, store.Query{Name: "wash"}, moved)
}

func catalogue(t *testing.T, s store.Store) {
	if entries, more, err := s.Repositories(t.Context(), store.Listing{Limit: 10}); len(entries) != 0 || more || err != nil {
		t.Errorf("Repositories of an empty store = %v, %v, %v", entries, more, err)
	}
	var want []store.Entry
	for i, name := range []string{"a", "a-b", "a/b", "b", "c", "d"} {
		newest := pushOf(registry, name, "latest", i, noon.Add(time.Minute))
		want = append(want, store.Entry{Name: name, Newest: newest, Version: fmt.Sprintf("1.%d.0", i)})
		push(t, s, newest)
		push(t, s, pushOf(registry, name, fmt.Sprintf("v1.%d", i), i, noon))
		push(t, s, pushOf("other.azurecr.io", name, "2.0.0-rc.1", i, noon))
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []store.Entry
		for after, more := "", true; more; after = got[len(got)-1].Name {
			entries, m, err := s.Repositories(t.Context(), store.Listing{After: after, Limit: limit})
			if err != nil || len(entries) == 0 || len(entries) > limit {
				t.Fatalf("Repositories(%q, %d) = %v, %v", after, limit, entries, err)
			}
			got, more = append(got, entries...), m
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by pages of %d: -want +got\n%s", limit, diff)
		}
	}
	push(t, s, pushOf(registry, "e", "latest", 1, noon))
	if entries, more, err := s.Repositories(t.Context(), store.Listing{After: "d", Limit: 1}); err != nil || more || len(entries) != 1 || entries[0].Version != "" {
		t.Errorf("a repository without versions: %v, %v, %v", entries, more, err)
	}
}

func catalogueFollowsDeletes(t *testing.T, s store.Store) {
	push(t, s, pushOf(registry, "wash", "1.0.0", 1, noon))
	push(t, s, pushOf(registry, "wash", "2.0.0", 2, noon.Add(time.Second)))
	push(t, s, pushOf(registry, "zoo", "1", 1, noon))
	wantDeleted(t, s, store.Delete{Registry: registry, Repository: "wash", Digest: digest(2), DeletedAt: noon.Add(time.Minute)}, 1)
	want := store.Entry{Name: "wash", Newest: pushOf(registry, "wash", "1.0.0", 1, noon), Version: "1.0.0"}
	if entries, more, err := s.Repositories(t.Context(), store.Listing{Limit: 1}); err != nil || !more || cmp.Diff([]store.Entry{want}, entries) != "" {
		t.Errorf("Repositories = %+v, %v, %v, want %+v", entries, more, err, want)
	}
	wantDeleted(t, s, store.Delete{Registry: registry, Repository: "wash", DeletedAt: noon.Add(time.Minute)}, 1)
	if entries, more, err := s.Repositories(t.Context(), store.Listing{Limit: 1}); err != nil || more || len(entries) != 1 || entries[0].Name != "zoo" {
		t.Errorf("Repositories = %+v, %v, %v, want zoo alone", entries, more, err)
	}
}

func search(t *testing.T, s store.Store) {
	names := []string{"app", "app-server", "server", "team/app", "team/app-server-2", "zoo"}
	for i, name := range names {
		push(t, s, pushOf(registry, name, "1", i, noon))
	}
	wantDeleted(t, s, store.Delete{Registry: registry, Repository: "zoo", DeletedAt: noon}, 1)
	for _, c := range []struct {
		words []string
		want  []string
	}{
		{nil, names[:5]},
		{[]string{"app"}, []string{"app", "app-server", "team/app", "team/app-server-2"}},
		{[]string{"server", "app"}, []string{"app-server", "team/app-server-2"}},
		{[]string{"m/a"}, []string{"team/app", "team/app-server-2"}},
		{[]string{"zoo"}, nil},
		{[]string{"azurecr"}, nil},
	} {
		for limit := 1; limit <= len(names); limit++ {
			var got []string
			for after, more := "", true; more; {
				entries, m, err := s.Repositories(t.Context(), store.Listing{After: after, Limit: limit, Words: c.words})
				if err != nil || len(entries) > limit || m && len(entries) == 0 {
					t.Fatalf("Repositories(%q, %d, %v) = %v, %v", after, limit, c.words, entries, err)
				}
				for _, e := range entries {
					got, after = append(got, e.Name), e.Name
				}
				more = m
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("names with %v by pages of %d: -want +got\n%s", c.words, limit, diff)
			}
		}
	}
}

func entries(t *testing.T, s store.Store) {
	names := []string{"none", registry + "/wash", "team/none"}
	want := []store.Entry{{Name: "none"}, {Name: registry + "/wash", Newest: pushOf(registry, "wash", "1.0.0", 1, noon), Version: "1.0.0"}, {Name: "team/none"}}
	push(t, s, want[1].Newest)
	push(t, s, pushOf("other.azurecr.io", "wash", "2.0.0", 1, noon.Add(time.Second)))
	for i := range 120 { // more than DynamoDB reads at once
		p := pushOf(registry, fmt.Sprintf("app-%d", i), "1", i, noon)
		push(t, s, p)
		names, want = append(names, p.Reference.Repository), append(want, store.Entry{Name: p.Reference.Repository, Newest: p})
	}
	names, want = append(names, "app-0", "none"), append(want, want[3], want[0])
	for i := range want[3:] {
		want[3+i].Version = want[3+i].Newest.Version()
	}
	got, err := s.Entries(t.Context(), names)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Entries: %v; -want +got\n%s", err, diff)
	}
	if got, err := s.Entries(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("Entries of no names = %v, %v", got, err)
	}
}

func categories(t *testing.T, s store.Store) {
	want := func(category string, want ...store.Member) {
		t.Helper()
		got, err := s.Members(t.Context(), category)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Members(%q): %v; -want +got\n%s", category, err, diff)
		}
	}
	put := func(m store.Member, out bool, at time.Time) {
		t.Helper()
		if err := s.Categorize(t.Context(), store.Membership{Member: m, Out: out, At: at}); err != nil {
			t.Fatalf("Categorize(%v): %v", m, err)
		}
	}
	now := time.Now() // what expires is counted from here
	want("")
	a, ab := store.Member{Category: "a", Name: "z/z"}, store.Member{Category: "a-b", Name: "c"}
	a2 := store.Member{Category: "a", Name: "b"}
	for _, m := range []store.Member{ab, a, a2} {
		put(m, false, now)
	}
	put(a, false, now)
	want("", a2, a, ab)
	want("a", a2, a)
	want("a-b", ab)
	want("b")

	put(a, true, now) // equal times: out wins, whichever comes first
	put(a, false, now)
	want("a", a2)
	put(a, false, now.Add(1))
	want("a", a2, a)
	put(a, true, now)
	want("a", a2, a)
	put(store.Member{Category: "b", Name: "never in"}, true, now)
	want("", a2, a, ab)
}

func referencesInPages(t *testing.T, s store.Store) {
	var want []store.Push
	for i := range 7 {
		// Some are pushed at one time.
		p := pushOf(registry, "wash", fmt.Sprintf("0.%d", i), i, noon.Add(-time.Duration(i/2)*time.Second))
		push(t, s, p)
		want = append(want, p)
	}
	slices.SortFunc(want, func(p, q store.Push) int { return strings.Compare(q.Keys().Pushed, p.Keys().Pushed) })
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []store.Push
		for after, more := "", true; more; after = got[len(got)-1].Keys().Pushed {
			pushes, m, err := s.References(t.Context(), "wash", after, limit)
			if err != nil || len(pushes) == 0 || len(pushes) > limit {
				t.Fatalf("References(%q, %d) = %v, %v", after, limit, pushes, err)
			}
			got, more = append(got, pushes...), m
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by pages of %d: -want +got\n%s", limit, diff)
		}
	}
	if pushes, more, err := s.References(t.Context(), "was", "", 10); len(pushes) != 0 || more || err != nil {
		t.Errorf("References of an unknown name = %v, %v, %v", pushes, more, err)
	}
}

// namesGivenByHand: such a reference is found under its name alone, beside what a
// registry pushes there, and no delete of a registry reaches it.
func namesGivenByHand(t *testing.T, s store.Store) {
	byHand := pushOf("ghcr.io", "acme/app", "1.2.3", 1, noon)
	byHand.Name = "app"
	push(t, s, byHand)
	wantPick(t, s, store.Query{Name: "app"}, byHand)
	wantNone(t, s, "acme/app", "ghcr.io/acme/app")
	pushed := pushOf(registry, "app", "1.0.0", 2, noon.Add(time.Second))
	push(t, s, pushed)
	wantPick(t, s, store.Query{Name: "app"}, pushed)
	wantPick(t, s, store.Query{Name: "app", Order: store.ByRelease}, byHand)

	own := byHand
	own.Name = ""
	push(t, s, own)
	later := noon.Add(time.Hour)
	wantDeleted(t, s, store.Delete{Registry: "ghcr.io", Repository: "acme/app", DeletedAt: later}, 1)
	wantNone(t, s, "acme/app", "ghcr.io/acme/app")
	wantPick(t, s, store.Query{Name: "app", Order: store.ByRelease}, byHand)
	wantDeleted(t, s, store.Delete{Registry: "ghcr.io", Repository: "acme/app", Tag: "1.2.3", Name: "app", DeletedAt: later}, 1)
	wantPick(t, s, store.Query{Name: "app", Order: store.ByRelease}, pushed)
}

func cancelledContext(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Push(ctx, pushOf(registry, "wash", "1", 1, noon)); !errors.Is(err, context.Canceled) {
		t.Errorf("Push with a cancelled context: %v, want context.Canceled", err)
	}
	if _, err := s.Pick(ctx, store.Query{Name: "wash"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Pick with a cancelled context: %v, want context.Canceled", err)
	}
	wantNone(t, s, "wash")
}

// anyOrder stores the same events in two random orders with random repeats, in
// two repositories of the store, and wants both to answer as the model does.
func anyOrder(t *testing.T, s store.Store) {
	var cases atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		// Each case has repositories of its own: a new store takes longer.
		base := fmt.Sprintf("c%d-", cases.Add(1))
		events := rapid.SliceOfN(Large.Event(base), 1, 30).Draw(t, "events")
		for _, i := range rapid.Permutation(repeated(t, len(events))).Draw(t, "order") {
			if err := events[i].store(t.Context(), s); err != nil {
				t.Fatalf("%v: %v", events[i], err)
			}
		}
		check(t, s, base, events)
	})
}

// manyAtOnce stores the same events from many goroutines.
func manyAtOnce(t *testing.T, s store.Store) {
	const goroutines = 8
	var cases atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		base := fmt.Sprintf("c%d-", cases.Add(1))
		events := rapid.SliceOfN(Large.Event(base), 2, 30).Draw(t, "events")
		orders := make([][]int, goroutines)
		for g := range orders {
			// Of each event at least one goroutine has a copy.
			var mine []int
			for _, i := range repeated(t, len(events)) {
				if i%goroutines == g || rapid.IntRange(0, 3).Draw(t, "also") == 0 {
					mine = append(mine, i)
				}
			}
			orders[g] = rapid.Permutation(mine).Draw(t, "order")
		}
		var wg sync.WaitGroup
		errs := make([]error, goroutines)
		for g, order := range orders {
			wg.Go(func() {
				for _, i := range order {
					errs[g] = errors.Join(errs[g], events[i].store(t.Context(), s))
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		check(t, s, base, events)
	})
}

// repeated is the numbers below n, some of them more than once.
func repeated(t *rapid.T, n int) []int {
	var all []int
	for i := range n {
		for range rapid.IntRange(1, 2).Draw(t, "times") {
			all = append(all, i)
		}
	}
	return all
}
