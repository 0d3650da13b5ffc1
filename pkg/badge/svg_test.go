package badge_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/badge"
)

// image is a badge as a program sees it.
type image struct {
	XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
	Width   int      `xml:"width,attr"`
	Height  int      `xml:"height,attr"`
	Role    string   `xml:"role,attr"`
	Aria    string   `xml:"aria-label,attr"`
	Title   string   `xml:"title"`
	Texts   []text   `xml:"g>text"`
	Rects   []rect   `xml:"g>rect"`
}

type text struct {
	Fill    string `xml:"fill,attr"`
	Opacity string `xml:"fill-opacity,attr"`
	Length  int    `xml:"textLength,attr"`
	X       int    `xml:"x,attr"`
	Y       int    `xml:"y,attr"`
	Hidden  string `xml:"aria-hidden,attr"`
	Text    string `xml:",chardata"`
}

type rect struct {
	Fill   string `xml:"fill,attr"`
	X      int    `xml:"x,attr"`
	Width  int    `xml:"width,attr"`
	Height int    `xml:"height,attr"`
}

func parse(t testing.TB, svg []byte) (i image) {
	t.Helper()
	if err := xml.Unmarshal(svg, &i); err != nil {
		t.Fatalf("%s: %v", svg, err)
	}
	return i
}

// TestWidthsAreBadgeMakers compares widths with those of the npm package. Widths of
// scripts other than Latin are estimates.
func TestWidthsAreBadgeMakers(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/widths.json")
	if err != nil {
		t.Fatal(err)
	}
	var widths map[string]int
	if err := json.Unmarshal(b, &widths); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for message, want := range widths {
		got := parse(t, badge.Badge{Message: message, Color: "blue"}.SVG()).Width
		if strings.ContainsFunc(message, func(r rune) bool { return r > unicode.MaxLatin1 }) {
			t.Logf("%q is %d px wide, badge-maker's is %d px", message, got, want)
			if diff := got - want; diff < -want || diff > want {
				t.Errorf("%q is %d px wide, which is no good estimate of %d", message, got, want)
			}
			continue
		}
		compared++
		if diff := got - want; diff < -2 || diff > 2 {
			t.Errorf("%q is %d px wide, want %d", message, got, want)
		}
	}
	if compared < 50 {
		t.Errorf("%d texts compared, want at least 50", compared)
	}
}

