package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// matchPageSize is how many references a Pick with Match reads at once.
const matchPageSize = 100

// Pick implements store.Reader. It costs 0.5 read units, or with q.Match some 0.07
// for each reference that it reads: 6 to 7 for each 100 of usual length.
func (db *DB) Pick(ctx context.Context, q store.Query) (event.Push, error) {
	p, err := db.pick(ctx, q, false)
	if err != nil {
		return event.Push{}, fmt.Errorf("pick %s: %w", q.Name, err)
	}
	return p, nil
}

func (db *DB) pick(ctx context.Context, q store.Query, consistent bool) (event.Push, error) {
	query := db.queryOf(store.Partition(q.Name))
	query.IndexName = &indexes[q.Order].name
	query.ScanIndexForward = aws.Bool(false)
	query.ConsistentRead = &consistent
	query.Limit = aws.Int32(1)
	if q.Match != nil {
		query.Limit = aws.Int32(matchPageSize)
	}
	for read := 0; read < store.MaxScan; {
		page, err := db.client.Query(ctx, query)
		if err != nil {
			return event.Push{}, err
		}
		for _, item := range page.Items {
			if err := ctx.Err(); err != nil { // Match may take longer than a caller waits
				return event.Push{}, err
			}
			p, err := unmarshalPush(item)
			if err != nil || q.Match == nil || q.Match(p.Reference.Tag) {
				return p, err
			}
		}
		read += len(page.Items)
		if query.ExclusiveStartKey = page.LastEvaluatedKey; query.ExclusiveStartKey == nil {
			break
		}
	}
	return event.Push{}, store.ErrNotFound
}

// PushedAt implements store.Writer. It is one consistent read of the reference under
// each of its names: 2 read units, or 1 for a name given by hand.
func (db *DB) PushedAt(ctx context.Context, t event.Target) (time.Time, error) {
	_, newest, err := db.newestOf(ctx, partitionsOf(t.Names()), tagKey(t))
	if err != nil {
		return time.Time{}, fmt.Errorf("read when %s was pushed: %w", t, err)
	}
	if newest == nil {
		return time.Time{}, nil
	}
	p, err := unmarshalPush(newest)
	return p.PushedAt, err
}

// References implements store.Reader. It costs 0.5 read units for each 4 KB of
// references, of which each has some 550 bytes.
func (db *DB) References(ctx context.Context, name reference.Name, s store.Span) (store.Page[event.Push], error) {
	index := indexes[store.ByPushed]
	query := db.queryOf(store.Partition(name))
	query.IndexName = &index.name
	query.ScanIndexForward = aws.Bool(false)
	query.Limit = aws.Int32(int32(s.Limit) + 1)
	if s.After != "" {
		*query.KeyConditionExpression += " AND #pushed < :after"
		query.ExpressionAttributeNames["#pushed"] = index.attr
		query.ExpressionAttributeValues[":after"] = str(s.After)
	}
	page, err := readPage(ctx, db, query, s.Limit, index.attr, unmarshalPush)
	if err != nil {
		return page, fmt.Errorf("list references of %s: %w", name, err)
	}
	return page, nil
}

// readPage returns a page of at most limit results of query, whose order is that of
// sortAttr. It needs one item more than the page has to know that another follows.
func readPage[T any](ctx context.Context, db *DB, query *dynamodb.QueryInput, limit int, sortAttr string, unmarshal func(attributes) (T, error)) (page store.Page[T], err error) {
	last := ""
	err = db.eachItem(ctx, query, func(item attributes) (more bool, err error) {
		if len(page.Items) == limit {
			page.Next = last
			return false, nil
		}
		result, err := unmarshal(item)
		page.Items = append(page.Items, result)
		last = text(item, sortAttr)
		return err == nil, err
	})
	return page, err
}

// queryOf returns a query of a partition, to which conditions may be added.
func (db *DB) queryOf(partition string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                 &db.table,
		KeyConditionExpression:    aws.String("#name = :name"),
		ExpressionAttributeNames:  map[string]string{"#name": attrName},
		ExpressionAttributeValues: attributes{":name": str(partition)},
	}
}

// eachItem calls do with the results of query until it wants no more.
func (db *DB) eachItem(ctx context.Context, query *dynamodb.QueryInput, do func(attributes) (more bool, err error)) error {
	for pages := dynamodb.NewQueryPaginator(db.client, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if more, err := do(item); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// maxBatchGet is the most keys that DynamoDB takes in one BatchGetItem.
const maxBatchGet = 100

// batchGet reads the items of at most maxBatchGet keys. DynamoDB may leave some
// unprocessed when it is busy; those are asked for again, as often as a failed call.
func (db *DB) batchGet(ctx context.Context, keys []attributes, consistent bool) (items []attributes, err error) {
	request := map[string]types.KeysAndAttributes{db.table: {Keys: keys, ConsistentRead: &consistent}}
	for range attempts {
		out, err := db.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, err
		}
		items = append(items, out.Responses[db.table]...)
		if request = out.UnprocessedKeys; len(request) == 0 {
			return items, nil
		}
	}
	return nil, errors.New("DynamoDB left keys unprocessed")
}
