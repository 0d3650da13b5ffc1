package web

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

const mediaTypeIndex = "application/vnd.oci.image.index.v1+json"

// bare returns a push with only a reference and a time.
func bare(ref string) event.Push {
	p := push(ref)
	p.Digest, p.MediaType, p.Size = "", "", event.UnknownSize
	return p
}

func TestRepositoryPage(t *testing.T) {
	t.Parallel()
	newest, highest := push("a.azurecr.io/team/app:2.0.0-rc.1"), push("a.azurecr.io/team/app:v1.2.0")
	highest.Digest, highest.MediaType = "sha256:"+strings.Repeat("02", 32), mediaTypeIndex
	page := Repository{
		Site: site, Name: parseName("team/app"), Newest: newest, Highest: highest,
		References: []event.Push{bare("b.azurecr.io/team/app:latest"), newest, highest},
	}.HTML()
	wantEqual(t, "title", texts(elements(t, page, "title")), []string{"team/app · Our images"})
	wantEqual(t, "heading", texts(elements(t, page, "h1")), []string{"team/app"})
	wantEqual(t, "cards", texts(elements(t, page, "section")), []string{
		"Newest2.0.0-rc.1 prereleaseReferencea.azurecr.io/team/app:2.0.0-rc.1Pulloras pull a.azurecr.io/team/app:2.0.0-rc.1Digest" + newest.Digest + "Kindsingle manifestPushed2 days ago",
		"Highest versionv1.2.0Referencea.azurecr.io/team/app:v1.2.0Pulloras pull a.azurecr.io/team/app:v1.2.0Digest" + highest.Digest + "Kindmulti-platformPushed2 days ago",
	})
	_, references, _ := strings.Cut(mainOf(page), `<table class="references">`)
	wantEqual(t, "rows", texts(elements(t, []byte("<table>"+references), "tr")), []string{
		"ReferenceVersionPushedDigestKind",
		"b.azurecr.io/team/app:latest floating2 days ago",
		"a.azurecr.io/team/app:2.0.0-rc.1 prerelease2.0.0-rc.12 days ago" + newest.Digest + "single manifest",
		"a.azurecr.io/team/app:v1.2.01.2.02 days ago" + highest.Digest + "multi-platform",
	})
	wantEqual(t, "exact times", attrs(elements(t, page, "time"), "datetime"), slices.Repeat([]string{"2026-11-22 11:00:00Z"}, 5))
	wantEqual(t, "links", attrs(elements(t, page, "a"), "href"), []string{
		"#main", "/", "/", "/a.azurecr.io/team/app?format=html", "/b.azurecr.io/team/app?format=html", "/api/repositories/team/app", "/team/app?format=atom", "/api/openapi.json",
	})
}

// TestHeadOfARepository checks which cards there are, and in which order.
func TestHeadOfARepository(t *testing.T) {
	t.Parallel()
	newest, highest := push("a.io/app:2.0.0-rc.1"), push("a.io/app:1.0.0")
	for what, c := range map[string]struct {
		page Repository
		want []string
	}{
		"two":              {Repository{Newest: newest, Highest: highest}, []string{"Newest", "Highest version"}},
		"highest wanted":   {Repository{Newest: newest, Highest: highest, BySemver: true}, []string{"Highest version", "Newest"}},
		"the same":         {Repository{Newest: highest, Highest: highest, BySemver: true}, []string{"Newest and highest version"}},
		"without version":  {Repository{Newest: bare("a.io/app:latest")}, []string{"Newest"}},
		"none newest":      {Repository{Highest: highest, Next: "abc"}, []string{"Highest version"}},
		"on a later page":  {Repository{Page: "abc", References: []event.Push{newest}}, nil},
		"in another place": {Repository{Newest: push("b.io/app:1.0.0"), Highest: highest}, []string{"Newest", "Highest version"}},
	} {
		c.page.Site, c.page.Name = site, parseName("app")
		var got []string
		for _, h2 := range texts(elements(t, c.page.HTML(), "h2")) {
			if !strings.Contains(h2, "eference") {
				got = append(got, h2)
			}
		}
		wantEqual(t, what, got, c.want)
	}
}

