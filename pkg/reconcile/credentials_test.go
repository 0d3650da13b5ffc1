package reconcile_test

import (
	"strings"
	"testing"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry"
)

func TestParseCredentials(t *testing.T) {
	t.Parallel()
	got, err := reconcile.ParseCredentials(`{"Wasm.azurecr.io": {"user": "reader", "password": "s3cret"}, "ghcr.io": {"user": "u", "password": "p"}}`)
	if want := (registry.Credential{User: "reader", Password: "s3cret"}); err != nil || len(got) != 2 || got["wasm.azurecr.io"] != want {
		t.Errorf("ParseCredentials = %d entries, %v, want two with %s", len(got), err, want.User)
	}
	for text, want := range map[string]string{
		"s3cret":            "credentials are not JSON",
		`["s3cret"]`:        "credentials are not JSON",
		`{"a.b": "s3cret"}`: "credentials are not JSON",
		`{"a": {"user": "u", "password": "s3cret"}}`: `credentials: registry "a"`,
		`{"a.b": {"password": "s3cret"}}`:            "credentials of a.b: want both",
		`{"a.b": {"user": "u"}}`:                     "credentials of a.b: want both",
	} {
		_, err := reconcile.ParseCredentials(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("ParseCredentials(%q): %v, want an error that begins with %q and has no password", text, err, want)
		}
	}
}
