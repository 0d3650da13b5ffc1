package dynamomodel

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Scan is as in the SDK's client, for the table itself and without parallel segments.
// Items come in the order of their keys, which DynamoDB does not promise. It charges the
// partition with the empty name.
func (t *Table) Scan(ctx context.Context, input *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return call(ctx, t, "Scan", input, t.prepareScan)
}

func (t *Table) prepareScan(in *dynamodb.ScanInput) (p plan[dynamodb.ScanOutput], err error) {
	if err := needs("ScanInput", given{"TableName", in.TableName != nil}); err != nil {
		return p, err
	}
	err = refuses(given{"AttributesToGet", in.AttributesToGet != nil}, given{"ConditionalOperator", in.ConditionalOperator != ""}, given{"ScanFilter", in.ScanFilter != nil},
		given{"IndexName", in.IndexName != nil}, given{"Segment", in.Segment != nil}, given{"TotalSegments", in.TotalSegments != nil},
		given{"Select", in.Select != ""}, capacityGiven(in.ReturnConsumedCapacity))
	if err != nil {
		return p, err
	}
	if err := t.checkTable(*in.TableName); err != nil {
		return p, err
	}
	q, err := t.checkScan(in)
	if err != nil {
		return p, err
	}
	p.run = func(b *bill) (*dynamodb.ScanOutput, error) {
		if !t.admits(value{}, false) {
			return nil, throttled(false)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		page := t.read(q)
		b.add(value{}, readUnits(page.bytes, in.ConsistentRead))
		return &dynamodb.ScanOutput{
			Items: page.items, Count: int32(len(page.items)), ScannedCount: int32(page.scanned),
			LastEvaluatedKey: page.last, ConsumedCapacity: b.capacity(in.ReturnConsumedCapacity),
		}, nil
	}
	return p, nil
}

// checkScan returns a scan as a query that reads all partitions.
func (t *Table) checkScan(in *dynamodb.ScanInput) (*query, error) {
	q := &query{index: -1, keys: t.keys, all: true}
	if in.Limit != nil {
		if q.limit = int(*in.Limit); q.limit < 1 {
			return nil, invalid("Limit must be greater than or equal to 1")
		}
	}
	expressions := placeholders{in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		[]written{{"FilterExpression", in.FilterExpression}, {"ProjectionExpression", in.ProjectionExpression}}}
	if err := expressions.checkUse(); err != nil {
		return nil, err
	}
	var err error
	if q.bindings, err = t.bind(expressions); err != nil {
		return nil, err
	}
	if e := q.expressions[0]; e != nil {
		q.filter = e.condition
	}
	if e := q.expressions[1]; e != nil {
		q.projection = q.projected(e)
	}
	return q, t.checkScanStart(q, in.ExclusiveStartKey)
}

// checkScanStart checks the key behind which a scan starts.
func (t *Table) checkScanStart(q *query, from map[string]types.AttributeValue) error {
	if len(from) == 0 {
		return nil
	}
	key, err := t.keyFrom(from)
	if err != nil {
		return invalid("The provided starting key is invalid")
	}
	start := key.position()
	q.start = &start
	return nil
}