// TestReferencesOfOneDigestStandTogether: they are at the place of the newest of them,
// and show only once what they share.
func TestReferencesOfOneDigestStandTogether(t *testing.T) {
	t.Parallel()
	digested := func(ref, digest string) event.Push {
		p := push(ref)
		p.Digest = digest
		return p
	}
	page := Repository{Site: site, Name: parseName("app"), References: []event.Push{
		digested("a.io/app:latest", "sha256:1"), digested("b.io/app:2", "sha256:1"), digested("a.io/app:0.9", "sha256:2"), bare("a.io/app:x"),
		digested("a.io/app:1.0", "sha256:1"), bare("a.io/app:y"), digested("a.io/app:1", "sha256:1"),
	}}.HTML()
	var got []string
	_, references, _ := strings.Cut(mainOf(page), `<table class="references">`)
	for _, row := range elements(t, []byte("<table>"+references), "tr")[1:] {
		if row.attr["class"] == "same" {
			got[len(got)-1] += row.text
			continue
		}
		got = append(got, row.text)
	}
	const manifest, ago = "single manifest", "2 days ago"
	wantEqual(t, "groups", got, []string{
		"a.io/app:latest floating" + ago + "sha256:1" + manifest + "a.io/app:1.0 floating1.0" + ago + "a.io/app:1 floating" + ago,
		"b.io/app:2 floating" + ago + "sha256:1" + manifest,
		"a.io/app:0.9 floating0.9" + ago + "sha256:2" + manifest,
		"a.io/app:x floating" + ago,
		"a.io/app:y floating" + ago,
	})
	wantEqual(t, "shared cells", attrs(elements(t, page, "td"), "rowspan"), []string{"3", "3"})
}

// TestEmptyColumnsGo: some registries report nothing about manifests.
func TestEmptyColumnsGo(t *testing.T) {
	t.Parallel()
	digested, typed := bare("a.io/app:x"), bare("a.io/app:x")
	digested.Digest, typed.MediaType = "sha256:1", mediaTypeIndex
	for what, c := range map[string]struct {
		push event.Push
		want string
	}{
		"all":        {push("a.io/app:1.0.0"), "Reference Version Pushed Digest Kind"},
		"no version": {push("a.io/app:latest"), "Reference Pushed Digest Kind"},
		"a version":  {bare("a.io/app:1.0.0"), "Reference Version Pushed"},
		"a digest":   {digested, "Reference Pushed Digest"},
		"a type":     {typed, "Reference Pushed Kind"},
		"nothing":    {bare("a.io/app:x"), "Reference Pushed"},
	} {
		page := Repository{Site: site, Name: parseName("app"), Page: "abc", References: []event.Push{c.push}}.HTML()
		var heads []string
		for _, th := range elements(t, page, "th") {
			if th.attr["scope"] == "col" {
				heads = append(heads, th.text)
			}
		}
		wantEqual(t, what+": columns", strings.Join(heads, " "), c.want)
		cells := len(elements(t, page, "td")) + 1
		wantEqual(t, what+": cells", cells, len(heads))
	}
}

// TestKindOf checks what media types of manifests tell people.
func TestKindOf(t *testing.T) {
	t.Parallel()
	for mediaType, want := range map[string]string{
		mediaTypeIndex: "multi-platform",
		"application/vnd.docker.distribution.manifest.list.v2+json": "multi-platform",
		"application/vnd.oci.image.manifest.v1+json":                "single manifest",
		"application/vnd.docker.distribution.manifest.v2+json":      "single manifest",
		"application/vnd.docker.distribution.manifest.v1+prettyjws": "single manifest",
		"application/vnd.example.thing":                             "application/vnd.example.thing",
		"":                                                          "",
	} {
		if got := kindOf(mediaType); got != want {
			t.Errorf("kindOf(%q) = %q, want %q", mediaType, got, want)
		}
	}
}

// TestWaysOutOfARepository: the links lead to all repositories, to those in the same
// registry, and to the same name in any registry or in one.
func TestWaysOutOfARepository(t *testing.T) {
	t.Parallel()
	given := push("c.io/team/app:1")
	given.GivenName = "app"
	for what, c := range map[string]struct {
		name       reference.Name
		references []event.Push
		want       []string
	}{
		"of any registry":     {parseName("app"), []event.Push{push("b.io/app:1"), push("a.io/app:1"), push("b.io/app:2")}, []string{"/", "/a.io/app?format=html", "/b.io/app?format=html"}},
		"of one":              {parseName("a.io/app"), []event.Push{push("a.io/app:1")}, []string{"/", "/?registry=a.io", "/app?format=html"}},
		"given by hand":       {parseName("app"), []event.Push{given}, []string{"/"}},
		"a registry's path":   {reference.Name{Registry: "a.io", Repository: "b.io/app"}, nil, []string{"/", "/?registry=a.io"}},
		"of a port's, escape": {parseName("localhost:5000/app"), nil, []string{"/", "/?registry=localhost%3A5000", "/app?format=html"}},
	} {
		page := Repository{Site: site, Name: c.name, References: c.references}.HTML()
		nav, _, _ := strings.Cut(mainOf(page), "</nav>")
		wantEqual(t, what, attrs(elements(t, []byte(nav), "a"), "href"), c.want)
	}
}

