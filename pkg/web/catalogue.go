package web

import (
	"cmp"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/store"
)

// Catalogue is the page of all repositories, of a search, or of a category.
type Catalogue struct {
	Site
	View
	Entries  []store.Entry
	NotFirst bool       // a page comes before this one
	Next     string     // token of the next page; empty on the last
	Lists    []Category // the curated lists
}

// Category is a curated list.
type Category struct {
	Name    string
	Members []store.Entry
	More    int // how many members it has besides Members
}

// HTML draws the page.
func (c Catalogue) HTML() []byte {
	f := frame{title: c.title(), search: c.Search, asJSON: c.jsonPath(), feed: c.path("format", "atom"), version: c.Version}
	lists := g.Map(c.Lists, list)
	if c.isWhole() && len(c.Entries) == 0 {
		f.title = "Nothing has been pushed yet"
		return f.page(h.H1(g.Text(f.title)), howToConnect(c.URL), lists)
	}
	return f.page(
		h.Div(h.ID("results"),
			g.If(c.isWhole(), h.Data("all", "")),
			h.H1(g.Text(f.title)),
			lists,
			g.If(len(lists) > 0, h.H2(g.Text("All"))),
			h.P(h.ID("count"), h.Role("status"), g.Text(c.found())),
			g.If(len(c.Entries) > 0, h.Table(
				h.THead(h.Tr(head("Repository"), head("Newest reference"), head("Highest version"), head("Pushed"), head("README"))),
				h.TBody(g.Map(c.Entries, c.row)),
			)),
			c.pages(),
		),
	)
}

// isWhole reports whether the page has all repositories, so that the script can search
// in it without asking the server.
func (c Catalogue) isWhole() bool { return c.isAll() && !c.NotFirst && c.Next == "" }

func (c Catalogue) found() string {
	n := count(len(c.Entries), "repository", "repositories")
	switch {
	case c.Next != "":
		return n + " on this page, more follow"
	case c.Search != "" && len(c.Entries) == 0 && !c.NotFirst:
		return "No repository has all of these words in its name."
	default:
		return n
	}
}

func (c Catalogue) row(e store.Entry) g.Node {
	if !e.Published() {
		return h.Tr(h.Th(g.Text(e.Name.String())), h.Td(h.ColSpan("4"), g.Text("not yet published")))
	}
	name := e.LookupName()
	// No scope="row" here: browsers already treat a leading th as the row header
	// when the next cell is not empty. Saves 12 bytes a row.
	return h.Tr(
		h.Th(h.A(h.Href(repositoryPath(name, nil)), g.Text(e.Name.String()))),
		h.Td(code(e.Newest.Reference.String())),
		h.Td(highest(e)),
		ago(c.Now, e.Newest.PushedAt),
		h.Td(code(c.badge(name, ""))),
	)
}

// highest shows the highest version: as a reference to copy, if it is not the newest.
func highest(e store.Entry) g.Node {
	if version := e.Version(); version == "" || e.Highest == e.Newest.Reference {
		return g.Text(version)
	}
	return code(e.Highest.String())
}

// pages links to the other pages.
func (c Catalogue) pages() g.Node {
	if c.isWhole() {
		return nil
	}
	return h.Nav(h.Aria("label", "Pages"),
		g.If(c.NotFirst, h.A(h.Href(c.path()), g.Text("First page"))),
		g.If(c.Next != "", h.A(h.Rel("next"), h.Href(c.path("next", c.Next)), g.Text("Next page"))),
		g.If(!c.isAll(), h.A(h.Href("/"), g.Text("All repositories"))),
	)
}

func list(c Category) g.Node {
	id, href := "list-"+c.Name, "/?category="+c.Name
	return h.Section(h.Aria("labelledby", id), h.Class("list"),
		h.H2(h.ID(id), h.A(h.Href(href), g.Text(c.Name))),
		h.Ul(
			g.Map(c.Members, member),
			g.If(c.More > 0, h.Li(h.A(h.Href(href), g.Text("and "+strconv.Itoa(c.More)+" more")))),
		),
	)
}

func member(e store.Entry) g.Node {
	name := g.Text(e.Name.String())
	if !e.Published() {
		return h.Li(name, h.Small(g.Text(" not yet published")))
	}
	return h.Li(h.A(h.Href(repositoryPath(e.LookupName(), nil)), name), h.Small(g.Text(" "+cmp.Or(e.Version(), e.Newest.Reference.Tag))))
}

// howToConnect tells whoever runs an empty catalogue how to fill it.
func howToConnect(site string) g.Node {
	return g.Group{
		h.P(g.Text("Connect a registry, and what is pushed to it appears here. Azure Container Registry calls a webhook after each push:")),
		h.Pre(code(`az acr webhook create --registry REGISTRY --name ocireffer --actions push delete \
  --uri ` + site + `/api/azurehook --headers "Authorization=Bearer $TOKEN"`)),
		h.P(g.Text("References of any other registry are recorded by hand, or by a CI:")),
		h.Pre(code(`curl -X PUT -H "Authorization: Bearer $TOKEN" ` + site + `/api/references/ghcr.io/acme/app:1.2.3`)),
		h.P(g.Text("The token is the one that was chosen at the deployment; on localhost none is needed. What was pushed before the webhook was there is unknown until it is pushed again.")),
	}
}
