package lookup_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// broken is a stub with one method, or all methods if method is empty, that fails or
// hangs until its deadline.
type broken struct {
	stub
	method string
	hangs  bool
}

var errPlanted = errors.New("planted")

func (b broken) err(ctx context.Context, method string) error {
	if b.method != "" && b.method != method {
		return nil
	}
	if b.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return errPlanted
}

func (b broken) Pick(ctx context.Context, q store.Query) (event.Push, error) {
	if err := b.err(ctx, "Pick"); err != nil {
		return event.Push{}, err
	}
	return b.stub.Pick(ctx, q)
}

func (b broken) Versioned(ctx context.Context, name reference.Name, p event.Push) (event.Push, error) {
	if err := b.err(ctx, "Versioned"); err != nil {
		return event.Push{}, err
	}
	return b.stub.Versioned(ctx, name, p)
}

func (b broken) Repositories(ctx context.Context, l store.Listing) (store.Page[store.Entry], error) {
	if err := b.err(ctx, "Repositories"); err != nil {
		return store.Page[store.Entry]{}, err
	}
	return b.stub.Repositories(ctx, l)
}

func (b broken) References(ctx context.Context, name reference.Name, match func(string) bool, s store.Span) (store.Page[event.Push], error) {
	if err := b.err(ctx, "References"); err != nil {
		return store.Page[event.Push]{}, err
	}
	return b.stub.References(ctx, name, match, s)
}

func (b broken) Entries(ctx context.Context, names []reference.Name) ([]store.Entry, error) {
	if err := b.err(ctx, "Entries"); err != nil {
		return nil, err
	}
	return b.stub.Entries(ctx, names)
}

func (b broken) Members(ctx context.Context, category string) ([]event.Member, error) {
	if err := b.err(ctx, "Members"); err != nil {
		return nil, err
	}
	return b.stub.Members(ctx, category)
}

type failure struct {
	route       string
	target      string
	method      string // the store's method that fails; empty: all of them
	contentType string
	text        string // text in the body
	repository  string // repository in the log
}

