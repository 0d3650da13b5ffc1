package reference_test

import (
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
)

func parseGlobs(t testing.TB, list string) reference.Globs {
	t.Helper()
	globs, err := reference.ParseGlobs(list)
	if err != nil {
		t.Fatal(err)
	}
	return globs
}

func TestGlobsMatch(t *testing.T) {
	t.Parallel()
	for glob, c := range map[string]struct{ match, not []string }{
		"*":                {match: []string{"", "a", "A", ".", "-", "_", "1.2.3"}},
		"?":                {match: []string{"a", "A", ".", "-", "_"}, not: []string{"", "ab"}},
		"a":                {match: []string{"a"}, not: []string{"", "A", "aa", "b"}},
		"*.*":              {match: []string{".", "1.2.3"}, not: []string{"", "1"}},
		"*a*ab":            {match: []string{"aaab", "aab"}, not: []string{"ab", "aaba"}},
		"a*b*c":            {match: []string{"abc", "abbcbc"}, not: []string{"ac", "abbcbd"}},
		"a**":              {match: []string{"a", "ab"}, not: []string{"", "ba"}},
		"a*?":              {match: []string{"ab"}, not: []string{"a"}},
		"v[0-9]*":          {match: []string{"v1", "v9.1.0"}, not: []string{"v", "vacuum-26.03.18"}},
		"frontend-[!ci]*":  {match: []string{"frontend-1", "frontend-main"}, not: []string{"frontend-", "frontend-ci", "frontend-i"}},
		"[^a-z]":           {match: []string{"A", "1", "-"}, not: []string{"", "a", "z"}},
		"[abc]":            {match: []string{"a", "b", "c"}, not: []string{"", "d", "ab"}},
		"[a-cx-z_]":        {match: []string{"a", "c", "x", "z", "_"}, not: []string{"d", "w", "-"}},
		"[-._]":            {match: []string{"-", ".", "_"}, not: []string{"a"}},
		"[0-9-]":           {match: []string{"0", "9", "-"}, not: []string{"."}},
		"[a-c-x]":          {match: []string{"a", "b", "c", "-", "x"}, not: []string{"d", "w"}},
		"[--9]":            {match: []string{"-", ".", "5", "9"}, not: []string{"_", "a"}},
		"[!-]":             {match: []string{"a"}, not: []string{"", "-"}},
		"*[0-9]":           {match: []string{"1", "a1", "1.2.3"}, not: []string{"", "a", "1a"}},
		"[0-9]*[0-9][a-z]": {match: []string{"12a", "1.2.3b"}, not: []string{"1a", "12"}},
		"[a-é]":            {match: []string{"a", "z"}, not: []string{"A"}},
		"1.2+x":            {not: []string{"1.2", "1.2_x"}},
	} {
		globs := parseGlobs(t, glob)
		for want, tags := range map[bool][]string{true: c.match, false: c.not} {
			for _, tag := range tags {
				if got := globs.Match(tag); got != want {
					t.Errorf("%q matches %q: %t, want %t", glob, tag, got, want)
				}
			}
		}
	}
}

func TestListOfGlobs(t *testing.T) {
	t.Parallel()
	for list, c := range map[string]struct {
		globs, bytes int
		match, not   string
	}{
		"":                          {not: ""},
		" , ,,":                     {not: ""},
		"latest, master":            {globs: 2, bytes: 12, match: "master", not: " master"},
		" latest\t,\u00a0v[0-9]* ,": {globs: 2, bytes: 13, match: "v1", not: "vx"},
		"a,a":                       {globs: 2, bytes: 2, match: "a", not: "b"},
		"é":                         {globs: 1, bytes: 2, match: "é", not: "e"},
	} {
		globs := parseGlobs(t, list)
		if n, bytes := globs.Len(); n != c.globs || bytes != c.bytes {
			t.Errorf("ParseGlobs(%q).Len() = %d, %d, want %d, %d", list, n, bytes, c.globs, c.bytes)
		}
		if c.match != "" && !globs.Match(c.match) {
			t.Errorf("%q does not match %q", list, c.match)
		}
		if globs.Match(c.not) {
			t.Errorf("%q matches %q", list, c.not)
		}
	}
}

