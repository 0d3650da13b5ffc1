package webhook

import (
	"errors"
	"fmt"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// A reader reads the fields without which an event cannot be used. After the first
// that is wrong it reads on, and err is about that one: a sender's parser looks at it
// once, at its end.
type reader struct {
	Delivery
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// required reads a field that must be there.
func (r *reader) required(o object, path string, check func(string) error) string {
	s := r.optional(o, path, check)
	if s == "" {
		r.fail(fmt.Errorf("%s is missing", path))
	}
	return s
}

// optional reads a field that may be missing, null or empty.
func (r *reader) optional(o object, path string, check func(string) error) string {
	s, err := field(o, path, checked(check))
	if err != nil && !errors.Is(err, errEmpty) {
		r.fail(err)
	}
	return s
}

// anyText is the check of a field that is looked at further.
func anyText(string) error { return nil }

// registry returns the registry of the delivery, or else host, which the field at path
// names.
func (r *reader) registry(host, path string) string {
	if r.Registry != "" {
		return r.Registry
	}
	if host == "" {
		r.fail(fmt.Errorf("%s is missing", path))
		return ""
	}
	registry, err := reference.ParseRegistry(host)
	if err != nil {
		r.fail(fmt.Errorf("%s: %w", path, err))
	}
	return registry
}

// givenRegistry returns the registry of the delivery, for an event that names none.
func (r *reader) givenRegistry() string {
	if r.Registry == "" {
		r.fail(errors.New("nothing names the registry: write ?registry=HOST behind the webhook's URL"))
	}
	return r.Registry
}

// check fails unless check accepts s, which was made of the field at path.
func (r *reader) check(s, path string, check func(string) error) {
	if err := check(s); err != nil {
		r.fail(fmt.Errorf("%s: %w", path, err))
	}
}

// push returns the item of a push. Without a tag it is one of a platform of an image,
// say, and is ignored; but it must have one of tag and digest.
func (r *reader) push(p event.Push) Item {
	ref := p.Reference
	switch {
	case r.err != nil:
		return refuse(r.err)
	case ref.Tag != "":
		return Item{Event: event.Event{Push: &p}}
	case p.Digest != "":
		return ignore("push of %s@%s has no tag", ref.Repository, p.Digest)
	default:
		return refuse(errNoTagNoDigest)
	}
}

var errNoTagNoDigest = errors.New("tag and digest are missing")

// delete returns the item of a delete of a tag or of a digest. One of neither would
// remove the whole repository: only native events mean that.
func (r *reader) delete(t event.Target, at time.Time) Item {
	if t.Tag == "" && t.Digest == "" {
		r.fail(errNoTagNoDigest)
	}
	if r.err != nil {
		return refuse(r.err)
	}
	return deleted(t, at, r.Now)
}
