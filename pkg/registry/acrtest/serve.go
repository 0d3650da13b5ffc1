package acrtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	s.asked++
	n, rules := s.asked, s.rules
	s.mu.Unlock()
	h := w.Header()
	if h["Date"] = nil; !rules.NoDate {
		h.Set("Date", s.now().Add(rules.DateOffset).UTC().Format(http.TimeFormat))
	}
	if rules.Aged {
		h.Set("Age", "30")
	}
	if rules.Intercept != nil && rules.Intercept(w, r, n) {
		return
	}
	h.Set("Server", "openresty")
	h.Set("Docker-Distribution-Api-Version", "registry/2.0")
	h.Set("X-Ms-Correlation-Request-Id", "00000000-0000-0000-0000-000000000000")
	h.Set("X-Content-Type-Options", "nosniff")
	h["Strict-Transport-Security"] = []string{"max-age=31536000; includeSubDomains", "max-age=31536000; includeSubDomains"}
	h.Set("Access-Control-Expose-Headers", "Docker-Content-Digest, WWW-Authenticate, Link, X-Ms-Correlation-Request-Id")

	path := r.URL.Path // a slash may have come as %2F
	name, isACR := strings.CutPrefix(path, "/acr/v1/")
	switch {
	case path == "/oauth2/exchange" && r.Method == http.MethodPost:
		s.exchange(w, r, rules)
	case path == "/oauth2/token":
		s.token(w, r, rules)
	case path == "/acr/v1/_catalog" || path == "/v2/_catalog":
		if u, ok := s.authorize(w, r, rules, "registry", "catalog", "*"); ok {
			s.catalogue(w, r, rules, u)
		}
	case isACR && name != "":
		s.repository(w, r, rules, name)
	default:
		fail(w, http.StatusNotFound, "NOT_FOUND", "no such path", nil)
	}
}

