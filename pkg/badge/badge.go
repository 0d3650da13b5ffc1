// Package badge draws badges: as the JSON from which shields.io draws one, and as an
// SVG image of its own. What a badge says is its caller's decision.
package badge

// A Badge is a label and a message, side by side. Colors are those of IsColor.
type Badge struct {
	Label      string `json:"label"`                // empty: the message stands alone
	Message    string `json:"message"`              // must not be empty: shields.io refuses such a badge
	Color      string `json:"color"`                // of the message's side
	LabelColor string `json:"labelColor,omitempty"` // of the label's side; empty: grey
	Logo       string `json:"namedLogo,omitempty"`  // a slug of Simple Icons, which only shields.io draws; empty: none
	IsError    bool   `json:"isError,omitempty"`    // shields.io caches an error for a shorter time
	IsSquare   bool   `json:"-"`                    // the image is flat-square; shields.io has a style of its own
}

// Endpoint returns the JSON value of b by the schema of shields.io's endpoint badge,
// which refuses unknown keys: https://shields.io/badges/endpoint-badge.
func (b Badge) Endpoint() any {
	return struct {
		SchemaVersion int `json:"schemaVersion"`
		Badge
	}{1, b}
}
