package web

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

var (
	now  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	site = Site{URL: "https://abcdef1234.execute-api.eu-central-1.amazonaws.com", Now: now, Version: "v0.2.0"}
)

func parseName(s string) reference.Name {
	n, err := reference.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

func push(ref string) event.Push {
	r, err := reference.Parse(ref)
	if err != nil {
		panic(err)
	}
	return event.Push{
		Reference: r, Digest: "sha256:" + strings.Repeat("01", 32), Size: 2203,
		MediaType: "application/vnd.oci.image.manifest.v1+json", PushedAt: now.Add(-49 * time.Hour),
	}
}

func entries(n int) (all []store.Entry) {
	for i := range n {
		name := fmt.Sprintf("capability-providers-%d", i)
		all = append(all, store.Entry{Name: parseName(name), Newest: push("wasmcloud.azurecr.io/" + name + ":0.18.1"), Highest: push("wasmcloud.azurecr.io/" + name + ":0.18.1").Reference})
	}
	return all
}

// elements returns the elements of a page with this name, all if it is empty.
func elements(t testing.TB, page []byte, name string) (found []element) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			found = append(found, elementOf(n))
		}
	}
	return found
}

type element struct {
	name string
	attr map[string]string
	text string
}

func elementOf(n *html.Node) element {
	e := element{name: n.Data, attr: map[string]string{}}
	for _, a := range n.Attr {
		e.attr[a.Key] = a.Val
	}
	for child := range n.Descendants() {
		if child.Type == html.TextNode {
			e.text += child.Data
		}
	}
	return e
}

func texts(elements []element) (all []string) {
	for _, e := range elements {
		all = append(all, e.text)
	}
	return all
}

// attrs returns the values of an attribute, of the elements that have it.
func attrs(elements []element, name string) (all []string) {
	for _, e := range elements {
		if value, ok := e.attr[name]; ok {
			all = append(all, value)
		}
	}
	return all
}

// mainOf returns the main part of a page: the rest is the same on all pages.
func mainOf(page []byte) string {
	_, main, _ := strings.Cut(string(page), "<main>")
	main, _, _ = strings.Cut(main, "</main>")
	return main
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

func wantAll(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no %s is %s: %q", what, w, got)
		}
	}
}

func soon(name string) store.Entry { return store.Entry{Name: parseName(name)} }

func TestCatalogueIsCompleteWithoutScript(t *testing.T) {
	t.Parallel()
	page := Catalogue{
		Site:    site,
		Entries: append(entries(2), soon("team/soon")),
		Lists:   []Category{{Name: "official", Members: []store.Entry{entries(1)[0], soon("soon")}, More: 7}},
	}.HTML()
	markdown := func(i int) string {
		return fmt.Sprintf("[![capability-providers-%[1]d](%[2]s/capability-providers-%[1]d?format=svg)](%[2]s/capability-providers-%[1]d?format=html)", i, site.URL)
	}
	wantEqual(t, "rows", texts(elements(t, page, "tr")), []string{
		"RepositoryNewest referenceHighest versionPushedREADME",
		"capability-providers-0wasmcloud.azurecr.io/capability-providers-0:0.18.10.18.12 days ago" + markdown(0),
		"capability-providers-1wasmcloud.azurecr.io/capability-providers-1:0.18.10.18.12 days ago" + markdown(1),
		"team/soonnot yet published",
	})
	wantEqual(t, "copied texts", texts(elements(t, page, "code"))[:2], []string{
		"wasmcloud.azurecr.io/capability-providers-0:0.18.1",
		markdown(0),
	})
	wantEqual(t, "lists", texts(elements(t, page, "section")), []string{"officialcapability-providers-0 0.18.1soon not yet publishedand 7 more"})
	wantEqual(t, "exact times", attrs(elements(t, page, "td"), "title"), []string{"2026-11-22 11:00:00 UTC", "2026-11-22 11:00:00 UTC"})
	wantEqual(t, "links", attrs(elements(t, page, "a"), "href"), []string{
		"/", "/?category=official", "/capability-providers-0?format=html", "/?category=official",
		"/capability-providers-0?format=html", "/capability-providers-1?format=html", "/api/repositories", "/api/openapi.json",
	})
}