// failures are all routes that read the store, in each format.
var failures = []failure{
	{route: "GET /{name+}", target: "/wash", contentType: typeJSON, text: failed, repository: "wash"},
	{route: "GET /{name+}", target: "/a.azurecr.io/wash", contentType: typeJSON, text: failed, repository: "a.azurecr.io/wash"},
	{route: "GET /{name+}", target: "/wash?format=json&tag=1.*", contentType: typeJSON, text: failed, repository: "wash"},
	{route: "GET /{name+}", target: "/wash?format=text", contentType: typeText, text: "Lookup failed, try again\n", repository: "wash"},
	{route: "GET /{name+}", target: "/wash?format=svg", contentType: typeSVG, text: "<title>Lookup failed, try again</title>", repository: "wash"},
	{route: "GET /{name+}", target: "/wash?format=html", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1><p>This is not your fault. Try again in a moment.</p>", repository: "wash"},
	{route: "GET /{name+}", target: "/wash?format=html&next=MXg", method: "Pick", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>", repository: "wash"},
	{route: "GET /{name+}", target: "/wash?format=html", method: "References", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>", repository: "wash"},
	{route: "GET /{name+}", target: "/wash?format=atom", contentType: typeAtom, text: "<title>Lookup failed, try again</title>", repository: "wash"},
	{route: "GET /{name+}", target: "/wash?show=version&tag=*", method: "Pick", contentType: typeJSON, text: failed, repository: "wash"},
	{route: "HEAD /{name+}", target: "/wash", contentType: typeJSON, repository: "wash"},
	{route: "HEAD /{name+}", target: "/wash?format=html", contentType: typeHTML, repository: "wash"},
	{route: "GET /", target: "/", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/", method: "Repositories", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/", method: "Members", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/", method: "Entries", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/?q=x", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/?next=MXg", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/?category=official", method: "Members", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/?category=official", method: "Entries", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/?registry=a.io", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "GET /", target: "/?format=atom", contentType: typeAtom, text: "<title>Lookup failed, try again</title>"},
	{route: "GET /", target: "/?format=atom&category=official", method: "Members", contentType: typeAtom, text: "<title>Lookup failed, try again</title>"},
	{route: "GET /", target: "/?sort=pushed&category=official", method: "Entries", contentType: typeHTML, text: "<h1>Lookup failed, try again</h1>"},
	{route: "HEAD /", target: "/", contentType: typeHTML},
	{route: "GET /api/repositories", target: "/api/repositories", contentType: typeJSON, text: `{"error":"Lookup failed, try again"}`},
	{route: "GET /api/repositories/{name+}", target: "/api/repositories/wash", contentType: typeJSON, text: `{"error":"Lookup failed, try again"}`, repository: "wash"},
	{route: "GET /api/repositories/{name+}", target: "/api/repositories/wash?next=MXg", method: "Pick", contentType: typeJSON, text: `{"error":"Lookup failed, try again"}`, repository: "wash"},
	{route: "GET /api/status", target: "/api/status", contentType: typeJSON, text: `{"error":"Lookup failed, try again"}`},
	{route: "HEAD /api/status", target: "/api/status", contentType: typeJSON},
	{route: "GET /api/categories", target: "/api/categories", contentType: typeJSON, text: `{"error":"Lookup failed, try again"}`},
	{route: "GET /api/categories/{category}", target: "/api/categories/official", method: "Members", contentType: typeJSON, text: `{"error":"Lookup failed, try again"}`},
	{route: "GET /api/categories/{category}", target: "/api/categories/official", method: "Entries", contentType: typeJSON, text: `{"error":"Lookup failed, try again"}`},
	{route: "HEAD /api/repositories", target: "/api/repositories", contentType: typeJSON},
	{route: "HEAD /api/repositories/{name+}", target: "/api/repositories/wash", contentType: typeJSON, repository: "wash"},
	{route: "HEAD /api/categories", target: "/api/categories", contentType: typeJSON},
	{route: "HEAD /api/categories/{category}", target: "/api/categories/official", contentType: typeJSON},
}

// TestStoreFailureIsA503OnEveryRoute: the answer has the requested format, is never
// cached, and comes in time. The log has the error; the answer does not.
func TestStoreFailureIsA503OnEveryRoute(t *testing.T) {
	t.Parallel()
	for _, c := range failures {
		method, _, _ := strings.Cut(c.route, " ")
		for _, hangs := range []bool{false, true} {
			what := method + " " + c.target + " where " + cmp.Or(c.method, "the store") + map[bool]string{false: " fails", true: " hangs"}[hangs]
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				w, line, took := askInBubble(t, broken{method: c.method, hangs: hangs}, method, c.target, "If-None-Match", "*")
				if w.Code != http.StatusServiceUnavailable {
					t.Errorf("status %d, want 503", w.Code)
				}
				// A cold start may need the rest of the promised 3 s.
				if took > 2*time.Second {
					t.Errorf("the answer took %s, want at most 2s", took)
				}
				if !strings.Contains(w.Body.String(), c.text) {
					t.Errorf("body %s, want %s in it", mainOf(w.Body.String()), c.text)
				}
				if method == "HEAD" && w.Body.Len() > 0 {
					t.Errorf("body %s, want none", w.Body)
				}
				wantErr := errPlanted
				if hangs {
					wantErr = context.DeadlineExceeded
				}
				if strings.Contains(w.Body.String(), wantErr.Error()) {
					t.Errorf("body %s tells the reader the error", mainOf(w.Body.String()))
				}
				for name, want := range map[string]string{"Content-Type": c.contentType, "Cache-Control": "no-store", "ETag": ""} {
					if got := w.Header().Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				for key, want := range map[string]string{"level": "ERROR", "outcome": "store_failed", "err": wantErr.Error(), "repository": c.repository} {
					if got, _ := line[key].(string); got != want {
						t.Errorf("the log has %s %q, want %q: %v", key, got, want, line)
					}
				}
			})
		}
	}
}

// askInBubble sends a request in a bubble, whose clock stands still while code runs.
func askInBubble(t *testing.T, db store.Reader, method, target string, header ...string) (w *httptest.ResponseRecorder, line map[string]any, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		w, line = askLogged(t, db, method, target, header...)
		took = time.Since(begin)
	})
	return w, line, took
}