func TestSVG(t *testing.T) {
	t.Parallel()
	got := parse(t, badge.Badge{Label: "oci", Message: "1.0", Color: "blue", Logo: "docker"}.SVG())
	// Widths, middles and lengths come from badge-maker.
	want := image{XMLName: got.XMLName, Width: 52, Height: 20, Role: "img", Aria: "oci: 1.0", Title: "oci: 1.0",
		Texts: []text{
			{Fill: "#010101", Opacity: ".3", Length: 150, X: 135, Y: 150, Hidden: "true", Text: "oci"},
			{Fill: "#fff", Length: 150, X: 135, Y: 140, Text: "oci"},
			{Fill: "#010101", Opacity: ".3", Length: 170, X: 375, Y: 150, Hidden: "true", Text: "1.0"},
			{Fill: "#fff", Length: 170, X: 375, Y: 140, Text: "1.0"},
		},
		Rects: []rect{{Fill: "#555", Width: 25, Height: 20}, {Fill: "#007ec6", X: 25, Width: 27, Height: 20}, {Fill: got.Rects[2].Fill, Width: 52, Height: 20}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("badge with a label: -want +got\n%s", diff)
	}
}

func TestSVGWithoutALabel(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"", " "} {
		got := parse(t, badge.Badge{Label: label, Message: " 1.0 ", Color: "blue"}.SVG())
		want := image{XMLName: got.XMLName, Width: 27, Height: 20, Role: "img", Aria: "1.0", Title: "1.0",
			Texts: []text{
				{Fill: "#010101", Opacity: ".3", Length: 170, X: 135, Y: 150, Hidden: "true", Text: "1.0"},
				{Fill: "#fff", Length: 170, X: 135, Y: 140, Text: "1.0"},
			},
			Rects: []rect{{Fill: "#007ec6", Width: 27, Height: 20}, {Fill: got.Rects[1].Fill, Width: 27, Height: 20}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("badge with the label %q: -want +got\n%s", label, diff)
		}
	}
}

// TestInkIsReadable: text on a light color is dark. badge-maker compares the brightness
// rounded to two decimals.
func TestInkIsReadable(t *testing.T) {
	t.Parallel()
	for color, want := range map[string]string{
		"000": "#fff", "fff": "#333", "FFF": "#333", "white": "#333", "black": "#fff", "papayawhip": "#333", "rebeccapurple": "#fff",
		"b1b1b1": "#fff", // brightness 0.694
		"b2b2b2": "#333", // brightness 0.698
		"ff0000": "#fff", "00ff00": "#fff", "ffff00": "#333", "00ffff": "#333", "ff00ff": "#fff",
		"#fff": "#333", "#fff0": "#333", "#ffffff00": "#333", "#000f": "#fff",
		"brightgreen": "#fff", "yellow": "#fff", "lightgrey": "#fff",
	} {
		if got := parse(t, badge.Badge{Message: "x", Color: color}.SVG()).Texts[1].Fill; got != want {
			t.Errorf("color %q: text in %s, want %s", color, got, want)
		}
		got := parse(t, badge.Badge{Label: "x", Message: "y", Color: "blue", LabelColor: color}.SVG())
		if got.Texts[1].Fill != want {
			t.Errorf("label color %q: text in %s, want %s", color, got.Texts[1].Fill, want)
		}
	}
}

// TestUnknownColorIsLightgrey: an image needs some color.
func TestUnknownColorIsLightgrey(t *testing.T) {
	t.Parallel()
	for _, color := range []string{"", "12345", "rgb(1,2,3)", "url(x)", `"/><script>`} {
		if badge.IsColor(color) {
			t.Errorf("IsColor(%q)", color)
		}
		got := parse(t, badge.Badge{Label: "x", LabelColor: color, Message: "x", Color: color}.SVG())
		want := map[bool]string{true: "#555", false: "#939393"}[color == ""]
		if got.Rects[0].Fill != want || got.Rects[1].Fill != "#939393" {
			t.Errorf("color %q: fills %s and %s, want %s and #939393", color, got.Rects[0].Fill, got.Rects[1].Fill, want)
		}
	}
}

func TestMarkupIsText(t *testing.T) {
	t.Parallel()
	const hostile = `</title><script>alert("x")</script>&amp;'` + "\x00\x1b\uFFFE\uFFFF.\t.\n.\r."
	const drawn = `</title><script>alert("x")</script>&amp;'` + "\uFFFD\uFFFD\uFFFD\uFFFD.\t.\n.\n."
	got := parse(t, badge.Badge{Label: hostile, Message: hostile, Color: "blue"}.SVG())
	for i, text := range got.Texts {
		if text.Text != drawn {
			t.Errorf("text %d is %q, want %q", i, text.Text, drawn)
		}
	}
	if want := drawn + ": " + drawn; got.Title != want {
		t.Errorf("title %q, want %q", got.Title, want)
	}
}

func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	id := func(b badge.Badge) string {
		_, rest, _ := strings.Cut(string(b.SVG()), `clipPath id="`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	first := badge.Badge{Message: "1", Color: "blue"}
	if a, b := id(first), id(first); a != b {
		t.Errorf("one badge has the ids %s and %s", a, b)
	}
	for _, other := range []badge.Badge{{Message: "2", Color: "blue"}, {Message: "1", Color: "red"}, {Label: "1", Message: "1", Color: "blue"}, {Message: "1", Color: "blue", LabelColor: "red"}} {
		if id(first) == id(other) {
			t.Errorf("%+v and %+v have the same id", first, other)
		}
	}
}

func FuzzSVG(f *testing.F) {
	f.Add("", "wasmcloud.azurecr.io/wash:0.18.1", "253746", "", false)
	f.Add("<&>", "]]>\x00", "url(#x)", "#ffff", true)
	f.Add("漢字", "😀\xff", "white", `"`, false)
	f.Fuzz(func(t *testing.T, label, message, color, labelColor string, isSquare bool) {
		svg := badge.Badge{Label: label, Message: message, Color: color, LabelColor: labelColor, IsSquare: isSquare}.SVG()
		if got := parse(t, svg); got.Width < 10 {
			t.Errorf("%d px wide", got.Width)
		}
		for dec := xml.NewDecoder(strings.NewReader(string(svg))); ; {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			switch start.Name.Local {
			case "svg", "title", "linearGradient", "stop", "clipPath", "rect", "g", "text":
			default:
				t.Errorf("element %s", start.Name.Local)
			}
			for _, a := range start.Attr {
				if a.Name.Local == "href" || a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("attribute %s", a.Name.Local)
				}
			}
		}
	})
}

func BenchmarkSVG(b *testing.B) {
	badge := badge.Badge{Message: "wasmcloud.azurecr.io/wash:0.18.1", Color: "253746"}
	b.ReportAllocs()
	for b.Loop() {
		badge.SVG()
	}
}
