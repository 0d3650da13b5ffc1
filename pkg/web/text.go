package web

import (
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// How many characters of a text stay on one line.
const (
	longestPiece = 32 // of a reference: they fit on a phone that is 320 pixels wide
	longestPart  = 20 // of a name: they fit into the catalogue's first column
)

// code draws a text that people copy. On a narrow page it breaks after a slash or a blank
// and before a tag, but never inside a version that fits on a line.
func code(text string) g.Node { return h.Code(breakable(text, longestPiece)...) }

// breakable returns a text with places to break it into lines of at most longest
// characters. There are no more such places than needed.
func breakable(text string, longest int) (nodes []g.Node) {
	line := ""
	for _, piece := range pieces(text, longest) {
		if line != "" && len(line)+len(piece) > longest {
			nodes = append(nodes, g.Text(line), wbr)
			line = ""
		}
		line += piece
	}
	return append(nodes, g.Text(line))
}

var wbr = g.Raw("<wbr>")

// pieces splits a text where it may break. A piece longer than a line is cut.
func pieces(text string, longest int) (all []string) {
	tag := strings.LastIndexByte(text, ':')
	if strings.IndexByte(text[tag+1:], '/') >= 0 { // the colon belongs to a port
		tag = -1
	}
	begin := 0
	for i := range len(text) {
		switch end := i + 1; {
		case end == len(text), text[i] == '/', text[i] == ' ', end == tag, end-begin >= longest && isRune(text, end):
			all = append(all, text[begin:end])
			begin = end
		}
	}
	return all
}

// isRune reports whether a character begins at i.
func isRune(text string, i int) bool { return text[i]&0xc0 != 0x80 }

// kindOfTag returns what a reader should know about a tag before using it, or "".
func kindOfTag(tag string) string {
	version, ok := reference.ParseVersion(tag)
	switch {
	case ok && version.Prerelease():
		return "prerelease"
	case ok && !version.Full(), !ok && isFloating(tag):
		return "floating"
	default:
		return ""
	}
}

// isFloating reports whether a tag that is no version looks like one that moves from
// version to version: a word such as latest, or a number such as v2. The number of a
// build or a commit ID has more digits.
func isFloating(tag string) bool {
	digits := strings.TrimPrefix(tag, "v")
	if len(digits) <= 3 {
		_, err := strconv.Atoi(digits)
		return err == nil || !strings.ContainsAny(tag, "0123456789")
	}
	return !strings.ContainsAny(tag, "0123456789")
}

// nameLink draws an entry's name as a link to its page.
func nameLink(e store.Entry) g.Node {
	return h.A(append(breakable(e.Name.String(), longestPart), h.Href(RepositoryPath(e.LookupName(), nil)))...)
}

// markOf draws kindOfTag.
func markOf(tag string) g.Node {
	kind := kindOfTag(tag)
	return g.If(kind != "", g.Group{g.Text(" "), h.Small(h.Class("mark"), g.Text(kind))})
}

// stamp is the layout of exact times: to the second, in a form that the attribute
// datetime allows.
const stamp = "2006-01-02 15:04:05Z"

// ago draws the age of t. The style sheet shows the exact time, which is in an attribute,
// beside it.
func ago(now, t time.Time) g.Node {
	return h.Time(h.DateTime(t.UTC().Format(stamp)), g.Text(age(now.Sub(t))))
}

// age returns how long ago something was, in the largest unit that fits.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"year", 365 * day}, {"month", 30 * day}, {"day", day}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := int(d / unit.is); n > 0 {
			return count(n, unit.name, unit.name+"s") + " ago"
		}
	}
	return "just now"
}

// count returns a number with the matching noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// head draws the head of a column.
func head(text string) g.Node { return h.Th(h.Scope("col"), g.Text(text)) }
