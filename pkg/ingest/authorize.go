package ingest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxBody is the largest body that is read, in bytes. Azure sends at most 1 MB.
const maxBody = 1 << 20

// An endpoint answers a request that has been let through. It gets the request's
// body, and a context that ends at the deadline.
type endpoint func(r *http.Request, body []byte) (response, error)

// authorized returns a handler that calls next for those who may write.
func (h *handler) authorized(next endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := h.serve(r, next)
		respond(r.Context(), w, answer, err)
	}
}

func (h *handler) serve(r *http.Request, next endpoint) (response, error) {
	// A stranger's body is not even read.
	if err := h.settings.authorize(r); err != nil {
		return response{}, err
	}
	body, err := readBody(r.Body)
	if err != nil {
		return response{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), Deadline)
	defer cancel()
	return next(r.WithContext(ctx), body)
}

func readBody(body io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return nil, badRequest{"the body was cut short: " + err.Error()}
	}
	if len(b) > maxBody {
		return nil, errTooLarge
	}
	return b, nil
}

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
