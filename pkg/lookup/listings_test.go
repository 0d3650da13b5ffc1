package lookup_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/store"
)

// shopNames are repositories sorted by name. Their order by push differs.
var shopNames = []string{"a-app", "app", "b", "team/app", "team/tool", "tool", "zebra"}

// shopRegistry returns the registry of the i-th repository.
func shopRegistry(i int) string { return []string{"a.azurecr.io", "b.azurecr.io:5000"}[i%2] }

// shopSecond returns when the i-th repository was pushed.
func shopSecond(i int) int { return 10 + i*5%len(shopNames) }

// fillShop stores the repositories, each with an older tag, and a curated list of some of
// them.
func fillShop(t *testing.T, db store.Store) {
	t.Helper()
	for i, name := range shopNames {
		ref := shopRegistry(i) + "/" + name
		push(t, db, pushOf(ref+":1.0.0", time.Unix(int64(i), 0)), pushOf(ref+":nightly", time.Unix(int64(shopSecond(i)), 0)))
	}
	categorize(t, db, "list", "zebra", "soon", "app", "team/app", "b.azurecr.io:5000/app", "b")
}

var listParameters = []parameter{
	{"sort", []string{absent, "name", "pushed"}},
	{"q", []string{absent, "app", "AZURECR team", "5000/t", "none"}},
	{"registry", []string{absent, "a.azurecr.io", "B.azurecr.io:5000", "c.io"}},
	{"category", []string{absent, "list"}},
	{"limit", []string{absent, "1", "3"}},
}

// expectList returns the names in a list for people or for programs. A list for programs
// has no categories.
func expectList(q url.Values, forPeople bool) (names []string) {
	type row struct {
		name, registry string
		second         int // 0: not published
	}
	var rows []row
	inCategory := forPeople && q.Has("category") && !q.Has("q")
	members := map[string]bool{"app": true, "b": true, "team/app": true, "zebra": true}
	for i, name := range shopNames {
		if !inCategory || members[name] {
			rows = append(rows, row{name, shopRegistry(i), shopSecond(i)})
		}
	}
	if inCategory {
		rows = append(rows, row{"b.azurecr.io:5000/app", "b.azurecr.io:5000", shopSecond(1)}, row{"soon", "", 0})
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	if q.Get("sort") == "pushed" {
		// The two names of app have the same push time. The greater text comes first,
		// which is that of a repository.
		slices.Reverse(rows)
		slices.SortStableFunc(rows, func(a, b row) int {
			if a.second == b.second {
				return strings.Count(a.name, ":") - strings.Count(b.name, ":")
			}
			return b.second - a.second
		})
	}
	for _, r := range rows {
		words := strings.Fields(strings.ToLower(q.Get("q")))
		lacks := slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(r.registry+"/"+r.name, word) })
		if lacks || q.Has("registry") && r.registry != strings.ToLower(q.Get("registry")) {
			continue
		}
		names = append(names, r.name)
	}
	return names
}

// TestListsByPairs requests lists with enough combinations of parameters that each value
// meets each value of every other parameter: as JSON, page by page, and as a page.
func TestListsByPairs(t *testing.T) {
	combinations := pairs(listParameters)
	t.Logf("%d combinations", len(combinations))
	onBoth(t, func(t *testing.T, db store.Store) {
		fillShop(t, db)
		for what, h := range map[string]http.Handler{"the store": handlerOf(t, db), "memory": holding(db, plenty)} {
			for _, q := range combinations {
				target := "/api/repositories?" + q.Encode()
				if diff := cmp.Diff(expectList(q, false), readAll(t, h, target, func(int) {})); diff != "" {
					t.Errorf("from %s: GET %s: -want +got\n%s", what, target, diff)
				}
				target = "/?" + q.Encode()
				if diff := cmp.Diff(expectList(q, true), rowNames(get(t, h, target))); diff != "" {
					t.Errorf("from %s: GET %s: -want +got\n%s", what, target, diff)
				}
			}
		}
	})
}

var rowPattern = regexp.MustCompile(`<tr><th>(?:<a [^>]*>)?([^<]+)<`)

// rowNames returns the names in a page's table.
func rowNames(page string) (names []string) {
	for _, match := range rowPattern.FindAllStringSubmatch(strings.ReplaceAll(page, "<wbr>", ""), -1) {
		names = append(names, match[1])
	}
	return names
}

