package web

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// A frame is everything around the main part of a page.
type frame struct {
	Site
	title       string
	description string   // for search engines and link previews; empty: none
	path        string   // path of the page, with the parameters that it depends on; empty: the page shows an error
	view        View     // what the search box keeps
	registries  []string // the registries that a search may choose from
	asJSON      string   // path of the same content as JSON; empty: there is none
	feed        string   // path of its feed; empty: there is none
}

// page draws a page with this main part.
func (f frame) page(main ...g.Node) []byte {
	var buf bytes.Buffer
	err := h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.TitleEl(g.Text(f.fullTitle())),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.Link(h.Rel("icon"), h.Href(icon)),
			f.links(),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(
			h.A(h.Class("skip"), h.Href("#main"), g.Text("Skip to content")),
			h.Header(h.A(h.Href("/"), g.Text(f.Title)), f.searchForm()),
			h.Main(append([]g.Node{h.ID("main")}, main...)...),
			h.Footer(
				g.If(f.asJSON != "", h.A(h.Href(f.asJSON), g.Text("JSON"))),
				g.If(f.feed != "", h.A(h.Href(f.feed), g.Text("Feed"))),
				h.A(h.Href("/api/openapi.json"), g.Text("API (OpenAPI)")),
				g.If(f.Version != "", h.Span(g.Text("ocireffer "+f.Version))),
			),
			h.P(h.Role("status"), h.ID("said"), h.Class("unseen")),
			h.Script(g.Raw(script())),
		),
	)).Render(&buf)
	if err != nil {
		panic(err) // a buffer never fails
	}
	return withoutControls(buf.Bytes())
}

// withoutControls replaces what a page must not contain by a sign: bytes that are not
// UTF-8, and control characters. What a reader typed may contain them.
func withoutControls(page []byte) []byte {
	isForbidden := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if utf8.Valid(page) && bytes.IndexFunc(page, isForbidden) < 0 {
		return page
	}
	return bytes.Map(func(r rune) rune {
		if isForbidden(r) {
			return unicode.ReplacementChar
		}
		return r
	}, page)
}

func (f frame) fullTitle() string { return f.title + " · " + f.Title }

// links draws the elements for search engines, link previews and feed readers. The page
// of an error has none of them.
func (f frame) links() g.Node {
	if f.path == "" {
		return nil
	}
	property := func(name, content string) g.Node { return h.Meta(g.Attr("property", name), h.Content(content)) }
	return g.Group{
		h.Meta(h.Name("description"), h.Content(f.description)),
		h.Link(h.Rel("canonical"), h.Href(f.URL+f.path)),
		property("og:type", "website"),
		property("og:site_name", f.Title),
		property("og:title", f.title),
		property("og:description", f.description),
		property("og:url", f.URL+f.path),
		g.If(f.feed != "", h.Link(h.Rel("alternate"), h.Type("application/atom+xml"), h.Href(f.feed))),
	}
}

// searchForm draws the search box. It keeps the order and the registry of the page.
func (f frame) searchForm() g.Node {
	return h.Form(h.Role("search"), h.Action("/"),
		h.Label(h.For("q"), h.Class("unseen"), g.Text("Search repositories and registries")),
		h.Input(h.Type("search"), h.ID("q"), h.Name("q"), h.Value(f.view.Search), h.Placeholder("Search repositories"),
			h.AutoComplete("off"), g.Attr("spellcheck", "false")),
		g.If(len(f.registries) > 1 || f.view.Registry != "", f.registryChoice()),
		g.If(f.view.Newest, h.Input(h.Type("hidden"), h.Name("sort"), h.Value(f.view.sort()))),
		h.Button(g.Text("Search")),
	)
}

func (f frame) registryChoice() g.Node {
	return h.Select(h.Name("registry"), h.Aria("label", "Registry"),
		h.Option(h.Value(""), g.Text("All registries")),
		g.Map(f.registries, func(registry string) g.Node {
			return h.Option(g.If(registry == f.view.Registry, h.Selected()), g.Text(registry))
		}),
	)
}

// Problem is a page about what went wrong and what to do.
type Problem struct {
	Site
	Heading string // what went wrong
	Text    string // why, and what to do
	Links   []Link // where to go from there, besides all repositories
	JSON    string // path of the same answer as JSON; empty: there is none
}

// A Link leads to another page of the site.
type Link struct{ Text, Path string }

// HTML draws the page.
func (p Problem) HTML() []byte {
	return frame{Site: p.Site, title: p.Heading, asJSON: p.JSON}.page(
		h.H1(g.Text(p.Heading)),
		h.P(g.Text(p.Text)),
		h.Ul(
			g.Map(p.Links, func(l Link) g.Node { return h.Li(h.A(h.Href(l.Path), g.Text(l.Text))) }),
			h.Li(h.A(h.Href("/"), g.Text("All repositories"))),
		),
	)
}