// TestListShowsAVersionOrATag: the tag of the newest where no tag is a version.
func TestListShowsAVersionOrATag(t *testing.T) {
	t.Parallel()
	e := store.Entry{Name: parseName("wash"), Newest: push("a.azurecr.io/wash:latest")}
	for highest, want := range map[reference.Reference]string{{}: "wash latest", push("a.azurecr.io/wash:v1.2.0").Reference: "wash 1.2.0"} {
		e.Highest = highest
		page := Catalogue{Site: site, Lists: []Category{{Name: "a", Members: []store.Entry{e}}}}.HTML()
		wantEqual(t, "members", texts(elements(t, page, "li")), []string{want})
	}
}

// TestHighestVersionCanBePulled: where the newest reference is another, it is shown as a
// reference, too.
func TestHighestVersionCanBePulled(t *testing.T) {
	t.Parallel()
	newest := push("a.azurecr.io/wash:v0.18.1")
	for highest, want := range map[reference.Reference]string{
		{}:               "<td></td>",
		newest.Reference: "<td>0.18.1</td>",
		push("a.azurecr.io/wash:22.04").Reference:   "<td><code>a.azurecr.io/wash:22.04</code></td>",
		push("b.azurecr.io/wash:v0.18.1").Reference: "<td><code>b.azurecr.io/wash:v0.18.1</code></td>",
	} {
		e := store.Entry{Name: parseName("wash"), Newest: newest, Highest: highest}
		page := mainOf(Catalogue{Site: site, Entries: []store.Entry{e}}.HTML())
		if want := "wash:v0.18.1</code></td>" + want; !strings.Contains(page, want) {
			t.Errorf("with the highest version %v the page lacks %s: %s", highest, want, page)
		}
	}
}

// TestPagesLeadToTheirFeeds, and to the same as JSON.
func TestPagesLeadToTheirFeeds(t *testing.T) {
	t.Parallel()
	name, filter := parseName("a.azurecr.io/wash"), url.Values{"tag": {"1.*", "2.*"}}
	for what, c := range map[string]struct {
		page []byte
		feed string // empty: none
		json string
	}{
		"all":            {page: Catalogue{Site: site, Entries: entries(1)}.HTML(), feed: "/?format=atom", json: "/api/repositories"},
		"a search":       {page: Catalogue{Site: site, View: View{Search: "a b", Registry: "a.io"}}.HTML(), feed: "/?format=atom&q=a+b&registry=a.io", json: "/api/repositories?q=a+b&registry=a.io"},
		"a list":         {page: Catalogue{Site: site, View: View{Category: "official"}}.HTML(), feed: "/?category=official&format=atom", json: "/api/categories/official"},
		"a name":         {page: Repository{Site: site, Name: name}.HTML(), feed: "/a.azurecr.io/wash?format=atom", json: "/api/repositories/a.azurecr.io/wash"},
		"some tags":      {page: Repository{Site: site, Name: name, Filter: filter}.HTML(), feed: "/a.azurecr.io/wash?format=atom&tag=1.%2A&tag=2.%2A", json: "/api/repositories/a.azurecr.io/wash?tag=1.%2A&tag=2.%2A"},
		"a problem":      {page: Problem{Title: "x"}.HTML(), json: "/api/repositories"},
		"an empty store": {page: Catalogue{Site: site}.HTML(), feed: "/?format=atom", json: "/api/repositories"},
	} {
		var feeds []string
		for _, link := range elements(t, c.page, "link") {
			if link.attr["rel"] == "alternate" && link.attr["type"] == "application/atom+xml" {
				feeds = append(feeds, link.attr["href"])
			}
		}
		if got := strings.Join(feeds, " "); got != c.feed {
			t.Errorf("%s: feed %q, want %q", what, got, c.feed)
		}
		wantAll(t, what+": link", attrs(elements(t, c.page, "a"), "href"), c.json)
	}
}

