package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// entryOf returns the entry of a repository with one reference.
func entryOf(ref string) store.Entry {
	p := push(ref)
	return store.Entry{Name: p.ListedAs(), Newest: p, Highest: p.Reference}
}

func TestCatalogueIsCompleteWithoutScript(t *testing.T) {
	t.Parallel()
	page := Catalogue{
		Site:    site,
		Entries: append(entries(2), soon("team/soon")),
		Lists:   []Category{{Name: "official", Members: []store.Entry{entries(1)[0], soon("soon")}}},
	}.HTML()
	markdown := func(i int) string {
		return fmt.Sprintf("[![capability-providers-%[1]d](%[2]s/capability-providers-%[1]d?format=svg)](%[2]s/capability-providers-%[1]d?format=html)", i, site.URL)
	}
	wantEqual(t, "rows", texts(elements(t, page, "tr")), []string{
		"RepositoryNewest referenceHighest versionPushedBadge",
		"capability-providers-0wasmcloud.azurecr.io/capability-providers-0:0.18.10.18.12 days ago" + markdown(0),
		"capability-providers-1wasmcloud.azurecr.io/capability-providers-1:0.18.10.18.12 days ago" + markdown(1),
		"team/soonnot yet published",
	})
	wantEqual(t, "copied texts", copiedTexts(t, page), []string{
		"wasmcloud.azurecr.io/capability-providers-0:0.18.1", "wasmcloud.azurecr.io/capability-providers-1:0.18.1",
	})
	wantEqual(t, "lists", texts(elements(t, page, "section")), []string{"officialcapability-providers-0 0.18.1soon not yet published"})
	wantEqual(t, "exact times", attrs(elements(t, page, "time"), "datetime"), []string{"2026-11-22 11:00:00Z", "2026-11-22 11:00:00Z"})
	wantEqual(t, "links", attrs(elements(t, page, "a"), "href"), []string{
		"#main", "/", "/?category=official", "/capability-providers-0?format=html", "/?sort=pushed",
		"/capability-providers-0?format=html", "/capability-providers-1?format=html", "/api/repositories", "/?format=atom", "/api/openapi.json",
	})
}

// TestListShowsAVersionOrATag: it shows the newest's tag if no tag is a version.
func TestListShowsAVersionOrATag(t *testing.T) {
	t.Parallel()
	e := entryOf("a.azurecr.io/wash:latest")
	for highest, want := range map[reference.Reference]string{{}: "wash latest", push("a.azurecr.io/wash:v1.2.0").Reference: "wash 1.2.0"} {
		e.Highest = highest
		page := Catalogue{Site: site, Lists: []Category{{Name: "a", Members: []store.Entry{e}}}}.HTML()
		wantEqual(t, "members", texts(elements(t, page, "li")), []string{want})
	}
}

// TestLongListsFold: what exceeds a few lines is folded, and so are lists beyond the
// first ones.
func TestLongListsFold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		members, more int
		shown         int
		summary       string // empty: nothing is folded
		folded        int    // number of members and links in the fold
	}{
		{members: 8, shown: 8},
		{members: 9, shown: 9},
		{members: 10, shown: 8, summary: "2 more in official", folded: 2},
		{members: 24, shown: 8, summary: "16 more in official", folded: 16},
		{members: 24, more: 100, shown: 8, summary: "116 more in official", folded: 17},
	} {
		list := Category{Name: "official", Members: entries(c.members), More: c.more}
		page := Catalogue{Site: site, Entries: entries(1), Lists: []Category{list}}.HTML()
		folds := texts(elements(t, page, "summary"))
		if got := strings.Join(folds, ";"); got != c.summary {
			t.Errorf("%d members and %d: folds %q, want %q", c.members, c.more, got, c.summary)
		}
		if got := len(elements(t, page, "li")); got != c.shown+c.folded {
			t.Errorf("%d members and %d: %d items, want %d", c.members, c.more, got, c.shown+c.folded)
		}
		if strings.Contains(mainOf(page), ">All 124<") != (c.more > 0) {
			t.Errorf("%d members and %d: a link to all of them: %s", c.members, c.more, mainOf(page))
		}
	}

	var many []Category
	for i := range ShownLists + 2 {
		many = append(many, Category{Name: fmt.Sprintf("list-%d", i), Members: entries(1)})
	}
	page := Catalogue{Site: site, Entries: entries(1), Lists: many}.HTML()
	wantEqual(t, "lists with members", len(elements(t, page, "section")), ShownLists)
	wantEqual(t, "folded lists", texts(elements(t, page, "summary")), []string{"2 more lists"})
	wantAll(t, "link", attrs(elements(t, page, "a"), "href"), "/?category=list-6", "/?category=list-7")
}

