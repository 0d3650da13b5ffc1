// Package apigateway serves an API Gateway HTTP API on Lambda with an http.Handler: it
// turns the API's events into requests, and the handler's answers into the API's
// responses. Routing is in package route.
package apigateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"ocireffer/pkg/requestlog"
)

// Handler turns h into a Lambda function behind an HTTP API (payload format 2.0). The
// request's context contains the ID of the invocation, for requestlog.
func Handler(h http.Handler) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		r, err := request(ctx, event)
		if err != nil {
			return events.APIGatewayV2HTTPResponse{}, err
		}
		w := recorder{header: http.Header{}}
		h.ServeHTTP(&w, r)
		return w.response(r.Method), nil
	}
}

// request returns the HTTP request in event. In an event, the path is already decoded and
// the query string is not.
func request(ctx context.Context, event events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
			return nil, fmt.Errorf("decode the event's body: %w", err)
		}
	}
	r := &http.Request{
		Method:        event.RequestContext.HTTP.Method,
		URL:           &url.URL{Path: event.RawPath, RawQuery: event.RawQueryString},
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(http.Header, len(event.Headers)),
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		RemoteAddr:    event.RequestContext.HTTP.SourceIP,
	}
	for name, value := range event.Headers {
		r.Header.Set(name, value)
	}
	r.Host = r.Header.Get("Host")
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		ctx = requestlog.WithID(ctx, lc.AwsRequestID)
	}
	return r.WithContext(ctx), nil
}

// recorder records what a handler writes.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// response returns the answer in API Gateway's form: text as it is, anything else in
// base64.
func (w *recorder) response(method string) events.APIGatewayV2HTTPResponse {
	w.WriteHeader(http.StatusOK)
	response := events.APIGatewayV2HTTPResponse{
		StatusCode: w.status,
		Headers:    make(map[string]string, len(w.header)),
	}
	for name, values := range w.header {
		response.Headers[name] = strings.Join(values, ", ")
	}
	switch {
	case method == http.MethodHead:
	case utf8.Valid(w.body.Bytes()):
		response.Body = w.body.String()
	default:
		response.Body = base64.StdEncoding.EncodeToString(w.body.Bytes())
		response.IsBase64Encoded = true
	}
	return response
}
