package registry

import (
	"strings"
)

// A challenge is a registry's demand in a WWW-Authenticate header (RFC 9110, section
// 11.6.1).
type challenge struct {
	scheme string            // in lower case
	params map[string]string // by name in lower case
}

// parseChallenges parses the values of WWW-Authenticate. One value may have several
// challenges. It drops the rest of a value from the first error of grammar on.
func parseChallenges(values []string) []challenge {
	var all []challenge
	for _, value := range values {
		s := scanner{value}
		for {
			s.skip(" \t,")
			word := s.word()
			if word == "" {
				break
			}
			if s.skip(" \t"); !s.next('=') || len(all) == 0 {
				all = append(all, challenge{strings.ToLower(word), map[string]string{}})
				continue
			}
			s.skip(" \t")
			v, ok := s.value()
			if !ok {
				break
			}
			all[len(all)-1].params[strings.ToLower(word)] = v
		}
	}
	return all
}

// A scanner reads the parts of a header field's value (RFC 9110, section 5.6).
type scanner struct{ rest string }

// skip skips characters in a set.
func (s *scanner) skip(set string) { s.rest = strings.TrimLeft(s.rest, set) }

// next skips c if it comes next, and reports whether it did.
func (s *scanner) next(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// word returns the token that comes next, or "".
func (s *scanner) word() string {
	n := strings.IndexFunc(s.rest, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
	if n < 0 {
		n = len(s.rest)
	}
	word := s.rest[:n]
	s.rest = s.rest[n:]
	return word
}

// value returns the token or quoted string that comes next. ok is false if there is
// neither, or if a quoted string does not end.
func (s *scanner) value() (v string, ok bool) {
	if !s.next('"') {
		v = s.word()
		return v, v != ""
	}
	var b strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(s.rest):
			i++
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