// TestFilteredPageSaysSo: its badges show the same tags.
func TestFilteredPageSaysSo(t *testing.T) {
	t.Parallel()
	page := Repository{Site: site, Name: parseName("app"), Newest: bare("a.io/app:1.0.0"), Filter: url.Values{"tag": {"1.*", "2.*"}, "ignore": {"*-dev"}, "sort": {"semver"}}}.HTML()
	if want := `Only tags that match 1.*, 2.* and that do not match *-dev. <a href="/app?format=html">Show all tags</a>`; !strings.Contains(mainOf(page), want) {
		t.Errorf("the page lacks %s: %s", want, mainOf(page))
	}
	const tags = "ignore=%2A-dev"
	wantEqual(t, "first image", attrs(elements(t, page, "img"), "src")[0], "/app?format=svg&"+tags+"&tag=1.%2A&tag=2.%2A")
	wantAll(t, "copied text", copiedTexts(t, page), "[![app]("+site.URL+"/app?format=svg&"+tags+"&tag=1.%2A&tag=2.%2A)]("+site.URL+"/app?format=html&"+tags+"&tag=1.%2A&tag=2.%2A)")
	whole := Repository{Site: site, Name: parseName("app"), Filter: url.Values{"sort": {"semver"}}}.HTML()
	if strings.Contains(mainOf(whole), "Only tags") {
		t.Errorf("a page of all tags says that it is filtered: %s", mainOf(whole))
	}
}

func TestRepositoryPages(t *testing.T) {
	t.Parallel()
	pushes := []event.Push{push("a.azurecr.io/team/app:1")}
	for what, c := range map[string]struct {
		page  Repository
		links []string
		isTop bool
	}{
		"only":   {page: Repository{References: pushes}, isTop: true},
		"first":  {page: Repository{References: pushes, Next: "a+c"}, links: []string{"/team/app?format=html&next=a%2Bc"}, isTop: true},
		"middle": {page: Repository{References: pushes, Page: "abc", Next: "def"}, links: []string{"/team/app?format=html", "/team/app?format=html&next=def"}},
		"last":   {page: Repository{References: pushes, Page: "abc"}, links: []string{"/team/app?format=html"}},
	} {
		c.page.Site, c.page.Name = site, parseName("team/app")
		page := c.page.HTML()
		_, nav, _ := strings.Cut(mainOf(page), `<nav aria-label="Pages">`)
		wantEqual(t, what+": links", attrs(elements(t, []byte(nav), "a"), "href"), c.links)
		if got := len(elements(t, page, "img")) > 0; got != c.isTop {
			t.Errorf("%s: badges %t, want %t", what, got, c.isTop)
		}
		if got := len(elements(t, page, "section")) > 0; got != c.isTop {
			t.Errorf("%s: newest reference %t, want %t", what, got, c.isTop)
		}
	}

	for next, want := range map[string]string{"": "There are no older ones.", "abc": "None of these matches."} {
		gone := Repository{Site: site, Name: parseName("app"), Page: "abc", Next: next}.HTML()
		if !strings.Contains(mainOf(gone), want) || len(elements(t, gone, "table")) > 0 {
			t.Errorf("a later page with nothing on it: %s, want %s and no table", mainOf(gone), want)
		}
	}
}

// TestBadgesOfARepository: each has a preview, and code in three languages.
func TestBadgesOfARepository(t *testing.T) {
	t.Parallel()
	newest := push("a.azurecr.io/team/my_app:v1.2.0")
	r := Repository{Site: site, Name: parseName("team/my_app"), Newest: newest, Highest: newest}
	page := r.HTML()
	kinds := []string{"", "&sort=semver", "&show=version&sort=semver", "&show=tag", "&show=date", "&show=digest", "&show=pinned"}
	var previews []string
	for _, kind := range kinds {
		previews = append(previews, "/team/my_app?format=svg"+kind)
	}
	wantEqual(t, "previews", attrs(elements(t, page, "img"), "src"), previews)
	wantEqual(t, "loading", attrs(elements(t, page, "img"), "loading"), slices.Repeat([]string{"lazy"}, len(kinds)))
	codes := copiedTexts(t, page)
	wantAll(t, "code", codes,
		"[![team/my_app]("+site.URL+"/team/my_app?format=svg)]("+site.URL+"/team/my_app?format=html)",
		`<a href="`+site.URL+`/team/my_app?format=html"><img src="`+site.URL+`/team/my_app?format=svg&amp;show=tag" alt="team/my_app"></a>`,
		"image:"+site.URL+"/team/my%5Fapp?format=svg&show=tag[team/my_app,link=\""+site.URL+"/team/my%5Fapp?format=html\"]",
		"[![team/my_app](https://img.shields.io/endpoint?url="+url.QueryEscape(site.URL+"/team/my_app")+")]("+site.URL+"/team/my_app?format=html)")

	local := r
	local.URL = "http://localhost:8080"
	if strings.Contains(string(local.HTML()), "shields.io") {
		t.Error("a page of localhost has a badge by shields.io, which cannot reach it")
	}
	simple := r
	simple.Newest, simple.Highest = bare("a.azurecr.io/team/my_app:latest"), event.Push{}
	wantEqual(t, "badges without digest and version", attrs(elements(t, simple.HTML(), "img"), "src"),
		[]string{"/team/my_app?format=svg", "/team/my_app?format=svg&show=tag", "/team/my_app?format=svg&show=date"})
}

