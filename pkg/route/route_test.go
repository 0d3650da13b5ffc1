package route_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/route"
)

const notFound = `{"message":"Not Found"}`

// echoes returns routes that answer with their key and their variables.
func echoes(keys ...string) route.Routes {
	routes := route.Routes{}
	for _, key := range keys {
		routes[key] = func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, key)
			for _, variable := range []string{"name", "category"} {
				if value := r.PathValue(variable); value != "" {
					io.WriteString(w, " "+variable+"="+value)
				}
			}
		}
	}
	return routes
}

func get(routes route.Routes, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestMostLiteralRouteWins(t *testing.T) {
	t.Parallel()
	routes := echoes("GET /", "GET /{name+}", "HEAD /{name+}", "POST /api/azurehook",
		"GET /api/repositories", "GET /api/repositories/{name+}", "GET /api/categories/{category}", "PUT /api/categories/{category}/{name+}")
	for _, c := range []struct{ method, target, want string }{
		{method: "GET", target: "/", want: "GET /"},
		{method: "GET", target: "/wash", want: "GET /{name+} name=wash"},
		{method: "GET", target: "/wash/", want: "GET /{name+} name=wash/"},
		{method: "GET", target: "//wash", want: "GET /{name+} name=/wash"},
		{method: "GET", target: "/team/app", want: "GET /{name+} name=team/app"},
		{method: "GET", target: "/host:5000/app", want: "GET /{name+} name=host:5000/app"},
		{method: "GET", target: "/a%2Fb", want: "GET /{name+} name=a/b"},
		{method: "GET", target: "/a%20b", want: "GET /{name+} name=a b"},
		{method: "GET", target: "/../wash", want: "GET /{name+} name=../wash"},
		{method: "GET", target: "/wash?x=/y", want: "GET /{name+} name=wash"},
		{method: "HEAD", target: "/wash", want: "HEAD /{name+} name=wash"},
		{method: "POST", target: "/api/azurehook", want: "POST /api/azurehook"},
		{method: "POST", target: "/api/azurehook/", want: notFound},
		{method: "POST", target: "/wash", want: notFound},
		{method: "POST", target: "/", want: notFound},
		{method: "get", target: "/wash", want: notFound},
		{method: "GET", target: "/api/azurehook", want: "GET /{name+} name=api/azurehook"},
		{method: "GET", target: "/api/repositories", want: "GET /api/repositories"},
		{method: "GET", target: "/api/repositories/", want: "GET /{name+} name=api/repositories/"},
		{method: "GET", target: "/api/repositories/team/app", want: "GET /api/repositories/{name+} name=team/app"},
		{method: "GET", target: "/api/repositories/team%2Fapp", want: "GET /api/repositories/{name+} name=team/app"},
		{method: "GET", target: "/api/repositories/host%3A5000%2Fteam%2Fapp", want: "GET /api/repositories/{name+} name=host:5000/team/app"},
		{method: "GET", target: "/api/categories/official", want: "GET /api/categories/{category} category=official"},
		{method: "GET", target: "/api/categories/official/wash", want: "GET /{name+} name=api/categories/official/wash"},
		{method: "PUT", target: "/api/categories/official/team/app", want: "PUT /api/categories/{category}/{name+} name=team/app category=official"},
		{method: "PUT", target: "/api/categories/official/team%2Fapp", want: "PUT /api/categories/{category}/{name+} name=team/app category=official"},
		{method: "PUT", target: "/api/categories/official", want: notFound},
		{method: "PUT", target: "/api/categories//wash", want: notFound},
		{method: "PUT", target: "/api/categories/official/", want: notFound},
	} {
		w := get(routes, c.method, c.target)
		if got := w.Body.String(); got != c.want {
			t.Errorf("%s %s = %q, want %q", c.method, c.target, got, c.want)
		}
		wantStatus := http.StatusOK
		if c.want == notFound {
			wantStatus = http.StatusNotFound
		}
		if w.Code != wantStatus {
			t.Errorf("%s %s: status %d, want %d", c.method, c.target, w.Code, wantStatus)
		}
	}
}

// TestEarlierLiteralSegmentWins: API Gateway prefers the route that is more literal in
// the first segment that differs.
func TestEarlierLiteralSegmentWins(t *testing.T) {
	t.Parallel()
	routes := echoes("GET /{category}/wash", "GET /team/{name}", "GET /team/{name+}")
	for target, want := range map[string]string{
		"/team/wash":   "GET /team/{name} name=wash",
		"/other/wash":  "GET /{category}/wash category=other",
		"/team/a/wash": "GET /team/{name+} name=a/wash",
	} {
		// The random order of map iteration must not matter.
		for range 20 {
			if got := get(routes, "GET", target).Body.String(); got != want {
				t.Fatalf("GET %s = %q, want %q", target, got, want)
			}
		}
	}
}

func TestUnknownRouteIsAnsweredAsByAPIGateway(t *testing.T) {
	t.Parallel()
	routes := echoes("GET /")
	for method, wantBody := range map[string]string{"POST": notFound, "HEAD": ""} {
		w := get(routes, method, "/")
		if w.Code != http.StatusNotFound {
			t.Errorf("%s /: status %d, want 404", method, w.Code)
		}
		if w.Body.String() != wantBody {
			t.Errorf("%s / = %q, want %q", method, w.Body, wantBody)
		}
		if diff := cmp.Diff(http.Header{"Content-Type": {"application/json"}}, w.Header()); diff != "" {
			t.Errorf("%s /: headers: -want +got\n%s", method, diff)
		}
	}
}

func TestJoinReturnsTheRoutesOfAllSets(t *testing.T) {
	t.Parallel()
	write, read := echoes("POST /"), echoes("GET /", "GET /{name+}")
	joined := route.Join(write, read)
	want := []string{"GET /", "GET /{name+}", "POST /"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(joined))); diff != "" {
		t.Errorf("routes: -want +got\n%s", diff)
	}
	for method, want := range map[string]string{"POST": "POST /", "GET": "GET /"} {
		if got := get(joined, method, "/").Body.String(); got != want {
			t.Errorf("%s / = %q, want %q", method, got, want)
		}
	}
	if len(write) != 1 || len(read) != 2 {
		t.Errorf("Join changed its arguments: %d and %d routes, want 1 and 2", len(write), len(read))
	}
}

func TestJoinPanicsOnADuplicateRoute(t *testing.T) {
	t.Parallel()
	defer func() {
		const want = "route GET / is in two sets"
		if got := recover(); got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	route.Join(echoes("GET /"), echoes("POST /"), echoes("GET /"))
}
