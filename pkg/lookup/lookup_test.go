package lookup_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/store"
)

const (
	found   = `{"schemaVersion":1,"label":"","message":"wasmcloud.azurecr.io/wash:0.18.1","color":"253746","namedLogo":"wasmcloud"}`
	unknown = `{"schemaVersion":1,"label":"","message":"Provider not yet published","color":"lightgrey","isError":true}`
	noMatch = `{"schemaVersion":1,"label":"","message":"No tag matches","color":"lightgrey","isError":true}`
	failed  = `{"schemaVersion":1,"label":"","message":"Lookup failed, try again","color":"lightgrey","isError":true}`
)

// showing returns the JSON badge that shows a reference.
func showing(ref string) string {
	return strings.Replace(found, "wasmcloud.azurecr.io/wash:0.18.1", ref, 1)
}

func TestBadge(t *testing.T) {
	t.Parallel()
	db := open(t, "other.azurecr.io:5000/wash:1", "wasmcloud.azurecr.io/team/app:2", "a.azurecr.io/a.b:3", "wasmcloud.azurecr.io/wash:0.18.1")
	for name, c := range map[string]struct {
		target string
		want   string
		reads  int
	}{
		"repository":                 {target: "/wash", want: found, reads: 1},
		"trailing slash":             {target: "/wash/", want: found, reads: 1},
		"nested repository":          {target: "/team/app", want: showing("wasmcloud.azurecr.io/team/app:2"), reads: 1},
		"repository with a dot":      {target: "/a.b", want: showing("a.azurecr.io/a.b:3"), reads: 1},
		"in its registry":            {target: "/wasmcloud.azurecr.io/wash", want: found, reads: 1},
		"in another registry":        {target: "/other.azurecr.io:5000/wash", want: showing("other.azurecr.io:5000/wash:1"), reads: 1},
		"registry in upper case":     {target: "/WasmCloud.AzureCR.io/wash", want: found, reads: 1},
		"unknown parameters":         {target: "/wash?x=y&next=x&limit=0&%zz", want: found, reads: 1},
		"unknown name":               {target: "/nothing", want: unknown, reads: 1},
		"unknown registry":           {target: "/none.azurecr.io/wash", want: unknown, reads: 1},
		"an unknown path under /api": {target: "/api/nothing", want: unknown, reads: 1},
		"no repository name":         {target: "/Wash", want: unknown, reads: 0},
		"two slashes":                {target: "//wash", want: unknown, reads: 0},
		"two slashes at the end":     {target: "/wash//", want: unknown, reads: 0},
		"a tag behind it":            {target: "/wash:0.18.1", want: unknown, reads: 0},
		"dots":                       {target: "/../wash", want: unknown, reads: 0},
		"markup":                     {target: "/%3Cscript%3E", want: unknown, reads: 0},
		"too long":                   {target: "/" + strings.Repeat("a", 600), want: unknown, reads: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spy := &spy{Reader: db}
			wantAnswer(t, handlerOf(t, spy), c.target, 200, typeJSON, c.want)
			if spy.reads != c.reads {
				t.Errorf("GET %s read the store %d times, want %d", c.target, spy.reads, c.reads)
			}
		})
	}
}

func TestHeadHasTheHeadersOfGet(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, stub{})
	for _, target := range []string{"/", "/?category=Bad", "/wash", "/Wash", "/wash?format=text", "/Wash?format=text", "/wash?format=svg", "/wash?format=html", "/Wash?format=html", "/?format=atom", "/wash?format=atom", "/Wash?format=atom",
		"/api/status", "/api/repositories", "/api/repositories?limit=0", "/api/repositories/wash", "/api/repositories/Wash", "/api/categories", "/api/categories/official", "/api/categories/Bad", "/api/openapi.json"} {
		get, head := do(h, "GET", target), do(h, "HEAD", target)
		if head.Code != get.Code {
			t.Errorf("HEAD %s: status %d, want that of GET, %d", target, head.Code, get.Code)
		}
		if head.Body.Len() > 0 {
			t.Errorf("HEAD %s has the body %q", target, head.Body)
		}
		wantHeader(t, "HEAD "+target, head.Header(), get.Header())
	}
}

func TestOtherMethodsAreNotFound(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "wasmcloud.azurecr.io/wash:1"))
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		w := do(h, method, "/wash")
		if w.Code != http.StatusNotFound {
			t.Errorf("%s /wash: status %d, want 404", method, w.Code)
		}
		if got, want := w.Body.String(), `{"message":"Not Found"}`; got != want {
			t.Errorf("%s /wash = %s, want %s", method, got, want)
		}
	}
}

func TestSettingsShow(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"BADGE_LABEL": "<oci>", "BADGE_COLOR": "blue", "BADGE_LOGO": "", "CACHE_SECONDS": "5"}
	s, err := lookup.FromEnv(env(vars))
	if err != nil {
		t.Fatal(err)
	}
	h := lookup.New(s, open(t, "wasmcloud.azurecr.io/wash:0.18.1"))
	for target, want := range map[string]string{
		"/wash":        `{"schemaVersion":1,"label":"<oci>","message":"wasmcloud.azurecr.io/wash:0.18.1","color":"blue"}`,
		"/nothing":     `{"schemaVersion":1,"label":"<oci>","message":"Provider not yet published","color":"lightgrey","isError":true}`,
		"/wash?sort=x": `{"schemaVersion":1,"label":"<oci>","message":"invalid query parameter: sort","color":"red","isError":true}`,
	} {
		w := do(h, "GET", target)
		if got := w.Body.String(); got != want {
			t.Errorf("GET %s = %s, want %s", target, got, want)
		}
		if got, want := w.Header().Get("Cache-Control"), "public, max-age=5"; got != want {
			t.Errorf("GET %s: Cache-Control %q, want %q", target, got, want)
		}
	}
}

