package reference_test

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		tag, want        string
		full, prerelease bool
	}{
		{tag: "1.2.3", want: "1.2.3", full: true},
		{tag: "v1.2.3", want: "1.2.3", full: true},
		{tag: "1.2", want: "1.2"},
		{tag: "v0.1", want: "0.1"},
		{tag: "22.04", want: "22.04"},
		{tag: "01.002.0003", want: "01.002.0003", full: true},
		{tag: "0.0.0", want: "0.0.0", full: true},
		{tag: "v0.9.2.5", want: "0.9.2.5", full: true},
		{tag: "4.0.15.2941", want: "4.0.15.2941", full: true},
		{tag: strings.Repeat("0.", 63) + "1", want: strings.Repeat("0.", 63) + "1", full: true},
		{tag: "99999999999999999999999.0", want: "99999999999999999999999.0"},
		{tag: "1.2.3-rc.1", want: "1.2.3-rc.1", full: true, prerelease: true},
		{tag: "1.2-rc1", want: "1.2-rc1", prerelease: true},
		{tag: "1.2.3.4-rc.1", want: "1.2.3.4-rc.1", full: true, prerelease: true},
		{tag: "1.2.3-rc.01", want: "1.2.3-rc.01", full: true, prerelease: true},
		{tag: "1.2.3-0", want: "1.2.3-0", full: true, prerelease: true},
		{tag: "1.2.3--", want: "1.2.3--", full: true, prerelease: true},
		{tag: "1.2.3-a-b", want: "1.2.3-a-b", full: true, prerelease: true},
		{tag: "1.2.3-0a", want: "1.2.3-0a", full: true, prerelease: true},
		{tag: "22.04-alpine", want: "22.04-alpine", prerelease: true},
		{tag: "1.2.3_build", want: "1.2.3+build", full: true},
		{tag: "v1.02_b", want: "1.02+b"},
		{tag: "1.2.3_b.001", want: "1.2.3+b.001", full: true},
		{tag: "1.2.3_1.2.3-4", want: "1.2.3+1.2.3-4", full: true},
		{tag: "1.2.3-rc.1_b", want: "1.2.3-rc.1+b", full: true, prerelease: true},
		{tag: "1.2.3-rc_b-1", want: "1.2.3-rc+b-1", full: true, prerelease: true},
		{tag: "1.2.3+build", want: "1.2.3+build", full: true},
	} {
		v, ok := reference.ParseVersion(test.tag)
		if !ok || v.String() != test.want {
			t.Errorf("ParseVersion(%q) = %s, %t, want %s", test.tag, v, ok, test.want)
		}
		if got := v.Full(); got != test.full {
			t.Errorf("ParseVersion(%q).Full() = %t, want %t", test.tag, got, test.full)
		}
		if got := v.Prerelease(); got != test.prerelease {
			t.Errorf("ParseVersion(%q).Prerelease() = %t, want %t", test.tag, got, test.prerelease)
		}
	}
	for _, tag := range []string{
		"", "V1.2.3", "vv1.2", "v", "v1", "1", "20231103", "latest", "1f2d3e4", "0a1b2c3d4e5f", "sha-1f2d3e4",
		"1.", ".1", "1..2", "1.2.", "1.2.3.", "1.x", "1.2.x.4", "1,2", "0x1.2", "-1.2", "1.-2", "1-2.3",
		"1.2.3-", "1.2.3-a..b", "1.2.3-.a", "1.2.3_", "1.2_a_b", "1.2_a..b", "1.2.3-_b", "1.2+a_b", "1.2.3-é",
	} {
		if v, ok := reference.ParseVersion(tag); ok {
			t.Errorf("ParseVersion(%q) = %s, want none", tag, v)
		}
	}
}

