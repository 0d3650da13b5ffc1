// Package xmltext escapes text for XML. Images and feeds are written as text, because
// encoding/xml would slow down the start of a Lambda function.
package xmltext

import (
	"html"
	"strings"
)

// Escape returns s for use as text or as a quoted attribute in an XML 1.0 document.
// Characters that XML forbids become �, as do bytes that are not UTF-8.
func Escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, s))
}