// TestLinksLeadToWhatIsListed: a repository whose path begins with a registry is
// found in its own registry only. Its name stays as it is listed.
func TestLinksLeadToWhatIsListed(t *testing.T) {
	t.Parallel()
	e := store.Entry{Name: reference.Name{Repository: "wasmcloud.azurecr.io/wash"}, Newest: push("mirror.azurecr.io/wasmcloud.azurecr.io/wash:1")}
	page := Catalogue{Site: site, Entries: []store.Entry{e}, Lists: []Category{{Name: "a", Members: []store.Entry{e}}}}.HTML()
	const path = "/mirror.azurecr.io/wasmcloud.azurecr.io/wash"
	wantEqual(t, "links", attrs(elements(t, page, "a"), "href"), []string{"/", "/?category=a", path + "?format=html", path + "?format=html", "/api/repositories", "/api/openapi.json"})
	wantEqual(t, "names", texts(elements(t, page, "th"))[5:], []string{"wasmcloud.azurecr.io/wash"})
	wantAll(t, "copied text", texts(elements(t, page, "code")), "[!["+path[1:]+"]("+site.URL+path+"?format=svg)]("+site.URL+path+"?format=html)")

	registrys := store.Entry{Name: parseName("a.azurecr.io:5000/team/app"), Newest: push("a.azurecr.io:5000/team/app:1")}
	page = Catalogue{Site: site, View: View{Category: "a"}, Entries: []store.Entry{registrys}}.HTML()
	wantAll(t, "link", attrs(elements(t, page, "a"), "href"), "/a.azurecr.io:5000/team/app?format=html")
}

