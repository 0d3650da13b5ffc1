package web

import (
	"cmp"
	"net/url"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/store"
)

// Catalog is the page of all repositories, of those that a search found, or of
// those of one category.
type Catalog struct {
	Site
	Entries  []store.Entry
	Search   string     // what was searched for
	Category string     // whose members Entries are
	Later    bool       // it is not the first page
	Next     string     // token of the next page, if there is one
	Lists    []Category // the curated lists
}

// Category is a curated list.
type Category struct {
	Name    string
	Members []store.Entry
	More    int // how many members it has beside these
}

// HTML draws the page.
func (c Catalog) HTML() []byte {
	lists := g.Map(c.Lists, c.list)
	if c.everything() && len(c.Entries) == 0 {
		return c.page("ocireffer", h.H1(g.Text("Nothing has been pushed yet")), howToConnect(c.URL), lists)
	}
	title := "Repositories"
	switch {
	case c.Search != "":
		title = "Repositories with “" + c.Search + "”"
	case c.Category != "":
		title = c.Category
	}
	return c.page(title+" · ocireffer",
		h.Div(h.ID("results"),
			g.If(c.everything(), h.Data("all", "")),
			h.H1(g.Text(title)),
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

// page draws one around the main part, with what was searched for still in the
// search box.
func (c Catalog) page(title string, main ...g.Node) []byte {
	return page(title, c.Search, "/api/repositories", main...)
}

func head(text string) g.Node { return h.Th(h.Scope("col"), g.Text(text)) }

// everything reports whether the page has all repositories, so that the script
// can search by itself.
func (c Catalog) everything() bool {
	return c.Search == "" && c.Category == "" && !c.Later && c.Next == ""
}

func (c Catalog) found() string {
	n := count(len(c.Entries), "repository", "repositories")
	switch {
	case c.Next != "":
		return n + " on this page, more follow"
	case c.Search != "" && len(c.Entries) == 0 && !c.Later:
		return "No repository has all of these words in its name."
	default:
		return n
	}
}

func (c Catalog) list(l Category) g.Node {
	return h.Section(h.Aria("labelledby", "list-"+l.Name), h.Class("list"),
		h.H2(h.ID("list-"+l.Name), h.A(h.Href("/?category="+l.Name), g.Text(l.Name))),
		h.Ul(
			g.Map(l.Members, func(e store.Entry) g.Node {
				if !e.Published() {
					return h.Li(g.Text(e.Name), h.Small(g.Text(" not yet published")))
				}
				return h.Li(h.A(h.Href(repositoryPath(e.Name)), g.Text(e.Name)), h.Small(g.Text(" "+cmp.Or(e.Version, e.Newest.Reference.Tag))))
			}),
			g.If(l.More > 0, h.Li(h.A(h.Href("/?category="+l.Name), g.Text("and "+strconv.Itoa(l.More)+" more")))),
		),
	)
}

func (c Catalog) row(e store.Entry) g.Node {
	if !e.Published() {
		return h.Tr(h.Th(g.Text(e.Name)), h.Td(h.ColSpan("4"), g.Text("not yet published")))
	}
	// The first cell needs no scope to be the row's header, as the second is never
	// empty: twelve bytes a row.
	return h.Tr(
		h.Th(h.A(h.Href(repositoryPath(e.Name)), g.Text(e.Name))),
		h.Td(code(e.Newest.Reference.String())),
		h.Td(g.Text(e.Version)),
		ago(c.Now, e.Newest.PushedAt),
		h.Td(code(c.badge(e.Name, ""))),
	)
}

// pages links to the page that follows.
func (c Catalog) pages() g.Node {
	if c.everything() {
		return nil
	}
	next := url.Values{"next": {c.Next}}
	first := url.Values{}
	if c.Search != "" {
		next.Set("q", c.Search)
		first.Set("q", c.Search)
	}
	return h.Nav(h.Aria("label", "Pages"),
		g.If(c.Later, h.A(h.Href("/?"+first.Encode()), g.Text("First page"))),
		g.If(c.Next != "", h.A(h.Rel("next"), h.Href("/?"+next.Encode()), g.Text("Next page"))),
		g.If(c.Search != "" || c.Category != "", h.A(h.Href("/"), g.Text("All repositories"))),
	)
}

// howToConnect is what an empty catalogue says.
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
