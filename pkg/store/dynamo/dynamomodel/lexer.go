package dynamomodel

import (
	"strings"
	"unicode/utf8"
)

// token is a word, a placeholder (#n or :v) or a sign in an expression. start and end are
// its offsets.
type token struct {
	kind       tokenKind
	text       string
	start, end int
}

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenKeyword // upper or lower case
	tokenName    // #n
	tokenValue   // :v
	tokenSign    // including those that no expression may contain
)

// keywords are words that are never attribute names, in upper or lower case.
var keywords = map[string]bool{
	"AND": true, "OR": true, "NOT": true, "BETWEEN": true, "IN": true,
	"SET": true, "REMOVE": true, "ADD": true, "DELETE": true,
}

// tokens splits an expression. The last token is a tokenEnd.
func tokens(text string) []token {
	var all []token
	for at := 0; ; {
		for at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0 {
			at++
		}
		if at == len(text) {
			return append(all, token{tokenEnd, "<EOF>", at, at})
		}
		t := nextToken(text, at)
		all = append(all, t)
		at = t.end
	}
}

// nextToken returns the token that begins at byte at.
func nextToken(text string, at int) token {
	end := at + wordLength(text[at:])
	switch first := text[at]; {
	case isLetter(first) && keywords[strings.ToUpper(text[at:end])]:
		return token{tokenKeyword, text[at:end], at, end}
	case isLetter(first):
		return token{tokenWord, text[at:end], at, end}
	case first == '#' || first == ':':
		end = at + 1 + wordLength(text[at+1:])
		if kind := placeholderKinds[first]; end > at+1 {
			return token{kind, text[at:end], at, end}
		}
	}
	end = at + signLength(text[at:])
	return token{tokenSign, text[at:end], at, end}
}

var placeholderKinds = map[byte]tokenKind{'#': tokenName, ':': tokenValue}

// signLength returns the length in bytes of the sign at the front of text: a number, a
// comparison or one character.
func signLength(text string) int {
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	if digits > 0 {
		return digits
	}
	for _, sign := range []string{"<>", "<=", ">="} {
		if strings.HasPrefix(text, sign) {
			return len(sign)
		}
	}
	_, length := utf8.DecodeRuneInString(text)
	return length
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// wordLength returns the length in bytes of the word at the front of text.
func wordLength(text string) int {
	for i := range len(text) {
		if c := text[i]; !isLetter(c) && c != '_' && (c < '0' || c > '9') {
			return i
		}
	}
	return len(text)
}
