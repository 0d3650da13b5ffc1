package registry

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// A token authorizes a request. The zero token is for anonymous requests.
type token struct {
	header string    // the value of Authorization
	until  time.Time // when to ask for another, by our clock
	// asked are the scopes that were requested, access is what its own claims allow.
	asked   []string
	access  []access
	isKnown bool // access could be read
}

// An access is an entry in a token's claims. ACR's recorded sessions use these names; the
// token specification has them in lower case
// (https://distribution.github.io/distribution/spec/auth/jwt/).
type access struct {
	Type, Name string
	Actions    []string
}

// claims reports whether t's own claims allow scope.
func (t token) claims(scope string) bool {
	kind, name, actions := splitScope(scope)
	return t.isKnown && slices.ContainsFunc(t.access, func(a access) bool {
		return a.Type == kind && covers(a.Name, name) && !slices.ContainsFunc(actions, func(action string) bool {
			return !slices.Contains(a.Actions, action) && !slices.Contains(a.Actions, "*")
		})
	})
}

// lacks reports whether t's own claims do not allow scope.
func (t token) lacks(scope string) bool { return t.isKnown && !t.claims(scope) }

// covers reports whether pattern, a name in a scope that may end in *, covers name.
func covers(pattern, name string) bool {
	prefix, wildcard := strings.CutSuffix(pattern, "*")
	return pattern == name || wildcard && strings.HasPrefix(name, prefix)
}

// splitScope splits type:name:action,action. A name may contain a colon.
func splitScope(scope string) (kind, name string, actions []string) {
	kind, rest, _ := strings.Cut(scope, ":")
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return kind, rest, nil
	}
	return kind, rest[:i], strings.Split(rest[i+1:], ",")
}

// claims are the parts of a JWT that are read here. It is not verified: the registry does
// that. Here it only tells when to request another token, and what a 404 means.
type claims struct {
	Exp    float64
	Access *[]access
}

// parseClaims parses the claims of a JWT (RFC 7519, section 3). ok is false if s is not
// one: tokens need not be JWTs.
func parseClaims(s string) (c claims, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return claims{}, false
	}
	return c, true
}

const (
	// A token without a time lives at least this long (token specification).
	shortestLife = time.Minute
	longestLife  = 24 * time.Hour
	// early is how long before its end to request another token.
	early = time.Minute
)

// newToken returns the token in an answer of a token endpoint. date is the time of the
// answer by the registry's clock, now by ours.
func newToken(body []byte, asked []string, date, now time.Time) (t token, ok bool) {
	var answer struct {
		Token       string
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"` // in seconds
	}
	if json.Unmarshal(body, &answer) != nil {
		return token{}, false
	}
	value := answer.AccessToken
	if value == "" {
		value = answer.Token
	}
	if value == "" || len(value) > maxToken || strings.Trim(value, tokenCharacters) != "" {
		return token{}, false
	}
	t = token{header: "Bearer " + value, asked: asked}
	c, isJWT := parseClaims(value)
	if isJWT && c.Access != nil {
		t.access, t.isKnown = *c.Access, true
	}
	if date.IsZero() {
		date = now
	}
	life := shortestLife
	switch {
	case answer.ExpiresIn > 0:
		life = seconds(answer.ExpiresIn)
	case isJWT && c.Exp > 0: // ACR sends no expires_in
		life = seconds(c.Exp - float64(date.UnixNano())/1e9)
	}
	t.until = now.Add(max(life-early, life/2))
	return t, true
}

// maxToken is the longest accepted token, in bytes. Each request contains the token, and
// servers refuse longer headers.
const maxToken = 64 << 10

// tokenCharacters are the characters of b64token (RFC 6750, section 2.1).
const tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="

// seconds returns s seconds as a duration from 0 to longestLife.
func seconds(s float64) time.Duration {
	return time.Duration(math.Max(0, math.Min(s, longestLife.Seconds())) * float64(time.Second))
}
