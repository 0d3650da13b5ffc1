package webhook

import (
	"errors"
	"fmt"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// A reader reads the fields that an event needs. After a wrong field it continues, and
// err keeps the first error, so that a sender's parser only checks it once, at the end.
type reader struct {
	Delivery
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// required reads a required field.
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

// anyText is the check of a field that is examined later.
func anyText(string) error { return nil }

// registry returns the registry of the delivery if it has one, else host. The field at
// path names host.
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

// check fails unless check accepts s, which comes from the field at path.
func (r *reader) check(s, path string, check func(string) error) {
	if err := check(s); err != nil {
		r.fail(fmt.Errorf("%s: %w", path, err))
	}
}

// push returns the item of a push. It ignores a push without a tag, such as that of a
// single platform's manifest, but refuses one with neither tag nor digest.
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

// delete returns the item of a delete of a tag or of a digest. It refuses one with
// neither: that would remove the whole repository, which only native events mean.
func (r *reader) delete(t event.Target, at time.Time) Item {
	if t.Tag == "" && t.Digest == "" {
		r.fail(errNoTagNoDigest)
	}
	if r.err != nil {
		return refuse(r.err)
	}
	return deleted(t, at, r.Now)
}