// ordered are versions from the lowest to the highest.
var ordered = []string{
	"0.0-0", "0.0.0-0", "0.0", "0.0.0", "0.0.0.0", "0.0.0.1", "0.0.1", "0.1", "0.9.2", "0.9.2.5", "0.9.2.10", "0.9.3", "0.9.9", "0.10.0", "0.18.1",
	"1.0.0-0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-10.a", "1.0.0-99999999999999999999",
	"1.0.0--", "1.0.0--1", "1.0.0-0a", "1.0.0-A", "1.0.0-a", "1.0.0-alpha", "1.0.0-alpha.0", "1.0.0-alpha.1", "1.0.0-alpha.1.x", "1.0.0-alpha.beta", "1.0.0-alpha-1", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc1",
	"1.0", "1.0.0", "1.0.0.0", "1.0.0.0.0", "1.0.0.0.1-a", "1.0.0.0.1", "1.0.0.1-a", "1.0.0.1", "1.0.1", "1.2-a", "1.2.0-a", "1.2.0-b", "1.2", "1.2.0", "1.11.0", "2.0.0-a", "2.0.0.0-a", "2.0.0", "10.0.0", "22.04", "22.10", "100000000000000000000000000.0.0",
}

func TestKeyOrdersTheList(t *testing.T) {
	t.Parallel()
	for i, a := range ordered {
		for j, b := range ordered {
			va, vb := parse(t, a), parse(t, b)
			want := min(max(i-j, -1), 1)
			if got := strings.Compare(va.Key(), vb.Key()); got != want {
				t.Errorf("%s against %s: keys %q and %q say %d, want %d", a, b, va.Key(), vb.Key(), got, want)
			}
			if spec := compareTags(a, b); spec != want {
				t.Errorf("%s against %s: the list says %d, the specification %d", a, b, want, spec)
			}
			// The library does not distinguish 1.2 from 1.2.0.
			if library, ok := compareByLibrary(a, b); ok && library != want && library != 0 {
				t.Errorf("%s against %s: the list says %d, the library %d", a, b, want, library)
			}
		}
	}
}

func parse(t rapid.TB, tag string) reference.Version {
	t.Helper()
	v, ok := reference.ParseVersion(tag)
	if !ok {
		t.Fatalf("ParseVersion(%q): none", tag)
	}
	return v
}

// anyTag draws a version with few and short parts, so that two are often nearly equal,
// and sometimes long ones.
var anyTag = rapid.Custom(func(t *rapid.T) string {
	number := rapid.OneOf(rapid.StringMatching(`[0-9]|1[0-9]|00[12]`), rapid.StringMatching(`[1-9][0-9]{15,30}`))
	identifier := rapid.OneOf(number, rapid.StringMatching(`[a-cA0-]{1,3}`))
	tag := rapid.SampledFrom([]string{"", "v"}).Draw(t, "v") + strings.Join(rapid.OneOf(rapid.SliceOfN(number, 2, 4), rapid.SliceOfN(rapid.SampledFrom([]string{"0", "0", "0", "1"}), 2, 7)).Draw(t, "core"), ".")
	if identifiers := rapid.SliceOfN(identifier, 0, 4).Draw(t, "prerelease"); len(identifiers) > 0 {
		tag += "-" + strings.Join(identifiers, ".")
	}
	return tag + rapid.SampledFrom([]string{"", "_b", "+c.1"}).Draw(t, "build")
})

