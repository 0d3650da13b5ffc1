package reference

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Globs are patterns of tags, like a shell's patterns of files. * matches any text, ? any
// one character, and [a-z_] one character in a class; [^a-z] and [!a-z] match one that is
// not in it. A - at either end of a class stands for itself, as does any other character
// of a glob. The zero value has no globs.
type Globs struct {
	globs []glob
	bytes int
}

// A glob is a pattern's text and its parsed pieces.
type glob struct {
	text   string
	pieces []piece
}

// A piece of a glob matches any text, or one character in a set.
type piece struct {
	isStar bool
	set    [4]uint64 // one bit for each byte
}

// ParseGlobs reads a comma-separated list of globs. It ignores blanks around a glob, and
// empty globs. A glob is malformed if a bracket has no partner, if a class is empty or
// has a range that runs backwards, or if it contains a backslash. In a shell a backslash
// escapes; but no tag contains a bracket or a backslash, so such a glob would never
// match. The error shows the glob and says why.
func ParseGlobs(list string) (Globs, error) {
	var all Globs
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		pieces, err := parseGlob(text)
		if err != nil {
			return Globs{}, fmt.Errorf("glob %s has %w", Quote(text), err)
		}
		all.globs = append(all.globs, glob{text, pieces})
		all.bytes += len(text)
	}
	return all, nil
}

// Len returns the number of globs, and their total length in bytes.
func (g Globs) Len() (globs, bytes int) { return len(g.globs), g.bytes }

// Match reports whether tag matches at least one glob. For each glob it needs at most
// len(glob)*len(tag) steps.
func (g Globs) Match(tag string) bool {
	return slices.ContainsFunc(g.globs, func(glob glob) bool { return match(glob.pieces, tag) })
}

// Prefix returns the text in front of the first wildcard of a single glob. Every tag that
// matches begins with it. It is empty if the glob has no wildcard, or if there are
// several globs.
func (g Globs) Prefix() string {
	if len(g.globs) != 1 {
		return ""
	}
	text := g.globs[0].text
	return text[:max(0, strings.IndexAny(text, "*?["))]
}

func parseGlob(text string) (pieces []piece, err error) {
	for text != "" {
		c := text[0]
		text = text[1:]
		var p piece
		switch c {
		case '*':
			p.isStar = true
		case '?':
			p = p.complement()
		case '[':
			class, rest, ok := strings.Cut(text, "]")
			if !ok {
				return nil, errors.New("a [ without its ]")
			}
			if p, err = parseClass(class); err != nil {
				return nil, err
			}
			text = rest
		case ']':
			return nil, errors.New("a ] without its [")
		case '\\':
			return nil, errBackslash
		default:
			p.add(c, c)
		}
		pieces = append(pieces, p)
	}
	return pieces, nil
}

var errBackslash = errors.New(`a \, which no tag has`)

// parseClass parses the text between brackets.
func parseClass(class string) (p piece, err error) {
	isNegated := strings.HasPrefix(class, "^") || strings.HasPrefix(class, "!")
	if isNegated {
		class = class[1:]
	}
	if class == "" {
		return p, errors.New("a class without characters")
	}
	for class != "" {
		low, high := class[0], class[0]
		class = class[1:]
		if len(class) >= 2 && class[0] == '-' {
			high, class = class[1], class[2:]
		}
		if low == '\\' || high == '\\' {
			return p, errBackslash
		}
		if low > high {
			return p, errors.New("a range that runs backwards")
		}
		p.add(low, high)
	}
	if isNegated {
		p = p.complement()
	}
	return p, nil
}

// add adds the characters from low to high to p.
func (p *piece) add(low, high byte) {
	for c := int(low); c <= int(high); c++ {
		p.set[c/64] |= 1 << (c % 64)
	}
}

// complement returns the piece of all characters that are not in p.
func (p piece) complement() piece {
	for i := range p.set {
		p.set[i] = ^p.set[i]
	}
	return p
}

func (p *piece) has(c byte) bool { return p.set[c/64]&(1<<(c%64)) != 0 }

// match reports whether s matches pieces. After a mismatch, only the last * is made one
// character longer: whatever an earlier * could match more, the last one can match
// instead.
func match(pieces []piece, s string) bool {
	p, i := 0, 0
	star, begin := -1, 0 // the last *, and the end of the text that it matches in s
	for i < len(s) {
		switch {
		case p < len(pieces) && pieces[p].has(s[i]): // never true of a *, whose set is empty
			p++
			i++
		case p < len(pieces) && pieces[p].isStar:
			star, begin = p, i
			p++
		case star >= 0:
			begin++
			p, i = star+1, begin
		default:
			return false
		}
	}
	for p < len(pieces) && pieces[p].isStar {
		p++
	}
	return p == len(pieces)
}
