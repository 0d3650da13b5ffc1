// Package badge draws badges: as the JSON that a shields.io endpoint badge
// reads. What a badge says is decided by who asks for it.
package badge

import (
	"bytes"
	"encoding/json"
)

// A Badge is what one says and how it looks.
type Badge struct {
	Label   string
	Message string // must not be empty: shields.io refuses such a badge
	Color   string // a hex triplet without #, or a name that shields.io knows
	Logo    string // a slug of Simple Icons; empty: none
	IsError bool   // shields.io draws it as an error and keeps it for a shorter time
}

// JSON is b by the schema of shields.io's endpoint badge, which refuses unknown
// keys: https://shields.io/badges/endpoint-badge.
func (b Badge) JSON() []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Strings, a number and a truth: this cannot fail.
	if err := enc.Encode(struct {
		SchemaVersion int    `json:"schemaVersion"`
		Label         string `json:"label"`
		Message       string `json:"message"`
		Color         string `json:"color"`
		NamedLogo     string `json:"namedLogo,omitempty"`
		IsError       bool   `json:"isError,omitempty"`
	}{1, b.Label, b.Message, b.Color, b.Logo, b.IsError}); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