func TestCatalogueStates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page  Catalogue
		title string
		want  []string
		not   []string
	}{
		"empty": {
			page:  Catalogue{Site: site},
			title: "Nothing has been pushed yet · ocireffer",
			want:  []string{"Nothing has been pushed yet", "az acr webhook create", "--uri " + site.URL + "/api/azurehook ", site.URL + "/api/references/ghcr.io"},
			not:   []string{"<table", "data-all"},
		},
		"empty but for a list": {
			page:  Catalogue{Site: site, Lists: []Category{{Name: "official", Members: []store.Entry{soon("soon")}}}},
			title: "Nothing has been pushed yet · ocireffer",
			want:  []string{"Nothing has been pushed yet", "soon<"},
			not:   []string{"<table", " more<"},
		},
		"all": {
			page:  Catalogue{Site: site, Entries: entries(1)},
			title: "Repositories · ocireffer",
			want:  []string{"<h1>Repositories</h1>", " data-all", "1 repository<"},
			not:   []string{"<nav", "<h2"},
		},
		"all and a list": {
			page:  Catalogue{Site: site, Entries: entries(1), Lists: []Category{{Name: "a", Members: []store.Entry{soon("soon")}}}},
			title: "Repositories · ocireffer",
			want:  []string{"<h2>All</h2>", " data-all"},
		},
		"first of many": {
			page:  Catalogue{Site: site, Entries: entries(2), Next: "abc"},
			title: "Repositories · ocireffer",
			want:  []string{`rel="next" href="/?next=abc">Next page<`, "2 repositories on this page, more follow"},
			not:   []string{"data-all", "First page", "All repositories"},
		},
		"last of many": {
			page:  Catalogue{Site: site, Entries: entries(2), NotFirst: true},
			title: "Repositories · ocireffer",
			want:  []string{`href="/">First page<`, "2 repositories<"},
			not:   []string{"data-all", "Next page", "All repositories"},
		},
		"last of many, all deleted by now": {
			page:  Catalogue{Site: site, NotFirst: true},
			title: "Repositories · ocireffer",
			want:  []string{"0 repositories<", "First page"},
			not:   []string{"Nothing has been pushed", "<table"},
		},
		"nothing found": {
			page:  Catalogue{Site: site, View: View{Search: `a "b" <c>`}},
			title: "Repositories with “a \"b\" <c>” · ocireffer",
			want:  []string{"No repository has all of these words in its name.", ">All repositories</a>"},
			not:   []string{"<table", "<c>", "data-all", "First page"},
		},
		"nothing more found": {
			page:  Catalogue{Site: site, View: View{Search: "a"}, NotFirst: true},
			title: "Repositories with “a” · ocireffer",
			want:  []string{"0 repositories<"},
			not:   []string{"No repository has"},
		},
		"found": {
			page:  Catalogue{Site: site, View: View{Search: "a&b"}, Entries: entries(2)},
			title: "Repositories with “a&b” · ocireffer",
			want:  []string{"2 repositories<", ">All repositories</a>"},
			not:   []string{"data-all", "Next page", "First page"},
		},
		"more found": {
			page:  Catalogue{Site: site, View: View{Search: "a&b"}, Entries: entries(2), Next: "abc"},
			title: "Repositories with “a&b” · ocireffer",
			want:  []string{`href="/?next=abc&amp;q=a%26b">Next page<`},
			not:   []string{"data-all"},
		},
		"more found, end": {
			page:  Catalogue{Site: site, View: View{Search: "a&b"}, Entries: entries(2), NotFirst: true},
			title: "Repositories with “a&b” · ocireffer",
			want:  []string{`href="/?q=a%26b">First page<`},
			not:   []string{"Next page"},
		},
		"of a registry": {
			page:  Catalogue{Site: site, View: View{Registry: "a.io", Newest: true}, Entries: entries(2), NotFirst: true, Next: "abc"},
			title: "Repositories of a.io · ocireffer",
			want:  []string{`href="/?registry=a.io&amp;sort=pushed">First page<`, `href="/?next=abc&amp;registry=a.io&amp;sort=pushed">Next page<`, `href="/">All repositories<`},
			not:   []string{"data-all"},
		},
		"all, by push": {
			page:  Catalogue{Site: site, View: View{Newest: true}, Entries: entries(2)},
			title: "Repositories · ocireffer",
			want:  []string{" data-all", "2 repositories<"},
			not:   []string{"<nav"},
		},
		"category": {
			page:  Catalogue{Site: site, View: View{Category: "official"}, Entries: entries(2)},
			title: "official · ocireffer",
			want:  []string{"<h1>official</h1>", "2 repositories<", ">All repositories</a>"},
			not:   []string{"data-all"},
		},
	} {
		page := c.page.HTML()
		wantEqual(t, name+": title", texts(elements(t, page, "title")), []string{c.title})
		inputs := elements(t, page, "input")
		wantEqual(t, name+": the search box", attrs(inputs, "value"), []string{c.page.Search})
		main := mainOf(page)
		for _, want := range c.want {
			if !strings.Contains(main, want) {
				t.Errorf("%s: the page lacks %s: %s", name, want, main)
			}
		}
		for _, not := range c.not {
			if strings.Contains(main, not) {
				t.Errorf("%s: the page has %s: %s", name, not, main)
			}
		}
	}
}

