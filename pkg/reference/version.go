package reference

import (
	"fmt"
	"strings"
)

// A Version is what a tag says as Semantic Versioning 2.0 (https://semver.org):
// MAJOR.MINOR or MAJOR.MINOR.PATCH, with prerelease and build metadata. Numbers
// may have any length.
type Version struct {
	core       [3]string // numbers without zeros in front
	prerelease []string  // identifiers, numbers without zeros in front
	build      string
}

// ParseVersion reads a tag as a version; ok is false for one that is none, such
// as latest, 1 or 1.2.3.4. More is read than the specification has: a v in front,
// zeros in front of a number, and, since a tag has no +, the first _ for it.
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
	numbers := strings.Split(core, ".")
	if len(numbers) < 2 || len(numbers) > 3 {
		return Version{}, false
	}
	v.core[2] = "0"
	for i, number := range numbers {
		if !isNumber(number) {
			return Version{}, false
		}
		v.core[i] = trimZeros(number)
	}
	return v, true
}

// String is MAJOR.MINOR.PATCH[-prerelease][+build].
func (v Version) String() string {
	s := strings.Join(v.core[:], ".")
	if v.Prerelease() {
		s += "-" + strings.Join(v.prerelease, ".")
	}
	if v.build != "" {
		s += "+" + v.build
	}
	return s
}

// Prerelease reports whether v is one, and so less than the release of its
// numbers.
func (v Version) Prerelease() bool { return len(v.prerelease) > 0 }

// Key is a text that sorts, byte by byte, as section 11 of Semantic Versioning
// 2.0 orders versions; versions that differ in build metadata alone have the same
// one. None is the beginning of another, so text may be put behind it. It has at
// most 195 bytes for a tag of 128.
//
// A number has its length in front (appendNumber), so 0.18.1 begins a0b18a1. A
// release has ~ behind that. A prerelease has - and its identifiers, # in front
// of a number and $ of another, and a blank at their end. The order of these
// marks, blank # $ - digits letters ~, is that of the rules.
func (v Version) Key() string {
	key := make([]byte, 0, 32) // enough for most
	for _, number := range v.core {
		key = appendNumber(key, number)
	}
	if !v.Prerelease() {
		return string(append(key, '~'))
	}
	key = append(key, '-')
	for _, identifier := range v.prerelease {
		if isNumber(identifier) {
			key = appendNumber(append(key, '#'), identifier)
		} else {
			key = append(append(key, '$'), identifier...)
		}
	}
	return string(append(key, ' '))
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
