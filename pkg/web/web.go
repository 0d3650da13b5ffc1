// Package web draws the pages that people read: the catalogue, a repository, and
// what went wrong. It knows neither requests nor the store's calls: what a page
// shows is in its struct. Each page is complete without its script, which only
// adds buttons that copy and a search that answers while one types.
package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// html/template would cost a Lambda binary 3.9 MB, and a page three times the
// time: it keeps all methods of all types alive, and looks at values as the page
// is drawn. These are plain functions, 0.35 MB with all
// pages, and escape just as well where, as here, no value stands in a script or a
// style.

//go:embed style.css
var style string

//go:embed script.js
var scriptFile string

// script is the script as it stands in a page: without indentation and without
// lines that are comments, a fifth of it. A badge needs none, so it is made for the
// first page, not at the start.
var script = sync.OnceValue(func() string {
	var b strings.Builder
	for line := range strings.Lines(scriptFile) {
		if line = strings.TrimLeft(line, " "); line != "\n" && !strings.HasPrefix(line, "//") {
			b.WriteString(line)
		}
	}
	return b.String()
})

// Policy is the Content-Security-Policy of all pages: their own style and script,
// badges and searches of their own origin, and nothing else.
var Policy = sync.OnceValue(func() string {
	return "default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script()) + "'; img-src 'self' data:; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
})

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// icon is a tag on a string, as the tab of a browser shows it.
const icon = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='%230b5cad' d='M1 2v6l7 7 6-6-7-7z'/><circle cx='4.5' cy='5.5' r='1.5' fill='white'/></svg>`

// Site is what all pages know.
type Site struct {
	URL string    // scheme and host, without a slash at its end
	Now time.Time // from which ages are counted
}

// path is where a name's answers are, without parameters.
func path(name string) string { return (&url.URL{Path: "/" + name}).EscapedPath() }

func repositoryPath(name string) string { return path(name) + "?format=html" }

func badgePath(name, parameters string) string { return path(name) + "?format=svg" + parameters }

// badge is the Markdown of a drawn badge.
func (s Site) badge(name, parameters string) string {
	return markdown(name, s.URL+badgePath(name, parameters))
}

func markdown(alt, url string) string { return "![" + alt + "](" + url + ")" }

// page draws one around its main part: search is what stands in the search box,
// asJSON where programs find the same.
func page(title, search, asJSON string, main ...g.Node) []byte {
	var buf bytes.Buffer
	err := h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.TitleEl(g.Text(title)),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.Link(h.Rel("icon"), h.Href(icon)),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(
			h.Header(
				h.A(h.Href("/"), g.Text("ocireffer")),
				h.Form(h.Role("search"), h.Action("/"),
					h.Label(h.For("q"), h.Class("unseen"), g.Text("Search repositories")),
					h.Input(h.Type("search"), h.ID("q"), h.Name("q"), h.Value(search), h.Placeholder("Search repositories"),
						h.AutoComplete("off"), g.Attr("spellcheck", "false")),
					h.Button(g.Text("Search")),
				),
			),
			h.Main(main...),
			h.Footer(
				h.A(h.Href(asJSON), g.Text("The same as JSON")),
				h.A(h.Href("/api/openapi.json"), g.Text("Description of the API")),
			),
			h.P(h.Role("status"), h.ID("said"), h.Class("unseen")),
			h.Script(g.Raw(script())),
		),
	)).Render(&buf)
	if err != nil {
		panic(err) // a buffer takes all
	}
	return buf.Bytes()
}

// code is a text to copy.
func code(text string) g.Node { return h.Code(g.Text(text)) }

// ago is the cell of a table that says how long before now t was, and exactly on
// hover.
func ago(now, t time.Time, more ...g.Node) g.Node {
	return h.Td(h.Title(t.UTC().Format("2006-01-02 15:04:05 UTC")), g.Text(age(now.Sub(t))), g.Group(more))
}

// age is a duration up to now, in its greatest unit.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"year", 365 * day}, {"month", 30 * day}, {"day", day}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := int(d / unit.is); n > 0 {
			return count(n, unit.name, unit.name+"s") + " ago"
		}
	}
	return "just now"
}

// count says how many there are of something.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// size is a number of bytes, in short.
func size(n int64) string {
	if n < 1000 {
		return count(int(n), "byte", "bytes")
	}
	f, unit := float64(n)/1000, 0
	for ; f >= 999.95 && unit < len("kMGTPE")-1; unit++ {
		f /= 1000
	}
	return fmt.Sprintf("%.1f %cB", f, "kMGTPE"[unit])
}

// Problem is a page that says what went wrong and what to do.
type Problem struct {
	Title string
	Text  string
}

// HTML draws the page.
func (p Problem) HTML() []byte {
	return page(p.Title+" · ocireffer", "", "/api/repositories",
		h.H1(g.Text(p.Title)),
		h.P(g.Text(p.Text)),
		h.P(h.A(h.Href("/"), g.Text("All repositories"))),
	)
}
