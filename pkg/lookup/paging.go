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

// A token is the first character of the page tokens of one kind of list, so that they
// cannot be used for another kind.
type token string

const (
	plainToken  token = "1"
	pushedToken token = "2" // the catalogue in the order of pushes
)

func tokenOf(l store.Listing) token {
	if l.Newest {
		return pushedToken
	}
	return plainToken
}

// maxNext is the longest Next of a store's page, in bytes.
const maxNext = 1024

// of returns the opaque text with which a reader asks for the page that next leads to, or
// "" on the last page.
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

// readReferences returns a page of the references of a name whose tags match accepts, or
// of all if match is nil, the last pushed first. The error is store.ErrNotFound if the
// name has no references. A page without match may be empty, since the references behind
// the previous page may have been deleted.
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

// readMembers returns the members that l lists in a category, or errNoCategory if the
// category has none. A later page may be empty: see readReferences.
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

// pageOfMembers returns a page of the entries of names, by name. It reads only the
// entries on the page.
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

// chooseMembers returns a page of those entries of names that l lists, in l's order. It
// must read all of them. Unpublished names come last by push.
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
