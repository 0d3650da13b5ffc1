package apigateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/lambda"
)

// warmUpEvent is a GET request as an HTTP API sends it, with its path left out.
const warmUpEvent = `{"version":"2.0","routeKey":"$default","rawPath":%[1]q,"rawQueryString":"",` +
	`"headers":{"accept":"*/*","host":"localhost","user-agent":"warm-up","x-forwarded-for":"127.0.0.1","x-forwarded-port":"443","x-forwarded-proto":"https"},` +
	`"requestContext":{"accountId":"0","apiId":"0","domainName":"localhost","domainPrefix":"localhost",` +
	`"http":{"method":"GET","path":%[1]q,"protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"warm-up"},` +
	`"requestId":"0","routeKey":"$default","stage":"$default","time":"01/Jan/1970:00:00:00 +0000","timeEpoch":0},"isBase64Encoded":false}`

// WarmUp lets h answer a made-up GET of path, from the event's JSON to the answer's,
// and throws the answer away. Anything is slow the first time: code is read from disk,
// and JSON's decoders are built. A Lambda function has a whole core for it before its
// first event, and a share of one later.
func WarmUp(ctx context.Context, h http.Handler, path string) error {
	_, err := lambda.NewHandler(Handler(h)).Invoke(ctx, fmt.Appendf(nil, warmUpEvent, path))
	return err
}