func TestKeyOrdersAsTheSpecification(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tagA, tagB := anyTag.Draw(t, "a"), anyTag.Draw(t, "b")
		a, b := parse(t, tagA), parse(t, tagB)
		want := compareTags(tagA, tagB)
		if got := strings.Compare(a.Key(), b.Key()); got != want {
			t.Fatalf("%s against %s: keys %q and %q say %d, want %d", tagA, tagB, a.Key(), b.Key(), got, want)
		}
		// Text after a key changes nothing, since no key is a prefix of another.
		if want != 0 {
			if strings.HasPrefix(a.Key(), b.Key()) || strings.HasPrefix(b.Key(), a.Key()) {
				t.Fatalf("%s against %s: one of %q and %q is a prefix of the other", tagA, tagB, a.Key(), b.Key())
			}
			x, y := a.Key()+rapid.String().Draw(t, "x"), b.Key()+rapid.String().Draw(t, "y")
			if got := strings.Compare(x, y); got != want {
				t.Fatalf("%s against %s: %q and %q say %d, want %d", tagA, tagB, x, y, got, want)
			}
		}
		// The library does not count numbers.
		if got, ok := compareByLibrary(a.String(), b.String()); ok && got != compareBySpec(tagA, tagB) {
			t.Fatalf("%s against %s: the library says %d, want %d", tagA, tagB, got, compareBySpec(tagA, tagB))
		}
		again := parse(t, a.String())
		if again.String() != a.String() || again.Key() != a.Key() || again.Full() != a.Full() {
			t.Fatalf("%s printed %s and parsed again is %s", tagA, a, again)
		}
	})
}

// compareByLibrary compares versions that the library accepts: at most three numbers,
// none above uint64 or with leading zeros.
func compareByLibrary(a, b string) (c int, ok bool) {
	for _, v := range []string{a, b} {
		if countNumbers(v) > 3 || isLong(v) || hasLeadingZero(v) {
			return 0, false
		}
	}
	return semver.MustParse(a).Compare(semver.MustParse(b)), true
}

func hasLeadingZero(v string) bool {
	v, _, _ = strings.Cut(v, "+")
	return slices.ContainsFunc(strings.FieldsFunc(v, func(r rune) bool { return r == '.' || r == '-' }), func(n string) bool {
		return len(n) > 1 && n[0] == '0' && strings.Trim(n, "0123456789") == ""
	})
}

// TestKeyOrdersAsAListOfNumbers: versions without a prerelease sort like lists of their
// numbers, with zeros for missing ones; if these are equal, the longer list is the
// greater.
func TestKeyOrdersAsAListOfNumbers(t *testing.T) {
	t.Parallel()
	numbers := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]int{0, 0, 1, 9, 10, 11}), rapid.IntRange(0, 1<<40)), 2, 8)
	tag := func(numbers []int) string {
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", "."), "[]")
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers.Draw(t, "a"), numbers.Draw(t, "b")
		if rapid.Bool().Draw(t, "alike") {
			b = append(slices.Clone(a), make([]int, rapid.IntRange(0, 2).Draw(t, "zeros"))...)
		}
		padded := func(numbers []int) []int { return append(slices.Clone(numbers), make([]int, 10-len(numbers))...) }
		want := cmp.Or(slices.Compare(padded(a), padded(b)), cmp.Compare(len(a), len(b)))
		if got := strings.Compare(parse(t, tag(a)).Key(), parse(t, tag(b)).Key()); got != want {
			t.Fatalf("%s against %s: keys say %d, want %d", tag(a), tag(b), got, want)
		}
	})
}

// compareTags compares versions by precedence, then by the count of numbers.
func compareTags(a, b string) int {
	return cmp.Or(compareBySpec(a, b), cmp.Compare(countNumbers(a), countNumbers(b)))
}

func countNumbers(tag string) int {
	core := strings.FieldsFunc(tag, func(r rune) bool { return r == '-' || r == '_' || r == '+' })[0]
	return strings.Count(core, ".") + 1
}

// isLong reports whether v has a number that a uint64 may not hold.
func isLong(v string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(v, func(r rune) bool { return r < '0' || r > '9' }), func(n string) bool { return len(n) > 18 })
}