// TestMalformedGlobIsAnError: the error shows the glob, but not the rest of its list.
func TestMalformedGlobIsAnError(t *testing.T) {
	t.Parallel()
	for _, glob := range []string{"[", "[a", "a[", "[]", "[]a]", "[^]", "[!]", "]", "a]b", "[a]]", "[[:alpha:]]",
		"[z-a]", "[a-cz-x]", "[0--]", "[é-z]", `\`, `1\.*`, `[\-a]`} {
		globs, err := reference.ParseGlobs("good," + glob)
		if err == nil {
			t.Errorf("ParseGlobs of %q = %v, want an error", glob, globs)
			continue
		}
		if want := reference.Quote(glob); !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "good") {
			t.Errorf("ParseGlobs of %q: %v, want only %s in it", glob, err, want)
		}
	}
}

func TestPrefixOfAGlob(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"foo-*": "foo-", " foo-?.*,": "foo-", "v[0-9]*": "v", "*": "", "*-alpine": "", "?": "", "[a]b": "", "stable": "", "": "", "foo-*,foo-1*": "",
	} {
		if got := parseGlobs(t, list).Prefix(); got != want {
			t.Errorf("ParseGlobs(%q).Prefix() = %q, want %q", list, got, want)
		}
	}
}

// slowMatch reports whether s matches glob by trying everything.
func slowMatch(glob, s string) bool {
	switch {
	case glob == "":
		return s == ""
	case glob[0] == '*':
		return slowMatch(glob[1:], s) || s != "" && slowMatch(glob, s[1:])
	case s == "":
		return false
	case glob[0] == '?':
		return slowMatch(glob[1:], s[1:])
	case glob[0] == '[':
		end := strings.IndexByte(glob, ']')
		return slowClass(glob[1:end])[s[0]] && slowMatch(glob[end+1:], s[1:])
	default:
		return glob[0] == s[0] && slowMatch(glob[1:], s[1:])
	}
}

// slowClass returns the characters in a class.
func slowClass(class string) (has [256]bool) {
	negated := class[0] == '^' || class[0] == '!'
	if negated {
		class = class[1:]
	}
	for i := 0; i < len(class); i++ {
		last := i
		if i+2 < len(class) && class[i+1] == '-' {
			last = i + 2
		}
		for c := int(class[i]); c <= int(class[last]); c++ {
			has[c] = true
		}
		i = last
	}
	for c := range has {
		has[c] = has[c] != negated
	}
	return has
}

// TestGlobsMatchAsOthersDo compares Globs with a matcher that tries everything, and with
// path.Match, where a class has no ! and no literal -, and \ escapes.
func TestGlobsMatchAsOthersDo(t *testing.T) {
	t.Parallel()
	piece := rapid.OneOf(
		rapid.StringOfN(rapid.RuneFrom([]rune("abc.-_*?")), 0, 4, -1),
		rapid.StringMatching(`\[[!^]?[a-c.-]{0,4}\]`),
		rapid.StringMatching(`[]\[!^\\]`),
	)
	tag := rapid.StringOfN(rapid.RuneFrom([]rune("abc.-_")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		glob := strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "glob"), "")
		globs, err := reference.ParseGlobs(glob)
		for _, tag := range rapid.SliceOfN(tag, 1, 20).Draw(t, "tags") {
			byPath, pathErr := path.Match(glob, tag)
			if err != nil {
				if pathErr == nil && !strings.ContainsAny(glob, `]\`) {
					t.Fatalf("ParseGlobs(%q): %v, but path.Match accepts it", glob, err)
				}
				return
			}
			got := globs.Match(tag)
			if glob == "" { // not a glob
				return
			}
			if want := slowMatch(glob, tag); got != want {
				t.Fatalf("%q matches %q: %t, want %t", glob, tag, got, want)
			}
			switch {
			case strings.Contains(glob, "[!"):
			case pathErr != nil && !strings.Contains(glob, "-"):
				t.Fatalf("ParseGlobs accepts %q, but path.Match says %v", glob, pathErr)
			case pathErr == nil && byPath != got:
				t.Fatalf("%q matches %q: %t, by path.Match %t", glob, tag, got, byPath)
			}
		}
	})
}

// FuzzGlobs: a list matches whatever one of its globs matches. A matched tag begins with
// the glob's prefix.
func FuzzGlobs(f *testing.F) {
	f.Add("latest, v[0-9]*,[^a-z-]?", "v1.2.3")
	f.Add("[]", "[")
	f.Add("*a*a*a*a*b", "aaaaaaaaaaaaaaaa")
	f.Fuzz(func(t *testing.T, list, tag string) {
		globs, err := reference.ParseGlobs(list)
		if n, _ := globs.Len(); err != nil && n > 0 {
			t.Errorf("ParseGlobs(%q) has %d globs beside the error %v", list, n, err)
		}
		matches, count, bytes := false, 0, 0
		for glob := range strings.SplitSeq(list, ",") {
			one, oneErr := reference.ParseGlobs(glob)
			if oneErr != nil && err == nil {
				t.Errorf("ParseGlobs(%q): %v, but not of %q", glob, oneErr, list)
			}
			n, size := one.Len()
			count, bytes = count+n, bytes+size
			if !one.Match(tag) {
				continue
			}
			matches = true
			if !strings.HasPrefix(tag, one.Prefix()) {
				t.Errorf("%q matches %q, which does not begin with %q", glob, tag, one.Prefix())
			}
		}
		if err != nil {
			return
		}
		if n, size := globs.Len(); n != count || size != bytes {
			t.Errorf("ParseGlobs(%q).Len() = %d, %d, want %d, %d", list, n, size, count, bytes)
		}
		if got := globs.Match(tag); got != matches {
			t.Errorf("%q match %q: %t, want %t", list, tag, got, matches)
		}
	})
}

// BenchmarkGlobs matches the slowest globs.
func BenchmarkGlobs(b *testing.B) {
	tag := strings.Repeat("a", 128)
	for name, glob := range map[string]string{
		"letters": "*" + strings.Repeat("a", 23) + "b",
		"classes": "*" + strings.Repeat("[a]", 7) + "[b]",
		"a class": "*[" + strings.Repeat("b", 20) + "]",
		"stars":   strings.Repeat("*a", 12) + "b",
	} {
		globs := parseGlobs(b, glob)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if globs.Match(tag) {
					b.Fatal("matches")
				}
			}
		})
	}
}
