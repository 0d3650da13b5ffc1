package dynamomodel

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	writeBlock    = 1 << 10 // bytes of a write unit
	entryOverhead = 100     // bytes that an index adds to an entry
	maxWrites     = 25      // of a batch
)

// PutItem is as in the SDK's client.
func (t *Table) PutItem(ctx context.Context, input *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return call(ctx, t, "PutItem", input, t.preparePut)
}

func (t *Table) preparePut(in *dynamodb.PutItemInput) (p plan[dynamodb.PutItemOutput], err error) {
	if err := t.checkPutInput(in); err != nil {
		return p, err
	}
	c := &change{returns: in.ReturnValues, onFailure: in.ReturnValuesOnConditionCheckFailure}
	expressions := placeholders{in.ExpressionAttributeNames, in.ExpressionAttributeValues, []written{{"ConditionExpression", in.ConditionExpression}}}
	key := func() (key primaryKey, err error) {
		if c.item, err = itemOf(in.Item); err != nil {
			return key, err
		}
		return t.checkPut(c.item)
	}
	return prepareChange(t, c, expressions, key, func(b *bill, old map[string]types.AttributeValue) *dynamodb.PutItemOutput {
		return &dynamodb.PutItemOutput{Attributes: old, ConsumedCapacity: b.capacity(in.ReturnConsumedCapacity)}
	})
}

func (t *Table) checkPutInput(in *dynamodb.PutItemInput) error {
	if err := needs("PutItemInput", given{"Item", in.Item != nil}, given{"TableName", in.TableName != nil}); err != nil {
		return err
	}
	err := refuses(given{"ConditionalOperator", in.ConditionalOperator != ""}, given{"Expected", in.Expected != nil},
		capacityGiven(in.ReturnConsumedCapacity), metricsGiven(in.ReturnItemCollectionMetrics))
	if err != nil {
		return err
	}
	return t.checkTable(*in.TableName)
}

// checkPut checks an item to put and returns its key.
func (t *Table) checkPut(it *item) (primaryKey, error) {
	key, err := t.keyIn(it)
	if err == nil {
		err = t.checkIndexKeys(it)
	}
	if err == nil {
		err = t.checkSize(it, "Item size has exceeded the maximum allowed size")
	}
	return key, err
}

// DeleteItem is as in the SDK's client.
func (t *Table) DeleteItem(ctx context.Context, input *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return call(ctx, t, "DeleteItem", input, t.prepareDelete)
}

func (t *Table) prepareDelete(in *dynamodb.DeleteItemInput) (p plan[dynamodb.DeleteItemOutput], err error) {
	if err := t.checkDeleteInput(in); err != nil {
		return p, err
	}
	c := &change{returns: in.ReturnValues, onFailure: in.ReturnValuesOnConditionCheckFailure}
	expressions := placeholders{in.ExpressionAttributeNames, in.ExpressionAttributeValues, []written{{"ConditionExpression", in.ConditionExpression}}}
	key := func() (primaryKey, error) { return t.keyFrom(in.Key) }
	return prepareChange(t, c, expressions, key, func(b *bill, old map[string]types.AttributeValue) *dynamodb.DeleteItemOutput {
		return &dynamodb.DeleteItemOutput{Attributes: old, ConsumedCapacity: b.capacity(in.ReturnConsumedCapacity)}
	})
}

func (t *Table) checkDeleteInput(in *dynamodb.DeleteItemInput) error {
	if err := needs("DeleteItemInput", given{"Key", in.Key != nil}, given{"TableName", in.TableName != nil}); err != nil {
		return err
	}
	err := refuses(given{"ConditionalOperator", in.ConditionalOperator != ""}, given{"Expected", in.Expected != nil},
		capacityGiven(in.ReturnConsumedCapacity), metricsGiven(in.ReturnItemCollectionMetrics))
	if err != nil {
		return err
	}
	return t.checkTable(*in.TableName)
}

// UpdateItem is as in the SDK's client. It creates the item if there is none.
func (t *Table) UpdateItem(ctx context.Context, input *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return call(ctx, t, "UpdateItem", input, t.prepareUpdate)
}

func (t *Table) prepareUpdate(in *dynamodb.UpdateItemInput) (p plan[dynamodb.UpdateItemOutput], err error) {
	if err := t.checkUpdateInput(in); err != nil {
		return p, err
	}
	c := &change{updates: true, returns: in.ReturnValues, onFailure: in.ReturnValuesOnConditionCheckFailure}
	expressions := placeholders{in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		[]written{{"UpdateExpression", in.UpdateExpression}, {"ConditionExpression", in.ConditionExpression}}}
	key := func() (primaryKey, error) { return t.keyFrom(in.Key) }
	return prepareChange(t, c, expressions, key, func(b *bill, returned map[string]types.AttributeValue) *dynamodb.UpdateItemOutput {
		return &dynamodb.UpdateItemOutput{Attributes: returned, ConsumedCapacity: b.capacity(in.ReturnConsumedCapacity)}
	})
}