// compareBySpec implements section 11 of Semantic Versioning 2.0 sentence by sentence,
// for two tags with any count of numbers. A missing number is zero.
func compareBySpec(a, b string) int {
	split := func(v string) (core, prerelease []string) {
		v = strings.TrimPrefix(strings.FieldsFunc(v, func(r rune) bool { return r == '_' || r == '+' })[0], "v")
		c, p, ok := strings.Cut(v, "-")
		if ok {
			prerelease = strings.Split(p, ".")
		}
		return strings.Split(c, "."), prerelease
	}
	number := func(s string) *big.Int {
		for _, c := range s {
			if c < '0' || c > '9' {
				return nil
			}
		}
		n, _ := new(big.Int).SetString(s, 10)
		return n
	}
	coreA, preA := split(a)
	coreB, preB := split(b)
	at := func(core []string, i int) *big.Int {
		if i >= len(core) {
			return new(big.Int)
		}
		return number(core[i])
	}
	for i := range max(len(coreA), len(coreB)) {
		if c := at(coreA, i).Cmp(at(coreB, i)); c != 0 {
			return c
		}
	}
	switch {
	case len(preA) == 0 && len(preB) == 0:
		return 0
	case len(preA) == 0:
		return 1
	case len(preB) == 0:
		return -1
	}
	for i := range min(len(preA), len(preB)) {
		na, nb := number(preA[i]), number(preB[i])
		var c int
		switch {
		case na != nil && nb != nil:
			c = na.Cmp(nb)
		case na != nil:
			c = -1
		case nb != nil:
			c = 1
		default:
			c = strings.Compare(preA[i], preB[i])
		}
		if c != 0 {
			return c
		}
	}
	return min(max(len(preA)-len(preB), -1), 1)
}

// TestKeyOrdersNumbersOfAnyLength climbs from 1 through 9, 10, 99, 100 and so on.
func TestKeyOrdersNumbersOfAnyLength(t *testing.T) {
	t.Parallel()
	for _, around := range [][2]string{{"", ".0"}, {"0.", ""}, {"0.0.", "-a"}, {"0.0-", ""}, {"0.0-a.", ".b"}} {
		lower := around[0] + "0" + around[1]
		for n := 1; n <= 120; n++ {
			for _, number := range []string{"1" + strings.Repeat("0", n-1), strings.Repeat("9", n)} {
				higher := around[0] + number + around[1]
				v, w := parse(t, lower), parse(t, higher)
				if v.Key() >= w.Key() {
					t.Errorf("%s against %s: keys %q and %q do not rise", lower, higher, v.Key(), w.Key())
				}
				if compareBySpec(lower, higher) >= 0 {
					t.Errorf("%s against %s: they do not rise", lower, higher)
				}
				lower = higher
			}
		}
	}
}

// TestKeyStays compares whole keys: they are stored, and all keys in a table must have
// the same format.
func TestKeyStays(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"0.18.1": "a0b18a1 ~03", "v22.04": "b22a4 ~02", "1.2.3_b": "a1a2a3 ~03", "0.0": " ~02", "0.0.0": " ~03", "1.0.0": "a1 ~03", "1.0.1": "a1a0a1 ~03",
		"7.0.0.0": "a7 ~04", "4.0.15.2941": "a4a0b15d2941 ~04", "0.0.0.1": "a0a0a0a1 ~04", strings.Repeat("1.", 9) + "1": strings.Repeat("a1", 10) + " ~10",
		"1" + strings.Repeat(".0", 63): "a1 ~64", strings.Repeat("0.", 63) + "1": strings.Repeat("a0", 63) + "a1 ~64",
		"1.2.3-rc.1": "a1a2a3 -$rc#a1 03", "1.2.3.4-rc.1": "a1a2a3a4 -$rc#a1 04", "1.2.3-10.a-b.0": "a1a2a3 -#b10$a-b#a0 03", "1.0-a": "a1 -$a 02",
		strings.Repeat("1", 25) + ".0": "y" + strings.Repeat("1", 25) + " ~02",
		strings.Repeat("1", 26) + ".0": "z026" + strings.Repeat("1", 26) + " ~02",
	} {
		if got := parse(t, tag).Key(); got != want {
			t.Errorf("ParseVersion(%q).Key() = %q, want %q", tag, got, want)
		}
	}
}

