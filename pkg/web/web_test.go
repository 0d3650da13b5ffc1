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
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

var (
	now  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	site = Site{
		URL: "https://abcdef1234.execute-api.eu-central-1.amazonaws.com", Now: now, Version: "v0.2.0",
		Title: "Our images", PullCommand: "oras pull {reference}",
	}
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

// TestPagesAreUTF8WithoutControls, whatever a reader has typed.
func TestPagesAreUTF8WithoutControls(t *testing.T) {
	t.Parallel()
	const typed = "a\xff\xed\xa0\x80\x00\x1b[31m\x7f\u009b\r\x0cé"
	for name, page := range map[string][]byte{
		"search":  Catalogue{Site: site, View: View{Search: typed}}.HTML(),
		"problem": Problem{Site: site, Heading: typed, Text: typed, Links: []Link{{Text: typed, Path: "/"}}}.HTML(),
	} {
		if !utf8.Valid(page) || bytes.IndexFunc(page, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) >= 0 {
			t.Errorf("%s: the page has bytes that are no UTF-8, or control characters", name)
		}
		if want := "a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD[31m\uFFFD\uFFFD\uFFFD\uFFFDé"; !bytes.Contains(page, []byte(want)) {
			t.Errorf("%s: the page lacks %q: %s", name, want, page)
		}
	}
}

func entries(n int) (all []store.Entry) {
	for i := range n {
		name := fmt.Sprintf("capability-providers-%d", i)
		all = append(all, store.Entry{Name: parseName(name), Newest: push("wasmcloud.azurecr.io/" + name + ":0.18.1"), Highest: push("wasmcloud.azurecr.io/" + name + ":0.18.1").Reference})
	}
	return all
}

// elements returns the elements with this name in a page, or all if name is empty.
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

// attrs returns the values of an attribute, from the elements that have it.
func attrs(elements []element, name string) (all []string) {
	for _, e := range elements {
		if value, ok := e.attr[name]; ok {
			all = append(all, value)
		}
	}
	return all
}

// copiedTexts returns the texts that are copied, with the marks beside them.
func copiedTexts(t testing.TB, page []byte) (all []string) {
	t.Helper()
	for _, e := range elements(t, page, "") {
		if e.name == "code" || strings.HasPrefix(e.attr["class"], "copy") {
			all = append(all, e.text)
		}
	}
	return all
}

// mainOf returns the main part of a page: the rest is the same on all pages.
func mainOf(page []byte) string {
	_, main, _ := strings.Cut(string(page), `<main id="main">`)
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

// TestPolicyAllowsOnlyTheStyleAndScriptOfPages: it has their hashes.
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

// TestScriptIsShortened: only comments and indentation are missing.
func TestScriptIsShortened(t *testing.T) {
	t.Parallel()
	var want []string
	for line := range strings.SplitSeq(scriptFile, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			want = append(want, line)
		}
	}
	wantEqual(t, "script", strings.Split(strings.TrimSuffix(script(), "\n"), "\n"), want)
}

// FuzzText: any text from outside stays text. The page has the same elements and the same
// names of attributes as the page of a harmless text.
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

// shape returns the elements of a page with the names of their attributes.
func shape(t *testing.T, page []byte) (all []string) {
	t.Helper()
	for _, e := range elements(t, page, "") {
		if e.name != "wbr" { // a long text has more of them
			all = append(all, e.name+" "+strings.Join(slices.Sorted(maps.Keys(e.attr)), " "))
		}
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

func TestProblemPage(t *testing.T) {
	t.Parallel()
	page := Problem{Site: site, Heading: "No such <category>", Text: "A & B", Links: []Link{{"See <x>", "/?q=%3Cx%3E"}}}.HTML()
	wantEqual(t, "main part", mainOf(page),
		`<h1>No such &lt;category&gt;</h1><p>A &amp; B</p><ul><li><a href="/?q=%3Cx%3E">See &lt;x&gt;</a></li><li><a href="/">All repositories</a></li></ul>`)
	wantEqual(t, "title", texts(elements(t, page, "title")), []string{"No such <category> · Our images"})
}

// TestEachPageIsForPeople checks what a screen reader, a phone and a keyboard need.
func TestEachPageIsForPeople(t *testing.T) {
	t.Parallel()
	for name, page := range map[string][]byte{
		"catalogue":  Catalogue{Site: site, Entries: entries(1)}.HTML(),
		"repository": Repository{Site: site, Name: parseName("app"), References: []event.Push{push("a.azurecr.io/app:1")}}.HTML(),
		"problem":    Problem{Site: site, Heading: "x"}.HTML(),
	} {
		wantEqual(t, name+": language", attrs(elements(t, page, "html"), "lang"), []string{"en"})
		wantEqual(t, name+": headings", len(elements(t, page, "h1")), 1)
		wantAll(t, name+" meta", attrs(elements(t, page, "meta"), "content"), "width=device-width, initial-scale=1", "light dark")
		wantEqual(t, name+": the search box's label", attrs(elements(t, page, "label"), "for"), attrs(elements(t, page, "input"), "id"))
		wantEqual(t, name+": first link", elements(t, page, "a")[0].attr["href"], "#"+elements(t, page, "main")[0].attr["id"])
		wantEqual(t, name+": link to the first page", elements(t, page, "a")[1].text, "Our images")
		wantAll(t, name+": foot", texts(elements(t, page, "span")), "ocireffer v0.2.0")
		wantAll(t, name+" status", attrs(elements(t, page, "p"), "role"), "status")
		if !strings.HasPrefix(string(page), "<!doctype html>") {
			t.Errorf("%s begins %.30s", name, page)
		}
		for _, e := range elements(t, page, "") {
			for _, attr := range []string{"src", "href"} {
				value, ok := e.attr[attr]
				isOwn := strings.HasPrefix(value, "/") || value == icon || value == "#main" || strings.HasPrefix(value, site.URL+"/")
				if ok && !isOwn {
					t.Errorf("%s: %s has the %s %s, want one of its own", name, e.name, attr, value)
				}
			}
		}
	}
}

// pagesWith returns pages with s wherever they show a text from outside.
func pagesWith(s string) [][]byte {
	p := push("a.azurecr.io/wash:1")
	p.MediaType = "x" + s
	name := reference.Name{Repository: "x" + s}
	entry := store.Entry{Name: name, Newest: p, Highest: reference.Reference{Registry: "a.io", Repository: s, Tag: "1.0.0"}}
	odd := p
	odd.Reference.Registry, odd.Reference.Tag, odd.Digest = "x"+s, "1.x"+s, "x"+s
	site := Site{URL: "https://" + s, Now: now, Version: s, Title: s, PullCommand: s}
	return [][]byte{
		Catalogue{Site: site, View: View{Search: "x" + s, Registry: "x" + s, Newest: true, Page: "x" + s}, Next: "x" + s, Entries: []store.Entry{entry, {Name: name}}}.HTML(),
		Catalogue{Site: site, View: View{Category: "x" + s}, Lists: []Category{{Name: s, Members: []store.Entry{entry, {Name: name}}}}}.HTML(),
		Catalogue{Site: site}.HTML(),
		Repository{Site: site, Name: name, Filter: url.Values{"tag": {s}}, Newest: p, Highest: odd, References: []event.Push{p, odd}, Next: "x" + s}.HTML(),
		Problem{Site: site, Heading: s, Text: s, Links: []Link{{s, "/" + s}}, JSON: "/" + s}.HTML(),
	}
}
