package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// object is a JSON object whose fields are decoded one by one.
type object map[string]json.RawMessage

// objectOf returns raw as an object, or nil if it is not one. Names match exactly; of two
// fields with the same name the last counts.
func objectOf(raw json.RawMessage) object {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// listOf returns raw as a list, or nil if it is not one.
func listOf(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// textOf returns raw as a text; ok is false if it is not one.
func textOf(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// has reports whether o has a field that is not null.
func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && string(v) != "null"
}

// text returns a string field; ok is false if it is missing or not a string.
func (o object) text(name string) (s string, ok bool) { return textOf(o[name]) }

// textOr returns a string field, or "" if it is missing or not a string.
func (o object) textOr(name string) string {
	s, _ := o.text(name)
	return s
}

// object returns a field that is an object, or nil if it is missing or not one.
func (o object) object(name string) object {
	if !o.has(name) { // often the case when shapes are tried; decoding would build an error
		return nil
	}
	return objectOf(o[name])
}

// list returns a field that is a list, or nil if it is missing or not one.
func (o object) list(name string) []json.RawMessage {
	if !o.has(name) {
		return nil
	}
	return listOf(o[name])
}

// with returns o as JSON, with one of its fields replaced.
func (o object) with(name string, value json.RawMessage) json.RawMessage {
	changed := maps.Clone(o)
	changed[name] = value
	b, err := json.Marshal(changed)
	if err != nil {
		panic(err) // all fields are JSON
	}
	return b
}

// Optional fields of a push. An invalid value counts as unknown.

// digest returns a field with a digest, or "".
func (o object) digest(name string) string {
	if s := o.textOr(name); reference.CheckDigest(s) == nil {
		return s
	}
	return ""
}

// mediaType returns a field with a media type, or "".
func (o object) mediaType(name string) string {
	if s := o.textOr(name); reference.IsMediaType(s) {
		return s
	}
	return ""
}

// size returns a field with a size in bytes, or event.UnknownSize. Schemas say int32,
// but images are larger.
func (o object) size(name string) int64 {
	if size, err := strconv.ParseInt(string(o[name]), 10, 64); err == nil && size >= 0 {
		return size
	}
	return event.UnknownSize
}

var errEmpty = errors.New("is empty")

// field parses a string field of o, whose name is the last part of path. It returns the
// zero T if the field is missing or null, and errEmpty if it is "". An error names path.
func field[T any](o object, path string, parse func(string) (T, error)) (T, error) {
	var zero T
	name := path[strings.LastIndexByte(path, '.')+1:]
	if !o.has(name) {
		return zero, nil
	}
	s, ok := o.text(name)
	if !ok {
		return zero, fmt.Errorf("%s is not a string: %s", path, reference.Quote(string(o[name])))
	}
	if s == "" {
		return zero, fmt.Errorf("%s %w", path, errEmpty)
	}
	v, err := parse(s)
	if err != nil {
		return zero, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// checked returns a parser for field that returns the text itself if check accepts it.
func checked(check func(string) error) func(string) (string, error) {
	return func(s string) (string, error) {
		if err := check(s); err != nil {
			return "", err
		}
		return s, nil
	}
}
