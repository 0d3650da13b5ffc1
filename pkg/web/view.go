package web

import "net/url"

// A View is what a page of the catalogue lists, or its feed.
type View struct {
	Search   string // the words that were searched for, if any
	Category string // a curated list, if any
	Registry string // the registry of the newest references, if only that one's are listed
	Newest   bool   // the last pushed first; else by name
	Page     string // token of the page; empty: the first
}

// isAll reports whether all repositories are listed.
func (v View) isAll() bool { return v.Search == "" && v.Category == "" && v.Registry == "" }

// IsFirst reports whether the page is the one that a reader begins with.
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

// path returns the path of the view's first page, with more parameters, of which each is
// a name and its value.
func (v View) path(more ...string) string {
	return withParameters("/", append(more, "q", v.Search, "category", v.Category, "registry", v.Registry, "sort", v.sort())...)
}

// sorted returns v in an order.
func (v View) sorted(newest bool) View {
	v.Newest = newest
	return v
}

// jsonPath returns the path of the same for programs. The API has a curated list by name
// and as a whole: then it is empty, unless the page is that.
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
