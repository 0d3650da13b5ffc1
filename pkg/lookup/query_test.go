package lookup_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

func TestMain(m *testing.M) { dynamotest.Main(m) }

// openDynamo gives an empty table in a DynamoDB Local.
func openDynamo(t *testing.T) store.Store {
	t.Helper()
	db, err := dynamo.Open(dynamotest.Config(t), dynamotest.Table(t))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// onBoth runs test over each backend.
func onBoth(t *testing.T, test func(*testing.T, store.Store)) {
	t.Run("bolt", func(t *testing.T) { test(t, open(t)) })
	t.Run("dynamo", func(t *testing.T) { test(t, openDynamo(t)) })
}

func pushAll(t *testing.T, db store.Store, pushes []store.Push) {
	t.Helper()
	for _, p := range pushes {
		if err := db.Push(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

// tags are pushed in this order. The one with no digest is the newest.
var tags = []string{"1.0.0", "1.2.0", "v1.10.0", "2.0.0-rc.1", "2.0.0-rc.2", "0.9.1", "nightly", "1.1.0", "22.04-alpha", "latest"}

func washPushes() (all []store.Push) {
	for i, tag := range tags {
		p := store.Push{
			Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: tag},
			Digest:    fmt.Sprintf("sha256:%064d", i),
			Size:      store.UnknownSize,
			PushedAt:  time.Unix(int64(i), 0).UTC(),
		}
		if tag == "latest" {
			p.Digest = ""
		}
		all = append(all, p)
	}
	return all
}

// expect is what the contract says, worked out in another way than the code's.
func expect(q url.Values) (text string, found bool) {
	matchesAny := func(name, tag string) bool {
		return slices.ContainsFunc(strings.Split(q.Get(name), ","), func(glob string) bool {
			ok, _ := path.Match(glob, tag)
			return ok
		})
	}
	type candidate struct {
		index int
		v     *semver.Version
	}
	var all, versions, releases []candidate
	for i, tag := range tags {
		if q.Has("tag") && !matchesAny("tag", tag) || q.Has("ignore") && matchesAny("ignore", tag) {
			continue
		}
		v, err := semver.NewVersion(tag)
		all = append(all, candidate{i, v})
		if err == nil {
			versions = append(versions, candidate{i, v})
			if v.Prerelease() == "" {
				releases = append(releases, candidate{i, v})
			}
		}
	}
	if len(all) == 0 {
		return "Provider not yet published", false
	}
	best := all[len(all)-1]
	if q.Get("sort") == "semver" && len(versions) > 0 {
		if !q.Has("include_prereleases") && len(releases) > 0 {
			versions = releases
		}
		best = slices.MaxFunc(versions, func(a, b candidate) int { return a.v.Compare(b.v) })
	}
	p := washPushes()[best.index]
	switch show := q.Get("show"); {
	case (show == "digest" || show == "pinned") && p.Digest == "":
		return "digest unknown", false
	case show == "digest":
		return p.Reference.Name() + "@" + p.Digest, true
	case show == "pinned":
		return p.Reference.String() + "@" + p.Digest, true
	case show == "tag":
		return p.Reference.Tag, true
	default:
		return p.Reference.String(), true
	}
}

// TestEveryParameterWithEveryOther asks all combinations of the parameters'
// values.
func TestEveryParameterWithEveryOther(t *testing.T) {
	const none = "-"
	onBoth(t, func(t *testing.T, db store.Store) {
		pushAll(t, db, washPushes())
		h := lookup.New(defaults(t), db)
		for _, sort := range []string{none, "date", "semver"} {
			for _, prereleases := range []string{none, "1"} {
				for _, tag := range []string{none, "1.*", "v*,2.0.0-rc.?", "nothing*", "*"} {
					for _, ignore := range []string{none, "latest", "*-*,latest", "*"} {
						for _, show := range []string{none, "reference", "tag", "digest", "pinned"} {
							for _, format := range []string{none, "json", "text", "svg"} {
								q := url.Values{}
								for name, value := range map[string]string{"sort": sort, "include_prereleases": prereleases, "tag": tag, "ignore": ignore, "show": show, "format": format} {
									if value != none {
										q.Set(name, value)
									}
								}
								text, found := expect(q)
								wantAnswer(t, h, "/wash?"+q.Encode(), format, text, found)
							}
						}
					}
				}
			}
		}
	})
}

// wantAnswer asks for target and wants text in the format, as found or not.
func wantAnswer(t *testing.T, h http.Handler, target, format, text string, found bool) {
	t.Helper()
	w := do(h, "GET", target)
	status, contentType, cache := 200, "application/json", "public, max-age=60"
	switch format {
	case "text":
		contentType = "text/plain; charset=utf-8"
		if !found {
			status = 404
		}
		if got := w.Body.String(); got != text+"\n" {
			t.Errorf("GET %s = %q, want %q", target, got, text+"\n")
		}
	case "svg":
		contentType = "image/svg+xml; charset=utf-8"
		if got := svgTitle(t, w.Body.Bytes()); got != text {
			t.Errorf("GET %s: the image's title is %q, want %q", target, got, text)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("GET %s: Content-Security-Policy %q", target, csp)
		}
	default:
		badge := endpointBadge(t, w.Body.Bytes())
		if badge.Message != text || badge.IsError == found {
			t.Errorf("GET %s = %s, want message %q", target, w.Body, text)
		}
	}
	if w.Code != status || w.Header().Get("Content-Type") != contentType || w.Header().Get("Cache-Control") != cache || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("GET %s = %d %v, want %d %s", target, w.Code, w.Header(), status, contentType)
	}
	tag := w.Header().Get("ETag")
	if again := do(h, "GET", target, "If-None-Match", tag); again.Code != 304 || again.Body.Len() > 0 {
		t.Errorf("GET %s with its ETag %s = %d", target, tag, again.Code)
	}
	if head := do(h, "HEAD", target); head.Code != w.Code || head.Body.Len() > 0 || head.Header().Get("ETag") != tag || head.Header().Get("Content-Type") != contentType {
		t.Errorf("HEAD %s = %d %v", target, head.Code, head.Header())
	}
}

// svgTitle is the title of an image that must be XML.
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

// endpointBadge reads b by that schema: known keys of the right type alone, a
// label that is there, and no empty text but that.
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
	if badge.SchemaVersion != 1 || badge.Label == nil || badge.Message == "" || badge.Color == "" || badge.NamedLogo != nil && *badge.NamedLogo == "" {
		t.Errorf("%s is no badge that shields.io takes", b)
	}
	return badge
}

func TestBadParameters(t *testing.T) {
	db := &counting{Reader: open(t, "wasmcloud.azurecr.io/wash:1.0.0")}
	h := lookup.New(defaults(t), db)
	for query, want := range map[string]struct {
		status int
		text   string
	}{
		"sort=newest":                  {200, "invalid query parameter: sort"},
		"sort=SemVer":                  {200, "invalid query parameter: sort"},
		"show=url":                     {200, "invalid query parameter: show"},
		"format=xml":                   {200, "invalid query parameter: format"},
		"format=xml&sort=x":            {200, "invalid query parameter: format"},
		"sort=x&show=y":                {200, "invalid query parameter: sort"},
		"sort=x&format=svg":            {200, "invalid query parameter: sort"},
		"sort=x&format=text":           {400, "invalid query parameter: sort"},
		"show=x&format=text":           {400, "invalid query parameter: show"},
		"sort=x&sort=date":             {200, "invalid query parameter: sort"},
		"sort=date&sort=x":             {200, ""},
		"sort=&show=&format=&tag=":     {200, ""},
		"tag=,&ignore=,,":              {200, ""},
		"tag=1.*&tag=x&ignore=y":       {200, ""},
		"include_prereleases":          {200, ""},
		"sort=semver&other=%zz&x=1;2":  {200, ""},
		"tag=[&ignore=]":               {200, "Provider not yet published"},
		"tag=*.*.*&ignore=a&ignore=1*": {200, "Provider not yet published"},
	} {
		db.reads = 0
		w := do(h, "GET", "/wash?"+query)
		if w.Code != want.status {
			t.Errorf("?%s = %d %s, want %d", query, w.Code, w.Body, want.status)
		}
		text := want.text
		if text == "" {
			text = "wasmcloud.azurecr.io/wash:1.0.0"
		}
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("?%s = %s, want %q in it", query, w.Body, text)
		}
		if wantReads := map[bool]int{true: 0, false: 1}[strings.HasPrefix(text, "invalid")]; db.reads != wantReads {
			t.Errorf("?%s read the store %d times, want %d", query, db.reads, wantReads)
		}
		if w.Header().Get("Content-Type") == "application/json" {
			badge := endpointBadge(t, w.Body.Bytes())
			if badge.IsError != (want.text != "") || badge.IsError && badge.NamedLogo != nil {
				t.Errorf("?%s = %s", query, w.Body)
			}
		}
	}
}

