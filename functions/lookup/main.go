// Lookup is the Lambda function that answers readers.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"ocireffer/pkg/apigateway"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
)

// version is that of the build, which go build sets by -ldflags "-X main.version=v1.2.3".
var version = "devel"

// startTimeout bounds what is done before the first event: a reader is waiting already.
const startTimeout = 300 * time.Millisecond

func main() {
	log := requestlog.NewJSON(os.Stderr)
	log.Info("starting", "version", version)
	settings, err := lookup.FromEnv(os.LookupEnv)
	if err != nil {
		log.Error("lookup cannot start", "err", err)
		os.Exit(1)
	}
	table := os.Getenv("TABLE_NAME")
	settings.Version, settings.Instance = version, table
	if os.Getenv("AWS_SAM_LOCAL") == "" { // whoever tries it out wants to see a push at once
		settings.CatalogueBytes = lookup.CatalogueBytes(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	}
	db, err := dynamo.Open(dynamo.FromEnv(os.Getenv), table)
	if err != nil {
		log.Error("lookup cannot start", "err", err)
		os.Exit(1)
	}
	handler := lookup.New(settings, db)
	// Lambda gives a full core until the first event, and a share of one after it: a
	// TLS handshake is ten times as fast here, and so is the first run of anything.
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	err = db.StartReader(ctx)
	if errors.Is(err, store.ErrDataVersion) {
		log.Error("lookup cannot start", "err", err)
		os.Exit(1)
	}
	if err == nil {
		err = apigateway.WarmUp(ctx, requestlog.Handler(requestlog.NewJSON(io.Discard), handler), lookup.WarmUpPath)
	}
	if err != nil {
		log.Warn("the first event will be slower", "err", err)
	}
	lambda.Start(apigateway.Handler(requestlog.Handler(log, handler)))
}
