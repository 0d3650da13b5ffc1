package lookup_test

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
)

// svgTitle returns the title of an image, which must be XML.
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
	LabelColor    *string
	NamedLogo     *string
	IsError       bool
}

// endpointBadge parses b by that schema: only known keys, each of the right type. The
// label may be empty, but no other text.
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
	isEmpty := func(s *string) bool { return s != nil && *s == "" }
	if !isComplete || isEmpty(badge.NamedLogo) || isEmpty(badge.LabelColor) {
		t.Errorf("%s is not a badge that shields.io accepts", b)
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
		"sort=newest":                                    {text: "invalid query parameter: sort"},
		"sort=SemVer":                                    {text: "invalid query parameter: sort"},
		"show=url":                                       {text: "invalid query parameter: show"},
		"show=Version":                                   {text: "invalid query parameter: show"},
		"style=plastic":                                  {text: "invalid query parameter: style"},
		"style=plastic&format=atom":                      {status: 400, text: "invalid query parameter: style"},
		"format=atom&sort=x":                             {status: 400, text: "invalid query parameter: sort"},
		"color=Blue":                                     {text: "invalid query parameter: color"},
		"color=12345&format=text":                        {status: 400, text: "invalid query parameter: color"},
		"color=rgb(1,2,3)":                               {text: "invalid query parameter: color"},
		"labelColor=fffe":                                {text: "invalid query parameter: labelColor"},
		"labelColor=%22%3E&format=svg":                   {text: "invalid query parameter: labelColor"},
		"label=a%0Ab":                                    {text: "invalid query parameter: label"},
		"label=" + strings.Repeat("x", 65):               {text: "invalid query parameter: label"},
		"label=" + strings.Repeat("%C3%A9", 65):          {text: "invalid query parameter: label"},
		"logo=" + strings.Repeat("x", 65):                {text: "invalid query parameter: logo"},
		"logo=x%00&format=html":                          {status: 400, text: "Invalid query parameter: logo"},
		"label=" + strings.Repeat("x", 65) + "&logo=%00": {text: "invalid query parameter: label"},
		"tag=[":                     {text: "invalid query parameter: tag"},
		"tag=a,[z-a]&format=svg":    {text: "invalid query parameter: tag"},
		"tag=[]&ignore=[]":          {text: "invalid query parameter: tag"},
		"ignore=[!]&format=text":    {status: 400, text: "invalid query parameter: ignore"},
		"ignore=%5C*&format=html":   {status: 400, text: "Invalid query parameter: ignore"},
		"tag=a]&format=atom":        {status: 400, text: "invalid query parameter: tag"},
		"format=xml":                {text: "invalid query parameter: format"},
		"format=JSON":               {text: "invalid query parameter: format"},
		"format=xml&sort=x":         {text: "invalid query parameter: format"},
		"sort=x&show=y":             {text: "invalid query parameter: sort"},
		"sort=x&format=svg":         {text: "invalid query parameter: sort"},
		"sort=x&format=text":        {status: 400, text: "invalid query parameter: sort"},
		"show=x&format=text":        {status: 400, text: "invalid query parameter: show"},
		"sort=x&format=html":        {status: 400, text: "Invalid query parameter: sort"},
		"next=x&format=html":        {status: 400, text: "Invalid query parameter: next"},
		"sort=x&next=x&format=html": {status: 400, text: "Invalid query parameter: sort"},
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
	// A badge keeps the look that was parsed before the mistake.
	wantAnswer(t, handlerOf(t, db), "/wash?label=oci&labelColor=blue&color=green&logo=docker&sort=x", 200, typeJSON,
		`{"schemaVersion":1,"label":"oci","message":"invalid query parameter: sort","color":"red","labelColor":"blue","isError":true}`)
	// An invalid name is not found, but the query is checked first.
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
		"sort=semver&include_prereleases=yes":     "2.1.0-rc.1",
		"sort=semver&include_prereleases=false":   "2.0.0",
		"sort=semver&include_prereleases=False":   "2.0.0",
		"sort=semver&include_prereleases=0":       "2.0.0",
		"sort=semver&include_prereleases=no":      "2.0.0",
		"sort=semver&include_prereleases=00":      "2.1.0-rc.1",
		"ignore=edge,%202.1*%20,%20":              "1.0.0",
		"tag=%20edge":                             "edge",
		"tag=[0-9].0.[!1-9]":                      "1.0.0",
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
	for _, query := range []string{"tag=*.*.*&ignore=1*,2*", "ignore=*", "tag=Edge"} {
		wantAnswer(t, h, "/wash?"+query, 200, typeJSON, noMatch)
	}
}

// TestGlobsStopAfterAThousand: they are matched with only the newest thousand references.
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
	wantAnswer(t, h, "/wash?format=text&tag=hidden", 404, typeText, "No match among 1000 tags\n")
}

func FuzzLookup(f *testing.F) {
	db := open(f, "wasmcloud.azurecr.io/wash:1.0.0", "wasmcloud.azurecr.io/wash:latest", "h:5000/team/app:2.0.0-rc.1")
	for _, query := range []string{"", "sort=semver&include_prereleases", "tag=1*&ignore=?", "show=pinned&format=svg", "format=text&show=digest", "format=%00"} {
		f.Add("/wash", query)
		f.Add("/h:5000/team/app/", query)
	}
	f.Add("/wash", "label=%F0%9F%98%80&labelColor=%23fffe&color=white&logo=docker&style=flat-square&format=svg")
	f.Add("/wash", "show=version&tag=late[s-u]t&ignore=[!a-z]*&sort=semver")
	f.Add("/wash", "show=date&include_prereleases=no&tag=1.0.0-*")
	f.Add("/wash", "format=atom&tag=*&ignore=latest")
	f.Add("/", "q=wash&next=x&category=official")
	f.Add("/", "sort=pushed&registry=h:5000&next=MjIwMjM")
	f.Add("/", "format=atom&q=%00%3C&registry=localhost")
	f.Add("/api/repositories", "sort=pushed&registry=h:5000&limit=1&q=app&next=MjIwMjM")
	f.Add("/api/repositories/wash", "tag=1*&ignore=[")
	f.Add("/api/status", "")
	f.Add("/wash", "format=html&next=MWE")
	f.Add("//", "")
	f.Add("/<script>\x00\xff", "format=svg")
	h := lookup.New(lookup.Settings{Label: "<&\"'>", Color: "blue", Logo: "docker", CacheSeconds: 60}, db)
	f.Fuzz(func(t *testing.T, path, query string) {
		path = "/" + strings.TrimPrefix(path, "/") // as in any request
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
		case typeAtom:
			checkFeed(t, w.Body.Bytes())
		default:
			t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
		}
	})
}

// checkLine checks a text for scripts. If mustBeReference is set, it must be a reference.
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
