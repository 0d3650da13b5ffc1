package lookup_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A shelf is a store of repositories with one reference each. Its calls take time, and it
// records them.
type shelf struct {
	stub
	takes time.Duration // duration of each call

	mu      sync.Mutex
	entries []store.Entry // sorted by name
	members []event.Member
	calls   []string
	err     error // returned by each call
	hangs   bool  // each call hangs
}

// shelfOf returns a shelf of n repositories, app-00000 and so on.
func shelfOf(n int) *shelf {
	s := &shelf{}
	for i := range n {
		s.entries = append(s.entries, entryOf(fmt.Sprintf("app-%05d", i), "1.0.0"))
	}
	return s
}

func entryOf(name, tag string) store.Entry {
	p := pushOf("a.azurecr.io/"+name+":"+tag, time.Unix(0, 0))
	return store.Entry{Name: p.ListedAs(), Newest: p, Highest: p.Reference}
}

// call records a call and waits for its duration.
func (s *shelf) call(ctx context.Context, what string) error {
	s.mu.Lock()
	s.calls = append(s.calls, what)
	wait, err := s.takes, s.err
	if s.hangs {
		wait = time.Hour
	}
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return err
	}
}

// take returns the calls since the last time.
func (s *shelf) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// set changes the shelf.
func (s *shelf) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *shelf) Repositories(ctx context.Context, l store.Listing) (page store.Page[store.Entry], err error) {
	what := "Repositories"
	if l.Newest {
		what = "Newest"
	}
	if err := s.call(ctx, fmt.Sprintf("%s after %q, %d of %q", what, l.After, l.Limit, l.Words)); err != nil {
		return page, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := slices.Clone(s.entries)
	if l.Newest { // all pushes have the same time, so the order is the reverse of that by name
		slices.Reverse(entries)
	}
	for _, e := range entries {
		isBehind := l.After == "" || l.Newest && l.Place(e) < l.After || !l.Newest && l.Place(e) > l.After
		if !isBehind || !l.Has(e) {
			continue
		}
		if len(page.Items) == l.Limit {
			page.Next = l.Place(page.Items[l.Limit-1])
			return page, nil
		}
		page.Items = append(page.Items, e)
	}
	return page, nil
}

func (s *shelf) Entries(ctx context.Context, names []reference.Name) (entries []store.Entry, err error) {
	if err := s.call(ctx, fmt.Sprintf("Entries of %v", names)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		found := store.Entry{Name: name}
		for _, e := range s.entries {
			if e.Name.Repository == name.Repository && (name.Registry == "" || name.Registry == e.Newest.Reference.Registry) {
				found.Newest, found.Highest = e.Newest, e.Highest
			}
		}
		entries = append(entries, found)
	}
	return entries, nil
}

func (s *shelf) Members(ctx context.Context, category string) (members []event.Member, err error) {
	if err := s.call(ctx, fmt.Sprintf("Members of %q", category)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if category == "" || m.Category == category {
			members = append(members, m)
		}
	}
	return members, nil
}

// holding returns the routes of db that hold lists for 60 s.
func holding(db store.Reader, bytes int) http.Handler {
	return lookup.New(lookup.Settings{Color: "blue", CacheSeconds: 60, CatalogueBytes: bytes}, db)
}

const plenty = 64 << 20

// listed returns the names on a page of JSON, which must have status 200.
func listed(t *testing.T, h http.Handler, target string) (names []string) {
	t.Helper()
	var page struct{ Repositories []struct{ Name string } }
	if err := json.Unmarshal([]byte(get(t, h, target)), &page); err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Repositories {
		names = append(names, r.Name)
	}
	return names
}

// membersOf returns names as members of a category.
func membersOf(category string, names ...string) (all []event.Member) {
	for _, name := range names {
		all = append(all, event.Member{Category: category, Name: parseName(name)})
	}
	return all
}

// TestWarmListsReadNothing: lists that one reader's request has loaded are served to
// others from memory.
func TestWarmListsReadNothing(t *testing.T) {
	t.Parallel()
	db := shelfOf(2500)
	db.members = slices.Concat(membersOf("apps", "a.azurecr.io/app-00007", "app-00001", "app-02400", "soon"), membersOf("more", "app-00001"))
	h := holding(db, plenty)
	targets := []string{"/", "/?q=app-0001", "/?q=none+such", "/?category=apps", "/?category=nothing", "/api/repositories", "/api/repositories?limit=1000&next=" + tokenOf("1app-01700"),
		"/api/categories", "/api/categories/apps", "/api/categories/more?limit=1", "/api/categories/nothing"}
	first := map[string]string{}
	for _, target := range targets {
		first[target] = do(h, "GET", target).Body.String()
	}
	want := []string{
		`Members of ""`, `Repositories after "", 1001 of []`, // the first page; these calls run concurrently
		`Entries of [a.azurecr.io/app-00007 app-02400 soon]`,
		`Repositories after "app-01000", 1001 of []`, `Repositories after "app-02001", 1001 of []`, // the search
	}
	got := db.take()
	slices.Sort(got[:min(2, len(got))])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cold: calls -want +got\n%s", diff)
	}
	for _, target := range targets {
		if again := do(h, "GET", target).Body.String(); mainOf(again) != mainOf(first[target]) {
			t.Errorf("GET %s from memory = %s, and before %s", target, mainOf(again), mainOf(first[target]))
		}
	}
	if calls := db.take(); calls != nil {
		t.Errorf("warm: calls %q, want none", calls)
	}
}

