package badge

import (
	"fmt"
	"hash/fnv"
	"html"
	"strconv"
	"strings"
)

const (
	height  = 20 // of a badge, in pixels
	padding = 5  // left and right of a text
)

// SVG is b as an image in the flat style of READMEs. It is complete in itself: no
// script, no style sheet, nothing loaded, and no logo, since the logos of Simple
// Icons are not ours to ship. A screen reader reads its title.
func (b Badge) SVG() []byte {
	label, message := xmlText(strings.TrimSpace(b.Label)), xmlText(strings.TrimSpace(b.Message))
	title := message
	left := 0
	if label != "" {
		title = label + ": " + message
		left = width(label) + 2*padding
	}
	right := width(message) + 2*padding
	color := fill(b.Color)

	// Images that stand in one page must not share ids, but for equal ones.
	sum := fnv.New32a()
	fmt.Fprintf(sum, "%s\n%s", title, color)
	id := strconv.FormatUint(uint64(sum.Sum32()), 36)

	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img" aria-label="%s"><title>%s</title>`,
		left+right, height, html.EscapeString(title), html.EscapeString(title))
	fmt.Fprintf(&s, `<linearGradient id="g%s" x2="0" y2="100%%"><stop offset="0" stop-color="#bbb" stop-opacity=".1"/><stop offset="1" stop-opacity=".1"/></linearGradient>`, id)
	fmt.Fprintf(&s, `<clipPath id="c%s"><rect width="%d" height="%d" rx="3"/></clipPath><g clip-path="url(#c%s)">`, id, left+right, height, id)
	if left > 0 {
		fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="#555"/>`, left, height)
	}
	fmt.Fprintf(&s, `<rect x="%d" width="%d" height="%d" fill="%s"/>`, left, right, height, color)
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="url(#g%s)"/></g>`, left+right, height, id)
	s.WriteString(`<g text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="110" text-rendering="geometricPrecision" transform="scale(.1)">`)
	if left > 0 {
		// Where two texts meet, both look centred one pixel nearer to each other.
		writeText(&s, label, 1, "#555")
		writeText(&s, message, left-1, color)
	} else {
		writeText(&s, message, 0, color)
	}
	s.WriteString(`</g></svg>`)
	return []byte(s.String())
}

// writeText draws text and its shadow in a field that begins at x, in pixels.
// Whatever font a reader has, the text is as wide as was reckoned.
func writeText(s *strings.Builder, text string, x int, background string) {
	ink, shadow := "#fff", "#010101"
	if isLight(background) {
		ink, shadow = "#333", "#ccc"
	}
	w := width(text)
	middle := 10*(x+padding) + 5*w
	escaped := html.EscapeString(text)
	fmt.Fprintf(s, `<text x="%d" y="150" fill="%s" fill-opacity=".3" textLength="%d" aria-hidden="true">%s</text>`, middle, shadow, 10*w, escaped)
	fmt.Fprintf(s, `<text x="%d" y="140" fill="%s" textLength="%d">%s</text>`, middle, ink, 10*w, escaped)
}

// fill is a colour as SVG has it: one of shields.io's names as its value, another
// name as it is, a hex triplet with its #. What is neither is shields.io's grey.
func fill(color string) string {
	if value, ok := map[string]string{
		"brightgreen": "#4c1", "success": "#4c1",
		"green":       "#97ca00",
		"yellowgreen": "#a4a61d",
		"yellow":      "#dfb317",
		"orange":      "#fe7d37", "important": "#fe7d37",
		"red": "#e05d44", "critical": "#e05d44",
		"blue": "#007ec6", "informational": "#007ec6",
		"grey": "#555", "gray": "#555",
		"lightgrey": "#9f9f9f", "lightgray": "#9f9f9f", "inactive": "#9f9f9f",
	}[color]; ok {
		return value
	}
	if _, ok := hex(color); ok {
		return "#" + color
	}
	if color == "" || strings.Trim(color, "abcdefghijklmnopqrstuvwxyz") != "" {
		return "#9f9f9f"
	}
	return color
}

// isLight reports whether dark text reads better on a colour: from a brightness
// of 0.69 on, by https://www.w3.org/TR/AERT/#color-contrast. That of a name which
// is not shields.io's is not known, and taken for dark.
func isLight(color string) bool {
	rgb, ok := hex(strings.TrimPrefix(color, "#"))
	return ok && 299*rgb[0]+587*rgb[1]+114*rgb[2] > 690*255
}

// hex reads three or six hex digits.
func hex(color string) (rgb [3]int, ok bool) {
	if len(color) == 3 {
		color = string([]byte{color[0], color[0], color[1], color[1], color[2], color[2]})
	}
	n, err := strconv.ParseUint(color, 16, 32)
	if len(color) != 6 || err != nil {
		return rgb, false
	}
	return [3]int{int(n >> 16), int(n >> 8 & 0xff), int(n & 0xff)}, true
}

// xmlText puts � for what no XML 1.0 document may contain.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, s)
}
