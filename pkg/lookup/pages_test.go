package lookup_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

func TestPagesOfAnEmptyStore(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := handlerOf(t, db)
		wantTexts(t, h, "/", 200, "Nothing has been pushed yet", "https://example.com/api/webhook")
		wantTexts(t, h, "/wash?format=html", 404, "<h1>Repository not found</h1>", "Nothing has been pushed as “wash”, or everything was deleted.")
		wantTexts(t, h, "/Not%20%3Ca%3E%20name?format=html", 404, "<h1>Repository not found</h1>", "“Not &lt;a&gt; name” cannot be the name of a repository.")
		wantTexts(t, h, "/?category=official", 404, "<h1>List not found</h1>", "A list disappears when its last member is removed.")
	})
}

func TestPages(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := handlerOf(t, db)
		at := time.Now().Add(-time.Hour)
		push(t, db,
			pushOf("a.azurecr.io/wash:1.0.0", at.Add(-72*time.Hour)),
			pushOf("a.azurecr.io/wash:latest", at),
			pushOf("a.azurecr.io/team/app:x", at))
		categorize(t, db, "official", "wash", "a.azurecr.io/wash", "soon")

		for target, texts := range map[string][]string{
			"/": {
				`>a.azurecr.io/wash:latest <small>floating</small></td><td class="copy">a.azurecr.io/wash:1.0.0</td>`, "1 hour ago", "2 repositories<", "https://example.com/team/app?format=svg",
				`<a href="/?category=official">official</a>`,
				`<a href="/wash?format=html">wash</a> 1.0.0<`, `<a href="/a.azurecr.io/wash?format=html">a.azurecr.io/wash</a> 1.0.0<`, "soon not yet published<",
			},
			"/?q=WASH":                            {"1 repository<", ">a.azurecr.io/wash:latest ", `value="WASH"`},
			"/?q=+app+team+":                      {"1 repository<", ">a.azurecr.io/team/app:x ", `value="app team"`},
			"/?q=azurecr+none":                    {"No repository matches."},
			"/?q=%20&next=":                       {"2 repositories<", "<h1>Repositories</h1>"},
			"/?q=&q=app":                          {"1 repository<"},
			"/?category=official":                 {"<h1>official</h1>", "3 repositories<", ">a.azurecr.io/wash:latest ", "not yet published"},
			"/?category=Not+one&q=app":            {"1 repository<"}, // a search is in all
			"/wash?format=html":                   {"<h1>wash</h1>", ">a.azurecr.io/wash:1.0.0<", "3 days ago", "https://example.com/wash?format=svg"},
			"/a.azurecr.io/wash/?format=html&x=y": {"<h1>a.azurecr.io/wash</h1>", "https://example.com/a.azurecr.io/wash?format=svg"},
		} {
			wantTexts(t, h, target, 200, texts...)
		}
		wantTexts(t, h, "/?category=other", 404, "List not found")
		wantTexts(t, h, "/?category=%3Cb%3E", 404, "List not found")
		wantTexts(t, h, "/?next=x", 400, "<h1>Invalid query parameter: next</h1>", "The value of “next” in the address is not valid.")
		wantTexts(t, h, "/wash?format=html&sort=newest", 400, "Invalid query parameter: sort", `<a href="/wash?format=html">Show wash</a>`)
	})
}

