package ingest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxBody is the size of the largest accepted body, in bytes. Azure sends at most 1 MB.
const maxBody = 1 << 20

// An endpoint answers an admitted request. It gets the request's body, and a context that
// ends at the deadline.
type endpoint func(r *http.Request, body []byte) (response, error)

// An admission returns the body of a request that may write, or an error. It does not use
// the body of a sender that is not admitted.
type admission func(r *http.Request) (body []byte, err error)

// authorized returns a handler that calls next for admitted requests.
func authorized(admit admission, next endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := serve(r, admit, next)
		respond(r.Context(), w, answer, err)
	}
}

func serve(r *http.Request, admit admission, next endpoint) (response, error) {
	body, err := admit(r)
	if err != nil {
		return response{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), Deadline)
	defer cancel()
	return next(r.WithContext(ctx), body)
}

// byToken is the admission for writes by hand. A signature would not do: it covers only
// the body, and such a write is in the method and the path.
func (s Settings) byToken(r *http.Request) ([]byte, error) {
	if err := s.checkToken(r); err != nil {
		return nil, err
	}
	return readBody(r.Body)
}

// byTokenOrSignature is the admission for webhooks. Until the signature of a body is
// verified, nothing else is done with the body.
func (s Settings) byTokenOrSignature(r *http.Request) ([]byte, error) {
	signature := r.Header.Get("X-Hub-Signature-256")
	if signature == "" || len(s.Secrets) == 0 || s.checkToken(r) == nil {
		return s.byToken(r)
	}
	body, err := readBody(r.Body) // nil if too large, so that the signature is wrong
	if !s.signed(body, signature) {
		return nil, errWrongToken
	}
	return body, err
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

// NeedsToken reports whether every write needs a token or a signature.
func (s Settings) NeedsToken() bool { return !s.WithoutToken || s.HasTokens() }

// HasTokens reports whether any token or secret is configured.
func (s Settings) HasTokens() bool { return len(s.Tokens) > 0 || len(s.Secrets) > 0 }

// checkToken returns errNoToken or errWrongToken unless r has an accepted token.
func (s Settings) checkToken(r *http.Request) error {
	if !s.NeedsToken() {
		return nil
	}
	tokens := tokensOf(r)
	if len(tokens) == 0 {
		return errNoToken
	}
	if !slices.ContainsFunc(tokens, s.accepts) {
		return errWrongToken
	}
	return nil
}

// tokensOf returns the tokens in a request: in the Authorization header, as a bearer
// token or as a password, and in the query. Some senders cannot set a header, and Pub/Sub
// sets Authorization to its own.
func tokensOf(r *http.Request) (tokens []string) {
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		bearer = ""
	}
	_, password, _ := r.BasicAuth()
	for _, token := range []string{bearer, password, r.URL.Query().Get("token")} {
		if token = strings.TrimSpace(token); token != "" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// accepts reports whether token matches a configured hash. Its duration does not depend
// on how much of a hash matches.
func (s Settings) accepts(token string) bool {
	hash := TokenHash(sha256.Sum256([]byte(token)))
	matches := 0
	for _, want := range s.Tokens {
		matches |= subtle.ConstantTimeCompare(hash[:], want[:])
	}
	return matches == 1
}

// signed reports whether signature is that of body with a configured secret. Its duration
// does not depend on how much of a signature matches.
//
// See https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries.
func (s Settings) signed(body []byte, signature string) bool {
	digits, ok := strings.CutPrefix(signature, "sha256=")
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return false
	}
	matches := 0
	for _, secret := range s.Secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		matches |= subtle.ConstantTimeCompare(sum, mac.Sum(nil))
	}
	return matches == 1
}

// Allows reports whether events of registry may be written.
func (s Settings) Allows(registry string) bool { return s.allow(registry) == nil }

// allow returns a forbidden unless events of registry may be written.
func (s Settings) allow(registry string) error {
	if len(s.AllowedRegistries) == 0 || slices.Contains(s.AllowedRegistries, registry) {
		return nil
	}
	return forbidden{registry}
}
