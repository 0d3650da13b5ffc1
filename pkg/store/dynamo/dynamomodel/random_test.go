package dynamomodel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"
)

// schema is a table for the random calls, with the sort keys of its items. The table has
// the partition key p and the sort key k.
type schema struct {
	name            string
	partition, sort kind
	indexes         map[string]kind // sort keys of indexes; an index is named By and its key
	sortKeys        []types.AttributeValue
}

var schemas = []schema{
	{
		name: "text", partition: kindS, sort: kindS,
		indexes:  map[string]kind{"i": kindS, "j": kindN},
		sortKeys: []types.AttributeValue{s("a"), s("ab"), s("b"), s("b/1"), s("é")},
	},
	{
		name: "number", partition: kindS, sort: kindN,
		indexes:  map[string]kind{"i": kindS, "h": kindB},
		sortKeys: []types.AttributeValue{n("-1"), n("0"), n("1"), n("1.5"), n("2"), n("10"), n("100")},
	},
	{
		name: "bytes", partition: kindN, sort: kindB,
		indexes:  map[string]kind{"j": kindN},
		sortKeys: []types.AttributeValue{b("\x00"), b("a"), b("a\xff"), b("b"), b("\xff")},
	},
}

func s(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
func n(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }
func b(text string) types.AttributeValue { return &types.AttributeValueMemberB{Value: []byte(text)} }
func yes(v bool) types.AttributeValue    { return &types.AttributeValueMemberBOOL{Value: v} }
func null() types.AttributeValue         { return &types.AttributeValueMemberNULL{Value: true} }

// input returns the schema of a table of this name.
func (sc schema) input(table string) *dynamodb.CreateTableInput {
	key := func(sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String("p"), KeyType: types.KeyTypeHash},
			{AttributeName: &sort, KeyType: types.KeyTypeRange},
		}
	}
	attribute := func(name string, kind kind) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(kind)}
	}
	in := &dynamodb.CreateTableInput{
		TableName:            &table,
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            key("k"),
		AttributeDefinitions: []types.AttributeDefinition{attribute("p", sc.partition), attribute("k", sc.sort)},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	}
	for _, name := range []string{"g", "h", "i", "j"} {
		kind, ok := sc.indexes[name]
		if !ok {
			continue
		}
		in.AttributeDefinitions = append(in.AttributeDefinitions, attribute(name, kind))
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, types.LocalSecondaryIndex{
			IndexName: aws.String("By" + strings.ToUpper(name)), KeySchema: key(name),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		})
	}
	return in
}

// random draws random calls.
type random struct {
	*rapid.T
	schema
	table string
	last  map[string]types.AttributeValue // the last LastEvaluatedKey
	// wrong says that the call already has a mistake. A second one is avoided, since
	// either may be reported first.
	wrong bool
}

var numbersTo200 = slices.Collect(func(yield func(int) bool) {
	for i := 0; i < 200 && yield(i); i++ {
	}
})

// number returns a number from 0 to n-1. All are equally likely, whereas rapid.IntRange
// prefers small ones.
func (r *random) number(label string, n int) int {
	return rapid.SampledFrom(numbersTo200[:n]).Draw(r.T, label)
}

func (r *random) oneIn(n int) bool { return r.number("one in", n) == n-1 }

// mistake decides whether to make a mistake here.
func (r *random) mistake(oneIn int) bool {
	if r.wrong {
		return false
	}
	r.wrong = r.oneIn(oneIn)
	return r.wrong
}

func choose[V any](r *random, options ...V) V {
	return rapid.SampledFrom(options).Draw(r.T, "choice")
}

// anyValue returns a value for an attribute that is in no key.
func (r *random) anyValue() types.AttributeValue {
	return choose(r, s(""), s("a"), s("ab"), s("é"), n("0"), n("1"), n("1.0"), n("-1"), n("1.5"), n("10"), n("1e2"), b(""), b("a"), b("ab"), yes(true), yes(false), null())
}

func (r *random) badValue() types.AttributeValue {
	return choose[types.AttributeValue](r, n("x"), n(""), n(strings.Repeat("1", 39)), n("1e126"), n("1e-131"), &types.AttributeValueMemberNULL{})
}

