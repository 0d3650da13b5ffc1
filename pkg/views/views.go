// Package views is the Lambda function on the table's stream. It takes the stream's
// records, makes the store derive from them, and tells Lambda which ones to deliver
// again. What depends on a changed item is up to the store.
package views

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"ocireffer/pkg/store/dynamo"
)

// A Deriver derives from changed items, as dynamo.DB does. The result has an error for
// each change that must be delivered again.
type Deriver interface {
	Derive(ctx context.Context, changes []dynamo.Change) []error
}

// A Batch is the part of a stream's batch that is needed here.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
type Batch struct{ Records []Record }

// A Record says which item was written. SequenceNumber is Lambda's name for the record.
type Record struct {
	DynamoDB struct {
		Keys           dynamo.Change
		SequenceNumber string
	} `json:"dynamodb"`
}

// answerTime is how long before the function's timeout Derive stops, to leave time for
// the log and the answer.
const answerTime = time.Second

// Handler returns the Lambda function. It answers with the sequence numbers of the
// records that failed, and logs one line for each batch. Lambda delivers the records
// again from the first failed one on.
func Handler(d Deriver, log *slog.Logger) func(context.Context, Batch) (events.DynamoDBEventResponse, error) {
	return func(ctx context.Context, batch Batch) (response events.DynamoDBEventResponse, _ error) {
		begin := time.Now()
		changes := make([]dynamo.Change, len(batch.Records))
		for i, record := range batch.Records {
			changes[i] = record.DynamoDB.Keys
		}
		errs := derive(ctx, d, changes)
		for i, err := range errs {
			if err != nil {
				failed := events.DynamoDBBatchItemFailure{ItemIdentifier: batch.Records[i].DynamoDB.SequenceNumber}
				response.BatchItemFailures = append(response.BatchItemFailures, failed)
			}
		}
		logBatch(ctx, log, len(changes), errs, time.Since(begin))
		return response, nil
	}
}

func derive(ctx context.Context, d Deriver, changes []dynamo.Change) []error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerTime))
		defer cancel()
	}
	return d.Derive(ctx, changes)
}

// logBatch logs the line of a batch, at level error if a record failed.
func logBatch(ctx context.Context, log *slog.Logger, records int, errs []error, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("outcome", "derived"),
		slog.Int("records", records),
		slog.Float64("durationMs", float64(took.Microseconds())/1e3),
	}
	level := slog.LevelInfo
	if err := errors.Join(errs...); err != nil {
		level = slog.LevelError
		attrs[0] = slog.String("outcome", "derive_failed")
		attrs = append(attrs, slog.Any("err", err))
	}
	log.LogAttrs(ctx, level, "batch", attrs...)
}
