package lookup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

func pushOf(name, tag string, at time.Time) store.Push {
	return store.Push{Reference: reference.Reference{Registry: "a.azurecr.io", Repository: name, Tag: tag}, Size: store.UnknownSize, PushedAt: at}
}

func TestPages(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := lookup.New(defaults(t), db)
		want := func(target string, status int, texts ...string) {
			t.Helper()
			w := do(h, "GET", target, "X-Forwarded-Proto", "https")
			if w.Code != status || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "public, max-age=60" ||
				!strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'; ") {
				t.Errorf("GET %s = %d %v, want %d", target, w.Code, w.Header(), status)
			}
			for _, text := range texts {
				if !strings.Contains(w.Body.String(), text) {
					t.Errorf("GET %s lacks %s: %s", target, text, w.Body)
				}
			}
			tag := w.Header().Get("ETag")
			if w := do(h, "GET", target, "X-Forwarded-Proto", "https", "If-None-Match", tag); tag == "" || w.Code != http.StatusNotModified || w.Body.Len() > 0 {
				t.Errorf("GET %s with its ETag %s = %d", target, tag, w.Code)
			}
			head := do(h, "HEAD", target, "X-Forwarded-Proto", "https")
			if head.Code != status || head.Body.Len() > 0 || head.Header().Get("Content-Length") != fmt.Sprint(w.Body.Len()) {
				t.Errorf("HEAD %s = %d %v", target, head.Code, head.Header())
			}
		}
		want("/", 200, "Nothing has been pushed yet", "https://example.com/api/azurehook")
		want("/wash?format=html", 404, "Provider not yet published", "“wash”")
		want("/Not%20%3Ca%3E%20name?format=html", 404, "“Not &lt;a&gt; name”")

		at := time.Now().Add(-time.Hour)
		pushAll(t, db, []store.Push{pushOf("wash", "1.0.0", at.Add(-72*time.Hour)), pushOf("wash", "latest", at), pushOf("team/app", "x", at)})
		for _, name := range []string{"wash", "a.azurecr.io/wash", "soon"} {
			if err := db.Categorize(t.Context(), store.Membership{Member: store.Member{Category: "official", Name: name}, At: at}); err != nil {
				t.Fatal(err)
			}
		}
		want("/", 200, "a.azurecr.io/wash:latest</code></td><td>1.0.0</td>", "1 hour ago", "2 repositories", "https://example.com/team/app?format=svg",
			`<a href="/?category=official">official</a>`, `<a href="/wash?format=html">wash</a><small> 1.0.0`, `<a href="/a.azurecr.io/wash?format=html">`, "soon<small> not yet published")
		want("/?q=WASH", 200, "1 repository<", ">a.azurecr.io/wash:latest<")
		want("/?q=app+team", 200, "1 repository<", ">a.azurecr.io/team/app:x<")
		want("/?q=azurecr", 200, "No repository has all of these words in its name")
		want("/?q=%20&next=", 200, "2 repositories<")
		want("/?category=official", 200, "<h1>official</h1>", "3 repositories", ">a.azurecr.io/wash:latest<", "not yet published")
		want("/?category=other", 404, "No such category")
		want("/?category=%3Cb%3E", 404, "No such category")
		want("/?next=x", 400, "invalid query parameter: next")
		want("/?q=1+2+3+4+5+6+7+8+9+10+11", 400, "invalid query parameter: q")
		want("/wash?format=html", 200, "<h1>wash</h1>", "a.azurecr.io/wash:1.0.0</code>", "3 days ago", "https://example.com/wash?format=svg")
		want("/a.azurecr.io/wash/?format=html&tag=ignored", 200, "<h1>a.azurecr.io/wash</h1>")
		want("/wash?format=html&sort=newest", 400, "invalid query parameter: sort")
		want("/wash?format=html&next=x", 400, "invalid query parameter: next")
		if w := do(h, "GET", "/"); !strings.Contains(w.Body.String(), "(http://example.com/wash?format=svg)") {
			t.Errorf("without a proxy: %s", w.Body)
		}
	})
}

// TestLongListIsShortenedOnTheFirstPage: all of it is on its own page.
func TestLongListIsShortenedOnTheFirstPage(t *testing.T) {
	db := open(t)
	for i := range 70 {
		m := store.Member{Category: "long", Name: fmt.Sprintf("app-%02d", i)}
		if err := db.Categorize(t.Context(), store.Membership{Member: m, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Categorize(t.Context(), store.Membership{Member: store.Member{Category: "short", Name: "app-69"}, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	h := lookup.New(defaults(t), db)
	for target, want := range map[string]struct {
		members int
		more    string
	}{"/": {51, "and 20 more"}, "/?category=long": {70, "70 repositories"}} {
		w := do(h, "GET", target)
		if n := strings.Count(w.Body.String(), "not yet published"); n != want.members || !strings.Contains(w.Body.String(), want.more) {
			t.Errorf("GET %s: %d members, want %d and %q", target, n, want.members, want.more)
		}
	}
}

// failingReads is a store all of whose reads fail.
type failingReads struct{}

var errPlanted = errors.New("planted")

func (failingReads) Pick(context.Context, store.Query) (store.Push, error) {
	return store.Push{}, errPlanted
}
func (failingReads) Repositories(context.Context, store.Listing) ([]store.Entry, bool, error) {
	return nil, false, errPlanted
}
func (failingReads) References(context.Context, string, string, int) ([]store.Push, bool, error) {
	return nil, false, errPlanted
}
func (failingReads) Entries(context.Context, []string) ([]store.Entry, error) { return nil, errPlanted }
func (failingReads) Members(context.Context, string) ([]store.Member, error)  { return nil, errPlanted }

func TestStoreFailureIsA503InTheAskedForm(t *testing.T) {
	h := lookup.New(defaults(t), failingReads{})
	for target, want := range map[string]string{
		"/":                        "text/html; charset=utf-8",
		"/?q=x":                    "text/html; charset=utf-8",
		"/?category=official":      "text/html; charset=utf-8",
		"/wash?format=html":        "text/html; charset=utf-8",
		"/wash?format=text":        "text/plain; charset=utf-8",
		"/wash?format=svg":         "image/svg+xml; charset=utf-8",
		"/wash":                    "application/json",
		"/api/repositories":        "application/json",
		"/api/repositories/wash":   "application/json",
		"/api/categories":          "application/json",
		"/api/categories/official": "application/json",
	} {
		w := do(h, "GET", target)
		if w.Code != 503 || w.Header().Get("Content-Type") != want || w.Header().Get("Cache-Control") != "no-store" || !bytes.Contains(w.Body.Bytes(), []byte("Lookup failed, try again")) {
			t.Errorf("GET %s = %d %v %s", target, w.Code, w.Header(), w.Body)
		}
	}
}
