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
	page, err := db.References(ctx, name, s)
	if err != nil || len(page.Items) > 0 {
		return page, err
	}
	if s.After == "" {
		return page, store.ErrNotFound
	}
	_, err = db.Pick(ctx, store.Query{Name: name})
	return page, err
}