// repository answers requests below /acr/v1/, where path is name, name/_tags,
// name/_tags/tag, name/_manifests or name/_manifests/digest. No part of a name begins
// with _.
func (s *Server) repository(w http.ResponseWriter, r *http.Request, rules Rules, path string) {
	name, rest, _ := strings.Cut(path, "/_")
	list, one, single := strings.Cut(rest, "/")
	deletes := r.Method == http.MethodDelete && list == "tags" && single
	if !deletes && r.Method != http.MethodGet {
		fail(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.", nil)
		return
	}
	action := "metadata_read"
	if deletes {
		action = "delete"
	}
	if _, ok := s.authorize(w, r, rules, "repository", name, action); !ok {
		return
	}
	at := stamp(s.now())
	if rules.Lag != nil {
		at = at.Add(-rules.Lag())
	}
	s.mu.Lock()
	var c content
	if known := s.repositories[name]; known != nil {
		c = known.at(at)
	}
	c.tags, c.manifests = slices.Clone(c.tags), slices.Clone(c.manifests)
	s.mu.Unlock()
	host := cmp.Or(rules.LoginServer, r.Host)
	i, tagged := c.findTag(one)
	k, exists := c.findManifest(one)
	switch {
	case !c.exists():
		fail(w, http.StatusNotFound, "NAME_UNKNOWN", fmt.Sprintf("repository %q is not found", name), nil)
	case rest == "":
		write(w, http.StatusOK, attributesOf(c, host, name))
	case list == "tags" && !single:
		page(w, r, rules, listed(c.tags, r.URL.Query()), func(t tag) string { return t.name }, func(tags []tag) any {
			return tagsAnswer{host, name, convert(tags, tagOf)}
		})
	case list == "manifests" && !single:
		page(w, r, rules, c.manifests, func(m manifest) string { return m.digest }, func(manifests []manifest) any {
			return manifestsAnswer{host, name, convert(manifests, c.manifestOf)}
		})
	case list == "tags" && !tagged:
		fail(w, http.StatusNotFound, "TAG_UNKNOWN", "the specified tag does not exist", nil)
	case deletes:
		s.Untag(name, one)
		w.WriteHeader(http.StatusAccepted)
	case list == "tags":
		write(w, http.StatusOK, tagAnswer{host, name, tagOf(c.tags[i])})
	case list == "manifests" && exists:
		write(w, http.StatusOK, manifestAnswer{host, name, c.manifestOf(c.manifests[k])})
	default:
		fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest is not found", nil)
	}
}

// listed returns the tags in a list, in the order that the query asks for.
func listed(tags []tag, query url.Values) []tag {
	tags = slices.DeleteFunc(tags, func(t tag) bool {
		return t.unlisted || query.Has("digest") && t.digest != query.Get("digest")
	})
	switch query.Get("orderby") {
	case "timeasc":
		slices.SortStableFunc(tags, func(a, b tag) int { return a.lastUpdate.Compare(b.lastUpdate) })
	case "timedesc":
		slices.SortStableFunc(tags, func(a, b tag) int { return b.lastUpdate.Compare(a.lastUpdate) })
	}
	return tags
}

func (s *Server) catalogue(w http.ResponseWriter, r *http.Request, rules Rules, u User) {
	at := stamp(s.now())
	if rules.Lag != nil {
		at = at.Add(-rules.Lag())
	}
	s.mu.Lock()
	names := s.repositoriesAt(at)
	s.mu.Unlock()
	if u.Catalogue == Empty {
		names = nil
	}
	page(w, r, rules, names, func(name string) string { return name }, func(names []string) any {
		return map[string][]string{"repositories": append([]string{}, names...)}
	})
}

// page answers with part of a list: n entries behind last, and the Link to the next part.
func page[T any](w http.ResponseWriter, r *http.Request, rules Rules, all []T, name func(T) string, body func([]T) any) {
	query := r.URL.Query()
	if last := query.Get("last"); last != "" {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == last })
		if i < 0 { // last has been deleted
			i = slices.IndexFunc(all, func(t T) bool { return name(t) > last }) - 1
			if i == -2 {
				i = len(all) - 1
			}
		}
		all = all[i+1:]
	}
	n, err := strconv.Atoi(query.Get("n"))
	if err != nil || n <= 0 {
		n = 100
	}
	n = min(n, cmp.Or(rules.MaxPage, 1000))
	if len(all) > n {
		all = all[:n]
		if !rules.NoLink {
			w.Header().Set("Link", fmt.Sprintf(`<%s?last=%s&n=%d&orderby=%s>; rel="next"`, escaped(r.URL.Path), url.QueryEscape(name(all[n-1])), n, url.QueryEscape(query.Get("orderby"))))
		}
	}
	write(w, http.StatusOK, body(all))
}

// escaped returns a path below /acr/v1/ as ACR escapes it in a Link.
func escaped(path string) string {
	name, ok := strings.CutPrefix(path, "/acr/v1/")
	if !ok {
		return path
	}
	name, list, _ := strings.Cut(name, "/_")
	if list == "" {
		return path
	}
	return "/acr/v1/" + url.PathEscape(name) + "/_" + list
}

func write(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) // ends in a newline, as ACR's bodies do
}

type detail struct{ Type, Name, Action string }

// Fail writes an error as ACR does.
func Fail(w http.ResponseWriter, status int, code, message string) {
	fail(w, status, code, message, nil)
}

func fail(w http.ResponseWriter, status int, code, message string, details []detail) {
	type entry struct {
		Code    string   `json:"code"`
		Message string   `json:"message"`
		Detail  []detail `json:"detail,omitempty"`
	}
	write(w, status, map[string][]entry{"errors": {{code, message, details}}})
}

func convert[A, B any](all []A, f func(A) B) []B {
	converted := make([]B, len(all))
	for i, a := range all {
		converted[i] = f(a)
	}
	return converted
}

func format(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z") }
