package web

import (
	"net/url"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/store"
)

// Repository is the page of one name.
type Repository struct {
	Site
	Name       string
	References []store.Push // newest first; only of a later page there may be none
	Later      bool         // it is not the first page
	Next       string       // token of the next page, if there is one
}

// HTML draws the page.
func (r Repository) HTML() []byte {
	return page(r.Name+" · ocireffer", "", "/api/repositories"+path(r.Name),
		h.H1(g.Text(r.Name)),
		g.Iff(!r.Later, func() g.Node {
			return g.Group{h.P(h.Class("newest"), code(r.References[0].Reference.String())), r.badges()}
		}),
		h.H2(g.Text("References")),
		g.If(len(r.References) == 0, h.P(g.Text("None is older."))),
		g.If(len(r.References) > 0, h.Table(h.Class("references"),
			h.THead(h.Tr(head("Reference"), head("Version"), head("Digest"), head("Manifest"), head("Pushed"))),
			h.TBody(g.Map(r.References, r.row)),
		)),
		g.If(r.Later || r.Next != "", h.Nav(h.Aria("label", "Pages"),
			g.If(r.Later, h.A(h.Href(repositoryPath(r.Name)), g.Text("Newest"))),
			g.If(r.Next != "", h.A(h.Rel("next"), h.Href(repositoryPath(r.Name)+"&next="+url.QueryEscape(r.Next)), g.Text("Older"))),
		)),
	)
}

func (r Repository) row(p store.Push) g.Node {
	digest, manifest := g.Node(nil), ""
	if p.Digest != "" {
		digest = code(p.Digest)
	}
	if p.Size >= 0 {
		manifest = size(p.Size)
	}
	return h.Tr(
		h.Th(h.Scope("row"), code(p.Reference.String())),
		h.Td(g.Text(p.Version())),
		h.Td(digest),
		h.Td(g.If(p.MediaType != "", h.Title(p.MediaType)), g.Text(manifest)),
		ago(r.Now, p.PushedAt, h.Small(g.Text(p.PushedAt.UTC().Format(" 2006-01-02 15:04 UTC")))),
	)
}

// kinds are the badges that a repository can have.
var kinds = []struct{ shows, parameters string }{
	{"pushed last", ""},
	{"highest version", "&sort=semver"},
	{"tag alone", "&show=tag"},
	{"digest", "&show=digest"},
	{"tag and digest", "&show=pinned"},
}

func (r Repository) badges() g.Node {
	var rows g.Group
	for _, kind := range kinds {
		rows = append(rows, h.Tr(
			h.Th(h.Scope("row"), g.Text(kind.shows)),
			h.Td(h.Img(h.Loading("lazy"), h.Alt("badge: "+kind.shows), h.Src(badgePath(r.Name, kind.parameters)))),
			h.Td(code(r.badge(r.Name, kind.parameters))),
		))
	}
	shields := "https://img.shields.io/endpoint?url=" + url.QueryEscape(r.URL+path(r.Name))
	rows = append(rows, h.Tr(
		h.Th(h.Scope("row"), g.Text("by shields.io")),
		h.Td(g.Text("with a logo and its styles")),
		h.Td(code(markdown(r.Name, shields))),
	))
	return h.Details(h.Class("badges"),
		h.Summary(g.Text("Badges for a README")),
		h.Table(h.THead(h.Tr(head("Shows"), head("Badge"), head("Markdown"))), h.TBody(rows)),
	)
}