// partitionKey returns a partition key, rarely a wrong one.
func (r *random) partitionKey() types.AttributeValue {
	if r.mistake(60) {
		return choose(r, s(""), s("1"), n("1"), b("1"), null(), s(strings.Repeat("x", 2048)), s(strings.Repeat("x", 2049)))
	}
	if r.partition == kindN {
		return choose(r, n("1"), n("1"), n("2"))
	}
	return choose(r, s("x"), s("x"), s("y"))
}

func (r *random) sortKey() types.AttributeValue {
	if r.mistake(60) {
		return choose(r, s(""), s("a"), n("1"), b("a"), b(""), yes(true))
	}
	return choose(r, r.sortKeys...)
}

// key returns a key, rarely a wrong one.
func (r *random) key() map[string]types.AttributeValue {
	key := map[string]types.AttributeValue{"p": r.partitionKey(), "k": r.sortKey()}
	switch {
	case r.mistake(80):
		delete(key, choose(r, "p", "k"))
	case r.mistake(80):
		key[choose(r, "i", "z")] = s("a")
	case r.mistake(80):
		delete(key, "k")
		key["z"] = s("a")
	}
	return key
}

// indexKey returns a sort key of an index, rarely a wrong one.
func (r *random) indexKey(kind kind) types.AttributeValue {
	if r.mistake(25) {
		return choose(r, s(""), s("a"), n("1"), b(""), b("a"), null(), s(strings.Repeat("x", 1024)), s(strings.Repeat("x", 1025)))
	}
	switch kind {
	case kindS:
		return choose(r, s("1"), s("12"), s("2"))
	case kindN:
		return choose(r, n("-1"), n("2"), n("10"), n("10.0"))
	default:
		return choose(r, b("1"), b("\xff"))
	}
}

var attributeNames = []string{"a", "c", "e", "name", "i", "j", "h"}

// attribute returns a value for the attribute called name.
func (r *random) attribute(name string) types.AttributeValue {
	if kind, ok := r.indexes[name]; ok {
		return r.indexKey(kind)
	}
	if r.oneIn(50) {
		return s(strings.Repeat("x", choose(r, 900, 1000, 1024, 3000, 5000)))
	}
	return r.anyValue()
}

func (r *random) item() map[string]types.AttributeValue {
	item := map[string]types.AttributeValue{"p": r.partitionKey(), "k": r.sortKey()}
	for _, name := range attributeNames {
		if r.oneIn(2) {
			item[name] = r.attribute(name)
		}
	}
	switch {
	case r.mistake(80):
		delete(item, choose(r, "p", "k"))
	case r.mistake(80):
		item["a"] = r.badValue()
	case r.mistake(80):
		item[""] = s("a")
	}
	return item
}

// text is an expression with its placeholders.
type text struct {
	*random
	names  map[string]string
	values map[string]types.AttributeValue
}

func (r *random) newText() *text {
	return &text{r, map[string]string{}, map[string]types.AttributeValue{}}
}

// path writes the name of an attribute, either itself or a placeholder.
func (t *text) path() string {
	name := choose(t.random, "a", "c", "e", "name", "i", "j", "p", "k", "nope")
	if t.oneIn(2) && (name != "name" || t.oneIn(10)) {
		return name
	}
	t.names["#"+name] = name
	return "#" + name
}

func (t *text) literal(v types.AttributeValue) string {
	for name, old := range t.values {
		if v == old {
			return name
		}
	}
	name := fmt.Sprintf(":v%d", len(t.values))
	t.values[name] = v
	return name
}

func (t *text) operand() string {
	if t.oneIn(3) {
		return t.literal(t.anyValue())
	}
	return t.path()
}

func (t *text) word(word string) string {
	if t.oneIn(5) {
		return strings.ToLower(word)
	}
	return word
}

func (t *text) space() string { return choose(t.random, "", "", " ", "  ") }

func (t *text) condition(depth int) string {
	kind := t.number("condition", 10)
	if depth == 0 && kind < 4 {
		kind += 4
	}
	switch kind {
	case 0:
		return t.condition(depth-1) + " " + t.word("AND") + " " + t.condition(depth-1)
	case 1:
		return t.condition(depth-1) + " " + t.word("OR") + " " + t.condition(depth-1)
	case 2:
		return t.word("NOT") + " " + t.condition(depth-1)
	case 3:
		return "(" + t.space() + t.condition(depth-1) + ")"
	case 4:
		return choose(t.random, "attribute_exists", "attribute_not_exists") + t.space() + "(" + t.path() + ")"
	case 5:
		return choose(t.random, "begins_with", "contains") + "(" + t.operand() + "," + t.space() + t.operand() + ")"
	case 6:
		return t.operand() + " " + t.word("BETWEEN") + " " + t.operand() + " " + t.word("AND") + " " + t.operand()
	default:
		return t.operand() + t.space() + choose(t.random, "=", "<>", "<", "<=", ">", ">=") + t.space() + t.operand()
	}
}

