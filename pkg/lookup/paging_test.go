package lookup_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// readAll reads a list of JSON page by page and calls between after each page. It returns
// the names of the repositories, or the tags of the references.
func readAll(t *testing.T, h http.Handler, target string, between func(page int)) []string {
	t.Helper()
	var all []string
	for number, next := 0, ""; number == 0 || next != ""; number++ {
		var page struct {
			Repositories []struct{ Name string }
			References   []struct{ Tag string }
			Next         string
		}
		if err := json.Unmarshal([]byte(get(t, h, target+"&next="+url.QueryEscape(next))), &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Repositories {
			all = append(all, r.Name)
		}
		for _, r := range page.References {
			all = append(all, r.Tag)
		}
		next = page.Next
		between(number)
	}
	return all
}

// TestLimits: the greatest and the least limit are valid, those beyond are not.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/api/repositories?x", "/api/repositories/wash?x"} {
		for query, want := range map[string]int{"": 100, "&limit=": 100, "&limit=1": 1, "&limit=1000": 1000} {
			spy := &spy{Reader: stub{}}
			get(t, handlerOf(t, spy), target+query)
			if got := spy.span(t).Limit; got != want {
				t.Errorf("GET %s requests %d from the store, want %d", target+query, got, want)
			}
		}
		for _, limit := range []string{"0", "1001", "-1", "x", "1.5", "9999999999999999999"} {
			spy := &spy{Reader: stub{}}
			wantAnswer(t, handlerOf(t, spy), target+"&limit="+limit, 400, typeJSON, `{"error":"invalid query parameter: limit"}`)
			if spy.reads > 0 {
				t.Errorf("GET %s&limit=%s reads the store", target, limit)
			}
		}
	}
}

// forRegistries is what a page of the catalogue asks for besides its list, unless that is
// held or whole.
var forRegistries = store.Listing{Span: store.Span{Limit: 1001}}

// span returns the part of a list that the store was asked for, besides forRegistries.
func (s *spy) span(t *testing.T) store.Span {
	t.Helper()
	spans := s.spans
	for _, l := range s.listings {
		if !reflect.DeepEqual(l, forRegistries) {
			spans = append(spans, l.Span)
		}
	}
	if len(spans) != 1 {
		t.Fatalf("the store was asked for lists %+v, want one", spans)
	}
	return spans[0]
}

// TestPagesForPeopleHaveAHundredRows: so the documentation says.
func TestPagesForPeopleHaveAHundredRows(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]int{"/": 100, "/?q=wash": 100, "/?next=MXg": 100, "/?limit=5": 100, "/wash?format=html": 100, "/wash?format=html&limit=5": 100} {
		spy := &spy{Reader: stub{}}
		get(t, handlerOf(t, spy), target)
		if got := spy.span(t).Limit; got != want {
			t.Errorf("GET %s requests %d from the store, want %d", target, got, want)
		}
	}
}

// lists are all paths that accept a page token.
var lists = []string{"/?x", "/?q=wash", "/?registry=a.io", "/wash?format=html", "/wash?format=html&tag=*", "/api/repositories?x", "/api/repositories/wash?x"}

