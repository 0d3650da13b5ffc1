package registry_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/registry"
)

// A simple is a registry with one repository, wash. Tests vary what it does with n and
// last.
type simple struct {
	tags                    []string
	ignoresN, ignoresLast   bool
	noLink, includesLast    bool
	most                    int // most entries on a page; 0: any number
	accept, noDigestsOnHEAD bool
	requests                []string
}

func (s *simple) serve(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	if tag, ok := strings.CutPrefix(r.URL.Path, "/v2/wash/manifests/"); ok {
		s.manifest(w, r, tag)
		return
	}
	if r.URL.Path != "/v2/wash/tags/list" {
		fail(w, "NAME_UNKNOWN")
		return
	}
	tags := s.tags
	if last := r.FormValue("last"); last != "" && !s.ignoresLast {
		i := slices.Index(tags, last)
		if !s.includesLast {
			i++
		}
		tags = tags[i:]
	}
	n, _ := strconv.Atoi(r.FormValue("n"))
	if s.most > 0 {
		n = min(n, s.most)
	}
	if len(tags) > n && !s.ignoresN {
		tags = tags[:n]
		if !s.noLink {
			w.Header().Set("Link", fmt.Sprintf(`</v2/wash/tags/list?last=%s&n=%d>; rel="next"`, tags[n-1], n))
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"name": "wash", "tags": tags})
}

const index = `{"schemaVersion":2,"manifests":[]}`

func (s *simple) manifest(w http.ResponseWriter, r *http.Request, tag string) {
	for _, mediaType := range []string{"oci.image.index.v1", "oci.image.manifest.v1", "docker.distribution.manifest.list.v2", "docker.distribution.manifest.v2"} {
		if s.accept && !strings.Contains(r.Header.Get("Accept"), "application/vnd."+mediaType+"+json") {
			fail(w, "MANIFEST_UNKNOWN")
			return
		}
	}
	if !slices.Contains(s.tags, tag) {
		fail(w, "MANIFEST_UNKNOWN")
		return
	}
	w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	w.Header().Set("Content-Length", fmt.Sprint(len(index)))
	if !s.noDigestsOnHEAD {
		w.Header().Set("Docker-Content-Digest", indexDigest)
	}
	if r.Method != http.MethodHead {
		w.Write([]byte(index))
	}
}

var indexDigest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(index)))

func fail(w http.ResponseWriter, code string) {
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprintf(w, `{"errors":[{"code":%q}]}`, code)
}

func numbered(n int) []string {
	var tags []string
	for i := range n {
		tags = append(tags, fmt.Sprintf("%03d", i))
	}
	return tags
}

const example = "registry.example.com"

// openSimple serializes the requests, since the server records them.
func openSimple(t *testing.T, s *simple) registry.Registry {
	t.Helper()
	return open(t, example, handler(s.serve), func(o *registry.Options) { o.Concurrent = 1 })
}

func TestListsOfRegistriesThatCut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		registry simple
		complete bool
	}{
		{"with Link", simple{}, true},
		{"n, last and Link ignored, as Distribution 2", simple{ignoresN: true, ignoresLast: true, noLink: true}, true},
		{"cut without Link, as ggcr", simple{noLink: true}, true},
		{"behind last, with last", simple{noLink: true, includesLast: true}, true},
		{"cut, with last ignored", simple{noLink: true, ignoresLast: true}, false},
		{"a Link that leads nowhere", simple{ignoresLast: true}, false},
	} {
		for _, n := range []int{0, 1, 99, 100, 101, 199, 200, 201, 250} {
			s := test.registry
			s.tags = numbered(n)
			l := list(t, openSimple(t, &s), "wash")
			what := fmt.Sprintf("%s, %d tags", test.name, n)
			// A list that fits on a page is not cut off.
			if want := test.complete || n <= 100; l.Complete != want {
				t.Errorf("%s: complete %t because of %v, want %t:\n%s", what, l.Complete, l.Why, want, strings.Join(s.requests, "\n"))
			}
			if l.Complete && names(l) != strings.Join(s.tags, ",") {
				t.Errorf("%s: listed %s", what, names(l))
			}
			if got := count(s.requests, "GET /v2/wash/tags/list"); got > 6 {
				t.Errorf("%s: %d requests, want an end", what, got)
			}
		}
	}
}