// TestRegistriesOfTheCatalogueCanBeChosen from each of its pages. Where lists are held, the
// choice costs no read of its own once there is a list by name or by push.
func TestRegistriesOfTheCatalogueCanBeChosen(t *testing.T) {
	t.Parallel()
	var references []string
	for i := range 150 {
		references = append(references, fmt.Sprintf("%c.io/app-%03d:1.0.0", 'a'+i/50, i))
	}
	db := open(t, references...)
	categorize(t, db, "official", "app-060", "soon")
	spy := &spy{Reader: db}
	option := regexp.MustCompile(`<option[^>]*>([^<]*)<`)
	for what, c := range map[string]struct {
		h     http.Handler
		reads int // of a page by name
	}{"the store": {handlerOf(t, spy), 2}, "memory": {holding(spy, plenty), 1}} {
		for _, target := range []string{"/?next=" + tokenOf("1app-120"), "/", "/?sort=pushed", "/?q=app-00", "/?registry=b.io", "/?category=official"} {
			spy.reads = 0
			var got []string
			for _, o := range option.FindAllStringSubmatch(get(t, c.h, target), -1) {
				got = append(got, o[1])
			}
			if diff := cmp.Diff([]string{"All registries", "a.io", "b.io", "c.io"}, got); diff != "" {
				t.Errorf("GET %s from %s: registries -want +got\n%s", target, what, diff)
			}
			if strings.HasPrefix(target, "/?next") && spy.reads != c.reads {
				t.Errorf("GET %s from %s reads the store %d times, want %d", target, what, spy.reads, c.reads)
			}
		}
	}
	spy.reads = 0
	if get(t, holding(spy, plenty), "/?sort=pushed&next="+tokenOf("2z")); spy.reads != 1 {
		t.Errorf("a page by push that comes first reads the store %d times, want once", spy.reads)
	}
}

// TestLinksHaveTheReadersScheme: that of the proxy in front, if there is one.
func TestLinksHaveTheReadersScheme(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, stub{})
	for _, c := range []struct {
		target string
		header []string
		want   string
	}{
		{target: "/", want: "(http://example.com/wash?format=svg)"},
		{target: "/", header: []string{"X-Forwarded-Proto", "http"}, want: "(http://example.com/wash?format=svg)"},
		{target: "/", header: []string{"X-Forwarded-Proto", "https"}, want: "(https://example.com/wash?format=svg)"},
		{target: "https://example.com/", want: "(https://example.com/wash?format=svg)"},
		{target: "/wash?format=html", header: []string{"X-Forwarded-Proto", "https"}, want: "(https://example.com/wash?format=svg)"},
		{target: "http://localhost:8080/wash?format=html", want: "(http://localhost:8080/wash?format=svg)"},
	} {
		if body := do(h, "GET", c.target, c.header...).Body.String(); !strings.Contains(body, c.want) {
			t.Errorf("GET %s with %q lacks %s: %s", c.target, c.header, c.want, mainOf(body))
		}
	}
}

func TestSearchTakesTenWords(t *testing.T) {
	t.Parallel()
	ten := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	spy := &spy{Reader: stub{}}
	get(t, handlerOf(t, spy), "/?q=++A+b+"+strings.Join(ten[2:], "+"))
	if diff := cmp.Diff([]store.Listing{{Span: store.Span{Limit: 100}, Words: ten}, forRegistries}, spy.listings); diff != "" {
		t.Errorf("a search of 10 words: listings -want +got\n%s", diff)
	}

	spy.reads = 0
	w := do(handlerOf(t, spy), "GET", "/?q="+strings.Join(ten, "+")+"+k")
	if w.Code != http.StatusBadRequest {
		t.Errorf("a search of 11 words: status %d, want 400", w.Code)
	}
	if !strings.Contains(w.Body.String(), "Invalid query parameter: q") {
		t.Errorf("a search of 11 words = %s, want an invalid query parameter", mainOf(w.Body.String()))
	}
	if spy.reads > 0 {
		t.Error("a search of 11 words reads the store")
	}
}

// TestOnlyTheFirstPageHasLists: later pages and searches do not.
func TestOnlyTheFirstPageHasLists(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, stub{})
	for target, want := range map[string]bool{"/": true, "/?next=MXg": false, "/?q=wash": false, "/?category=official": false} {
		if got := strings.Contains(get(t, h, target), `<section aria-labelledby="list-official"`); got != want {
			t.Errorf("GET %s: lists %t, want %t", target, got, want)
		}
	}
}

