package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"ocireffer/pkg/registry"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		host, called string
		asked        string // the first requested URL
	}{
		{"Wasm.azurecr.io", "wasm.azurecr.io", "https://wasm.azurecr.io/acr/v1/a/b"},
		{"wasm.azurecr.cn", "wasm.azurecr.cn", "https://wasm.azurecr.cn/acr/v1/a/b"},
		{"docker.io", "docker.io", "https://hub.docker.com/v2/namespaces/a/repositories/b"},
		{"ghcr.io", "ghcr.io", "https://ghcr.io/v2/a/b/tags/list?n=1"},
		{"quay.io", "quay.io", "https://quay.io/v2/a/b/tags/list?n=1"},
		{"registry.example.com:5000", "registry.example.com:5000", "https://registry.example.com:5000/v2/a/b/tags/list?n=1"},
		{"localhost", "localhost", "http://localhost/v2/a/b/tags/list?n=1"},
		{"localhost:5000", "localhost:5000", "http://localhost:5000/v2/a/b/tags/list?n=1"},
		{"127.0.0.2:5000", "127.0.0.2:5000", "http://127.0.0.2:5000/v2/a/b/tags/list?n=1"},
		{"[::1]:5000", "[::1]:5000", "http://[::1]:5000/v2/a/b/tags/list?n=1"},
		{"10.0.0.1:5000", "10.0.0.1:5000", "https://10.0.0.1:5000/v2/a/b/tags/list?n=1"},
		{"localhost.example.com", "localhost.example.com", "https://localhost.example.com/v2/a/b/tags/list?n=1"},
	} {
		var asked []string
		r := open(t, test.host, handler(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.String())
			if got := r.UserAgent(); got != "ocireffer" {
				t.Errorf("User-Agent is %q", got)
			}
			w.WriteHeader(http.StatusForbidden)
		}))
		repository(t, r, "a/b")
		if r.Host() != test.called || asked[0] != test.asked {
			t.Errorf("Open(%s) is %s and requests %s, want %s and %s", test.host, r.Host(), asked[0], test.called, test.asked)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		host    string
		options registry.Options
		want    string
	}{
		{"wasm", registry.Options{}, "neither a dot nor a port"},
		{"https://wasm.azurecr.io", registry.Options{}, "not a host"},
		{acrHost, registry.Options{Repositories: []string{"wash", "Wash"}}, `"Wash" is not an OCI name`},
		{acrHost, registry.Options{Credential: registry.Credential{User: "u"}}, "want both a user and a password"},
		{acrHost, registry.Options{Credential: registry.Credential{Password: "p"}}, "want both a user and a password"},
		{acrHost, registry.Options{Kind: "quay"}, `kind "quay" of wasm.azurecr.io`},
	} {
		if _, err := registry.Open(test.host, test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Open(%s, %+v): %v, want %q", test.host, test.options, err, test.want)
		}
	}
}