func tokenOf(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestPageTokens(t *testing.T) {
	t.Parallel()
	for _, target := range lists {
		for _, after := range []string{"x", " ~", strings.Repeat("x", 1024)} {
			spy := &spy{Reader: stub{}}
			get(t, handlerOf(t, spy), target+"&next="+tokenOf("1"+after))
			if got := spy.span(t).After; got != after {
				t.Errorf("GET %s requests from the store what follows %.20q (%d bytes), want %.20q (%d bytes)", target, got, len(got), after, len(after))
			}
		}
		for name, token := range map[string]string{
			"no base64":              "x",
			"padded":                 base64.URLEncoding.EncodeToString([]byte("1x")),
			"control":                tokenOf("1\n"),
			"delete":                 tokenOf("1\x7f"),
			"not ASCII":              tokenOf("1é"),
			"empty":                  tokenOf("1"),
			"of another version":     tokenOf("2x"),
			"1,025 bytes":            tokenOf("1" + strings.Repeat("x", 1025)),
			"an empty one before it": "&next=x",
		} {
			spy := &spy{Reader: stub{}}
			w := do(handlerOf(t, spy), "GET", target+"&next="+token)
			if w.Code != http.StatusBadRequest {
				t.Errorf("GET %s with a token, %s: status %d, want 400", target, name, w.Code)
			}
			if !strings.Contains(w.Body.String(), "nvalid query parameter: next") {
				t.Errorf("GET %s with a token, %s = %s, want an invalid query parameter", target, name, mainOf(w.Body.String()))
			}
			if spy.reads > 0 {
				t.Errorf("GET %s with a token, %s, reads the store", target, name)
			}
		}
	}
}

// endless is a store whose lists never end.
type endless struct{ stub }

const endlessNext = "?> wash" // its base64 has a character that differs in URLs

func (e endless) Repositories(ctx context.Context, l store.Listing) (store.Page[store.Entry], error) {
	page, err := e.stub.Repositories(ctx, l)
	page.Next = endlessNext
	return page, err
}

func (e endless) References(ctx context.Context, name reference.Name, match func(string) bool, s store.Span) (store.Page[event.Push], error) {
	page, err := e.stub.References(ctx, name, match, s)
	page.Next = endlessNext
	return page, err
}

// TestNextIsTheStoresNext: the token of the next page leads to the place that the store
// returned.
func TestNextIsTheStoresNext(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, endless{})
	token := tokenOf("1" + endlessNext)
	for target, want := range map[string]string{
		"/":                                   `href="/?next=` + token + `">Next page<`,
		"/?q=wash":                            `href="/?next=` + token + `&amp;q=wash">Next page<`,
		"/wash?format=html":                   `href="/wash?format=html&amp;next=` + token + `">Older<`,
		"/wash?format=html&tag=*&sort=semver": `href="/wash?format=html&amp;sort=semver&amp;tag=%2A&amp;next=` + token + `">Older<`,
		"/?registry=a.io":                     `href="/?next=` + token + `&amp;registry=a.io">Next page<`,
		"/?sort=pushed":                       `href="/?next=` + tokenOf("2"+endlessNext) + `&amp;sort=pushed">Next page<`,
		"/api/repositories?sort=pushed":       `],"next":"` + tokenOf("2"+endlessNext) + `"}`,
		"/api/repositories":                   `],"next":"` + token + `"}`,
		"/api/repositories/wash":              `],"next":"` + token + `"}`,
	} {
		if body := get(t, h, target); !strings.Contains(body, want) {
			t.Errorf("GET %s = %s, want %s in it", target, mainOf(body), want)
		}
	}
}

// TestPageTokenBelongsToItsOrder: a place in one order is invalid in another.
func TestPageTokenBelongsToItsOrder(t *testing.T) {
	t.Parallel()
	for target, status := range map[string]int{
		"/api/repositories?next=" + tokenOf("1x"):             200,
		"/api/repositories?sort=name&next=" + tokenOf("1x"):   200,
		"/api/repositories?sort=pushed&next=" + tokenOf("2x"): 200,
		"/?sort=pushed&next=" + tokenOf("2x"):                 200,
		"/api/repositories?next=" + tokenOf("2x"):             400,
		"/api/repositories?sort=pushed&next=" + tokenOf("1x"): 400,
		"/?next=" + tokenOf("2x"):                             400,
		"/?sort=pushed&next=" + tokenOf("1x"):                 400,
		"/?category=official&next=" + tokenOf("2x"):           400,
		"/wash?format=html&next=" + tokenOf("2x"):             400,
		"/api/repositories/wash?next=" + tokenOf("2x"):        400,
	} {
		if w := do(handlerOf(t, stub{}), "GET", target); w.Code != status {
			t.Errorf("GET %s: status %d, want %d: %s", target, w.Code, status, mainOf(w.Body.String()))
		}
	}
}
