// Package badge draws badges: as JSON from which shields.io draws one, and as an SVG
// image of its own. The caller decides what a badge shows.
package badge

// A Badge is a label and a message, side by side. IsColor defines its colors.
type Badge struct {
	Label      string `json:"label"`                // empty: only the message is shown
	Message    string `json:"message"`              // must not be empty: shields.io refuses such a badge
	Color      string `json:"color"`                // of the message's side
	LabelColor string `json:"labelColor,omitempty"` // of the label's side; empty: grey
	Logo       string `json:"namedLogo,omitempty"`  // a slug of Simple Icons, which only shields.io draws; empty: none
	IsError    bool   `json:"isError,omitempty"`    // shields.io caches an error for a shorter time
	IsSquare   bool   `json:"-"`                    // the SVG is flat-square; the URL of a shields.io badge has its own style parameter
}

// Endpoint returns b as a JSON value in the schema of shields.io's endpoint badge, which
// refuses unknown keys: https://shields.io/badges/endpoint-badge.
func (b Badge) Endpoint() any {
	return struct {
		SchemaVersion int `json:"schemaVersion"`
		Badge
	}{1, b}
}
