package lookup_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
)

var headTag = regexp.MustCompile(`<p class="tag">([^ <]*)[ <]`)

// headsOf returns the tags at the head of a repository's page.
func headsOf(page string) (tags []string) {
	for _, match := range headTag.FindAllStringSubmatch(page, -1) {
		tags = append(tags, match[1])
	}
	return tags
}

// TestHeadOfAPageIsWhatBadgesSay: it is, whatever the tags and their digests, and whether
// or not they fit on a page.
func TestHeadOfAPageIsWhatBadgesSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		db, err := bolt.OpenTemporary()
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tags := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
			"latest", "1", "1.0", "1.0.0", "1.0.0-rc.1", "2.0.0-rc.1", "1.2", "v1.2.0", "app-1.9.0", "app-1.10.0", "edge", "build-7",
		}), 1, 12, rapid.ID).Draw(t, "tags")
		hidden := rapid.SampledFrom([]int{0, 0, 99, 120}).Draw(t, "hidden")
		for i := range hidden {
			tags = append(tags, fmt.Sprintf("hidden-%d", i))
		}
		for _, tag := range tags {
			p := pushOf("a.io/wash:"+tag, time.Unix(rapid.Int64Range(0, 5).Draw(t, "at"), 0))
			if digest := rapid.IntRange(0, 3).Draw(t, "digest"); digest > 0 {
				p.Digest = fmt.Sprintf("sha256:%064d", digest)
			}
			if err := db.Push(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		filter := rapid.SampledFrom([]string{"", "&ignore=latest", "&tag=app-*", "&tag=1*", "&ignore=hidden-*"}).Draw(t, "filter")
		h := lookup.New(lookup.Settings{Color: "blue", PullCommand: "docker pull {reference}"}, db)
		newest := do(h, "GET", "/wash?format=text&show=tag"+filter)
		if newest.Code == 404 {
			if w := do(h, "GET", "/wash?format=html"+filter); w.Code != 404 {
				t.Fatalf("the page of %s is %d, its text 404", filter, w.Code)
			}
			return
		}
		want := []string{strings.TrimSpace(newest.Body.String())}
		version := do(h, "GET", "/wash?format=text&sort=semver&show=version"+filter)
		highest := strings.TrimSpace(do(h, "GET", "/wash?format=text&sort=semver&show=tag"+filter).Body.String())
		if version.Code == 200 && highest != want[0] {
			want = append(want, highest)
		}
		if got := headsOf(do(h, "GET", "/wash?format=html"+filter).Body.String()); !slices.Equal(got, want) {
			t.Fatalf("tags %q with %q: the page has %q at its head, badges say %q", tags[:min(12, len(tags))], filter, got, want)
		}
		slices.Reverse(want)
		if got := headsOf(do(h, "GET", "/wash?format=html&sort=semver"+filter).Body.String()); !slices.Equal(got, want) {
			t.Fatalf("with sort=semver%s the page has %q at its head, want %q", filter, got, want)
		}
	})
}

// TestHeadIsTheTagThatSaysMost: that tag has the digest that was pushed last.
func TestHeadIsTheTagThatSaysMost(t *testing.T) {
	t.Parallel()
	for tags, want := range map[string]string{"1.0.0 1.0": "1.0.0", "1.0.0 latest": "1.0.0", "edge latest": "edge", "1.0 1.0.0": "1.0.0"} {
		db := open(t)
		for i, tag := range strings.Fields(tags) {
			p := pushOf("a.io/wash:"+tag, time.Unix(int64(i), 0))
			p.Digest = "sha256:" + strings.Repeat("0", 64)
			push(t, db, p)
		}
		if got := headsOf(get(t, handlerOf(t, db), "/wash?format=html")); !slices.Equal(got, []string{want}) {
			t.Errorf("%s of one digest: the page has %q at its head, want %s", tags, got, want)
		}
	}
}

