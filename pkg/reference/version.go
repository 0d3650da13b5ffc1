package reference

import (
	"fmt"
	"strings"
)

// A Version is what a tag says as Semantic Versioning 2.0 (https://semver.org):
// MAJOR.MINOR or MAJOR.MINOR.PATCH, with prerelease and build metadata. Numbers
// may have any length.
type Version struct {
	numbers    []string // without zeros in front
	prerelease []string // identifiers, numbers without zeros in front
	build      string
}

// How many numbers a version has. Keys have room for any number of them.
const (
	minNumbers = 2
	maxNumbers = 3
)

// ParseVersion reads a tag as a version; ok is false for a tag such as latest, 1 or
// 1.2.3.4. Beyond the specification it accepts a v in front, zeros in front of a
// number, and, since a tag has no +, the first _ in its place.
func ParseVersion(tag string) (v Version, ok bool) {
	rest := strings.TrimPrefix(tag, "v")
	rest, v.build, ok = strings.Cut(strings.Replace(rest, "_", "+", 1), "+")
	if ok && !areIdentifiers(v.build) {
		return Version{}, false
	}
	core, prerelease, ok := strings.Cut(rest, "-")
	if ok {
		if !areIdentifiers(prerelease) {
			return Version{}, false
		}
		v.prerelease = strings.Split(prerelease, ".")
		for i, identifier := range v.prerelease {
			if isNumber(identifier) {
				v.prerelease[i] = trimZeros(identifier)
			}
		}
	}
	v.numbers = strings.Split(core, ".")
	if len(v.numbers) < minNumbers || len(v.numbers) > maxNumbers {
		return Version{}, false
	}
	for i, number := range v.numbers {
		if !isNumber(number) {
			return Version{}, false
		}
		v.numbers[i] = trimZeros(number)
	}
	return v, true
}

// String returns MAJOR.MINOR.PATCH[-prerelease][+build].
func (v Version) String() string {
	s := strings.Join(v.numbers, ".")
	for range 3 - len(v.numbers) {
		s += ".0"
	}
	if v.Prerelease() {
		s += "-" + strings.Join(v.prerelease, ".")
	}
	if v.build != "" {
		s += "+" + v.build
	}
	return s
}

// Prerelease reports whether v is a prerelease, and so less than the release with
// its numbers.
func (v Version) Prerelease() bool { return len(v.prerelease) > 0 }

// Key returns a text that sorts, byte by byte, as section 11 of Semantic Versioning
// 2.0 orders versions, of any number of numbers: a missing one is zero. Of equal
// versions the one with more numbers is the greater; build metadata does not count.
// No key is the beginning of another, so text may follow it. It has at most 196
// bytes for a tag of 128.
//
// A number has its length in front (appendNumber), and zeros at the end are left
// out, so 0.18.1 begins a0b18a1. A blank ends the numbers, ~ follows for a release.
// For a prerelease - follows and its identifiers, # in front of a number and $ of
// another, and a blank at their end. The order of these marks, blank # $ - digits
// letters ~, is that of the rules. Two digits at the end count the numbers.
func (v Version) Key() string {
	key := make([]byte, 0, 32) // enough for most
	for _, number := range trimZeroNumbers(v.numbers) {
		key = appendNumber(key, number)
	}
	key = append(key, ' ')
	if !v.Prerelease() {
		key = append(key, '~')
	} else {
		key = append(key, '-')
		for _, identifier := range v.prerelease {
			if isNumber(identifier) {
				key = appendNumber(append(key, '#'), identifier)
			} else {
				key = append(append(key, '$'), identifier...)
			}
		}
		key = append(key, ' ')
	}
	return string(fmt.Appendf(key, "%02d", len(v.numbers))) // a tag has room for 64
}

func trimZeroNumbers(numbers []string) []string {
	for len(numbers) > 0 && numbers[len(numbers)-1] == "0" {
		numbers = numbers[:len(numbers)-1]
	}
	return numbers
}

// appendNumber puts in front of a number its length: a for one digit, b for two,
// up to y for 25, and z with three digits for more: a tag has no longer ones.
func appendNumber(key []byte, number string) []byte {
	if n := len(number); n <= 25 {
		key = append(key, byte('a'+n-1))
	} else {
		key = fmt.Appendf(key, "z%03d", n)
	}
	return append(key, number...)
}

// areIdentifiers checks identifiers separated by dots, none of them empty.
func areIdentifiers(s string) bool {
	for identifier := range strings.SplitSeq(s, ".") {
		if identifier == "" {
			return false
		}
		for i := range len(identifier) {
			if c := identifier[i]; !isLower(c) && !isUpper(c) && !isDigit(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func trimZeros(number string) string {
	if trimmed := strings.TrimLeft(number, "0"); trimmed != "" {
		return trimmed
	}
	return "0"
}
