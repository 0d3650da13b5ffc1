package route_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"ocireffer/pkg/route"
)

func ExampleRoutes() {
	routes := route.Routes{
		"GET /{name+}":    func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the badge of ", r.PathValue("name")) },
		"GET /api/status": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the status") },
	}
	for _, target := range []string{"/team/app", "/api/status", "/api/other"} {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		fmt.Println(w.Code, w.Body)
	}
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/status", nil))
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 the badge of team/app
	// 200 the status
	// 200 the badge of api/other
	// 404 {"message":"Not Found"}
}