// askLogged returns the answer and the fields of its log line.
func askLogged(t *testing.T, db store.Reader, method, target string, header ...string) (w *httptest.ResponseRecorder, line map[string]any) {
	t.Helper()
	var log bytes.Buffer
	w = do(requestlog.Handler(requestlog.NewJSON(&log), handlerOf(t, db)), method, target, header...)
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("log %s: %v", &log, err)
	}
	return w, line
}

// TestEveryRouteIsTriedWithABrokenStore compares the rows of failures with the routes of
// New.
func TestEveryRouteIsTriedWithABrokenStore(t *testing.T) {
	t.Parallel()
	for route := range lookup.New(lookup.Settings{}, nil) {
		if strings.HasSuffix(route, " /api/openapi.json") || strings.HasSuffix(route, " /robots.txt") { // reads no store
			continue
		}
		if !slices.ContainsFunc(failures, func(c failure) bool { return c.route == route }) {
			t.Errorf("%s is not tried", route)
		}
	}
}

func TestLogSaysWhatBecameOfARequest(t *testing.T) {
	t.Parallel()
	db := open(t, "wasmcloud.azurecr.io/wash:0.18.1")
	for _, c := range []struct {
		target     string
		level      string
		outcome    string
		repository string
		reference  string
	}{
		{target: "/wash", level: "INFO", outcome: "found", repository: "wash", reference: "wasmcloud.azurecr.io/wash:0.18.1"},
		{target: "/WASMCLOUD.azurecr.io/wash/?format=text", level: "INFO", outcome: "found", repository: "wasmcloud.azurecr.io/wash", reference: "wasmcloud.azurecr.io/wash:0.18.1"},
		{target: "/wash?show=digest", level: "INFO", outcome: "no_digest", repository: "wash", reference: "wasmcloud.azurecr.io/wash:0.18.1"},
		{target: "/wash?tag=2", level: "INFO", outcome: "no_match", repository: "wash"},
		{target: "/wash?tag=2&format=text", level: "WARN", outcome: "no_match", repository: "wash"},
		{target: "/wash?tag=2&format=html", level: "WARN", outcome: "no_match", repository: "wash"},
		{target: "/wash?tag=2&format=atom", level: "WARN", outcome: "no_match", repository: "wash"},
		{target: "/wash?format=html", level: "INFO", outcome: "found", repository: "wash"},
		{target: "/wash?format=atom", level: "INFO", outcome: "found", repository: "wash"},
		{target: "/nothing", level: "INFO", outcome: "unknown", repository: "nothing"},
		{target: "/nothing?format=text", level: "WARN", outcome: "unknown", repository: "nothing"},
		{target: "/nothing?format=html", level: "WARN", outcome: "unknown", repository: "nothing"},
		{target: "/Not-a-name", level: "INFO", outcome: "unknown"},
		{target: "/wash?sort=x", level: "INFO", outcome: "bad_query"},
		{target: "/wash?sort=x&format=text", level: "WARN", outcome: "bad_query"},
		{target: "/", level: "INFO", outcome: "found"},
		{target: "/?next=x", level: "WARN", outcome: "bad_query"},
		{target: "/?category=x", level: "WARN", outcome: "unknown"},
		{target: "/api/repositories", level: "INFO", outcome: "found"},
		{target: "/api/repositories/wash", level: "INFO", outcome: "found", repository: "wash"},
		{target: "/api/repositories/nothing", level: "WARN", outcome: "unknown", repository: "nothing"},
		{target: "/api/repositories?limit=0", level: "WARN", outcome: "bad_query"},
		{target: "/api/categories", level: "INFO", outcome: "found"},
		{target: "/api/categories/x", level: "WARN", outcome: "unknown"},
		{target: "/?format=atom", level: "INFO", outcome: "found"},
		{target: "/api/status", level: "INFO", outcome: "found"},
		{target: "/api/openapi.json", level: "INFO", outcome: "found"},
	} {
		_, line := askLogged(t, db, "GET", c.target)
		for key, want := range map[string]string{"level": c.level, "outcome": c.outcome, "repository": c.repository, "reference": c.reference, "err": ""} {
			if got, _ := line[key].(string); got != want {
				t.Errorf("GET %s: the log has %s %q, want %q: %v", c.target, key, got, want, line)
			}
		}
	}
}

