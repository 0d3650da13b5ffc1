package apigateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/lambda"
)

// warmUpEvent is a GET request in the form of an HTTP API's event, without its path.
const warmUpEvent = `{"version":"2.0","routeKey":"$default","rawPath":%[1]q,"rawQueryString":"",` +
	`"headers":{"accept":"*/*","host":"localhost","user-agent":"warm-up","x-forwarded-for":"127.0.0.1","x-forwarded-port":"443","x-forwarded-proto":"https"},` +
	`"requestContext":{"accountId":"0","apiId":"0","domainName":"localhost","domainPrefix":"localhost",` +
	`"http":{"method":"GET","path":%[1]q,"protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"warm-up"},` +
	`"requestId":"0","routeKey":"$default","stage":"$default","time":"01/Jan/1970:00:00:00 +0000","timeEpoch":0},"isBase64Encoded":false}`

// WarmUp makes h answer a made-up GET of path, from the event's JSON to the answer's, and
// discards the answer. Everything is slow the first time: code is read from disk, and
// JSON decoders are built. Before its first event, a Lambda function has a whole core for
// this; later it has only a share of one.
func WarmUp(ctx context.Context, h http.Handler, path string) error {
	_, err := lambda.NewHandler(Handler(h)).Invoke(ctx, fmt.Appendf(nil, warmUpEvent, path))
	return err
}
