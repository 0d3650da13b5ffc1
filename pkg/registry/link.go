package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ocireffer/pkg/reference"
)

// A link is one link in a Link header (RFC 8288, section 3).
type link struct {
	target string
	rel    string
}

var errLink = errors.New("its Link is malformed")

// nextPage returns the query of a list's next page, given the header of the page at base.
// ok is false if there is none.
//
// A link must stay at base's origin, or a registry could send us anywhere. Its path is
// ignored: it is either base's path or wrong, as in Artifactory's virtual repositories
// (RTFACT-18971).
func nextPage(h http.Header, base *url.URL) (query string, ok bool, err error) {
	links, err := parseLinks(h.Values("Link"))
	if err != nil {
		return "", false, err
	}
	for _, l := range links {
		if !slices.Contains(strings.Fields(strings.ToLower(l.rel)), "next") {
			continue
		}
		return pageQuery(l.target, base)
	}
	return "", false, nil
}

// pageQuery returns the query of a link to the next page of the list at base.
func pageQuery(target string, base *url.URL) (query string, ok bool, err error) {
	u, err := base.Parse(target)
	if err != nil {
		return "", false, errLink
	}
	if u.Scheme != base.Scheme || !strings.EqualFold(u.Host, base.Host) {
		return "", false, fmt.Errorf("its next page is elsewhere, at %s", reference.Quote(target))
	}
	if len(u.RawQuery) > maxQuery {
		return "", false, fmt.Errorf("the address of its next page has more than %d bytes", maxQuery)
	}
	return u.RawQuery, true, nil
}

// maxQuery is the longest query of a next page, in bytes. Servers refuse longer ones.
const maxQuery = 8 << 10

// parseLinks reads the values of Link.
func parseLinks(values []string) ([]link, error) {
	var links []link
	for _, value := range values {
		s := scanner{value}
		for {
			s.skip(" \t,")
			if s.rest == "" {
				break
			}
			l, ok := s.link()
			if !ok {
				return nil, errLink
			}
			links = append(links, l)
		}
	}
	return links, nil
}

// link parses <target> and its parameters. Of two rel parameters the first counts.
func (s *scanner) link() (l link, ok bool) {
	if !s.next('<') {
		return link{}, false
	}
	l.target, s.rest, ok = strings.Cut(s.rest, ">")
	if !ok {
		return link{}, false
	}
	hasRel := false
	for {
		s.skip(" \t")
		if !s.next(';') {
			break
		}
		s.skip(" \t")
		name := s.word()
		s.skip(" \t")
		value := ""
		if s.next('=') {
			s.skip(" \t")
			if value, ok = s.value(); !ok {
				return link{}, false
			}
		}
		if strings.EqualFold(name, "rel") && !hasRel {
			l.rel, hasRel = value, true
		}
	}
	return l, s.rest == "" || s.rest[0] == ','
}
