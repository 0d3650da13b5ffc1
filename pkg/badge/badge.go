// Package badge draws badges: as the JSON from which shields.io draws one, and as an
// SVG image of its own. What a badge says is its caller's decision.
package badge

import (
	"bytes"
	"encoding/json"
)

// A Badge is a label and a message, side by side. Colors are those of IsColor.
type Badge struct {
	Label      string // empty: the message stands alone
	Message    string // must not be empty: shields.io refuses such a badge
	Color      string // of the message's side
	LabelColor string // of the label's side; empty: grey
	Logo       string // a slug of Simple Icons, which only shields.io draws; empty: none
	IsError    bool   // shields.io caches an error for a shorter time
	IsSquare   bool   // the image has neither round corners nor shadows; shields.io takes styles from its own URL
}

// JSON returns b by the schema of shields.io's endpoint badge, which refuses unknown
// keys: https://shields.io/badges/endpoint-badge.
func (b Badge) JSON() []byte {
	endpoint := struct {
		SchemaVersion int    `json:"schemaVersion"`
		Label         string `json:"label"`
		Message       string `json:"message"`
		Color         string `json:"color"`
		LabelColor    string `json:"labelColor,omitempty"`
		NamedLogo     string `json:"namedLogo,omitempty"`
		IsError       bool   `json:"isError,omitempty"`
	}{1, b.Label, b.Message, b.Color, b.LabelColor, b.Logo, b.IsError}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(endpoint); err != nil {
		panic(err) // strings, a number and a bool can be encoded
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
