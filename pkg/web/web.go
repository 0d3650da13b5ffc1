// Package web draws the pages that people read: the catalogue, a repository with
// its references, and what went wrong. It knows neither requests nor the store's
// calls: all that a page shows is in its struct. Each page is complete without its
// script, which only adds buttons that copy, previews of badges, and a search that
// answers while one types.
//
// The pages are plain functions, not html/template. That would add 3.9 MB to a
// Lambda binary, since it makes the linker keep every method of every type, and
// draw a page in three times the time; these functions are 0.35 MB. They escape
// just as well, because no value is part of a script or a style.
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

	"ocireffer/pkg/reference"
)

// Site is what all pages know.
type Site struct {
	URL      string    // scheme and host, without a slash at its end
	Now      time.Time // from which ages are counted
	Instance string    // tells its feeds from those of other sites, whatever its URL
	Version  string    // of the build
}

// A frame is what is around the main part of a page.
type frame struct {
	title   string
	search  string // in the search box
	asJSON  string // path of the same for programs
	feed    string // path of its feed; empty: it has none
	version string // of the build
}

// page draws a page with this main part.
func (f frame) page(main ...g.Node) []byte {
	var buf bytes.Buffer
	err := h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.TitleEl(g.Text(f.title+" · ocireffer")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.Link(h.Rel("icon"), h.Href(icon)),
			g.If(f.feed != "", h.Link(h.Rel("alternate"), h.Type("application/atom+xml"), h.Href(f.feed))),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(
			h.Header(
				h.A(h.Href("/"), g.Text("ocireffer")),
				h.Form(h.Role("search"), h.Action("/"),
					h.Label(h.For("q"), h.Class("unseen"), g.Text("Search repositories")),
					h.Input(h.Type("search"), h.ID("q"), h.Name("q"), h.Value(f.search), h.Placeholder("Search repositories"),
						h.AutoComplete("off"), g.Attr("spellcheck", "false")),
					h.Button(g.Text("Search")),
				),
			),
			h.Main(main...),
			h.Footer(
				h.A(h.Href(f.asJSON), g.Text("The same as JSON")),
				h.A(h.Href("/api/openapi.json"), g.Text("Description of the API")),
				g.If(f.version != "", h.Span(g.Text("ocireffer "+f.version))),
			),
			h.P(h.Role("status"), h.ID("said"), h.Class("unseen")),
			h.Script(g.Raw(script())),
		),
	)).Render(&buf)
	if err != nil {
		panic(err) // a buffer never fails
	}
	return buf.Bytes()
}

// Problem is a page about what went wrong and what to do.
type Problem struct {
	Site
	Title string
	Text  string
}

// HTML draws the page.
func (p Problem) HTML() []byte {
	return frame{title: p.Title, asJSON: "/api/repositories", version: p.Version}.page(
		h.H1(g.Text(p.Title)),
		h.P(g.Text(p.Text)),
		h.P(h.A(h.Href("/"), g.Text("All repositories"))),
	)
}

// path returns the path of a name's answers, without parameters.
func path(name reference.Name) string { return (&url.URL{Path: "/" + name.String()}).EscapedPath() }

// repositoryPath returns the path of a name's page with these parameters.
func repositoryPath(name reference.Name, parameters url.Values) string {
	return pathOf(name, "html", parameters)
}

func feedPath(name reference.Name, parameters url.Values) string {
	return pathOf(name, "atom", parameters)
}

func pathOf(name reference.Name, format string, parameters url.Values) string {
	p := path(name) + "?format=" + format
	if len(parameters) > 0 {
		p += "&" + parameters.Encode()
	}
	return p
}

func badgePath(name reference.Name, parameters string) string {
	return path(name) + "?format=svg" + parameters
}

// badge returns the Markdown of a badge that is drawn here.
func (s Site) badge(name reference.Name, parameters string) string {
	return s.markdown(name, s.URL+badgePath(name, parameters))
}

// markdown returns the Markdown of an image that leads to a name's page.
func (s Site) markdown(name reference.Name, image string) string {
	return "[![" + name.String() + "](" + image + ")](" + s.URL + repositoryPath(name, nil) + ")"
}

// code draws a text that people copy.
func code(text string) g.Node { return h.Code(g.Text(text)) }

// head draws the head of a column.
func head(text string) g.Node { return h.Th(h.Scope("col"), g.Text(text)) }

// ago draws the cell of a table that says how long before now t was. The exact
// time is its title, which browsers show on hover.
func ago(now, t time.Time, more ...g.Node) g.Node {
	return h.Td(h.Title(t.UTC().Format("2006-01-02 15:04:05 UTC")), g.Text(age(now.Sub(t))), g.Group(more))
}

// age returns how long ago something was, in the largest unit that fits.
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

// size returns n bytes in the largest decimal unit that fits.
func size(n int64) string {
	if n < 1000 {
		return count(int(n), "byte", "bytes")
	}
	units := []string{"kB", "MB", "GB", "TB", "PB", "EB"} // an int64 is at most 9.2 EB
	value := float64(n) / 1000
	for value >= 999.95 { // which would be shown as 1000.0
		value /= 1000
		units = units[1:]
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}

// count returns a number and the noun that goes with it.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// Policy returns the Content-Security-Policy of all pages: their own style and
// script, badges and searches of their own origin, and nothing else.
var Policy = sync.OnceValue(func() string {
	return "default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script()) + "'; img-src 'self' data:; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
})

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

//go:embed style.css
var style string

//go:embed script.js
var scriptFile string

// script returns the script as it is sent: without indentation and comment lines,
// which are a fifth of it. It is shortened for the first page, not at the start,
// because a badge needs no script.
var script = sync.OnceValue(func() string {
	var b strings.Builder
	for line := range strings.Lines(scriptFile) {
		if line = strings.TrimLeft(line, " "); line != "\n" && !strings.HasPrefix(line, "//") {
			b.WriteString(line)
		}
	}
	return b.String()
})

// icon is a tag on a string, for the browser's tab.
const icon = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='%230b5cad' d='M1 2v6l7 7 6-6-7-7z'/><circle cx='4.5' cy='5.5' r='1.5' fill='white'/></svg>`