// Headers that depend on the body have these values in TestHeaders.
const (
	anyETag   = "a strong one"
	zippedTag = "a strong one of gzip"
	anyLength = "that of the body"
	anyHash   = "'sha256-'"
)

var (
	etagPattern = regexp.MustCompile(`^"[0-9a-f]{24}"$`)
	zipPattern  = regexp.MustCompile(`^"[0-9a-f]{24}-gzip"$`)
	hashPattern = regexp.MustCompile(`'sha256-[A-Za-z0-9+/]{43}='`)
)

// fixed returns the headers of w with fixed values for those that depend on the body.
func fixed(w *httptest.ResponseRecorder) http.Header {
	header := w.Header().Clone()
	if etagPattern.MatchString(header.Get("ETag")) {
		header.Set("ETag", anyETag)
	}
	if zipPattern.MatchString(header.Get("ETag")) {
		header.Set("ETag", zippedTag)
	}
	if header.Get("Content-Length") == strconv.Itoa(w.Body.Len()) {
		header.Set("Content-Length", anyLength)
	}
	if policy := header.Get("Content-Security-Policy"); policy != "" {
		header.Set("Content-Security-Policy", hashPattern.ReplaceAllString(policy, anyHash))
	}
	return header
}

func wantHeader(t *testing.T, what string, got, want http.Header) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s: headers: -want +got\n%s", what, diff)
	}
}

