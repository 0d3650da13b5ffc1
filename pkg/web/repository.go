package web

import (
	"net/url"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Repository is the page of one name.
type Repository struct {
	Site
	Name       reference.Name
	Filter     url.Values          // the parameters that choose what is shown, for all of its pages
	Newest     reference.Reference // the answer to the question for a single one; only the first page has it
	References []event.Push        // newest first
	NotFirst   bool                // a page comes before this one
	Next       string              // token of the next page; empty on the last
}

// HTML draws the page.
func (r Repository) HTML() []byte {
	name := r.Name.String()
	f := frame{title: name, asJSON: r.jsonPath(), feed: feedPath(r.Name, r.Filter), version: r.Version}
	return f.page(
		h.H1(g.Text(name)),
		g.Iff(!r.NotFirst, r.top),
		h.H2(g.Text("References")),
		g.If(len(r.References) == 0, h.P(g.Text(r.nothing()))),
		g.If(len(r.References) > 0, h.Table(h.Class("references"),
			h.THead(h.Tr(head("Reference"), head("Version"), head("Digest"), head("Manifest"), head("Pushed"))),
			h.TBody(g.Map(r.References, r.row)),
		)),
		r.pages(),
	)
}

func (r Repository) jsonPath() string {
	p := "/api/repositories" + path(r.Name)
	if len(r.Filter) > 0 {
		p += "?" + r.Filter.Encode()
	}
	return p
}

// nothing says why the page has no references.
func (r Repository) nothing() string {
	if r.Next != "" {
		return "None of these matches."
	}
	return "None is older."
}

// top shows the newest reference and the badges.
func (r Repository) top() g.Node {
	return g.Group{h.P(h.Class("newest"), code(r.Newest.String())), r.badges()}
}

// badges has a row for each badge that a repository can have.
func (r Repository) badges() g.Node {
	return h.Details(h.Class("badges"),
		h.Summary(g.Text("Badges for a README")),
		h.Table(
			h.THead(h.Tr(head("Shows"), head("Badge"), head("Markdown"))),
			h.TBody(g.Map(badgeKinds, r.badgeRow), r.shieldsRow()),
		),
	)
}

// badgeKinds are the badges that are drawn here, with their parameters.
var badgeKinds = []badgeKind{
	{"pushed last", ""},
	{"highest version", "&sort=semver"},
	{"tag alone", "&show=tag"},
	{"digest", "&show=digest"},
	{"tag and digest", "&show=pinned"},
}

type badgeKind struct{ shows, parameters string }

func (r Repository) badgeRow(k badgeKind) g.Node {
	return h.Tr(
		h.Th(h.Scope("row"), g.Text(k.shows)),
		h.Td(h.Img(h.Loading("lazy"), h.Alt("badge: "+k.shows), h.Src(badgePath(r.Name, k.parameters)))),
		h.Td(code(r.badge(r.Name, k.parameters))),
	)
}

// shieldsRow has the badge that shields.io draws. Its image would be loaded from
// elsewhere, so it is not shown.
func (r Repository) shieldsRow() g.Node {
	image := "https://img.shields.io/endpoint?url=" + url.QueryEscape(r.URL+path(r.Name))
	return h.Tr(
		h.Th(h.Scope("row"), g.Text("by shields.io")),
		h.Td(g.Text("with a logo and its styles")),
		h.Td(code(r.markdown(r.Name, image))),
	)
}

func (r Repository) row(p event.Push) g.Node {
	digest, manifest := g.Node(nil), ""
	if p.Digest != "" {
		digest = code(p.Digest)
	}
	if p.SizeKnown() {
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

// pages links to the other pages.
func (r Repository) pages() g.Node {
	if !r.NotFirst && r.Next == "" {
		return nil
	}
	newest := repositoryPath(r.Name, r.Filter)
	return h.Nav(h.Aria("label", "Pages"),
		g.If(r.NotFirst, h.A(h.Href(newest), g.Text("Newest"))),
		g.If(r.Next != "", h.A(h.Rel("next"), h.Href(newest+"&next="+url.QueryEscape(r.Next)), g.Text("Older"))),
	)
}
