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

	"ocireffer/pkg/badge"
)

// image is what a program sees of a badge.
type image struct {
	XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
	Width   int      `xml:"width,attr"`
	Height  int      `xml:"height,attr"`
	Role    string   `xml:"role,attr"`
	Aria    string   `xml:"aria-label,attr"`
	Title   string   `xml:"title"`
	Texts   []struct {
		Fill   string `xml:"fill,attr"`
		Length int    `xml:"textLength,attr"`
		X      int    `xml:"x,attr"`
		Text   string `xml:",chardata"`
	} `xml:"g>text"`
	Rects []struct {
		Fill  string `xml:"fill,attr"`
		Width int    `xml:"width,attr"`
	} `xml:"g>rect"`
}

func parse(t testing.TB, svg []byte) (i image) {
	t.Helper()
	if err := xml.Unmarshal(svg, &i); err != nil {
		t.Fatalf("%s: %v", svg, err)
	}
	return i
}

// TestWidthsAreBadgeMakers compares with the widths of the npm package. Those of
// other scripts than Latin are estimates.
func TestWidthsAreBadgeMakers(t *testing.T) {
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
			t.Logf("%q is %d px wide, by badge-maker %d", message, got, want)
			if diff := got - want; diff < -want || diff > want {
				t.Errorf("%q is %d px wide, no sensible estimate of %d", message, got, want)
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
	got := parse(t, badge.Badge{Label: "oci", Message: "1.0", Color: "blue", Logo: "docker"}.SVG())
	if got.Width != 52 || got.Height != 20 || got.Role != "img" || got.Aria != "oci: 1.0" || got.Title != "oci: 1.0" {
		t.Errorf("SVG = %+v", got)
	}
	if len(got.Rects) != 3 || got.Rects[0].Width != 25 || got.Rects[0].Fill != "#555" || got.Rects[1].Width != 27 || got.Rects[1].Fill != "#007ec6" {
		t.Errorf("rectangles = %+v, want label and message as badge-maker has them", got.Rects)
	}
	// The middles and lengths, too, are badge-maker's.
	for i, want := range []struct{ x, length int }{{135, 150}, {135, 150}, {375, 170}, {375, 170}} {
		if text := got.Texts[i]; text.X != want.x || text.Length != want.length {
			t.Errorf("text %d = %+v, want middle %d and length %d", i, text, want.x, want.length)
		}
	}

	alone := parse(t, badge.Badge{Message: "1.0", Color: "blue"}.SVG())
	if alone.Width != 27 || alone.Title != "1.0" || len(alone.Rects) != 2 || len(alone.Texts) != 2 {
		t.Errorf("SVG without a label = %+v", alone)
	}
}

func TestColors(t *testing.T) {
	for color, want := range map[string]struct{ fill, ink string }{
		"253746": {"#253746", "#fff"}, "fff": {"#fff", "#333"}, "FFF": {"#FFF", "#333"}, "000": {"#000", "#fff"},
		"b0b0b0": {"#b0b0b0", "#333"}, "afafaf": {"#afafaf", "#fff"}, // on both sides of 0.69
		"brightgreen": {"#4c1", "#fff"}, "lightgrey": {"#9f9f9f", "#fff"}, "inactive": {"#9f9f9f", "#fff"}, "red": {"#e05d44", "#fff"}, "blue": {"#007ec6", "#fff"},
		"rebeccapurple": {"rebeccapurple", "#fff"},
		"":              {"#9f9f9f", "#fff"}, "#fff": {"#9f9f9f", "#fff"}, "12345": {"#9f9f9f", "#fff"}, `"/><script>`: {"#9f9f9f", "#fff"}, "url(x)": {"#9f9f9f", "#fff"},
	} {
		got := parse(t, badge.Badge{Message: "x", Color: color}.SVG())
		if got.Rects[0].Fill != want.fill || got.Texts[1].Fill != want.ink {
			t.Errorf("colour %q: fill %s with text %s, want %s and %s", color, got.Rects[0].Fill, got.Texts[1].Fill, want.fill, want.ink)
		}
	}
}

func TestMarkupIsText(t *testing.T) {
	const hostile = `</title><script>alert("x")</script>&amp;'` + "\x00\x1b\xff\uFFFE"
	svg := badge.Badge{Label: hostile, Message: hostile, Color: "blue"}.SVG()
	got := parse(t, svg)
	if strings.Contains(string(svg), "<script") || !strings.HasPrefix(got.Texts[0].Text, `</title><script>alert("x")</script>&amp;'`) {
		t.Errorf("SVG = %s", svg)
	}
}

func TestIDsDiffer(t *testing.T) {
	id := func(b badge.Badge) string {
		_, rest, _ := strings.Cut(string(b.SVG()), `clipPath id="`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	a := badge.Badge{Message: "1", Color: "blue"}
	first, again, other := id(a), id(a), id(badge.Badge{Message: "2", Color: "blue"})
	if first != again || first == other {
		t.Errorf("ids %s and %s of one badge, %s of another", first, again, other)
	}
}

func FuzzSVG(f *testing.F) {
	f.Add("", "wasmcloud.azurecr.io/wash:0.18.1", "253746")
	f.Add("<&>", "]]>\x00", "url(#x)")
	f.Add("漢字", "😀\xff", "white")
	f.Fuzz(func(t *testing.T, label, message, color string) {
		svg := badge.Badge{Label: label, Message: message, Color: color}.SVG()
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
