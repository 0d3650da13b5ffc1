package lookup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
)

const (
	found   = `{"schemaVersion":1,"label":"","message":"wasmcloud.azurecr.io/wash:0.18.1","color":"253746","namedLogo":"wasmcloud"}`
	unknown = `{"schemaVersion":1,"label":"","message":"Provider not yet published","color":"lightgrey","isError":true}`
	failed  = `{"schemaVersion":1,"label":"","message":"Lookup failed, try again","color":"lightgrey","isError":true}`
)

func noEnv(string) (string, bool) { return "", false }

func defaults(t testing.TB) lookup.Settings {
	t.Helper()
	s, err := lookup.FromEnv(noEnv)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open gives a store that holds the references, each newer than the one before.
func open(t testing.TB, references ...string) store.Store {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for i, s := range references {
		ref, err := reference.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Push(t.Context(), store.Push{Reference: ref, PushedAt: time.Unix(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func do(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// counting counts the reads of a store.
type counting struct {
	store.Reader
	reads int
}

func (c *counting) Pick(ctx context.Context, q store.Query) (store.Push, error) {
	c.reads++
	return c.Reader.Pick(ctx, q)
}

func TestBadge(t *testing.T) {
	db := &counting{Reader: open(t, "other.azurecr.io:5000/wash:1", "wasmcloud.azurecr.io/team/app:2", "wasmcloud.azurecr.io/wash:0.18.1")}
	h := lookup.New(defaults(t), db)
	message := func(ref string) string {
		return strings.Replace(found, "wasmcloud.azurecr.io/wash:0.18.1", ref, 1)
	}
	for name, c := range map[string]struct {
		target, want string
		reads        int
	}{
		"repository":                 {"/wash", found, 1},
		"trailing slash":             {"/wash/", found, 1},
		"nested repository":          {"/team/app", message("wasmcloud.azurecr.io/team/app:2"), 1},
		"in its registry":            {"/wasmcloud.azurecr.io/wash", found, 1},
		"in another registry":        {"/other.azurecr.io:5000/wash", message("other.azurecr.io:5000/wash:1"), 1},
		"registry in upper case":     {"/WasmCloud.AzureCR.io/wash", found, 1},
		"unknown parameters":         {"/wash?x=y&%zz", found, 1},
		"unknown name":               {"/nothing", unknown, 1},
		"unknown registry":           {"/none.azurecr.io/wash", unknown, 1},
		"an unknown path under /api": {"/api/nothing", unknown, 1},
		"no repository name":         {"/Wash", unknown, 0},
		"two slashes":                {"//wash", unknown, 0},
		"two slashes at the end":     {"/wash//", unknown, 0},
		"a tag behind it":            {"/wash:0.18.1", unknown, 0},
		"dots":                       {"/../wash", unknown, 0},
		"markup":                     {"/%3Cscript%3E", unknown, 0},
		"too long":                   {"/" + strings.Repeat("a", 600), unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			db.reads = 0
			w := do(h, "GET", c.target)
			if w.Code != 200 || w.Body.String() != c.want {
				t.Errorf("GET %s = %d %s, want %s", c.target, w.Code, w.Body, c.want)
			}
			if db.reads != c.reads {
				t.Errorf("GET %s read the store %d times, want %d", c.target, db.reads, c.reads)
			}
			for name, want := range map[string]string{"Content-Type": "application/json", "Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=60"} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			head := do(h, "HEAD", c.target)
			if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("ETag") != w.Header().Get("ETag") || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") {
				t.Errorf("HEAD = %d %v %q", head.Code, head.Header(), head.Body)
			}
		})
	}
}

func TestOtherMethodsAreNotFound(t *testing.T) {
	h := lookup.New(defaults(t), open(t, "wasmcloud.azurecr.io/wash:1"))
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if w := do(h, method, "/wash"); w.Code != 404 || w.Body.String() != `{"message":"Not Found"}` {
			t.Errorf("%s = %d %s", method, w.Code, w.Body)
		}
	}
}

func TestNotModified(t *testing.T) {
	h := lookup.New(defaults(t), open(t, "wasmcloud.azurecr.io/wash:0.18.1"))
	tag := do(h, "GET", "/wash").Header().Get("ETag")
	if !strings.HasPrefix(tag, `"`) || !strings.HasSuffix(tag, `"`) || len(tag) < 10 {
		t.Fatalf("ETag = %s, want a strong one", tag)
	}
	if other := do(h, "GET", "/nothing").Header().Get("ETag"); other == tag || other == "" {
		t.Errorf("an unknown name has the ETag %s", other)
	}
	for header, want := range map[string]int{tag: 304, `"x", ` + tag: 304, "W/" + tag: 304, "*": 304, `"x"`: 200, strings.Trim(tag, `"`): 200, "": 200} {
		for _, method := range []string{"GET", "HEAD"} {
			w := do(h, method, "/wash", "If-None-Match", header)
			if w.Code != want {
				t.Errorf("%s with If-None-Match %s: %d, want %d", method, header, w.Code, want)
			}
			if w.Code == 304 && (w.Body.Len() > 0 || w.Header().Get("ETag") != tag || w.Header().Get("Cache-Control") != "public, max-age=60" || w.Header().Get("Access-Control-Allow-Origin") != "*") {
				t.Errorf("304 = %v %q", w.Header(), w.Body)
			}
		}
	}
	if w := do(h, "GET", "/wash", "If-None-Match", `"x"`, "If-None-Match", tag); w.Code != 304 {
		t.Errorf("with two headers: %d", w.Code)
	}
}

func TestSettingsShow(t *testing.T) {
	vars := map[string]string{"BADGE_LABEL": "<oci>", "BADGE_COLOR": "blue", "BADGE_LOGO": "", "CACHE_SECONDS": "5"}
	s, err := lookup.FromEnv(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	h := lookup.New(s, open(t, "wasmcloud.azurecr.io/wash:0.18.1"))
	for target, want := range map[string]string{
		"/wash":    `{"schemaVersion":1,"label":"<oci>","message":"wasmcloud.azurecr.io/wash:0.18.1","color":"blue"}`,
		"/nothing": `{"schemaVersion":1,"label":"<oci>","message":"Provider not yet published","color":"lightgrey","isError":true}`,
	} {
		w := do(h, "GET", target)
		if w.Body.String() != want || w.Header().Get("Cache-Control") != "public, max-age=5" {
			t.Errorf("GET %s = %s, %s", target, w.Body, w.Header().Get("Cache-Control"))
		}
	}
}

func TestFromEnvNamesEveryMistake(t *testing.T) {
	vars := map[string]string{"BADGE_COLOR": "", "CACHE_SECONDS": "-1"}
	_, err := lookup.FromEnv(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
	for _, want := range []string{"BADGE_COLOR", "CACHE_SECONDS", `"-1"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

// broken is a store that fails with err, or hangs if there is none.
type broken struct {
	store.Reader
	err error
}

func (b broken) Pick(ctx context.Context, _ store.Query) (store.Push, error) {
	if b.err == nil {
		<-ctx.Done()
		return store.Push{}, ctx.Err()
	}
	return store.Push{}, b.err
}

func TestStoreFailureIsA503(t *testing.T) {
	for name, c := range map[string]struct {
		db   broken
		took time.Duration
	}{"hangs": {broken{}, lookup.Deadline}, "fails": {broken{err: errors.New("planted")}, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var log bytes.Buffer
				h := requestlog.Handler(requestlog.NewJSON(&log), "", lookup.New(defaults(t), c.db))
				w := do(h, "GET", "/wash", "If-None-Match", "*")
				if took := time.Since(begin); took != c.took {
					t.Errorf("the answer took %s, want %s", took, c.took)
				}
				if w.Code != 503 || w.Body.String() != failed || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("ETag") != "" {
					t.Errorf("answer = %d %s %v", w.Code, w.Body, w.Header())
				}
				var line map[string]any
				if err := json.Unmarshal(log.Bytes(), &line); err != nil {
					t.Fatal(err)
				}
				if line["level"] != "ERROR" || line["outcome"] != "store_failed" || line["repository"] != "wash" || line["err"] == nil {
					t.Errorf("log = %v", line)
				}
			})
		})
	}
}

func BenchmarkBadge(b *testing.B) {
	h := lookup.New(defaults(b), one{})
	b.ReportAllocs()
	for b.Loop() {
		if w := do(h, "GET", "/wash"); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

// one is a store of one reference: what is left is the handler's cost.
type one struct{ store.Reader }

func (one) Pick(context.Context, store.Query) (store.Push, error) {
	return store.Push{Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"}}, nil
}
