package storetest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// The model answers as a store must after some events, whatever their order. It spells
// out the contract's sentences and shares no code with a backend: neither ranks and keys
// nor the rules of package event.

// isNewer reports whether p wins over q, a push of the same reference.
func isNewer(p, q event.Push) bool {
	switch {
	case !p.PushedAt.Equal(q.PushedAt):
		return p.PushedAt.After(q.PushedAt)
	case p.Digest != q.Digest:
		return p.Digest > q.Digest
	case p.Size != q.Size:
		return p.Size > q.Size
	default:
		return p.MediaType > q.MediaType
	}
}

// isFoundUnder reports whether a reader finds p under a name.
func isFoundUnder(p event.Push, name reference.Name) bool {
	r := p.Reference
	switch {
	case p.GivenName != "":
		return name.Registry == "" && name.Repository == p.GivenName
	case name.Registry != "":
		return name.Registry == r.Registry && name.Repository == r.Repository
	default:
		return name.Repository == r.Repository
	}
}

// isRemovedBy reports whether a delete removes p.
func isRemovedBy(p event.Push, d event.Delete) bool {
	r := p.Reference
	switch {
	case d.Registry != r.Registry || d.Repository != r.Repository || d.GivenName != p.GivenName:
		return false
	case p.PushedAt.After(d.DeletedAt):
		return false
	case d.Digest != "":
		return d.Digest == p.Digest
	case d.Tag != "":
		return d.Tag == r.Tag
	default:
		return true
	}
}

// live returns the references of a name that are live after events.
func live(events []event.Event, name reference.Name) (all []event.Push) {
	type register struct {
		givenName string
		reference reference.Reference
	}
	newest := map[register]event.Push{}
	for _, e := range events {
		if e.Push == nil || !isFoundUnder(*e.Push, name) {
			continue
		}
		r := register{e.Push.GivenName, e.Push.Reference}
		if old, ok := newest[r]; !ok || isNewer(*e.Push, old) {
			newest[r] = *e.Push
		}
	}
	for _, p := range newest {
		isRemoved := func(e event.Event) bool { return e.Delete != nil && isRemovedBy(p, *e.Delete) }
		if !slices.ContainsFunc(events, isRemoved) {
			all = append(all, p)
		}
	}
	return all
}

// pick returns the model's answer to q.
func pick(events []event.Event, q store.Query) (answer event.Push, found bool) {
	all := slices.DeleteFunc(live(events, q.Name), func(p event.Push) bool { return q.Match != nil && !q.Match(p.Reference.Tag) })
	if q.Order != store.ByPushed {
		if answer, found = most(all, func(p event.Push) []int { return byVersion(q, p) }); found && byVersion(q, answer)[0] > 0 {
			return answer, true
		}
	}
	newest, found := most(all, func(event.Push) []int { return nil })
	if !found || newest.Digest == "" || meanings[newest.Reference.Tag].full {
		return newest, found
	}
	same := slices.DeleteFunc(all, func(p event.Push) bool {
		return p.Digest != newest.Digest || p.Reference.Registry != newest.Reference.Registry || p.Reference.Repository != newest.Reference.Repository
	})
	return most(same, saysMost)
}

// byVersion ranks p among versions, if q sees a version in its tag.
func byVersion(q store.Query, p event.Push) []int {
	m := meanings[p.Reference.Tag]
	place := m.place
	if q.Prefix == "cli-" && place == 0 {
		place = m.behindCLI
	}
	switch {
	case place == 0:
		return []int{0, 0}
	case q.Order == store.ByRelease && m.prerelease:
		return []int{1, place}
	default:
		return []int{2, place}
	}
}

// saysMost ranks p by what its tag says: a full version, else a version, releases
// before prereleases, else anything but latest.
func saysMost(p event.Push) []int {
	m := meanings[p.Reference.Tag]
	is := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	return []int{is(m.full), is(m.place > 0), is(!m.prerelease), m.place, is(p.Reference.Tag != "latest")}
}

// most returns the greatest of all by rank; of equal ones, the newest.
func most(all []event.Push, rank func(event.Push) []int) (best event.Push, found bool) {
	for _, p := range all {
		if c := slices.Compare(rank(p), rank(best)); !found || c > 0 || c == 0 && compareTimes(p, best) > 0 {
			best, found = p, true
		}
	}
	return best, found
}

// compareTimes compares two references by which is the newer.
func compareTimes(p, q event.Push) int {
	text := func(p event.Push) string {
		return p.Reference.Registry + "/" + p.Reference.Repository + ":" + p.Reference.Tag
	}
	return cmp.Or(p.PushedAt.Compare(q.PushedAt), cmp.Compare(text(p), text(q)))
}

// entryOf returns the model's entry of the catalogue.
func entryOf(events []event.Event, name reference.Name) (entry store.Entry, ok bool) {
	newest, ok := pick(events, store.Query{Name: name, Order: store.ByPushed})
	entry = store.Entry{Name: name, Newest: newest}
	if highest, _ := pick(events, store.Query{Name: name, Order: store.ByRelease}); meanings[highest.Reference.Tag].place > 0 {
		entry.Highest = highest.Reference
	}
	return entry, ok
}

// isListed reports whether a listing's conditions hold for e.
func isListed(l store.Listing, e store.Entry) bool {
	for _, word := range l.Words {
		if !strings.Contains(e.Name.Repository, word) && !strings.Contains(e.Newest.Reference.Registry+"/"+e.Newest.Reference.Repository, word) {
			return false
		}
	}
	return l.Registry == "" || l.Registry == e.Newest.Reference.Registry
}

// compareEntries compares entries in the model's order of the catalogue.
func compareEntries(byPush bool, d, e store.Entry) int {
	byName := cmp.Compare(d.Name.Repository, e.Name.Repository)
	if byPush {
		return cmp.Or(compareTimes(e.Newest, d.Newest), -byName)
	}
	return byName
}

// isNewerMembership reports whether m wins over old, a membership of the same member.
func isNewerMembership(m, old event.Membership) bool {
	return m.At.After(old.At) || m.At.Equal(old.At) && m.Removed
}

// membersOf returns the model's members of a category.
func membersOf(events []event.Event, category string) []event.Member {
	newest := map[event.Member]event.Membership{}
	for _, e := range events {
		if e.Membership == nil || e.Membership.Category != category {
			continue
		}
		m := *e.Membership
		old, ok := newest[m.Member]
		if !ok || isNewerMembership(m, old) {
			newest[m.Member] = m
		}
	}
	maps.DeleteFunc(newest, func(_ event.Member, m event.Membership) bool { return m.Removed })
	return slices.SortedFunc(maps.Keys(newest), func(m, n event.Member) int {
		return cmp.Compare(textOf(m.Name), textOf(n.Name))
	})
}

func textOf(n reference.Name) string { return strings.TrimPrefix(n.Registry+"/"+n.Repository, "/") }
