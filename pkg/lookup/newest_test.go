package lookup_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	gocmp "github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// washTags are pushed in this order, a day apart, each with its content. The digest of
// the last one is unknown.
var washTags = []struct{ tag, content string }{
	{"1.0.0", "a"}, {"1.2.0", "b"}, {"v1.10.0", "c"}, {"2.0.0-rc.1", "d"}, {"2.0.0-rc.2", "e"}, {"0.9.1", "f"}, {"nightly", "g"},
	{"foo-1.9.0", "h"}, {"foo-1.10.0", "i"}, {"1.1.0", "j"}, {"1.1", "j"}, {"22.04-alpha", "k"}, {"edge", "k"}, {"stable", "c"}, {"latest", "j"}, {"unhashed", ""},
}

func washPushes() []event.Push {
	var all []event.Push
	for i, w := range washTags {
		p := pushOf("wasmcloud.azurecr.io/wash:"+w.tag, time.Unix(int64(i)*86400, 0))
		if w.content != "" {
			p.Digest = fmt.Sprintf("sha256:%064x", w.content)
		}
		all = append(all, p)
	}
	return all
}

// A candidate is a push, with its tag as parsed by an independent library.
type candidate struct {
	push    event.Push
	version *semver.Version // nil: not a version
	numbers int             // how many numbers version has
	text    string          // version as it is shown
}

// candidateOf parses a tag as a version, else the tag without prefix.
func candidateOf(p event.Push, prefix string) candidate {
	for _, text := range []string{p.Reference.Tag, strings.TrimPrefix(p.Reference.Tag, prefix)} {
		if v, err := semver.NewVersion(text); err == nil {
			text = strings.TrimPrefix(text, "v")
			core, _, _ := strings.Cut(text, "-")
			return candidate{p, v, strings.Count(core, ".") + 1, text}
		}
	}
	return candidate{push: p}
}

// candidates returns the pushes whose tags pass the filters in a query.
func candidates(q url.Values) (all []candidate) {
	for _, p := range washPushes() {
		wanted := !q.Has("tag") || matchesAny(q.Get("tag"), p.Reference.Tag)
		if wanted && !matchesAny(q.Get("ignore"), p.Reference.Tag) {
			all = append(all, candidateOf(p, prefixOf(q)))
		}
	}
	return all
}

// matchesAny matches with path.Match, whose classes use ^ instead of !.
func matchesAny(globs, tag string) bool {
	return slices.ContainsFunc(strings.Split(globs, ","), func(glob string) bool {
		ok, err := path.Match(strings.ReplaceAll(strings.TrimSpace(glob), "[!", "[^"), tag)
		if err != nil {
			panic(err)
		}
		return ok
	})
}

// prefixOf returns the text to cut off in front of versions.
func prefixOf(q url.Values) string {
	if q.Get("sort") != "semver" || strings.Contains(q.Get("tag"), ",") {
		return ""
	}
	prefix, _, _ := strings.Cut(q.Get("tag"), "*")
	return prefix
}

// isTrue returns a number that sorts true, which the rules prefer, behind false.
func isTrue(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compareVersions compares two candidates. The greater one is preferred. Tags that are
// not versions are the least.
func compareVersions(a, b candidate, prereleases bool) int {
	if a.version == nil || b.version == nil {
		return cmp.Compare(isTrue(a.version != nil), isTrue(b.version != nil))
	}
	if !prereleases && (a.version.Prerelease() == "") != (b.version.Prerelease() == "") {
		return cmp.Compare(isTrue(a.version.Prerelease() == ""), isTrue(b.version.Prerelease() == ""))
	}
	return cmp.Or(a.version.Compare(b.version), cmp.Compare(a.numbers, b.numbers))
}

// saysMore compares the tags of one digest by how much they say.
func saysMore(a, b candidate) int {
	return cmp.Or(
		cmp.Compare(isTrue(a.numbers >= 3), isTrue(b.numbers >= 3)),
		compareVersions(a, b, false),
		cmp.Compare(isTrue(a.push.Reference.Tag != "latest"), isTrue(b.push.Reference.Tag != "latest")),
		a.push.PushedAt.Compare(b.push.PushedAt),
	)
}

func sameDigest(all []candidate, p event.Push) []candidate {
	return slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return c.push.Digest != p.Digest || p.Digest == "" })
}

// expectPick returns the answer to a query by the contract's section "What is newest", in
// another way than the code.
func expectPick(q url.Values) (c candidate, found bool) {
	all := candidates(q)
	if len(all) == 0 {
		return candidate{}, false
	}
	if q.Get("sort") == "semver" {
		prereleases := q.Has("include_prereleases") && !slices.Contains([]string{"false", "0", "No"}, q.Get("include_prereleases"))
		if best := slices.MaxFunc(all, func(a, b candidate) int { return compareVersions(a, b, prereleases) }); best.version != nil {
			return best, true
		}
	}
	last := all[len(all)-1]
	if same := sameDigest(all, last.push); last.numbers < 3 && len(same) > 0 {
		return slices.MaxFunc(same, saysMore), true
	}
	return last, true
}

