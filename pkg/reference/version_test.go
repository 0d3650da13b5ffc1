package reference_test

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
)

func TestParseVersion(t *testing.T) {
	for tag, want := range map[string]string{
		"1.2.3": "1.2.3", "v1.2.3": "1.2.3", "1.2": "1.2.0", "v0.1": "0.1.0", "22.04": "22.4.0", "01.002.0003": "1.2.3", "0.0.0": "0.0.0",
		"1.2.3-rc.1": "1.2.3-rc.1", "1.2-rc1": "1.2.0-rc1", "1.2.3-rc.01": "1.2.3-rc.1", "1.2.3-0": "1.2.3-0", "1.2.3--": "1.2.3--", "1.2.3-a-b": "1.2.3-a-b", "1.2.3-0a": "1.2.3-0a",
		"1.2.3_build": "1.2.3+build", "1.2.3_b.001": "1.2.3+b.001", "1.2.3-rc.1_b": "1.2.3-rc.1+b", "1.2.3-rc_b-1": "1.2.3-rc+b-1", "1.2.3+build": "1.2.3+build",
		"99999999999999999999999.0": "99999999999999999999999.0.0", "22.04-alpine": "22.4.0-alpine",
	} {
		v, ok := reference.ParseVersion(tag)
		if !ok || v.String() != want {
			t.Errorf("ParseVersion(%q) = %s, %v, want %s", tag, v, ok, want)
		}
		if v.Prerelease() != strings.Contains(strings.Split(want, "+")[0], "-") {
			t.Errorf("ParseVersion(%q).Prerelease() = %v", tag, v.Prerelease())
		}
	}
	for _, tag := range []string{"", "V1.2.3", "vv1.2", "1", "20231103", "1.2.3.4", "latest", "1f2d3e4", "1.", ".1", "1..2", "1.x", "1.2.3-", "1.2.3-a..b", "1.2.3-.a", "1.2.3_", "1.2_a_b", "1.2_a..b", "-1.2", "1.-2", "1.2.3-é", "v", "1,2", "1.2.3-_b", "0x1.2"} {
		if v, ok := reference.ParseVersion(tag); ok {
			t.Errorf("ParseVersion(%q) = %s, want none", tag, v)
		}
	}
}

// ordered are versions from the lowest on.
var ordered = []string{
	"0.0.0-0", "0.0.0", "0.0.1", "0.1", "0.9.9", "0.10.0", "0.18.1",
	"1.0.0-0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-10.a", "1.0.0-99999999999999999999",
	"1.0.0--", "1.0.0--1", "1.0.0-0a", "1.0.0-A", "1.0.0-a", "1.0.0-alpha", "1.0.0-alpha.0", "1.0.0-alpha.1", "1.0.0-alpha.1.x", "1.0.0-alpha.beta", "1.0.0-alpha-1", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc1",
	"1.0.0", "1.0.1", "1.2.0", "1.11.0", "2.0.0-a", "2.0.0", "10.0.0", "22.04", "22.10", "100000000000000000000000000.0.0",
}

func TestKeyOrdersTheList(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			va, _ := reference.ParseVersion(a)
			vb, _ := reference.ParseVersion(b)
			got, want := strings.Compare(va.Key(), vb.Key()), min(max(i-j, -1), 1)
			if got != want {
				t.Errorf("%s against %s: keys %q and %q say %d, want %d", a, b, va.Key(), vb.Key(), got, want)
			}
			if wantSpec := compareBySpec(va.String(), vb.String()); wantSpec != want {
				t.Errorf("%s against %s: the list says %d, the specification %d", a, b, want, wantSpec)
			}
			la, err := semver.NewVersion(va.String())
			lb, err2 := semver.NewVersion(vb.String())
			if err == nil && err2 == nil && la.Compare(lb) != want && !strings.Contains(a+b, "99999999999999999999") {
				t.Errorf("%s against %s: the list says %d, the library %d", a, b, want, la.Compare(lb))
			}
		}
	}
}

