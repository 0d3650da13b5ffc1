// Lookup is the Lambda function that answers readers.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"ocireffer/pkg/gateway"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
)

// warmUp bounds what is done before the first event. A reader waits already.
const warmUp = 500 * time.Millisecond

func main() {
	log := requestlog.NewJSON(os.Stderr)
	settings, err := lookup.FromEnv(os.LookupEnv)
	if err != nil {
		log.Error("lookup cannot start", "err", err)
		os.Exit(1)
	}
	db, err := dynamo.Open(dynamo.FromEnv(os.Getenv), os.Getenv("TABLE_NAME"))
	if err != nil {
		log.Error("lookup cannot start", "err", err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), warmUp)
	defer cancel()
	// Lambda gives a full core until the first event, and a share of one after
	// it: a TLS handshake is made here ten times as fast.
	if _, err := db.Pick(ctx, store.Query{Name: "#warm"}); err != nil && !errors.Is(err, store.ErrNotFound) {
		log.Warn("the first event will be slower", "err", err)
	}
	lambda.Start(gateway.Lambda(requestlog.Handler(log, gateway.RequestIDHeader, lookup.New(settings, db))))
}
