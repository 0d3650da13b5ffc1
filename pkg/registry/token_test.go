package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
)

// many returns a server with repositories r00, r01 and so on.
func many(n int, clock *acrtest.Clock) *acrtest.Server {
	s := acrtest.Public(clock.Now)
	for i := range n {
		s.Push(fmt.Sprintf("r%02d", i), "1", acrtest.Digest("1"))
	}
	return s
}

// readAll reads the catalogue, and the tags of all repositories.
func readAll(t *testing.T, r registry.Registry) {
	t.Helper()
	for _, name := range catalogue(t, r).Names {
		if l := list(t, r, name); !l.Complete {
			t.Errorf("tags of %s are incomplete: %v", name, l.Why)
		}
	}
}

func TestOneTokenIsEnough(t *testing.T) {
	t.Parallel()
	clock := acrtest.NewClock(noon)
	s := many(20, clock)
	r := open(t, acrHost, s, on(clock))
	readAll(t, r)
	requests := s.Requests()
	// A challenge, a token and the catalogue. Then for each repository its attributes
	// twice and a page of tags.
	if got, want := len(requests), 1+1+1+20*3; got != want || r.Calls() != int64(want) {
		t.Errorf("%d requests and %d calls, want %d:\n%s", got, r.Calls(), want, strings.Join(requests, "\n"))
	}
	if got := count(requests, "POST /oauth2/token"); got != 1 {
		t.Errorf("%d tokens, want 1", got)
	}
}

// ABAC silently grants nothing for a wildcard.
func TestTokensInBatchesWithABAC(t *testing.T) {
	t.Parallel()
	clock := acrtest.NewClock(noon)
	s := many(25, clock)
	s.Set(func(r *acrtest.Rules) {
		r.ABAC = true
		r.Users = map[string]acrtest.User{"all": {Password: "p"}, "some": {Password: "p", Repositories: []string{"r0*"}}}
	})
	readAll(t, open(t, acrHost, s, on(clock), as("all", "p")))
	requests := s.Requests()
	if got := count(requests, "GET /oauth2/token"); got != 1+3 {
		t.Errorf("%d tokens, want one that is not enough and 3 for 25 repositories:\n%s", got, strings.Join(requests, "\n"))
	}

	// If a token's claims do not allow a request, the request is made once, without
	// another sign-in.
	r := open(t, acrHost, s, on(clock), as("some", "p"))
	for _, name := range catalogue(t, r).Names {
		want := registry.Forbidden
		if strings.HasPrefix(name, "r0") {
			want = registry.Found
		}
		got := repository(t, r, name)
		wantState(t, name, got.State, got.Why, want)
	}
	if got, want := len(s.Requests()), 1+1+1+25+3; got != want {
		t.Errorf("%d requests, want %d", got, want)
	}
}

// ACR sends no expires_in, and anonymous tokens live for 20 minutes.
func TestTokensAreRenewedBeforeTheyExpire(t *testing.T) {
	t.Parallel()
	for _, behind := range []time.Duration{0, time.Hour, -time.Hour} {
		theirs, ours := acrtest.NewClock(noon), acrtest.NewClock(noon.Add(-behind))
		s := many(1, theirs)
		r := open(t, acrHost, s, on(ours))
		for range 60 {
			got := repository(t, r, "r00")
			wantState(t, "r00", got.State, got.Why, registry.Found)
			theirs.Advance(time.Minute)
			ours.Advance(time.Minute)
		}
		requests := s.Requests()
		if got := len(requests) - 60; got != 1+4 || count(requests, "POST /oauth2/token") != 4 {
			t.Errorf("clock %s behind: %d more requests in an hour, want a challenge and 4 tokens:\n%s", behind, got, strings.Join(requests, "\n"))
		}
	}
}

func TestRevokedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	clock := acrtest.NewClock(noon)
	first, second := many(1, clock), many(1, clock) // the second has another key
	var s http.RoundTripper = first
	r := open(t, acrHost, switching{&s}, on(clock))
	list(t, r, "r00")
	s = second
	got := repository(t, r, "r00")
	wantState(t, "r00", got.State, got.Why, registry.Found)
	wantComplete(t, list(t, r, "r00"), "1")
}

type switching struct{ to *http.RoundTripper }

func (s switching) RoundTrip(r *http.Request) (*http.Response, error) { return (*s.to).RoundTrip(r) }

func TestCredentials(t *testing.T) {
	t.Parallel()
	clock := acrtest.NewClock(noon)
	s := many(12, clock)
	s.Set(func(r *acrtest.Rules) {
		r.Anonymous = false
		r.Users = map[string]acrtest.User{"reader": {Password: "p:ä%"}}
		r.Entra = map[string]acrtest.User{"entra": {}}
	})
	refresh := exchange(t, s)
	for _, test := range []struct {
		name       string
		credential registry.Credential
		want       registry.State
	}{
		{"user and password", registry.Credential{User: "reader", Password: "p:ä%"}, registry.Found},
		{"refresh token", registry.Credential{RefreshToken: refresh}, registry.Found},
		{"nobody", registry.Credential{}, registry.Forbidden},
		{"wrong password", registry.Credential{User: "reader", Password: "q"}, registry.Forbidden},
		{"wrong refresh token", registry.Credential{RefreshToken: refresh + "x"}, registry.Forbidden},
	} {
		r := open(t, acrHost, s, on(clock), func(o *registry.Options) { o.Credential = test.credential })
		if got := catalogue(t, r); got.Complete != (test.want == registry.Found) {
			t.Errorf("%s: catalogue is %+v", test.name, got)
		}
		s.Requests()
		for i := range 12 {
			got := repository(t, r, fmt.Sprintf("r%02d", i))
			wantState(t, test.name+": a repository", got.State, got.Why, test.want)
		}
		// What was just refused is not requested again.
		requests := s.Requests()
		if got := count(requests, "GET /oauth2/token") + count(requests, "POST /oauth2/token"); got != 0 {
			t.Errorf("%s: signed in %d times for 12 repositories after the catalogue", test.name, got)
		}
	}
}

// exchange exchanges an Entra token for an ACR refresh token.
func exchange(t *testing.T, s *acrtest.Server) string {
	t.Helper()
	form := url.Values{"grant_type": {"access_token"}, "service": {acrHost}, "access_token": {"entra"}}
	res, err := (&http.Client{Transport: s}).PostForm("https://"+acrHost+"/oauth2/exchange", form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || body.RefreshToken == "" {
		t.Fatalf("exchange: %d, %v", res.StatusCode, err)
	}
	return body.RefreshToken
}