// TestListsAreAsOldAsCacheSeconds: they are no older.
func TestListsAreAsOldAsCacheSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := shelfOf(3)
		db.members = membersOf("apps", "a.azurecr.io/app-00001", "app-00001")
		h := holding(db, plenty)
		ask := func() []string {
			return slices.Concat(listed(t, h, "/api/repositories"), listed(t, h, "/api/categories/apps"),
				[]string{strings.Join(strings.Split(get(t, h, "/api/categories/apps"), `"version":`), " ")})
		}
		before := ask()
		db.set(func() {
			db.entries = append(db.entries, entryOf("new", "1.0.0"))
			db.entries[1] = entryOf("app-00001", "2.0.0")
			db.members = append(db.members, membersOf("apps", "new")...)
		})
		time.Sleep(59999 * time.Millisecond)
		if diff := cmp.Diff(before, ask()); diff != "" {
			t.Errorf("lists after 59.999 s: -before +now\n%s", diff)
		}
		time.Sleep(time.Millisecond)
		if diff := cmp.Diff(before, ask()); diff == "" {
			t.Error("lists after 60 s are still the old ones")
		}
		want := []string{"app-00000", "app-00001", "app-00002", "new", "a.azurecr.io/app-00001", "app-00001", "new"}
		got := slices.Concat(listed(t, h, "/api/repositories"), listed(t, h, "/api/categories/apps"))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lists after 60 s: -want +got\n%s", diff)
		}
		if n := strings.Count(get(t, h, "/api/categories/apps"), `"tag":"2.0.0"`); n != 2 {
			t.Errorf("after 60 s %d members have the tag that was pushed, want 2", n)
		}
	})
}

// TestNothingIsHeldUnlessSettingsSayIt: nothing is held with CACHE_SECONDS=0, nor if a
// read of the store is cheap.
func TestNothingIsHeldUnlessSettingsSayIt(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]lookup.Settings{
		"CACHE_SECONDS=0": {CacheSeconds: 0, CatalogueBytes: plenty},
		"no bytes":        {CacheSeconds: 60, CatalogueBytes: 0},
	} {
		db := shelfOf(3)
		h := lookup.New(s, db)
		for range 2 {
			db.take()
			get(t, h, "/api/repositories")
			get(t, h, "/api/categories")
			if diff := cmp.Diff([]string{`Repositories after "", 100 of []`, `Members of ""`}, db.take()); diff != "" {
				t.Errorf("%s: calls: -want +got\n%s", name, diff)
			}
		}
	}
}

// TestBadgesAreNotHeld: a badge shows a push at once, and loads no list.
func TestBadgesAreNotHeld(t *testing.T) {
	t.Parallel()
	db := open(t, "a.azurecr.io/wash:1")
	spy := &spy{Reader: db}
	h := holding(spy, plenty)
	for i, target := range []string{"/wash?format=text", "/wash?format=text&sort=semver", "/a.azurecr.io/wash?format=text&tag=*"} {
		ref := fmt.Sprintf("a.azurecr.io/wash:%d", i+2)
		push(t, db, pushOf(ref, time.Unix(int64(i+1), 0)))
		if got := get(t, h, target); got != ref+"\n" {
			t.Errorf("GET %s = %s, want %s", target, got, ref)
		}
	}
	get(t, h, "/wash?format=html")
	get(t, h, "/api/repositories/wash")
	get(t, h, "/wash?format=atom")
	if spy.reads != 7 || len(spy.listings) > 0 {
		t.Errorf("6 requests of one name read the store %d times, %d lists among them, want 7, with the page's curated lists, and none", spy.reads, len(spy.listings))
	}
}

