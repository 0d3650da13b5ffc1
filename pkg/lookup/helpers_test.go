package lookup_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

func TestMain(m *testing.M) { dynamolocal.Main(m) }

// Content types.
const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
	typeSVG  = "image/svg+xml; charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
	typeAtom = "application/atom+xml; charset=utf-8"
)

// env returns a lookup of environment variables in vars.
func env(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// handlerOf returns the routes of db with the default settings.
func handlerOf(t testing.TB, db store.Reader) http.Handler {
	t.Helper()
	s, err := lookup.FromEnv(env(nil))
	if err != nil {
		t.Fatal(err)
	}
	s.Version = "v0.2.0"
	return lookup.New(s, db)
}

// open returns a store of these references, pushed a second apart.
func open(t testing.TB, references ...string) store.Store {
	t.Helper()
	db, err := bolt.OpenTemporary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for i, ref := range references {
		push(t, db, pushOf(ref, time.Unix(int64(i), 0)))
	}
	return db
}

// openThrough opens a table through a transport. Unlike dynamo.Open's client, it waits as
// long as a busy machine needs.
func openThrough(t *testing.T, table string, transport http.RoundTripper) store.Store {
	t.Helper()
	cfg := dynamolocal.Config(t)
	cfg.HTTPClient = &http.Client{Transport: transport}
	db, err := dynamo.Open(cfg, table, dynamo.WithoutStream())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// onBoth runs test with an empty store of each backend.
func onBoth(t *testing.T, test func(*testing.T, store.Store)) {
	t.Parallel()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		test(t, open(t))
	})
	t.Run("dynamo", func(t *testing.T) {
		t.Parallel()
		test(t, openThrough(t, dynamotest.Table(t), http.DefaultTransport))
	})
}

// pushOf returns a push with only a reference and a time.
func pushOf(ref string, at time.Time) event.Push {
	return event.Push{Reference: parse(ref), Size: event.UnknownSize, PushedAt: at.UTC()}
}

func parse(ref string) reference.Reference {
	r, err := reference.Parse(ref)
	if err != nil {
		panic(err)
	}
	return r
}

