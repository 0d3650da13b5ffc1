package web

import (
	"html"
	"maps"
	"net/url"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/reference"
)

// A badge is an image with a link to the page of a name.
type badge struct {
	name  string
	image string // URL
	page  string // URL
}

// badge returns a badge that this site draws, with these parameters.
func (s Site) badge(name reference.Name, parameters url.Values) badge {
	return badge{name.String(), s.URL + badgePath(name, parameters), s.URL + RepositoryPath(name, onlyTags(parameters))}
}

// onlyTags returns the parameters that choose tags. The page shows everything else
// without parameters.
func onlyTags(parameters url.Values) url.Values {
	tags := url.Values{}
	for _, name := range []string{"tag", "ignore"} {
		if parameters.Has(name) {
			tags[name] = parameters[name]
		}
	}
	return tags
}

func (b badge) markdown() string { return "[![" + b.name + "](" + b.image + ")](" + b.page + ")" }

func (b badge) html() string {
	return `<a href="` + html.EscapeString(b.page) + `"><img src="` + html.EscapeString(b.image) + `" alt="` + html.EscapeString(b.name) + `"></a>`
}

// asciidoc returns b in AsciiDoc, with its addresses escaped where AsciiDoc would see
// formatting.
func (b badge) asciidoc() string {
	escape := strings.NewReplacer("_", "%5F", "--", "-%2D").Replace
	return "image:" + escape(b.image) + "[" + b.name + `,link="` + escape(b.page) + `"]`
}

// badges draws a row for each badge that the repository can have.
func (r Repository) badges() g.Node {
	return h.Details(h.Class("badges"),
		h.Summary(g.Text("Badges for a README")),
		h.Table(
			h.THead(h.Tr(head("Shows"), head("Badge"), head("Markdown"), head("HTML"), head("AsciiDoc"))),
			h.TBody(g.Map(r.badgeKinds(), r.badgeRow), g.If(!r.isLocal(), r.shieldsRow())),
		),
	)
}

type badgeKind struct{ shows, parameters string }

// badgeKinds returns the badges that this site draws and that have something to show.
func (r Repository) badgeKinds() []badgeKind {
	kinds := []badgeKind{{"newest reference", ""}}
	if r.hasHighest() {
		kinds = append(kinds, badgeKind{"highest version", "sort=semver"}, badgeKind{"version only", "sort=semver&show=version"})
	}
	kinds = append(kinds, badgeKind{"tag only", "show=tag"}, badgeKind{"date of the push", "show=date"})
	if r.Newest.Digest != "" {
		kinds = append(kinds, badgeKind{"digest", "show=digest"}, badgeKind{"tag and digest", "show=pinned"})
	}
	return kinds
}

func (r Repository) badgeRow(k badgeKind) g.Node {
	parameters := r.badgeParameters(k.parameters)
	return h.Tr(
		h.Th(h.Scope("row"), g.Text(k.shows)),
		h.Td(h.Img(h.Loading("lazy"), h.Alt("badge: "+k.shows), h.Src(badgePath(r.Name, parameters)))),
		codeCells(r.badge(r.Name, parameters)),
	)
}

// badgeParameters returns the parameters of a kind of badge, for the tags on the page.
func (r Repository) badgeParameters(query string) url.Values {
	parameters, err := url.ParseQuery(query)
	if err != nil {
		panic(err) // the query is a constant
	}
	maps.Copy(parameters, onlyTags(r.Filter))
	return parameters
}

// shieldsRow draws the row of the badge that shields.io draws. It does not show the
// image, which would be loaded from elsewhere.
func (r Repository) shieldsRow() g.Node {
	b := r.badge(r.Name, onlyTags(r.Filter))
	answer := r.URL + path(r.Name)
	if tags := onlyTags(r.Filter); len(tags) > 0 {
		answer += "?" + tags.Encode()
	}
	b.image = "https://img.shields.io/endpoint?url=" + url.QueryEscape(answer)
	return h.Tr(
		h.Th(h.Scope("row"), g.Text("by shields.io")),
		h.Td(g.Text("with a logo and its styles")),
		codeCells(b),
	)
}

func codeCells(b badge) g.Node {
	return g.Map([]string{b.markdown(), b.html(), b.asciidoc()}, func(text string) g.Node { return h.Td(h.Class("copy"), g.Text(text)) })
}
