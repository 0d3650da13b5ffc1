package web

import (
	"crypto/sha1"
	"fmt"
	"net/url"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/xmltext"
)

// A Feed tells of pushes, the last first, in the Atom format of RFC 4287.
type Feed struct {
	Site
	Title   string
	Path    string // of the feed itself, with its parameters; it tells the feed from others of the site
	Page    string // path of the page that shows the same, with its parameters
	Entries []FeedEntry
}

// A FeedEntry is a push.
type FeedEntry struct {
	Push    event.Push
	Name    reference.Name      // whose page shows it
	Highest reference.Reference // the highest version of Name; zero: not told
}

// CatalogueFeed returns the feed of the newest references of repositories, which come in
// the order of their pushes. Those that are not published are left out.
func CatalogueFeed(site Site, v View, entries []store.Entry) Feed {
	f := Feed{Site: site, Title: v.title(), Path: v.path("format", "atom"), Page: v.path()}
	for _, e := range entries {
		if e.Published() {
			f.Entries = append(f.Entries, FeedEntry{Push: e.Newest, Name: e.LookupName(), Highest: e.Highest})
		}
	}
	return f
}

// RepositoryFeed returns the feed of references of a name. filter has the parameters of
// the page that choose them.
func RepositoryFeed(site Site, name reference.Name, filter url.Values, pushes []event.Push) Feed {
	f := Feed{Site: site, Title: name.String(), Path: feedPath(name, filter), Page: RepositoryPath(name, filter)}
	for _, p := range pushes {
		f.Entries = append(f.Entries, FeedEntry{Push: p, Name: name})
	}
	return f
}

// XML returns the feed. The updated element of a feed without entries, which must have
// one, says 1970: nothing was ever pushed, and the feed stays the same until something
// is.
func (f Feed) XML() []byte {
	updated := time.Unix(0, 0)
	if len(f.Entries) > 0 {
		updated = f.Entries[0].Push.PushedAt
	}
	var s strings.Builder
	s.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<feed xmlns="http://www.w3.org/2005/Atom">`)
	writeHead(&s, f.Title, urn("feed", f.Instance, f.Path), updated)
	s.WriteString(`<author><name>ocireffer</name></author>`)
	writeLink(&s, "self", "application/atom+xml", f.URL+f.Path)
	writeLink(&s, "alternate", "text/html", f.URL+f.Page)
	for _, e := range f.Entries {
		s.WriteString(`<entry>`)
		writeHead(&s, e.Push.Reference.String(), e.id(), e.Push.PushedAt)
		writeLink(&s, "alternate", "text/html", f.URL+RepositoryPath(e.Name, nil))
		if summary := e.summary(); summary != "" {
			writeElement(&s, "summary", summary)
		}
		s.WriteString(`</entry>`)
	}
	s.WriteString("</feed>\n")
	return []byte(s.String())
}

// writeHead writes what a feed and each entry must have.
func writeHead(s *strings.Builder, title, id string, updated time.Time) {
	writeElement(s, "title", title)
	writeElement(s, "id", id)
	writeElement(s, "updated", updated.UTC().Format(time.RFC3339Nano))
}

func writeElement(s *strings.Builder, name, text string) {
	s.WriteString("<" + name + ">" + xmltext.Escape(text) + "</" + name + ">")
}

func writeLink(s *strings.Builder, rel, contentType, href string) {
	s.WriteString(`<link rel="` + rel + `" type="` + contentType + `" href="` + xmltext.Escape(href) + `"/>`)
}

// id returns the id of a push, which is the same in all feeds, whatever the host's name.
// A reference that is pushed again has another.
func (e FeedEntry) id() string {
	return urn("push", e.Push.ListedAs().String(), e.Push.Reference.String(), event.Stamp(e.Push.PushedAt), e.Push.Digest)
}

// summary says what the title does not.
func (e FeedEntry) summary() string {
	text := e.Push.Digest
	if e.Highest != (reference.Reference{}) && e.Highest != e.Push.Reference {
		if text != "" {
			text += ", "
		}
		text += "highest version: " + e.Highest.String()
	}
	return text
}

// namespace is a random UUID.
var namespace = [16]byte{0x7b, 0x75, 0xc9, 0x44, 0x5c, 0xb7, 0x4a, 0x06, 0xbb, 0x73, 0xd8, 0xcc, 0xea, 0x6a, 0xa1, 0x46}

// urn returns a URN that depends on parts alone: a UUID by RFC 9562, section 5.5.
func urn(parts ...string) string {
	hash := sha1.New()
	hash.Write(namespace[:])
	for _, part := range parts {
		fmt.Fprintf(hash, "%q ", part)
	}
	id := hash.Sum(nil)
	id[6] = id[6]&0x0f | 5<<4 // the version
	id[8] = id[8]&0x3f | 0x80 // the variant
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}
