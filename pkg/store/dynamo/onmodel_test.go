package dynamo_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamomodel"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
	"ocireffer/pkg/views"
)

// TestStoreOnModel runs the suite of all backends on the model of DynamoDB. It needs a
// fraction of the time of TestStore, which uses DynamoDB Local.
func TestStoreOnModel(t *testing.T) {
	t.Parallel()
	t.Run("without a stream", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t testing.TB) store.Store { return dynamo.OnModel(dynamo.NewModel(t), dynamo.WithoutStream()) })
	})
	t.Run("with the stream", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t testing.TB) store.Store { return follow(t, dynamo.NewModel(t)) })
	})
}

// A followed store runs the views function after each write.
type followed struct {
	*dynamo.DB
	model   *dynamomodel.Table
	filters dynamotest.Filters
	views   func(context.Context, views.Batch) error

	mu   sync.Mutex
	read int // how many records of the stream have been read
}

func follow(t testing.TB, model *dynamomodel.Table) *followed {
	db := dynamo.OnModel(model)
	handler := views.Handler(db, slog.New(slog.NewTextHandler(io.Discard, nil)))
	return &followed{DB: db, model: model, filters: dynamotest.ReadFilters(t), views: func(ctx context.Context, b views.Batch) error {
		response, err := handler(ctx, b)
		if failed := len(response.BatchItemFailures); err == nil && failed > 0 {
			err = fmt.Errorf("%d of %d records failed", failed, len(b.Records))
		}
		return err
	}}
}

// follow delivers the stream's records since the last call.
func (f *followed) follow(ctx context.Context) error {
	f.mu.Lock()
	records := f.model.Records(f.read)
	f.read += len(records)
	f.mu.Unlock()
	var batch views.Batch
	for _, record := range records {
		if f.filters.Match(record) {
			batch.Records = append(batch.Records, recordOf(record))
		}
	}
	return f.views(ctx, batch)
}

func (f *followed) Push(ctx context.Context, p event.Push) error {
	if err := f.DB.Push(ctx, p); err != nil {
		return err
	}
	return f.follow(ctx)
}

func (f *followed) PushAll(ctx context.Context, pushes []event.Push) error {
	if err := f.DB.PushAll(ctx, pushes); err != nil {
		return err
	}
	return f.follow(ctx)
}

func (f *followed) Delete(ctx context.Context, d event.Delete) (store.Deleted, error) {
	deleted, err := f.DB.Delete(ctx, d)
	if err != nil {
		return deleted, err
	}
	return deleted, f.follow(ctx)
}

// recordOf converts a record of the model's stream to the form in which Lambda delivers
// it.
func recordOf(r events.DynamoDBEventRecord) (record views.Record) {
	record.DynamoDB.Keys = dynamo.Change{Partition: r.Change.Keys["name"].String(), Key: r.Change.Keys["key"].String()}
	record.DynamoDB.SequenceNumber = r.Change.SequenceNumber
	return record
}
