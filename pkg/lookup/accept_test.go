package lookup_test

import (
	"strings"
	"testing"
)

// TestAcceptDecidesOnTheFormat tries the headers that readers send.
func TestAcceptDecidesOnTheFormat(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "a.azurecr.io/wash:1"))
	const none = "-"
	for _, c := range []struct{ name, accept, want string }{
		{"Firefox", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", typeHTML},
		{"Firefox 128", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8", typeHTML},
		{"Chrome, Edge", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7", typeHTML},
		{"Safari", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", typeHTML},
		{"Edge 18", "text/html, application/xhtml+xml, image/jxr, */*", typeHTML},
		{"Lynx", "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01", typeHTML},
		{"Googlebot", "text/html,application/xhtml+xml,application/signed-exchange;v=b3,application/xml;q=0.9,*/*;q=0.8", typeHTML},
		{"curl -H", "text/html", typeHTML},
		{"capitals", "Text/HTML;Q=0.5", typeHTML},
		{"a parameter", "text/html;level=1", typeHTML},
		{"page or JSON", "application/json, text/html", typeHTML},
		{"a malformed weight", "text/html;q=x", typeHTML},
		{"Java without a header of its own", "text/html, image/gif, image/jpeg, */*; q=0.2", typeHTML},

		{"Go, Python's urllib", none, typeJSON},
		{"empty", "", typeJSON},
		{"curl, wget, fetch, Python's requests, link previews of Slack and others", "*/*", typeJSON},
		{"shields.io", "application/json", typeJSON},
		{"axios", "application/json, text/plain, */*", typeJSON},
		{"jQuery", "application/json, text/javascript, */*; q=0.01", typeJSON},
		{"HTTPie", "application/json, */*;q=0.5", typeJSON},
		{"GitHub's image proxy without a browser", "image/*", typeJSON},
		{"<img> in Firefox, and through GitHub's image proxy", "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", typeJSON},
		{"<img> in Firefox 127", "image/avif,image/webp,*/*", typeJSON},
		{"<img> in Chrome", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", typeJSON},
		{"<img> in Safari", "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", typeJSON},
		{"a style sheet", "text/css,*/*;q=0.1", typeJSON},
		{"Internet Explorer 8", "image/jpeg, application/x-ms-application, image/gif, application/xaml+xml, */*", typeJSON},
		{"a feed reader", "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.8", typeJSON},
		{"any text", "text/*", typeJSON},
		{"no page", "text/html;q=0, */*", typeJSON},
		{"no page, in three digits", "text/html;level=1;q=0.000, */*", typeJSON},
		{"rather JSON", "text/html;q=0.5, application/json;q=0.9", typeJSON},
		{"a name that contains it", "application/text/html, x-text/html", typeJSON},
	} {
		var header []string
		if c.accept != none {
			header = []string{"Accept", c.accept}
		}
		for _, target := range []string{"/wash", "/wash?format=", "/nothing", "/wash?show=tag"} {
			w := do(h, "GET", target, header...)
			if got := w.Header().Get("Content-Type"); got != c.want {
				t.Errorf("%s: GET %s with Accept: %s is %s, want %s", c.name, target, c.accept, got, c.want)
			}
			if vary := w.Header().Get("Vary"); vary != "Accept" && vary != "Accept, Accept-Encoding" {
				t.Errorf("%s: GET %s has Vary: %s, want Accept in it", c.name, target, vary)
			}
		}
		for format, want := range map[string]string{"json": typeJSON, "text": typeText, "svg": typeSVG, "html": typeHTML, "atom": typeAtom} {
			w := do(h, "GET", "/wash?format="+format, header...)
			if got := w.Header().Get("Content-Type"); got != want {
				t.Errorf("%s: GET /wash?format=%s is %s, want %s", c.name, format, got, want)
			}
			if vary := w.Header().Get("Vary"); vary != "" && vary != "Accept-Encoding" {
				t.Errorf("%s: GET /wash?format=%s has Vary: %s, want no Accept in it", c.name, format, vary)
			}
		}
	}
}

// TestAcceptHeadersAreOneList: repeated headers count as one.
func TestAcceptHeadersAreOneList(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "a.azurecr.io/wash:1"))
	w := do(h, "GET", "/wash", "Accept", "image/*", "Accept", "text/html")
	if got := w.Header().Get("Content-Type"); got != typeHTML {
		t.Errorf("GET /wash is %s, want %s", got, typeHTML)
	}
}

// TestWhatABrowserHasIsNoAnswerForShields: a page and a badge have different ETags. So a
// cache that ignores Vary gets a whole answer, not a 304 for the other one.
func TestWhatABrowserHasIsNoAnswerForShields(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "a.azurecr.io/wash:1"))
	page, badge := do(h, "GET", "/wash", "Accept", "text/html"), do(h, "GET", "/wash", "Accept", "application/json")
	for _, c := range []struct {
		accept, tag string
		status      int
	}{
		{"text/html", page.Header().Get("ETag"), 304},
		{"application/json", badge.Header().Get("ETag"), 304},
		{"text/html", badge.Header().Get("ETag"), 200},
		{"application/json", page.Header().Get("ETag"), 200},
	} {
		w := do(h, "GET", "/wash", "Accept", c.accept, "If-None-Match", c.tag)
		if w.Code != c.status {
			t.Errorf("GET /wash with Accept: %s, If-None-Match: %s: status %d, want %d", c.accept, c.tag, w.Code, c.status)
		}
		if vary := w.Header().Get("Vary"); !strings.HasPrefix(vary+",", "Accept,") {
			t.Errorf("GET /wash with Accept: %s: Vary %s, want Accept in it also with status %d", c.accept, vary, w.Code)
		}
	}
}

// TestAcceptDecidesOnFailures: a browser gets a page that says what went wrong.
func TestAcceptDecidesOnFailures(t *testing.T) {
	t.Parallel()
	working, failing := handlerOf(t, open(t, "a.azurecr.io/wash:1")), handlerOf(t, broken{})
	wantAccepted := func(accept, target string, status int, contentType string) {
		t.Helper()
		h := working
		if status == 503 {
			h = failing
		}
		w := do(h, "GET", target, "Accept", accept)
		if got := w.Header().Get("Content-Type"); w.Code != status || got != contentType {
			t.Errorf("GET %s with Accept: %s = %d %s, want %d %s", target, accept, w.Code, got, status, contentType)
		}
	}
	wantAccepted("text/html", "/nothing", 404, typeHTML)
	wantAccepted("*/*", "/nothing", 200, typeJSON)
	wantAccepted("text/html", "/wash?sort=x", 400, typeHTML)
	wantAccepted("*/*", "/wash?sort=x", 200, typeJSON)
	wantAccepted("text/html", "/wash?format=x", 200, typeJSON) // the wanted format is unknown
	wantAccepted("text/html", "/wash", 503, typeHTML)
	wantAccepted("*/*", "/wash", 503, typeJSON)
}

// TestRobotsReadPages: they may read neither the API nor searches.
func TestRobotsReadPages(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, broken{}) // it costs no read
	wantAnswer(t, h, "/robots.txt", 200, typeText, "User-agent: *\nDisallow: /api/\nDisallow: /*?\nAllow: /*?format=html$\n")
	if w := do(h, "HEAD", "/robots.txt"); w.Code != 200 || w.Body.Len() > 0 {
		t.Errorf("HEAD /robots.txt = %d %q, want 200 without a body", w.Code, w.Body)
	}
}
