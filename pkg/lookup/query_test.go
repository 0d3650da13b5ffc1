package lookup_test

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// tags are pushed in this order. The newest has no digest.
var tags = []string{"1.0.0", "1.2.0", "v1.10.0", "2.0.0-rc.1", "2.0.0-rc.2", "0.9.1", "nightly", "1.1.0", "22.04-alpha", "latest"}

func washPushes() []event.Push {
	var all []event.Push
	for i, tag := range tags {
		p := pushOf("wasmcloud.azurecr.io/wash:"+tag, time.Unix(int64(i), 0))
		if tag != "latest" {
			p.Digest = fmt.Sprintf("sha256:%064d", i)
		}
		all = append(all, p)
	}
	return all
}

// expect returns what the contract says of a query, worked out in another way than
// the code's.
func expect(q url.Values) (text string, found bool) {
	candidates := slices.DeleteFunc(washPushes(), func(p event.Push) bool {
		tag := p.Reference.Tag
		return q.Has("tag") && !matchesAny(q.Get("tag"), tag) || q.Has("ignore") && matchesAny(q.Get("ignore"), tag)
	})
	if len(candidates) == 0 {
		return "Provider not yet published", false
	}
	best := candidates[len(candidates)-1]
	if q.Get("sort") == "semver" {
		best = highest(candidates, q.Has("include_prereleases"))
	}
	return expectShown(best, q.Get("show"))
}

func matchesAny(globs, tag string) bool {
	return slices.ContainsFunc(strings.Split(globs, ","), func(glob string) bool {
		ok, _ := path.Match(glob, tag)
		return ok
	})
}

// highest returns the push of the highest version, or the last one if no tag is a
// version.
func highest(pushes []event.Push, prereleases bool) event.Push {
	type candidate struct {
		push    event.Push
		version *semver.Version
	}
	var versions, releases []candidate
	for _, p := range pushes {
		v, err := semver.NewVersion(p.Reference.Tag)
		if err != nil {
			continue
		}
		versions = append(versions, candidate{p, v})
		if v.Prerelease() == "" {
			releases = append(releases, candidate{p, v})
		}
	}
	if len(releases) > 0 && !prereleases {
		versions = releases
	}
	if len(versions) == 0 {
		return pushes[len(pushes)-1]
	}
	return slices.MaxFunc(versions, func(a, b candidate) int { return a.version.Compare(b.version) }).push
}

func expectShown(p event.Push, show string) (text string, found bool) {
	ref := p.Reference.String()
	repository := strings.TrimSuffix(ref, ":"+p.Reference.Tag)
	switch {
	case show == "tag":
		return p.Reference.Tag, true
	case show != "digest" && show != "pinned":
		return ref, true
	case p.Digest == "":
		return "digest unknown", false
	case show == "digest":
		return repository + "@" + p.Digest, true
	default:
		return ref + "@" + p.Digest, true
	}
}

// absent is the value of a parameter that is not given.
const absent = "-"

type parameter struct {
	name   string
	values []string
}

// parameters have values that are all good.
var parameters = []parameter{
	{name: "sort", values: []string{absent, "date", "semver"}},
	{name: "include_prereleases", values: []string{absent, "1"}},
	{name: "tag", values: []string{absent, "1.*", "v*,2.0.0-rc.?", "nothing*", "*"}},
	{name: "ignore", values: []string{absent, "latest", "*-*,latest", "*"}},
	{name: "show", values: []string{absent, "reference", "tag", "digest", "pinned"}},
	{name: "format", values: []string{absent, "json", "text", "svg"}},
}

// TestParametersByPairs asks so many combinations of parameters that each value
// meets each value of every other parameter.
func TestParametersByPairs(t *testing.T) {
	combinations := pairs(parameters)
	t.Logf("%d combinations", len(combinations))
	onBoth(t, func(t *testing.T, db store.Store) {
		push(t, db, washPushes()...)
		h := handlerOf(t, db)
		for _, q := range combinations {
			text, found := expect(q)
			wantDrawn(t, h, "/wash?"+q.Encode(), q.Get("format"), text, found)
		}
	})
}

// pairs returns combinations of values in which each two values of different
// parameters come together. It takes the combination with the most new pairs until
// there are none.
func pairs(parameters []parameter) []url.Values {
	var chosen []url.Values
	seen := map[string]bool{}
	for {
		best, most := url.Values(nil), 0
		for _, q := range product(parameters) {
			n := 0
			for _, pair := range pairsOf(q) {
				if !seen[pair] {
					n++
				}
			}
			if n > most {
				best, most = q, n
			}
		}
		if best == nil {
			return chosen
		}
		for _, pair := range pairsOf(best) {
			seen[pair] = true
		}
		chosen = append(chosen, best)
	}
}

