package registry

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/reference"
)

func TestNextPage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		link  []string
		query string
		ok    bool
		err   bool
	}{
		{nil, "", false, false},
		{[]string{`</acr/v1/library%2Fhello-world/_tags?last=latest&n=1&orderby=>; rel="next"`}, "last=latest&n=1&orderby=", true, false},
		{[]string{`<?n=1>;rel=next`}, "n=1", true, false},
		{[]string{`<?n=1>; REL="Last NEXT"`}, "n=1", true, false},
		{[]string{`<?n=1>; rel="last"`}, "", false, false},
		{[]string{`<?n=1>; rel="last"; rel="next"`}, "", false, false},
		{[]string{`<?n=1>; rel="last"`, `<?n=2>; title="a, <b>; rel=x" ; rel="next"`}, "n=2", true, false},
		{[]string{`<https://A.example/other?last=a%2Fb>; rel="next"`}, "last=a%2Fb", true, false},
		{[]string{`<https://a.example:8443/?n=1>; rel="next"`}, "", false, true},
		{[]string{`<http://a.example/?n=1>; rel="next"`}, "", false, true},
		{[]string{`<//b.example/?n=1>; rel="next"`}, "", false, true},
		{[]string{`<https://a.example@b.example/?n=1>; rel="next"`}, "", false, true},
		{[]string{`<%zz>; rel="next"`}, "", false, true},
		{[]string{`<?n=1; rel="next"`}, "", false, true},
		{[]string{`?n=1; rel="next"`}, "", false, true},
		{[]string{`<?n=1>; rel="next`}, "", false, true},
		{[]string{`<?` + strings.Repeat("n", maxQuery) + `>; rel="next"`}, strings.Repeat("n", maxQuery), true, false},
		{[]string{`<?` + strings.Repeat("n", maxQuery+1) + `>; rel="next"`}, "", false, true},
	} {
		base, err := url.Parse("https://a.example/v2/wash/tags/list")
		if err != nil {
			t.Fatal(err)
		}
		query, ok, err := nextPage(http.Header{"Link": test.link}, base)
		if query != test.query || ok != test.ok || (err != nil) != test.err {
			t.Errorf("nextPage(%q) = %q, %t, %v, want %q, %t, error %t", test.link, query, ok, err, test.query, test.ok, test.err)
		}
	}
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value string
		want  string
	}{
		{`Bearer realm="https://a/t",service="a",scope="repository:a/b:pull,push x:y:z"`, `[{bearer map[realm:https://a/t scope:repository:a/b:pull,push x:y:z service:a]}]`},
		{`Basic realm="a"`, `[{basic map[realm:a]}]`},
		{`BASIC realm=a, bearer Realm = "b\"c"`, `[{basic map[realm:a]} {bearer map[realm:b"c]}]`},
		{`Bearer`, `[{bearer map[]}]`},
		{`realm="a"`, `[{realm map[]}]`},
		{`Bearer realm="a`, `[{bearer map[]}]`},
		{``, `[]`},
	} {
		if got := fmt.Sprint(parseChallenges([]string{test.value})); got != test.want {
			t.Errorf("parseChallenges(%q) = %s, want %s", test.value, got, test.want)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	one := token{isKnown: true, access: []access{{"repository", "wash", []string{"pull", "metadata_read"}}}}
	all := token{isKnown: true, access: []access{{"repository", "*", []string{"*"}}}}
	team := token{isKnown: true, access: []access{{"repository", "team/*", []string{"metadata_read"}}}}
	for _, test := range []struct {
		t             token
		scope         string
		claims, lacks bool
	}{
		{one, "repository:wash:metadata_read", true, false},
		{one, "repository:wash:pull,metadata_read", true, false},
		{one, "repository:wash:pull,push", false, true},
		{one, "repository:wash/x:pull", false, true},
		{one, "registry:catalog:*", false, true},
		{all, "repository:a:5000/b:pull", true, false},
		{all, "registry:catalog:*", false, true},
		{team, "repository:team/app:metadata_read", true, false},
		{team, "repository:teams:metadata_read", false, true},
		{token{}, "repository:wash:pull", false, false}, // opaque: it may or may not allow that
		{token{isKnown: true}, "repository:wash:pull", false, true},
	} {
		if claims, lacks := test.t.claims(test.scope), test.t.lacks(test.scope); claims != test.claims || lacks != test.lacks {
			t.Errorf("%+v claims %s: %t, lacks it: %t, want %t, %t", test.t.access, test.scope, claims, lacks, test.claims, test.lacks)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)
	const at = "Fri, 03 Jul 2026 12:00:30 GMT"
	for _, test := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"7", "", 7 * time.Second},
		{" 7 ", "", 7 * time.Second},
		{"99999999999999999999", "", 0},
		{"-1", "", 0},
		{"1.5", "", 0},
		{at, "", 30 * time.Second},
		{at, "Fri, 03 Jul 2026 11:59:30 GMT", time.Minute},
		{at, "Fri, 03 Jul 2026 12:01:00 GMT", 0},
		{"tomorrow", "", 0},
	} {
		h := http.Header{"Retry-After": {test.value}, "Date": {test.date}}
		if got := retryAfter(h, now); got != test.want {
			t.Errorf("Retry-After: %s at %s is %s, want %s", test.value, test.date, got, test.want)
		}
	}
}

func TestAnswerThatIsTooLarge(t *testing.T) {
	t.Parallel()
	r := newOCI("registry.example.com", "registry.example.com", Options{Transport: endless{}})
	got, err := r.Repository(t.Context(), "wash")
	if err != nil || got.State != Unsure || r.Calls() != 1 {
		t.Errorf("wash is %s because of %v, error %v, in %d calls, want unsure in one", got.State, got.Why, err, r.Calls())
	}
}

// endless answers with endless blanks.
type endless struct{}

func (endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: endless{}}, nil
}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func (endless) Close() error { return nil }

// TestNamesAreCheckedOneByOne: a list of invalid names uses no memory.
func TestNamesAreCheckedOneByOne(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		list    string
		checked int
		names   string
		bad     bool
	}{
		{`["a","b"]`, 2, "a,b", false},
		{` [ "a" , "\u0062" ] `, 2, "a,b", false},
		{`[]`, 0, "", false},
		{`null`, 0, "", false},
		{`["a","","b"]`, 2, "", true},
		{`[""` + strings.Repeat(`,""`, 1e6) + `]`, 1, "", true},
		{`["a",7]`, 1, "", true},
		{`["a",["b"]]`, 1, "", true},
		{`{"a":"b"}`, 0, "", true},
		{`"a"`, 0, "", true},
		{`7`, 0, "", true},
	} {
		checked := 0
		names, err := namesOf([]byte(test.list), func(s string) error {
			checked++
			return reference.CheckTag(s)
		})
		if checked != test.checked || strings.Join(names, ",") != test.names || (err != nil) != test.bad {
			t.Errorf("namesOf(%.20s) = %q, %v with %d names checked, want %s, error %t with %d", test.list, names, err, checked, test.names, test.bad, test.checked)
		}
	}
}

// TestLongTokensAreNone: each request would have such a token in a header, which no
// server would accept.
func TestLongTokensAreNone(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]bool{0: false, 1: true, maxToken: true, maxToken + 1: false} {
		body := `{"token":"` + strings.Repeat("a", length) + `"}`
		if _, ok := newToken([]byte(body), nil, time.Time{}, time.Time{}); ok != want {
			t.Errorf("a token of %d bytes is one: %t, want %t", length, ok, want)
		}
	}
}
