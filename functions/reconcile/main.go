// Reconcile is the Lambda function that reads registries on a schedule and repairs what
// their webhooks missed.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"ocireffer/pkg/reconcile/invoke"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
)

// version is the build's version. The linker's flag -X main.version=v1.2.3 sets it.
var version = "devel"

// startTimeout limits the check of the store before the first run.
const startTimeout = 5 * time.Second

func main() {
	log := requestlog.NewJSON(os.Stderr)
	log.Info("starting", "version", version)
	settings, err := invoke.FromEnv(os.LookupEnv)
	if err != nil {
		log.Error("reconcile cannot start", "err", err)
		os.Exit(1)
	}
	options := []dynamo.Option{dynamo.Patient()}
	if os.Getenv("AWS_ENDPOINT_URL_DYNAMODB") != "" {
		options = append(options, dynamo.WithoutStream()) // sam local does not run the views function
	}
	db, err := dynamo.Open(dynamo.FromEnv(os.Getenv), os.Getenv("TABLE_NAME"), options...)
	if err != nil {
		log.Error("reconcile cannot start", "err", err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	err = db.StartWriter(ctx)
	if errors.Is(err, store.ErrDataVersion) {
		log.Error("reconcile cannot start", "err", err)
		os.Exit(1)
	}
	if err != nil {
		log.Warn("the first run will be slower", "err", err)
	}
	lambda.Start(invoke.Handler(settings, db, secret, log))
}

// secret returns the text of a secret, which may be in another region.
func secret(ctx context.Context, id string) (string, error) {
	cfg := dynamo.FromEnv(os.Getenv)
	cfg.BaseEndpoint = nil // that one is DynamoDB's
	if a, err := arn.Parse(id); err == nil {
		cfg.Region = a.Region
	}
	if endpoint := os.Getenv("AWS_ENDPOINT_URL_SECRETS_MANAGER"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}
