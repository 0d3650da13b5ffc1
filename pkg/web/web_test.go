package web

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

var (
	now  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	site = Site{URL: "https://abcdef1234.execute-api.eu-central-1.amazonaws.com", Now: now}
)

func push(ref string) store.Push {
	r, err := reference.Parse(ref)
	if err != nil {
		panic(err)
	}
	return store.Push{
		Reference: r, Digest: "sha256:" + strings.Repeat("01", 32), Size: 2203,
		MediaType: "application/vnd.oci.image.manifest.v1+json", PushedAt: now.Add(-49 * time.Hour),
	}
}

func entries(n int) (all []store.Entry) {
	for i := range n {
		name := fmt.Sprintf("capability-providers-%d", i)
		all = append(all, store.Entry{Name: name, Newest: push("wasmcloud.azurecr.io/" + name + ":0.18.1"), Version: "0.18.1"})
	}
	return all
}

// elements are those of a page with this name, each with its attributes and text.
func elements(t testing.TB, page []byte, name string) (found []element) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || name != "" && n.Data != name {
			continue
		}
		e := element{name: n.Data, attr: map[string]string{}}
		for _, a := range n.Attr {
			e.attr[a.Key] = a.Val
		}
		for child := range n.Descendants() {
			if child.Type == html.TextNode {
				e.text += child.Data
			}
		}
		found = append(found, e)
	}
	return found
}

type element struct {
	name string
	attr map[string]string
	text string
}

func texts(elements []element) (all []string) {
	for _, e := range elements {
		all = append(all, e.text)
	}
	return all
}

func TestCatalogIsCompleteWithoutScript(t *testing.T) {
	page := Catalog{Site: site, Entries: append(entries(2), store.Entry{Name: "team/soon"}), Lists: []Category{{"official", []store.Entry{entries(1)[0], {Name: "soon"}}, 7}}}.HTML()
	codes := texts(elements(t, page, "code"))
	for _, want := range []string{
		"wasmcloud.azurecr.io/capability-providers-1:0.18.1",
		"![capability-providers-1](https://abcdef1234.execute-api.eu-central-1.amazonaws.com/capability-providers-1?format=svg)",
	} {
		if !slices.Contains(codes, want) {
			t.Errorf("no code is %s: %q", want, codes)
		}
	}
	rows := texts(elements(t, page, "tr"))
	if len(rows) != 4 || !strings.Contains(rows[1], "0.18.12 days ago![") || rows[3] != "team/soonnot yet published" {
		t.Errorf("rows = %q", rows)
	}
	if lists := elements(t, page, "section"); len(lists) != 1 || lists[0].text != "officialcapability-providers-0 0.18.1soon not yet publishedand 7 more" {
		t.Errorf("lists = %+v", lists)
	}
	var titles []string
	for _, cell := range elements(t, page, "td") {
		titles = append(titles, cell.attr["title"])
	}
	if !slices.Contains(titles, "2026-11-22 11:00:00 UTC") {
		t.Errorf("no cell has the exact time as its title: %q", titles)
	}
	var links []string
	for _, e := range elements(t, page, "a") {
		links = append(links, e.attr["href"])
	}
	for _, want := range []string{"/capability-providers-1?format=html", "/?category=official", "/api/repositories", "/api/openapi.json"} {
		if !slices.Contains(links, want) {
			t.Errorf("no link to %s: %q", want, links)
		}
	}
}

func TestCatalogStates(t *testing.T) {
	for name, c := range map[string]struct {
		page Catalog
		want []string
		not  []string
	}{
		"empty": {Catalog{Site: site}, []string{"Nothing has been pushed yet", "az acr webhook create", site.URL + "/api/azurehook"}, []string{"<table"}},
		"empty but for a list": {Catalog{Site: site, Lists: []Category{{"official", []store.Entry{{Name: "soon"}}, 0}}},
			[]string{"Nothing has been pushed yet", "soon"}, []string{"<table"}},
		"all":             {Catalog{Site: site, Entries: entries(1)}, []string{`data-all`, "1 repository<"}, []string{"<nav"}},
		"first of many":   {Catalog{Site: site, Entries: entries(2), Next: "abc"}, []string{`href="/?next=abc"`, "2 repositories on this page, more follow"}, []string{"data-all", "First page"}},
		"last of many":    {Catalog{Site: site, Entries: entries(2), Later: true}, []string{`href="/?"`, "First page"}, []string{"data-all", "Next page"}},
		"nothing found":   {Catalog{Site: site, Search: `a "b" <c>`}, []string{"No repository has all of these words in its name", `value="a &#34;b&#34; &lt;c&gt;"`, ">All repositories</a>"}, []string{"<table", "<c>", "data-all"}},
		"more found":      {Catalog{Site: site, Search: "a&b", Entries: entries(2), Next: "abc"}, []string{`href="/?next=abc&amp;q=a%26b"`}, []string{"data-all"}},
		"more found, end": {Catalog{Site: site, Search: "a&b", Entries: entries(2), Later: true}, []string{`href="/?q=a%26b"`}, []string{"Next page"}},
		"category":        {Catalog{Site: site, Category: "official", Entries: entries(2)}, []string{"<h1>official</h1>", "2 repositories<"}, []string{"data-all"}},
	} {
		body := string(c.page.HTML())
		_, body, _ = strings.Cut(body, "<body>")
		body, _, _ = strings.Cut(body, "<script>")
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the page lacks %s: %s", name, want, body)
			}
		}
		for _, not := range c.not {
			if strings.Contains(body, not) {
				t.Errorf("%s: the page has %s: %s", name, not, body)
			}
		}
	}
}

