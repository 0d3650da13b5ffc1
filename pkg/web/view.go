package web

import "net/url"

// A View is what a page of the catalogue lists, or its feed.
type View struct {
	Search   string // the words that were searched for, if any
	Category string // a curated list, if any
	Registry string // the registry of the newest references, if only that one's are listed
	Newest   bool   // the last pushed first; else by name
}

// isAll reports whether all repositories are listed.
func (v View) isAll() bool { return v.Search == "" && v.Category == "" && v.Registry == "" }

func (v View) title() string {
	title := "Repositories"
	if v.Category != "" {
		title = v.Category
	}
	if v.Search != "" {
		title += " with “" + v.Search + "”"
	}
	if v.Registry != "" {
		title += " of " + v.Registry
	}
	return title
}

// path returns the path of the page, with more parameters, of which each is a name and
// its value.
func (v View) path(more ...string) string {
	return withParameters("/", append(more, "q", v.Search, "category", v.Category, "registry", v.Registry, "sort", v.sort())...)
}

// jsonPath returns the path of the same for programs.
func (v View) jsonPath() string {
	if v.Category != "" {
		return "/api/categories/" + v.Category
	}
	return withParameters("/api/repositories", "q", v.Search, "registry", v.Registry, "sort", v.sort())
}

// sort returns the value of the parameter sort, empty for the default.
func (v View) sort() string {
	if v.Newest {
		return "pushed"
	}
	return ""
}

// withParameters returns a path with those parameters that have a value.
func withParameters(path string, parameters ...string) string {
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			values.Set(parameters[i], parameters[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
