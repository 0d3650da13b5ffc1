package badge_test

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"ocireffer/pkg/badge"
)

// looks is the content of testdata/looks.json: what badge-maker draws.
type looks struct {
	Badges []struct{ Label, Message, Color, LabelColor, Style, SVG string }
	Colors map[string]*string // fill by color; nil: badge-maker refuses the color
}

func readLooks(t *testing.T) (all looks) {
	t.Helper()
	b, err := os.ReadFile("testdata/looks.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// A node is an element of an image.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Nodes   []node     `xml:",any"`
	Text    string     `xml:",chardata"`
}

func (n node) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// drawn returns what a person sees of an image, regardless of its structure: its size,
// title, rectangles and texts, with their own and inherited attributes. It leaves out
// blurred shadows, since ours are not blurred.
func drawn(t *testing.T, svg string) (all []string) {
	t.Helper()
	var root node
	if err := xml.Unmarshal([]byte(svg), &root); err != nil {
		t.Fatalf("%s: %v", svg, err)
	}
	var walk func(n node, inherited map[string]string)
	walk = func(n node, inherited map[string]string) {
		own := map[string]string{}
		for _, name := range []string{"fill", "fill-opacity", "shape-rendering", "text-anchor", "font-family", "font-size", "transform", "aria-hidden"} {
			own[name] = cmp.Or(n.attr(name), inherited[name])
		}
		switch n.XMLName.Local {
		case "svg":
			all = append(all, n.attr("width")+"x"+n.attr("height"), n.attr("aria-label"), n.attr("role"))
		case "title":
			all = append(all, n.Text)
		case "rect":
			if width := n.attr("width"); width != "0" && n.attr("rx") == "" {
				fill, _, _ := strings.Cut(own["fill"], "#s") // without the ID
				fill, _, _ = strings.Cut(fill, "#g")
				all = append(all, strings.Join([]string{"rect", cmp.Or(n.attr("x"), "0"), width, n.attr("height"), fill, own["shape-rendering"]}, " "))
			}
			if rx := n.attr("rx"); rx != "" {
				all = append(all, "round by "+rx)
			}
		case "text":
			if n.attr("filter") == "" {
				all = append(all, strings.Join([]string{"text", n.attr("x"), n.attr("y"), n.attr("textLength"), own["fill"], own["fill-opacity"],
					own["text-anchor"], own["font-family"], own["font-size"], own["transform"], own["aria-hidden"], n.Text}, " "))
			}
		case "stop":
			all = append(all, strings.Join([]string{"stop", n.attr("offset"), n.attr("stop-color"), n.attr("stop-opacity")}, " "))
		}
		for _, child := range n.Nodes {
			walk(child, own)
		}
	}
	walk(root, nil)
	return all
}

func TestBadgesLookAsBadgeMakers(t *testing.T) {
	t.Parallel()
	badges := readLooks(t).Badges
	for _, b := range badges {
		ours := badge.Badge{Label: b.Label, Message: b.Message, Color: b.Color, LabelColor: b.LabelColor, IsSquare: b.Style == "flat-square"}
		if diff := gocmp.Diff(drawn(t, b.SVG), drawn(t, string(ours.SVG()))); diff != "" {
			t.Errorf("%+v: -badge-maker +ours\n%s", ours, diff)
		}
	}
	if len(badges) < 40 {
		t.Errorf("%d badges compared, want at least 40", len(badges))
	}
}

// TestColorsAreBadgeMakers: badge-maker accepts the same colors, and draws them in the
// same way.
func TestColorsAreBadgeMakers(t *testing.T) {
	t.Parallel()
	colors := readLooks(t).Colors
	for color, want := range colors {
		if got := badge.IsColor(color); got != (want != nil) {
			t.Errorf("IsColor(%q) = %t, but badge-maker accepts it: %t", color, got, want != nil)
		}
		if got := parse(t, badge.Badge{Message: "x", Color: color}.SVG()).Rects[0].Fill; want != nil && got != *want {
			t.Errorf("color %q: fill %s, want %s", color, got, *want)
		}
	}
	if len(colors) < 180 {
		t.Errorf("%d colors compared, want at least 180", len(colors))
	}
}
