package xmltext_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"ocireffer/pkg/xmltext"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                      "",
		"wash é 漢 😀":            "wash é 漢 😀",
		`<a b="c">&'`:           "&lt;a b=&#34;c&#34;&gt;&amp;&#39;",
		"]]>":                   "]]&gt;",
		"&amp;":                 "&amp;amp;",
		"\t\n":                  "\t\n",
		"\x00\x1b\uFFFE\uFFFF.": "\uFFFD\uFFFD\uFFFD\uFFFD.",
		"\xff\xed\xa0\x80\x7f.": "\uFFFD\uFFFD\uFFFD\uFFFD\x7f.",
	} {
		if got := xmltext.Escape(s); got != want {
			t.Errorf("Escape(%q) = %q, want %q", s, got, want)
		}
	}
}

// FuzzEscape: escaped text is read back unchanged, except for what XML forbids and for
// line ends.
func FuzzEscape(f *testing.F) {
	f.Add("a <b> & \"c\" 'd' ]]>")
	f.Add("\x00\xff\uFFFE\r\n\t")
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.Map(func(r rune) rune {
			if r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == '\uFFFE' || r == '\uFFFF' {
				return '\uFFFD'
			}
			return r
		}, s)
		want = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(want)
		var got struct {
			Text string `xml:",chardata"`
			Attr string `xml:"a,attr"`
		}
		escaped := xmltext.Escape(s)
		if err := xml.Unmarshal([]byte(`<x a="`+escaped+`">`+escaped+`</x>`), &got); err != nil {
			t.Fatalf("%q: %v", escaped, err)
		}
		if got.Text != want || got.Attr != want {
			t.Errorf("%q is read as the text %q and the attribute %q, want %q", s, got.Text, got.Attr, want)
		}
	})
}
