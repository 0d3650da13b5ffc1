package lookup

import (
	gocmp "cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A list is a store of entries, sorted by name and by push.
type list struct {
	store.Reader
	entries, byPush []store.Entry
}

func listOf(entries []store.Entry) list {
	place := store.Listing{Newest: true}.Place
	byPush := slices.SortedFunc(slices.Values(entries), func(a, b store.Entry) int { return -gocmp.Compare(place(a), place(b)) })
	return list{entries: entries, byPush: byPush}
}

func (s list) Repositories(_ context.Context, l store.Listing) (page store.Page[store.Entry], err error) {
	sorted := s.entries
	if l.Newest {
		sorted = s.byPush
	}
	for _, e := range sorted {
		isBehind := l.After == "" || (l.Place(e) > l.After) != l.Newest && l.Place(e) != l.After
		if !isBehind || !l.Has(e) {
			continue
		}
		if len(page.Items) == l.Limit {
			page.Next = l.Place(page.Items[l.Limit-1])
			break
		}
		page.Items = append(page.Items, e)
	}
	return page, nil
}

func (s list) Entries(_ context.Context, names []reference.Name) (entries []store.Entry, err error) {
	for _, name := range names {
		entry := store.Entry{Name: name}
		for _, e := range s.entries {
			if e.Name.Repository == name.Repository {
				entry.Newest, entry.Highest = e.Newest, e.Highest
			}
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// typical returns the i-th of many typical entries. Their order by push differs from that
// by name.
func typical(i int) store.Entry {
	ref := reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: fmt.Sprintf("team-%d/app-%06d", i/1000, i), Tag: fmt.Sprintf("1.%d.0", i%100)}
	p := event.Push{
		Reference: ref,
		Digest:    fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(ref.String()))),
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Size:      2203,
		PushedAt:  time.Date(2023, 7, 3, 12, 0, 0, i*7919%10007, time.UTC),
	}
	return store.Entry{Name: p.ListedAs(), Newest: p, Highest: p.Reference}
}

func typicals(n int) (all []store.Entry) {
	for i := range n {
		all = append(all, typical(i))
	}
	slices.SortFunc(all, func(a, b store.Entry) int { return a.Name.Compare(b.Name) })
	return all
}

// TestHeldListsAreTheStores: lists equal the store's, whatever the order of requests, and
// however much of them is in memory.
func TestHeldListsAreTheStores(t *testing.T) {
	t.Parallel()
	all := typicals(2 * partSize)
	var lists []list
	for _, n := range []int{0, 1, 7, partSize - 1, partSize, partSize + 1, 2*partSize - 1, 2 * partSize} {
		lists = append(lists, listOf(all[:n]))
	}
	pushes := []string{"", "2022", "2023-07-03T12:00:00.000005000Z", "2024"}
	for _, e := range []int{0, 1, 999, 1000, 1001, 1002, 2001} {
		pushes = append(pushes, all[e].PushedKey())
	}
	rapid.Check(t, func(t *rapid.T) {
		db := lists[rapid.IntRange(0, len(lists)-1).Draw(t, "list")]
		room := rapid.SampledFrom([]int{1, 300_000, 16 << 20}).Draw(t, "room")
		held := newCatalogue(Settings{CacheSeconds: 60, CatalogueBytes: room}, db)
		for range rapid.IntRange(1, 5).Draw(t, "requests") {
			newest := rapid.Bool().Draw(t, "newest")
			l := store.Listing{
				Newest: newest,
				Span: store.Span{
					After: rapid.SampledFrom(map[bool][]string{true: pushes, false: {"", "team", "team-0/app-000998", "team-0/app-000999", "team-1/app-001000", "team-1/app-001001", "team-1/app-0015", "team-1/app-001999", "team-2/app-002001", "zoo"}}[newest]).Draw(t, "after"),
					Limit: rapid.SampledFrom([]int{1, 2, 10, 99, 100, 999, 1000}).Draw(t, "limit"),
				},
				Words:    rapid.SampledFrom([][]string{nil, nil, nil, {"team-1"}, {"99"}, {"app-0010", "1"}, {"7", "77"}, {"azurecr"}, {"io/team-1"}, {"sha256"}, {"none"}}).Draw(t, "words"),
				Registry: rapid.SampledFrom([]string{"", "", "wasmcloud.azurecr.io", "wasmcloud.azurecr", "none.io"}).Draw(t, "registry"),
			}
			want, _ := db.Repositories(t.Context(), l)
			got, err := held.Repositories(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("Repositories(%+v): -store +held\n%s", l, diff)
			}
			var names []reference.Name
			for _, text := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "team-0/app-000000", "team-0/app-000999", "team-1/app-001000", "team-1/app-001001", "team-1/app-001999", "team-2/app-002001",
				"team-0/app-000999x", "zoo", "wasmcloud.azurecr.io/team-1/app-001500", "wasmcloud.azurecr.io/none"}), 0, 4).Draw(t, "names") {
				name, err := reference.ParseName(text)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
			}
			wantEntries, _ := db.Entries(t.Context(), names)
			gotEntries, err := held.Entries(t.Context(), names)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantEntries, gotEntries, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("Entries(%v): -store +held\n%s", names, diff)
			}
		}
	})
}

