package apigateway_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"ocireffer/pkg/apigateway"
)

func ExampleHandler() {
	hello := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %s", r.Method, r.URL)
	}
	f := apigateway.Handler(http.HandlerFunc(hello)) // for lambda.Start

	var event events.APIGatewayV2HTTPRequest
	event.RawPath, event.RawQueryString = "/wash", "format=svg"
	event.RequestContext.HTTP.Method = http.MethodGet
	answer, err := f(context.Background(), event)
	fmt.Println(answer.StatusCode, answer.Headers["Content-Type"], err)
	fmt.Println(answer.Body)
	// Output:
	// 202 text/plain <nil>
	// GET /wash?format=svg
}
