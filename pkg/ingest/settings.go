package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"ocireffer/pkg/reference"
)

// Settings of the write side. Without Tokens and Secrets every write is refused.
type Settings struct {
	Tokens            []TokenHash     // WEBHOOK_TOKEN_SHA256: hashes of the accepted tokens; none: no token is accepted
	Secrets           []string        // WEBHOOK_SECRETS: keys of accepted signatures; none: no signature is accepted
	AllowedRegistries []string        // ALLOWED_REGISTRIES: registries whose events may be written; none: any
	IgnoreTags        reference.Globs // IGNORE_TAGS: tags that are not stored, besides those of referrers; none: all are stored
	WithoutToken      bool            // anyone may write if Tokens and Secrets are empty; only for a server that nobody else can reach
}

// TokenHash is the SHA-256 hash of a token.
type TokenHash [sha256.Size]byte

// FromEnv reads the settings from environment variables. lookup returns a variable's
// value and whether it is set, as os.LookupEnv does. An error names every wrong variable.
func FromEnv(lookup func(name string) (string, bool)) (Settings, error) {
	var s Settings
	tokens, errTokens := list(lookup, "WEBHOOK_TOKEN_SHA256")
	registries, errRegistries := list(lookup, "ALLOWED_REGISTRIES")
	tags, errTags := list(lookup, "IGNORE_TAGS")
	secrets, errSecrets := list(lookup, "WEBHOOK_SECRETS")
	s.Secrets = secrets
	errs := []error{errTokens, errRegistries, errTags, errSecrets}
	for _, value := range tokens {
		hash, err := parseTokenHash(value)
		if err != nil {
			errs = append(errs, fmt.Errorf("WEBHOOK_TOKEN_SHA256: %w", err))
			continue
		}
		s.Tokens = append(s.Tokens, hash)
	}
	for _, value := range registries {
		registry, err := reference.ParseRegistry(value)
		if err != nil {
			errs = append(errs, fmt.Errorf("ALLOWED_REGISTRIES: %w", err))
			continue
		}
		s.AllowedRegistries = append(s.AllowedRegistries, registry)
	}
	var err error
	if s.IgnoreTags, err = reference.ParseGlobs(strings.Join(tags, ",")); err != nil {
		errs = append(errs, fmt.Errorf("IGNORE_TAGS: %w", err))
	}
	return s, errors.Join(errs...)
}

// parseTokenHash parses a hash in hex digits. Its error does not show s, which may be a
// token by mistake.
func parseTokenHash(s string) (TokenHash, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return TokenHash{}, fmt.Errorf("an entry of %d characters is not a SHA-256 hash: want 64 hex digits, as `printf %%s TOKEN | sha256sum` prints", len(s))
	}
	if hash := TokenHash(b); hash != sha256.Sum256(nil) {
		return hash, nil
	}
	return TokenHash{}, errors.New("an entry is the hash of an empty text, and an empty token is never accepted: hash the token itself, as `printf %s TOKEN | sha256sum` does")
}

// list returns the comma-separated values of a variable. An empty variable has none.
// Commas without a value are a mistake: their author wanted to restrict something.
func list(lookup func(name string) (string, bool), name string) (values []string, err error) {
	text, _ := lookup(name)
	for value := range strings.SplitSeq(text, ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	if len(values) == 0 && strings.Contains(text, ",") {
		return nil, fmt.Errorf("%s has commas but no entry: write an entry, or leave it empty", name)
	}
	return values, nil
}