// TestPagesOfAListByPush: each page leads to the next, also in a category.
func TestPagesOfAListByPush(t *testing.T) {
	t.Parallel()
	n := 2500 // three parts
	if testing.Short() {
		n = 1100 // with the race detector, a page of more may need longer than a lookup may
	}
	db := shelfOf(n)
	for i := range n - 100 {
		db.members = append(db.members, membersOf("most", fmt.Sprintf("app-%05d", i))...)
	}
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("app-%05d", n-1-i))
	}
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`)
	for target, want := range map[string][]string{"/?sort=pushed": all, "/?category=most&sort=pushed": all[100:], "/?category=most&sort=pushed&registry=a.azurecr.io": all[100:]} {
		for what, h := range map[string]http.Handler{"the store": handlerOf(t, db), "memory": holding(db, plenty), "a small memory": holding(db, 1)} {
			var got []string
			for page := target; page != "" && len(got) <= len(want); {
				body := get(t, h, page)
				got = append(got, rowNames(body)...)
				page = ""
				if match := next.FindStringSubmatch(body); match != nil {
					page = strings.ReplaceAll(match[1], "&amp;", "&")
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("GET %s from %s: %d rows from %q on, want %d from %s on", target, what, len(got), got[:min(3, len(got))], len(want), want[0])
			}
		}
	}
}

// TestListByPushIsHeldByItself: the lists by name and by push are each loaded as far as
// requests need them, within one limit.
func TestListByPushIsHeldByItself(t *testing.T) {
	t.Parallel()
	db := shelfOf(2500)
	h := holding(db, plenty)
	for range 2 {
		get(t, h, "/api/repositories?sort=pushed&limit=2")
		get(t, h, "/api/repositories?limit=2")
		get(t, h, "/api/repositories?limit=2&sort=pushed&q=app-01600")
	}
	want := []string{
		`Newest after "", 1001 of []`, `Repositories after "", 1001 of []`,
		fmt.Sprintf(`Newest after %q, 1001 of []`, db.entries[1499].PushedKey()), fmt.Sprintf(`Newest after %q, 1001 of []`, db.entries[498].PushedKey()),
	}
	if diff := cmp.Diff(want, db.take()); diff != "" {
		t.Errorf("calls: -want +got\n%s", diff)
	}
	small := holding(db, 1) // one part of one order is held
	get(t, small, "/api/repositories?sort=pushed")
	get(t, small, "/api/repositories")
	get(t, small, "/api/repositories?sort=pushed")
	if diff := cmp.Diff([]string{`Newest after "", 1001 of []`, `Repositories after "", 101 of []`}, db.take()); diff != "" {
		t.Errorf("calls where there is little room: -want +got\n%s", diff)
	}
}

// TestPagesByPushAreStableWhilePushesArrive: a new push moves its repository to the
// front. A reader of all pages sees the others once, in their order.
func TestPagesByPushAreStableWhilePushesArrive(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		var want []string
		for i := range 10 {
			push(t, db, pushOf(fmt.Sprintf("a.io/r%d:1", i), time.Unix(int64(i), 0)))
			want = append([]string{fmt.Sprintf("r%d", i)}, want...)
		}
		got := readAll(t, handlerOf(t, db), "/api/repositories?sort=pushed&limit=3", func(page int) {
			push(t, db, pushOf("a.io/new:1", time.Unix(int64(100+page), 0)), pushOf("a.io/r9:1", time.Unix(int64(100+page), 0)))
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestStatus(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := handlerOf(t, db)
		wantAnswer(t, h, "/api/status", 200, typeJSON, `{"version":"v0.2.0"}`)
		push(t, db, pushOf("a.io/wash:1.0", time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC)), pushOf("a.io/app:2", time.Unix(0, 0)))
		wantAnswer(t, h, "/api/status?x=y", 200, typeJSON, `{"version":"v0.2.0","newest":{"reference":"a.io/wash:1.0","pushedAt":"2023-07-03T14:56:52.0604218Z"}}`)
	})
}

// TestStatusAsksTheStore: it does even if lists are held, since it says whether the store
// works.
func TestStatusAsksTheStore(t *testing.T) {
	t.Parallel()
	db := shelfOf(3)
	h := holding(db, plenty)
	get(t, h, "/api/repositories?sort=pushed")
	db.take()
	get(t, h, "/api/status")
	if diff := cmp.Diff([]string{`Newest after "", 1 of []`}, db.take()); diff != "" {
		t.Errorf("calls: -want +got\n%s", diff)
	}
	db.set(func() { db.err = errPlanted })
	wantAnswer(t, h, "/api/status", 503, typeJSON, `{"error":"Lookup failed, try again"}`)
}

// TestFiltersHoldOnListsOfReferences: filters apply to JSON, to the page and to the pages
// that follow.
func TestFiltersHoldOnListsOfReferences(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		for i, tag := range []string{"1.0", "1.1", "sha-1", "2.0", "1.2", "latest"} {
			push(t, db, pushOf("a.io/wash:"+tag, time.Unix(int64(i), 0)))
		}
		h := handlerOf(t, db)
		for query, want := range map[string]string{
			"":                          "latest 1.2 2.0 sha-1 1.1 1.0",
			"tag=1.*":                   "1.2 1.1 1.0",
			"tag=1.*,2.*&ignore=*.0":    "1.2 1.1",
			"ignore=[!0-9]*,%20*.0":     "1.2 1.1",
			"tag=3.*":                   "",
			"tag=1.*&sort=semver&show=": "1.2 1.1 1.0", // a list does not have these two parameters
		} {
			for _, limit := range []string{"100", "1", "2"} {
				got := strings.Join(readAll(t, h, "/api/repositories/wash?limit="+limit+"&"+query, func(int) {}), " ")
				if got != want {
					t.Errorf("GET /api/repositories/wash?limit=%s&%s has %q, want %q", limit, query, got, want)
				}
			}
		}
		for query, parameter := range map[string]string{"tag=[": "tag", "ignore=a]": "ignore", "tag=" + repeat(21, 1): "tag"} {
			wantAnswer(t, h, "/api/repositories/wash?"+query, 400, typeJSON, `{"error":"invalid query parameter: `+parameter+`"}`)
		}
		wantAnswer(t, h, "/api/repositories/none?tag=1", 404, typeJSON, unknownJSON)

		for query, heads := range map[string]string{"": "latest 2.0", "tag=1.*": "1.2", "sort=semver": "2.0 latest", "sort=semver&ignore=2.*": "1.2 latest", "tag=s*": "sha-1"} {
			if got := strings.Join(headsOf(get(t, h, "/wash?format=html&"+query)), " "); got != heads {
				t.Errorf("GET /wash?format=html&%s has %q at its head, want %q", query, got, heads)
			}
		}
		if page := get(t, h, "/wash?format=html&tag=1.*"); strings.Contains(page, "sha-1") || strings.Count(page, `<th scope="row" class="copy">`) != 3 {
			t.Errorf("GET /wash?format=html&tag=1.* = %s, want three references", mainOf(page))
		}
		wantTexts(t, h, "/wash?format=html&tag=3.*", 404, "<h1>No tag matches</h1>", "“wash” has tags, but none passes the filter in the address.")
		wantTexts(t, h, "/wash?format=html&tag=ha-&ignore=x", 404, `<li><a href="/wash?format=html&amp;ignore=x&amp;tag=%2Aha-%2A">Tags that contain “ha-”</a></li>`)
		wantTexts(t, h, "/none?format=html&tag=3.*", 404, "<h1>Repository not found</h1>")
	})
}

// TestPageOfReferencesMayBeShort: a store looks at no more than a thousand references.
// Such a page leads to the next, even if it is empty.
func TestPageOfReferencesMayBeShort(t *testing.T) {
	t.Parallel()
	db := open(t, "a.io/wash:hidden-1", "a.io/wash:hidden-2")
	for i := range 1000 {
		push(t, db, pushOf(fmt.Sprintf("a.io/wash:%d", i), time.Unix(9, 0)))
	}
	h := handlerOf(t, db)
	var page struct{ Next string }
	first := get(t, h, "/api/repositories/wash?tag=hidden-*")
	if err := json.Unmarshal([]byte(first), &page); err != nil || page.Next == "" || !strings.HasPrefix(first, `{"name":"wash","references":[],"next"`) {
		t.Errorf("first page: %s, %v, want an empty one that has a next", first, err)
	}
	if got := readAll(t, h, "/api/repositories/wash?tag=hidden-*", func(int) {}); !slices.Equal(got, []string{"hidden-2", "hidden-1"}) {
		t.Errorf("all pages: %q", got)
	}
	wantTexts(t, h, "/wash?format=html&tag=hidden-*", 404, "<h1>No match among 1000 tags</h1>")
	if got := checkFeed(t, do(h, "GET", "/wash?format=atom&tag=hidden-*").Body.Bytes()); got.Title != "No match among 1000 tags" {
		t.Errorf("the feed has the title %q", got.Title)
	}
	// In the order of versions it may be the first, and still not be on that page of the
	// list.
	push(t, db, pushOf("a.io/wash:3.0", time.Unix(1, 0)))
	wantTexts(t, h, "/wash?format=html&tag=3.0&sort=semver", 200, `<dd class="copy">a.io/wash:3.0<`, "None of these matches.", ">Older<")
}

// TestBadParametersOfLists: they are reported in the format of the list, without a read.
func TestBadParametersOfLists(t *testing.T) {
	t.Parallel()
	words := strings.TrimSuffix(strings.Repeat("a+", 11), "+")
	for query, parameter := range map[string]string{
		"sort=date": "sort", "sort=Name": "sort", "registry=none": "registry", "registry=a.io/b": "registry", "registry=%3Cb%3E": "registry", "q=" + words: "q", "next=x": "next",
	} {
		spy := &spy{Reader: stub{}}
		h := handlerOf(t, spy)
		text := "invalid query parameter: " + parameter
		wantAnswer(t, h, "/api/repositories?"+query, 400, typeJSON, `{"error":"`+text+`"}`)
		wantTexts(t, h, "/?"+query, 400, "<h1>I"+text[1:]+"</h1>")
		if got := checkFeed(t, do(h, "GET", "/?format=atom&"+query).Body.Bytes()); got.Title != text {
			t.Errorf("GET /?format=atom&%s has the title %q, want %q", query, got.Title, text)
		}
		if spy.reads > 0 {
			t.Errorf("a list with %s reads the store", query)
		}
	}
	wantTexts(t, handlerOf(t, stub{}), "/?format=json", 400, "<h1>Invalid query parameter: format</h1>")
}