func TestFromEnvDefaults(t *testing.T) {
	t.Parallel()
	want := lookup.Settings{Label: "", Color: "253746", Logo: "wasmcloud", SiteTitle: "ocireffer", PullCommand: "docker pull {reference}", CacheSeconds: 60}
	if got, err := lookup.FromEnv(env(nil)); err != nil || got != want {
		t.Errorf("FromEnv of no variables = %+v, %v, want %+v", got, err, want)
	}
	if got, err := lookup.FromEnv(env(map[string]string{"BADGE_COLOR": "", "SITE_TITLE": "", "PULL_COMMAND": ""})); err != nil || got != want {
		t.Errorf("FromEnv with empty texts = %+v, %v, want the default", got, err)
	}
	if got, err := lookup.FromEnv(env(map[string]string{"CACHE_SECONDS": "0"})); err != nil || got.CacheSeconds != 0 {
		t.Errorf("FromEnv with CACHE_SECONDS=0 = %+v, %v, want 0 seconds", got, err)
	}
}

func TestFromEnvNamesEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := lookup.FromEnv(env(map[string]string{"BADGE_COLOR": "Blue", "CACHE_SECONDS": "-1", "SITE_TITLE": "a\nb", "PULL_COMMAND": "docker pull"}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"BADGE_COLOR", `"Blue"`, "CACHE_SECONDS", `"-1"`, "SITE_TITLE", `"a\nb"`, "PULL_COMMAND", `"docker pull"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
}

// TestRepositoryCannotAnswerForAnotherRegistry: a user who may push to one registry must
// not be able to take over a name in another with the path of a repository.
func TestRepositoryCannotAnswerForAnotherRegistry(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		const ref = "mirror.azurecr.io/wasmcloud.azurecr.io/wash:6.6.6"
		push(t, db, pushOf(ref, time.Unix(0, 0)))
		h := handlerOf(t, db)

		const taken = "/wasmcloud.azurecr.io/wash"
		wantAnswer(t, h, taken, 200, typeJSON, unknown)
		wantAnswer(t, h, taken+"?sort=semver&tag=*", 200, typeJSON, unknown)
		wantAnswer(t, h, taken+"?format=text", 404, typeText, "Provider not yet published\n")
		if w := do(h, "GET", taken+"?format=svg"); svgTitle(t, w.Body.Bytes()) != "Provider not yet published" {
			t.Errorf("GET %s?format=svg = %s, want an unknown one", taken, w.Body)
		}
		wantTexts(t, h, taken+"?format=html", 404, "Nothing has been pushed as “wasmcloud.azurecr.io/wash”")
		wantAnswer(t, h, "/api/repositories"+taken, 404, typeJSON, `{"error":"Provider not yet published"}`)

		const own = "/mirror.azurecr.io" + taken
		wantAnswer(t, h, own, 200, typeJSON, showing(ref))
		wantTexts(t, h, own+"?format=html", 200, "<h1>mirror.azurecr.io/wasmcloud.azurecr.io/wash</h1>")
		wantTexts(t, h, "/", 200,
			`<a href="/mirror.azurecr.io/wasmcloud.azurecr.io/wash?format=html">wasmcloud.azurecr.io/wash</a>`,
			"[![mirror.azurecr.io/wasmcloud.azurecr.io/wash](https://example.com/mirror.azurecr.io/wasmcloud.azurecr.io/wash?format=svg)](https://example.com/mirror.azurecr.io/wasmcloud.azurecr.io/wash?format=html)")
		wantAnswer(t, h, "/api/repositories", 200, typeJSON, `{"repositories":[{"name":"wasmcloud.azurecr.io/wash","registry":"mirror.azurecr.io",`+
			`"reference":"`+ref+`","tag":"6.6.6","pushedAt":"1970-01-01T00:00:00Z","version":"6.6.6","highest":"`+ref+`"}]}`)

		// A member of a category is a name as readers write it.
		categorize(t, db, "official", "wasmcloud.azurecr.io/wash", "mirror.azurecr.io/wasmcloud.azurecr.io/wash")
		wantTexts(t, h, "/", 200,
			`<li><a href="/mirror.azurecr.io/wasmcloud.azurecr.io/wash?format=html">mirror.azurecr.io/wasmcloud.azurecr.io/wash</a>`,
			`<li>wasmcloud.azurecr.io/wash not yet published</li>`)
	})
}

// BenchmarkBadge measures the handler together with a request and a recorder.
func BenchmarkBadge(b *testing.B) {
	h := handlerOf(b, one{push: pushOf("wasmcloud.azurecr.io/wash:0.18.1", time.Time{})})
	b.ReportAllocs()
	for b.Loop() {
		if w := do(h, "GET", "/wash"); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

// one is a store that always picks the same push.
type one struct {
	store.Reader
	push event.Push
}

func (o one) Pick(context.Context, store.Query) (event.Push, error) { return o.push, nil }
