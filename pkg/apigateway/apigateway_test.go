package apigateway_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/apigateway"
	"ocireffer/pkg/requestlog"
)

// A received is a request as its handler sees it.
type received struct {
	Method, Path, Query, Host, RemoteAddr, Body, ID string
	ContentLength                                   int64
	Header                                          http.Header
}

// send passes event to a handler that answers 200, and returns the request that the
// handler got.
func send(t *testing.T, ctx context.Context, event events.APIGatewayV2HTTPRequest) (got received) {
	t.Helper()
	_, err := apigateway.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the body: %v", err)
		}
		got = received{
			Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Host: r.Host, RemoteAddr: r.RemoteAddr,
			Body: string(body), ID: requestlog.ID(r.Context()), ContentLength: r.ContentLength, Header: r.Header,
		}
	}))(ctx, event)
	if err != nil {
		t.Fatalf("Handler(%+v): %v", event, err)
	}
	return got
}

func newEvent(method, path string) events.APIGatewayV2HTTPRequest {
	event := events.APIGatewayV2HTTPRequest{RawPath: path}
	event.RequestContext.HTTP.Method = method
	return event
}

func TestEventBecomesARequest(t *testing.T) {
	t.Parallel()
	event := newEvent("POST", "/a b/%zz") // an event's path is already decoded
	event.RequestContext.HTTP.SourceIP = "192.0.2.1"
	event.RawQueryString = "tag=a%2Cb&tag=c"
	event.Headers = map[string]string{"host": "example.com", "ce-id": "1", "x-request-id": "forged"}
	event.Body = "aMOpbGxv"
	event.IsBase64Encoded = true
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-1"})
	want := received{
		Method: "POST", Path: "/a b/%zz", Query: "tag=a%2Cb&tag=c", Host: "example.com", RemoteAddr: "192.0.2.1",
		Body: "héllo", ID: "id-1", ContentLength: 6,
		Header: http.Header{"Host": {"example.com"}, "Ce-Id": {"1"}, "X-Request-Id": {"forged"}},
	}
	if diff := cmp.Diff(want, send(t, ctx, event)); diff != "" {
		t.Errorf("request: -want +got\n%s", diff)
	}
}

func TestTextBodyIsNotDecoded(t *testing.T) {
	t.Parallel()
	event := newEvent("POST", "/")
	event.Body = "aMOpbGxv"
	got := send(t, t.Context(), event)
	if got.Body != "aMOpbGxv" || got.ContentLength != 8 {
		t.Errorf("body = %q of length %d, want aMOpbGxv of length 8", got.Body, got.ContentLength)
	}
}

func TestNoInvocationMeansNoID(t *testing.T) {
	t.Parallel()
	event := newEvent("GET", "/")
	event.Headers = map[string]string{"x-request-id": "forged"}
	if got := send(t, t.Context(), event).ID; got != "" {
		t.Errorf("ID = %q, want none", got)
	}
}

func TestBodyThatIsNotBase64IsAnError(t *testing.T) {
	t.Parallel()
	event := newEvent("POST", "/")
	event.Body = "*"
	event.IsBase64Encoded = true
	h := apigateway.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }))
	if _, err := h(t.Context(), event); err == nil || !strings.Contains(err.Error(), "base64") {
		t.Errorf("error %v, want one about base64", err)
	}
}

func TestHandlerOutputBecomesTheResponse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method string
		write  func(http.ResponseWriter)
		want   events.APIGatewayV2HTTPResponse
	}{
		"nothing": {
			method: "GET", write: func(http.ResponseWriter) {},
			want: events.APIGatewayV2HTTPResponse{StatusCode: 200}},
		"body alone": {
			method: "GET", write: func(w http.ResponseWriter) { io.WriteString(w, "é") },
			want: events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "é"}},
		"status, headers and a body in parts": {
			method: "GET",
			write: func(w http.ResponseWriter) {
				w.Header().Set("X-Answer", "yes")
				w.Header()["Vary"] = []string{"Accept", "Accept-Encoding"}
				w.WriteHeader(http.StatusTeapot)
				io.WriteString(w, "sho")
				io.WriteString(w, "rt")
			},
			want: events.APIGatewayV2HTTPResponse{StatusCode: 418, Body: "short",
				Headers: map[string]string{"X-Answer": "yes", "Vary": "Accept, Accept-Encoding"}}},
		"bytes that are no text": {
			method: "GET", write: func(w http.ResponseWriter) { io.WriteString(w, "\xff\x00") },
			want: events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: base64.StdEncoding.EncodeToString([]byte("\xff\x00")), IsBase64Encoded: true}},
		"body of a HEAD": {
			method: "HEAD", write: func(w http.ResponseWriter) { io.WriteString(w, "\xff") },
			want: events.APIGatewayV2HTTPResponse{StatusCode: 200}},
		"second status": {
			method: "GET", write: func(w http.ResponseWriter) { w.WriteHeader(404); w.WriteHeader(200) },
			want: events.APIGatewayV2HTTPResponse{StatusCode: 404}},
		"status after the body": {
			method: "GET", write: func(w http.ResponseWriter) { io.WriteString(w, "x"); w.WriteHeader(404) },
			want: events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := apigateway.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.write(w) }))
			got, err := h(t.Context(), newEvent(c.method, "/"))
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Headers == nil {
				c.want.Headers = map[string]string{}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("response: -want +got\n%s", diff)
			}
		})
	}
}
