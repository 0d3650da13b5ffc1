package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ocireffer/pkg/registry"
)

// variables returns an environment with these variables.
func variables(m map[string]string) environment {
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	config := `{
		"auths": {
			"a.example": {"auth": "dXNlcjpwYXNz"},
			"https://old.example": {"auth": "dXNlcjpwYXNz"},
			"wasm.azurecr.io": {"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==", "identitytoken": "refresh"},
			"https://index.docker.io/v1/": {"auth": "aHViOnBhc3M="},
			"empty.example": {},
			"bad.example": {"auth": "dXNlcg=="}
		}, "detachKeys": "ctrl-e"}`
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	user := registry.Credential{User: "user", Password: "pass"}
	env := map[string]string{"DOCKER_CONFIG": folder, credentialsEnv: `{"given.example": {"user": "user", "password": "pass"}}`}
	k, err := newKeyring(variables(env))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]registry.Credential{
		"given.example":   user,
		"a.example":       user,
		"old.example":     user,
		"wasm.azurecr.io": {RefreshToken: "refresh"},
		"docker.io":       {User: "hub", Password: "pass"},
		"empty.example":   {},
		"other.example":   {},
	} {
		if got, err := k.of(t.Context(), host); err != nil || got != want {
			t.Errorf("credential of %s: %+v, %v, want %+v", host, got, err, want)
		}
	}
	if _, err := k.of(t.Context(), "bad.example"); err == nil || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("credential without a password: %v, want an error that says what to do", err)
	}
}

// TestCredentialHelpers: a helper is a program on the PATH, named after it.
func TestCredentialHelpers(t *testing.T) {
	folder := t.TempDir()
	helper := `#!/bin/sh
read -r host
case $host in
helped.example) echo '{"ServerURL":"helped.example","Username":"u","Secret":"p"}' ;;
token.example) echo '{"Username":"<token>","Secret":"refresh"}' ;;
broken.example) echo 'the keychain is locked' >&2; exit 1 ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(folder, "docker-credential-test"), []byte(helper), 0o700); err != nil {
		t.Fatal(err)
	}
	config := `{"credsStore": "test", "credHelpers": {"helped.example": "test", "lost.example": "none-such"}}`
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	k, err := newKeyring(variables(map[string]string{"DOCKER_CONFIG": folder}))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]registry.Credential{
		"helped.example": {User: "u", Password: "p"},
		"token.example":  {RefreshToken: "refresh"},
		"other.example":  {},
	} {
		if got, err := k.of(t.Context(), host); err != nil || got != want {
			t.Errorf("credential of %s: %+v, %v, want %+v", host, got, err, want)
		}
	}
	for host, want := range map[string]string{"broken.example": "the keychain is locked", "lost.example": "docker-credential-none-such"} {
		if _, err := k.of(t.Context(), host); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("credential of %s: %v, want an error with %q", host, err, want)
		}
	}
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	k, err := newKeyring(variables(map[string]string{"HOME": t.TempDir()}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.of(t.Context(), "a.example"); err != nil || got != (registry.Credential{}) {
		t.Errorf("credential of a.example: %+v, %v, want nobody's", got, err)
	}
	if _, err := newKeyring(variables(map[string]string{credentialsEnv: "secret"})); err == nil || strings.Contains(err.Error(), "secret\"") {
		t.Errorf("%s of no JSON: %v, want an error", credentialsEnv, err)
	}
}
