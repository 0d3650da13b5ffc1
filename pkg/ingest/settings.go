package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// Settings of the write side.
type Settings struct {
	Tokens            []TokenHash // WEBHOOK_TOKEN_SHA256: of the accepted tokens; none: every write is refused
	AllowedRegistries []string    // ALLOWED_REGISTRIES: hosts that may be written about; none: any
	WithoutToken      bool        // accept writes without a token; only where nobody else can reach the server
}

// TokenHash is the SHA-256 of a token.
type TokenHash [sha256.Size]byte

// Deadline is how long a request may take, retries to the store included. Azure
// gives up on its native webhook after 5 s and does not come again; an answer is
// promised within 4.5 s, of which a cold start may take some.
const Deadline = 3 * time.Second

// FromEnv reads the settings with lookup, which is os.LookupEnv but in tests. An
// error names every variable that is wrong.
func FromEnv(lookup func(string) (string, bool)) (Settings, error) {
	var s Settings
	var errs []error
	for _, v := range list(lookup, "WEBHOOK_TOKEN_SHA256") {
		b, err := hex.DecodeString(v)
		if err != nil || len(b) != sha256.Size {
			// Perhaps someone gave the token itself: it is not shown.
			errs = append(errs, fmt.Errorf("WEBHOOK_TOKEN_SHA256 has an entry of %d characters that is no SHA-256: want 64 hex digits, as `printf %%s TOKEN | sha256sum` prints", len(v)))
			continue
		}
		s.Tokens = append(s.Tokens, TokenHash(b))
	}
	for _, v := range list(lookup, "ALLOWED_REGISTRIES") {
		registry, err := reference.Registry(v)
		if err != nil {
			errs = append(errs, fmt.Errorf("ALLOWED_REGISTRIES: %w", err))
			continue
		}
		s.AllowedRegistries = append(s.AllowedRegistries, registry)
	}
	return s, errors.Join(errs...)
}

// list is a variable's values, separated by commas.
func list(lookup func(string) (string, bool), name string) []string {
	v, _ := lookup(name)
	var values []string
	for value := range strings.SplitSeq(v, ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}

// allows reports whether registry may be written about.
func (s Settings) allows(registry string) bool {
	return len(s.AllowedRegistries) == 0 || slices.Contains(s.AllowedRegistries, registry)
}

// accepts reports whether token is one of the accepted ones, in a time that
// tells nothing of how near it was.
func (s Settings) accepts(token string) bool {
	hash := TokenHash(sha256.Sum256([]byte(token)))
	ok := 0
	for _, want := range s.Tokens {
		ok |= subtle.ConstantTimeCompare(hash[:], want[:])
	}
	return ok == 1
}
