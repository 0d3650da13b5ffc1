package lookup_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/store"
)

// A feed is the part of a feed that the tests read.
type feed struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	Title   string   `xml:"title"`
	ID      string   `xml:"id"`
	Updated string   `xml:"updated"`
	Author  string   `xml:"author>name"`
	Links   []struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Entries []struct {
		Title   string `xml:"title"`
		ID      string `xml:"id"`
		Updated string `xml:"updated"`
	} `xml:"entry"`
}

func (f feed) titles() (all []string) {
	for _, e := range f.Entries {
		all = append(all, e.Title)
	}
	return all
}

// checkFeed parses a feed and checks what RFC 4287 requires: the mandatory elements, and
// distinct IDs. Our feeds also begin with the last push.
func checkFeed(t testing.TB, b []byte) (f feed) {
	t.Helper()
	if err := xml.Unmarshal(b, &f); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	ids := map[string]bool{f.ID: true}
	updated, err := time.Parse(time.RFC3339, f.Updated)
	if err != nil || f.Title == "" || !strings.HasPrefix(f.ID, "urn:uuid:") || f.Author == "" || len(f.Links) != 2 ||
		f.Links[0].Rel != "self" || !strings.HasPrefix(f.Links[0].Href, "http") || !strings.HasPrefix(f.Links[1].Href, "http") {
		t.Errorf("%s: no feed: %v", b, err)
	}
	for i, e := range f.Entries {
		at, err := time.Parse(time.RFC3339, e.Updated)
		if err != nil || e.Title == "" || !strings.HasPrefix(e.ID, "urn:uuid:") || ids[e.ID] || at.After(updated) || i == 0 && !at.Equal(updated) {
			t.Errorf("%s: no entry: %+v, %v", b, e, err)
		}
		ids[e.ID], updated = true, at
	}
	return f
}

func TestFeeds(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := handlerOf(t, db)
		empty := checkFeed(t, []byte(get(t, h, "/?format=atom")))
		if empty.titles() != nil || empty.Updated != "1970-01-01T00:00:00Z" {
			t.Errorf("the feed of an empty store: %+v, want nothing since 1970", empty)
		}
		at := func(hour int) time.Time { return time.Date(2023, 7, 3, hour, 0, 0, 0, time.UTC) }
		push(t, db,
			pushOf("a.azurecr.io/wash:1.0.0", at(1)), pushOf("a.azurecr.io/wash:1.1.0", at(2)), pushOf("b.azurecr.io/wash:latest", at(3)),
			pushOf("a.azurecr.io/team/app:edge", at(5)), pushOf("ghcr.io/acme/tool:1", at(4)))
		categorize(t, db, "apps", "team/app", "wash", "a.azurecr.io/wash", "soon")
		for target, c := range map[string]struct{ title, titles string }{
			"/?format=atom":                               {"Repositories", "a.azurecr.io/team/app:edge ghcr.io/acme/tool:1 b.azurecr.io/wash:latest"},
			"/?format=atom&sort=name&x=y":                 {"Repositories", "a.azurecr.io/team/app:edge ghcr.io/acme/tool:1 b.azurecr.io/wash:latest"},
			"/?format=atom&q=azurecr":                     {"Results for “azurecr”", "a.azurecr.io/team/app:edge b.azurecr.io/wash:latest"},
			"/?format=atom&registry=GHCR.io":              {"Repositories in ghcr.io", "ghcr.io/acme/tool:1"},
			"/?format=atom&q=wash&registry=b.azurecr.io":  {"Results for “wash” in b.azurecr.io", "b.azurecr.io/wash:latest"},
			"/?format=atom&category=apps":                 {"apps", "a.azurecr.io/team/app:edge b.azurecr.io/wash:latest a.azurecr.io/wash:1.1.0"},
			"/?format=atom&category=apps&registry=a.io":   {"apps in a.io", ""},
			"/?format=atom&q=none":                        {"Results for “none”", ""},
			"/wash?format=atom":                           {"wash", "b.azurecr.io/wash:latest a.azurecr.io/wash:1.1.0 a.azurecr.io/wash:1.0.0"},
			"/wash/?format=atom&tag=*&ignore=latest":      {"wash", "a.azurecr.io/wash:1.1.0 a.azurecr.io/wash:1.0.0"},
			"/A.azurecr.io/wash?format=atom&show=version": {"a.azurecr.io/wash", "a.azurecr.io/wash:1.1.0 a.azurecr.io/wash:1.0.0"},
		} {
			got := checkFeed(t, []byte(get(t, h, target)))
			if diff := cmp.Diff(strings.Fields(c.titles), append([]string{}, got.titles()...)); diff != "" || got.Title != c.title {
				t.Errorf("GET %s: title %q, want %q: entries -want +got\n%s", target, got.Title, c.title, diff)
			}
		}
		for target, c := range map[string]struct {
			status int
			title  string
		}{
			"/nothing?format=atom":         {404, "Provider not yet published"},
			"/No%20name?format=atom":       {404, "Provider not yet published"},
			"/wash?format=atom&tag=3.*":    {404, "No tag matches"},
			"/wash?format=atom&sort=x":     {400, "invalid query parameter: sort"},
			"/wash?format=atom&tag=[":      {400, "invalid query parameter: tag"},
			"/?format=atom&category=none":  {404, "No such category"},
			"/?format=atom&category=%3Cb>": {404, "No such category"},
			"/?format=atom&registry=none":  {400, "invalid query parameter: registry"},
			"/?format=atom&sort=date":      {400, "invalid query parameter: sort"},
		} {
			w := do(h, "GET", target)
			if got := checkFeed(t, w.Body.Bytes()); w.Code != c.status || got.Title != c.title || got.Entries != nil {
				t.Errorf("GET %s: status %d, %+v, want %d, %q", target, w.Code, got, c.status, c.title)
			}
		}
	})
}