// TestHighestVersionCanBePulled: if the newest reference is another, the highest version
// is shown as a reference, too.
func TestHighestVersionCanBePulled(t *testing.T) {
	t.Parallel()
	newest := push("a.azurecr.io/wash:v0.18.1")
	for highest, want := range map[reference.Reference]string{
		{}:               "<td>–</td>",
		newest.Reference: "<td>0.18.1</td>",
		push("a.azurecr.io/wash:0.22.4").Reference:  `<td class="copy">a.azurecr.io/wash:0.22.4</td>`,
		push("a.azurecr.io/wash:22.04").Reference:   `<td class="copy">a.azurecr.io/wash:22.04 <small>floating</small></td>`,
		push("b.azurecr.io/wash:v0.18.1").Reference: `<td class="copy">b.azurecr.io/wash:v0.18.1</td>`,
	} {
		e := store.Entry{Name: parseName("wash"), Newest: newest, Highest: highest}
		page := mainOf(Catalogue{Site: site, Entries: []store.Entry{e}}.HTML())
		if want := "wash:v0.18.1</td>" + want; !strings.Contains(page, want) {
			t.Errorf("with the highest version %v the page lacks %s: %s", highest, want, page)
		}
	}
}

// TestNewestIsMarkedAsWhatItIs: nobody should take a prerelease for a release.
func TestNewestIsMarkedAsWhatItIs(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"1.2.3": "", "v1.2.3": "", "1.2.3_b5": "", "1.2.3.4": "", "build-127": "", "sha-0c1d2e3": "", "20231103": "", "1-alpine": "", "1.2.3-rc.1": "prerelease", "1.2-rc.1": "prerelease",
		"latest": "floating", "stable": "floating", "v": "floating", "1": "floating", "v2": "floating", "123": "floating", "1234": "", "1.2": "floating", "22.04": "floating",
	} {
		page := Catalogue{Site: site, Entries: []store.Entry{{Name: parseName("wash"), Newest: push("a.azurecr.io/wash:" + tag)}}}.HTML()
		if got := strings.Join(texts(elements(t, page, "small")), ";"); got != want {
			t.Errorf("%s is marked %q, want %q", tag, got, want)
		}
	}
}

// TestSortLinksKeepWhatWasTyped: so does the search box.
func TestSortLinksKeepWhatWasTyped(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		view   View
		link   string // link in the head of a column
		sorted string // direction and text of the sorted column
		hidden []string
	}{
		"by name":    {View{}, "/?sort=pushed", "ascending Repository", nil},
		"by push":    {View{Newest: true}, "/", "descending Pushed", []string{"pushed"}},
		"a search":   {View{Search: "a b", Registry: "a.io", Page: "abc"}, "/?q=a+b&registry=a.io&sort=pushed", "ascending Repository", nil},
		"its newest": {View{Search: "a b", Registry: "a.io", Newest: true}, "/?q=a+b&registry=a.io", "descending Pushed", []string{"pushed"}},
		"a list":     {View{Category: "official"}, "/?category=official&sort=pushed", "ascending Repository", nil},
	} {
		page := Catalogue{Site: site, View: c.view, Entries: entries(1)}.HTML()
		var links, sorted, hidden []string
		for _, th := range elements(t, page, "th") {
			if direction := th.attr["aria-sort"]; direction != "" {
				sorted = append(sorted, direction+" "+th.text)
			}
		}
		for _, input := range elements(t, page, "input") {
			if input.attr["type"] == "hidden" {
				hidden = append(hidden, input.attr["value"])
			}
		}
		for _, a := range elements(t, page, "a") {
			if a.text == "Pushed" || a.text == "Repository" {
				links = append(links, a.attr["href"])
			}
		}
		wantEqual(t, what+": links", links, []string{c.link})
		wantEqual(t, what+": sorted", sorted, []string{c.sorted})
		wantEqual(t, what+": hidden parameters", hidden, c.hidden)
		wantEqual(t, what+": search box", attrs(elements(t, page, "input"), "value")[0], c.view.Search)
	}
}