func TestRepositoryPage(t *testing.T) {
	t.Parallel()
	latest := push("b.azurecr.io/team/app:latest")
	latest.Digest, latest.MediaType, latest.Size = "", "", event.UnknownSize
	page := Repository{
		Site: site, Name: parseName("team/app"), Newest: push("a.azurecr.io/team/app:v1.2").Reference,
		References: []event.Push{latest, push("a.azurecr.io/team/app:v1.2")},
	}.HTML()
	wantEqual(t, "title", texts(elements(t, page, "title")), []string{"team/app · ocireffer"})
	wantEqual(t, "heading", texts(elements(t, page, "h1")), []string{"team/app"})
	wantEqual(t, "newest", texts(elements(t, page, "p"))[0], "a.azurecr.io/team/app:v1.2")
	markdown := func(parameters string) string {
		return "[![team/app](" + site.URL + "/team/app?format=svg" + parameters + ")](" + site.URL + "/team/app?format=html)"
	}
	wantEqual(t, "rows", texts(elements(t, page, "tr")), []string{
		"ShowsBadgeMarkdown",
		"pushed last" + markdown(""),
		"highest version" + markdown("&sort=semver"),
		"tag alone" + markdown("&show=tag"),
		"digest" + markdown("&show=digest"),
		"tag and digest" + markdown("&show=pinned"),
		"by shields.iowith a logo and its styles[![team/app](https://img.shields.io/endpoint?url=https%3A%2F%2Fabcdef1234.execute-api.eu-central-1.amazonaws.com%2Fteam%2Fapp)](" + site.URL + "/team/app?format=html)",
		"ReferenceVersionDigestManifestPushed",
		"b.azurecr.io/team/app:latest2 days ago 2026-11-22 11:00 UTC",
		"a.azurecr.io/team/app:v1.21.2sha256:" + strings.Repeat("01", 32) + "2.2 kB2 days ago 2026-11-22 11:00 UTC",
	})
	wantEqual(t, "titles", attrs(elements(t, page, "td"), "title"), []string{"2026-11-22 11:00:00 UTC", "application/vnd.oci.image.manifest.v1+json", "2026-11-22 11:00:00 UTC"})
	wantEqual(t, "images", attrs(elements(t, page, "img"), "src"), []string{
		"/team/app?format=svg", "/team/app?format=svg&sort=semver", "/team/app?format=svg&show=tag", "/team/app?format=svg&show=digest", "/team/app?format=svg&show=pinned",
	})
	wantEqual(t, "loading", attrs(elements(t, page, "img"), "loading"), slices.Repeat([]string{"lazy"}, 5))
	wantEqual(t, "links", attrs(elements(t, page, "a"), "href"), []string{"/", "/api/repositories/team/app", "/api/openapi.json"})
}

// TestRepositoryPageOfARegistry: all of its links are to that registry's repository.
func TestRepositoryPageOfARegistry(t *testing.T) {
	t.Parallel()
	const path = "/a.azurecr.io:5000/team/app"
	page := Repository{Site: site, Name: parseName(path[1:]), References: []event.Push{push("a.azurecr.io:5000/team/app:1")}, Next: "abc"}.HTML()
	wantEqual(t, "heading", texts(elements(t, page, "h1")), []string{path[1:]})
	wantEqual(t, "links", attrs(elements(t, page, "a"), "href"), []string{"/", path + "?format=html&next=abc", "/api/repositories" + path, "/api/openapi.json"})
	wantEqual(t, "first image", attrs(elements(t, page, "img"), "src")[0], path+"?format=svg")
	wantAll(t, "copied text", texts(elements(t, page, "code")),
		"[!["+path[1:]+"]("+site.URL+path+"?format=svg)]("+site.URL+path+"?format=html)",
		"[!["+path[1:]+"](https://img.shields.io/endpoint?url="+url.QueryEscape(site.URL+path)+")]("+site.URL+path+"?format=html)")
}

func TestRepositoryPages(t *testing.T) {
	t.Parallel()
	name, pushes := parseName("team/app"), []event.Push{push("a.azurecr.io/team/app:1")}
	for what, c := range map[string]struct {
		page  Repository
		links []string
		isTop bool
	}{
		"only":   {page: Repository{References: pushes}, isTop: true},
		"first":  {page: Repository{References: pushes, Next: "a+c"}, links: []string{"/team/app?format=html&next=a%2Bc"}, isTop: true},
		"middle": {page: Repository{References: pushes, NotFirst: true, Next: "abc"}, links: []string{"/team/app?format=html", "/team/app?format=html&next=abc"}},
		"last":   {page: Repository{References: pushes, NotFirst: true}, links: []string{"/team/app?format=html"}},
	} {
		c.page.Site, c.page.Name = site, name
		page := c.page.HTML()
		links := attrs(elements(t, page, "a"), "href")
		wantEqual(t, what+": links", links[1:len(links)-2], append([]string{}, c.links...))
		if got := len(elements(t, page, "img")) > 0; got != c.isTop {
			t.Errorf("%s: badges %t, want %t", what, got, c.isTop)
		}
		if got := strings.Contains(mainOf(page), `class="newest"`); got != c.isTop {
			t.Errorf("%s: newest reference %t, want %t", what, got, c.isTop)
		}
		wantEqual(t, what+": rows", len(elements(t, page, "table")) > 0, true)
	}

	gone := Repository{Site: site, Name: name, NotFirst: true}.HTML()
	if !strings.Contains(mainOf(gone), "None is older.") {
		t.Errorf("a later page of which all is deleted by now: %s", mainOf(gone))
	}
	wantEqual(t, "tables of that", len(elements(t, gone, "table")), 0)
}

