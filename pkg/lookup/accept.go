package lookup

import (
	"strconv"
	"strings"
)

// prefersPage reports whether Accept headers name text/html, as those of a browser do
// when it opens an address. A reader that names JSON and prefers it gets JSON. Ranges
// such as */* and text/* do not count: link previews, curl and fetch send them.
//
// Which reader sends which header: for browsers see
// https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/Content_negotiation/List_of_default_Accept_values.
// shields.io sends application/json (its BaseJsonService). GitHub's image proxy forwards
// what the reader's browser sent, or sends image/* (https://github.com/atmos/camo). So it
// may ask for text/html, too, but the URL of a badge in a README has a format. Java's own
// client names text/html unless a program sets the header.
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

// weight returns the weight in the parameters of a media range (RFC 9110, section
// 12.4.2). A malformed weight counts as absent.
func weight(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if q, err := strconv.ParseFloat(value, 64); strings.EqualFold(name, "q") && err == nil && 0 <= q && q <= 1 {
			return q
		}
	}
	return 1
}