// expectText returns what is shown of the answer.
func expectText(q url.Values) (text string, found bool) {
	c, found := expectPick(q)
	if !found {
		return "No tag matches", false
	}
	ref, digest := c.push.Reference.String(), c.push.Digest
	repository := strings.TrimSuffix(ref, ":"+c.push.Reference.Tag)
	switch show := q.Get("show"); show {
	case "tag":
		return c.push.Reference.Tag, true
	case "date":
		return c.push.PushedAt.Format("2006-01-02"), true
	case "version":
		same := sameDigest(candidates(url.Values{}), c.push)
		if c.version == nil && len(same) > 0 {
			c = slices.MaxFunc(same, saysMore)
		}
		if c.version == nil {
			return "no version", false
		}
		return c.text, true
	case "digest", "pinned":
		if digest == "" {
			return "digest unknown", false
		}
		if show == "digest" {
			return repository + "@" + digest, true
		}
		return ref + "@" + digest, true
	default:
		return ref, true
	}
}

// lookupParameters are parameters with valid values.
var lookupParameters = []parameter{
	{"sort", []string{absent, "date", "semver"}},
	{"include_prereleases", []string{absent, "", "1", "false", "No"}},
	{"tag", []string{absent, "1.*", "v*, 2.0.0-rc.?", "nothing*", "*", "foo-*", "[a-z]*", "stable"}},
	{"ignore", []string{absent, "unhashed", "unhashed, latest", "*-*,unhashed", "*", "[!0-9]*"}},
	{"show", []string{absent, "reference", "tag", "digest", "pinned", "version", "date"}},
	{"format", []string{absent, "json", "text", "svg", "html", "atom"}},
	{"label", []string{absent, "my image", "<&>"}},
	{"labelColor", []string{absent, "555", "rebeccapurple"}},
	{"color", []string{absent, "blue", "#abcdef80"}},
	{"logo", []string{absent, "docker"}},
	{"style", []string{absent, "flat", "flat-square"}},
}

// TestParametersByPairs requests enough combinations of parameters that each value meets
// each value of every other parameter.
func TestParametersByPairs(t *testing.T) {
	combinations := pairs(lookupParameters)
	t.Logf("%d combinations", len(combinations))
	onBoth(t, func(t *testing.T, db store.Store) {
		push(t, db, washPushes()...)
		h := handlerOf(t, db)
		for _, q := range combinations {
			switch q.Get("format") {
			case "html":
				wantPage(t, h, q)
			case "atom":
				wantFeed(t, h, q)
			default:
				wantDrawn(t, h, q)
			}
		}
	})
}

// wantPage requests the page, which must show the answer at its head.
func wantPage(t *testing.T, h http.Handler, q url.Values) {
	t.Helper()
	c, found := expectPick(q)
	if !found {
		wantTexts(t, h, "/wash?"+q.Encode(), 404, "<h1>No tag matches</h1>")
		return
	}
	wantTexts(t, h, "/wash?"+q.Encode(), 200, "<dt>Reference</dt><dd><code>"+c.push.Reference.String()+"<")
	if got := headsOf(get(t, h, "/wash?"+q.Encode()))[0]; got != c.push.Reference.Tag {
		t.Errorf("GET /wash?%s begins with %s, want %s", q.Encode(), got, c.push.Reference.Tag)
	}
}

// wantFeed requests the feed, which must have the references that pass the filters.
func wantFeed(t *testing.T, h http.Handler, q url.Values) {
	t.Helper()
	w := do(h, "GET", "/wash?"+q.Encode())
	var want []string
	for _, c := range candidates(q) {
		want = append([]string{c.push.Reference.String()}, want...)
	}
	title, status := "wash", 200
	if want == nil {
		title, status = "No tag matches", 404
	}
	got := checkFeed(t, w.Body.Bytes())
	if diff := gocmp.Diff(want, got.titles()); diff != "" || got.Title != title || w.Code != status {
		t.Errorf("GET /wash?%s: status %d, title %q, want %d, %q: entries -want +got\n%s", q.Encode(), w.Code, got.Title, status, title, diff)
	}
}

// wantDrawn requests a badge or a line.
func wantDrawn(t *testing.T, h http.Handler, q url.Values) {
	t.Helper()
	target := "/wash?" + q.Encode()
	text, found := expectText(q)
	w := do(h, "GET", target)
	status, contentType, drawn := 200, typeJSON, ""
	switch q.Get("format") {
	case "text":
		contentType, drawn = typeText, strings.TrimSuffix(w.Body.String(), "\n")
		if !found {
			status = 404
		}
	case "svg":
		contentType, drawn = typeSVG, svgTitle(t, w.Body.Bytes())
		if label := q.Get("label"); label != "" {
			text = label + ": " + text
		}
		if got, want := strings.Contains(w.Body.String(), "crispEdges"), q.Get("style") == "flat-square"; got != want {
			t.Errorf("GET %s: flat-square %t, want %t", target, got, want)
		}
	default:
		b := endpointBadge(t, w.Body.Bytes())
		drawn = b.Message
		logo, color := cmp.Or(q.Get("logo"), "wasmcloud"), cmp.Or(q.Get("color"), "253746")
		if !found {
			logo, color = "", "lightgrey"
		}
		got := []any{*b.Label, b.Color, value(b.LabelColor), value(b.NamedLogo), b.IsError}
		want := []any{q.Get("label"), color, q.Get("labelColor"), logo, !found}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("GET %s: look -want +got\n%s", target, diff)
		}
	}
	if drawn != text {
		t.Errorf("GET %s shows %q, want %q", target, drawn, text)
	}
	if w.Code != status {
		t.Errorf("GET %s: status %d, want %d", target, w.Code, status)
	}
	if got := w.Header().Get("Content-Type"); got != contentType {
		t.Errorf("GET %s: Content-Type %q, want %q", target, got, contentType)
	}
}

// value returns a text that may be missing.
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
