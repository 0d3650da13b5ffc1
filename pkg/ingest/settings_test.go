package ingest_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/ingest"
)

// fromEnv reads the settings from vars.
func fromEnv(vars map[string]string) (ingest.Settings, error) {
	return ingest.FromEnv(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
}

func TestSettingsAreReadFromTheEnvironment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vars map[string]string
		want ingest.Settings
	}{
		"nothing set": {},
		"set and empty": {
			vars: map[string]string{"WEBHOOK_TOKEN_SHA256": "", "ALLOWED_REGISTRIES": " ", "IGNORE_TAGS": ""}},
		"secrets": {
			vars: map[string]string{"WEBHOOK_SECRETS": " It's one ,two,"},
			want: ingest.Settings{Secrets: []string{"It's one", "two"}}},
		"tags": {
			vars: map[string]string{"IGNORE_TAGS": " buildcache ,pr-[0-9]*,"},
			want: ingest.Settings{IgnoreTags: ignoring(t, "buildcache,pr-[0-9]*").IgnoreTags}},
		"one of each": {
			vars: map[string]string{"WEBHOOK_TOKEN_SHA256": fmt.Sprintf("%x", hash("a")), "ALLOWED_REGISTRIES": "localhost"},
			want: ingest.Settings{Tokens: []ingest.TokenHash{hash("a")}, AllowedRegistries: []string{"localhost"}}},
		"several": {
			vars: map[string]string{
				"WEBHOOK_TOKEN_SHA256": fmt.Sprintf(" %x,%X ,", hash("a"), hash("b")),
				"ALLOWED_REGISTRIES":   "WasmCloud.azurecr.io, localhost:5000",
			},
			want: ingest.Settings{
				Tokens:            []ingest.TokenHash{hash("a"), hash("b")},
				AllowedRegistries: []string{"wasmcloud.azurecr.io", "localhost:5000"},
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := fromEnv(c.vars)
			if err != nil {
				t.Fatal(err)
			}
			all := cmp.Exporter(func(reflect.Type) bool { return true })
			if diff := cmp.Diff(c.want, got, all); diff != "" {
				t.Errorf("FromEnv(%v): -want +got\n%s", c.vars, diff)
			}
		})
	}
}

func TestWrongSettingsAreAllNamed(t *testing.T) {
	t.Parallel()
	_, err := fromEnv(map[string]string{"WEBHOOK_TOKEN_SHA256": "geheim", "ALLOWED_REGISTRIES": "a b,demo,ghcr.io", "IGNORE_TAGS": "a,b[,c"})
	if err == nil {
		t.Fatal("FromEnv has no error")
	}
	for _, want := range []string{
		"WEBHOOK_TOKEN_SHA256: an entry of 6 characters is not a SHA-256 hash: want 64 hex digits, as `printf %s TOKEN | sha256sum` prints",
		`ALLOWED_REGISTRIES: registry "a b" is not a host`,
		`IGNORE_TAGS: glob "b[" has `,
		`ALLOWED_REGISTRIES: registry "demo" has neither a dot nor a port: want a host such as demo.azurecr.io or docker.io`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want one with %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error shows a value that may be a token: %v", err)
	}
}

// TestCommasAloneAreRefused: their author wants to restrict something, but an empty list
// would restrict nothing.
func TestCommasAloneAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"WEBHOOK_TOKEN_SHA256", "ALLOWED_REGISTRIES", "IGNORE_TAGS", "WEBHOOK_SECRETS"} {
		for _, value := range []string{",", ",,,", " , "} {
			want := name + " has commas but no entry: write an entry, or leave it empty"
			if s, err := fromEnv(map[string]string{name: value}); err == nil || err.Error() != want {
				t.Errorf("FromEnv(%s=%q) = %+v, %v, want the error %q", name, value, s, err, want)
			}
		}
	}
}

// TestHashOfAnEmptyTokenIsRefused: no sender could match it.
func TestHashOfAnEmptyTokenIsRefused(t *testing.T) {
	t.Parallel()
	const want = "WEBHOOK_TOKEN_SHA256: an entry is the hash of an empty text, and an empty token is never accepted: hash the token itself, as `printf %s TOKEN | sha256sum` does"
	for _, value := range []string{fmt.Sprintf("%x", hash("")), fmt.Sprintf("%X,%x", hash(""), hash("a"))} {
		if s, err := fromEnv(map[string]string{"WEBHOOK_TOKEN_SHA256": value}); err == nil || err.Error() != want {
			t.Errorf("FromEnv(%s) = %+v, %v, want the error %q", value, s, err, want)
		}
	}
}

func TestTokenHashNeeds64HexDigits(t *testing.T) {
	t.Parallel()
	right := fmt.Sprintf("%x", hash("a"))
	for name, value := range map[string]string{
		"63 digits": right[1:],
		"62 digits": right[2:],
		"66 digits": right + "00",
		"no digits": strings.Repeat("z", 64),
	} {
		if s, err := fromEnv(map[string]string{"WEBHOOK_TOKEN_SHA256": value}); err == nil {
			t.Errorf("%s: FromEnv = %+v, want an error", name, s)
		}
	}
}
