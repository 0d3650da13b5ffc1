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
	longestPiece = 32 // of a reference: a phone that is 320 pixels wide has room for them
	longestPart  = 20 // of a name: the first column of the catalogue has room for them
)

// copied makes an element one whose text people copy. On a narrow page the text breaks
// after a slash or a space and before a tag, but never within a version that fits on a
// line. The style sheet gives it the look of code: a code element for each such text would
// be a tenth of a page's elements.
func copied(text string) g.Node { return g.Group{h.Class("copy"), lines(pieces(text), longestPiece)} }

// copiedReference is copied for a reference, with what a reader should know about its
// tag.
func copiedReference(r reference.Reference) g.Node {
	return g.Group{copied(r.String()), markOf(r.Tag)}
}

// markOf draws kindOfTag, if it says something.
func markOf(tag string) g.Node {
	kind := kindOfTag(tag)
	return g.If(kind != "", g.Group{g.Text(" "), h.Small(g.Text(kind))})
}

// breakableName draws a name that breaks after a slash if it is long. The style sheet
// breaks what is longer than a line.
func breakableName(name string) g.Node { return lines(strings.SplitAfter(name, "/"), longestPart) }

// lines joins pieces. It lets a line break only where the line would otherwise have more
// than longest characters.
func lines(pieces []string, longest int) (nodes g.Group) {
	line := ""
	for _, piece := range pieces {
		if line != "" && len(line)+len(piece) > longest {
			nodes = append(nodes, g.Text(line), wbr)
			line = ""
		}
		line += piece
	}
	return append(nodes, g.Text(line))
}

var wbr = g.Raw("<wbr>")

// pieces splits a text where it may break. It cuts what is longer than a line.
func pieces(text string) (all []string) {
	tag := strings.LastIndexByte(text, ':')
	if strings.IndexByte(text[tag+1:], '/') >= 0 { // the colon belongs to a port
		tag = -1
	}
	begin := 0
	for i := range len(text) {
		switch end := i + 1; {
		case end == len(text), text[i] == '/', text[i] == ' ', end == tag, end-begin >= longestPiece && isRune(text, end):
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
	return h.A(h.Href(RepositoryPath(e.LookupName(), nil)), breakableName(e.Name.String()))
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