// TestReadsOfALongRepository: a page that does not have all references also reads the
// highest version. If the tag pushed last says little, finding another tag of its digest
// needs no further read, unless neither the page nor the highest version has it.
// References with the same content have the same digest.
func TestReadsOfALongRepository(t *testing.T) {
	t.Parallel()
	type pushed struct{ tag, content string }
	fill := func(n int, format string) (all []pushed) {
		for i := range n {
			tag := fmt.Sprintf(format, i)
			all = append(all, pushed{tag, tag})
		}
		return all
	}
	versions, builds := fill(101, "1.%d.0"), fill(101, "build-%d")
	for what, c := range map[string]struct {
		pushes []pushed
		query  string
		want   int
		head   string // the newest tag
	}{
		"all on the page":                  {versions[:99], "", 1, "1.98.0"},
		"all on the page, and latest":      {append(versions[1:100:100], pushed{"latest", "1.3.0"}), "", 1, "1.3.0"},
		"a full version":                   {versions, "", 2, "1.100.0"},
		"a filter":                         {versions, "&sort=semver&tag=1.*", 3, "1.100.0"},
		"latest, of no digest":             {append(versions[:101:101], pushed{"latest", ""}), "", 2, "latest"},
		"latest, the highest":              {append(versions[:101:101], pushed{"latest", "1.100.0"}), "", 2, "1.100.0"},
		"latest, the highest, by versions": {append(versions[:101:101], pushed{"latest", "1.100.0"}), "&sort=semver&include_prereleases", 2, "1.100.0"},
		"latest, an old one":               {append(versions[:101:101], pushed{"latest", "1.0.0"}), "", 3, "1.0.0"},
		"latest, of its own":               {append(versions[:101:101], pushed{"latest", "x"}), "", 3, "latest"},
		"edge, of its own":                 {append(versions[:101:101], pushed{"edge", "x"}), "", 3, "edge"},
		"a prerelease, floating":           {append(versions[:101:101], pushed{"2.0.0-rc.1", "x"}, pushed{"next", "x"}), "", 3, "2.0.0-rc.1"},
		"a prerelease among the highest":   {append(versions[:101:101], pushed{"2.0.0-rc.1", "x"}, pushed{"1.2.3", "x"}, pushed{"next", "x"}), "&sort=semver&include_prereleases", 3, "1.2.3"},
		"edge, the highest elsewhere":      {append(versions[:101:101], pushed{"b.io/wash:2.0.0", "x"}, pushed{"edge", "x"}), "", 3, "edge"},
		"a prerelease of more numbers":     {append(builds[:101:101], pushed{"1.2", "x"}, pushed{"1.3.0-rc.1", "x"}, pushed{"next", "x"}), "", 3, "1.3.0-rc.1"},
		"no version, on the page":          {append(builds[:101:101], pushed{"latest", "build-7"}), "", 2, "build-7"},
		"no version, another one":          {append(builds[:101:101], pushed{"edge", "build-7"}), "", 2, "edge"},
		"no version, behind the page":      {append(builds[:101:101], pushed{"latest", "build-0"}), "", 3, "build-0"},
	} {
		db := open(t)
		for i, p := range c.pushes {
			ref := p.tag
			if !strings.Contains(ref, "/") {
				ref = "a.io/wash:" + ref
			}
			one := pushOf(ref, time.Unix(int64(i), 0))
			if p.content != "" {
				one.Digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(p.content)))
			}
			push(t, db, one)
		}
		spy := &spy{Reader: db}
		h := holding(spy, plenty)
		get(t, h, "/api/categories") // other pages have read the lists
		spy.reads = 0
		heads := headsOf(get(t, h, "/wash?format=html"+c.query))
		if spy.reads != c.want {
			t.Errorf("%s: the page reads the store %d times, want %d", what, spy.reads, c.want)
		}
		if !slices.Contains(heads, c.head) {
			t.Errorf("%s: the page has %q at its head, want %s among them", what, heads, c.head)
		}
	}
}

// TestRepositoryIsListed in those curated lists that have exactly its name.
func TestRepositoryIsListed(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		push(t, db, pushOf("a.io/wash:1.0.0", time.Unix(0, 0)), pushOf("a.io/app:1.0.0", time.Unix(0, 0)))
		categorize(t, db, "official", "app", "wash")
		categorize(t, db, "b", "wash", "soon")
		categorize(t, db, "c", "a.io/wash")
		h := handlerOf(t, db)
		wantTexts(t, h, "/wash?format=html", 200, `<p>Listed in <a href="/?category=b">b</a>, <a href="/?category=official">official</a></p>`)
		wantTexts(t, h, "/a.io/wash?format=html", 200, `<p>Listed in <a href="/?category=c">c</a></p>`)
		if page := get(t, h, "/a.io/app?format=html"); strings.Contains(page, "Listed in") {
			t.Errorf("the page of a name that is in no list: %s", mainOf(page))
		}
		if page := get(t, h, "/wash?format=html&next="+tokenOf("19")); strings.Contains(page, "Listed in") {
			t.Errorf("a later page has the lists: %s", mainOf(page))
		}
	})
}

// TestFailureBehindThePageIsAFailure: if the page of references does not have what its
// head shows, a further read must not fail.
func TestFailureBehindThePageIsAFailure(t *testing.T) {
	t.Parallel()
	var references []string
	for i := range 101 {
		references = append(references, fmt.Sprintf("a.io/wash:%d", i))
	}
	h := handlerOf(t, failingPick{open(t, references...)})
	wantTexts(t, h, "/wash?format=html", 503, "<h1>Lookup failed, try again</h1>")
}

// failingPick is a store that lists references but fails to pick one.
type failingPick struct{ store.Reader }

func (f failingPick) Pick(context.Context, store.Query) (event.Push, error) {
	return event.Push{}, errors.New("planted")
}

// TestPageOfNothingHelps: it says what to do if a repository is not found.
func TestPageOfNothingHelps(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "a.io/wash:1.0.0"))
	const all = `<li><a href="/">All repositories</a></li>`
	for target, texts := range map[string][]string{
		"/nothing?format=html":             {`<li><a href="/?q=nothing">Search for “nothing”</a></li>` + all, `<a href="/api/repositories/nothing">JSON</a>`},
		"/team/nothing/?format=html":       {`<li><a href="/?q=nothing">Search for “nothing”</a></li>` + all, `<a href="/api/repositories/team/nothing">JSON</a>`},
		"/b.io/wash?format=html":           {`<a href="/?q=wash">`, `<li><a href="/wash?format=html">Show wash in any registry</a></li>` + all},
		"/b.io/c.io/wash?format=html":      {`<li><a href="/?q=wash">Search for “wash”</a></li>` + all},
		"/NoName?format=html":              {`<li><a href="/?q=NoName">Search for “NoName”</a></li>` + all, "“NoName” cannot be the name of a repository."},
		"/wash?format=html&tag=2.*&sort=x": {"<h1>Invalid query parameter: sort</h1>", `<li><a href="/wash?format=html">Show wash</a></li>` + all},
		"/wash?format=html&tag=2.*":        {"<h1>No tag matches</h1>", `<li><a href="/wash?format=html">Show all tags of wash</a></li>` + all, `<a href="/api/repositories/wash?tag=2.%2A">JSON</a>`},
		"/?category=none":                  {"<h1>List not found</h1>", "<ul>" + all},
	} {
		status := 404
		if strings.Contains(target, "sort=x") {
			status = 400
		}
		wantTexts(t, h, target, status, texts...)
	}
}