// version draws one with few and short parts, so that they are often nearly
// equal, and now and then long ones.
var version = rapid.Custom(func(t *rapid.T) reference.Version {
	number := rapid.OneOf(rapid.StringMatching(`[0-9]|1[0-9]|00[12]`), rapid.StringMatching(`[1-9][0-9]{15,30}`))
	identifier := rapid.OneOf(number, rapid.StringMatching(`[a-cA0-]{1,3}`))
	tag := rapid.SampledFrom([]string{"", "v"}).Draw(t, "v") + strings.Join(rapid.SliceOfN(number, 2, 3).Draw(t, "core"), ".")
	if identifiers := rapid.SliceOfN(identifier, 0, 4).Draw(t, "prerelease"); len(identifiers) > 0 {
		tag += "-" + strings.Join(identifiers, ".")
	}
	tag += rapid.SampledFrom([]string{"", "_b", "+c.1"}).Draw(t, "build")
	v, ok := reference.ParseVersion(tag)
	if !ok {
		t.Fatalf("ParseVersion(%q): none", tag)
	}
	return v
})

func TestKeyOrdersAsTheSpecification(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := version.Draw(t, "a"), version.Draw(t, "b")
		want := compareBySpec(a.String(), b.String())
		if got := strings.Compare(a.Key(), b.Key()); got != want {
			t.Fatalf("%s against %s: keys %q and %q say %d, want %d", a, b, a.Key(), b.Key(), got, want)
		}
		// Text behind a key changes nothing, since none is the beginning of another.
		if want != 0 {
			if strings.HasPrefix(a.Key(), b.Key()) || strings.HasPrefix(b.Key(), a.Key()) {
				t.Fatalf("%s against %s: of %q and %q one is the beginning of the other", a, b, a.Key(), b.Key())
			}
			x, y := a.Key()+rapid.String().Draw(t, "x"), b.Key()+rapid.String().Draw(t, "y")
			if got := strings.Compare(x, y); got != want {
				t.Fatalf("%s against %s: %q and %q say %d, want %d", a, b, x, y, got, want)
			}
		}
		// The library knows no numbers above uint64, and compares those of a
		// prerelease as text.
		if !long(a.String()) && !long(b.String()) {
			la, lb := semver.MustParse(a.String()), semver.MustParse(b.String())
			if la.Compare(lb) != want {
				t.Fatalf("%s against %s: the library says %d, want %d", a, b, la.Compare(lb), want)
			}
		}
		again, ok := reference.ParseVersion(a.String())
		if !ok || again.String() != a.String() || again.Key() != a.Key() {
			t.Fatalf("%s printed and parsed again is %s", a, again)
		}
	})
}

// long reports whether v has a number that a uint64 may not hold.
func long(v string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(v, func(r rune) bool { return r < '0' || r > '9' }), func(n string) bool { return len(n) > 18 })
}

