package web

import "net/url"

// A View says what a page of the catalogue, or its feed, lists.
type View struct {
	Search   string // the words of a search, if any
	Category string // a curated list, if any
	Registry string // the only registry whose newest references are listed, if any
	Newest   bool   // sorted by push, the last first; else by name
	Page     string // token of the page; empty: the first
}

// isAll reports whether all repositories are listed.
func (v View) isAll() bool { return v.Search == "" && v.Category == "" && v.Registry == "" }

// IsFirst reports whether the page is the site's first page.
func (v View) IsFirst() bool { return v.isAll() && v.Page == "" }

func (v View) title() string {
	title := "Repositories"
	switch {
	case v.Search != "":
		title = "Results for “" + v.Search + "”"
	case v.Category != "":
		title = v.Category
	}
	if v.Registry != "" {
		title += " in " + v.Registry
	}
	return title
}

// path returns the path of the view's first page. more has further parameters, each as a
// name and a value.
func (v View) path(more ...string) string {
	return withParameters("/", append(more, "q", v.Search, "category", v.Category, "registry", v.Registry, "sort", v.sort())...)
}

// sorted returns v sorted by push or by name.
func (v View) sorted(newest bool) View {
	v.Newest = newest
	return v
}

// jsonPath returns the path of the same list in the API, or "". The API has a curated
// list only as a whole, sorted by name.
func (v View) jsonPath() string {
	switch {
	case v.Category == "":
		return withParameters("/api/repositories", "q", v.Search, "registry", v.Registry, "sort", v.sort(), "next", v.Page)
	case v.Registry != "" || v.Newest && v.Page != "":
		return ""
	case v.Page != "":
		return withParameters("/api/categories/"+v.Category, "limit", "100", "next", v.Page)
	default:
		return "/api/categories/" + v.Category
	}
}

// sort returns the value of the parameter sort, or "" for the default.
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
