package web

import (
	"encoding/xml"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// atom is a feed as a reader sees it.
type atom struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	Title   string   `xml:"title"`
	ID      string   `xml:"id"`
	Updated string   `xml:"updated"`
	Author  string   `xml:"author>name"`
	Links   []link   `xml:"link"`
	Entries []struct {
		Title   string `xml:"title"`
		ID      string `xml:"id"`
		Updated string `xml:"updated"`
		Links   []link `xml:"link"`
		Summary string `xml:"summary"`
	} `xml:"entry"`
}

type link struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

func readFeed(t testing.TB, f Feed) (a atom) {
	t.Helper()
	b := f.XML()
	if err := xml.Unmarshal(b, &a); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if !strings.HasPrefix(string(b), xml.Header) || !strings.HasSuffix(string(b), "</feed>\n") {
		t.Errorf("%s: want a declaration, a feed and a newline", b)
	}
	return a
}

func TestFeedOfTheCatalogue(t *testing.T) {
	t.Parallel()
	newest, second := push("a.azurecr.io/wash:v1.2"), push("b.azurecr.io/a.io/app:latest")
	second.Digest, second.PushedAt = "", second.PushedAt.Add(-time.Millisecond)
	entries := []store.Entry{
		{Name: parseName("wash"), Newest: newest, Highest: push("a.azurecr.io/wash:2.0-rc.1").Reference},
		{Name: reference.Name{Repository: "a.io/app"}, Newest: second},
		soon("soon"),
	}
	got := readFeed(t, CatalogueFeed(site, View{Search: "a <b>", Registry: "a.io"}, entries))
	want := atom{
		XMLName: got.XMLName, Title: "Results for “a <b>” in a.io", ID: got.ID, Updated: "2026-11-22T11:00:00Z", Author: "ocireffer",
		Links: []link{
			{"self", "application/atom+xml", site.URL + "/?format=atom&q=a+%3Cb%3E&registry=a.io"},
			{"alternate", "text/html", site.URL + "/?q=a+%3Cb%3E&registry=a.io"},
		},
		Entries: got.Entries,
	}
	wantEqual(t, "feed", got, want)
	if len(got.Entries) != 2 {
		t.Fatalf("%d entries, want those that are published: %+v", len(got.Entries), got.Entries)
	}
	first, last := got.Entries[0], got.Entries[1]
	wantEqual(t, "title", first.Title, "a.azurecr.io/wash:v1.2")
	wantEqual(t, "summary", first.Summary, newest.Digest+", highest version: a.azurecr.io/wash:2.0-rc.1")
	wantEqual(t, "links", first.Links, []link{{"alternate", "text/html", site.URL + "/wash?format=html"}})
	wantEqual(t, "title", last.Title, "b.azurecr.io/a.io/app:latest")
	wantEqual(t, "updated", last.Updated, "2026-11-22T10:59:59.999Z")
	wantEqual(t, "summary", last.Summary, "")
	wantEqual(t, "links", last.Links, []link{{"alternate", "text/html", site.URL + "/b.azurecr.io/a.io/app?format=html"}})
}

func TestFeedOfARepository(t *testing.T) {
	t.Parallel()
	name := parseName("a.azurecr.io/team/app")
	got := readFeed(t, RepositoryFeed(site, name, url.Values{"tag": {"1.*"}}, []event.Push{push("a.azurecr.io/team/app:1.2")}))
	wantEqual(t, "title", got.Title, "a.azurecr.io/team/app")
	wantEqual(t, "links", got.Links, []link{
		{"self", "application/atom+xml", site.URL + "/a.azurecr.io/team/app?format=atom&tag=1.%2A"},
		{"alternate", "text/html", site.URL + "/a.azurecr.io/team/app?format=html&tag=1.%2A"},
	})
	wantEqual(t, "links of an entry", got.Entries[0].Links, []link{{"alternate", "text/html", site.URL + "/a.azurecr.io/team/app?format=html"}})
	wantEqual(t, "summary", got.Entries[0].Summary, push("a.io/a:1").Digest)
}

// TestEmptyFeedStaysTheSame: it has an updated element that does not depend on the clock.
func TestEmptyFeedStaysTheSame(t *testing.T) {
	t.Parallel()
	before := CatalogueFeed(Site{URL: site.URL, Now: now}, View{}, nil)
	after := CatalogueFeed(Site{URL: site.URL, Now: now.Add(time.Hour)}, View{}, nil)
	wantEqual(t, "feed an hour later", string(after.XML()), string(before.XML()))
	wantEqual(t, "updated", readFeed(t, before).Updated, "1970-01-01T00:00:00Z")
}

