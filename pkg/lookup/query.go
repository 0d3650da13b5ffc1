package lookup

import (
	"net/url"
	"slices"
	"strings"

	"ocireffer/pkg/store"
)

// query is what a reader asks for beside the name. The zero values are the
// defaults.
type query struct {
	format string // "", text, svg, html
	show   string // "", tag, digest, pinned
	order  store.Order
	tag    []string // globs of which a tag must match one; none: any tag
	ignore []string // globs of which a tag must match none
}

// queryError names a parameter whose value is none of those it can have.
type queryError struct{ parameter string }

func (e *queryError) Error() string { return "invalid query parameter: " + e.parameter }

// parseQuery reads the parameters. The format is right also when another
// parameter is not: the answer that says so has it.
func parseQuery(values url.Values) (q query, err error) {
	if q.format, err = choice(values, "format", "json", "text", "svg", "html"); err != nil {
		return q, err
	}
	sort, err := choice(values, "sort", "date", "semver")
	if err != nil {
		return q, err
	}
	if q.show, err = choice(values, "show", "reference", "tag", "digest", "pinned"); err != nil {
		return q, err
	}
	if sort == "semver" {
		q.order = store.ByRelease
		if values.Has("include_prereleases") {
			q.order = store.ByVersion
		}
	}
	q.tag, q.ignore = globs(values["tag"]), globs(values["ignore"])
	return q, nil
}

// parameter is the value of one: the first that is not empty, as an empty one
// counts as absent.
func parameter(values url.Values, name string) string {
	for _, v := range values[name] {
		if v != "" {
			return v
		}
	}
	return ""
}

// choice is the value of a parameter, or "" for the preset, be it given or not.
func choice(values url.Values, name, preset string, others ...string) (string, error) {
	switch v := parameter(values, name); {
	case v == "" || v == preset:
		return "", nil
	case slices.Contains(others, v):
		return v, nil
	default:
		return "", &queryError{name}
	}
}

// globs are those in lists separated by commas.
func globs(lists []string) (all []string) {
	for _, list := range lists {
		for glob := range strings.SplitSeq(list, ",") {
			if glob != "" {
				all = append(all, glob)
			}
		}
	}
	return all
}

// matches is the store's condition on tags, nil if there is none: then a lookup
// is a single read.
func (q query) matches() func(tag string) bool {
	if len(q.tag) == 0 && len(q.ignore) == 0 {
		return nil
	}
	return func(tag string) bool {
		fits := func(glob string) bool { return fitsGlob(glob, tag) }
		return (len(q.tag) == 0 || slices.ContainsFunc(q.tag, fits)) && !slices.ContainsFunc(q.ignore, fits)
	}
}

// fitsGlob reports whether s fits glob, in which * is any text and ? any one
// character. At a mismatch only the last * takes one character more, so it takes
// at most len(glob)*len(s) steps.
func fitsGlob(glob, s string) bool {
	g, i := 0, 0
	star, begin := -1, 0 // the last *, and where in s its text ends
	for i < len(s) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, begin = g, i
			g++
		case g < len(glob) && (glob[g] == '?' || glob[g] == s[i]):
			g++
			i++
		case star >= 0:
			begin++
			g, i = star+1, begin
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}
