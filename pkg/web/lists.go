package web

import (
	"cmp"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/store"
)

// Category is a curated list.
type Category struct {
	Name    string
	Members []store.Entry
	More    int // how many members it has besides Members
}

// ShownLists is how many lists a page shows with their members. It shows only the names
// of the others, folded.
const ShownLists = 6

// shownMembers is how many members of a list are not folded: a few lines. If only one
// more would be folded, it is shown, too: the fold would need as much room.
const shownMembers = 8

func lists(all []Category) g.Node {
	shown, others := all, []Category(nil)
	if len(all) > ShownLists {
		shown, others = all[:ShownLists], all[ShownLists:]
	}
	return g.Group{
		g.Map(shown, list),
		g.If(len(others) > 0, h.Details(h.Class("list"),
			h.Summary(g.Text(count(len(others), "more list", "more lists"))),
			h.Ul(g.Map(others, func(c Category) g.Node { return h.Li(listLink(c, c.Name)) })),
		)),
	}
}

// listLink draws a link to the page of a list.
func listLink(c Category, text string) g.Node {
	return h.A(h.Href(View{Category: c.Name}.path()), g.Text(text))
}

func list(c Category) g.Node {
	id := "list-" + c.Name
	shown, folded := c.Members, []store.Entry(nil)
	if len(c.Members)+c.More > shownMembers+1 {
		shown, folded = c.Members[:shownMembers], c.Members[shownMembers:]
	}
	return h.Section(h.Aria("labelledby", id), h.Class("list"),
		h.H2(h.ID(id), listLink(c, c.Name)),
		h.Ul(g.Map(shown, member)),
		g.If(len(folded) > 0, h.Details(
			h.Summary(g.Text(strconv.Itoa(len(folded)+c.More)+" more"), h.Span(h.Class("unseen"), g.Text(" in "+c.Name))),
			h.Ul(
				g.Map(folded, member),
				g.If(c.More > 0, h.Li(listLink(c, "All "+strconv.Itoa(len(c.Members)+c.More)))),
			),
		)),
	)
}

func member(e store.Entry) g.Node {
	if !e.Published() {
		return h.Li(g.Text(e.Name.String() + " not yet published"))
	}
	return h.Li(
		h.A(h.Href(RepositoryPath(e.LookupName(), nil)), g.Text(e.Name.String())),
		g.Text(" "+cmp.Or(e.Version(), e.Newest.Reference.Tag)),
	)
}
