// Package reference knows the grammar of OCI references, the names under which
// readers ask for them, and the order of the versions that tags stand for. It
// is text in, text out: nothing here is stored, sent or looked up.
package reference

import (
	"fmt"
	"strings"
)

// Limits, in bytes.
const (
	maxRegistry   = 255 // a DNS name has at most 253; RFC 1035, section 2.3.4
	maxRepository = 255 // distribution/reference's; the distribution spec 1.1 only notes that many clients have one
	maxTag        = 128 // distribution spec 1.1, "Pulling manifests"
	maxDigest     = 255 // ours: sha512 has 135
)

// A Reference names a tag of a repository in a registry.
type Reference struct {
	Registry   string // host, in lower case, with its port if it has one
	Repository string // path without host
	Tag        string
}

// String is registry/repository:tag.
func (r Reference) String() string { return r.Name() + ":" + r.Tag }

// Name is registry/repository.
func (r Reference) Name() string { return r.Registry + "/" + r.Repository }

// New checks the parts of a reference and puts the registry in lower case. The
// error is about the first bad part, so that it is one line.
func New(registry, repository, tag string) (Reference, error) {
	registry, err := Registry(registry)
	if err != nil {
		return Reference{}, err
	}
	if err := CheckRepository(repository); err != nil {
		return Reference{}, err
	}
	if err := CheckTag(tag); err != nil {
		return Reference{}, err
	}
	return Reference{registry, repository, tag}, nil
}

// Parse reads registry/repository:tag. What stands before the first slash is
// always the registry: nothing is implied, as Docker implies docker.io.
func Parse(s string) (Reference, error) {
	registry, rest, ok := strings.Cut(s, "/")
	if !ok {
		return Reference{}, fmt.Errorf("reference %s has no registry: want registry/repository:tag", show(s))
	}
	repository, tag, ok := strings.Cut(rest, ":")
	if !ok {
		return Reference{}, fmt.Errorf("reference %s has no tag: want registry/repository:tag", show(s))
	}
	return New(registry, repository, tag)
}

// Name checks what a reader asks for, a repository or registry/repository, and
// gives it as it is stored. What cannot begin a repository, as a port or an
// upper-case letter, is a registry and put in lower case.
func Name(s string) (string, error) {
	err := CheckRepository(s)
	if err == nil {
		return s, nil
	}
	host, repository, ok := strings.Cut(s, "/")
	if !ok {
		return "", err
	}
	registry, err := Registry(host)
	if err != nil {
		return "", err
	}
	if err := CheckRepository(repository); err != nil {
		return "", err
	}
	if registry == host {
		return s, nil
	}
	return registry + "/" + repository, nil
}

// Registry checks a host with an optional port and puts it in lower case. The
// grammar is that of domain in github.com/distribution/reference: labels of
// letters, digits and inner hyphens, or an IPv6 address in brackets.
func Registry(host string) (string, error) {
	if !isRegistry(host) {
		return "", fmt.Errorf("registry %s is not a host with an optional port, of at most %d characters", show(host), maxRegistry)
	}
	return strings.ToLower(host), nil
}

func isRegistry(s string) bool {
	if len(s) > maxRegistry {
		return false
	}
	if address, ok := strings.CutPrefix(s, "["); ok {
		address, rest, ok := strings.Cut(address, "]")
		return ok && address != "" && strings.Trim(address, "0123456789abcdefABCDEF:") == "" && (rest == "" || rest[0] == ':' && isPort(rest[1:]))
	}
	domain, port, hasPort := strings.Cut(s, ":")
	if hasPort && !isPort(port) {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !isLower(c) && !isUpper(c) && !isDigit(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

func isPort(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// CheckRepository checks the grammar of a name in the OCI distribution spec 1.1:
//
//	[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
func CheckRepository(s string) error {
	if len(s) > maxRepository || !isRepository(s) {
		return fmt.Errorf("repository %s is not an OCI name (lower-case letters and digits, between them one of . _ __ / or hyphens, at most %d characters)", show(s), maxRepository)
	}
	return nil
}

func isRepository(s string) bool {
	separator := "/" // what stands since the last letter or digit: none may begin or end a name
	for i := range len(s) {
		switch c := s[i]; {
		case isLower(c) || isDigit(c):
			separator = ""
		case c == '.' || c == '/':
			if separator != "" {
				return false
			}
			separator = s[i : i+1]
		case c == '_':
			if separator != "" && separator != "_" {
				return false
			}
			separator += "_"
		case c == '-':
			if separator != "" && separator != "-" {
				return false
			}
			separator = "-"
		default:
			return false
		}
	}
	return separator == ""
}

// CheckTag checks the grammar of a tag in the OCI distribution spec 1.1:
// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
func CheckTag(s string) error {
	ok := 0 < len(s) && len(s) <= maxTag && s[0] != '.' && s[0] != '-'
	for i := range len(s) {
		c := s[i]
		ok = ok && (isLower(c) || isUpper(c) || isDigit(c) || c == '_' || c == '.' || c == '-')
	}
	if !ok {
		return fmt.Errorf("tag %s is not an OCI tag (a letter, digit or _, then at most %d of these, . and -)", show(s), maxTag-1)
	}
	return nil
}

// CheckDigest checks the grammar of a digest in the OCI image spec 1.1,
// descriptor.md: algorithm:encoded. What the two registered algorithms encode is
// lower-case hex of their length; others are checked by grammar alone, as the
// spec asks.
func CheckDigest(s string) error {
	if !isDigest(s) {
		return fmt.Errorf("digest %s is not an OCI digest (such as sha256: and 64 lower-case hex digits)", show(s))
	}
	return nil
}

func isDigest(s string) bool {
	algorithm, encoded, _ := strings.Cut(s, ":")
	if encoded == "" || len(s) > maxDigest {
		return false
	}
	switch algorithm {
	case "sha256":
		return len(encoded) == 64 && isHex(encoded)
	case "sha512":
		return len(encoded) == 128 && isHex(encoded)
	}
	component := 0 // the length of this part of the algorithm
	for i := range len(algorithm) {
		switch c := algorithm[i]; {
		case isLower(c) || isDigit(c):
			component++
		case component > 0 && strings.IndexByte("+._-", c) >= 0:
			component = 0
		default:
			return false
		}
	}
	for i := range len(encoded) {
		if c := encoded[i]; !isLower(c) && !isUpper(c) && !isDigit(c) && strings.IndexByte("=_-", c) < 0 {
			return false
		}
	}
	return component > 0
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// show quotes a value from outside, shortened.
func show(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(s[:most], ""))
	}
	return fmt.Sprintf("%q", s)
}
