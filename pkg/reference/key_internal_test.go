package reference

import (
	"cmp"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Keys have room for versions of any number of numbers, though ParseVersion accepts
// only two or three.

// anyVersion draws versions that begin alike and have 1 to 64 numbers.
var anyVersion = rapid.Custom(func(t *rapid.T) Version {
	count := rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(1, 64)).Draw(t, "count")
	numbers := make([]string, count)
	for i := range numbers {
		numbers[i] = "0"
	}
	// Only few of them are not zero.
	for range rapid.IntRange(0, 3).Draw(t, "others") {
		i := rapid.IntRange(0, count-1).Draw(t, "place")
		numbers[i] = rapid.SampledFrom([]string{"0", "1", "2", "9", "10", "11", "999", "1000", strings.Repeat("9", 25), "1" + strings.Repeat("0", 25)}).Draw(t, "number")
	}
	v := Version{numbers: numbers}
	if rapid.Bool().Draw(t, "isPrerelease") {
		v.prerelease = []string{rapid.SampledFrom([]string{"a", "b", "1", "10"}).Draw(t, "identifier")}
	}
	return v
})

// comparePlainly compares numbers one by one, missing ones as zeros, then
// prereleases, then how many numbers there are.
func comparePlainly(v, w Version) int {
	for i := range max(len(v.numbers), len(w.numbers)) {
		if c := numberAt(v, i).Cmp(numberAt(w, i)); c != 0 {
			return c
		}
	}
	places := map[string]int{"1": 1, "10": 2, "a": 3, "b": 4, "": 5}
	place := func(v Version) int { return places[strings.Join(v.prerelease, ".")] }
	return cmp.Or(cmp.Compare(place(v), place(w)), cmp.Compare(len(v.numbers), len(w.numbers)))
}

func numberAt(v Version, i int) *big.Int {
	if i >= len(v.numbers) {
		return new(big.Int)
	}
	n, _ := new(big.Int).SetString(v.numbers[i], 10)
	return n
}

func TestKeyOrdersAnyCountOfNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, w := anyVersion.Draw(t, "v"), anyVersion.Draw(t, "w")
		if rapid.Bool().Draw(t, "alike") {
			// The same version with another count of numbers.
			w = Version{numbers: dropTrailingZeros(v.numbers), prerelease: v.prerelease}
			for range rapid.IntRange(0, 64-len(w.numbers)).Draw(t, "zeros") {
				w.numbers = append(w.numbers[:len(w.numbers):len(w.numbers)], "0")
			}
		}
		want := comparePlainly(v, w)
		if got := strings.Compare(v.Key(), w.Key()); got != want {
			t.Fatalf("%v against %v: keys %q and %q say %d, want %d", v, w, v.Key(), w.Key(), got, want)
		}
		if want != 0 && (strings.HasPrefix(v.Key(), w.Key()) || strings.HasPrefix(w.Key(), v.Key())) {
			t.Fatalf("%v against %v: of %q and %q one is the beginning of the other", v, w, v.Key(), w.Key())
		}
	})
}

// TestKeyOfAnyCountStays compares whole keys that a later release will store.
func TestKeyOfAnyCountStays(t *testing.T) {
	t.Parallel()
	for numbers, want := range map[string]string{
		"7":                            "a7 ~01",
		"0":                            " ~01",
		"4.0.15.2941":                  "a4a0b15d2941 ~04",
		"1.0.0.0":                      "a1 ~04",
		"0.0.0.1":                      "a0a0a0a1 ~04",
		"1" + strings.Repeat(".0", 63): "a1 ~64",
		strings.Repeat("1.", 9) + "1":  strings.Repeat("a1", 10) + " ~10",
		strings.Repeat("0.", 63) + "1": strings.Repeat("a0", 63) + "a1 ~64",
	} {
		if got := (Version{numbers: strings.Split(numbers, ".")}).Key(); got != want {
			t.Errorf("the key of %s = %q, want %q", numbers, got, want)
		}
	}
	prerelease := Version{numbers: []string{"1", "2", "3", "4"}, prerelease: []string{"rc", "1"}}
	if got, want := prerelease.Key(), "a1a2a3a4 -$rc#a1 04"; got != want {
		t.Errorf("the key of 1.2.3.4-rc.1 = %q, want %q", got, want)
	}
}
