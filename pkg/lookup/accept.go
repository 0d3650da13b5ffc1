package lookup

import (
	"strconv"
	"strings"
)

// prefersPage reports whether Accept headers name text/html, as those of a browser do
// that opens an address. A reader that names JSON and prefers it gets JSON. Ranges such
// as */* and text/* name nothing: link previews, curl and fetch send them.
//
// What sends which header: browsers by
// https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/Content_negotiation/List_of_default_Accept_values,
// shields.io application/json (its BaseJsonService), GitHub's image proxy what the
// reader's browser sent it, or else image/* (https://github.com/atmos/camo). So that one
// may ask for text/html, too, but a badge in a README has a format. Java's own client
// names text/html unless a program sets the header.
func prefersPage(accept []string) bool {
	page, program := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		mediaType, parameters, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(mediaType)) {
		case "text/html":
			page = max(page, weight(parameters))
		case "application/json":
			program = max(program, weight(parameters))
		}
	}
	return page > 0 && page >= program
}

// weight returns the weight among the parameters of a media range, by RFC 9110, section
// 12.4.2. One that is malformed counts as absent.
func weight(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if q, err := strconv.ParseFloat(value, 64); strings.EqualFold(name, "q") && err == nil && 0 <= q && q <= 1 {
			return q
		}
	}
	return 1
}
