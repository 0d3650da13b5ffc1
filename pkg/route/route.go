// Package route implements the routing rules of an API Gateway HTTP API, so that
// localhost and Lambda choose the same handler for a request. The routes themselves are
// in packages ingest and lookup.
package route

import (
	"io"
	"net/http"
	"strings"
)

// Routes maps route keys of an HTTP API, such as "GET /{name+}", to handlers. It is
// itself a handler that routes as the API does, by method and path. The most literal
// route wins, nothing is redirected, and everything else is 404. A variable's value is
// decoded, and is a PathValue of the request.
//
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
type Routes map[string]http.HandlerFunc

// ServeHTTP implements http.Handler. If no route matches, it answers as API Gateway does.
func (routes Routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve, variables := routes.match(r.Method, r.URL.Path)
	if serve == nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		if r.Method != http.MethodHead {
			io.WriteString(w, `{"message":"Not Found"}`)
		}
		return
	}
	for name, value := range variables {
		r.SetPathValue(name, value)
	}
	serve(w, r)
}

// Join returns the routes of all sets. It panics if two of them have the same key.
func Join(sets ...Routes) Routes {
	all := Routes{}
	for _, routes := range sets {
		for key, serve := range routes {
			if all[key] != nil {
				panic("route " + key + " is in two sets")
			}
			all[key] = serve
		}
	}
	return all
}

func (routes Routes) match(method, path string) (serve http.HandlerFunc, variables map[string]string) {
	best := ""
	for key, candidate := range routes {
		routeMethod, pattern, _ := strings.Cut(key, " ")
		if routeMethod != method {
			continue
		}
		if rank, vars, ok := matchPath(pattern, path); ok && rank > best {
			best, serve, variables = rank, candidate, vars
		}
	}
	return serve, variables
}

// matchPath reports whether pattern matches path. Of two matching patterns, the more
// literal one has the greater rank. A rank has one letter for each segment: c for a
// literal, b for {x}, a for {x+}. {x+} matches the rest of the path, which must not be
// empty.
func matchPath(pattern, path string) (rank string, variables map[string]string, ok bool) {
	pattern, path = strings.TrimPrefix(pattern, "/"), strings.TrimPrefix(path, "/")
	variables = map[string]string{}
	for {
		want, patternRest, patternMore := strings.Cut(pattern, "/")
		name, isVariable := strings.CutPrefix(want, "{")
		name = strings.TrimSuffix(name, "}")
		if greedy, ok := strings.CutSuffix(name, "+"); isVariable && ok {
			variables[greedy] = path
			return rank + "a", variables, path != ""
		}
		segment, pathRest, pathMore := strings.Cut(path, "/")
		switch {
		case patternMore != pathMore:
			return "", nil, false
		case isVariable && segment != "":
			variables[name] = segment
			rank += "b"
		case !isVariable && segment == want:
			rank += "c"
		default:
			return "", nil, false
		}
		if !patternMore {
			return rank, variables, true
		}
		pattern, path = patternRest, pathRest
	}
}