// spoiled returns an expression, rarely with a mistake in it.
func (t *text) spoiled(expression string) *string {
	if !t.mistake(25) {
		return &expression
	}
	switch t.number("mistake", 6) {
	case 0:
		expression = ""
	case 1:
		at := 1 + t.number("cut", min(len(expression), len(numbersTo200)))
		expression = strings.ToValidUTF8(expression[:at], "")
	case 2:
		at := strings.IndexByte(expression, ' ') + 1
		expression = expression[:at] + choose(t.random, "!", "= ", ") ", "( ", "AND ", ", ", "REMOVE ", "5 ", "a ") + expression[at:]
	case 3:
		expression = "((" + expression + "))"
	case 4:
		expression = strings.Replace(expression, "attribute", choose(t.random, "Attribute", "attr"), 1)
	case 5:
		expression += " AND foo(a)"
	}
	return &expression
}

// placeholders returns the names and values, rarely with a mistake.
func (t *text) placeholders() (map[string]string, map[string]types.AttributeValue) {
	names, values := t.names, t.values
	if len(names) == 0 && !t.mistake(80) {
		names = nil
	}
	if len(values) == 0 && !t.mistake(80) {
		values = nil
	}
	if !t.mistake(25) {
		return names, values
	}
	switch t.number("mistake", 7) {
	case 0:
		t.names["#unused"] = "a"
		names = t.names
	case 1:
		t.values[":unused"] = s("a")
		values = t.values
	case 2:
		names = nil
	case 3:
		values = nil
	case 4:
		t.names[choose(t.random, "a", "#", "#a-")] = "a"
		names = t.names
	case 5:
		t.values[choose(t.random, ":bad", "v")] = t.badValue()
		values = t.values
	case 6:
		t.names["#empty"] = ""
		names = t.names
	}
	return names, values
}

func (t *text) update() string {
	var sections []string
	set := func() string {
		var all []string
		for range 1 + t.number("assignments", 3) {
			all = append(all, t.assignment())
		}
		return t.word("SET") + " " + strings.Join(all, ","+t.space())
	}
	remove := func() string {
		var all []string
		for range 1 + t.number("removed", 3) {
			all = append(all, t.changed())
		}
		return t.word("REMOVE") + " " + strings.Join(all, ","+t.space())
	}
	switch t.number("sections", 4) {
	case 0:
		sections = append(sections, set(), remove())
	case 1:
		sections = append(sections, remove(), set())
	case 2:
		sections = append(sections, remove())
	default:
		sections = append(sections, set())
	}
	if t.mistake(60) {
		sections = append(sections, set())
	}
	return strings.Join(sections, " ")
}

// changed returns path, or rarely a part of the key.
func (t *text) changed() string {
	name := choose(t.random, "a", "c", "e", "i", "j", "h")
	if t.mistake(60) {
		name = choose(t.random, "p", "k", "name")
	}
	if t.oneIn(2) {
		return name
	}
	t.names["#"+name] = name
	return "#" + name
}

func (t *text) assignment() string {
	to := t.changed()
	name := strings.TrimPrefix(to, "#")
	equals := to + t.space() + "=" + t.space()
	number := func() string { return t.literal(choose(t.random, n("1"), n("2.5"), n("-3"), n("1e37"))) }
	switch t.number("assignment", 6) {
	case 0:
		return equals + t.path() + t.space() + choose(t.random, "+", "-") + t.space() + number()
	case 1:
		return equals + "if_not_exists(" + t.path() + "," + t.space() + t.operand() + ")"
	case 2:
		return equals + t.operand()
	case 3:
		return equals + "if_not_exists(" + t.path() + ", " + number() + ") + " + number()
	default:
		return equals + t.literal(t.attribute(name))
	}
}

