package lookup

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A token is the first character of the page tokens of a kind of list, so that the
// token of one is not taken for that of another.
type token string

const (
	plainToken  token = "1"
	pushedToken token = "2" // of the catalogue in the order of pushes
)

func tokenOf(l store.Listing) token {
	if l.Newest {
		return pushedToken
	}
	return plainToken
}

// maxNext is the longest Next of a store's page, in bytes.
const maxNext = 1024

// of returns the opaque text by which a reader asks for the page that follows another,
// whose Next is next. It is empty where next is: on the last page.
func (t token) of(next string) string {
	if next == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(string(t) + next))
}

// parse is the reverse of of.
func (t token) parse(text string) (next string, err error) {
	if text == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", err
	}
	next, ok := strings.CutPrefix(string(b), string(t))
	if !ok || next == "" || len(next) > maxNext || strings.ContainsFunc(next, isNotPrintable) {
		return "", errors.New("page token was not made here, or not for this list")
	}
	return next, nil
}

func isNotPrintable(r rune) bool { return r < ' ' || r > '~' }

// readReferences returns a page of the references of a name that match takes, or all if
// it is nil, the last pushed first. The error is store.ErrNotFound if the name has no
// references at all. A page without match may be empty: what followed the page before it
// may have been deleted since.
func readReferences(ctx context.Context, db store.Reader, name reference.Name, match func(tag string) bool, s store.Span) (store.Page[event.Push], error) {
	page, err := db.References(ctx, name, match, s)
	if err != nil || len(page.Items) > 0 || page.Next != "" {
		return page, err
	}
	if s.After == "" && match == nil {
		return page, store.ErrNotFound
	}
	_, err = db.Pick(ctx, store.Query{Name: name})
	return page, err
}

// readMembers returns the members of l that belong to a category, or errNoCategory if it
// has none at all. A later page may be empty: see readReferences.
func readMembers(ctx context.Context, db store.Reader, category string, l store.Listing) (store.Page[store.Entry], error) {
	members, err := db.Members(ctx, category)
	if err != nil {
		return store.Page[store.Entry]{}, err
	}
	if len(members) == 0 {
		return store.Page[store.Entry]{}, errNoCategory
	}
	var names []reference.Name
	for _, m := range members {
		names = append(names, m.Name)
	}
	if l.Newest || l.Registry != "" {
		return chooseMembers(ctx, db, names, l)
	}
	return pageOfMembers(ctx, db, names, l)
}

// pageOfMembers returns a page of the entries of names, by name. It reads the entries of
// the page alone.
func pageOfMembers(ctx context.Context, db store.Reader, names []reference.Name, l store.Listing) (page store.Page[store.Entry], err error) {
	after := store.NameOf(l.After)
	names = slices.DeleteFunc(names, func(n reference.Name) bool { return n.Compare(after) <= 0 })
	if len(names) > l.Limit {
		names = names[:l.Limit]
		page.Next = store.Partition(names[l.Limit-1])
	}
	page.Items, err = db.Entries(ctx, names)
	return page, err
}

// chooseMembers returns a page of the entries of names that l lists, in its order. It has
// to read all of them. Those that are not published were pushed before any other.
func chooseMembers(ctx context.Context, db store.Reader, names []reference.Name, l store.Listing) (page store.Page[store.Entry], err error) {
	entries, err := db.Entries(ctx, names)
	if err != nil {
		return page, err
	}
	isBehind := func(e store.Entry) bool { return e.Name.Compare(store.NameOf(l.After)) > 0 }
	if l.Newest {
		slices.SortFunc(entries, func(a, b store.Entry) int { return cmp.Compare(b.PushedKey(), a.PushedKey()) })
		isBehind = func(e store.Entry) bool { return l.After == "" || e.PushedKey() < l.After }
	}
	for _, e := range entries {
		if !isBehind(e) || !l.Has(e) {
			continue
		}
		if len(page.Items) == l.Limit {
			page.Next = l.Place(page.Items[l.Limit-1])
			break
		}
		page.Items = append(page.Items, e)
	}
	return page, nil
}
