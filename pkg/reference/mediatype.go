package reference

import "strings"

// IsMediaType reports whether s is a media type without parameters, by the grammar in RFC
// 6838, section 4.2.
func IsMediaType(s string) bool {
	main, sub, ok := strings.Cut(s, "/")
	return ok && isRestrictedName(main) && isRestrictedName(sub)
}

func isRestrictedName(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := isLower(c) || isUpper(c) || isDigit(c)
		if !alphanumeric && (i == 0 || strings.IndexByte("!#$&-^_.+", c) < 0) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 127
}