// compareBySpec is section 11 of Semantic Versioning 2.0, sentence by sentence.
func compareBySpec(a, b string) int {
	split := func(v string) (core, prerelease []string) {
		v, _, _ = strings.Cut(v, "+")
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
	for i := range 3 {
		if c := number(coreA[i]).Cmp(number(coreB[i])); c != 0 {
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

// TestKeyOrdersNumbersOfAnyLength climbs from 1 over 9, 10, 99, 100 and so on.
func TestKeyOrdersNumbersOfAnyLength(t *testing.T) {
	for _, around := range [][2]string{{"", ".0"}, {"0.", ""}, {"0.0.", "-a"}, {"0.0-", ""}, {"0.0-a.", ".b"}} {
		lower := around[0] + "0" + around[1]
		for n := 1; n <= 120; n++ {
			for _, number := range []string{"1" + strings.Repeat("0", n-1), strings.Repeat("9", n)} {
				higher := around[0] + number + around[1]
				v, ok := reference.ParseVersion(lower)
				w, ok2 := reference.ParseVersion(higher)
				if !ok || !ok2 || v.Key() >= w.Key() || compareBySpec(v.String(), w.String()) >= 0 {
					t.Errorf("%s against %s: keys %q and %q do not rise", lower, higher, v.Key(), w.Key())
				}
				lower = higher
			}
		}
	}
}

// TestKeyStays holds the text itself: keys are stored, and those of one table
// must all be of one kind.
func TestKeyStays(t *testing.T) {
	for tag, want := range map[string]string{
		"0.18.1": "a0b18a1~", "v22.04": "b22a4a0~", "1.2.3_b": "a1a2a3~",
		"1.2.3-rc.1": "a1a2a3-$rc#a1 ", "1.2.3-10.a-b.0": "a1a2a3-#b10$a-b#a0 ",
		strings.Repeat("1", 25) + ".0": "y" + strings.Repeat("1", 25) + "a0a0~",
		strings.Repeat("1", 26) + ".0": "z026" + strings.Repeat("1", 26) + "a0a0~",
	} {
		v, ok := reference.ParseVersion(tag)
		if got := v.Key(); !ok || got != want {
			t.Errorf("ParseVersion(%q).Key() = %q, want %q", tag, got, want)
		}
	}
}

// TestEqualPrecedenceIsOneKey holds what does not count in the order.
func TestEqualPrecedenceIsOneKey(t *testing.T) {
	for _, tags := range [][]string{
		{"1.2", "v1.2", "1.2.0", "01.02.00", "1.2_b", "1.2.0+b.1"},
		{"1.2.3-rc.1", "v1.2.3-rc.01", "1.2.3-rc.1_b-2"},
		{"1.0.0-0", "1.0.0-000"},
	} {
		first, _ := reference.ParseVersion(tags[0])
		for _, tag := range tags[1:] {
			if v, ok := reference.ParseVersion(tag); !ok || v.Key() != first.Key() {
				t.Errorf("ParseVersion(%q).Key() = %q, want %q as of %s", tag, v.Key(), first.Key(), tags[0])
			}
		}
	}
}

// TestLongestKey tries all lengths that the numbers and identifiers of a tag can
// have; nothing else of them counts, and a v or build metadata only takes room.
func TestLongestKey(t *testing.T) {
	const tagLength, want = 128, 195
	keyLength := func(tag string) int {
		v, ok := reference.ParseVersion(tag)
		if !ok {
			t.Fatalf("ParseVersion(%q): none", tag)
		}
		return len(v.Key())
	}
	var number, identifier, list [tagLength + 1]int // what n characters add to a key
	for n := 1; n <= tagLength; n++ {
		number[n] = keyLength(strings.Repeat("1", n)+".0") - len("a0a0~")
		identifier[n] = max(keyLength("0.0-"+strings.Repeat("1", n)), keyLength("0.0-"+strings.Repeat("a", n))) - len("a0a0a0- ")
		list[n] = identifier[n]
		for last := 1; last < n-1; last++ {
			list[n] = max(list[n], list[n-last-1]+identifier[last])
		}
	}
	longest := 0
	for major := 1; major < tagLength; major++ {
		for minor := 1; major+minor < tagLength; minor++ {
			without := number[major] + number[minor]
			if rest := tagLength - major - minor - len(".-"); rest >= 0 {
				longest = max(longest, without+len("a0- ")+list[rest])
			}
			for patch := 1; major+minor+patch+len("..") <= tagLength; patch++ {
				with := without + number[patch]
				longest = max(longest, with+len("~"))
				if rest := tagLength - major - minor - patch - len("..-"); rest > 0 {
					longest = max(longest, with+len("- ")+list[rest])
				}
			}
		}
	}
	tag := "0.0-" + strings.Repeat("0.", 61) + "10"
	if got := keyLength(tag); len(tag) != tagLength || got != want || longest != want {
		t.Errorf("the key of %s, of %d, has %d bytes, by counting the longest has %d, want %d as Key's comment says", tag, len(tag), got, longest, want)
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
		if !ok || again.String() != v.String() || again.Key() != v.Key() {
			t.Errorf("ParseVersion(%q) = %s, printed and parsed again %s", tag, v, again)
		}
		w, ok := reference.ParseVersion(other)
		if !ok || len(tag) > 128 || len(other) > 128 {
			return
		}
		if got, want := strings.Compare(v.Key(), w.Key()), compareBySpec(v.String(), w.String()); got != want {
			t.Errorf("%s against %s: keys %q and %q say %d, want %d", v, w, v.Key(), w.Key(), got, want)
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