// The stand-in finds a manifest only if the HEAD or GET accepts every kind.
func TestManifestsAreAskedForWithEveryKind(t *testing.T) {
	t.Parallel()
	for _, test := range []simple{{accept: true}, {noDigestsOnHEAD: true}} {
		test.tags = numbered(3)
		r := openSimple(t, &test)
		l := list(t, r, "wash")
		wantComplete(t, l, "000", "001", "002")
		for _, got := range l.Tags {
			want := registry.Tag{Name: got.Name, Digest: indexDigest, MediaType: "application/vnd.oci.image.index.v1+json", Size: int64(len(index))}
			if got != want {
				t.Errorf("listed %+v, want %+v", got, want)
			}
		}
		answer := tag(t, r, "wash", "001")
		wantState(t, "wash:001", answer.State, answer.Why, registry.Found)
		answer = tag(t, r, "wash", "none")
		wantState(t, "wash:none", answer.State, answer.Why, registry.Gone)
	}
}

// A 404 may hide a missing right. A 404 for a list does not prove that the repository is
// gone.
func TestRepositoryThatIsNotFoundIsMissing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code string
		want registry.State
	}{
		{"NAME_UNKNOWN", registry.Missing},
		{"MANIFEST_UNKNOWN", registry.Unsure},
		{"NOT_FOUND", registry.Unsure},
	} {
		r := open(t, example, handler(func(w http.ResponseWriter, _ *http.Request) { fail(w, test.code) }))
		got := repository(t, r, "wash")
		wantState(t, test.code, got.State, got.Why, test.want)
		l, err := r.Tags(t.Context(), got)
		if err != nil {
			t.Fatal(err)
		}
		wantIncomplete(t, l, "404 "+test.code)
	}
}

func TestTagsWhoseManifestsCannotBeRead(t *testing.T) {
	t.Parallel()
	r := open(t, example, handler(func(w http.ResponseWriter, r *http.Request) {
		switch tag := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]; tag {
		case "list":
			fmt.Fprint(w, `{"tags":["gone","forbidden","broken","bad","page","none","good"]}`)
		case "gone":
			w.WriteHeader(http.StatusNotFound)
		case "forbidden":
			w.WriteHeader(http.StatusForbidden)
		case "broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "bad":
			w.Header().Set("Docker-Content-Digest", "sha256:1")
		case "page":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>")
		case "none":
		case "good":
			w.Header().Set("Docker-Content-Digest", indexDigest)
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8")
		}
	}))
	l := list(t, r, "wash")
	// gone is left out; a caller that misses it asks by Tag.
	wantComplete(t, l, "bad", "broken", "forbidden", "good", "none", "page")
	for _, got := range l.Tags {
		if want := got.Name == "good"; (got.Digest != "") != want || (got.MediaType != "") != want || got.Size != -1 {
			t.Errorf("listed %+v, want a digest: %t", got, want)
		}
	}
	for _, name := range []string{"gone", "broken", "bad", "page", "none"} {
		got := tag(t, r, "wash", name)
		wantState(t, name, got.State, got.Why, registry.Unsure)
	}
}

func TestCatalogueOfOCI(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		status     int
		names      string
		why        string // "": complete
	}{
		{"a list", `{"repositories":["b","a/c"]}`, 200, "a/c,b", ""},
		{"an empty one", `{"repositories":[]}`, 200, "", "configure its repositories"},
		{"null", `{"repositories":null}`, 200, "", "configure its repositories"},
		{"no list", `{}`, 200, "", "is no list of repositories"},
		{"a name that is none", `{"repositories":["a","B"]}`, 200, "", `"B" is not an OCI name`},
		{"a page", `<html>`, 200, "", "is no list of repositories"},
		{"404", `404 page not found`, 404, "", "404"},
		{"401", `{"errors":[{"code":"UNAUTHORIZED"}]}`, 401, "", "401 UNAUTHORIZED"},
	} {
		r := open(t, example, handler(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}))
		got := catalogue(t, r)
		if strings.Join(got.Names, ",") != test.names || got.Complete != (test.why == "") {
			t.Errorf("%s: %+v, want %s, incomplete because of %q", test.name, got, test.names, test.why)
		}
		if got.Why != nil && (test.why == "" || !strings.Contains(got.Why.Error(), test.why)) {
			t.Errorf("%s: because of %v, want %q", test.name, got.Why, test.why)
		}
	}
	for _, host := range []string{"ghcr.io", "docker.io"} {
		got := catalogue(t, open(t, host, handler(nil)))
		if got.Complete || !errors.Is(got.Why, registry.ErrNoCatalogue) {
			t.Errorf("catalogue of %s: %+v, want none", host, got)
		}
	}
}

