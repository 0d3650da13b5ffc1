package lookup_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// setMembers puts names into a category, or removes them from it.
func setMembers(t *testing.T, db store.Writer, category string, removed bool, names ...string) {
	t.Helper()
	for _, m := range membersOf(category, names...) {
		if err := db.Categorize(t.Context(), event.Membership{Member: m, Removed: removed, At: time.Unix(1, 0).UTC()}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCategoriesHavePages: the pages are sorted by name, and stay right while members
// come and go.
func TestCategoriesHavePages(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		names := []string{"a-b", "a.azurecr.io/app", "a/b", "app", "b", "c", "d"}
		push(t, db, pushOf("a.azurecr.io/app:1", time.Unix(0, 0)), pushOf("a.azurecr.io/c:1", time.Unix(0, 0)))
		categorize(t, db, "apps", names...)
		categorize(t, db, "app", "before")
		categorize(t, db, "apps-2", "behind")
		h := handlerOf(t, db)
		for limit := 1; limit <= len(names)+1; limit++ {
			target := fmt.Sprintf("/api/categories/apps?limit=%d", limit)
			if diff := cmp.Diff(names, readAll(t, h, target, func(int) {})); diff != "" {
				t.Errorf("GET %s: -want +got\n%s", target, diff)
			}
		}
		wantAnswer(t, h, "/api/categories/apps?limit=7&next="+tokenOf("1a/b"), 200, typeJSON,
			`{"category":"apps","repositories":[{"name":"app","registry":"a.azurecr.io","reference":"a.azurecr.io/app:1","tag":"1","pushedAt":"1970-01-01T00:00:00Z"},`+
				`{"name":"b"},{"name":"c","registry":"a.azurecr.io","reference":"a.azurecr.io/c:1","tag":"1","pushedAt":"1970-01-01T00:00:00Z"},{"name":"d"}]}`)

		got := readAll(t, h, "/api/categories/apps?limit=3", func(page int) {
			if page == 0 { // the page ends with a/b
				setMembers(t, db, "apps", true, "a-b", "a/b", "b")
				setMembers(t, db, "apps", false, "a-a", "bb")
			}
		})
		if diff := cmp.Diff([]string{"a-b", "a.azurecr.io/app", "a/b", "app", "bb", "c", "d"}, got); diff != "" {
			t.Errorf("members that come and go: -want +got\n%s", diff)
		}
		// The members behind a page may be gone when a reader asks for them.
		wantAnswer(t, h, "/api/categories/apps?next="+tokenOf("1d"), 200, typeJSON, `{"category":"apps","repositories":[]}`)
		wantAnswer(t, h, "/api/categories/none?next="+tokenOf("1d"), 404, typeJSON, `{"error":"No such category"}`)
	})
}

// manyMembers returns a shelf with n members in the category many. Every second one is
// published.
func manyMembers(n int) *shelf {
	db := &shelf{}
	for i := range n {
		name := fmt.Sprintf("app-%05d", i)
		db.members = append(db.members, membersOf("many", name)...)
		if i%2 == 0 {
			db.entries = append(db.entries, entryOf(name, "1.0.0"))
		}
	}
	return db
}

// TestCategoryReadsTheEntriesOfItsPage: it reads no other members' entries.
func TestCategoryReadsTheEntriesOfItsPage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target string
		first  int // first member on the page
		count  int
		more   bool
	}{
		{target: "/api/categories/many", count: 1000, more: true},
		{target: "/api/categories/many?limit=", count: 1000, more: true},
		{target: "/api/categories/many?limit=1", count: 1, more: true},
		{target: "/api/categories/many?limit=2&next=" + tokenOf("1app-01237"), first: 1238, count: 2, more: true},
		{target: "/api/categories/many?next=" + tokenOf("1app-00499"), first: 500, count: 1000, more: true},
		{target: "/api/categories/many?next=" + tokenOf("1app-00500"), first: 501, count: 1000},
		{target: "/?category=many", count: 100, more: true},
		{target: "/?category=many&limit=1", count: 100, more: true},
		{target: "/?category=many&next=" + tokenOf("1app-01449"), first: 1450, count: 51},
	} {
		spy := &spy{Reader: manyMembers(1501)}
		body := get(t, handlerOf(t, spy), c.target)
		var want []string
		for i := range c.count {
			want = append(want, fmt.Sprintf("app-%05d", c.first+i))
		}
		var got []string
		for _, name := range spy.entries {
			got = append(got, name.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("GET %s reads %d entries, the first of them %q, want %d from %s on", c.target, len(got), got[:min(1, len(got))], len(want), want[0])
		}
		token := tokenOf("1" + want[len(want)-1])
		if hasNext := strings.Contains(body, token); hasNext != c.more {
			t.Errorf("GET %s leads to the next page: %t, want %t", c.target, hasNext, c.more)
		}
	}
}

// TestPagesOfACategoryAreLinked: the links stay in the category.
func TestPagesOfACategoryAreLinked(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, manyMembers(101))
	next := "/?category=many&next=" + tokenOf("1app-00099")
	wantTexts(t, h, "/?category=many", 200, "<h1>many</h1>", "The first 100 repositories<", `href="`+strings.ReplaceAll(next, "&", "&amp;")+`">Next page<`)
	wantTexts(t, h, next, 200, "<h1>many</h1>", "1 repository more<", ">app-00100<", `<a href="/?category=many">First page</a>`)
	wantTexts(t, h, "/?category=many&next="+tokenOf("1zoo"), 200, "There are no more.")
	wantTexts(t, h, "/?category=none&next="+tokenOf("1zoo"), 404, "List not found")
}

// TestLimitsOfCategories: the greatest and the least limit are valid, those beyond are
// not. A bad limit or page token causes no read of the store.
func TestLimitsOfCategories(t *testing.T) {
	t.Parallel()
	for query, parameter := range map[string]string{
		"limit=1": "", "limit=1000": "", "limit=&next=": "",
		"limit=0": "limit", "limit=1001": "limit", "limit=x": "limit", "next=x": "next", "next=" + tokenOf("2x"): "next",
	} {
		spy := &spy{Reader: stub{}}
		target := "/api/categories/official?" + query
		if parameter == "" {
			get(t, handlerOf(t, spy), target)
			continue
		}
		wantAnswer(t, handlerOf(t, spy), target, http.StatusBadRequest, typeJSON, `{"error":"invalid query parameter: `+parameter+`"}`)
		if spy.reads > 0 {
			t.Errorf("GET %s reads the store", target)
		}
	}
	wantTexts(t, handlerOf(t, stub{}), "/?category=official&next=x", http.StatusBadRequest, "Invalid query parameter: next")
}
