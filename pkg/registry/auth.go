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

// An authorizer has the tokens of a client.
type authorizer interface {
	// token returns what a request for scope is sent with.
	token(ctx context.Context, scope string) (token, error)
	// challenged is told that a request for scope with t got a 401 with these values of
	// WWW-Authenticate. It returns another token to try, if there is one.
	challenged(ctx context.Context, scope string, t token, values []string) (token, bool, error)
}

// A refusedError says that a credential is not accepted, or must not be sent.
type refusedError struct{ error }

// noAuth sends requests as they are.
type noAuth struct{}

func (noAuth) token(context.Context, string) (token, error) { return token{}, nil }

func (noAuth) challenged(context.Context, string, token, []string) (token, bool, error) {
	return token{}, false, nil
}

// A signer signs requests as registries ask for it (https://distribution.github.io/
// distribution/spec/auth/token/): with Basic, or with tokens of the realm that a
// challenge names. It keeps tokens until shortly before they expire. Once it has seen
// a challenge, it asks for tokens before they are needed: without one each
// repository would cost a 401.
type signer struct {
	client     *client
	credential Credential
	realms     []string // the hosts, next to the client's, that may have the credential
	// isACR: nobody's tokens are asked for by POST, as ACR's own clients do, and a
	// refusal is about the credential, whatever the scope.
	isACR bool
	// scopes returns the sets of scopes to ask for so that scope is allowed, the best
	// first. nil: scope alone.
	scopes func(scope string) [][]string

	lock   chan struct{} // held while a token is asked for, so that it is asked for once
	seen   challenge     // the last one; its scheme is empty before
	tokens map[string]token
	// refusals has the errors of sets of scopes, or of anything by "", and until when
	// not to ask again.
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
		return token{}, nil // perhaps none is needed
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
		return token{}, false, nil // another one would lack it, too
	}
	for key, kept := range s.tokens {
		if kept.header == t.header { // revoked, or not enough
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

// bearer returns a token that allows scope or, if no set of scopes yields one, that of
// the last set.
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

// anything is the key of a refusal that holds for every set of scopes.
const anything = ""

// refused returns the error of a set of scopes that was refused a moment ago.
func (s *signer) refused(key string) error {
	if r, ok := s.refusals[key]; ok && s.client.clock.Now().Before(r.until) {
		return r.err
	}
	return nil
}

// refuse keeps err, if it is a refusal.
func (s *signer) refuse(key string, err error) {
	if errors.As(err, new(*refusedError)) {
		s.refusals[key] = refusal{err, s.client.clock.Now().Add(time.Minute)}
	}
}

// kept returns the token of a set of scopes, a new one if there is none that lasts.
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

// fetch asks the realm for a token.
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
		return token{}, fmt.Errorf("token of %s: there is none in the answer", realm.Host)
	}
	s.tokens[strings.Join(set, " ")] = t
	return t, nil
}

// realm returns where tokens are. It must be the registry's own host or one of
// s.realms: else a registry could ask for the credential of another, or have us call
// whatever it likes.
func (s *signer) realm() (*url.URL, error) {
	base := s.client.base
	u, err := url.Parse(s.seen.params["realm"])
	if err != nil || u.Host == "" {
		return nil, &refusedError{fmt.Errorf("%s asks for tokens of %s, which is no URL", base.Host, reference.Quote(s.seen.params["realm"]))}
	}
	host := strings.ToLower(strings.TrimSuffix(u.Host, ":443"))
	known := host == strings.TrimSuffix(base.Host, ":443") || slices.Contains(s.realms, host)
	secure := u.Scheme == "https" || u.Scheme == "http" && base.Scheme == "http" && isLoopback(host)
	if !known || !secure {
		return nil, &refusedError{fmt.Errorf("%s asks for tokens of %s, which is not a realm of it", base.Host, reference.Quote(u.Scheme+"://"+u.Host))}
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
