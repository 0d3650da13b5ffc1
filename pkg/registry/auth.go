package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// An authorizer holds the tokens of a client.
type authorizer interface {
	// token returns the token for a request for scope.
	token(ctx context.Context, scope string) (token, error)
	// challenged is called after a request for scope with t got a 401 with these values
	// of WWW-Authenticate. It returns another token to try, if there is one.
	challenged(ctx context.Context, scope string, t token, values []string) (token, bool, error)
}

// A refusedError says that a credential was not accepted, or must not be sent.
type refusedError struct{ error }

// noAuth sends requests without authorization.
type noAuth struct{}

func (noAuth) token(context.Context, string) (token, error) { return token{}, nil }

func (noAuth) challenged(context.Context, string, token, []string) (token, bool, error) {
	return token{}, false, nil
}

// A signer authorizes requests as a registry demands
// (https://distribution.github.io/distribution/spec/auth/token/): with Basic, or with
// tokens of the realm that a challenge names. It keeps tokens until shortly before they
// expire. Once it has seen a challenge, it gets tokens before they are needed: otherwise
// each repository would cost a 401.
type signer struct {
	client     *client
	credential Credential
	realms     []string // hosts besides the client's that may get the credential
	// isACR: anonymous tokens are requested by POST, as ACR's own clients do, and a
	// refusal is about the credential, whatever the scope.
	isACR bool
	// scopes returns the sets of scopes to request for access to scope, the best first.
	// nil: only scope.
	scopes func(scope string) [][]string

	lock   chan struct{} // held while a token is requested, so that it is requested once
	seen   challenge     // the last challenge; its scheme is empty until there is one
	tokens map[string]token
	// refusals contains the errors for sets of scopes, or for anything under "", and
	// until when not to ask again.
	refusals map[string]refusal
}

type refusal struct {
	err   error
	until time.Time
}

func newSigner(c *client, o Options) *signer {
	return &signer{
		client: c, credential: o.Credential, realms: o.Realms,
		lock: make(chan struct{}, 1), tokens: map[string]token{}, refusals: map[string]refusal{},
	}
}

// token implements authorizer.
func (s *signer) token(ctx context.Context, scope string) (token, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return token{}, ctx.Err()
	}
	switch s.seen.scheme {
	case "basic":
		return s.basic(), nil
	case "bearer":
		return s.bearer(ctx, scope)
	default:
		return token{}, nil // the registry may not demand one
	}
}

// challenged implements authorizer.
func (s *signer) challenged(ctx context.Context, scope string, t token, values []string) (token, bool, error) {
	challenges := parseChallenges(values)
	i := slices.IndexFunc(challenges, func(c challenge) bool { return c.scheme == "bearer" })
	if i < 0 {
		i = slices.IndexFunc(challenges, func(c challenge) bool { return c.scheme == "basic" })
	}
	if i < 0 {
		return token{}, false, nil
	}
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return token{}, false, ctx.Err()
	}
	s.seen = challenges[i]
	if s.seen.scheme == "basic" {
		basic := s.basic()
		return basic, basic.header != t.header, nil
	}
	if t.lacks(scope) {
		return token{}, false, nil // another one would lack it too
	}
	for key, kept := range s.tokens {
		if kept.header == t.header { // revoked, or insufficient
			delete(s.tokens, key)
		}
	}
	var err error
	if asked := strings.Fields(s.seen.params["scope"]); t.header != "" && len(asked) > 0 {
		t, err = s.fetch(ctx, asked)
	} else {
		t, err = s.bearer(ctx, scope)
	}
	return t, err == nil, err
}

