package acr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ocireffer/pkg/reference"
)

// push reads a push's target. What is not needed is dropped where it is not
// what it should be; the push still counts.
func (e Event) push(payload object) Event {
	target, err := e.where(payload)
	if err != nil {
		return e.bad(err)
	}
	if e.Tag, err = field(target, "target.tag", reference.CheckTag); err != nil && !errors.Is(err, errEmpty) {
		return e.bad(err)
	}
	if digest, ok := target.text("digest"); ok && reference.CheckDigest(digest) == nil {
		e.Digest = digest
	}
	if e.Tag == "" && e.Digest == "" {
		return e.bad(errors.New("target.tag and target.digest are missing"))
	}
	if e.Tag == "" {
		e.Kind, e.Why = Ignored, fmt.Sprintf("push of %s@%s has no tag", e.Repository, e.Digest)
		return e
	}
	if mediaType, ok := target.text("mediaType"); ok && isMediaType(mediaType) {
		e.MediaType = mediaType
	}
	// A size is no float, and not in the schema's int32: layers count in bytes.
	if size, err := strconv.ParseInt(string(target["size"]), 10, 64); err == nil && size >= 0 {
		e.Size = size
	}
	e.Kind = Push
	return e
}

// delete reads a delete's target. Here nothing is dropped: a delete whose tag or
// digest is not understood would take out more than was meant.
func (e Event) delete(payload object) Event {
	target, err := e.where(payload)
	if err != nil {
		return e.bad(err)
	}
	if e.Tag, err = field(target, "target.tag", reference.CheckTag); err != nil {
		return e.bad(err)
	}
	if e.Digest, err = field(target, "target.digest", reference.CheckDigest); err != nil {
		return e.bad(err)
	}
	e.Kind = Delete
	return e
}

// where reads what pushes and deletes both need, repository and registry, and
// gives the target.
func (e *Event) where(payload object) (target object, err error) {
	target = objectOf(payload["target"])
	if target == nil {
		return nil, errors.New("target is missing")
	}
	if e.Repository, err = field(target, "target.repository", reference.CheckRepository); err != nil {
		return nil, err
	}
	if e.Repository == "" {
		return nil, errors.New("target.repository is missing")
	}
	host, err := field(objectOf(payload["request"]), "request.host", checkRegistry)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return nil, errors.New("request.host is missing")
	}
	e.Registry, err = reference.Registry(host)
	return target, err
}

func checkRegistry(host string) error {
	_, err := reference.Registry(host)
	return err
}

var errEmpty = errors.New("is empty")

// field is a field of o that must be right where it is present; path says where
// in the payload that is. It is empty where it is absent or null; where it is
// present and empty, the error is errEmpty.
func field(o object, path string, check func(string) error) (string, error) {
	name := path[strings.LastIndexByte(path, '.')+1:]
	if !o.has(name) {
		return "", nil
	}
	s, ok := o.text(name)
	if !ok {
		return "", fmt.Errorf("%s is not a string: %s", path, quote(string(o[name])))
	}
	if s == "" {
		return "", fmt.Errorf("%s %w", path, errEmpty)
	}
	if err := check(s); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// isMediaType checks the grammar of RFC 6838, section 4.2.
func isMediaType(s string) bool {
	main, sub, ok := strings.Cut(s, "/")
	return ok && isRestrictedName(main) && isRestrictedName(sub)
}

func isRestrictedName(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("!#$&-^_.+", rune(c))) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 127
}
