package reference

import (
	"cmp"
	"fmt"
	"strings"
)

// A Name is what readers ask for: a repository in any registry, or a repository in one
// registry.
type Name struct {
	Registry   string // empty: any
	Repository string
}

// ParseName reads repository or registry/repository. Docker's rule tells them apart: the
// first of several segments is a registry if it has a dot or a colon, or is localhost. So
// a repository whose own path begins with such a segment is found only with its registry,
// and nobody can take over another registry's name by pushing under it.
func ParseName(s string) (Name, error) {
	segment, rest, several := strings.Cut(s, "/")
	if !several || !namesRegistry(strings.ToLower(segment)) {
		if err := CheckRepository(s); err != nil {
			return Name{}, err
		}
		return Name{Repository: s}, nil
	}
	registry, err := ParseRegistry(segment)
	if err != nil {
		return Name{}, err
	}
	if err := CheckRepository(rest); err != nil {
		return Name{}, err
	}
	return Name{registry, rest}, nil
}

// ParseRepository reads a name that must be a repository without a registry.
func ParseRepository(s string) (Name, error) {
	n, err := ParseName(s)
	if err != nil {
		return Name{}, err
	}
	if n.Registry != "" {
		return Name{}, fmt.Errorf("repository %s begins with a registry: want a name such as %s", Quote(s), Quote(n.Repository))
	}
	return n, nil
}

// String returns repository or registry/repository.
func (n Name) String() string {
	if n.Registry == "" {
		return n.Repository
	}
	return n.Registry + "/" + n.Repository
}

// Compare orders names by their text. A repository whose path begins with a registry may
// have the same text as a registry's repository; then it comes first.
func (n Name) Compare(m Name) int {
	return cmp.Or(cmp.Compare(n.String(), m.String()), cmp.Compare(n.Registry, m.Registry))
}
