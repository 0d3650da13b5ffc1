package web

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Repository is the page of one name.
type Repository struct {
	Site
	Name       reference.Name
	Lists      []string   // the curated lists that it is in
	Filter     url.Values // the parameters that choose what is shown, for all of its pages
	Newest     event.Push // only the first page has it; zero: no match among those that were looked at
	Highest    event.Push // the highest version; zero: no tag is one, or none that was looked at
	BySemver   bool       // Highest is what the reader has asked for, and comes first
	References []event.Push
	Page       string // token of the page; empty: the first
	Next       string // token of the next page; empty on the last
}

// HTML draws the page.
func (r Repository) HTML() []byte {
	name := r.Name.String()
	f := frame{
		Site: r.Site, title: name, description: r.description(), path: r.pagePath(r.Page),
		asJSON: r.jsonPath(), feed: feedPath(r.Name, onlyTags(r.Filter)),
	}
	return f.page(
		r.ways(),
		h.H1(breakableName(name)),
		r.lists(),
		r.filter(),
		g.Iff(r.Page == "", func() g.Node { return g.Group{r.cards(), r.badges()} }),
		h.H2(g.Text(r.heading())),
		r.filterForm(),
		r.table(),
		r.pages(),
	)
}

func (r Repository) description() string {
	if r.Page != "" {
		return "Older references of " + r.Name.String() + "."
	}
	var parts []string
	if r.hasNewest() {
		parts = append(parts, "newest "+r.Newest.Reference.String(), "pushed "+r.Newest.PushedAt.UTC().Format("2 January 2006"))
	}
	if r.hasHighest() && r.Highest.Reference != r.Newest.Reference {
		parts = append(parts, "highest version "+r.Highest.Reference.String())
	}
	return r.Name.String() + ": " + strings.Join(parts, ", ") + "."
}

// pagePath returns the path of the page with this token.
func (r Repository) pagePath(token string) string {
	p := RepositoryPath(r.Name, r.Filter)
	if token != "" {
		p += "&next=" + url.QueryEscape(token)
	}
	return p
}

func (r Repository) jsonPath() string {
	parameters := onlyTags(r.Filter)
	if r.Page != "" {
		parameters.Set("next", r.Page)
	}
	return ReferencesPath(r.Name, parameters)
}

// ways draws links to related pages: all repositories, those in the same registry, and
// repositories of the same name elsewhere.
func (r Repository) ways() g.Node {
	links := []Link{{"All repositories", "/"}}
	if r.Name.Registry != "" {
		links = append(links, Link{"All of " + r.Name.Registry, View{Registry: r.Name.Registry}.path()})
		anywhere, err := reference.ParseName(r.Name.Repository)
		if err == nil && anywhere.Registry == "" {
			links = append(links, Link{anywhere.String() + " in any registry", RepositoryPath(anywhere, nil)})
		}
	}
	for _, registry := range r.registries() {
		own := reference.Name{Registry: registry, Repository: r.Name.Repository}
		links = append(links, Link{"Only in " + registry, RepositoryPath(own, nil)})
	}
	return h.Nav(h.Aria("label", "Elsewhere"), g.Map(links, func(l Link) g.Node {
		return h.A(h.Href(l.Path), g.Text(l.Text))
	}))
}

// lists links to the curated lists that the name is in.
func (r Repository) lists() g.Node {
	if len(r.Lists) == 0 {
		return nil
	}
	var links g.Group
	for i, list := range r.Lists {
		links = append(links, g.If(i > 0, g.Text(", ")), h.A(h.Href(View{Category: list}.path()), g.Text(list)))
	}
	return h.P(g.Text("Listed in "), links)
}