func (t *Table) checkUpdateInput(in *dynamodb.UpdateItemInput) error {
	if err := needs("UpdateItemInput", given{"Key", in.Key != nil}, given{"TableName", in.TableName != nil}); err != nil {
		return err
	}
	err := refuses(given{"AttributeUpdates", in.AttributeUpdates != nil}, given{"ConditionalOperator", in.ConditionalOperator != ""}, given{"Expected", in.Expected != nil},
		given{"ReturnValues UPDATED_OLD", in.ReturnValues == types.ReturnValueUpdatedOld}, given{"ReturnValues UPDATED_NEW", in.ReturnValues == types.ReturnValueUpdatedNew},
		capacityGiven(in.ReturnConsumedCapacity), metricsGiven(in.ReturnItemCollectionMetrics))
	if err != nil {
		return err
	}
	return t.checkTable(*in.TableName)
}

// change is a write of one item: a put of item, a delete if item is nil, or an update.
type change struct {
	key  primaryKey
	item *item

	updates bool
	update  *update // or nil, for an update that changes nothing

	*bindings
	condition *condition
	returns   types.ReturnValue
	onFailure types.ReturnValuesOnConditionCheckFailure
}

// prepareChange returns the plan of c. key returns its key, and output makes the answer
// from the attributes that the caller asked for. The checks are in DynamoDB's order.
func prepareChange[O any](t *Table, c *change, expressions placeholders, key func() (primaryKey, error), output func(*bill, map[string]types.AttributeValue) *O) (p plan[O], err error) {
	if err := c.checkReturns(expressions); err != nil {
		return p, err
	}
	if c.key, err = key(); err != nil {
		return p, err
	}
	if err := c.bind(t, expressions); err != nil {
		return p, err
	}
	p.partition = c.key.partition.text
	p.run = func(b *bill) (*O, error) {
		attributes, err := t.change(b, c)
		if err != nil {
			return nil, err
		}
		return output(b, attributes), nil
	}
	return p, nil
}

// checkReturns checks the ReturnValues of c, and that its names and values are used.
func (c *change) checkReturns(p placeholders) error {
	known := c.returns == "" || c.returns == types.ReturnValueNone || c.returns == types.ReturnValueAllOld
	if !known && !(c.updates && c.returns == types.ReturnValueAllNew) {
		return invalid("Return values set to invalid value")
	}
	return p.checkUse()
}

// bind parses c's expressions.
func (c *change) bind(t *Table, p placeholders) (err error) {
	if c.bindings, err = t.bind(p); err != nil {
		return err
	}
	for _, e := range c.expressions {
		switch {
		case e == nil:
		case e.update != nil:
			c.update = e.update
		default:
			c.condition = e.condition
		}
	}
	return nil
}