// TestOnlyPrecedenceAndCountMakeTheKey changes the parts of a tag that do not affect the
// order.
func TestOnlyPrecedenceAndCountMakeTheKey(t *testing.T) {
	t.Parallel()
	for _, tags := range [][]string{
		{"1.2", "v1.2", "01.002", "1.2_b", "v1.2+b.1"},
		{"1.2.0", "v1.2.0", "01.02.00", "1.2.0_b", "1.2.000+b.1"},
		{"1.2.3-rc.1", "v1.2.3-rc.01", "1.2.3-rc.1_b-2"},
		{"1.0.0-0", "1.0.0-000"},
	} {
		want := parse(t, tags[0]).Key()
		for _, tag := range tags[1:] {
			if got := parse(t, tag).Key(); got != want {
				t.Errorf("ParseVersion(%q).Key() = %q, want %q as of %s", tag, got, want, tags[0])
			}
		}
	}
}

// TestLongestKey tries all lengths of the numbers and identifiers in a tag. Their values
// do not matter, and a v or build metadata only makes the tag longer.
func TestLongestKey(t *testing.T) {
	t.Parallel()
	const tagLength, want = 128, 196
	keyLength := func(tag string) int { return len(parse(t, tag).Key()) }
	// What n characters add to a key: as a number, as an identifier, and as a list of
	// identifiers.
	var number, identifier, list [tagLength + 1]int
	for n := 1; n <= tagLength; n++ {
		number[n] = keyLength(strings.Repeat("1", n)+".0") - len(" ~02")
		identifier[n] = max(keyLength("0.0-"+strings.Repeat("1", n)), keyLength("0.0-"+strings.Repeat("a", n))) - len(" - 02")
		list[n] = identifier[n]
		for last := 1; last < n-1; last++ {
			list[n] = max(list[n], list[n-last-1]+identifier[last])
		}
	}
	// The most that n characters of numbers add, with dots between them.
	var core [tagLength + 1]int
	for n := 1; n <= tagLength; n++ {
		core[n] = number[n]
		for last := 1; last < n-1; last++ {
			core[n] = max(core[n], core[n-last-1]+number[last])
		}
	}
	longest := 0
	for n := len("1.1"); n <= tagLength; n++ {
		longest = max(longest, core[n]+len(" ~02"))
		if room := tagLength - n - len("-"); room > 0 {
			longest = max(longest, core[n]+len(" - 02")+list[room])
		}
	}
	if longest != want {
		t.Errorf("the longest key of a tag of %d has %d bytes, want %d as Key's comment says", tagLength, longest, want)
	}
	tag := "1.1-" + strings.Repeat("0.", 61) + "10"
	if got := keyLength(tag); len(tag) != tagLength || got != want {
		t.Errorf("the key of %s, of %d, has %d bytes, want %d", tag, len(tag), got, want)
	}
}

func FuzzVersion(f *testing.F) {
	for i, tag := range ordered {
		f.Add(tag, ordered[(i+1)%len(ordered)])
	}
	f.Add("1.2_b", "v01.2.0+c")
	f.Fuzz(func(t *testing.T, tag, other string) {
		v, ok := reference.ParseVersion(tag)
		if !ok {
			return
		}
		again, ok := reference.ParseVersion(v.String())
		if !ok || again.String() != v.String() {
			t.Errorf("ParseVersion(%q) = %s, printed and parsed again %s, %t", tag, v, again, ok)
		}
		w, ok := reference.ParseVersion(other)
		if !ok || len(tag) > 128 || len(other) > 128 {
			return
		}
		if got, want := strings.Compare(v.Key(), w.Key()), compareTags(tag, other); got != want {
			t.Errorf("%s against %s: keys %q and %q say %d, want %d", tag, other, v.Key(), w.Key(), got, want)
		}
	})
}

func BenchmarkParseVersion(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		reference.ParseVersion("1.18.0-rc.1")
	}
}

func BenchmarkKey(b *testing.B) {
	v, _ := reference.ParseVersion("1.18.0-rc.1")
	b.ReportAllocs()
	for b.Loop() {
		v.Key()
	}
}
