package gateway

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
)

// RequestIDHeader carries the id of the Lambda invocation to the handler. What
// a client sent under this name is replaced.
const RequestIDHeader = "X-Request-Id"

// Lambda makes h a Lambda function behind an HTTP API (payload format 2.0).
func Lambda(h http.Handler) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		r, err := request(ctx, event)
		if err != nil {
			return events.APIGatewayV2HTTPResponse{}, err
		}
		a := answer{header: http.Header{}}
		h.ServeHTTP(&a, r)
		return a.response(r.Method), nil
	}
}

// request is the HTTP request that event tells of. The path of an event is
// decoded already, its query string is not.
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
		Header:        make(http.Header, len(event.Headers)+1),
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		RemoteAddr:    event.RequestContext.HTTP.SourceIP,
	}
	for name, value := range event.Headers {
		r.Header.Set(name, value)
	}
	r.Host = r.Header.Get("Host")
	r.Header.Del(RequestIDHeader)
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.Header.Set(RequestIDHeader, lc.AwsRequestID)
	}
	return r.WithContext(ctx), nil
}

// answer collects what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// response is the answer as API Gateway takes it: text as it is, anything else
// in base64.
func (a *answer) response(method string) events.APIGatewayV2HTTPResponse {
	a.WriteHeader(http.StatusOK)
	response := events.APIGatewayV2HTTPResponse{
		StatusCode: a.status,
		Headers:    make(map[string]string, len(a.header)),
	}
	for name, values := range a.header {
		response.Headers[name] = strings.Join(values, ", ")
	}
	switch {
	case method == http.MethodHead:
	case utf8.Valid(a.body.Bytes()):
		response.Body = a.body.String()
	default:
		response.Body = base64.StdEncoding.EncodeToString(a.body.Bytes())
		response.IsBase64Encoded = true
	}
	return response
}
