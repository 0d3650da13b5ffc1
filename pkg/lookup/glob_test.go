package lookup

import (
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestGlobsMatchAsPathMatchDoes compares with path.Match, in which * and ? stop only
// at a slash. No tag has one.
func TestGlobsMatchAsPathMatchDoes(t *testing.T) {
	t.Parallel()
	letter := rapid.RuneFrom([]rune("ab.-_"))
	rapid.Check(t, func(t *rapid.T) {
		glob := rapid.StringOfN(rapid.RuneFrom([]rune("ab.-_**??")), 0, 8, -1).Draw(t, "glob")
		var fitting strings.Builder
		for _, c := range glob {
			switch c {
			case '*':
				fitting.WriteString(rapid.StringOfN(letter, 0, 3, -1).Draw(t, "any text"))
			case '?':
				fitting.WriteRune(letter.Draw(t, "any letter"))
			default:
				fitting.WriteRune(c)
			}
		}
		other := rapid.StringOfN(letter, 0, 8, -1).Draw(t, "other")
		for _, s := range []string{fitting.String(), other} {
			want, err := path.Match(glob, s)
			if err != nil {
				t.Fatal(err)
			}
			if got := fitsGlob(glob, s); got != want {
				t.Errorf("fitsGlob(%q, %q) = %t, want %t", glob, s, got, want)
			}
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
