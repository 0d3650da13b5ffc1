package badge

import (
	"fmt"
	"hash/fnv"
	"html"
	"strconv"
	"strings"
)

const (
	height     = 20 // of a badge, in pixels
	padding    = 5  // left and right of a text, in pixels
	labelColor = "#555"
)

// SVG returns b as an image in the flat style of READMEs. The image is complete in
// itself: it has no script and no style sheet, and loads nothing. It has no logo,
// since the logos of Simple Icons are not ours to ship. Screen readers read its
// title.
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
	id := idOf(title, color)

	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img" aria-label="%s"><title>%s</title>`,
		left+right, height, html.EscapeString(title), html.EscapeString(title))
	fmt.Fprintf(&s, `<linearGradient id="g%s" x2="0" y2="100%%"><stop offset="0" stop-color="#bbb" stop-opacity=".1"/><stop offset="1" stop-opacity=".1"/></linearGradient>`, id)
	fmt.Fprintf(&s, `<clipPath id="c%s"><rect width="%d" height="%d" rx="3"/></clipPath><g clip-path="url(#c%s)">`, id, left+right, height, id)
	if left > 0 {
		fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="%s"/>`, left, height, labelColor)
	}
	fmt.Fprintf(&s, `<rect x="%d" width="%d" height="%d" fill="%s"/>`, left, right, height, color)
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="url(#g%s)"/></g>`, left+right, height, id)
	s.WriteString(`<g text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="110" text-rendering="geometricPrecision" transform="scale(.1)">`)
	if left > 0 {
		// Where two texts meet, both look centered one pixel nearer to each other.
		writeText(&s, label, 1, labelColor)
		writeText(&s, message, left-1, color)
	} else {
		writeText(&s, message, 0, color)
	}
	s.WriteString(`</g></svg>`)
	return []byte(s.String())
}

// idOf returns an id for the parts of an image. Different images in one page must
// not share ids.
func idOf(title, color string) string {
	sum := fnv.New32a()
	fmt.Fprintf(sum, "%s\n%s", title, color)
	return strconv.FormatUint(uint64(sum.Sum32()), 36)
}

// writeText draws text and its shadow in a field that begins at x, in pixels. The
// text takes the width that was calculated, whatever font the reader has.
func writeText(s *strings.Builder, text string, x int, background string) {
	ink, shadow := "#fff", "#010101"
	if isLight(background) {
		ink, shadow = "#333", "#ccc"
	}
	w := width(text)
	middle := 10*(x+padding) + 5*w // the group is scaled by 0.1
	escaped := html.EscapeString(text)
	fmt.Fprintf(s, `<text x="%d" y="150" fill="%s" fill-opacity=".3" textLength="%d" aria-hidden="true">%s</text>`, middle, shadow, 10*w, escaped)
	fmt.Fprintf(s, `<text x="%d" y="140" fill="%s" textLength="%d">%s</text>`, middle, ink, 10*w, escaped)
}

// fill returns a color as SVG wants it: the value of a name that shields.io knows,
// any other name as it is, hex digits with their #, and for anything else
// shields.io's grey.
func fill(color string) string {
	switch color {
	case "brightgreen", "success":
		return "#4c1"
	case "green":
		return "#97ca00"
	case "yellowgreen":
		return "#a4a61d"
	case "yellow":
		return "#dfb317"
	case "orange", "important":
		return "#fe7d37"
	case "red", "critical":
		return "#e05d44"
	case "blue", "informational":
		return "#007ec6"
	case "grey", "gray":
		return "#555"
	case "lightgrey", "lightgray", "inactive":
		return "#9f9f9f"
	}
	if _, ok := parseHex(color); ok {
		return "#" + color
	}
	isName := color != "" && strings.Trim(color, "abcdefghijklmnopqrstuvwxyz") == ""
	if isName {
		return color
	}
	return "#9f9f9f"
}

// isLight reports whether dark text reads better on a color: from a brightness of
// 0.69 on, by https://www.w3.org/TR/AERT/#color-contrast. A name has unknown
// brightness and counts as dark.
func isLight(color string) bool {
	rgb, ok := parseHex(strings.TrimPrefix(color, "#"))
	return ok && 299*rgb[0]+587*rgb[1]+114*rgb[2] > 690*255
}

// parseHex reads three or six hex digits.
func parseHex(color string) (rgb [3]int, ok bool) {
	if len(color) == 3 {
		color = string([]byte{color[0], color[0], color[1], color[1], color[2], color[2]})
	}
	n, err := strconv.ParseUint(color, 16, 32)
	if len(color) != 6 || err != nil {
		return rgb, false
	}
	return [3]int{int(n >> 16), int(n >> 8 & 0xff), int(n & 0xff)}, true
}

// xmlText returns s with � in place of the characters that XML 1.0 forbids.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, s)
}