func (s *signer) basic() token {
	if s.credential.User == "" {
		return token{}
	}
	userinfo := s.credential.User + ":" + s.credential.Password
	return token{header: "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))}
}

// bearer returns a token for scope. If no set of scopes yields one, it returns the token
// of the last set.
func (s *signer) bearer(ctx context.Context, scope string) (t token, err error) {
	if err := s.refused(anything); err != nil {
		return token{}, err
	}
	sets := [][]string{{scope}}
	if s.scopes != nil {
		sets = s.scopes(scope)
	}
	for _, set := range sets {
		t, err = s.kept(ctx, set)
		if again := errors.As(err, new(*refusedError)) || err == nil && t.lacks(scope); !again {
			return t, err
		}
	}
	if s.isACR {
		s.refuse(anything, err)
	}
	return t, err
}

// anything is the key of a refusal that applies to every set of scopes.
const anything = ""

// refused returns the error of a recent refusal of a set of scopes.
func (s *signer) refused(key string) error {
	if r, ok := s.refusals[key]; ok && s.client.clock.Now().Before(r.until) {
		return r.err
	}
	return nil
}

// refuse remembers err if it is a refusal.
func (s *signer) refuse(key string, err error) {
	if errors.As(err, new(*refusedError)) {
		s.refusals[key] = refusal{err, s.client.clock.Now().Add(time.Minute)}
	}
}

// kept returns the token for a set of scopes, and gets a new one if none is valid long
// enough.
func (s *signer) kept(ctx context.Context, set []string) (token, error) {
	key := strings.Join(set, " ")
	if t, ok := s.tokens[key]; ok && s.client.clock.Now().Before(t.until) {
		return t, nil
	}
	if err := s.refused(key); err != nil {
		return token{}, err
	}
	t, err := s.fetch(ctx, set)
	s.refuse(key, err)
	return t, err
}

// fetch requests a token from the realm.
func (s *signer) fetch(ctx context.Context, set []string) (token, error) {
	realm, err := s.realm()
	if err != nil {
		return token{}, err
	}
	r, err := s.client.send(ctx, s.tokenRequest(realm, set))
	if err != nil {
		return token{}, err
	}
	switch {
	case r.status == http.StatusOK:
	case r.status == http.StatusBadRequest, r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		return token{}, &refusedError{fmt.Errorf("token of %s: %d %s", realm.Host, r.status, cmp.Or(errorCode(r.body), http.StatusText(r.status)))}
	default:
		return token{}, fmt.Errorf("token of %s: %d %s", realm.Host, r.status, http.StatusText(r.status))
	}
	t, ok := newToken(r.body, set, r.moment().Date, r.received)
	if !ok {
		return token{}, fmt.Errorf("token of %s: the answer contains none", realm.Host)
	}
	s.tokens[strings.Join(set, " ")] = t
	return t, nil
}

// realm returns the URL of the token endpoint. It must be on the registry's own host or
// on one in s.realms. Otherwise a registry could get the credential of another, or make
// us call any address.
func (s *signer) realm() (*url.URL, error) {
	base := s.client.base
	u, err := url.Parse(s.seen.params["realm"])
	if err != nil || u.Host == "" {
		return nil, &refusedError{fmt.Errorf("%s asks for tokens of %s, which is not a URL", base.Host, reference.Quote(s.seen.params["realm"]))}
	}
	host := strings.ToLower(strings.TrimSuffix(u.Host, ":443"))
	known := host == strings.TrimSuffix(base.Host, ":443") || slices.Contains(s.realms, host)
	secure := u.Scheme == "https" || u.Scheme == "http" && base.Scheme == "http" && isLoopback(host)
	if !known || !secure {
		return nil, &refusedError{fmt.Errorf("%s asks for tokens of %s, which is not one of its known realms", base.Host, reference.Quote(u.Scheme+"://"+u.Host))}
	}
	return u, nil
}

func (s *signer) tokenRequest(realm *url.URL, set []string) message {
	values := url.Values{}
	if service := s.seen.params["service"]; service != "" {
		values.Set("service", service)
	}
	c := s.credential
	m := message{method: http.MethodGet, header: http.Header{"Accept": {"application/json"}}}
	u := *realm
	u.User, u.Fragment = nil, ""
	if c.User == "" && (c.RefreshToken != "" || s.isACR) {
		values.Set("scope", strings.Join(set, " "))
		if c.RefreshToken != "" {
			values.Set("grant_type", "refresh_token")
			values.Set("refresh_token", c.RefreshToken)
			values.Set("client_id", "ocireffer")
		} else {
			values.Set("grant_type", "password")
		}
		m.method, m.body = http.MethodPost, values.Encode()
		m.header.Set("Content-Type", "application/x-www-form-urlencoded")
		m.url = u.String()
		return m
	}
	for name, more := range u.Query() {
		values[name] = more
	}
	values["scope"] = set
	u.RawQuery = values.Encode()
	if basic := s.basic(); basic.header != "" {
		m.header.Set("Authorization", basic.header)
	}
	m.url = u.String()
	return m
}
