// Package openapi holds the description of the whole HTTP API in OpenAPI 3.1
// (https://spec.openapis.org/oas/v3.1.1). The handlers are in packages ingest and lookup;
// tests compare them with the description.
package openapi

import _ "embed"

// Document is the description, as JSON.
//
//go:embed openapi.json
var Document string
