package reference_test

import (
	"strings"
	"testing"

	"ocireffer/pkg/reference"
)

func TestCheckCategory(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "0", "-", "official", "official-2", "az09-", strings.Repeat("a", 63)} {
		if err := reference.CheckCategory(s); err != nil {
			t.Errorf("CheckCategory(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", "A", "a_b", "a b", "a/b", "a.b", "é", "a\n", "`", "{", "/", ":", strings.Repeat("a", 64)} {
		if err := reference.CheckCategory(s); err == nil {
			t.Errorf("CheckCategory(%q): no error", s)
		}
	}
}