// change carries out c and returns the attributes that the caller requested.
func (t *Table) change(b *bill, c *change) (map[string]types.AttributeValue, error) {
	if !t.admits(c.key.partition, true) {
		return nil, throttled(true)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.state.items.get(c.key.position())
	if c.condition != nil && !c.holds(c.condition, old) {
		b.add(c.key.partition, Units{Write: blocks(max(old.bytes(), c.item.bytes()), writeBlock)})
		if c.onFailure != types.ReturnValuesOnConditionCheckFailureAllOld {
			old = nil
		}
		return nil, conditionFailed(old)
	}
	changed := c.item
	if c.updates {
		var err error
		if changed, err = t.updated(c, old); err != nil {
			return nil, err
		}
	}
	t.replace(b, c.key, old, changed)
	switch c.returns {
	case types.ReturnValueAllOld:
		return old.sdk(), nil
	case types.ReturnValueAllNew:
		return changed.sdk(), nil
	default:
		return nil, nil
	}
}

// updated returns the item after c's update. old may be nil.
func (t *Table) updated(c *change, old *item) (*item, error) {
	if err := t.checkUpdate(c.update, c.bindings); err != nil {
		return nil, err
	}
	it, err := c.apply(c.update, old, t.keyAttributes(c.key))
	if err == nil {
		err = t.checkUpdatedIndexKeys(it)
	}
	if err == nil {
		err = t.checkSize(it, "Item size to update has exceeded the maximum allowed size")
	}
	return it, err
}

// replace replaces old by changed, charges for it and appends a stream record. Either may
// be nil, for no item. The caller locks the table.
func (t *Table) replace(b *bill, key primaryKey, old, changed *item) {
	units := blocks(max(old.bytes(), changed.bytes()), writeBlock)
	if !old.equal(changed) {
		at := t.entry(key)
		for i := range t.indexes {
			units += t.replaceEntry(i, at, old, changed)
		}
		t.setItem(key, changed)
		t.record(old, changed, false)
	}
	b.add(key.partition, Units{Write: units})
}

// setItem replaces the item with this key by it, which may be nil. The caller locks the
// table.
func (t *Table) setItem(key primaryKey, it *item) {
	if it == nil {
		t.state.items = t.state.items.without(key.position())
		return
	}
	t.state.items = t.state.items.with(key.position(), it)
}

// replaceEntry is replace for the entries in an index. It returns the write units.
func (t *Table) replaceEntry(i int, at position, old, changed *item) (units float64) {
	entries := &t.state.indexes[i]
	from, was := t.indexes[i].entryIn(at, old)
	to, is := t.indexes[i].entryIn(at, changed)
	if was && is && from == to {
		*entries = entries.with(to, changed)
		return blocks(max(old.size, changed.size)+entryOverhead, writeBlock)
	}
	if was {
		*entries = entries.without(from)
		units += blocks(old.size+entryOverhead, writeBlock)
	}
	if is {
		*entries = entries.with(to, changed)
		units += blocks(changed.size+entryOverhead, writeBlock)
	}
	return units
}

// BatchWriteItem is as in the SDK's client, but carries out the whole batch at once.
// Writes that the throttle refuses come back as unprocessed.
func (t *Table) BatchWriteItem(ctx context.Context, input *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	return call(ctx, t, "BatchWriteItem", input, t.prepareBatchWrite)
}

func (t *Table) prepareBatchWrite(in *dynamodb.BatchWriteItemInput) (p plan[dynamodb.BatchWriteItemOutput], err error) {
	if err := needs("BatchWriteItemInput", given{"RequestItems", in.RequestItems != nil}); err != nil {
		return p, err
	}
	if err := refuses(capacityGiven(in.ReturnConsumedCapacity), metricsGiven(in.ReturnItemCollectionMetrics)); err != nil {
		return p, err
	}
	if len(in.RequestItems) == 0 {
		return p, invalid("BatchWriteItem cannot have a null or no requests set")
	}
	for name := range in.RequestItems {
		if err := t.checkTable(name); err != nil {
			return p, err
		}
	}
	requests := in.RequestItems[t.name]
	changes, err := t.checkBatch(requests)
	if err != nil {
		return p, err
	}
	keys := make([]primaryKey, 0, len(changes))
	for _, c := range changes {
		keys = append(keys, c.key)
	}
	p.partition = commonPartition(keys)
	p.run = func(b *bill) (*dynamodb.BatchWriteItemOutput, error) {
		admitted, refused := t.admitted(keys, true)
		if len(admitted) == 0 {
			return nil, throttled(true)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, n := range admitted {
			c := changes[n]
			t.replace(b, c.key, t.state.items.get(c.key.position()), c.item)
		}
		unprocessed := map[string][]types.WriteRequest{}
		for _, n := range refused {
			unprocessed[t.name] = append(unprocessed[t.name], requests[n])
		}
		return &dynamodb.BatchWriteItemOutput{UnprocessedItems: unprocessed, ConsumedCapacity: b.capacities(in.ReturnConsumedCapacity)}, nil
	}
	return p, nil
}

// checkBatch returns the changes in requests.
func (t *Table) checkBatch(requests []types.WriteRequest) ([]change, error) {
	switch {
	case len(requests) == 0:
		return nil, invalid("The batch write request list for a table cannot be null or empty: %s", t.name)
	case len(requests) > maxWrites:
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	items := make([]*item, len(requests))
	for i, r := range requests {
		var err error
		if items[i], err = itemIn(r); err != nil {
			return nil, err
		}
	}
	changes := make([]change, len(requests))
	seen := make(map[primaryKey]bool, len(requests))
	for i, r := range requests {
		c, err := t.changeOf(r, items[i])
		if err != nil {
			return nil, err
		}
		if seen[c.key] {
			return nil, errDuplicate
		}
		changes[i], seen[c.key] = c, true
	}
	return changes, nil
}

// itemIn returns the item or key in a request.
func itemIn(r types.WriteRequest) (*item, error) {
	switch {
	case r.PutRequest != nil && r.DeleteRequest == nil:
		return itemOf(r.PutRequest.Item)
	case r.DeleteRequest != nil && r.PutRequest == nil:
		return itemOf(r.DeleteRequest.Key)
	default:
		return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
}

// changeOf returns the change in a request. it is the request's item or key.
func (t *Table) changeOf(r types.WriteRequest, it *item) (c change, err error) {
	if r.PutRequest == nil {
		c.key, err = t.keyOnly(it)
		return c, err
	}
	c.item = it
	c.key, err = t.checkPut(it)
	return c, err
}

// commonPartition returns the partition of all keys, or "" if they have several.
func commonPartition(keys []primaryKey) string {
	for _, k := range keys {
		if k.partition != keys[0].partition {
			return ""
		}
	}
	return keys[0].partition.text
}

// admitted returns the indexes of the keys in a batch that the throttle admits, and of
// those that it refuses.
func (t *Table) admitted(keys []primaryKey, write bool) (admitted, refused []int) {
	for n, k := range keys {
		if t.admits(k.partition, write) {
			admitted = append(admitted, n)
		} else {
			refused = append(refused, n)
		}
	}
	return admitted, refused
}
