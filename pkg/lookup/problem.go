package lookup

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/web"
)

// problemPage returns the page about a failure: what happened, and what a person can do.
func problemPage(h *handler, req request, f failure) web.Problem {
	p := web.Problem{Site: h.site(req), Heading: f.text}
	name, err := reference.ParseName(strings.TrimSuffix(req.path, "/"))
	hasName := req.path != "" && err == nil
	if hasName {
		p.JSON = web.ReferencesPath(name, keep(req.filter, "tag", "ignore"))
	}
	parameter, isBadQuery := strings.CutPrefix(f.text, badQuery)
	switch {
	case isBadQuery:
		p.Heading = "Invalid query parameter: " + parameter
		p.Text = "The value of “" + parameter + "” in the address is not valid."
		p.JSON = ""
		if hasName {
			p.Links = []web.Link{{Text: "Show " + name.String(), Path: web.RepositoryPath(name, nil)}}
		}
	case f.outcome == "no_match":
		p.Text = "“" + name.String() + "” has tags, but none passes the filter in the address. At most 1,000 tags are examined, the newest first."
		p.Links = append(linksAround(name, req.filter), web.Link{Text: "Show all tags of " + name.String(), Path: web.RepositoryPath(name, nil)})
	case f.status == http.StatusNotFound && hasName:
		p.Heading = "Repository not found"
		p.Text = "Nothing has been pushed as “" + name.String() + "”, or everything was deleted. This page appears with the next push."
		p.Links = linksNear(name)
	case f.status == http.StatusNotFound && req.path != "":
		p.Heading = "Repository not found"
		p.Text = "“" + req.path + "” cannot be the name of a repository. Names are in lower case, such as team/app or ghcr.io/team/app."
		p.Links = []web.Link{searchLink(req.path)}
	case f.status == http.StatusNotFound:
		p.Heading = "List not found"
		p.Text = "There is no curated list of this name. A list disappears when its last member is removed."
	default:
		p.Text = "This is not your fault. Try again in a moment."
		p.JSON = ""
	}
	return p
}

// linksAround returns a link to the tags that contain what was meant as a part of one: a
// glob without a wildcard matches only the tag that is the same.
func linksAround(name reference.Name, filter url.Values) []web.Link {
	globs := filter["tag"]
	if len(globs) != 1 || strings.ContainsAny(globs[0], `*?[\,`) {
		return nil
	}
	part := strings.TrimSpace(globs[0])
	around := maps.Clone(filter)
	around.Set("tag", "*"+part+"*")
	return []web.Link{{Text: "Tags that contain “" + part + "”", Path: web.RepositoryPath(name, around)}}
}

// linksNear returns links to where a repository may be, if it is not under name.
func linksNear(name reference.Name) []web.Link {
	last := name.Repository[strings.LastIndexByte(name.Repository, '/')+1:]
	links := []web.Link{searchLink(last)}
	if anywhere, err := reference.ParseName(name.Repository); name.Registry != "" && err == nil && anywhere.Registry == "" {
		links = append(links, web.Link{Text: "Show " + anywhere.String() + " in any registry", Path: web.RepositoryPath(anywhere, nil)})
	}
	return links
}

func searchLink(words string) web.Link {
	return web.Link{Text: "Search for “" + words + "”", Path: "/?q=" + url.QueryEscape(words)}
}
