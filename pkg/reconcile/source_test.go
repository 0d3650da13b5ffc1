package reconcile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/reconcile"
)

func TestParseSources(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]reconcile.Source{
		"wasm.azurecr.io":             {{Host: "wasm.azurecr.io"}},
		"Wasm.azurecr.io":             {{Host: "wasm.azurecr.io"}},
		"localhost:5000, a.example ,": {{Host: "localhost:5000"}, {Host: "a.example"}},
		"a.example,a.example":         {{Host: "a.example"}},
		"a.westus.geo.azurecr.io":     {{Host: "a.azurecr.io"}},
		"ghcr.io/acme/app,b.example":  {{Host: "ghcr.io", Repositories: []string{"acme/app"}}, {Host: "b.example"}},
		"ghcr.io/a/b,c.d,ghcr.io/a/c": {{Host: "ghcr.io", Repositories: []string{"a/b", "a/c"}}, {Host: "c.d"}},
	} {
		got, err := reconcile.ParseSources(list)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("ParseSources(%q): %v, -want +got\n%s", list, err, diff)
		}
	}
	for list, want := range map[string]string{
		"":                      `no registry in ""`,
		" , ":                   `no registry in " , "`,
		"wasm":                  `registry "wasm" has neither a dot nor a port`,
		"https://a.example":     `registry "https:"`,
		"a.example/":            `repository ""`,
		"a.example/Team":        `repository "Team"`,
		"a.example,a.example/b": "a.example is listed with repositories and without",
		"a.example/b,a.example": "a.example is listed with repositories and without",
	} {
		if got, err := reconcile.ParseSources(list); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseSources(%q) = %v, %v, want an error that begins with %q", list, got, err, want)
		}
	}
}
