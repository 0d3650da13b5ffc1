package reference_test

import (
	"strings"
	"testing"

	"ocireffer/pkg/reference"
)

func TestIsMediaType(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"a/b", "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		"A/B", "0/9", "a!#$&-^_.+/b!#$&-^_.+", strings.Repeat("a", 127) + "/" + strings.Repeat("b", 127),
	} {
		if !reference.IsMediaType(s) {
			t.Errorf("IsMediaType(%q) = false", s)
		}
	}
	for _, s := range []string{
		"", "a", "/", "a/", "/b", "a/b/c", "a b/c", "a/b; c=d", "a/b;c", "a/*", "+a/b", "a/.b", "a/é", "a/b\n", "a/b\"", "a/b'", "a/(b)",
		strings.Repeat("a", 128) + "/b", "a/" + strings.Repeat("b", 128),
	} {
		if reference.IsMediaType(s) {
			t.Errorf("IsMediaType(%q) = true", s)
		}
	}
}
