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

// version is the build's version. The linker's flag -X main.version=v1.2.3 sets it.
var version = "devel"

// startTimeout limits the work before the first event, since a reader is already waiting.
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
	if os.Getenv("AWS_SAM_LOCAL") == "" { // not in sam local, where a push should show at once
		settings.CatalogueBytes = lookup.CatalogueBytes(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	}
	db, err := dynamo.Open(dynamo.FromEnv(os.Getenv), table)
	if err != nil {
		log.Error("lookup cannot start", "err", err)
		os.Exit(1)
	}
	handler := lookup.New(settings, db)
	// Lambda gives a full core until the first event, and only a share of one afterwards:
	// here a TLS handshake is ten times as fast, and so is any code that runs for the
	// first time.
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	err = db.StartReader(ctx)
	if errors.Is(err, store.ErrDataVersion) {
		log.Error("lookup cannot start", "err", err)
		os.Exit(1)
	}
	// Even after an error, since the handler is slow the first time, too.
	err = errors.Join(err, apigateway.WarmUp(ctx, requestlog.Handler(requestlog.NewJSON(io.Discard), handler), lookup.WarmUpPath))
	if err != nil {
		log.Warn("the first event will be slower", "err", err)
	}
	lambda.Start(apigateway.Handler(requestlog.Handler(log, handler)))
}
