package reference

import (
	"fmt"
	"strings"
)

// A Version is a tag read by Semantic Versioning 2.0 (https://semver.org), except that
// two or more numbers suffice, not just three: MAJOR.MINOR[.PATCH[.…]], with prerelease
// and build metadata. Numbers may have any length.
type Version struct {
	text       string   // as it is shown
	numbers    []string // without leading zeros
	prerelease []string // identifiers; numbers without leading zeros
}

// How many numbers a version needs, and a full version.
const (
	minNumbers  = 2
	fullNumbers = 3
)

// ParseVersion reads a tag as a version; ok is false for a tag such as latest, 1 or
// V1.2.3. Beyond the specification it accepts two numbers or more, a leading v, leading
// zeros in a number, and _ for the first +, since a tag cannot contain a +.
func ParseVersion(tag string) (v Version, ok bool) {
	v.text = strings.Replace(strings.TrimPrefix(tag, "v"), "_", "+", 1)
	rest, build, hasBuild := strings.Cut(v.text, "+")
	if hasBuild && !areIdentifiers(build) {
		return Version{}, false
	}
	core, prerelease, hasPrerelease := strings.Cut(rest, "-")
	if hasPrerelease {
		if !areIdentifiers(prerelease) {
			return Version{}, false
		}
		v.prerelease = strings.Split(prerelease, ".")
		for i, identifier := range v.prerelease {
			if isNumber(identifier) {
				v.prerelease[i] = dropLeadingZeros(identifier)
			}
		}
	}
	v.numbers = strings.Split(core, ".")
	if len(v.numbers) < minNumbers {
		return Version{}, false
	}
	for i, number := range v.numbers {
		if !isNumber(number) {
			return Version{}, false
		}
		v.numbers[i] = dropLeadingZeros(number)
	}
	return v, true
}

// String returns the tag as written, without a leading v, and with its first _ as +.
func (v Version) String() string { return v.text }

// Full reports whether v has MAJOR, MINOR and PATCH. A tag with fewer numbers is often
// moved from version to version.
func (v Version) Full() bool { return len(v.numbers) >= fullNumbers }

// Prerelease reports whether v is a prerelease, which is less than the release with the
// same numbers.
func (v Version) Prerelease() bool { return len(v.prerelease) > 0 }

// Key returns a text that sorts, byte by byte, as section 11 of Semantic Versioning 2.0
// orders versions. A missing number counts as zero. Of equal versions, the one with more
// numbers is the greater. Build metadata does not count. No key is a prefix of another,
// so other text may follow it. The key of a tag of 128 bytes has at most 196 bytes.
//
// The parts of a key are, in this order:
//   - each number, with its length before it (see appendNumber), but without the zero
//     numbers at the end
//   - a blank
//   - for a release, ~
//   - for a prerelease, -, then each identifier, then a blank; before an identifier
//     comes # and its length if it is a number, otherwise $
//   - the count of numbers, zeros included, in two digits
//
// So the key of 0.18.1 is "a0b18a1 ~03", and the key of 1.2.0-rc.1 is
// "a1a2 -$rc#a1 03".
//
// The marks are chosen by their place in ASCII: blank # $ - digits letters ~.
func (v Version) Key() string {
	key := make([]byte, 0, 32) // enough for most
	for _, number := range dropTrailingZeros(v.numbers) {
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
	return string(fmt.Appendf(key, "%02d", len(v.numbers))) // enough for the 64 numbers that fit a tag
}

func dropTrailingZeros(numbers []string) []string {
	for len(numbers) > 0 && numbers[len(numbers)-1] == "0" {
		numbers = numbers[:len(numbers)-1]
	}
	return numbers
}

// appendNumber appends the length of number, then number. The length is a for one digit,
// b for two, up to y for 25. For more digits it is z and three digits, enough for the
// longest number that fits a tag.
func appendNumber(key []byte, number string) []byte {
	if n := len(number); n <= 25 {
		key = append(key, byte('a'+n-1))
	} else {
		key = fmt.Appendf(key, "z%03d", n)
	}
	return append(key, number...)
}

// areIdentifiers reports whether s is a list of identifiers, separated by dots.
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

func dropLeadingZeros(number string) string {
	if trimmed := strings.TrimLeft(number, "0"); trimmed != "" {
		return trimmed
	}
	return "0"
}
