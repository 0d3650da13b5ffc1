package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// NeedsToken reports whether only those who send a token may write.
func (s Settings) NeedsToken() bool { return !s.WithoutToken || len(s.Tokens) > 0 }

// authorize returns errNoToken or errWrongToken unless r may write.
func (s Settings) authorize(r *http.Request) error {
	if !s.NeedsToken() {
		return nil
	}
	token := tokenOf(r)
	if token == "" {
		return errNoToken
	}
	if !s.accepts(token) {
		return errWrongToken
	}
	return nil
}

// tokenOf returns the token in the Authorization header or, since Event Grid can
// send none, in the query.
func tokenOf(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = r.URL.Query().Get("token")
	}
	return strings.TrimSpace(token)
}

// accepts reports whether token matches a configured hash. How long it takes does
// not depend on how much of a hash matches.
func (s Settings) accepts(token string) bool {
	hash := TokenHash(sha256.Sum256([]byte(token)))
	matches := 0
	for _, want := range s.Tokens {
		matches |= subtle.ConstantTimeCompare(hash[:], want[:])
	}
	return matches == 1
}

// allow returns a forbidden unless events of registry may be written.
func (s Settings) allow(registry string) error {
	if len(s.AllowedRegistries) == 0 || slices.Contains(s.AllowedRegistries, registry) {
		return nil
	}
	return forbidden{registry}
}
