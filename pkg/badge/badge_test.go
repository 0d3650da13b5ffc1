package badge_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"ocireffer/pkg/badge"
)

func ExampleBadge_Endpoint() {
	b := badge.Badge{Message: "wasmcloud.azurecr.io/wash:0.18.1", Color: "253746", Logo: "wasmcloud"}
	json.NewEncoder(os.Stdout).Encode(b.Endpoint())
	// Output: {"schemaVersion":1,"label":"","message":"wasmcloud.azurecr.io/wash:0.18.1","color":"253746","namedLogo":"wasmcloud"}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		badge badge.Badge
		want  string
	}{
		"all": {
			badge: badge.Badge{Label: "oci", Message: "host/wash:1", Color: "253746", Logo: "wasmcloud"},
			want:  `{"schemaVersion":1,"label":"oci","message":"host/wash:1","color":"253746","namedLogo":"wasmcloud"}`,
		},
		"no logo": {
			badge: badge.Badge{Message: "host/wash:1", Color: "blue"},
			want:  `{"schemaVersion":1,"label":"","message":"host/wash:1","color":"blue"}`,
		},
		"a label's color": {
			badge: badge.Badge{Label: "oci", Message: "host/wash:1", Color: "blue", LabelColor: "555", Logo: "docker", IsSquare: true},
			want:  `{"schemaVersion":1,"label":"oci","message":"host/wash:1","color":"blue","labelColor":"555","namedLogo":"docker"}`,
		},
		"error": {
			badge: badge.Badge{Message: "Provider not yet published", Color: "lightgrey", IsError: true},
			want:  `{"schemaVersion":1,"label":"","message":"Provider not yet published","color":"lightgrey","isError":true}`,
		},
		"not escaped": {
			badge: badge.Badge{Label: "<&>", Message: `"é\`, Color: "x"},
			want:  `{"schemaVersion":1,"label":"<&>","message":"\"é\\","color":"x"}`,
		},
	} {
		var got strings.Builder
		enc := json.NewEncoder(&got)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(c.badge.Endpoint()); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(got.String(), "\n"); got != c.want {
			t.Errorf("%s: Endpoint() = %s, want %s", name, got, c.want)
		}
	}
}