// TestEmptyCatalogueIsNotHeld: a user who has just connected a registry checks whether a
// push arrives.
func TestEmptyCatalogueIsNotHeld(t *testing.T) {
	t.Parallel()
	db := shelfOf(0)
	h := holding(db, plenty)
	wantTexts(t, h, "/", 200, "Nothing has been pushed yet")
	db.set(func() { db.entries = append(db.entries, entryOf("wash", "1.0.0")) })
	wantTexts(t, h, "/", 200, "a.azurecr.io/wash:1.0.0")
}

// TestLoadGoesOnInTheNextRequest: a load that takes longer than a request does not start
// again, and all answers meanwhile are complete and in time.
func TestLoadGoesOnInTheNextRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := shelfOf(9500)
		db.takes = 300 * time.Millisecond
		h := holding(db, plenty)
		loads := map[string]int{}
		for request := 1; request <= 4; request++ {
			begin := time.Now()
			if diff := cmp.Diff([]string{"app-09499"}, listedBy(t, h, "/?q=09499")); diff != "" {
				t.Errorf("search %d: -want +got\n%s", request, diff)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("search %d took %s, want at most 2s", request, took)
			}
			for _, call := range db.take() {
				if strings.Contains(call, ", 1001 of []") {
					loads[call]++
				} else if request == 4 {
					t.Errorf("the last search reads %s, want it from memory", call)
				}
			}
		}
		if len(loads) < 10 {
			t.Errorf("%d parts were loaded, want 10", len(loads))
		}
		for call, n := range loads {
			if n > 2 { // once more if the request had no time to finish it
				t.Errorf("%s was called %d times", call, n)
			}
		}
		if get(t, h, "/?q=09499"); db.take() != nil {
			t.Error("a search after the load reads the store")
		}
	})
}

// listedBy returns the names on a page for people.
func listedBy(t *testing.T, h http.Handler, target string) (names []string) {
	t.Helper()
	for _, row := range strings.Split(strings.ReplaceAll(get(t, h, target), "<wbr>", ""), "<tr><th><a ")[1:] {
		_, name, _ := strings.Cut(row, ">")
		name, _, _ = strings.Cut(name, "<")
		names = append(names, name)
	}
	return names
}

// TestOneLoadAtATime: concurrent requests wait for one load.
func TestOneLoadAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := shelfOf(2500)
		db.takes = 100 * time.Millisecond
		db.members = membersOf("apps", "app-00001")
		h := holding(db, plenty)
		var wg sync.WaitGroup
		for _, target := range []string{"/?q=02499", "/api/categories", "/?q=02499", "/?category=apps"} {
			for range 20 {
				wg.Go(func() { get(t, h, target) })
			}
		}
		wg.Wait()
		want := []string{`Members of ""`, `Repositories after "", 1001 of []`, `Repositories after "app-01000", 1001 of []`, `Repositories after "app-02001", 1001 of []`}
		got := slices.Sorted(slices.Values(db.take()))
		if i := slices.IndexFunc(got, func(call string) bool { return !strings.HasPrefix(call, "Entries") }); i > 0 {
			got = got[i:] // entries of single members are read without waiting
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls of 80 requests: -want +got\n%s", diff)
		}
	})
}

// TestLoadThatHangsHoldsNobodyUp: the request that loads and those that wait for it are
// answered in time, and later ones once the store is back.
func TestLoadThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := shelfOf(10)
		db.members = membersOf("apps", "app-00001")
		h := holding(db, plenty)
		for name, fail := range map[string]func(){"hangs": func() { db.hangs = true }, "fails": func() { db.err = errPlanted }} {
			db.set(fail)
			var wg sync.WaitGroup
			for _, target := range []string{"/", "/?q=app", "/api/repositories", "/api/categories", "/?category=apps"} {
				for range 3 {
					wg.Go(func() {
						begin := time.Now()
						if w := do(h, "GET", target); w.Code != 503 {
							t.Errorf("GET %s where the store %s: status %d, want 503", target, name, w.Code)
						}
						if took := time.Since(begin); took > 2*time.Second {
							t.Errorf("GET %s where the store %s took %s, want at most 2s", target, name, took)
						}
					})
				}
			}
			wg.Wait()
			db.set(func() { db.hangs, db.err = false, nil })
			if got := len(listed(t, h, "/api/repositories")); got != 10 {
				t.Errorf("after a store that %s: %d repositories, want 10", name, got)
			}
			if diff := cmp.Diff([]string{"app-00001"}, listed(t, h, "/api/categories/apps")); diff != "" {
				t.Errorf("after a store that %s: members -want +got\n%s", name, diff)
			}
			time.Sleep(time.Minute) // until the held lists are too old
		}
	})
}