// TestFeedIDs: IDs stay when the host gets another name, and differ for each push and for
// each feed.
func TestFeedIDs(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	p := push("a.azurecr.io/wash:1")
	changed := func(change func(*event.Push)) event.Push {
		other := p
		change(&other)
		return other
	}
	seen := map[string]string{}
	wantNew := func(what, id string) {
		t.Helper()
		if !pattern.MatchString(id) {
			t.Errorf("%s: id %s, want a UUID", what, id)
		}
		if other, ok := seen[id]; ok {
			t.Errorf("%s has the id of %s", what, other)
		}
		seen[id] = what
	}
	for what, p := range map[string]event.Push{
		"the push":            p,
		"pushed again":        changed(func(p *event.Push) { p.PushedAt = p.PushedAt.Add(1) }),
		"another content":     changed(func(p *event.Push) { p.Digest = "" }),
		"another tag":         changed(func(p *event.Push) { p.Reference.Tag = "2" }),
		"another registry":    changed(func(p *event.Push) { p.Reference.Registry = "b.azurecr.io" }),
		"under another name":  changed(func(p *event.Push) { p.GivenName = "app" }),
		"a shift of the tags": changed(func(p *event.Push) { p.Reference.Repository, p.Reference.Tag = "was", "h:1" }),
	} {
		wantNew(what, FeedEntry{Push: p}.id())
	}
	for what, f := range map[string]Feed{
		"all":                     CatalogueFeed(site, View{}, nil),
		"a search":                CatalogueFeed(site, View{Search: "a"}, nil),
		"a list":                  CatalogueFeed(site, View{Category: "a"}, nil),
		"a registry":              CatalogueFeed(site, View{Registry: "a.io"}, nil),
		"a repository":            RepositoryFeed(site, parseName("wash"), nil, nil),
		"a registry's":            RepositoryFeed(site, parseName("a.azurecr.io/wash"), nil, nil),
		"some tags of it":         RepositoryFeed(site, parseName("wash"), url.Values{"tag": {"1.*"}}, nil),
		"all of another instance": CatalogueFeed(Site{Instance: "other"}, View{}, nil),
	} {
		wantNew(what, readFeed(t, f).ID)
	}
	elsewhere := Site{URL: "https://oci.example.com", Now: now.Add(time.Hour)}
	here, there := readFeed(t, RepositoryFeed(site, parseName("wash"), nil, []event.Push{p})), readFeed(t, RepositoryFeed(elsewhere, parseName("a.azurecr.io/wash"), nil, []event.Push{p}))
	wantEqual(t, "id of a push at another host, in another feed", there.Entries[0].ID, here.Entries[0].ID)
	wantEqual(t, "id of a feed at another host", readFeed(t, CatalogueFeed(elsewhere, View{}, nil)).ID, readFeed(t, CatalogueFeed(site, View{}, nil)).ID)
	// What a reader has seen must keep its ID in the next release.
	wantEqual(t, "id of a push", here.Entries[0].ID, "urn:uuid:7abade9b-63af-5930-8bf3-d59c75a16e59")
}

// FuzzFeed: any text from outside stays text, and the feed stays XML.
func FuzzFeed(f *testing.F) {
	f.Add("a <b>", "https://example.com", "application/x")
	f.Add("]]>\x00\xff", "http://\"&'<", "\uFFFE")
	f.Fuzz(func(t *testing.T, search, host, tag string) {
		p := push("a.azurecr.io/wash:1")
		p.Reference.Tag = tag
		site := Site{URL: host, Instance: tag}
		got := readFeed(t, CatalogueFeed(site, View{Search: search, Registry: tag}, []store.Entry{{Name: parseName("wash"), Newest: p, Highest: p.Reference}}))
		if len(got.Entries) != 1 || len(got.Links) != 2 || len(got.Entries[0].Links) != 1 {
			t.Errorf("feed %+v, want an entry", got)
		}
		filtered := readFeed(t, RepositoryFeed(site, parseName("wash"), url.Values{"tag": {search, tag}}, []event.Push{p}))
		if filtered.Entries[0].ID != got.Entries[0].ID {
			t.Errorf("a push has the ids %s and %s", filtered.Entries[0].ID, got.Entries[0].ID)
		}
	})
}
