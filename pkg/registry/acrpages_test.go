package registry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ocireffer/pkg/registry/acrtest"
)

// fill pushes tags 0000, 0001 and so on to wash, and returns their names.
func fill(s *acrtest.Server, n int) []string {
	var tags []string
	for i := range n {
		tags = append(tags, fmt.Sprintf("%04d", i))
		s.Push("wash", tags[i], acrtest.Digest(tags[i]))
	}
	return tags
}

func TestTagsArePaged(t *testing.T) {
	t.Parallel()
	for _, most := range []int{50, 1000} { // the registry's maximum
		for _, n := range []int{0, 1, 49, 50, 51, 150, 999, 1000, 1001} {
			t.Run(fmt.Sprint(n, " by ", most), func(t *testing.T) {
				t.Parallel()
				s := acrtest.Public(nil)
				s.Set(func(r *acrtest.Rules) { r.MaxPage = most })
				s.Push("wash", "x", acrtest.Digest("x"))
				s.Untag("wash", "x")
				want := fill(s, n)
				wantComplete(t, list(t, open(t, acrHost, s), "wash"), want...)
			})
		}
	}
}

// The largest n that ACR accepts is not documented.
func TestLargePageIsRefused(t *testing.T) {
	t.Parallel()
	s := acrtest.Public(nil)
	want := fill(s, 250)
	s.Set(func(r *acrtest.Rules) {
		r.Intercept = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.FormValue("n") != "1000" || r.Header.Get("Authorization") == "" {
				return false
			}
			acrtest.Fail(w, http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "")
			return true
		}
	})
	r := open(t, acrHost, s)
	wantComplete(t, list(t, r, "wash"), want...)
	if got := catalogue(t, r); !got.Complete || len(got.Names) != 1 {
		t.Errorf("catalogue is %+v, want wash", got)
	}
}

func TestListCutWithoutLink(t *testing.T) {
	t.Parallel()
	s := acrtest.Public(nil)
	want := fill(s, 2500)
	s.Set(func(r *acrtest.Rules) { r.NoLink = true })
	wantComplete(t, list(t, open(t, acrHost, s), "wash"), want...)

	// It returns fewer than requested, without a Link to more.
	s.Set(func(r *acrtest.Rules) { r.MaxPage = 50 })
	wantIncomplete(t, list(t, open(t, acrHost, s), "wash"), "50 were listed of 2500")
}

// failing makes answer replace the n-th page of wash's tags.
func failing(s *acrtest.Server, n int, answer http.HandlerFunc) {
	pages := 0
	s.Set(func(rules *acrtest.Rules) {
		rules.MaxPage = 100
		rules.Intercept = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.URL.Path != "/acr/v1/wash/_tags" || r.Header.Get("Authorization") == "" {
				return false
			}
			if pages++; pages < n {
				return false
			}
			answer(w, r)
			return true
		}
	})
}

func TestPageThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const body = `{"registry":"wasm.azurecr.io","imageName":"wash","tags":[{"name":"zzz"}]}`
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		why    string
	}{
		{"an error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "500"},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) { acrtest.Fail(w, 403, "DENIED", "") }, "403 DENIED"},
		{"gone", func(w http.ResponseWriter, _ *http.Request) { acrtest.Fail(w, 404, "NAME_UNKNOWN", "") }, "404 NAME_UNKNOWN"},
		{"half a body", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body[:len(body)-3])) }, "unexpected end of JSON"},
		{"a page to sign in", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, "invalid character"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "unexpected end of JSON"},
		{"no list", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) }, `_tags lists ""`},
		{"another repository's", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(strings.Replace(body, "wash", "team/app", 1)))
		}, `_tags lists "team/app"`},
		{"a tag that is none", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(strings.Replace(body, "zzz", "-", 1))) }, `"-" is not an OCI tag`},
		{"the page before", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(strings.Replace(body, "zzz", "0000", 1)))
		}, "repeats"},
		{"nothing, and a next page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `</acr/v1/wash/_tags?last=0000>; rel="next"`)
			w.Write([]byte(`{"imageName":"wash"}`))
		}, "repeats"},
		{"out of a cache", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Age", "7")
			w.Write([]byte(body))
		}, `Age of "7"`},
		{"a next page elsewhere", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<https://evil.example/acr/v1/wash/_tags?last=zzz>; rel="next"`)
			w.Write([]byte(body))
		}, "elsewhere"},
		{"a next page by HTTP", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<http://wasm.azurecr.io/acr/v1/wash/_tags?last=zzz>; rel="next"`)
			w.Write([]byte(body))
		}, "elsewhere"},
		{"a Link that is none", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `</acr/v1/wash/_tags?last=zzz; rel="next"`)
			w.Write([]byte(body))
		}, "Link is malformed"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusTemporaryRedirect)
		}, "307"},
		{"too few", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }, "101 were listed of 150"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := acrtest.Public(nil)
			fill(s, 150)
			failing(s, 2, test.answer)
			l := list(t, open(t, acrHost, s), "wash")
			wantIncomplete(t, l, test.why)
			// The pushes of a partial list are true nevertheless.
			if len(l.Tags) < 100 {
				t.Errorf("listed %d tags, want those of the first page", len(l.Tags))
			}
		})
	}
}