// TestHeaders compares all headers of all kinds of answers.
func TestHeaders(t *testing.T) {
	t.Parallel()
	// with returns the headers of all answers, changed by more; an empty value removes a
	// header.
	with := func(contentType string, more ...string) http.Header {
		header := http.Header{
			"Access-Control-Allow-Origin": {"*"},
			"X-Content-Type-Options":      {"nosniff"},
			"Cache-Control":               {"public, max-age=60"},
			"Etag":                        {anyETag},
			"Content-Type":                {contentType},
			"Content-Length":              {anyLength},
		}
		for i := 0; i < len(more); i += 2 {
			header.Set(more[i], more[i+1])
			if more[i+1] == "" {
				header.Del(more[i])
			}
		}
		return header
	}
	// page returns the headers of a page.
	page := func(more ...string) http.Header {
		return with(typeHTML, append([]string{
			"Content-Security-Policy", "default-src 'none'; style-src " + anyHash + "; script-src " + anyHash + "; img-src 'self' data:; " +
				"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Referrer-Policy", "no-referrer",
			"Vary", "Accept-Encoding",
		}, more...)...)
	}
	const imagePolicy = "default-src 'none'; sandbox"

	working, failing := handlerOf(t, open(t, "a.azurecr.io/wash:1")), handlerOf(t, broken{})
	for name, c := range map[string]struct {
		h      http.Handler
		target string
		header []string // of the request
		status int
		want   http.Header
	}{
		"badge":                         {h: working, target: "/wash", status: 200, want: with(typeJSON, "Vary", "Accept")},
		"badge, too short to zip":       {h: working, target: "/wash", header: []string{"Accept-Encoding", "gzip"}, status: 200, want: with(typeJSON, "Vary", "Accept")},
		"badge, known":                  {h: working, target: "/wash", header: []string{"If-None-Match", "*"}, status: 304, want: with("", "Vary", "Accept", "Content-Type", "", "Content-Length", "")},
		"badge, unknown":                {h: working, target: "/nothing", status: 200, want: with(typeJSON, "Vary", "Accept")},
		"badge, bad query":              {h: working, target: "/wash?sort=x", status: 200, want: with(typeJSON, "Vary", "Accept")},
		"badge, failed":                 {h: failing, target: "/wash", status: 503, want: with(typeJSON, "Vary", "Accept", "Cache-Control", "no-store", "ETag", "")},
		"image":                         {h: working, target: "/wash?format=svg", status: 200, want: with(typeSVG, "Content-Security-Policy", imagePolicy)},
		"image, known":                  {h: working, target: "/wash?format=svg", header: []string{"If-None-Match", "*"}, status: 304, want: with("", "Content-Type", "", "Content-Length", "", "Content-Security-Policy", imagePolicy)},
		"image, unknown":                {h: working, target: "/nothing?format=svg", status: 200, want: with(typeSVG, "Content-Security-Policy", imagePolicy)},
		"image, failed":                 {h: failing, target: "/wash?format=svg", status: 503, want: with(typeSVG, "Content-Security-Policy", imagePolicy, "Cache-Control", "no-store", "ETag", "")},
		"repository, by Accept":         {h: working, target: "/wash", header: []string{"Accept", "text/html"}, status: 200, want: page("Vary", "Accept, Accept-Encoding")},
		"repository, by Accept, known":  {h: working, target: "/wash", header: []string{"Accept", "text/html", "If-None-Match", "*"}, status: 304, want: page("Vary", "Accept, Accept-Encoding", "Content-Type", "", "Content-Length", "")},
		"repository, by Accept, failed": {h: failing, target: "/wash", header: []string{"Accept", "text/html"}, status: 503, want: page("Vary", "Accept", "Cache-Control", "no-store", "ETag", "")},
		"robots":                        {h: failing, target: "/robots.txt", status: 200, want: with(typeText)},
		"text":                          {h: working, target: "/wash?format=text", status: 200, want: with(typeText)},
		"text, unknown":                 {h: working, target: "/nothing?format=text", status: 404, want: with(typeText)},
		"text, no digest":               {h: working, target: "/wash?format=text&show=digest", status: 404, want: with(typeText)},
		"badge, no digest":              {h: working, target: "/wash?show=pinned", status: 200, want: with(typeJSON, "Vary", "Accept")},
		"text, bad query":               {h: working, target: "/wash?format=text&sort=x", status: 400, want: with(typeText)},
		"text, failed":                  {h: failing, target: "/wash?format=text", status: 503, want: with(typeText, "Cache-Control", "no-store", "ETag", "")},
		"repository":                    {h: working, target: "/wash?format=html", status: 200, want: page()},
		"repository, unknown":           {h: working, target: "/nothing?format=html", status: 404, want: page()},
		"repository, bad query":         {h: working, target: "/wash?format=html&sort=x", status: 400, want: page()},
		"repository, failed":            {h: failing, target: "/wash?format=html", status: 503, want: page("Cache-Control", "no-store", "ETag", "", "Vary", "")},
		"catalogue":                     {h: working, target: "/", status: 200, want: page()},
		"catalogue, zipped":             {h: working, target: "/", header: []string{"Accept-Encoding", "gzip"}, status: 200, want: page("Content-Encoding", "gzip", "ETag", zippedTag)},
		"catalogue, known":              {h: working, target: "/", header: []string{"If-None-Match", "*"}, status: 304, want: page("Content-Type", "", "Content-Length", "")},
		"catalogue, zipped, known":      {h: working, target: "/", header: []string{"Accept-Encoding", "gzip", "If-None-Match", "*"}, status: 304, want: page("Content-Type", "", "Content-Length", "", "ETag", zippedTag)},
		"catalogue, bad query":          {h: working, target: "/?next=x", status: 400, want: page()},
		"category, unknown":             {h: working, target: "/?category=x", status: 404, want: page()},
		"catalogue, failed":             {h: failing, target: "/", header: []string{"Accept-Encoding", "gzip"}, status: 503, want: page("Cache-Control", "no-store", "ETag", "", "Vary", "")},
		"feed":                          {h: working, target: "/wash?format=atom", status: 200, want: with(typeAtom)},
		"feed, unknown":                 {h: working, target: "/nothing?format=atom", status: 404, want: with(typeAtom)},
		"feed, no match":                {h: working, target: "/wash?format=atom&tag=2", status: 404, want: with(typeAtom)},
		"feed, bad query":               {h: working, target: "/wash?format=atom&sort=x", status: 400, want: with(typeAtom)},
		"feed, failed":                  {h: failing, target: "/?format=atom", status: 503, want: with(typeAtom, "Cache-Control", "no-store", "ETag", "")},
		"feed of the catalogue":         {h: working, target: "/?format=atom", status: 200, want: with(typeAtom)},
		"status":                        {h: working, target: "/api/status", status: 200, want: with(typeJSON)},
		"status, failed":                {h: failing, target: "/api/status", status: 503, want: with(typeJSON, "Cache-Control", "no-store", "ETag", "")},
		"badge, no match":               {h: working, target: "/wash?tag=2", status: 200, want: with(typeJSON, "Vary", "Accept")},
		"image, no match":               {h: working, target: "/wash?format=svg&tag=2", status: 200, want: with(typeSVG, "Content-Security-Policy", imagePolicy)},
		"text, no match":                {h: working, target: "/wash?format=text&tag=2", status: 404, want: with(typeText)},
		"text, no version":              {h: working, target: "/wash?format=text&show=version", status: 404, want: with(typeText)},
		"repository, no match":          {h: working, target: "/wash?format=html&tag=2", status: 404, want: page()},
		"JSON":                          {h: working, target: "/api/repositories", status: 200, want: with(typeJSON)},
		"JSON, unknown":                 {h: working, target: "/api/repositories/nothing", status: 404, want: with(typeJSON)},
		"JSON, bad query":               {h: working, target: "/api/repositories?limit=x", status: 400, want: with(typeJSON)},
		"JSON, failed":                  {h: failing, target: "/api/repositories", status: 503, want: with(typeJSON, "Cache-Control", "no-store", "ETag", "")},
		"description":                   {h: working, target: "/api/openapi.json", status: 200, want: with(typeJSON, "Vary", "Accept-Encoding")},
		"description, zipped":           {h: working, target: "/api/openapi.json", header: []string{"Accept-Encoding", "gzip"}, status: 200, want: with(typeJSON, "Vary", "Accept-Encoding", "Content-Encoding", "gzip", "ETag", zippedTag)},
		"description, store failed":     {h: failing, target: "/api/openapi.json", status: 200, want: with(typeJSON, "Vary", "Accept-Encoding")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := do(c.h, "GET", c.target, c.header...)
			if w.Code != c.status {
				t.Errorf("GET %s %q: status %d, want %d", c.target, c.header, w.Code, c.status)
			}
			wantHeader(t, "GET "+c.target, fixed(w), c.want)
		})
	}

	w := do(working, "POST", "/wash")
	if w.Code != 404 {
		t.Errorf("POST /wash: status %d, want 404", w.Code)
	}
	wantHeader(t, "POST /wash", fixed(w), http.Header{"Content-Type": {typeJSON}})
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "wasmcloud.azurecr.io/wash:0.18.1"))
	tag := do(h, "GET", "/wash").Header().Get("ETag")
	for _, c := range []struct {
		name   string
		header []string
		status int
	}{
		{name: "the tag", header: []string{"If-None-Match", tag}, status: 304},
		{name: "the tag behind another", header: []string{"If-None-Match", `"x", ` + tag}, status: 304},
		{name: "the tag in a second header", header: []string{"If-None-Match", `"x"`, "If-None-Match", tag}, status: 304},
		{name: "the tag as a weak one", header: []string{"If-None-Match", "W/" + tag}, status: 304},
		{name: "any", header: []string{"If-None-Match", "*"}, status: 304},
		{name: "another", header: []string{"If-None-Match", `"x"`}, status: 200},
		{name: "the tag without quotes", header: []string{"If-None-Match", strings.Trim(tag, `"`)}, status: 200},
		{name: "empty", header: []string{"If-None-Match", ""}, status: 200},
		{name: "none", status: 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := do(h, method, "/wash", c.header...)
			if w.Code != c.status {
				t.Errorf("%s /wash with %q: status %d, want %d", method, c.header, w.Code, c.status)
			}
			if w.Code == http.StatusNotModified && w.Body.Len() > 0 {
				t.Errorf("%s /wash with %q: a 304 with the body %q", method, c.header, w.Body)
			}
		}
	}
}

