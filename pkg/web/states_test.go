package web

import (
	"slices"
	"strings"
	"testing"

	"ocireffer/pkg/store"
)

func TestCatalogueStates(t *testing.T) {
	t.Parallel()
	list := []Category{{Name: "official", Members: []store.Entry{soon("soon")}}}
	for name, c := range map[string]struct {
		page  Catalogue
		title string
		want  []string
		not   []string
	}{
		"empty": {
			page:  Catalogue{Site: site},
			title: "Nothing has been pushed yet",
			want:  []string{"<h1>Nothing has been pushed yet</h1>", "az acr webhook create", "--uri " + site.URL + "/api/webhook ", site.URL + "/api/references/ghcr.io"},
			not:   []string{"<table"},
		},
		"empty but for a list": {
			page:  Catalogue{Site: site, Lists: list},
			title: "Nothing has been pushed yet",
			want:  []string{"Nothing has been pushed yet", "soon not yet published<"},
			not:   []string{"<table", " more<"},
		},
		"all": {
			page:  Catalogue{Site: site, Entries: entries(1)},
			title: "Repositories",
			want:  []string{"<h1>Repositories</h1>", ">1 repository<"},
			not:   []string{"<nav", "<h2"},
		},
		"all and a list": {
			page:  Catalogue{Site: site, Entries: entries(1), Lists: list},
			title: "Repositories",
			want:  []string{"<h2>All repositories</h2>"},
		},
		"all, by push": {
			page:  Catalogue{Site: site, View: View{Newest: true}, Entries: entries(2)},
			title: "Repositories",
			want:  []string{">2 repositories<"},
			not:   []string{"<nav"},
		},
		"first of many": {
			page:  Catalogue{Site: site, Entries: entries(2), Next: "abc"},
			title: "Repositories",
			want:  []string{`rel="next" href="/?next=abc">Next page<`, ">The first 2 repositories<"},
			not:   []string{"First page", "All repositories"},
		},
		"last of many": {
			page:  Catalogue{Site: site, View: View{Page: "abc"}, Entries: entries(2)},
			title: "Repositories",
			want:  []string{`href="/">First page<`, ">2 repositories more<"},
			not:   []string{"Next page", "All repositories"},
		},
		"last of many, all deleted by now": {
			page:  Catalogue{Site: site, View: View{Page: "abc"}},
			title: "Repositories",
			want:  []string{">There are no more.<", "First page"},
			not:   []string{"Nothing has been pushed", "<table"},
		},
		"nothing found": {
			page:  Catalogue{Site: site, View: View{Search: `a "b" <c>`}},
			title: `Results for “a "b" <c>”`,
			want:  []string{">No repository matches. A search finds names and registries that contain every word.<", ">All repositories</a>"},
			not:   []string{"<table", "<c>", "First page"},
		},
		"nothing more found": {
			page:  Catalogue{Site: site, View: View{Search: "a", Page: "abc"}},
			title: "Results for “a”",
			want:  []string{">There are no more.<"},
			not:   []string{"No repository matches"},
		},
		"found": {
			page:  Catalogue{Site: site, View: View{Search: "a&b"}, Entries: entries(2)},
			title: "Results for “a&b”",
			want:  []string{">2 repositories<", ">All repositories</a>"},
			not:   []string{"Next page", "First page"},
		},
		"more found": {
			page:  Catalogue{Site: site, View: View{Search: "a&b"}, Entries: entries(2), Next: "abc"},
			title: "Results for “a&b”",
			want:  []string{`href="/?next=abc&amp;q=a%26b">Next page<`},
		},
		"more found, end": {
			page:  Catalogue{Site: site, View: View{Search: "a&b", Page: "abc"}, Entries: entries(2)},
			title: "Results for “a&b”",
			want:  []string{`href="/?q=a%26b">First page<`},
			not:   []string{"Next page"},
		},
		"of a registry": {
			page:  Catalogue{Site: site, View: View{Registry: "a.io", Newest: true, Page: "abc"}, Entries: entries(2), Next: "def"},
			title: "Repositories in a.io",
			want:  []string{`href="/?registry=a.io&amp;sort=pushed">First page<`, `href="/?next=def&amp;registry=a.io&amp;sort=pushed">Next page<`, `href="/">All repositories<`},
		},
		"found in a registry": {
			page:  Catalogue{Site: site, View: View{Registry: "a.io", Search: "kv"}, Entries: entries(2)},
			title: "Results for “kv” in a.io",
		},
		"category": {
			page:  Catalogue{Site: site, View: View{Category: "official"}, Entries: entries(2)},
			title: "official",
			want:  []string{"<h1>official</h1>", ">2 repositories<", ">All repositories</a>"},
		},
	} {
		page := c.page.HTML()
		wantEqual(t, name+": title", texts(elements(t, page, "title")), []string{c.title + " · Our images"})
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

// TestPagesLeadToTheSameForPrograms: JSON, feed and the page's own address describe
// exactly what the page shows.
func TestPagesLeadToTheSameForPrograms(t *testing.T) {
	t.Parallel()
	catalogue := func(v View) []byte { return Catalogue{Site: site, View: v, Entries: entries(1)}.HTML() }
	repository := func(r Repository) []byte {
		r.Site, r.Name = site, parseName("a.azurecr.io/wash")
		return r.HTML()
	}
	filter := map[string][]string{"tag": {"1.*", "2.*"}, "sort": {"semver"}}
	for what, c := range map[string]struct {
		page             []byte
		path, feed, json string
	}{
		"all":            {page: catalogue(View{}), path: "/", feed: "/?format=atom", json: "/api/repositories"},
		"by push":        {page: catalogue(View{Newest: true, Page: "abc"}), path: "/?next=abc&sort=pushed", feed: "/?format=atom&sort=pushed", json: "/api/repositories?next=abc&sort=pushed"},
		"a search":       {page: catalogue(View{Search: "a b", Registry: "a.io"}), path: "/?q=a+b&registry=a.io", feed: "/?format=atom&q=a+b&registry=a.io", json: "/api/repositories?q=a+b&registry=a.io"},
		"a list":         {page: catalogue(View{Category: "official"}), path: "/?category=official", feed: "/?category=official&format=atom", json: "/api/categories/official"},
		"more of a list": {page: catalogue(View{Category: "official", Page: "abc"}), path: "/?category=official&next=abc", feed: "/?category=official&format=atom", json: "/api/categories/official?limit=100&next=abc"},
		"some of a list": {page: catalogue(View{Category: "official", Registry: "a.io"}), path: "/?category=official&registry=a.io", feed: "/?category=official&format=atom&registry=a.io"},
		"a name":         {page: repository(Repository{}), path: "/a.azurecr.io/wash?format=html", feed: "/a.azurecr.io/wash?format=atom", json: "/api/repositories/a.azurecr.io/wash"},
		"older":          {page: repository(Repository{Page: "a+c"}), path: "/a.azurecr.io/wash?format=html&next=a%2Bc", feed: "/a.azurecr.io/wash?format=atom", json: "/api/repositories/a.azurecr.io/wash?next=a%2Bc"},
		"some tags":      {page: repository(Repository{Filter: filter}), path: "/a.azurecr.io/wash?format=html&sort=semver&tag=1.%2A&tag=2.%2A", feed: "/a.azurecr.io/wash?format=atom&tag=1.%2A&tag=2.%2A", json: "/api/repositories/a.azurecr.io/wash?tag=1.%2A&tag=2.%2A"},
		"a problem":      {page: Problem{Site: site, Heading: "x"}.HTML()},
		"a missing name": {page: Problem{Site: site, Heading: "x", JSON: "/api/repositories/x"}.HTML(), json: "/api/repositories/x"},
		"an empty store": {page: Catalogue{Site: site}.HTML(), path: "/", feed: "/?format=atom", json: "/api/repositories"},
	} {
		links := map[string]string{}
		for _, link := range elements(t, c.page, "link") {
			links[link.attr["rel"]] = link.attr["href"]
		}
		own := ""
		if c.path != "" {
			own = site.URL + c.path
		}
		wantEqual(t, what+": canonical address", links["canonical"], own)
		wantEqual(t, what+": feed for feed readers", links["alternate"], c.feed)
		foot := map[string]string{}
		for _, a := range elements(t, c.page, "a") {
			foot[a.text] = a.attr["href"]
		}
		wantEqual(t, what+": JSON", foot["JSON"], c.json)
		wantEqual(t, what+": feed", foot["Feed"], c.feed)
		wantEqual(t, what+": API", foot["API (OpenAPI)"], "/api/openapi.json")
	}
}

// TestLinkPreviewsSayWhatAPageIs: each page has a description of its content.
func TestLinkPreviewsSayWhatAPageIs(t *testing.T) {
	t.Parallel()
	newest, highest := push("ghcr.io/acme/app:2.0.0-rc.1"), push("ghcr.io/acme/app:1.9.0")
	app := Repository{Site: site, Name: parseName("acme/app"), Newest: newest}
	both := app
	both.Highest = highest
	older := app
	older.Page = "abc"
	for what, c := range map[string]struct {
		page               []byte
		title, description string
	}{
		"catalogue":  {Catalogue{Site: site, Entries: entries(1)}.HTML(), "Repositories", "The newest OCI reference and the highest version of each repository, with badges, feeds and JSON."},
		"search":     {Catalogue{Site: site, View: View{Search: "<kv>"}}.HTML(), "Results for “<kv>”", "Results for “<kv>”. The newest OCI reference and the highest version of each repository, with badges, feeds and JSON."},
		"repository": {app.HTML(), "acme/app", "acme/app: newest ghcr.io/acme/app:2.0.0-rc.1, pushed 22 November 2026."},
		"both":       {both.HTML(), "acme/app", "acme/app: newest ghcr.io/acme/app:2.0.0-rc.1, pushed 22 November 2026, highest version ghcr.io/acme/app:1.9.0."},
		"older":      {older.HTML(), "acme/app", "Older references of acme/app."},
	} {
		got := map[string]string{}
		for _, meta := range elements(t, c.page, "meta") {
			got[meta.attr["property"]+meta.attr["name"]] = meta.attr["content"]
		}
		wantEqual(t, what+": description", []string{got["description"], got["og:description"]}, slices.Repeat([]string{c.description}, 2))
		wantEqual(t, what+": title", got["og:title"], c.title)
		wantEqual(t, what+": site", []string{got["og:site_name"], got["og:type"]}, []string{"Our images", "website"})
		if !strings.HasPrefix(got["og:url"], site.URL+"/") {
			t.Errorf("%s: og:url is %s, want one of %s", what, got["og:url"], site.URL)
		}
	}
}