func TestProblemPage(t *testing.T) {
	t.Parallel()
	page := Problem{Title: "No such <category>", Text: "A & B"}.HTML()
	wantEqual(t, "main part", mainOf(page), `<h1>No such &lt;category&gt;</h1><p>A &amp; B</p><p><a href="/">All repositories</a></p>`)
	wantEqual(t, "title", texts(elements(t, page, "title")), []string{"No such <category> · ocireffer"})
}

// TestEachPageIsForPeople: what a screen reader, a phone and a keyboard need.
func TestEachPageIsForPeople(t *testing.T) {
	t.Parallel()
	for name, page := range map[string][]byte{
		"catalogue":  Catalogue{Site: site, Entries: entries(1)}.HTML(),
		"repository": Repository{Site: site, Name: parseName("app"), References: []event.Push{push("a.azurecr.io/app:1")}}.HTML(),
		"problem":    Problem{Site: site, Title: "x"}.HTML(),
	} {
		wantEqual(t, name+": language", attrs(elements(t, page, "html"), "lang"), []string{"en"})
		wantEqual(t, name+": headings", len(elements(t, page, "h1")), 1)
		wantAll(t, name+" meta", attrs(elements(t, page, "meta"), "content"), "width=device-width, initial-scale=1", "light dark")
		wantEqual(t, name+": the search box's label", attrs(elements(t, page, "label"), "for"), attrs(elements(t, page, "input"), "id"))
		wantAll(t, name+": foot", texts(elements(t, page, "span")), "ocireffer v0.2.0")
		wantAll(t, name+" status", attrs(elements(t, page, "p"), "role"), "status")
		if !strings.HasPrefix(string(page), "<!doctype html>") {
			t.Errorf("%s begins %.30s", name, page)
		}
		for _, e := range elements(t, page, "") {
			for _, attr := range []string{"src", "href"} {
				isOwn := strings.HasPrefix(e.attr[attr], "/") || e.attr[attr] == icon
				if value, ok := e.attr[attr]; ok && !isOwn {
					t.Errorf("%s: %s has the %s %s, want one of its own", name, e.name, attr, value)
				}
			}
		}
	}
}

// TestPolicyAllowsOnlyTheStyleAndScriptOfPages by their hashes.
func TestPolicyAllowsOnlyTheStyleAndScriptOfPages(t *testing.T) {
	t.Parallel()
	for _, page := range [][]byte{Catalogue{Site: site}.HTML(), Problem{}.HTML()} {
		for _, name := range []string{"style", "script"} {
			for _, e := range elements(t, page, name) {
				if source := name + "-src '" + hash(e.text) + "'"; !strings.Contains(Policy(), source) {
					t.Errorf("the policy %s lacks %s", Policy(), source)
				}
			}
		}
		for _, e := range elements(t, page, "") {
			for attr := range e.attr {
				if attr == "style" || strings.HasPrefix(attr, "on") {
					t.Errorf("%s has the attribute %s, which the policy forbids", e.name, attr)
				}
			}
		}
	}
	want := "default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script()) + "'; img-src 'self' data:; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	wantEqual(t, "policy", Policy(), want)
}