// TestETagChangesWithTheAnswer: equal tags mean equal bytes of the same type.
func TestETagChangesWithTheAnswer(t *testing.T) {
	t.Parallel()
	db := open(t, "wasmcloud.azurecr.io/wash:0.18.1")
	h := handlerOf(t, db)
	tags := map[string]string{}
	for _, target := range []string{"/wash", "/wash?show=tag", "/wash?format=text", "/wash?format=svg", "/wash?format=html", "/wash?format=atom", "/nothing", "/", "/?format=atom", "/api/repositories", "/api/status"} {
		tag := do(h, "GET", target).Header().Get("ETag")
		if again := do(h, "GET", target).Header().Get("ETag"); again != tag {
			t.Errorf("GET %s has the ETag %s, and then %s", target, tag, again)
		}
		if other, ok := tags[tag]; ok {
			t.Errorf("GET %s and GET %s have the same ETag %s", target, other, tag)
		}
		tags[tag] = target
	}
	before := do(h, "GET", "/wash").Header().Get("ETag")
	push(t, db, pushOf("wasmcloud.azurecr.io/wash:0.19.0", time.Unix(9, 0)))
	if w := do(h, "GET", "/wash", "If-None-Match", before); w.Code != http.StatusOK {
		t.Errorf("GET /wash after a push, with the old ETag: status %d, want 200", w.Code)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "a.azurecr.io/wash:1"))
	plain := get(t, h, "/")
	for _, c := range []struct {
		accept string
		zipped bool
	}{
		{accept: "gzip", zipped: true},
		{accept: "deflate, GZIP;q=0.5, br", zipped: true},
		{accept: "*", zipped: true},
		{accept: "*;q=0, gzip", zipped: true},
		{accept: "br;q=1, *;q=0.1", zipped: true},
		{accept: "", zipped: false},
		{accept: "identity", zipped: false},
		{accept: "br", zipped: false},
		{accept: "gzip;q=0", zipped: false},
		{accept: "gzip; q=0.000, *", zipped: false},
		{accept: "*, gzip;q=0", zipped: false},
		{accept: "*;q=0", zipped: false},
		{accept: "gzip;q=x", zipped: false},
		{accept: "xgzip", zipped: false},
	} {
		w := do(h, "GET", "/", "Accept-Encoding", c.accept)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != c.zipped {
			t.Errorf("with Accept-Encoding %q: zipped %t, want %t", c.accept, got, c.zipped)
			continue
		}
		body := w.Body.String()
		if c.zipped {
			body = unzip(t, w.Body)
		}
		if body != plain {
			t.Errorf("with Accept-Encoding %q: the body differs from the plain one: %s", c.accept, body)
		}
	}
}

func unzip(t *testing.T, r io.Reader) string {
	t.Helper()
	zip, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestShortAnswersAreNotZipped: answers are zipped from 4 KB on.
func TestShortAnswersAreNotZipped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bytes  int
		zipped bool
	}{{bytes: 4095, zipped: false}, {bytes: 4096, zipped: true}} {
		db := one{push: pushOf("a.azurecr.io/wash:1", time.Time{})}
		s := lookup.Settings{Color: "blue"}
		s.Label = strings.Repeat("x", c.bytes-do(lookup.New(s, db), "GET", "/wash").Body.Len())
		w := do(lookup.New(s, db), "GET", "/wash", "Accept-Encoding", "gzip")
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != c.zipped {
			t.Errorf("an answer of %d bytes: zipped %t, want %t", c.bytes, got, c.zipped)
		}
	}
}
