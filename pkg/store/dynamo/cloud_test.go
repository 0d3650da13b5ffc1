package dynamo_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamomodel"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/views"
)

// A cloud simulates how AWS slows the functions down: each call has a duration, each
// partition has DynamoDB's limits, and throttled calls are retried as the SDK does. It
// runs in a synctest bubble, and the limits use the bubble's clock. It does not simulate
// the processors.
type cloud struct {
	*dynamomodel.Table
	limiter  *dynamomodel.Limiter
	retryer  aws.Retryer
	failures *atomic.Int64 // how often the views function failed
}

// callTime is how long a call to DynamoDB takes.
const callTime = 4 * time.Millisecond

// newCloud adds the limits to a model.
func newCloud(model *dynamomodel.Table) *cloud {
	c := &cloud{Table: model, limiter: dynamomodel.NewLimiter(time.Now), failures: new(atomic.Int64)}
	model.Throttle = c.limiter
	return c
}

// open returns the DB of a function.
func (c *cloud) open(options ...dynamo.Option) *dynamo.DB {
	function := *c
	function.retryer = dynamo.NewRetryer(options...)
	return dynamo.OnModel(&function)
}

// attempt makes a call and retries it as the SDK's client would.
func attempt[I, O any](ctx context.Context, c *cloud, in *I, do func(context.Context, *I, ...func(*dynamodb.Options)) (*O, error)) (*O, error) {
	release := func(error) error { return nil }
	for n := 1; ; n++ {
		if err := sleep(ctx, callTime); err != nil {
			return nil, err
		}
		out, err := do(ctx, in)
		if releaseErr := release(err); releaseErr != nil {
			return nil, releaseErr
		}
		if err == nil || n == c.retryer.MaxAttempts() || !c.retryer.IsErrorRetryable(err) {
			return out, err
		}
		var tokenErr error
		if release, tokenErr = c.retryer.GetRetryToken(ctx, err); tokenErr != nil {
			return nil, errors.Join(err, tokenErr)
		}
		delay, delayErr := c.retryer.RetryDelay(n, err)
		if delayErr != nil {
			return nil, delayErr
		}
		if err := sleep(ctx, delay); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *cloud) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return attempt(ctx, c, in, c.Table.PutItem)
}

func (c *cloud) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return attempt(ctx, c, in, c.Table.UpdateItem)
}

func (c *cloud) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return attempt(ctx, c, in, c.Table.GetItem)
}

func (c *cloud) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return attempt(ctx, c, in, c.Table.BatchGetItem)
}

func (c *cloud) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return attempt(ctx, c, in, c.Table.Query)
}

const (
	streamDelay  = 500 * time.Millisecond // until Lambda gets a record of the stream
	viewsTimeout = 300 * time.Second      // of the views function, as in template.yaml
	viewsBatch   = 100                    // records
)

// runViews runs the views function on the stream until the context ends. As Lambda does,
// it handles one batch of each partition key at a time, and redelivers what failed.
func (c *cloud) runViews(ctx context.Context, t *testing.T) *sync.WaitGroup {
	filters := dynamotest.ReadFilters(t)
	var running sync.WaitGroup
	running.Go(func() {
		queues := map[string]chan views.Record{}
		for read := c.Snapshot().Records(); sleep(ctx, streamDelay) == nil; {
			records := c.Records(read)
			read += len(records)
			for _, r := range records {
				if !filters.Match(r) {
					continue
				}
				record := recordOf(r)
				partition := record.DynamoDB.Keys.Partition
				if queues[partition] == nil {
					queue := make(chan views.Record, 100_000)
					queues[partition] = queue
					running.Go(func() { c.invokeViews(ctx, t, queue) })
				}
				queues[partition] <- record
			}
		}
	})
	return &running
}

// invokeViews calls a views function with the records of a queue until the context ends.
func (c *cloud) invokeViews(ctx context.Context, t *testing.T, queue <-chan views.Record) {
	handler := views.Handler(c.open(dynamo.Patient()), slog.New(slog.DiscardHandler))
	var batch views.Batch
	for ctx.Err() == nil {
		if len(batch.Records) == 0 {
			select {
			case r := <-queue:
				batch.Records = append(batch.Records, r)
			case <-ctx.Done():
				return
			}
		}
		for len(batch.Records) < viewsBatch && len(queue) > 0 {
			batch.Records = append(batch.Records, <-queue)
		}
		invocation, cancel := context.WithTimeout(ctx, viewsTimeout)
		response, err := handler(invocation, batch)
		cancel()
		if err != nil {
			t.Error(err)
		}
		failed := map[string]bool{}
		for _, f := range response.BatchItemFailures {
			failed[f.ItemIdentifier] = true
		}
		// The records from the first failed one on are delivered again.
		i := slices.IndexFunc(batch.Records, func(r views.Record) bool { return failed[r.DynamoDB.SequenceNumber] })
		if i < 0 {
			i = len(batch.Records)
		}
		if batch.Records = batch.Records[i:]; i == 0 {
			c.failures.Add(1)
		}
	}
}
