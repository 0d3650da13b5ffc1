package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ocireffer/pkg/reference"
)

// An event is written as an object with one field, push, delete or membership.
// Unknown values are left out.
type (
	eventJSON struct {
		Push       *pushJSON       `json:"push,omitempty"`
		Delete     *deleteJSON     `json:"delete,omitempty"`
		Membership *membershipJSON `json:"membership,omitempty"`
	}
	pushJSON struct {
		Reference string     `json:"reference"`
		GivenName string     `json:"name,omitempty"`
		Digest    string     `json:"digest,omitempty"`
		MediaType string     `json:"mediaType,omitempty"`
		Size      *int64     `json:"size,omitempty"`
		PushedAt  *time.Time `json:"pushedAt"`
	}
	deleteJSON struct {
		Repository string     `json:"repository"` // registry/repository
		GivenName  string     `json:"name,omitempty"`
		Tag        string     `json:"tag,omitempty"`
		Digest     string     `json:"digest,omitempty"`
		DeletedAt  *time.Time `json:"deletedAt"`
		ReceivedAt *time.Time `json:"receivedAt"`
	}
	membershipJSON struct {
		Category string     `json:"category"`
		Name     string     `json:"name"`
		Removed  bool       `json:"removed,omitempty"`
		At       *time.Time `json:"at"`
	}
)

// MarshalJSON writes e as one line.
func (e Event) MarshalJSON() ([]byte, error) {
	var line eventJSON
	switch {
	case e.Push != nil:
		p := e.Push
		line.Push = &pushJSON{p.Reference.String(), p.GivenName, p.Digest, p.MediaType, nil, &p.PushedAt}
		if p.SizeKnown() {
			line.Push.Size = &p.Size
		}
	case e.Delete != nil:
		d := e.Delete
		line.Delete = &deleteJSON{d.Registry + "/" + d.Repository, d.GivenName, d.Tag, d.Digest, &d.DeletedAt, &d.ReceivedAt}
	case e.Membership != nil:
		m := e.Membership
		line.Membership = &membershipJSON{m.Category, m.Name.String(), m.Removed, &m.At}
	default:
		return nil, errors.New("the event has no push, delete or membership")
	}
	return json.Marshal(line)
}

// UnmarshalJSON reads what MarshalJSON writes. It checks each field; an error names the
// first wrong one.
func (e *Event) UnmarshalJSON(b []byte) error {
	var line eventJSON
	// A field of a later release must not be dropped silently.
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err := dec.Decode(&line)
	if err != nil {
		return err
	}
	switch {
	case line.Push != nil && line.Delete == nil && line.Membership == nil:
		*e, err = line.Push.event()
	case line.Delete != nil && line.Push == nil && line.Membership == nil:
		*e, err = line.Delete.event()
	case line.Membership != nil && line.Push == nil && line.Delete == nil:
		*e, err = line.Membership.event()
	default:
		err = errors.New("want one of push, delete and membership")
	}
	return err
}

func (j pushJSON) event() (Event, error) {
	p := Push{Digest: j.Digest, MediaType: j.MediaType, Size: UnknownSize}
	var err error
	if p.Reference, err = reference.Parse(j.Reference); err != nil {
		return Event{}, fmt.Errorf("push.reference: %w", err)
	}
	if p.GivenName, err = parseGivenName(j.GivenName, p.Reference); err != nil {
		return Event{}, fmt.Errorf("push.name: %w", err)
	}
	if err := checkDigest(j.Digest); err != nil {
		return Event{}, fmt.Errorf("push.digest: %w", err)
	}
	if j.MediaType != "" && !reference.IsMediaType(j.MediaType) {
		return Event{}, fmt.Errorf("push.mediaType: %s is not a media type", reference.Quote(j.MediaType))
	}
	if j.Size != nil {
		if *j.Size < 0 {
			return Event{}, fmt.Errorf("push.size: %d is below 0", *j.Size)
		}
		p.Size = *j.Size
	}
	if p.PushedAt, err = requiredTime(j.PushedAt); err != nil {
		return Event{}, fmt.Errorf("push.pushedAt: %w", err)
	}
	return Event{Push: &p}, nil
}

func (j deleteJSON) event() (Event, error) {
	name, err := reference.ParseName(j.Repository)
	if err == nil && name.Registry == "" {
		err = fmt.Errorf("%s does not begin with a registry", reference.Quote(j.Repository))
	}
	if err != nil {
		return Event{}, fmt.Errorf("delete.repository: %w", err)
	}
	d := Delete{Target: Target{Registry: name.Registry, Repository: name.Repository, Tag: j.Tag, Digest: j.Digest}}
	if d.GivenName, err = parseGivenName(j.GivenName, reference.Reference{Registry: d.Registry, Repository: d.Repository}); err != nil {
		return Event{}, fmt.Errorf("delete.name: %w", err)
	}
	if j.Tag != "" && j.Digest != "" {
		return Event{}, errors.New("delete.tag and delete.digest: want one of them")
	}
	if j.Tag != "" {
		err = reference.CheckTag(j.Tag)
	}
	if err != nil {
		return Event{}, fmt.Errorf("delete.tag: %w", err)
	}
	if err := checkDigest(j.Digest); err != nil {
		return Event{}, fmt.Errorf("delete.digest: %w", err)
	}
	if d.DeletedAt, err = requiredTime(j.DeletedAt); err != nil {
		return Event{}, fmt.Errorf("delete.deletedAt: %w", err)
	}
	if d.ReceivedAt, err = requiredTime(j.ReceivedAt); err != nil {
		return Event{}, fmt.Errorf("delete.receivedAt: %w", err)
	}
	return Event{Delete: &d}, nil
}

func (j membershipJSON) event() (Event, error) {
	m := Membership{Member: Member{Category: j.Category}, Removed: j.Removed}
	err := reference.CheckCategory(j.Category)
	if err != nil {
		return Event{}, fmt.Errorf("membership.category: %w", err)
	}
	if m.Name, err = reference.ParseName(j.Name); err != nil {
		return Event{}, fmt.Errorf("membership.name: %w", err)
	}
	if m.At, err = requiredTime(j.At); err != nil {
		return Event{}, fmt.Errorf("membership.at: %w", err)
	}
	return Event{Membership: &m}, nil
}

// parseGivenName checks the given name of r, if there is one.
func parseGivenName(name string, r reference.Reference) (string, error) {
	if name == "" {
		return "", nil
	}
	if _, err := reference.ParseRepository(name); err != nil {
		return "", err
	}
	return GivenName(name, r), nil
}

// checkDigest checks a digest, if there is one.
func checkDigest(digest string) error {
	if digest == "" {
		return nil
	}
	return reference.CheckDigest(digest)
}

// requiredTime returns t in UTC. It refuses nil and a year that Stamp cannot write.
func requiredTime(t *time.Time) (time.Time, error) {
	if t == nil {
		return time.Time{}, errors.New("is missing")
	}
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return time.Time{}, fmt.Errorf("the year %d is not one from 0 to 9999", year)
	}
	return t.UTC(), nil
}
