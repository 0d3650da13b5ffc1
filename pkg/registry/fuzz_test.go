package registry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/reference"
)

// A next page is always at the origin of the page before, and a written link is read back
// unchanged.
func FuzzLink(f *testing.F) {
	for _, s := range []string{
		`</acr/v1/library%2Fhello-world/_tags?last=latest&n=1&orderby=>; rel="next"`,
		`<https://a.example/v2/_catalog?last=b&n=1>; title="a, b; c"; rel=next, </x>; rel="last"`,
		`<//evil.example/?n=1>; rel="next"`, `<http://a.example/?n=1>;rel=next`, `<>;rel="next prev"`,
		`<?last=a>; rel="prev", <?last=b>; rel="next"`, `</x`, `<a>; rel="`, `;`, `<a>;rel="\"`, `<a>x`,
	} {
		f.Add(s)
	}
	base, err := url.Parse("https://a.example/v2/wash/tags/list")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		query, ok, err := nextPage(http.Header{"Link": {s}}, base)
		if !ok && query != "" || ok && err != nil {
			t.Fatalf("nextPage(%q) = %q, %t, %v", s, query, ok, err)
		}
		if ok {
			u, err := url.Parse(base.String() + "?" + query)
			if err != nil || u.Host != base.Host || u.Path != base.Path || u.Scheme != base.Scheme {
				t.Fatalf("nextPage(%q) = %q, which leads to %s, %v", s, query, u, err)
			}
			again, ok, err := nextPage(http.Header{"Link": {"<?" + query + `>; rel="next"`}}, base)
			if !strings.Contains(query, ">") && (again != query || !ok || err != nil) {
				t.Fatalf("nextPage of %q = %q, %t, %v", query, again, ok, err)
			}
		}
		links, err := parseLinks([]string{s})
		if err != nil {
			return
		}
		var written []string
		for _, l := range links {
			written = append(written, fmt.Sprintf(`<%s>; rel="%s"`, l.target, quoted.Replace(l.rel)))
		}
		if again, err := parseLinks([]string{strings.Join(written, ", ")}); err != nil || !slices.Equal(again, links) {
			t.Fatalf("links of %q are %q, written and read again %q, %v", s, links, again, err)
		}
	})
}

// quoted escapes the text in a quoted string.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// Written challenges are read back unchanged.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{
		`Bearer realm="https://a.example/oauth2/token",service="a.example",scope="repository:wash:metadata_read",error="insufficient_scope"`,
		`Basic realm="a"`, `Basic, Bearer realm=x`, `Negotiate abc==, Bearer realm="a\"b"`, `Bearer realm="`, `realm="x"`, `,,`, `Bearer scope = "a b" , x=y`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var written []string
		all := parseChallenges([]string{s})
		for _, c := range all {
			params := []string{}
			for name, value := range c.params {
				params = append(params, fmt.Sprintf(`%s="%s"`, name, quoted.Replace(value)))
			}
			written = append(written, c.scheme+" "+strings.Join(params, ","))
		}
		again := parseChallenges([]string{strings.Join(written, ", ")})
		same := func(a, b challenge) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
		if !slices.EqualFunc(all, again, same) {
			t.Fatalf("challenges of %q are %q, written and read again %q", s, all, again)
		}
	})
}

// A token fits a header, is renewed within a day, and allows nothing that its claims do
// not contain.
func FuzzToken(f *testing.F) {
	jwt := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	f.Add(jwt(`{"exp":1783080000,"access":[{"Type":"repository","Name":"*","Actions":["metadata_read"]}]}`), 0.0)
	f.Add(jwt(`{"exp":1e300,"access":[{"type":"repository","name":"wash","actions":["*"]}]}`), 300.0)
	f.Add(jwt(`{"exp":-1,"access":null}`), -1.0)
	f.Add(jwt(`{"exp":"soon"}`), 1e300)
	f.Add("opaque", 60.0)
	f.Add("a\r\nX: y", 60.0)
	f.Fuzz(func(t *testing.T, value string, expires float64) {
		body, err := json.Marshal(map[string]any{"token": value, "expires_in": expires})
		if err != nil {
			t.Skip()
		}
		now := time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)
		token, ok := newToken(body, nil, time.Time{}, now)
		if !ok {
			return
		}
		req := http.Header{"Authorization": {token.header}}
		if strings.ContainsAny(token.header, "\r\n") || req.Get("Authorization") != "Bearer "+value {
			t.Fatalf("header is %q", token.header)
		}
		if token.until.Before(now) || token.until.After(now.Add(longestLife)) {
			t.Fatalf("renewed at %s, now is %s", token.until, now)
		}
		for _, a := range token.access {
			scope := a.Type + ":" + a.Name + ":" + strings.Join(a.Actions, ",")
			if token.claims(scope) && token.lacks(scope) {
				t.Fatalf("claims and lacks %s", scope)
			}
		}
		if token.claims("repository:wash:metadata_read") && !strings.Contains(value, ".") {
			t.Fatalf("%q claims what it does not say", value)
		}
	})
}

// Whatever the content of a list, its names are valid, and it is used as a whole or not
// at all.
func FuzzTags(f *testing.F) {
	for _, s := range []string{
		`{"name":"wash","tags":["1","latest"]}`, `{"tags":null}`, `{"tags":[]}`, `{"tags":["-"]}`, `{"tags":{}}`, `{}`, `[]`, ``, `{"tags":[null]}`,
		`{"registry":"a","imageName":"wash","tags":[{"name":"1","digest":"sha256:1","lastUpdateTime":"2026-07-03T12:00:00.1Z"}]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := newACR("wasm.azurecr.io", Options{Transport: answer(body)})
		p, why := r.namesPage(reply{state: Found, body: []byte(body)}, "/v2/wash/tags/list", "tags", reference.CheckTag)
		for _, name := range p.items {
			if why == nil && reference.CheckTag(name) != nil {
				t.Fatalf("%q lists %q", body, name)
			}
		}
		tags, why, err := r.tagsPage(t.Context(), "wash", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range tags.items {
			bad := reference.CheckTag(tag.Name) != nil || tag.Digest != "" && reference.CheckDigest(tag.Digest) != nil
			if early := !tag.PushedAt.IsZero() && tag.PushedAt.Year() < firstYear; why == nil && (bad || early) {
				t.Fatalf("%q lists %+v", body, tag)
			}
		}
	})
}

// answer answers 200 with a body.
type answer string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
	w.Body = body{strings.NewReader(string(a))}
	return w, nil
}

type body struct{ *strings.Reader }

func (body) Close() error { return nil }
