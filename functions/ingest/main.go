// Ingest is the Lambda function that receives what registries report.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"ocireffer/pkg/apigateway"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
)

// version is the build's version. The linker's flag -X main.version=v1.2.3 sets it.
var version = "devel"

// startTimeout limits the check of the store before the first event, since Azure is
// already waiting its 5 s.
const startTimeout = 500 * time.Millisecond

func main() {
	log := requestlog.NewJSON(os.Stderr)
	log.Info("starting", "version", version)
	settings, err := ingest.FromEnv(os.LookupEnv)
	if err != nil {
		log.Error("ingest cannot start", "err", err)
		os.Exit(1)
	}
	var options []dynamo.Option
	if os.Getenv("AWS_SAM_LOCAL") != "" { // sam local does not run the views function
		options = append(options, dynamo.WithoutStream())
	}
	db, err := dynamo.Open(dynamo.FromEnv(os.Getenv), os.Getenv("TABLE_NAME"), options...)
	if err != nil {
		log.Error("ingest cannot start", "err", err)
		os.Exit(1)
	}
	// Lambda gives a full core until the first event, and only a share of one afterwards:
	// here a TLS handshake is ten times as fast.
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	err = db.StartWriter(ctx)
	if errors.Is(err, store.ErrDataVersion) {
		log.Error("ingest cannot start", "err", err)
		os.Exit(1)
	}
	if err != nil {
		log.Warn("the first event will be slower", "err", err)
	}
	lambda.Start(apigateway.Handler(requestlog.Handler(log, ingest.New(settings, db, log))))
}
