// Package xmltext makes any text one of XML. Images and feeds are written as texts:
// encoding/xml would add to the start of a Lambda function.
package xmltext

import (
	"html"
	"strings"
)

// Escape returns s as the text or the quoted attribute of an XML 1.0 document. A
// character that XML forbids becomes �, as does a byte that is no UTF-8.
func Escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, s))
}