// TestPackedEntriesLoseNothing: they keep unknown and unusual values.
func TestPackedEntriesLoseNothing(t *testing.T) {
	t.Parallel()
	given := typical(0)
	given.Name, given.Newest.GivenName = reference.Name{Repository: "app"}, "app"
	registrys := typical(0)
	registrys.Name = registrys.Newest.Reference.Name()
	long := typical(0)
	long.Newest.Reference = reference.Reference{Registry: strings.Repeat("r", 251) + ":443", Repository: strings.Repeat("n", 255), Tag: strings.Repeat("t", 128)}
	long.Name = reference.Name{Repository: long.Newest.Reference.Repository}
	unknown := store.Entry{Name: reference.Name{Repository: "wash"}, Newest: event.Push{
		Reference: reference.Reference{Registry: "a.io", Repository: "wash", Tag: "latest"},
		Size:      event.UnknownSize,
		PushedAt:  time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
	}}
	noVersion, older, elsewhere := typical(0), typical(0), typical(0)
	noVersion.Highest = reference.Reference{}
	older.Highest.Tag = "0.1.0"
	elsewhere.Highest = reference.Reference{Registry: "a.io", Repository: elsewhere.Newest.Reference.Repository, Tag: "9.9.9"}
	for what, e := range map[string]store.Entry{
		"a usual one":                              typical(0),
		"one with a given name":                    given,
		"one of a registry":                        registrys,
		"the longest":                              long,
		"one of which nothing is known":            unknown,
		"one without a version":                    noVersion,
		"one whose newest is not the highest":      older,
		"one whose highest is in another registry": elsewhere,
		"one that is not published":                {Name: reference.Name{Repository: "wash"}},
		"a registry's that is not published":       {Name: reference.Name{Registry: "a.io", Repository: "wash"}},
	} {
		h := newHeld(time.Time{}, 1)
		h.addEntry(e)
		got, ok := h.entry(e.Name)
		if diff := cmp.Diff(e, got); diff != "" || !ok {
			t.Errorf("%s, held %t: -before +after\n%s", what, ok, diff)
		}
	}
}

// TestClockThatIsSetBackHoldsNothing: otherwise a catalogue dated in the future would be
// held until then.
func TestClockThatIsSetBackHoldsNothing(t *testing.T) {
	t.Parallel()
	c := newCatalogue(Settings{CacheSeconds: 60, CatalogueBytes: 1}, list{}).(*catalogue)
	old := c.current()
	if c.current() != old {
		t.Error("the lists of a moment ago are not held any more")
	}
	old.begun = old.begun.Add(time.Hour)
	if c.current() == old {
		t.Error("lists from the future are held")
	}
}

// load returns a catalogue that holds the first n typical repositories. The last of them
// is also a member.
func load(t testing.TB, n int) *catalogue {
	t.Helper()
	c := newCatalogue(Settings{CacheSeconds: 60, CatalogueBytes: 1 << 30}, listOf(typicals(n))).(*catalogue)
	if _, err := c.Repositories(t.Context(), store.Listing{Span: store.Span{Limit: 1}, Words: []string{"none"}}); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestHowManyRepositoriesFit checks what the documentation says of functions of 128 MB
// and of 512 MB.
func TestHowManyRepositoriesFit(t *testing.T) {
	const n = 20 * partSize
	before := inUse()
	c := load(t, n)
	c.Reader = nil // only the held lists count
	took := inUse() - before
	counted := c.current().bytes
	t.Logf("%d repositories need %d bytes each; %d of them are counted", n, took/n, counted/n)
	if took > counted*11/10 {
		t.Errorf("%d repositories take %d bytes, and %d are counted: want at most a tenth more", n, took, counted)
	}
	for memory, want := range map[string]int{"128": 60_000, "512": 240_000} {
		if fit := CatalogueBytes(memory) / (counted / n); fit < want {
			t.Errorf("%d repositories fit into %s MB, want %d", fit, memory, want)
		}
	}
	runtime.KeepAlive(c)
}

// inUse returns how many bytes of the heap are in use.
func inUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// BenchmarkSearch searches 50,000 repositories and finds none.
func BenchmarkSearch(b *testing.B) {
	c := load(b, 50_000)
	c.maxAge = time.Hour
	l := store.Listing{Span: store.Span{Limit: 1000}, Words: []string{"team", "app", "none"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Repositories(b.Context(), l); err != nil {
			b.Fatal(err)
		}
	}
}