func TestRepositoryPage(t *testing.T) {
	odd := push("b.azurecr.io/team/app:latest")
	odd.Digest, odd.MediaType, odd.Size = "", `"><script>alert(1)</script>`, store.UnknownSize
	page := Repository{Site: site, Name: "team/app", References: []store.Push{odd, push("a.azurecr.io/team/app:v1.2")}, Next: "abc"}.HTML()
	codes := texts(elements(t, page, "code"))
	for _, want := range []string{
		"b.azurecr.io/team/app:latest", "a.azurecr.io/team/app:v1.2", "sha256:" + strings.Repeat("01", 32),
		"![team/app](" + site.URL + "/team/app?format=svg&sort=semver)",
		"![team/app](https://img.shields.io/endpoint?url=https%3A%2F%2Fabcdef1234.execute-api.eu-central-1.amazonaws.com%2Fteam%2Fapp)",
	} {
		if !slices.Contains(codes, want) {
			t.Errorf("no code is %s: %q", want, codes)
		}
	}
	if scripts := elements(t, page, "script"); len(scripts) != 1 {
		t.Errorf("%d scripts: %+v", len(scripts), scripts[1:])
	}
	rows := texts(elements(t, page, "tr"))
	if got, want := rows[len(rows)-1], "a.azurecr.io/team/app:v1.21.2.0sha256:"+strings.Repeat("01", 32)+"2.2 kB2 days ago 2026-11-22 11:00 UTC"; got != want {
		t.Errorf("row = %q, want %q", got, want)
	}
	if images := elements(t, page, "img"); len(images) != len(kinds) || images[1].attr["src"] != "/team/app?format=svg&sort=semver" {
		t.Errorf("images = %+v", images)
	}
	if !bytes.Contains(page, []byte(`href="/team/app?format=html&amp;next=abc"`)) {
		t.Error("no link to older references")
	}
	later := Repository{Site: site, Name: "team/app", References: []store.Push{odd}, Later: true}.HTML()
	if !bytes.Contains(later, []byte(`href="/team/app?format=html">Newest<`)) || len(elements(t, later, "img")) > 0 {
		t.Errorf("later page: %s", later)
	}
	gone := Repository{Site: site, Name: "team/app", Later: true}.HTML()
	if !bytes.Contains(gone, []byte("None is older.")) || len(elements(t, gone, "table")) > 0 {
		t.Errorf("later page, of which all is gone by now: %s", gone)
	}
}

// TestPolicyAllowsThePagesOwn: the hashes are those of what stands in the pages.
func TestPolicyAllowsThePagesOwn(t *testing.T) {
	for _, page := range [][]byte{Catalog{Site: site}.HTML(), Problem{}.HTML()} {
		for _, name := range []string{"style", "script"} {
			for _, e := range elements(t, page, name) {
				if !strings.Contains(Policy(), name+"-src '"+hash(e.text)+"'") {
					t.Errorf("a %s is not allowed by %s", name, Policy())
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
	if strings.Contains(Policy(), "unsafe") {
		t.Error(Policy())
	}
}

// TestCatalogIsSmall: a hundred repositories with long names, as they are sent.
func TestCatalogIsSmall(t *testing.T) {
	const most = 50_000
	c := Catalog{Site: site, Entries: entries(100)}
	for i := range 2 {
		c.Lists = append(c.Lists, Category{fmt.Sprintf("category-%d", i), c.Entries[10*i : 10*i+10], 0})
	}
	n := len(c.HTML())
	if n >= most {
		t.Errorf("100 repositories take %d bytes, want less than %d", n, most)
	}
	t.Logf("100 repositories take %d bytes, none %d", n, len(Catalog{Site: site}.HTML()))
}

func TestAge(t *testing.T) {
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
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 2203: "2.2 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1<<63 - 1: "9.2 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

// FuzzText: whatever comes from outside is text. A page has the same elements
// with the same names of attributes as the page of a harmless text.
func FuzzText(f *testing.F) {
	for _, s := range []string{"wash", `"><script>alert(1)</script>`, "' onload=x", "</title><b>", "&lt;", "\x00\xff", "javascript:x", "${x}"} {
		f.Add(s)
	}
	pages := func(s string) [][]byte {
		p := push("a.azurecr.io/wash:1")
		p.MediaType = s
		site := Site{URL: "https://" + s, Now: now}
		return [][]byte{
			Catalog{Site: site, Search: "x" + s, Next: "x" + s, Entries: entries(1)}.HTML(),
			Catalog{Site: site, Category: "x" + s, Lists: []Category{{Name: s, Members: entries(1)}}}.HTML(),
			Catalog{Site: site}.HTML(),
			Repository{Site: site, Name: "x" + s, References: []store.Push{p}, Next: "x" + s}.HTML(),
			Problem{Title: s, Text: s}.HTML(),
		}
	}
	shape := func(t *testing.T, page []byte) (all []string) {
		for _, e := range elements(t, page, "") {
			var attrs []string
			for name := range e.attr {
				attrs = append(attrs, name)
			}
			slices.Sort(attrs)
			all = append(all, e.name+" "+strings.Join(attrs, " "))
		}
		return all
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" {
			s = "x" // an empty media type has no attribute
		}
		harmless := pages("wash")
		for i, page := range pages(s) {
			if got, want := shape(t, page), shape(t, harmless[i]); !slices.Equal(got, want) {
				t.Errorf("page %d with %q: elements %q, want %q", i, s, got, want)
			}
		}
	})
}

func BenchmarkCatalog(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := Catalog{Site: site, Entries: entries(n)}
			b.ReportAllocs()
			for b.Loop() {
				c.HTML()
			}
		})
	}
}