// TestLongListIsShortenedOnTheFirstPage: it shows 24 members there, and all on its own
// page.
func TestLongListIsShortenedOnTheFirstPage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		members int
		shown   int
		more    string // empty: nothing about more
	}{
		{members: 24, shown: 24},
		{members: 25, shown: 24, more: ">All 25<"},
		{members: 70, shown: 24, more: ">All 70<"},
	} {
		db := open(t)
		for i := range c.members {
			categorize(t, db, "long", fmt.Sprintf("app-%02d", i))
		}
		h := handlerOf(t, db)
		first := get(t, h, "/")
		if n := strings.Count(first, "not yet published"); n != c.shown {
			t.Errorf("of %d members the first page shows %d, want %d", c.members, n, c.shown)
		}
		if !strings.Contains(first, c.more) {
			t.Errorf("of %d members the first page lacks %s", c.members, c.more)
		}
		if c.more == "" && strings.Contains(first, ">All ") {
			t.Errorf("of %d members the first page says that there are more", c.members)
		}
		own := get(t, h, "/?category=long")
		if n := strings.Count(own, "not yet published"); n != c.members {
			t.Errorf("of %d members the list's page shows %d, want all", c.members, n)
		}
	}
}

// TestListsAreComplete: each list has its members in order, also those that are in
// another list, and those that are not on the page.
func TestListsAreComplete(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		push(t, db, pushOf("a.azurecr.io/wash:1.0", time.Unix(0, 0)), pushOf("a.azurecr.io/app:2.0", time.Unix(0, 0)))
		categorize(t, db, "b", "wash", "soon", "a.azurecr.io/app")
		categorize(t, db, "a", "soon", "app", "a.azurecr.io/app", "b.azurecr.io/app")
		const registrysApp = `<li><a href="/a.azurecr.io/app?format=html">a.azurecr.io/app</a> 2.0</li>`
		wantTexts(t, handlerOf(t, db), "/", 200,
			`<ul>`+registrysApp+`<li><a href="/app?format=html">app</a> 2.0</li><li>b.azurecr.io/app not yet published</li><li>soon not yet published</li></ul>`,
			`<ul>`+registrysApp+`<li>soon not yet published</li><li><a href="/wash?format=html">wash</a> 1.0</li></ul>`)
	})
}

// TestMembersOnThePageAreNotReadAgain: nor is a member of two lists read twice.
func TestMembersOnThePageAreNotReadAgain(t *testing.T) {
	t.Parallel()
	db := open(t, "a.azurecr.io/wash:1", "a.azurecr.io/app:1")
	categorize(t, db, "a", "wash", "soon", "a.azurecr.io/wash")
	categorize(t, db, "b", "wash", "app", "soon", "later")
	spy := &spy{Reader: db}
	get(t, handlerOf(t, spy), "/")
	want := []reference.Name{parseName("a.azurecr.io/wash"), parseName("soon"), parseName("later")}
	if diff := cmp.Diff(want, spy.entries); diff != "" {
		t.Errorf("entries that are read: -want +got\n%s", diff)
	}
}

// TestCallsOfTheFirstPage counts the calls to DynamoDB for each page. An unpublished
// member costs no extra call, unless it is a registry's repository.
func TestCallsOfTheFirstPage(t *testing.T) {
	t.Parallel()
	meter := &dynamotest.Meter{}
	db := openThrough(t, dynamotest.Table(t), meter)
	h := handlerOf(t, db)
	push(t, db, pushOf("a.azurecr.io/wash:1", time.Unix(0, 0)))
	want := func(what string, calls map[string]int) {
		t.Helper()
		meter.Take()
		get(t, h, "/")
		if diff := cmp.Diff(calls, meter.Take().Calls); diff != "" {
			t.Errorf("%s: calls: -want +got\n%s", what, diff)
		}
	}
	want("no lists", map[string]int{"Query": 2})
	categorize(t, db, "a", "wash")
	want("a member that is on the page", map[string]int{"Query": 2})
	categorize(t, db, "a", "soon", "team/soon", "a.b")
	want("members that are not published", map[string]int{"Query": 2, "BatchGetItem": 1})
	categorize(t, db, "a", "b.azurecr.io/soon")
	want("and a registry's repository", map[string]int{"Query": 3, "BatchGetItem": 1})
	categorize(t, db, "a", "a.azurecr.io/wash")
	want("and one that is published", map[string]int{"Query": 5, "BatchGetItem": 1})
}