// product returns all combinations of values.
func product(parameters []parameter) []url.Values {
	all := []url.Values{{}}
	for _, p := range parameters {
		var longer []url.Values
		for _, q := range all {
			for _, value := range p.values {
				q := maps.Clone(q)
				if value != absent {
					q.Set(p.name, value)
				}
				longer = append(longer, q)
			}
		}
		all = longer
	}
	return all
}

// pairsOf returns the pairs of values in a combination.
func pairsOf(q url.Values) []string {
	var all []string
	for i, a := range parameters {
		for _, b := range parameters[i+1:] {
			all = append(all, fmt.Sprintf("%s=%s&%s=%s", a.name, q[a.name], b.name, q[b.name]))
		}
	}
	return all
}

// wantDrawn asks for target and wants text in the format, as found or not.
func wantDrawn(t *testing.T, h http.Handler, target, format, text string, found bool) {
	t.Helper()
	w := do(h, "GET", target)
	status, contentType, drawn := 200, typeJSON, ""
	switch format {
	case "text":
		contentType, drawn = typeText, strings.TrimSuffix(w.Body.String(), "\n")
		if !found {
			status = 404
		}
	case "svg":
		contentType, drawn = typeSVG, svgTitle(t, w.Body.Bytes())
	default:
		badge := endpointBadge(t, w.Body.Bytes())
		drawn = badge.Message
		if badge.IsError == found {
			t.Errorf("GET %s: isError %t, want %t", target, badge.IsError, !found)
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

// svgTitle returns the title of an image that must be XML.
func svgTitle(t testing.TB, svg []byte) string {
	t.Helper()
	var image struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		Title   string   `xml:"title"`
	}
	if err := xml.Unmarshal(svg, &image); err != nil {
		t.Errorf("%s: %v", svg, err)
	}
	return image.Title
}

// shieldsBadge is the schema of shields.io's endpoint badge
// (https://shields.io/badges/endpoint-badge), as far as it is used here.
type shieldsBadge struct {
	SchemaVersion int
	Label         *string
	Message       string
	Color         string
	NamedLogo     *string
	IsError       bool
}

// endpointBadge reads b by that schema: only known keys, each of the right type, a
// label that may be empty, and no other empty text.
func endpointBadge(t testing.TB, b []byte) (badge shieldsBadge) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&badge); err != nil {
		t.Errorf("%s: %v", b, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		t.Errorf("%s: more than one value", b)
	}
	isComplete := badge.SchemaVersion == 1 && badge.Label != nil && badge.Message != "" && badge.Color != ""
	if !isComplete || badge.NamedLogo != nil && *badge.NamedLogo == "" {
		t.Errorf("%s is no badge that shields.io takes", b)
	}
	return badge
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	db := open(t, "wasmcloud.azurecr.io/wash:1.0.0")
	for query, c := range map[string]struct {
		status int // 0: 200
		text   string
	}{
		"sort=newest":               {text: "invalid query parameter: sort"},
		"sort=SemVer":               {text: "invalid query parameter: sort"},
		"show=url":                  {text: "invalid query parameter: show"},
		"format=xml":                {text: "invalid query parameter: format"},
		"format=JSON":               {text: "invalid query parameter: format"},
		"format=xml&sort=x":         {text: "invalid query parameter: format"},
		"sort=x&show=y":             {text: "invalid query parameter: sort"},
		"sort=x&format=svg":         {text: "invalid query parameter: sort"},
		"sort=x&format=text":        {status: 400, text: "invalid query parameter: sort"},
		"show=x&format=text":        {status: 400, text: "invalid query parameter: show"},
		"sort=x&format=html":        {status: 400, text: "invalid query parameter: sort"},
		"next=x&format=html":        {status: 400, text: "invalid query parameter: next"},
		"sort=x&next=x&format=html": {status: 400, text: "invalid query parameter: sort"},
		"sort=x&sort=date":          {text: "invalid query parameter: sort"},
		"sort=&sort=x":              {text: "invalid query parameter: sort"},
	} {
		spy := &spy{Reader: db}
		w := do(handlerOf(t, spy), "GET", "/wash?"+query)
		if want := cmp.Or(c.status, 200); w.Code != want {
			t.Errorf("GET /wash?%s: status %d, want %d", query, w.Code, want)
		}
		if !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("GET /wash?%s = %s, want %q in it", query, mainOf(w.Body.String()), c.text)
		}
		if spy.reads != 0 {
			t.Errorf("GET /wash?%s read the store %d times, want 0", query, spy.reads)
		}
	}
	const bad = `{"schemaVersion":1,"label":"","message":"invalid query parameter: sort","color":"red","isError":true}`
	wantAnswer(t, handlerOf(t, db), "/wash?sort=x", 200, typeJSON, bad)
	// A name that cannot be one is not found, but the query is looked at first.
	wantAnswer(t, handlerOf(t, db), "/Wash?sort=x", 200, typeJSON, bad)
}

