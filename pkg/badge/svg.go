package badge

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"ocireffer/pkg/xmltext"
)

const (
	height  = 20 // of a badge, in pixels
	padding = 5  // left and right of a text, in pixels
)

// SVG returns b as an image in the style flat, or flat-square if b.IsSquare. It looks
// like shields.io's badge, but without a logo: we may not ship the logos of Simple Icons.
// The image is self-contained: it has no script and no style sheet, and loads nothing.
// Screen readers read its title.
func (b Badge) SVG() []byte {
	label, message := strings.TrimSpace(b.Label), strings.TrimSpace(b.Message)
	title := message
	if label != "" {
		title = label + ": " + message
	}
	fields, left := make([]field, 0, 2), 0
	if label != "" || b.LabelColor != "" {
		// Where two fields meet, their texts look centered if each is one pixel closer to
		// the other.
		fields = append(fields, newField(label, cmp.Or(b.LabelColor, "grey"), 0, 1))
		left = fields[0].width
	}
	fields = append(fields, newField(message, b.Color, left, max(0, left-1)))
	all := left + fields[len(fields)-1].width

	var s strings.Builder
	escaped := xmltext.Escape(title)
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img" aria-label="%s"><title>%s</title>`,
		all, height, escaped, escaped)
	if b.IsSquare {
		s.WriteString(`<g shape-rendering="crispEdges">`)
		writeRects(&s, fields)
	} else {
		id := idOf(title, fields)
		fmt.Fprintf(&s, `<linearGradient id="g%s" x2="0" y2="100%%"><stop offset="0" stop-color="#bbb" stop-opacity=".1"/><stop offset="1" stop-opacity=".1"/></linearGradient>`, id)
		fmt.Fprintf(&s, `<clipPath id="c%s"><rect width="%d" height="%d" rx="3"/></clipPath><g clip-path="url(#c%s)">`, id, all, height, id)
		writeRects(&s, fields)
		fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="url(#g%s)"/>`, all, height, id)
	}
	s.WriteString(`</g><g text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="110" text-rendering="geometricPrecision" transform="scale(.1)">`)
	for _, f := range fields {
		if f.text != "" {
			f.writeText(&s, !b.IsSquare)
		}
	}
	s.WriteString(`</g></svg>`)
	return []byte(s.String())
}

// A field is one side of an image: a rectangle with a text. Its lengths are in pixels.
type field struct {
	x, width  int
	fill      string
	text      string
	margin    int // x where the text's padding begins
	textWidth int
	isLight   bool
}

func newField(text, color string, x, margin int) field {
	f := field{x: x, text: text, margin: margin}
	var rgb [3]int
	var ok bool
	if f.fill, rgb, ok = parseColor(color); !ok {
		f.fill = lightgrey
	}
	f.isLight = isLight(rgb)
	if text != "" {
		f.textWidth = width(text)
	}
	f.width = f.textWidth + 2*padding
	return f
}

func writeRects(s *strings.Builder, fields []field) {
	for _, f := range fields {
		fmt.Fprintf(s, `<rect x="%d" width="%d" height="%d" fill="%s"/>`, f.x, f.width, height, f.fill)
	}
}

// writeText draws f's text, with a shadow if hasShadow. The text is stretched to the
// calculated width, whatever font the reader has.
func (f field) writeText(s *strings.Builder, hasShadow bool) {
	ink, shadow := "#fff", "#010101"
	if f.isLight {
		ink, shadow = "#333", "#ccc"
	}
	middle, length := 10*(f.margin+padding)+5*f.textWidth, 10*f.textWidth // the group is scaled by 0.1
	escaped := xmltext.Escape(f.text)
	if hasShadow {
		fmt.Fprintf(s, `<text x="%d" y="150" fill="%s" fill-opacity=".3" textLength="%d" aria-hidden="true">%s</text>`, middle, shadow, length, escaped)
	}
	fmt.Fprintf(s, `<text x="%d" y="140" fill="%s" textLength="%d">%s</text>`, middle, ink, length, escaped)
}

// idOf returns an ID for the parts of an image. Different images on one page must not
// share IDs.
func idOf(title string, fields []field) string {
	sum := fnv.New32a()
	sum.Write([]byte(title))
	for _, f := range fields {
		sum.Write([]byte("\n" + f.fill))
	}
	return strconv.FormatUint(uint64(sum.Sum32()), 36)
}
