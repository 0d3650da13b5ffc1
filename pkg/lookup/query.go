package lookup

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A query is what a reader asks for besides the name.
type query struct {
	format string // a key of nameFormats or catalogueFormats
	look   look
	show   string // reference, tag, digest, pinned, version or date
	order  store.Order
	tag    reference.Globs // of which a tag must match one; none: any tag counts
	ignore reference.Globs // of which a tag must match none
}

// A queryError names a parameter with a value that it cannot have.
type queryError struct{ parameter string }

const badQuery = "invalid query parameter: "

func (e *queryError) Error() string { return badQuery + e.parameter }

// parseQuery reads the parameters of a lookup. format is for a reader who gives none.
// With an error it returns what it has read so far, with a format in any case.
func parseQuery(values url.Values, format string) (query, error) {
	q := query{format: "json"}
	given, err := oneOf(values, "format", "", "json", "text", "svg", "html", "atom")
	if err != nil {
		return q, err
	}
	q.format = cmp.Or(given, format)
	if q.look, err = parseLook(values); err != nil {
		return q, err
	}
	if q.order, err = parseOrder(values); err != nil {
		return q, err
	}
	if q.show, err = oneOf(values, "show", "reference", "tag", "digest", "pinned", "version", "date"); err != nil {
		return q, err
	}
	q.tag, q.ignore, err = parseTags(values)
	return q, err
}

func parseOrder(values url.Values) (store.Order, error) {
	sort, err := oneOf(values, "sort", "date", "semver")
	switch {
	case err != nil || sort == "date":
		return store.ByPushed, err
	case isSet(values, "include_prereleases"):
		return store.ByVersion, nil
	default:
		return store.ByRelease, nil
	}
}

// isSet reports whether a parameter is there whose presence is what counts, unless its
// value says the opposite.
func isSet(values url.Values, name string) bool {
	denials := []string{"false", "0", "no"}
	return values.Has(name) && !slices.Contains(denials, strings.ToLower(parameter(values, name)))
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

// parseTags returns the globs of tag and ignore. Of a repeated parameter all count.
func parseTags(values url.Values) (tag, ignore reference.Globs, err error) {
	globs, bytes := 0, 0
	parse := func(name string) (reference.Globs, error) {
		all, err := reference.ParseGlobs(strings.Join(values[name], ","))
		n, size := all.Len()
		globs, bytes = globs+n, bytes+size
		if err != nil || globs > maxGlobs || bytes > maxGlobBytes {
			return reference.Globs{}, &queryError{name}
		}
		return all, nil
	}
	if tag, err = parse("tag"); err != nil {
		return tag, ignore, err
	}
	ignore, err = parse("ignore")
	return tag, ignore, err
}

// match returns the store's condition on tags, nil if any tag counts: then a lookup
// reads one reference, or two.
func (q query) match() func(tag string) bool {
	wanted, _ := q.tag.Len()
	ignored, _ := q.ignore.Len()
	if wanted == 0 && ignored == 0 {
		return nil
	}
	return func(tag string) bool { return (wanted == 0 || q.tag.Match(tag)) && !q.ignore.Match(tag) }
}

// prefix returns the text that is in front of the versions of one of several components
// in a repository, as in tag=foo-*, if a version is asked for.
func (q query) prefix() string {
	if q.order == store.ByPushed {
		return ""
	}
	return q.tag.Prefix()
}