func parseName(s string) reference.Name {
	n, err := reference.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

func push(t testing.TB, db store.Writer, pushes ...event.Push) {
	t.Helper()
	for _, p := range pushes {
		if err := db.Push(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

// deleteTag deletes a reference, whatever the time of its push.
func deleteTag(t *testing.T, db store.Writer, ref string) {
	t.Helper()
	r := parse(ref)
	d := event.Delete{
		Target:     event.Target{Registry: r.Registry, Repository: r.Repository, Tag: r.Tag},
		DeletedAt:  time.Now().UTC(),
		ReceivedAt: time.Now().UTC(),
	}
	if _, err := db.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// categorize puts names into a category.
func categorize(t *testing.T, db store.Writer, category string, names ...string) {
	t.Helper()
	for _, name := range names {
		m := event.Membership{Member: event.Member{Category: category, Name: parseName(name)}, At: time.Unix(0, 0).UTC()}
		if err := db.Categorize(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// do sends a request. header contains names and values of headers in turn.
func do(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get returns the body of an answer, which must have status 200.
func get(t testing.TB, h http.Handler, target string) string {
	t.Helper()
	w := do(h, "GET", target)
	for tries := 1; tries < 5 && w.Code == http.StatusServiceUnavailable; tries++ {
		w = do(h, "GET", target) // a busy machine may be too slow for the deadline of a lookup
	}
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s = %d %s, want 200", target, w.Code, w.Body)
	}
	return w.Body.String()
}

// wantAnswer sends a request to h and compares status, type and body.
func wantAnswer(t *testing.T, h http.Handler, target string, status int, contentType, body string) {
	t.Helper()
	w := do(h, "GET", target)
	if w.Code != status {
		t.Errorf("GET %s: status %d, want %d", target, w.Code, status)
	}
	if got := w.Header().Get("Content-Type"); got != contentType {
		t.Errorf("GET %s: Content-Type %q, want %q", target, got, contentType)
	}
	if got := w.Body.String(); got != body {
		t.Errorf("GET %s = %s, want %s", target, got, body)
	}
}

// mainOf returns the main part of a page, or any other body unchanged.
func mainOf(body string) string {
	if _, main, ok := strings.Cut(body, `<main id="main">`); ok {
		body, _, _ = strings.Cut(main, "</main>")
	}
	return body
}

// wantTexts requests a page from h and wants each of texts in it, regardless of line
// breaks.
func wantTexts(t *testing.T, h http.Handler, target string, status int, texts ...string) {
	t.Helper()
	w := do(h, "GET", target, "X-Forwarded-Proto", "https")
	if w.Code != status {
		t.Errorf("GET %s: status %d, want %d", target, w.Code, status)
	}
	if got := w.Header().Get("Content-Type"); got != typeHTML {
		t.Errorf("GET %s: Content-Type %q, want %q", target, got, typeHTML)
	}
	page := strings.ReplaceAll(w.Body.String(), "<wbr>", "")
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("GET %s lacks %s: %s", target, text, mainOf(page))
		}
	}
}

// stub is a store in which each name has one reference.
type stub struct{}

func stubPush(name reference.Name) event.Push {
	return event.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: name.Repository, Tag: "0.18.1"},
		Size:      event.UnknownSize,
		PushedAt:  time.Unix(0, 0).UTC(),
	}
}

func (stub) Pick(_ context.Context, q store.Query) (event.Push, error) {
	return stubPush(q.Name), nil
}

func (stub) Versioned(_ context.Context, name reference.Name, _ event.Push) (event.Push, error) {
	return stubPush(name), nil
}

func (stub) Repositories(context.Context, store.Listing) (page store.Page[store.Entry], err error) {
	name := reference.Name{Repository: "wash"}
	page.Items = []store.Entry{{Name: name, Newest: stubPush(name), Highest: stubPush(name).Reference}}
	return page, nil
}

// References has no later pages.
func (stub) References(_ context.Context, name reference.Name, _ func(string) bool, s store.Span) (page store.Page[event.Push], err error) {
	if s.After == "" {
		page.Items = []event.Push{stubPush(name)}
	}
	return page, nil
}

func (stub) Entries(_ context.Context, names []reference.Name) (entries []store.Entry, err error) {
	for _, name := range names {
		entries = append(entries, store.Entry{Name: name, Newest: stubPush(name), Highest: stubPush(name).Reference})
	}
	return entries, nil
}

func (stub) Members(context.Context, string) ([]event.Member, error) {
	return []event.Member{{Category: "official", Name: reference.Name{Repository: "app"}}, {Category: "official", Name: reference.Name{Repository: "wash"}}}, nil
}

// A spy records the reads of a store.
type spy struct {
	store.Reader
	mu       sync.Mutex
	reads    int // number of all reads
	listings []store.Listing
	spans    []store.Span
	entries  []reference.Name
}

// note counts a read and calls do.
func (s *spy) note(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	do()
}

func (s *spy) Pick(ctx context.Context, q store.Query) (event.Push, error) {
	s.note(func() {})
	return s.Reader.Pick(ctx, q)
}

func (s *spy) Versioned(ctx context.Context, name reference.Name, p event.Push) (event.Push, error) {
	s.note(func() {})
	return s.Reader.Versioned(ctx, name, p)
}

func (s *spy) Repositories(ctx context.Context, l store.Listing) (store.Page[store.Entry], error) {
	s.note(func() { s.listings = append(s.listings, l) })
	return s.Reader.Repositories(ctx, l)
}

func (s *spy) References(ctx context.Context, name reference.Name, match func(string) bool, span store.Span) (store.Page[event.Push], error) {
	s.note(func() { s.spans = append(s.spans, span) })
	return s.Reader.References(ctx, name, match, span)
}

func (s *spy) Entries(ctx context.Context, names []reference.Name) ([]store.Entry, error) {
	s.note(func() { s.entries = append(s.entries, names...) })
	return s.Reader.Entries(ctx, names)
}

func (s *spy) Members(ctx context.Context, category string) ([]event.Member, error) {
	s.note(func() {})
	return s.Reader.Members(ctx, category)
}