// TestFeedHas50Pushes: it has the last 50.
func TestFeedHas50Pushes(t *testing.T) {
	t.Parallel()
	db := open(t)
	var names []string
	for i := range 60 {
		push(t, db, pushOf(fmt.Sprintf("a.io/many:%d", i), time.Unix(int64(i), 0)), pushOf(fmt.Sprintf("a.io/app-%02d:1", i), time.Unix(int64(100+i), 0)))
		names = append(names, fmt.Sprintf("app-%02d", i))
	}
	categorize(t, db, "apps", names...)
	h := handlerOf(t, db)
	for target, c := range map[string]struct{ first, last string }{
		"/?format=atom":               {"a.io/app-59:1", "a.io/app-10:1"},
		"/?format=atom&category=apps": {"a.io/app-59:1", "a.io/app-10:1"},
		"/many?format=atom":           {"a.io/many:59", "a.io/many:10"},
		"/many?format=atom&tag=*":     {"a.io/many:59", "a.io/many:10"},
	} {
		got := checkFeed(t, []byte(get(t, h, target))).titles()
		if len(got) != 50 || got[0] != c.first || got[49] != c.last {
			t.Errorf("GET %s has %d entries, %q, want 50 from %s to %s", target, len(got), got, c.first, c.last)
		}
	}
}

// TestFeedIDsDependOnlyOnTheInstance: they do not depend on the host. IDs of pushes do
// not even depend on the instance.
func TestFeedIDsDependOnlyOnTheInstance(t *testing.T) {
	t.Parallel()
	db := open(t, "a.io/wash:1")
	ids := func(instance, host string) (feedID, entryID string) {
		h := lookup.New(lookup.Settings{Color: "blue", Instance: instance}, db)
		f := checkFeed(t, []byte(get(t, h, "http://"+host+"/?format=atom")))
		if want := "http://" + host + "/?format=atom"; f.Links[0].Href != want {
			t.Errorf("the feed's own link is %s, want %s", f.Links[0].Href, want)
		}
		return f.ID, f.Entries[0].ID
	}
	feedID, entryID := ids("Table-1", "x.execute-api.eu-central-1.amazonaws.com")
	if otherFeed, otherEntry := ids("Table-1", "oci.example.com"); otherFeed != feedID || otherEntry != entryID {
		t.Errorf("at another host the ids are %s and %s, want %s and %s", otherFeed, otherEntry, feedID, entryID)
	}
	if otherFeed, otherEntry := ids("Table-2", "oci.example.com"); otherFeed == feedID || otherEntry != entryID {
		t.Errorf("of another instance the ids are %s and %s, want another than %s, and %s", otherFeed, otherEntry, feedID, entryID)
	}
}
