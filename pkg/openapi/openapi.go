// Package openapi holds the description of the whole HTTP interface, of both
// functions, in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1). What it
// describes lives in packages ingest and lookup; tests hold the two together.
package openapi

import _ "embed"

// Document is the description, as JSON.
//
//go:embed openapi.json
var Document string
