package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"ocireffer/pkg/gateway"
)

// routed answers with the route and its variables.
func routed(keys ...string) gateway.Routes {
	routes := gateway.Routes{}
	for _, key := range keys {
		routes[key] = func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, key)
			for _, variable := range []string{"name", "category"} {
				if v := r.PathValue(variable); v != "" {
					io.WriteString(w, " "+variable+"="+v)
				}
			}
		}
	}
	return routes
}

func TestRoutes(t *testing.T) {
	routes := routed("GET /", "GET /{name+}", "HEAD /{name+}", "POST /api/azurehook",
		"GET /api/repositories", "GET /api/repositories/{name+}", "GET /api/categories/{category}", "PUT /api/categories/{category}/{name+}")
	const notFound = `{"message":"Not Found"}`
	for _, c := range []struct{ method, target, want string }{
		{"GET", "/", "GET /"},
		{"GET", "/wash", "GET /{name+} name=wash"},
		{"GET", "/wash/", "GET /{name+} name=wash/"},
		{"GET", "//wash", "GET /{name+} name=/wash"},
		{"GET", "/team/app", "GET /{name+} name=team/app"},
		{"GET", "/host:5000/app", "GET /{name+} name=host:5000/app"},
		{"GET", "/a%2Fb", "GET /{name+} name=a/b"},
		{"GET", "/a%20b", "GET /{name+} name=a b"},
		{"GET", "/../wash", "GET /{name+} name=../wash"},
		{"GET", "/wash?x=/y", "GET /{name+} name=wash"},
		{"POST", "/api/azurehook", "POST /api/azurehook"},
		{"POST", "/api/azurehook/", notFound},
		{"POST", "/wash", notFound},
		{"POST", "/", notFound},
		{"HEAD", "/", ""},
		{"GET", "/api/azurehook", "GET /{name+} name=api/azurehook"},
		{"GET", "/api/repositories", "GET /api/repositories"},
		{"GET", "/api/repositories/", "GET /{name+} name=api/repositories/"},
		{"GET", "/api/repositories/team/app", "GET /api/repositories/{name+} name=team/app"},
		{"GET", "/api/categories/official", "GET /api/categories/{category} category=official"},
		{"GET", "/api/categories/official/wash", "GET /{name+} name=api/categories/official/wash"},
		{"PUT", "/api/categories/official/team/app", "PUT /api/categories/{category}/{name+} name=team/app category=official"},
		{"PUT", "/api/categories/official", notFound},
	} {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
		if got := w.Body.String(); got != c.want {
			t.Errorf("%s %s = %q, want %q", c.method, c.target, got, c.want)
		}
		if wantStatus := map[bool]int{true: 404, false: 200}[c.want == notFound || c.want == ""]; w.Code != wantStatus {
			t.Errorf("%s %s: status %d, want %d", c.method, c.target, w.Code, wantStatus)
		}
	}
}

func TestLambdaRequest(t *testing.T) {
	var got *http.Request
	var body string
	h := gateway.Lambda(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got, body = r, string(b)
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short")
	}))
	event := events.APIGatewayV2HTTPRequest{
		RawPath:         "/a b/%zz",
		RawQueryString:  "tag=a%2Cb&tag=c",
		Headers:         map[string]string{"host": "example.com", "ce-id": "1", "x-request-id": "forged"},
		Body:            "aMOpbGxv",
		IsBase64Encoded: true,
	}
	event.RequestContext.HTTP.Method = "POST"
	event.RequestContext.HTTP.SourceIP = "192.0.2.1"
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-1"})
	response, err := h(ctx, event)
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != "POST" || got.URL.Path != "/a b/%zz" || got.URL.Query().Get("tag") != "a,b" || got.Host != "example.com" ||
		got.Header.Get("Ce-Id") != "1" || got.RemoteAddr != "192.0.2.1" || body != "héllo" || got.ContentLength != 6 {
		t.Errorf("request = %+v, body %q", got, body)
	}
	if id := got.Header.Get(gateway.RequestIDHeader); id != "id-1" {
		t.Errorf("request id = %q, want the invocation's", id)
	}
	if response.StatusCode != 418 || response.Body != "short" || response.Headers["X-Answer"] != "yes" || response.IsBase64Encoded {
		t.Errorf("response = %+v", response)
	}

	if _, err := h(context.Background(), event); err != nil {
		t.Fatal(err)
	}
	if id := got.Header.Get(gateway.RequestIDHeader); id != "" {
		t.Errorf("request id without an invocation = %q, want none", id)
	}
	event.Body = "*"
	if _, err := h(ctx, event); err == nil || !strings.Contains(err.Error(), "base64") {
		t.Errorf("with a body that is not base64: %v, want an error", err)
	}
}

func TestLambdaAnswers(t *testing.T) {
	for _, c := range []struct {
		name, method string
		write        func(http.ResponseWriter)
		status       int
		body         string
		base64       bool
	}{
		{"nothing written", "GET", func(http.ResponseWriter) {}, 200, "", false},
		{"body alone", "GET", func(w http.ResponseWriter) { io.WriteString(w, "é") }, 200, "é", false},
		{"not text", "GET", func(w http.ResponseWriter) { io.WriteString(w, "\xff\x00") }, 200, "/wA=", true},
		{"HEAD has no body", "HEAD", func(w http.ResponseWriter) { io.WriteString(w, "x") }, 200, "", false},
		{"first status counts", "GET", func(w http.ResponseWriter) { w.WriteHeader(404); w.WriteHeader(200) }, 404, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			event := events.APIGatewayV2HTTPRequest{RawPath: "/"}
			event.RequestContext.HTTP.Method = c.method
			got, err := gateway.Lambda(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.write(w) }))(t.Context(), event)
			if err != nil || got.StatusCode != c.status || got.Body != c.body || got.IsBase64Encoded != c.base64 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
