package dynamomodel

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	readBlock = 4 << 10  // bytes of a read unit
	maxGets   = 100      // of a batch
	maxBatch  = 16 << 20 // bytes of a batch's answer
)

// readUnits returns the read units for some bytes. A read that need not be consistent
// costs half.
func readUnits(bytes int, consistent *bool) Units {
	units := blocks(bytes, readBlock)
	if !aws.ToBool(consistent) {
		units /= 2
	}
	return Units{Read: units}
}

// GetItem is as in the SDK's client.
func (t *Table) GetItem(ctx context.Context, input *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return call(ctx, t, "GetItem", input, t.prepareGet)
}

func (t *Table) prepareGet(in *dynamodb.GetItemInput) (p plan[dynamodb.GetItemOutput], err error) {
	if err := needs("GetItemInput", given{"Key", in.Key != nil}, given{"TableName", in.TableName != nil}); err != nil {
		return p, err
	}
	if err := refuses(given{"AttributesToGet", in.AttributesToGet != nil}, capacityGiven(in.ReturnConsumedCapacity)); err != nil {
		return p, err
	}
	if err := t.checkTable(*in.TableName); err != nil {
		return p, err
	}
	expressions := projectionOf(in.ProjectionExpression, in.ExpressionAttributeNames)
	if err := expressions.checkUse(); err != nil {
		return p, err
	}
	projection, err := t.projection(expressions)
	if err != nil {
		return p, err
	}
	key, err := t.keyFrom(in.Key)
	if err != nil {
		return p, err
	}
	p.partition = key.partition.text
	p.run = func(b *bill) (*dynamodb.GetItemOutput, error) {
		if !t.admits(key.partition, false) {
			return nil, throttled(false)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		it := t.state.items.get(key.position())
		b.add(key.partition, readUnits(it.bytes(), in.ConsistentRead))
		return &dynamodb.GetItemOutput{Item: it.project(projection), ConsumedCapacity: b.capacity(in.ReturnConsumedCapacity)}, nil
	}
	return p, nil
}

// projectionOf returns the placeholders of a call with a projection.
func projectionOf(text *string, names map[string]string) placeholders {
	return placeholders{names: names, expressions: []written{{"ProjectionExpression", text}}}
}

// projection returns the names in p's projection, or nil if there is none.
func (t *Table) projection(p placeholders) ([]string, error) {
	b, err := t.bind(p)
	if err != nil || b.expressions[0] == nil {
		return nil, err
	}
	return b.projected(b.expressions[0]), nil
}

func (b *bindings) projected(e *expression) []string {
	names := make([]string, 0, len(e.paths))
	for _, p := range e.paths {
		names = append(names, b.name(p))
	}
	return names
}

// BatchGetItem is as in the SDK's client, but reads all items at the same time. Keys that
// the throttle refuses, or whose items exceed 16 MB, come back as unprocessed.
func (t *Table) BatchGetItem(ctx context.Context, input *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return call(ctx, t, "BatchGetItem", input, t.prepareBatchGet)
}

func (t *Table) prepareBatchGet(in *dynamodb.BatchGetItemInput) (p plan[dynamodb.BatchGetItemOutput], err error) {
	if err := needs("BatchGetItemInput", given{"RequestItems", in.RequestItems != nil}); err != nil {
		return p, err
	}
	if len(in.RequestItems) == 0 {
		return p, invalid("BatchGetItem must have some requests set")
	}
	for name := range in.RequestItems {
		if err := t.checkTable(name); err != nil {
			return p, err
		}
	}
	request := in.RequestItems[t.name]
	if err := needs("BatchGetItemInput", given{"Keys", request.Keys != nil}); err != nil {
		return p, err
	}
	if err := refuses(given{"AttributesToGet", request.AttributesToGet != nil}, capacityGiven(in.ReturnConsumedCapacity)); err != nil {
		return p, err
	}
	expressions := projectionOf(request.ProjectionExpression, request.ExpressionAttributeNames)
	if err := expressions.checkUse(); err != nil {
		return p, err
	}
	keys, err := t.keysOf(request.Keys)
	if err != nil {
		return p, err
	}
	projection, err := t.projection(expressions)
	if err != nil {
		return p, err
	}
	p.partition = commonPartition(keys)
	p.run = func(b *bill) (*dynamodb.BatchGetItemOutput, error) {
		admitted, refused := t.admitted(keys, false)
		if len(admitted) == 0 {
			return nil, throttled(false)
		}
		// DynamoDB promises no order.
		slices.SortFunc(admitted, func(m, n int) int { return cmp.Compare(scatter(keys[m].sort), scatter(keys[n].sort)) })
		found := []map[string]types.AttributeValue{}
		t.mu.Lock()
		defer t.mu.Unlock()
		bytes := 0
		for _, n := range admitted {
			it := t.state.items.get(keys[n].position())
			if bytes += it.bytes(); bytes > maxBatch {
				refused = append(refused, n)
				continue
			}
			b.add(keys[n].partition, readUnits(it.bytes(), request.ConsistentRead))
			if it != nil {
				found = append(found, it.project(projection))
			}
		}
		return &dynamodb.BatchGetItemOutput{
			Responses:        map[string][]map[string]types.AttributeValue{t.name: found},
			UnprocessedKeys:  unprocessed(t.name, request, refused),
			ConsumedCapacity: b.capacities(in.ReturnConsumedCapacity),
		}, nil
	}
	return p, nil
}

// keysOf returns the keys in a batch, which must be distinct.
func (t *Table) keysOf(from []map[string]types.AttributeValue) ([]primaryKey, error) {
	switch {
	case len(from) == 0:
		return nil, invalid("The list of keys in RequestItems for BatchGetItem is required: %s has empty list", t.name)
	case len(from) > maxGets:
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	items := make([]*item, len(from))
	seen := make(map[string]bool, len(from))
	for i, k := range from {
		it, err := itemOf(k)
		if err != nil {
			return nil, err
		}
		text := it.text()
		if seen[text] {
			return nil, errDuplicate
		}
		items[i], seen[text] = it, true
	}
	keys := make([]primaryKey, len(items))
	for i, it := range items {
		var err error
		if keys[i], err = t.keyOnly(it); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

var errDuplicate = invalid("Provided list of item keys contains duplicates")

// unprocessed returns a request for the keys of request with these indexes.
func unprocessed(table string, request types.KeysAndAttributes, numbers []int) map[string]types.KeysAndAttributes {
	if len(numbers) == 0 {
		return map[string]types.KeysAndAttributes{}
	}
	keys := request.Keys
	request.Keys = nil
	for _, n := range numbers {
		request.Keys = append(request.Keys, maps.Clone(keys[n]))
	}
	return map[string]types.KeysAndAttributes{table: request}
}