// TestRegistriesCanBeChosen where there are several: those of the catalogue, unless they are
// too many, and in any case those of the page.
func TestRegistriesCanBeChosen(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range mostRegistries + 1 {
		many = append(many, fmt.Sprintf("r%03d.io", i))
	}
	for what, c := range map[string]struct {
		registry string
		others   []string
		refs     []string
		options  []string
		chosen   string
	}{
		"one":            {refs: []string{"a.io/x:1", "a.io/y:1"}},
		"two":            {refs: []string{"b.io/x:1", "a.io/y:1", "b.io/z:1"}, options: []string{"All registries", "a.io", "b.io"}},
		"a chosen one":   {registry: "b.io", refs: []string{"b.io/x:1"}, options: []string{"All registries", "b.io"}, chosen: "b.io"},
		"of others":      {others: []string{"d.io", "b.io"}, refs: []string{"b.io/x:1"}, options: []string{"All registries", "b.io", "d.io"}},
		"of too many":    {others: many, refs: []string{"b.io/x:1", "a.io/y:1"}, options: []string{"All registries", "a.io", "b.io"}},
		"without result": {registry: "c.io", options: []string{"All registries", "c.io"}, chosen: "c.io"},
	} {
		view := Catalogue{Site: site, View: View{Registry: c.registry}, Entries: []store.Entry{soon("soon")}, Registries: c.others}
		for _, ref := range c.refs {
			view.Entries = append(view.Entries, entryOf(ref))
		}
		options := elements(t, view.HTML(), "option")
		wantEqual(t, what+": options", texts(options), c.options)
		for _, o := range options {
			if _, selected := o.attr["selected"]; selected != (o.text == c.chosen) {
				t.Errorf("%s: %s is selected: %t, want only %q selected", what, o.text, selected, c.chosen)
			}
		}
	}
}

// TestLinksLeadToWhatIsListed: a repository whose path begins with a registry is found
// only with its own registry. The list shows its name unchanged.
func TestLinksLeadToWhatIsListed(t *testing.T) {
	t.Parallel()
	e := store.Entry{Name: reference.Name{Repository: "wasmcloud.azurecr.io/wash"}, Newest: push("mirror.azurecr.io/wasmcloud.azurecr.io/wash:1")}
	page := Catalogue{Site: site, Entries: []store.Entry{e}, Lists: []Category{{Name: "a", Members: []store.Entry{e}}}}.HTML()
	const path = "/mirror.azurecr.io/wasmcloud.azurecr.io/wash"
	wantEqual(t, "links", attrs(elements(t, page, "a"), "href"), []string{
		"#main", "/", "/?category=a", path + "?format=html", "/?sort=pushed", path + "?format=html", "/api/repositories", "/?format=atom", "/api/openapi.json"})
	wantEqual(t, "names", texts(elements(t, page, "th"))[5:], []string{"wasmcloud.azurecr.io/wash"})
	wantAll(t, "cell", texts(elements(t, page, "td")), "[!["+path[1:]+"]("+site.URL+path+"?format=svg)]("+site.URL+path+"?format=html)")

	page = Catalogue{Site: site, View: View{Category: "a"}, Entries: []store.Entry{{Name: parseName("a.azurecr.io:5000/team/app"), Newest: push("a.azurecr.io:5000/team/app:1")}}}.HTML()
	wantAll(t, "link", attrs(elements(t, page, "a"), "href"), "/a.azurecr.io:5000/team/app?format=html")
}

// TestEmptyPageShowsWhatWorksThere: no registry can call localhost.
func TestEmptyPageShowsWhatWorksThere(t *testing.T) {
	t.Parallel()
	for url, isLocal := range map[string]bool{
		"http://localhost:8080": true, "http://LOCALHOST": true, "http://127.0.0.1:1": true, "http://127.9.9.9": true, "http://[::1]:8080": true, "http://a.localhost": true, "http://0.0.0.0:80": true,
		"https://example.com": false, "https://localhost.example.com": false, "https://notlocalhost": false, "http://192.0.2.1": false, "http://[2001:db8::1]": false,
	} {
		s := site
		s.URL = url
		page := Catalogue{Site: s}.HTML()
		if got := !strings.Contains(mainOf(page), "az acr webhook create"); got != isLocal {
			t.Errorf("the empty page of %s is that of localhost: %t, want %t", url, got, isLocal)
		}
		command := "curl -X PUT " + url + "/api/references/ghcr.io/acme/app:1.2.3"
		if got := strings.Contains(strings.Join(texts(elements(t, page, "code")), "\n"), command); got != isLocal {
			t.Errorf("the empty page of %s has %s: %t, want %t", url, command, got, isLocal)
		}
	}
}