func TestCreated(t *testing.T) {
	t.Parallel()
	const (
		config    = `"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + digest + `"}`
		annotated = `"annotations":{"org.opencontainers.image.created":"2023-07-03T16:56:52.5+02:00"}`
	)
	noted, built := time.Date(2023, 7, 3, 14, 56, 52, 5e8, time.UTC), time.Date(2022, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name      string
		manifests []string // by depth
		config    string
		want      time.Time
		calls     int64
	}{
		{"an annotation", []string{`{` + config + `,` + annotated + `}`}, "", noted, 1},
		{"a config", []string{`{` + config + `}`}, `{"created":"2022-01-02T03:04:05Z"}`, built, 2},
		{"an index", []string{`{"manifests":[{"digest":"` + digest + `"}]}`, `{` + config + `}`}, `{"created":"2022-01-02T03:04:05Z"}`, built, 3},
		{"an index of an index", []string{`{"manifests":[{"digest":"` + digest + `"}]}`, `{"manifests":[{"digest":"` + digest + `"}]}`, `{` + config + `}`}, `{"created":"2022-01-02T03:04:05Z"}`, time.Time{}, 2},
		{"an index whose second entry is none", []string{`{"manifests":[{"digest":"` + digest + `"},7]}`, `{` + config + `}`}, `{"created":"2022-01-02T03:04:05Z"}`, built, 3},
		{"an index that is no list", []string{`{"manifests":{"digest":"` + digest + `"}}`}, "", time.Time{}, 1},
		{"an empty index", []string{index}, "", time.Time{}, 1},
		{"a reproducible build", []string{`{` + config + `}`}, `{"created":"1970-01-01T00:00:00Z"}`, time.Time{}, 2},
		{"Go's zero time", []string{`{` + config + `}`}, `{"created":"0001-01-01T00:00:00Z"}`, time.Time{}, 2},
		{"no time", []string{`{` + config + `}`}, `{}`, time.Time{}, 2},
		{"another artifact's config", []string{`{"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"` + digest + `"}}`}, "", time.Time{}, 1},
		{"a config that is no digest", []string{strings.Replace(`{`+config+`}`, digest, "../../../token", 1)}, "", time.Time{}, 1},
		{"no JSON", []string{`<html>`}, "", time.Time{}, 1},
	} {
		depth := 0
		r := open(t, example, handler(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/wash/blobs/"+digest {
				fmt.Fprint(w, test.config)
				return
			}
			w.Header().Set("Docker-Content-Digest", digest)
			fmt.Fprint(w, test.manifests[depth])
			depth++
		}))
		got, err := r.Created(t.Context(), "wash", registry.Tag{Digest: digest})
		if err != nil || !got.Equal(test.want) || r.Calls() != test.calls {
			t.Errorf("%s: Created = %s, %v in %d calls, want %s in %d", test.name, got, err, r.Calls(), test.want, test.calls)
		}
	}
	// If the listing has a time, Created makes no request.
	r := open(t, example, handler(func(http.ResponseWriter, *http.Request) { t.Error("it asked") }))
	for _, known := range []registry.Tag{{Digest: digest, PushedAt: noon}, {Digest: digest, NotBefore: noon}, {}} {
		if got, err := r.Created(t.Context(), "wash", known); err != nil || !got.IsZero() {
			t.Errorf("Created(%+v) = %s, %v, want none", known, got, err)
		}
	}
}
