// Ingest is the Lambda function that takes in what registries report.
package main

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"ocireffer/pkg/gateway"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store/dynamo"
)

// warmUp bounds what is done before the first event. Azure's 5 s run already.
const warmUp = 500 * time.Millisecond

func main() {
	log := requestlog.NewJSON(os.Stderr)
	settings, err := ingest.FromEnv(os.LookupEnv)
	if err != nil {
		log.Error("ingest cannot start", "err", err)
		os.Exit(1)
	}
	db, err := dynamo.Open(dynamo.FromEnv(os.Getenv), os.Getenv("TABLE_NAME"))
	if err != nil {
		log.Error("ingest cannot start", "err", err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), warmUp)
	defer cancel()
	// Lambda gives a full core until the first event, and a share of one after
	// it: a TLS handshake is made here ten times as fast.
	if err := db.Warm(ctx); err != nil {
		log.Warn("the first event will be slower", "err", err)
	}
	lambda.Start(gateway.Lambda(requestlog.Handler(log, gateway.RequestIDHeader, ingest.New(settings, db, log))))
}
