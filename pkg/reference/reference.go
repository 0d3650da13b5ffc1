// Package reference defines the grammars of OCI references and their parts, of the names
// that readers ask for, of categories, of tag globs, and of tags that are versions. It
// also orders versions. It knows nothing of registries' APIs or of the store.
package reference

import (
	"fmt"
	"strings"
	"unicode"
)

// Limits, in bytes.
const (
	maxRegistry   = 255 // a DNS name has at most 253; RFC 1035, section 2.3.4
	maxRepository = 255 // limit of distribution/reference; the distribution spec 1.1 only notes that many clients have one
	maxTag        = 128 // distribution spec 1.1, "Pulling manifests"
	maxDigest     = 255 // our own limit; a sha512 digest has 135
)

// A Reference is a tag of a repository in a registry.
type Reference struct {
	Registry   string // host, in lower case, with its port if it has one
	Repository string // path without host
	Tag        string
}

// newReference checks the parts of a reference and puts the registry in lower case. The
// error is about the first bad part, so it fits one line.
func newReference(registry, repository, tag string) (Reference, error) {
	registry, err := ParseRegistry(registry)
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

// Parse reads registry/repository:tag. The registry is required: unlike Docker, Parse
// does not assume docker.io.
func Parse(s string) (Reference, error) {
	registry, rest, ok := strings.Cut(s, "/")
	if !ok {
		return Reference{}, fmt.Errorf("reference %s has no registry: want registry/repository:tag", Quote(s))
	}
	repository, tag, ok := strings.Cut(rest, ":")
	if !ok {
		return Reference{}, fmt.Errorf("reference %s has no tag: want registry/repository:tag", Quote(s))
	}
	// newReference would refuse it too, but without the hint.
	if isHost(registry) && !namesRegistry(strings.ToLower(registry)) {
		return Reference{}, fmt.Errorf("reference %s does not begin with a registry: for Docker Hub write %s", Quote(s), Quote("docker.io/"+s))
	}
	return newReference(registry, repository, tag)
}

// Split splits the text of a Reference into its parts. Unlike Parse it does not check
// them: it is only for text that String returned. ok is false if a part is missing.
func Split(s string) (r Reference, ok bool) {
	registry, rest, ok := strings.Cut(s, "/")
	if !ok {
		return Reference{}, false
	}
	repository, tag, ok := strings.Cut(rest, ":")
	return Reference{registry, repository, tag}, ok
}

// String returns registry/repository:tag.
func (r Reference) String() string { return r.Name().String() + ":" + r.Tag }

// Name returns the name of r's repository in r's registry.
func (r Reference) Name() Name { return Name{r.Registry, r.Repository} }

// ParseRegistry checks a host with an optional port and returns it in lower case. The
// grammar of a host is domain in github.com/distribution/reference: labels of letters,
// digits and inner hyphens, or an IPv6 address in brackets. By Docker's rule a host is a
// registry only if it has a dot or a port, or is localhost. Any other is the first part
// of a repository. For a regional endpoint in Azure, ParseRegistry returns the registry
// that it belongs to.
func ParseRegistry(host string) (string, error) {
	if !isHost(host) {
		return "", fmt.Errorf("registry %s is not a host with an optional port, of at most %d characters", Quote(host), maxRegistry)
	}
	registry := strings.ToLower(host)
	if !namesRegistry(registry) {
		return "", fmt.Errorf("registry %s has neither a dot nor a port: want a host such as %s.azurecr.io or docker.io", Quote(host), registry)
	}
	return withoutRegion(registry), nil
}

// withoutRegion returns NAME.azurecr.io for NAME.REGION.geo.azurecr.io. A push to one
// region of a registry reaches all of them.
//
// See https://learn.microsoft.com/azure/container-registry/container-registry-geo-replication
func withoutRegion(registry string) string {
	name, isRegional := strings.CutSuffix(registry, ".geo.azurecr.io")
	if name, region, _ := strings.Cut(name, "."); isRegional && region != "" && !strings.Contains(region, ".") {
		return name + ".azurecr.io"
	}
	return registry
}

// namesRegistry reports whether the first segment of a name is a registry by
// Docker's rule.
func namesRegistry(segment string) bool {
	return segment == "localhost" || strings.ContainsAny(segment, ".:")
}

func isHost(s string) bool {
	if len(s) > maxRegistry {
		return false
	}
	if address, ok := strings.CutPrefix(s, "["); ok {
		return isBracketed(address)
	}
	domain, port, hasPort := strings.Cut(s, ":")
	if hasPort && !isNumber(port) {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isBracketed reports whether s is an IPv6 address with an optional port, without
// the opening bracket.
func isBracketed(s string) bool {
	address, port, closed := strings.Cut(s, "]")
	if !closed || address == "" || strings.Trim(address, "0123456789abcdefABCDEF:") != "" {
		return false
	}
	if port == "" {
		return true
	}
	port, ok := strings.CutPrefix(port, ":")
	return ok && isNumber(port)
}

func isLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLower(c) && !isUpper(c) && !isDigit(c) && c != '-' {
			return false
		}
	}
	return true
}

// CheckRepository checks the grammar of a name in the OCI distribution spec 1.1:
//
//	[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
func CheckRepository(s string) error {
	if len(s) > maxRepository || !isRepository(s) {
		return fmt.Errorf("repository %s is not an OCI name (lower-case letters and digits, between them one of . _ __ / or hyphens, at most %d characters)", Quote(s), maxRepository)
	}
	return nil
}

func isRepository(s string) bool {
	// The characters since the last letter or digit. It begins as a separator, since no
	// name may begin with one.
	separator := "/"
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
		return fmt.Errorf("tag %s is not an OCI tag (a letter, digit or _, then at most %d of these, . and -)", Quote(s), maxTag-1)
	}
	return nil
}

// CheckDigest checks the grammar of a digest in the OCI image spec 1.1, descriptor.md:
// algorithm:encoded. With a registered algorithm, sha256 or sha512, encoded must be
// lower-case hex of the right length. Other algorithms only have to match the grammar, as
// the spec requires.
func CheckDigest(s string) error {
	if !isDigest(s) {
		return fmt.Errorf("digest %s is not an OCI digest (such as sha256: and 64 lower-case hex digits)", Quote(s))
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
	component := 0 // length of the current part of the algorithm
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

// Quote returns a value from outside in quotes, shortened and on one line.
func Quote(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(s[:most], ""))
	}
	return fmt.Sprintf("%q", s)
}

// maxLine is the longest text that Line returns, in bytes, without the sign of its end.
const maxLine = 500

// Line returns a text of which others may have written a part, such as an error, as one
// that can be logged and shown on a terminal: shortened, on one line, without control
// characters.
func Line(text string) string {
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