func (t *text) projection() string {
	var all []string
	for range 1 + t.number("projected", 3) {
		all = append(all, t.path())
	}
	return strings.Join(all, ","+t.space())
}

func (r *random) capacity() types.ReturnConsumedCapacity {
	return choose(r, "", types.ReturnConsumedCapacityNone, types.ReturnConsumedCapacityTotal, types.ReturnConsumedCapacityTotal)
}

func (r *random) returns(all ...types.ReturnValue) types.ReturnValue {
	if r.mistake(60) {
		return "BOGUS"
	}
	return choose(r, append(all, "", types.ReturnValueNone, types.ReturnValueAllOld)...)
}

func (r *random) onFailure() types.ReturnValuesOnConditionCheckFailure {
	return choose(r, "", types.ReturnValuesOnConditionCheckFailureNone, types.ReturnValuesOnConditionCheckFailureAllOld)
}

func (r *random) tableName() *string {
	if r.mistake(200) {
		return choose(r, nil, aws.String("other"))
	}
	return &r.table
}

func (r *random) put() *dynamodb.PutItemInput {
	in := &dynamodb.PutItemInput{
		TableName: r.tableName(), Item: r.item(), ReturnConsumedCapacity: r.capacity(),
		ReturnValues: r.returns(), ReturnValuesOnConditionCheckFailure: r.onFailure(),
	}
	t := r.newText()
	if r.oneIn(2) {
		in.ConditionExpression = t.spoiled(t.condition(2))
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = t.placeholders()
	return in
}

func (r *random) delete() *dynamodb.DeleteItemInput {
	in := &dynamodb.DeleteItemInput{
		TableName: r.tableName(), Key: r.key(), ReturnConsumedCapacity: r.capacity(),
		ReturnValues: r.returns(), ReturnValuesOnConditionCheckFailure: r.onFailure(),
	}
	t := r.newText()
	if r.oneIn(2) {
		in.ConditionExpression = t.spoiled(t.condition(2))
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = t.placeholders()
	return in
}

func (r *random) update() *dynamodb.UpdateItemInput {
	in := &dynamodb.UpdateItemInput{
		TableName: r.tableName(), Key: r.key(), ReturnConsumedCapacity: r.capacity(),
		ReturnValues:                        r.returns(types.ReturnValueAllNew, types.ReturnValueAllNew),
		ReturnValuesOnConditionCheckFailure: r.onFailure(),
	}
	t := r.newText()
	if !r.oneIn(10) {
		in.UpdateExpression = t.spoiled(t.update())
	}
	if r.oneIn(3) {
		in.ConditionExpression = t.spoiled(t.condition(2))
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = t.placeholders()
	return in
}

func (r *random) get() *dynamodb.GetItemInput {
	in := &dynamodb.GetItemInput{TableName: r.tableName(), Key: r.key(), ConsistentRead: aws.Bool(r.oneIn(2)), ReturnConsumedCapacity: r.capacity()}
	t := r.newText()
	if r.oneIn(3) {
		in.ProjectionExpression = t.spoiled(t.projection())
	}
	in.ExpressionAttributeNames, _ = t.placeholders()
	return in
}

func (r *random) batchGet() *dynamodb.BatchGetItemInput {
	request := types.KeysAndAttributes{ConsistentRead: aws.Bool(r.oneIn(2))}
	for range 1 + r.number("keys", 4) {
		request.Keys = append(request.Keys, r.key())
	}
	t := r.newText()
	if r.oneIn(3) {
		request.ProjectionExpression = t.spoiled(t.projection())
	}
	request.ExpressionAttributeNames, _ = t.placeholders()
	if r.mistake(60) {
		request.Keys = request.Keys[:0]
	}
	in := &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{r.table: request}, ReturnConsumedCapacity: r.capacity()}
	if r.mistake(100) {
		in.RequestItems = map[string]types.KeysAndAttributes{}
	}
	return in
}

func (r *random) batchWrite() *dynamodb.BatchWriteItemInput {
	var requests []types.WriteRequest
	for range 1 + r.number("writes", 4) {
		if r.oneIn(2) {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: r.item()}})
		} else {
			requests = append(requests, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: r.key()}})
		}
	}
	in := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{r.table: requests}, ReturnConsumedCapacity: r.capacity()}
	if r.mistake(100) {
		in.RequestItems[r.table] = nil
	}
	return in
}

