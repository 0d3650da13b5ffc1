package lookup

import (
	"path"
	"testing"

	"pgregory.net/rapid"
)

// TestGlobsMatchAsPathMatchDoes compares with path.Match, in which * and ? stop at a
// slash only. No tag has one.
func TestGlobsMatchAsPathMatchDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Few letters, so that many fit.
		glob := rapid.StringMatching(`[ab.*?-]{0,8}`).Draw(t, "glob")
		s := rapid.StringMatching(`[ab.-]{0,10}`).Draw(t, "s")
		want, err := path.Match(glob, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := fitsGlob(glob, s); got != want {
			t.Errorf("fitsGlob(%q, %q) = %t, want %t", glob, s, got, want)
		}
	})
}

// TestGlobs has what a random glob may miss: each kind of character of a tag, and
// the characters that path.Match reads as sets.
func TestGlobs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		glob, s string
		want    bool
	}{
		{glob: "", s: "", want: true},
		{glob: "", s: "a", want: false},
		{glob: "a", s: "", want: false},
		{glob: "*", s: "", want: true},
		{glob: "?", s: "", want: false},
		{glob: "?", s: ".", want: true},
		{glob: "?", s: "-", want: true},
		{glob: "?", s: "_", want: true},
		{glob: "?", s: "A", want: true},
		{glob: "?", s: "ab", want: false},
		{glob: "a", s: "A", want: false},
		{glob: "*.*", s: "1.2.3", want: true},
		{glob: "*a*ab", s: "aaab", want: true},
		{glob: "a*b*c", s: "abbcbc", want: true},
		{glob: "a*b*c", s: "abbcbd", want: false},
		{glob: "a**", s: "a", want: true},
		{glob: "a*?", s: "a", want: false},
		{glob: "[a]", s: "a", want: false},
		{glob: "[a]", s: "[a]", want: true},
		{glob: `\a`, s: "a", want: false},
	} {
		if got := fitsGlob(c.glob, c.s); got != c.want {
			t.Errorf("fitsGlob(%q, %q) = %t, want %t", c.glob, c.s, got, c.want)
		}
	}
}
