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

// A query is what a reader asks for besides a name.
type query struct {
	format string // a key of nameFormats or catalogueFormats
	look   look
	show   string // reference, tag, digest, pinned, version or date
	order  store.Order
	tag    reference.Globs // a tag must match one of these; none: any tag counts
	ignore reference.Globs // a tag must match none of these
}

// A queryError names a parameter with an invalid value.
type queryError struct{ parameter string }

const badQuery = "invalid query parameter: "

func (e *queryError) Error() string { return badQuery + e.parameter }

// parseQuery parses the parameters of a lookup. format is the default format. With an
// error it returns what it has parsed so far, which always includes a format.
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

// isSet reports whether a parameter is present, for one that needs no value. The values
// false, 0 and no count as absent.
func isSet(values url.Values, name string) bool {
	denials := []string{"false", "0", "no"}
	return values.Has(name) && !slices.Contains(denials, strings.ToLower(parameter(values, name)))
}

// parameter returns the first value of a parameter that is not empty, or "". An empty
// value counts as absent.
func parameter(values url.Values, name string) string {
	for _, v := range values[name] {
		if v != "" {
			return v
		}
	}
	return ""
}

// oneOf returns the value of a parameter with a choice of values. The first choice is the
// default.
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

// parseLimit returns how many items a list for programs may have: preset, unless values
// sets a limit.
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

// How many globs a query may have, and of how many bytes, in tag and ignore together.
// They bound the time to match store.MaxScan tags of 128 characters to a tenth of a
// second on a whole core.
const (
	maxGlobs     = 20
	maxGlobBytes = 512
)

// parseTags parses the globs in tag and ignore. All values of a repeated parameter count.
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

// match returns the store's condition on tags, or nil if any tag counts. With nil, a
// lookup reads only one or two references.
func (q query) match() func(tag string) bool {
	wanted, _ := q.tag.Len()
	ignored, _ := q.ignore.Len()
	if wanted == 0 && ignored == 0 {
		return nil
	}
	return func(tag string) bool { return (wanted == 0 || q.tag.Match(tag)) && !q.ignore.Match(tag) }
}

// prefix returns the text in front of the versions of one component among several in a
// repository, as in tag=foo-*, if the query asks for a version.
func (q query) prefix() string {
	if q.order == store.ByPushed {
		return ""
	}
	return q.tag.Prefix()
}