func (r *random) query() *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{TableName: r.tableName(), ReturnConsumedCapacity: r.capacity()}
	sort := "k"
	if r.oneIn(2) {
		sort = choose(r, slices.Sorted(maps.Keys(r.indexes))...)
		if r.mistake(60) {
			sort = choose(r, "i", "j", "h")
		}
		in.IndexName = aws.String("By" + strings.ToUpper(sort))
	}
	t := r.newText()
	in.KeyConditionExpression = t.spoiled(t.keyCondition(sort))
	if r.oneIn(3) {
		in.FilterExpression = t.spoiled(t.condition(1))
	}
	if r.oneIn(4) {
		in.ProjectionExpression = t.spoiled(t.projection())
	}
	if r.oneIn(2) {
		in.Limit = aws.Int32(int32(choose(r, 1, 1, 2, 3, 5, 100)))
	}
	if r.mistake(60) {
		in.Limit = aws.Int32(0)
	}
	if r.oneIn(2) {
		in.ScanIndexForward = aws.Bool(r.oneIn(2))
	}
	if r.oneIn(2) {
		in.ConsistentRead = aws.Bool(r.oneIn(2))
	}
	switch {
	case r.oneIn(3) && r.last != nil:
		in.ExclusiveStartKey = r.last
	case r.oneIn(4):
		in.ExclusiveStartKey = r.startKey(sort)
	}
	if r.mistake(60) {
		in.KeyConditionExpression = nil
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = t.placeholders()
	return in
}

// scan draws a scan that reads all items, since DynamoDB does not promise which items a
// page has.
func (r *random) scan() *dynamodb.ScanInput {
	in := &dynamodb.ScanInput{TableName: r.tableName(), ReturnConsumedCapacity: r.capacity()}
	t := r.newText()
	if r.oneIn(2) {
		in.FilterExpression = t.spoiled(t.condition(1))
	}
	if r.oneIn(4) {
		in.ProjectionExpression = t.spoiled(t.projection())
	}
	if r.oneIn(4) {
		in.Limit = aws.Int32(100)
	}
	if r.mistake(60) {
		in.Limit = aws.Int32(0)
	}
	if r.oneIn(2) {
		in.ConsistentRead = aws.Bool(r.oneIn(2))
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = t.placeholders()
	if len(in.ExpressionAttributeValues) == 0 {
		in.ExpressionAttributeValues = nil // DynamoDB Local accepts unused values beside a projection, in a scan only
	}
	return in
}

func (r *random) startKey(sort string) map[string]types.AttributeValue {
	key := r.key()
	if sort != "k" && !r.mistake(40) {
		key[sort] = r.indexKey(r.indexes[sort])
	}
	return key
}

func (t *text) keyCondition(sort string) string {
	name := func(name string) string {
		if t.oneIn(2) {
			return name
		}
		t.names["#"+name] = name
		return "#" + name
	}
	value := func() string {
		if sort == "k" {
			return t.literal(t.sortKey())
		}
		return t.literal(t.indexKey(t.indexes[sort]))
	}
	partition := name("p") + t.space() + "=" + t.space() + t.literal(t.partitionKey())
	if t.mistake(60) {
		partition = name(choose(t.random, "p", "a")) + choose(t.random, "<", "=", "<>") + t.literal(t.partitionKey())
	}
	if t.mistake(60) {
		sort = choose(t.random, "a", "i", "k", "p")
	}
	condition := ""
	switch t.number("sort", 6) {
	case 0:
		return partition
	case 1:
		condition = name(sort) + " " + t.word("BETWEEN") + " " + value() + " " + t.word("AND") + " " + value()
	case 2:
		condition = "begins_with(" + name(sort) + "," + value() + ")"
	case 3:
		condition = value() + t.space() + choose(t.random, "=", "<", "<=", ">", ">=") + t.space() + name(sort)
	default:
		condition = name(sort) + t.space() + choose(t.random, "=", "<", "<=", ">", ">=") + t.space() + value()
	}
	if t.mistake(60) {
		condition = t.condition(1)
	}
	if t.oneIn(4) {
		condition = "(" + condition + ")"
	}
	and := " " + t.word("AND") + " "
	if t.oneIn(4) {
		return condition + and + partition
	}
	return partition + and + condition
}
