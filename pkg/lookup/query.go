package lookup

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ocireffer/pkg/store"
)

// A query is what a reader asks for besides the name.
type query struct {
	format string // a key of formats, but not checked
	show   string // reference, tag, digest or pinned
	order  store.Order
	tag    []string // globs of which a tag must match one; none: any tag counts
	ignore []string // globs of which a tag must match none
}

// A queryError names a parameter with a value that it cannot have.
type queryError struct{ parameter string }

func (e *queryError) Error() string { return "invalid query parameter: " + e.parameter }

// errNoDigest says that a digest is to be shown and none is known.
var errNoDigest = errors.New("no digest is known")

// parseQuery reads the parameters of a lookup. The format is set with an error, too.
func parseQuery(values url.Values) (query, error) {
	q := query{format: "json"}
	if format := parameter(values, "format"); format != "" {
		q.format = format
	}
	sort, err := oneOf(values, "sort", "date", "semver")
	if err != nil {
		return q, err
	}
	if q.show, err = oneOf(values, "show", "reference", "tag", "digest", "pinned"); err != nil {
		return q, err
	}
	switch {
	case sort == "date":
		q.order = store.ByPushed
	case values.Has("include_prereleases"):
		q.order = store.ByVersion
	default:
		q.order = store.ByRelease
	}
	limit := globLimit{maxGlobs, maxGlobBytes}
	if q.tag, err = limit.parse(values, "tag"); err != nil {
		return q, err
	}
	q.ignore, err = limit.parse(values, "ignore")
	return q, err
}

// parameter returns the first value of a parameter that is not empty, since an
// empty one counts as absent, or "".
func parameter(values url.Values, name string) string {
	for _, v := range values[name] {
		if v != "" {
			return v
		}
	}
	return ""
}

// oneOf returns the value of a parameter that has a choice of values, the first of
// which is the default.
func oneOf(values url.Values, name string, choice ...string) (string, error) {
	v := parameter(values, name)
	if v == "" {
		return choice[0], nil
	}
	if !slices.Contains(choice, v) {
		return "", &queryError{name}
	}
	return v, nil
}

// parseLimit returns how many items a list for programs may have: preset unless values
// say it.
func parseLimit(values url.Values, preset int) (int, error) {
	v := parameter(values, "limit")
	if v == "" {
		return preset, nil
	}
	limit, err := strconv.Atoi(v)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, &queryError{"limit"}
	}
	return limit, nil
}

// How many globs a query may have, in tag and ignore together, and of how many bytes.
// So matching store.MaxScan tags of 128 characters takes at most a tenth of a second on
// a whole core.
const (
	maxGlobs     = 20
	maxGlobBytes = 512
)

// A globLimit is how many globs, and bytes of them, a query may still have.
type globLimit struct{ globs, bytes int }

// parse returns the globs of a parameter, whose values are lists separated by commas.
func (l *globLimit) parse(values url.Values, name string) ([]string, error) {
	var all []string
	for _, list := range values[name] {
		for glob := range strings.SplitSeq(list, ",") {
			if glob == "" {
				continue
			}
			l.globs--
			l.bytes -= len(glob)
			if l.globs < 0 || l.bytes < 0 {
				return nil, &queryError{name}
			}
			all = append(all, glob)
		}
	}
	return all, nil
}

// needsDigest reports whether only a reference with a digest can be shown.
func (q query) needsDigest() bool { return q.show == "digest" || q.show == "pinned" }

// matches returns the store's condition on tags, nil if any tag counts: then a
// lookup is a single read.
func (q query) matches() func(tag string) bool {
	if len(q.tag) == 0 && len(q.ignore) == 0 {
		return nil
	}
	return func(tag string) bool {
		fits := func(glob string) bool { return fitsGlob(glob, tag) }
		wanted := len(q.tag) == 0 || slices.ContainsFunc(q.tag, fits)
		return wanted && !slices.ContainsFunc(q.ignore, fits)
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