// TestListIsShownWithoutRegistries: if they cannot be read in half the time of a request,
// the page of a curated list comes without them.
func TestListIsShownWithoutRegistries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := shelfOf(10)
		db.members = membersOf("apps", "app-00001")
		begin := time.Now()
		wantTexts(t, holding(stuckListing{db}, plenty), "/?category=apps", 200, "app-00001")
		if took := time.Since(begin); took > lookup.Deadline/2 {
			t.Errorf("the page took %s, want at most %s", took, lookup.Deadline/2)
		}
	})
}

// A stuckListing is a store whose list of repositories never comes.
type stuckListing struct{ store.Reader }

func (stuckListing) Repositories(ctx context.Context, _ store.Listing) (page store.Page[store.Entry], err error) {
	<-ctx.Done()
	return page, ctx.Err()
}

// TestRoomIsBounded: when the room is used up, the beginning stays in memory and the rest
// comes from the store.
func TestRoomIsBounded(t *testing.T) {
	t.Parallel()
	db := shelfOf(3500)
	h := holding(db, 1) // one part is held
	for range 2 {
		listed(t, h, "/api/repositories?limit=1000")
	}
	if diff := cmp.Diff([]string{`Repositories after "", 1001 of []`}, db.take()); diff != "" {
		t.Errorf("the first page, twice: calls -want +got\n%s", diff)
	}
	for range 2 {
		if diff := cmp.Diff([]string{"app-03499"}, listedBy(t, h, "/?q=03499")); diff != "" {
			t.Errorf("a search: -want +got\n%s", diff)
		}
		if diff := cmp.Diff([]string{`Repositories after "app-01000", 101 of ["03499"]`}, db.take()); diff != "" {
			t.Errorf("a search: calls -want +got\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{"app-03001", "app-03002"}, listed(t, h, "/api/repositories?limit=2&next="+tokenOf("1app-03000"))); diff != "" {
		t.Errorf("a page beyond the room: -want +got\n%s", diff)
	}
	db.take()
	// Members that do not fit are read each time, and are correct.
	db.members = membersOf("apps", "app-00001", "app-03000")
	for range 2 {
		if diff := cmp.Diff([]string{"app-00001", "app-03000"}, listed(t, h, "/api/categories/apps")); diff != "" {
			t.Errorf("members: -want +got\n%s", diff)
		}
		if diff := cmp.Diff([]string{`Members of ""`, `Entries of [app-03000]`}, db.take()); diff != "" {
			t.Errorf("members: calls -want +got\n%s", diff)
		}
	}
}

// TestPagesGoOnFromMemoryAndFromTheStore: a page from memory may be followed by one from
// the store, and the other way round.
func TestPagesGoOnFromMemoryAndFromTheStore(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		var want []string
		for i := range 10 {
			name := fmt.Sprintf("r%d", i)
			want = append(want, name)
			push(t, db, pushOf("a.azurecr.io/"+name+":1", time.Unix(int64(i), 0)))
		}
		categorize(t, db, "apps", want...)
		direct, held := handlerOf(t, db), holding(db, plenty)
		for _, target := range []string{"/api/repositories?limit=3", "/api/categories/apps?limit=3"} {
			for name, handlers := range map[string][]http.Handler{"the store first": {direct, held}, "memory first": {held, direct}} {
				var got []string
				next := ""
				for page := 0; page == 0 || next != ""; page++ {
					body := get(t, handlers[page%2], target+"&next="+url.QueryEscape(next))
					var answer struct {
						Repositories []struct{ Name string }
						Next         string
					}
					if err := json.Unmarshal([]byte(body), &answer); err != nil {
						t.Fatal(err)
					}
					for _, r := range answer.Repositories {
						got = append(got, r.Name)
					}
					next = answer.Next
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("GET %s, %s: -want +got\n%s", target, name, diff)
				}
			}
		}
	})
}

// TestFailedLoadIsNotRepeated: the request is answered 503 and does not ask a throttling
// table for the same again.
func TestFailedLoadIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/?q=x", "/api/repositories"} {
		db := shelfOf(1)
		db.err = errPlanted
		w := do(holding(db, plenty), "GET", target)
		if w.Code != 503 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s of a failing store: status %d, Cache-Control %q, want 503 and no-store", target, w.Code, w.Header().Get("Cache-Control"))
		}
		if n := strings.Count(strings.Join(db.take(), "\n"), "Repositories"); n != 1 {
			t.Errorf("GET %s of a failing store lists it %d times, want once", target, n)
		}
	}
}

func TestCatalogueBytes(t *testing.T) {
	t.Parallel()
	for memory, want := range map[string]int{"128": 16 << 20, "512": 64 << 20, "10240": 1280 << 20, "": 0, "x": 0} {
		if got := lookup.CatalogueBytes(memory); got != want {
			t.Errorf("CatalogueBytes(%q) = %d, want %d", memory, got, want)
		}
	}
}
