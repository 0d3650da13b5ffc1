package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"ocireffer/pkg/reference"
)

// object is a JSON object whose fields are decoded one by one.
type object map[string]json.RawMessage

// objectOf returns raw as an object, or nil if it is not one. Names match exactly; of
// two fields of one name the last counts.
func objectOf(raw json.RawMessage) object {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// has reports whether o has a field that is not null.
func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && string(v) != "null"
}

// text returns a string field; ok is false if it is missing or not a string.
func (o object) text(name string) (s string, ok bool) {
	if !o.has(name) || json.Unmarshal(o[name], &s) != nil {
		return "", false
	}
	return s, true
}

var errEmpty = errors.New("is empty")

// field parses a string field of o, whose name is the last part of path. It returns
// the zero T if the field is missing or null, and errEmpty if it is "". An error
// names path.
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
