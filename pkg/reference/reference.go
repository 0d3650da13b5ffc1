// Package reference knows the grammar of OCI references.
package reference

import (
	"fmt"
	"strings"
)

type Reference struct{ Registry, Repository, Tag string }

func (r Reference) String() string { return r.Registry + "/" + r.Repository + ":" + r.Tag }
func (r Reference) Name() string   { return r.Registry + "/" + r.Repository }

func New(registry, repository, tag string) (Reference, error) {
	registry, err := Registry(registry)
	if err != nil {
		return Reference{}, err
	}
	if err := CheckRepository(repository); err != nil {
		return Reference{}, err
	}
	return Reference{registry, repository, tag}, CheckTag(tag)
}

func Parse(s string) (Reference, error) {
	registry, rest, _ := strings.Cut(s, "/")
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return Reference{}, fmt.Errorf("no tag")
	}
	return New(registry, rest[:i], rest[i+1:])
}

func Registry(host string) (string, error) {
	if host == "" || strings.ContainsAny(host, " /\n") {
		return "", fmt.Errorf("registry %q", host)
	}
	return strings.ToLower(host), nil
}

func CheckRepository(s string) error {
	if s == "" || s != strings.ToLower(s) || strings.ContainsAny(s, " :\n") {
		return fmt.Errorf("repository %q", s)
	}
	return nil
}

func CheckTag(s string) error {
	if s == "" || strings.ContainsAny(s, " /\n") {
		return fmt.Errorf("tag %q", s)
	}
	return nil
}

func CheckDigest(s string) error {
	if len(s) != 71 {
		return fmt.Errorf("digest %q", s)
	}
	return nil
}

func Name(s string) (string, error) { return s, CheckRepository(s) }

type Version struct{ key string }

func ParseVersion(tag string) (Version, bool) {
	return Version{tag}, strings.Count(tag, ".") > 0
}
func (v Version) String() string   { return v.key }
func (v Version) Prerelease() bool { return strings.Contains(v.key, "-") }
func (v Version) Key() string      { return v.key }