// TestRepositoryPageOfARegistry: its badges show that registry's repository.
func TestRepositoryPageOfARegistry(t *testing.T) {
	t.Parallel()
	const path = "/a.azurecr.io:5000/team/app"
	page := Repository{Site: site, Name: parseName(path[1:]), References: []event.Push{push("a.azurecr.io:5000/team/app:1")}}.HTML()
	wantEqual(t, "heading", texts(elements(t, page, "h1")), []string{path[1:]})
	wantEqual(t, "first image", attrs(elements(t, page, "img"), "src")[0], path+"?format=svg")
	wantAll(t, "copied text", copiedTexts(t, page),
		"[!["+path[1:]+"]("+site.URL+path+"?format=svg)]("+site.URL+path+"?format=html)",
		"[!["+path[1:]+"](https://img.shields.io/endpoint?url="+url.QueryEscape(site.URL+path)+")]("+site.URL+path+"?format=html)")
}

// TestPullCommandHasTheReference: the reference is where the configured command has
// {reference}.
func TestPullCommandHasTheReference(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"docker pull {reference}":                  "docker pull a.io/app:1.0.0",
		"helm pull oci://{reference}":              "helm pull oci://a.io/app:1.0.0",
		"wash get {reference} && echo {reference}": "wash get a.io/app:1.0.0 && echo a.io/app:1.0.0",
	} {
		s := site
		s.PullCommand = command
		page := Repository{Site: s, Name: parseName("app"), Newest: push("a.io/app:1.0.0")}.HTML()
		wantAll(t, "copied text", copiedTexts(t, page), want)
	}
}

// TestExactTimesAreOnes: HTML accepts RFC 3339 with a space.
func TestExactTimesAreOnes(t *testing.T) {
	t.Parallel()
	at := time.Date(2023, 7, 3, 16, 56, 52, 5, time.FixedZone("", 7200))
	p := push("a.io/app:1.0.0")
	p.PushedAt = at
	page := Repository{Site: site, Name: parseName("app"), Newest: p}.HTML()
	got := attrs(elements(t, page, "time"), "datetime")[0]
	parsed, err := time.Parse("2006-01-02 15:04:05Z07:00", got)
	if err != nil || !parsed.Equal(at.Truncate(time.Second)) {
		t.Errorf("the time %s is %s, %v, want %s", at, got, err, at.UTC())
	}
}

// TestFilterOfTags: the field is there where it helps, and keeps every other parameter.
func TestFilterOfTags(t *testing.T) {
	t.Parallel()
	few := slices.Repeat([]event.Push{push("a.io/team/app:1.0.0")}, fewReferences)
	for what, c := range map[string]struct {
		page    Repository
		heading string
		fields  []string
	}{
		"none":         {Repository{}, "References", nil},
		"one":          {Repository{References: few[:1]}, "1 reference", nil},
		"few":          {Repository{References: few}, "10 references", nil},
		"many":         {Repository{References: append(few, few[0])}, "11 references", []string{"tag="}},
		"first page":   {Repository{References: few, Next: "abc"}, "The newest 10 references", []string{"tag="}},
		"later page":   {Repository{References: few, Page: "abc"}, "10 older references", []string{"tag="}},
		"a few pass":   {Repository{References: few[:1], Filter: url.Values{"tag": {"1.*", "2.*,3.*"}}}, "1 reference", []string{"tag=1.*,2.*,3.*"}},
		"ignored tags": {Repository{References: few, Filter: url.Values{"sort": {"semver"}, "ignore": {"a", "b"}}, Next: "abc"}, "The newest 10 references", []string{"tag=", "ignore=a", "ignore=b", "sort=semver"}},
	} {
		c.page.Site, c.page.Name = site, parseName("a.io/team/app")
		main := []byte(mainOf(c.page.HTML()))
		headings := texts(elements(t, main, "h2"))
		wantEqual(t, what+": heading", headings[len(headings)-1], c.heading)
		var fields []string
		for _, input := range elements(t, main, "input") {
			fields = append(fields, input.attr["name"]+"="+input.attr["value"])
		}
		wantEqual(t, what+": fields", fields, c.fields)
		if c.fields != nil {
			wantEqual(t, what+": action", attrs(elements(t, main, "form"), "action"), []string{"/a.io/team/app"})
		}
	}
}
