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

// A Feed lists pushes in the Atom format of RFC 4287, the last first.
type Feed struct {
	Site
	Title   string
	Path    string // path of the feed itself, with its parameters; each feed of a site has a different one
	Page    string // path of the page that shows the same, with its parameters
	Entries []FeedEntry
}

// A FeedEntry is a push.
type FeedEntry struct {
	Push    event.Push
	Name    reference.Name      // name of the page that shows it
	Highest reference.Reference // the highest version of Name; zero: not shown
}

// CatalogueFeed returns the feed of the newest references of repositories. entries must
// be sorted by push. It omits unpublished ones.
func CatalogueFeed(site Site, v View, entries []store.Entry) Feed {
	f := Feed{Site: site, Title: v.title(), Path: v.path("format", "atom"), Page: v.path()}
	for _, e := range entries {
		if e.Published() {
			f.Entries = append(f.Entries, FeedEntry{Push: e.Newest, Name: e.LookupName(), Highest: e.Highest})
		}
	}
	return f
}

// RepositoryFeed returns the feed of references of a name. filter has the page's
// parameters that choose them.
func RepositoryFeed(site Site, name reference.Name, filter url.Values, pushes []event.Push) Feed {
	f := Feed{Site: site, Title: name.String(), Path: feedPath(name, filter), Page: RepositoryPath(name, filter)}
	for _, p := range pushes {
		f.Entries = append(f.Entries, FeedEntry{Push: p, Name: name})
	}
	return f
}

// XML returns the feed as XML. A feed must have an updated element; without entries it
// says 1970, since nothing was ever pushed. So the feed does not change until something
// is pushed.
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

// writeHead writes the elements that a feed and each entry must have.
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

// id returns the ID of a push. It is the same in all feeds, whatever the host's name.
// Another push of the same reference has another ID.
func (e FeedEntry) id() string {
	return urn("push", e.Push.ListedAs().String(), e.Push.Reference.String(), event.Stamp(e.Push.PushedAt), e.Push.Digest)
}

// summary returns what the title does not say.
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

// urn returns a URN that depends only on parts: a UUID by RFC 9562, section 5.5.
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