// TestPagesAreSmall: a hundred rows with names of an ordinary length, and with long ones,
// as they are sent.
func TestPagesAreSmall(t *testing.T) {
	t.Parallel()
	c := Catalogue{Site: site, Entries: entries(100), Next: "abc"}
	for i := range 2 {
		c.Lists = append(c.Lists, Category{Name: fmt.Sprintf("category-%d", i), Members: c.Entries[10*i : 10*i+10]})
	}
	wantSmall(t, "the catalogue", c.HTML(), 1_010)

	c.Entries = nil
	for i := range 100 {
		name := fmt.Sprintf("infra/networking/authentication-proxy-%d", i)
		newest := push("123456789012.dkr.ecr.eu-central-1.amazonaws.com/" + name + ":1.2.3-rc.1")
		highest := newest.Reference
		highest.Tag = "1.2.2"
		c.Entries = append(c.Entries, store.Entry{Name: parseName(name), Newest: newest, Highest: highest})
	}
	wantSmall(t, "the catalogue, with long names and prereleases", c.HTML(), 1_810)

	r := Repository{Site: site, Name: parseName("wash"), Newest: push("wasmcloud.azurecr.io/wash:0.18.1"), Next: "abc"}
	for i := range 100 {
		p := push(fmt.Sprintf("wasmcloud.azurecr.io/wash:0.18.%d", i))
		p.Digest = fmt.Sprintf("sha256:%064d", i)
		r.References = append(r.References, p)
	}
	wantSmall(t, "a repository", r.HTML(), 910)
}

func wantSmall(t *testing.T, what string, page []byte, mostElements int) {
	t.Helper()
	const mostBytes = 100_000
	n := len(elements(t, page, ""))
	if len(page) > mostBytes || n > mostElements {
		t.Errorf("%s has %d bytes and %d elements, want at most %d and %d", what, len(page), n, mostBytes, mostElements)
	}
	t.Logf("%s has %d bytes and %d elements", what, len(page), n)
}

// TestVersionsStayWhole: a reference breaks after a slash or before its tag, and only if
// a phone has no room for it.
func TestVersionsStayWhole(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a.io/wash:0.19.0":                                             "a.io/wash:0.19.0",
		"wasmcloud.azurecr.io/wash:0.20.0":                             "wasmcloud.azurecr.io/wash:0.20.0",
		"wasmcloud.azurecr.io/httpserver:0.19.0":                       "wasmcloud.azurecr.io/httpserver|:0.19.0",
		"ghcr.io/acme/storefront:2026.47.0-beta.3":                     "ghcr.io/acme/storefront|:2026.47.0-beta.3",
		"acme.azurecr.io:5000/team/platform/search-service:1.0.0-rc.1": "acme.azurecr.io:5000/team/|platform/search-service|:1.0.0-rc.1",
		"docker pull wasmcloud.azurecr.io/wash:0.20.0":                 "docker pull |wasmcloud.azurecr.io/wash:0.20.0",
		"localhost:5000/" + strings.Repeat("a", 20):                    "localhost:5000/|" + strings.Repeat("a", 20),
		"a.io/x:" + strings.Repeat("0", 70):                            "a.io/x|:" + strings.Repeat("0", 31) + "|" + strings.Repeat("0", 32) + "|0000000",
		"":                                                             "",
	} {
		var drawn strings.Builder
		if err := h.Td(copied(text)).Render(&drawn); err != nil {
			t.Fatal(err)
		}
		if want := `<td class="copy">` + strings.ReplaceAll(want, "|", "<wbr>") + "</td>"; drawn.String() != want {
			t.Errorf("%s is drawn as %s, want %s", text, drawn.String(), want)
		}
	}
}

// TestNamesBreakBehindASlash if they are long.
func TestNamesBreakBehindASlash(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"wash": "wash", "petclinic/customers": "petclinic/customers", "acme/storefront-worker": "acme/|storefront-worker", "a/b/c/capability-providers": "a/b/c/|capability-providers",
		strings.Repeat("x", 40): strings.Repeat("x", 40),
	} {
		var drawn strings.Builder
		if err := h.H1(breakableName(name)).Render(&drawn); err != nil {
			t.Fatal(err)
		}
		if want := "<h1>" + strings.ReplaceAll(want, "|", "<wbr>") + "</h1>"; drawn.String() != want {
			t.Errorf("%s is drawn as %s, want %s", name, drawn.String(), want)
		}
	}
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
