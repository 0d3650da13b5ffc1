package registry

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// A reply is the outcome of a request.
type reply struct {
	state State // never Gone, which depends on what was requested
	why   error // unless state is Found
	code  string
	// granted says that the token's claims allow the request.
	granted bool

	status   int // 0: there was no answer
	header   http.Header
	body     []byte
	received time.Time
}

// moment returns the time of the registry's answer.
func (r reply) moment() Moment {
	if r.status == 0 {
		return Moment{}
	}
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		date = time.Time{}
	}
	return Moment{Date: date, Received: r.received, Aged: r.aged()}
}

// aged reports whether the answer comes from a cache (RFC 9111, section 5.1).
func (r reply) aged() bool { return len(r.header.Values("Age")) > 0 }

// judge returns what an answer proves, with its error code if it has one.
func (c *client) judge(q request, r reply) (state State, code string, why error) {
	if r.status == http.StatusOK {
		return Found, "", nil
	}
	code = errorCode(r.body)
	why = fmt.Errorf("%s %s%s: %d %s", cmp.Or(q.method, http.MethodGet), c.base.Host, q.path, r.status, cmp.Or(code, http.StatusText(r.status)))
	switch {
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return Forbidden, code, why
	case r.status == http.StatusNotFound && unknown[code] && !r.aged():
		return Missing, code, why
	default:
		return Unsure, code, why
	}
}

// unknown contains the error codes of a 404 that are about the requested resource: those
// of the OCI distribution spec 1.1, and ACR's TAG_UNKNOWN. A 404 without one may come
// from a proxy, from a path that is not served, or from an Accept that does not fit.
var unknown = map[string]bool{"NAME_UNKNOWN": true, "MANIFEST_UNKNOWN": true, "TAG_UNKNOWN": true}

// errorCode returns the first code in the body of an error (OCI distribution spec
// 1.1, "Error Codes"), or "".
func errorCode(body []byte) string {
	var e struct {
		Errors first[struct{ Code string }]
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	// What is logged must be short and plain.
	code := e.Errors.item.Code
	if len(code) > 64 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" {
		return reference.Quote(code)
	}
	return code
}

// A first is the first item of a JSON list. Parsing all items may need many times as much
// memory as their JSON: {} becomes a struct.
type first[T any] struct{ item T }

// UnmarshalJSON implements json.Unmarshaler. A list without items is no error.
func (f *first[T]) UnmarshalJSON(list []byte) error {
	d := json.NewDecoder(bytes.NewReader(list))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') || !d.More() {
		return err
	}
	return d.Decode(&f.item)
}
