package lookup

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// tokenVersion begins each page token, so that its meaning can change.
const tokenVersion = "1"

// maxNext is the longest Next of a store's page, in bytes.
const maxNext = 1024

// pageToken returns the opaque text by which a reader asks for the page that follows
// another, whose Next is next. It is empty where next is: on the last page.
func pageToken(next string) string {
	if next == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(tokenVersion + next))
}

// parsePageToken is the reverse of pageToken.
func parsePageToken(token string) (next string, err error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", err
	}
	next, ok := strings.CutPrefix(string(b), tokenVersion)
	if !ok || next == "" || len(next) > maxNext || strings.ContainsFunc(next, isNotPrintable) {
		return "", errors.New("page token was not made here")
	}
	return next, nil
}

func isNotPrintable(r rune) bool { return r < ' ' || r > '~' }

// readReferences returns a page of a name's references, newest first, or
// store.ErrNotFound if the name has none at all. A later page may be empty: what
// followed the page before it may have been deleted since.
func readReferences(ctx context.Context, db store.Reader, name reference.Name, s store.Span) (store.Page[event.Push], error) {
	page, err := db.References(ctx, name, nil, s)
	if err != nil || len(page.Items) > 0 {
		return page, err
	}
	if s.After == "" {
		return page, store.ErrNotFound
	}
	_, err = db.Pick(ctx, store.Query{Name: name})
	return page, err
}

// readMembers returns a page of the entries of a category's members, by name, or
// errNoCategory if it has none at all. It reads the names of all, and the entries of
// those on the page. A later page may be empty: see readReferences.
func readMembers(ctx context.Context, db store.Reader, category string, s store.Span) (store.Page[store.Entry], error) {
	var page store.Page[store.Entry]
	members, err := db.Members(ctx, category)
	if err != nil {
		return page, err
	}
	if len(members) == 0 {
		return page, errNoCategory
	}
	after := store.NameOf(s.After)
	var names []reference.Name
	for _, m := range members {
		if m.Name.Compare(after) <= 0 {
			continue
		}
		if len(names) == s.Limit {
			page.Next = store.Partition(names[s.Limit-1])
			break
		}
		names = append(names, m.Name)
	}
	page.Items, err = db.Entries(ctx, names)
	return page, err
}