// registries returns the registries that have a page of the name of their own. A name
// that was given by hand has none.
func (r Repository) registries() (all []string) {
	if r.Name.Registry != "" {
		return nil
	}
	for _, p := range r.References {
		if p.GivenName == "" {
			all = append(all, p.Reference.Registry)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// filter draws the note that the page does not show all tags.
func (r Repository) filter() g.Node {
	var said []string
	if tags := r.Filter["tag"]; len(tags) > 0 {
		said = append(said, "that match "+strings.Join(tags, ", "))
	}
	if tags := r.Filter["ignore"]; len(tags) > 0 {
		said = append(said, "that do not match "+strings.Join(tags, ", "))
	}
	if len(said) == 0 {
		return nil
	}
	return h.P(g.Text("Only tags "+strings.Join(said, " and ")+". "), h.A(h.Href(RepositoryPath(r.Name, nil)), g.Text("Show all tags")))
}

// heading says which references the page has, and how many.
func (r Repository) heading() string {
	n := count(len(r.References), "reference", "references")
	switch {
	case len(r.References) == 0:
		return "References"
	case r.Page != "":
		return count(len(r.References), "older reference", "older references")
	case r.Next != "":
		return "The newest " + n
	default:
		return n
	}
}

// fewReferences is how many references nobody needs to filter.
const fewReferences = 10

// filterForm draws the field that chooses tags. It keeps all other parameters. It needs
// no format, since browsers ask for HTML.
func (r Repository) filterForm() g.Node {
	tags := strings.Join(r.Filter["tag"], ",")
	if tags == "" && r.Page == "" && r.Next == "" && len(r.References) <= fewReferences {
		return nil
	}
	var others g.Group
	for _, name := range slices.Sorted(maps.Keys(r.Filter)) {
		for _, value := range r.Filter[name] {
			others = append(others, g.If(name != "tag", h.Input(h.Type("hidden"), h.Name(name), h.Value(value))))
		}
	}
	return h.Form(h.Class("filter"), h.Action(path(r.Name)),
		h.Input(h.Name("tag"), h.Value(tags), h.Aria("label", "Filter tags"), h.Placeholder("Filter tags: 1.2.*"),
			h.AutoComplete("off"), g.Attr("autocapitalize", "none"), g.Attr("spellcheck", "false")),
		others,
		h.Button(g.Text("Filter")),
	)
}

// cards draws the newest reference and the highest version side by side, the requested
// one first.
func (r Repository) cards() g.Node {
	var cards g.Group
	switch {
	case !r.hasNewest():
		cards = g.Group{r.card("highest", "Highest version", r.Highest)}
	case !r.hasHighest():
		cards = g.Group{r.card("newest", "Newest", r.Newest)}
	case r.Highest.Reference == r.Newest.Reference:
		cards = g.Group{r.card("newest", "Newest and highest version", r.Newest)}
	default:
		cards = g.Group{r.card("newest", "Newest", r.Newest), r.card("highest", "Highest version", r.Highest)}
	}
	if r.BySemver {
		slices.Reverse(cards)
	}
	return h.Div(h.Class("cards"), cards)
}

func (r Repository) hasNewest() bool { return r.Newest.Reference != (reference.Reference{}) }

func (r Repository) hasHighest() bool { return r.Highest.Reference != (reference.Reference{}) }

func (r Repository) card(id, title string, p event.Push) g.Node {
	line := func(term string, value ...g.Node) g.Node { return g.Group{h.Dt(g.Text(term)), h.Dd(value...)} }
	ref := p.Reference.String()
	return h.Section(h.Aria("labelledby", id),
		h.H2(h.ID(id), g.Text(title)),
		h.P(h.Class("tag"), g.Text(p.Reference.Tag), markOf(p.Reference.Tag)),
		h.Dl(
			line("Reference", copied(ref)),
			line("Pull", copied(strings.ReplaceAll(r.PullCommand, "{reference}", ref))),
			g.Iff(p.Digest != "", func() g.Node { return line("Digest", digest(p.Digest)...) }),
			g.Iff(kindOf(p.MediaType) != "", func() g.Node { return line("Kind", g.Text(kindOf(p.MediaType))) }),
			line("Pushed", ago(r.Now, p.PushedAt)),
		),
	)
}

// pages draws links to the other pages.
func (r Repository) pages() g.Node {
	if r.Page == "" && r.Next == "" {
		return nil
	}
	return h.Nav(h.Aria("label", "Pages"),
		g.If(r.Page != "", h.A(h.Href(r.pagePath("")), g.Text("Newest"))),
		g.If(r.Next != "", h.A(h.Rel("next"), h.Href(r.pagePath(r.Next)), g.Text("Older"))),
	)
}
