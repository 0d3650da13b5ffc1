package web

import (
	"slices"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/event"
)

// columns says which columns of the table of references are not empty.
type columns struct{ version, digest, kind bool }

// table draws the references. Those of one digest are together, at the place of the
// newest of them.
func (r Repository) table() g.Node {
	if len(r.References) == 0 {
		return h.P(g.Text(r.nothing()))
	}
	var c columns
	for _, p := range r.References {
		c.version = c.version || p.Version() != ""
		c.digest = c.digest || p.Digest != ""
		c.kind = c.kind || kindOf(p.MediaType) != ""
	}
	return h.Table(h.Class("references"),
		h.THead(h.Tr(head("Reference"), g.If(c.version, head("Version")), head("Pushed"), g.If(c.digest, head("Digest")), g.If(c.kind, head("Kind")))),
		g.Map(byDigest(r.References), func(same []event.Push) g.Node { return r.group(same, c) }),
	)
}

// nothing says why the page shows no references.
func (r Repository) nothing() string {
	if r.Next != "" {
		return "None of these matches."
	}
	return "There are no older ones."
}

// byDigest groups references by digest and repository. The groups keep the order of their
// first references.
func byDigest(all []event.Push) (groups [][]event.Push) {
	for _, p := range all {
		i := slices.IndexFunc(groups, func(same []event.Push) bool {
			return p.Digest != "" && same[0].Digest == p.Digest && same[0].Reference.Name() == p.Reference.Name()
		})
		if i < 0 {
			groups = append(groups, []event.Push{p})
			continue
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

// group draws the rows of the references of one digest. The first row has what all of
// them share.
func (r Repository) group(same []event.Push, c columns) g.Node {
	shared := func(value g.Node) g.Node {
		return h.Td(g.If(len(same) > 1, h.RowSpan(strconv.Itoa(len(same)))), value)
	}
	rows := make(g.Group, len(same))
	for i, p := range same {
		rows[i] = h.Tr(
			h.Th(h.Scope("row"), code(p.Reference.String()), markOf(p.Reference.Tag)),
			g.If(c.version, h.Td(g.Text(p.Version()))),
			h.Td(ago(r.Now, p.PushedAt)),
			g.If(i == 0 && c.digest, shared(digest(p.Digest))),
			g.If(i == 0 && c.kind, shared(g.Text(kindOf(p.MediaType)))),
		)
	}
	return h.TBody(rows)
}

// digest draws a digest, if it is known. The style sheet shortens it, but copying it
// gives the whole digest.
func digest(text string) g.Node { return g.If(text != "", h.Code(h.Class("digest"), g.Text(text))) }

// kindOf returns what the media type of a manifest tells a person, or "".
func kindOf(mediaType string) string {
	switch {
	case mediaType == "application/vnd.oci.image.index.v1+json",
		mediaType == "application/vnd.docker.distribution.manifest.list.v2+json":
		return "multi-platform"
	case mediaType == "application/vnd.oci.image.manifest.v1+json",
		strings.HasPrefix(mediaType, "application/vnd.docker.distribution.manifest.v"):
		return "single manifest"
	default:
		return mediaType
	}
}
