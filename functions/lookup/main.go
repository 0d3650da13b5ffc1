// Lookup is the Lambda function that answers readers.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"ocireffer/pkg/apigateway"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
)

// startTimeout bounds the check of the store before the first event: a reader is
// waiting already.
const startTimeout = 500 * time.Millisecond

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
	// Lambda gives a full core until the first event, and a share of one after it: a
	// TLS handshake is ten times as fast here.
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	err = db.StartReader(ctx)
	if errors.Is(err, store.ErrDataVersion) {
		log.Error("lookup cannot start", "err", err)
		os.Exit(1)
	}
	if err != nil {
		log.Warn("the first event will be slower", "err", err)
	}
	lambda.Start(apigateway.Handler(requestlog.Handler(log, lookup.New(settings, db))))
}
