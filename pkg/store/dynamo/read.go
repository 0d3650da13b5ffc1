package dynamo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Pick implements store.Reader. It costs 0.5 read units for each of its one or two reads.
// With q.Match, a page of 91 references costs about 7 units, and the second read costs as
// much as the references with the digest do.
func (db *DB) Pick(ctx context.Context, q store.Query) (event.Push, error) {
	p, err := db.scanner(false).Pick(ctx, q)
	if err != nil {
		return event.Push{}, fmt.Errorf("pick %s: %w", q.Name, err)
	}
	return p, nil
}

// Versioned implements store.Reader. It costs 0.5 read units.
func (db *DB) Versioned(ctx context.Context, name reference.Name, p event.Push) (event.Push, error) {
	best, err := db.scanner(false).Versioned(ctx, name, p)
	if err != nil {
		return event.Push{}, fmt.Errorf("find the version of %s in %s: %w", p.Reference, name, err)
	}
	return best, nil
}

// scanner reads references from the table's indexes.
func (db *DB) scanner(consistent bool) store.Scanner {
	return func(ctx context.Context, s store.Scan) iter.Seq2[event.Push, error] {
		index := indexes[s.Order]
		query := db.queryOf(store.Partition(s.Name))
		query.IndexName = &index.name
		query.ScanIndexForward = aws.Bool(false)
		query.ConsistentRead = &consistent
		query.Limit = aws.Int32(int32(s.AtOnce))
		switch {
		case s.Below != "":
			addCondition(query, "#sort < :sort", index.attr, s.Below)
		case s.Prefix != "":
			addCondition(query, "begins_with(#sort, :sort)", index.attr, s.Prefix)
		}
		return func(yield func(event.Push, error) bool) {
			for item, err := range db.results(ctx, query) {
				p := event.Push{}
				if err == nil {
					p, err = unmarshalPush(item)
				}
				if !yield(p, err) || err != nil {
					return
				}
			}
		}
	}
}

// addCondition adds a condition on the sort key #sort, with the value :sort.
func addCondition(query *dynamodb.QueryInput, condition, attr, value string) {
	*query.KeyConditionExpression += " AND " + condition
	query.ExpressionAttributeNames["#sort"] = attr
	query.ExpressionAttributeValues[":sort"] = str(value)
}

// PushedAt implements store.Writer. It makes one consistent read of the reference under
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
// references. A reference has about 600 bytes.
func (db *DB) References(ctx context.Context, name reference.Name, match func(tag string) bool, s store.Span) (store.Page[event.Push], error) {
	page, err := db.scanner(false).References(ctx, name, match, s)
	if err != nil {
		return page, fmt.Errorf("list references of %s: %w", name, err)
	}
	return page, nil
}

// queryOf returns a query of a partition, to which the caller may add conditions.
func (db *DB) queryOf(partition string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                 &db.table,
		KeyConditionExpression:    aws.String("#name = :name"),
		ExpressionAttributeNames:  map[string]string{"#name": attrName},
		ExpressionAttributeValues: attributes{":name": str(partition)},
	}
}

// results yields the items that query finds, and nothing after an error.
func (db *DB) results(ctx context.Context, query *dynamodb.QueryInput) iter.Seq2[attributes, error] {
	return func(yield func(attributes, error) bool) {
		for pages := dynamodb.NewQueryPaginator(db.client, query); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range page.Items {
				// ctx may have ended while the caller used the previous item.
				if err := ctx.Err(); !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

// maxBatchGet is the most keys that DynamoDB accepts in one BatchGetItem.
const maxBatchGet = 100

// batchGet reads the items of at most maxBatchGet keys. When DynamoDB is busy, it may
// leave some unprocessed; batchGet asks for those again. It gives up when DynamoDB has
// left all of them as many times as a call is tried.
func (db *DB) batchGet(ctx context.Context, keys []attributes, consistent bool) (items []attributes, err error) {
	for failed := 0; failed < attempts; {
		request := map[string]types.KeysAndAttributes{db.table: {Keys: keys, ConsistentRead: &consistent}}
		out, err := db.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, err
		}
		items = append(items, out.Responses[db.table]...)
		left := out.UnprocessedKeys[db.table].Keys
		if len(left) == 0 {
			return items, nil
		}
		if len(left) == len(keys) {
			failed++
		}
		keys = left
	}
	return nil, errors.New("DynamoDB left keys unprocessed")
}