// TestScriptIsShortened: no comments and no indentation, and all else.
func TestScriptIsShortened(t *testing.T) {
	t.Parallel()
	var want []string
	for _, line := range strings.Split(scriptFile, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			want = append(want, line)
		}
	}
	wantEqual(t, "script", strings.Split(strings.TrimSuffix(script(), "\n"), "\n"), want)
}

// TestCatalogueIsSmall: a hundred repositories with long names, as they are sent.
func TestCatalogueIsSmall(t *testing.T) {
	t.Parallel()
	const most = 60_000
	c := Catalogue{Site: site, Entries: entries(100)}
	for i := range 2 {
		c.Lists = append(c.Lists, Category{Name: fmt.Sprintf("category-%d", i), Members: c.Entries[10*i : 10*i+10]})
	}
	n := len(c.HTML())
	if n >= most {
		t.Errorf("100 repositories take %d bytes, want less than %d", n, most)
	}
	t.Logf("100 repositories take %d bytes, none %d", n, len(Catalogue{Site: site}.HTML()))
}

func TestAge(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Hour: "just now", 0: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago",
		time.Hour: "1 hour ago", 23 * time.Hour: "23 hours ago", day: "1 day ago", 29 * day: "29 days ago", 30 * day: "1 month ago",
		364 * day: "12 months ago", 365 * day: "1 year ago", 3000 * day: "8 years ago",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 2: "2 bytes", 999: "999 bytes", 1000: "1.0 kB", 2203: "2.2 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		999_949_999: "999.9 MB", 999_950_000: "1.0 GB", 5e12: "5.0 TB", 5e15: "5.0 PB", 5e18: "5.0 EB", 1<<63 - 1: "9.2 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

// FuzzText: any text from outside stays text. A page has the same elements with the
// same names of attributes as the page of a harmless text.
func FuzzText(f *testing.F) {
	for _, s := range []string{"wash", `"><script>alert(1)</script>`, "' onload=x", "</title><b>", "&lt;", "\x00\xff", "javascript:x", "${x}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" {
			s = "x" // an empty media type has no attribute
		}
		harmless := pagesWith("wash")
		for i, page := range pagesWith(s) {
			if got, want := shape(t, page), shape(t, harmless[i]); !slices.Equal(got, want) {
				t.Errorf("page %d with %q: elements %q, want %q", i, s, got, want)
			}
		}
	})
}

// pagesWith returns pages with s wherever they show a text from outside.
func pagesWith(s string) [][]byte {
	p := push("a.azurecr.io/wash:1")
	p.MediaType = s
	name := reference.Name{Repository: "x" + s}
	entry := store.Entry{Name: name, Newest: p, Highest: reference.Reference{Registry: "a.io", Repository: s, Tag: "1.0"}}
	site := Site{URL: "https://" + s, Now: now, Version: s}
	return [][]byte{
		Catalogue{Site: site, View: View{Search: "x" + s, Registry: "x" + s, Newest: true}, Next: "x" + s, Entries: []store.Entry{entry, {Name: name}}}.HTML(),
		Catalogue{Site: site, View: View{Category: "x" + s}, Lists: []Category{{Name: s, Members: []store.Entry{entry, {Name: name}}}}}.HTML(),
		Catalogue{Site: site}.HTML(),
		Repository{Site: site, Name: name, Filter: url.Values{"tag": {s}}, Newest: entry.Highest, References: []event.Push{p}, Next: "x" + s}.HTML(),
		Problem{Site: site, Title: s, Text: s}.HTML(),
	}
}

// shape returns the elements of a page with the names of their attributes.
func shape(t *testing.T, page []byte) (all []string) {
	t.Helper()
	for _, e := range elements(t, page, "") {
		all = append(all, e.name+" "+strings.Join(slices.Sorted(maps.Keys(e.attr)), " "))
	}
	return all
}

func BenchmarkCatalogue(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := Catalogue{Site: site, Entries: entries(n)}
			b.ReportAllocs()
			for b.Loop() {
				c.HTML()
			}
		})
	}
}