func TestEmptyAndRepeatedParameters(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "wasmcloud.azurecr.io/wash:2.0.0", "wasmcloud.azurecr.io/wash:1.0.0", "wasmcloud.azurecr.io/wash:2.1.0-rc.1", "wasmcloud.azurecr.io/wash:edge"))
	for query, tag := range map[string]string{
		"":                                        "edge",
		"sort=&show=&format=&tag=":                "edge",
		"tag=,&ignore=,,":                         "edge",
		"sort=date&sort=x":                        "edge",
		"sort=&sort=semver":                       "2.0.0",
		"sort=semver&other=%zz&x=1;2":             "2.0.0",
		"sort=semver&include_prereleases":         "2.1.0-rc.1",
		"sort=semver&include_prereleases=":        "2.1.0-rc.1",
		"include_prereleases":                     "edge",
		"tag=1.*&tag=x&ignore=y":                  "1.0.0",
		"tag=x&tag=&tag=1.*":                      "1.0.0",
		"tag=x,1.*,y":                             "1.0.0",
		"ignore=edge&ignore=2.1*":                 "1.0.0",
		"ignore=edge,2.1*":                        "1.0.0",
		"tag=?.?.?&sort=semver&ignore=2*,,edge":   "1.0.0",
		"tag=*.*.*&tag=edge&ignore=*-*&ignore=e*": "1.0.0",
	} {
		wantAnswer(t, h, "/wash?"+query, 200, typeJSON, showing("wasmcloud.azurecr.io/wash:"+tag))
	}
	for _, query := range []string{"tag=[&ignore=]", "tag=*.*.*&ignore=1*,2*", "ignore=*", "tag=Edge"} {
		wantAnswer(t, h, "/wash?"+query, 200, typeJSON, unknown)
	}
}

// TestGlobsStopAfterAThousand: only the newest thousand references are looked at.
func TestGlobsStopAfterAThousand(t *testing.T) {
	t.Parallel()
	db := open(t, "a.azurecr.io/wash:hidden", "a.azurecr.io/wash:last")
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(100)
	for i := range 999 {
		group.Go(func() error { return db.Push(ctx, pushOf(fmt.Sprintf("a.azurecr.io/wash:%d", i), time.Unix(3, 0))) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	h := handlerOf(t, db)
	wantAnswer(t, h, "/wash?format=text&tag=last", 200, typeText, "a.azurecr.io/wash:last\n")
	wantAnswer(t, h, "/wash?format=text&tag=hidden", 404, typeText, "Provider not yet published\n")
}

func FuzzLookup(f *testing.F) {
	db := open(f, "wasmcloud.azurecr.io/wash:1.0.0", "wasmcloud.azurecr.io/wash:latest", "h:5000/team/app:2.0.0-rc.1")
	for _, query := range []string{"", "sort=semver&include_prereleases", "tag=1*&ignore=?", "show=pinned&format=svg", "format=text&show=digest", "format=%00"} {
		f.Add("/wash", query)
		f.Add("/h:5000/team/app/", query)
	}
	f.Add("/", "q=wash&next=x&category=official")
	f.Add("/wash", "format=html&next=MWE")
	f.Add("//", "")
	f.Add("/<script>\x00\xff", "format=svg")
	h := lookup.New(lookup.Settings{Label: "<&\"'>", Color: "blue", Logo: "docker", CacheSeconds: 60}, db)
	f.Fuzz(func(t *testing.T, path, query string) {
		r, err := http.NewRequest("GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawQuery = path, query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 && w.Code != 404 {
			t.Errorf("status %d", w.Code)
		}
		switch body := w.Body.String(); w.Header().Get("Content-Type") {
		case typeJSON:
			if w.Code == 200 && !strings.HasPrefix(path, "/api/") {
				endpointBadge(t, w.Body.Bytes())
			}
		case typeSVG:
			svgTitle(t, w.Body.Bytes())
		case typeText:
			checkLine(t, body, w.Code == 200 && !strings.Contains(query, "show"))
		case typeHTML:
			if n := strings.Count(body, "<script"); n != 1 {
				t.Errorf("%d scripts: %s", n, body)
			}
		default:
			t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
		}
	})
}

// checkLine checks a text for scripts, which may have to be a reference.
func checkLine(t *testing.T, body string, mustBeReference bool) {
	t.Helper()
	line, ok := strings.CutSuffix(body, "\n")
	if !ok || strings.Contains(line, "\n") {
		t.Errorf("text %q is not one line", body)
	}
	if _, err := reference.Parse(line); mustBeReference && err != nil {
		t.Errorf("text %q: %v", body, err)
	}
}