func TestStoreFailureInEachFormat(t *testing.T) {
	h := lookup.New(defaults(t), broken{err: fmt.Errorf("planted")})
	for format, want := range map[string]string{"json": failed, "text": "Lookup failed, try again\n", "svg": "<title>Lookup failed, try again</title>"} {
		w := do(h, "GET", "/wash?format="+format)
		if w.Code != 503 || !strings.Contains(w.Body.String(), want) || w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "planted") {
			t.Errorf("format=%s = %d %s %v", format, w.Code, w.Body, w.Header())
		}
	}
}

// TestGlobsStopAfterAThousand: what stands behind a thousand others is not found,
// and what stands before is.
func TestGlobsStopAfterAThousand(t *testing.T) {
	db := open(t)
	pushAll(t, db, []store.Push{
		{Reference: reference.Reference{Registry: "h", Repository: "wash", Tag: "hidden"}, PushedAt: time.Unix(1, 0)},
		{Reference: reference.Reference{Registry: "h", Repository: "wash", Tag: "last"}, PushedAt: time.Unix(2, 0)},
	})
	for i := range store.MaxScan - 1 {
		pushAll(t, db, []store.Push{{Reference: reference.Reference{Registry: "h", Repository: "wash", Tag: fmt.Sprint(i)}, PushedAt: time.Unix(3, 0)}})
	}
	h := lookup.New(defaults(t), db)
	wantAnswer(t, h, "/wash?format=text&tag=last", "text", "h/wash:last", true)
	wantAnswer(t, h, "/wash?format=text&tag=hidden", "text", "Provider not yet published", false)
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
		if w.Code >= 500 || w.Code != 200 && w.Code != 400 && w.Code != 404 {
			t.Errorf("status %d", w.Code)
		}
		switch body := w.Body.Bytes(); w.Header().Get("Content-Type") {
		case "application/json":
			if w.Code == 200 && !strings.HasPrefix(path, "/api/") {
				endpointBadge(t, body)
			}
		case "image/svg+xml; charset=utf-8":
			svgTitle(t, body)
		case "text/plain; charset=utf-8":
			ref, isLine := strings.CutSuffix(string(body), "\n")
			if _, err := reference.Parse(ref); !isLine || strings.Contains(ref, "\n") || w.Code == 200 && err != nil && !strings.Contains(query, "show") {
				t.Errorf("text %q: %v", body, err)
			}
		case "text/html; charset=utf-8":
			if n := bytes.Count(body, []byte("<script")); n != 1 {
				t.Errorf("%d scripts: %s", n, body)
			}
		default:
			t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
		}
	})
}
