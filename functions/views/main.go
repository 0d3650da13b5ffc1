// Views is the Lambda function on the table's stream. It updates what depends on pushes
// and deletes.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/views"
)

// version is the build's version. The linker's flag -X main.version=v1.2.3 sets it.
var version = "devel"

// startTimeout limits the check of the store before the first batch.
const startTimeout = 5 * time.Second

func main() {
	log := requestlog.NewJSON(os.Stderr)
	log.Info("starting", "version", version)
	db, err := dynamo.Open(dynamo.FromEnv(os.Getenv), os.Getenv("TABLE_NAME"), dynamo.Patient())
	if err != nil {
		log.Error("views cannot start", "err", err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	err = db.StartReader(ctx)
	if errors.Is(err, store.ErrDataVersion) {
		log.Error("views cannot start", "err", err)
		os.Exit(1)
	}
	if err != nil {
		log.Warn("the first batch will be slower", "err", err)
	}
	lambda.Start(views.Handler(db, log))
}
