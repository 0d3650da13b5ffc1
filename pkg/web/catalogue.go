package web

import (
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/store"
)

// Catalogue is the page of all repositories, of a search, or of a category.
type Catalogue struct {
	Site
	View
	Entries []store.Entry
	Next    string     // token of the next page; empty on the last
	Lists   []Category // the curated lists

	Registries []string // that a search may choose from, besides those of Entries
}

// HTML draws the page.
func (c Catalogue) HTML() []byte {
	f := frame{
		Site: c.Site, title: c.title(), description: c.description(), path: c.path("next", c.Page),
		view: c.View, registries: c.registries(), asJSON: c.jsonPath(), feed: c.path("format", "atom"),
	}
	lists := lists(c.Lists)
	if c.IsFirst() && len(c.Entries) == 0 {
		f.title = "Nothing has been pushed yet"
		return f.page(h.H1(g.Text(f.title)), c.howToConnect(), lists)
	}
	return f.page(
		h.Div(h.ID("results"),
			h.H1(g.Text(f.title)),
			lists,
			g.If(len(c.Lists) > 0, h.H2(g.Text("All repositories"))),
			h.P(h.ID("count"), h.Role("status"), g.Text(c.found())),
			g.If(len(c.Entries) > 0, h.Table(
				h.THead(h.Tr(c.sortHead("Repository", false), head("Newest reference"), head("Highest version"), c.sortHead("Pushed", true), head("Badge"))),
				h.TBody(g.Map(c.Entries, c.row)),
			)),
			c.pages(),
		),
	)
}

func (c Catalogue) description() string {
	description := "The newest OCI reference and the highest version of each repository, with badges, feeds and JSON."
	if !c.isAll() {
		description = c.title() + ". " + description
	}
	return description
}

// mostRegistries is the greatest number of registries that a search offers besides those
// of the page. Nobody reads more, and each is an element of the page.
const mostRegistries = 100

// registries returns those that a search may choose from: Registries, those of the page's
// newest references, and the chosen one.
func (c Catalogue) registries() (all []string) {
	if len(c.Registries) <= mostRegistries {
		all = append(all, c.Registries...)
	}
	if c.Registry != "" {
		all = append(all, c.Registry)
	}
	for _, e := range c.Entries {
		if e.Published() {
			all = append(all, e.Newest.Reference.Registry)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sortHead draws the head of a column that sorts repositories.
func (c Catalogue) sortHead(text string, newest bool) g.Node {
	if c.Newest != newest {
		return h.Th(h.Scope("col"), h.Class("sort"), h.A(h.Href(c.sorted(newest).path()), g.Text(text)))
	}
	direction := "ascending"
	if newest {
		direction = "descending"
	}
	return h.Th(h.Scope("col"), h.Class("sort"), h.Aria("sort", direction), g.Text(text))
}

func (c Catalogue) found() string {
	n := count(len(c.Entries), "repository", "repositories")
	switch {
	case c.Page == "" && c.Next != "":
		return "The first " + n
	case c.Page != "" && len(c.Entries) == 0:
		return "There are no more."
	case c.Page != "":
		return n + " more"
	case len(c.Entries) == 0:
		return "No repository matches. A search finds names and registries that contain every word."
	default:
		return n
	}
}

func (c Catalogue) row(e store.Entry) g.Node {
	if !e.Published() {
		return h.Tr(h.Th(breakableName(e.Name.String())), h.Td(h.ColSpan("4"), g.Text("not yet published")))
	}
	// No scope="row" here: browsers already treat a leading th as the row header
	// when the next cell is not empty. Saves 12 bytes a row.
	return h.Tr(
		h.Th(nameLink(e)),
		h.Td(copiedReference(e.Newest.Reference)),
		h.Td(highest(e)),
		h.Td(ago(c.Now, e.Newest.PushedAt)),
		h.Td(g.Text(c.badge(e.LookupName(), nil).markdown())),
	)
}

// highest draws the highest version. It is a reference to copy if it differs from the
// newest.
func highest(e store.Entry) g.Node {
	switch version := e.Version(); {
	case version == "":
		return g.Text("–")
	case e.Highest == e.Newest.Reference:
		return g.Text(version)
	default:
		return copiedReference(e.Highest)
	}
}

// pages draws links to the other pages.
func (c Catalogue) pages() g.Node {
	if c.IsFirst() && c.Next == "" {
		return nil
	}
	return h.Nav(h.Aria("label", "Pages"),
		g.If(c.Page != "", h.A(h.Href(c.path()), g.Text("First page"))),
		g.If(c.Next != "", h.A(h.Rel("next"), h.Href(c.path("next", c.Next)), g.Text("Next page"))),
		g.If(!c.isAll(), h.A(h.Href("/"), g.Text("All repositories"))),
	)
}
