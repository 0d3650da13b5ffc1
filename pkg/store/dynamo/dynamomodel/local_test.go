package dynamomodel

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"ocireffer/pkg/store/dynamo/dynamolocal"
)

func TestMain(m *testing.M) { dynamolocal.Main(m) }

// client has the methods that the model and the SDK's client share.
type client interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

var (
	_ client = (*Table)(nil)
	_ client = (*dynamodb.Client)(nil)
)

// send makes the call that an input belongs to.
func send(ctx context.Context, c client, input any) (any, error) {
	switch in := input.(type) {
	case *dynamodb.PutItemInput:
		return c.PutItem(ctx, in)
	case *dynamodb.UpdateItemInput:
		return c.UpdateItem(ctx, in)
	case *dynamodb.DeleteItemInput:
		return c.DeleteItem(ctx, in)
	case *dynamodb.GetItemInput:
		return c.GetItem(ctx, in)
	case *dynamodb.BatchGetItemInput:
		return c.BatchGetItem(ctx, in)
	case *dynamodb.BatchWriteItemInput:
		return c.BatchWriteItem(ctx, in)
	case *dynamodb.ScanInput:
		return c.Scan(ctx, in)
	default:
		return c.Query(ctx, input.(*dynamodb.QueryInput))
	}
}

// local is a DynamoDB Local.
type local struct {
	*dynamodb.Client
	streams *dynamodbstreams.Client
}

func newLocal(t testing.TB) local {
	cfg := dynamolocal.Config(t)
	cfg.Logger = logging.Nop{}
	cfg.RetryMaxAttempts = 1
	return local{dynamodb.NewFromConfig(cfg), dynamodbstreams.NewFromConfig(cfg)}
}

// create creates a table and returns its name and a model of it.
func (l local) create(t testing.TB, sc schema) (name string, model *Table, drop func()) {
	name = "model-" + rand.Text()
	if _, err := l.CreateTable(t.Context(), sc.input(name)); err != nil {
		t.Fatalf("create table: %v", err)
	}
	model, err := New(sc.input(name))
	if err != nil {
		t.Fatal(err)
	}
	return name, model, func() {
		if _, err := l.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Errorf("delete table %s: %v", name, err)
		}
	}
}

// ties returns the order in which DynamoDB Local sorts index entries with the same sort
// key: by an undocumented hash of the table's sort key.
func (l local) ties(t testing.TB, sc schema) func(value) uint64 {
	name, _, drop := l.create(t, sc)
	defer drop()
	index := "i"
	if _, ok := sc.indexes[index]; !ok {
		index = "j"
	}
	r := &random{schema: sc}
	partition, same := s("x"), s("1")
	if r.partition == kindN {
		partition = n("1")
	}
	if sc.indexes[index] == kindN {
		same = n("1")
	}
	for _, k := range sc.sortKeys {
		_, err := l.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: map[string]types.AttributeValue{"p": partition, "k": k, index: same}})
		if err != nil {
			t.Fatalf("put: %v", err)
		}
	}
	page, err := l.Query(t.Context(), &dynamodb.QueryInput{
		TableName: &name, IndexName: aws.String("By" + strings.ToUpper(index)),
		KeyConditionExpression: aws.String("p = :p"), ExpressionAttributeValues: map[string]types.AttributeValue{":p": partition},
	})
	if err != nil || len(page.Items) != len(sc.sortKeys) {
		t.Fatalf("query for %d items: %v, %v", len(sc.sortKeys), page, err)
	}
	ranks := map[value]uint64{}
	for rank, item := range page.Items {
		v, err := valueOf(item["k"])
		if err != nil {
			t.Fatal(err)
		}
		ranks[v] = uint64(rank)
	}
	return func(v value) uint64 { return ranks[v] }
}

// answer is an output or an error in a form that can be compared.
type answer struct {
	Output any
	Code   string // set for an error
	Text   string
	Stored map[string]types.AttributeValue // set for a failed condition
}

func answerOf(output any, err error) answer {
	var a answer
	if err == nil {
		a.Output = output
		return a
	}
	if invalid, ok := errors.AsType[smithy.InvalidParamsError](err); ok {
		return answer{Code: "client", Text: invalid.Error()}
	}
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		a.Stored = failed.Item
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		a.Code, a.Text = api.ErrorCode(), plain(api.ErrorMessage())
	} else {
		a.Code, a.Text = "other", err.Error()
	}
	return a
}

// plain returns the message of an error without details that may differ: which of several
// undefined placeholders or key attributes it names, which two of several overlapping
// paths, how a bound is written, and the order of unused placeholders.
func plain(text string) string {
	for _, detail := range []string{"; path one: ", "; lower bound operand: ", "; attribute name: ", "; attribute value: ", ": Primary key attribute: "} {
		text, _, _ = strings.Cut(text, detail)
	}
	before, keys, ok := strings.Cut(text, "keys: {")
	if !ok {
		return text
	}
	all := strings.Split(strings.TrimSuffix(keys, "}"), ", ")
	slices.Sort(all)
	return before + strings.Join(all, ", ")
}

// coarse replaces every message about an impossible assignment by the same one: DynamoDB
// Local checks several assignments in its own order.
func coarse(text string) string {
	switch text {
	case "The provided expression refers to an attribute that does not exist in the item",
		"An operand in the update expression has an incorrect data type",
		"DynamoDB only supports precision up to 38 digits",
		"Invalid attribute value type",
		"One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.":
		return "An assignment cannot be carried out"
	}
	return text
}

// sameAnswer compares answers: numbers by value, and the items of a batch or a scan in
// any order.
var sameAnswer = cmp.Options{
	cmp.Transformer("canonical", func(v *types.AttributeValueMemberN) string {
		if v == nil {
			return ""
		}
		n, err := parseNumber(v.Value)
		if err != nil {
			return v.Value
		}
		return n.String()
	}),
	cmp.Transformer("sorted", func(o *dynamodb.BatchGetItemOutput) any {
		type sorted dynamodb.BatchGetItemOutput
		if o == nil {
			return nil
		}
		c := sorted(*o)
		c.Responses = map[string][]map[string]types.AttributeValue{}
		for name, items := range o.Responses {
			c.Responses[name] = inOrder(items)
		}
		return c
	}),
	cmp.Transformer("sorted", func(o *dynamodb.ScanOutput) any {
		type sorted dynamodb.ScanOutput
		if o == nil {
			return nil
		}
		c := sorted(*o)
		c.Items = inOrder(o.Items)
		return c
	}),
	cmpopts.IgnoreTypes(middleware.Metadata{}),
	cmpopts.IgnoreUnexported(dynamodb.PutItemOutput{}, dynamodb.UpdateItemOutput{}, dynamodb.DeleteItemOutput{}, dynamodb.GetItemOutput{},
		dynamodb.BatchGetItemOutput{}, dynamodb.BatchWriteItemOutput{}, dynamodb.QueryOutput{}, dynamodb.ScanOutput{},
		types.ConsumedCapacity{}, types.KeysAndAttributes{}, types.WriteRequest{}, types.PutRequest{}, types.DeleteRequest{},
		types.AttributeValueMemberS{}, types.AttributeValueMemberB{}, types.AttributeValueMemberBOOL{}, types.AttributeValueMemberNULL{}),
	cmp.FilterPath(func(p cmp.Path) bool { return strings.HasSuffix(p.String(), "noSmithyDocumentSerde") }, cmp.Ignore()),
}

// inOrder returns items sorted by their contents.
func inOrder(items []map[string]types.AttributeValue) []map[string]types.AttributeValue {
	return slices.SortedFunc(slices.Values(items), func(x, y map[string]types.AttributeValue) int { return strings.Compare(describe(x), describe(y)) })
}

// describe returns a text for a value, an item or an input.
func describe(v any) string {
	switch v := v.(type) {
	case map[string]types.AttributeValue:
		it, err := itemOf(v)
		if err != nil {
			return fmt.Sprintf("%d attributes, %v", len(v), err)
		}
		return fmt.Sprint(it.attributes)
	default:
		return fmt.Sprintf("%+v", v)
	}
}

// TestModelAnswersAsDynamoDBLocal sends the same random calls to the model and to
// DynamoDB Local. For more calls use -rapid.checks=1000.
func TestModelAnswersAsDynamoDBLocal(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	compared := 0
	ties := map[string]func() func(value) uint64{}
	for _, sc := range schemas {
		ties[sc.name] = sync.OnceValue(func() func(value) uint64 { return l.ties(t, sc) })
	}
	rapid.Check(t, func(rt *rapid.T) {
		sc := rapid.SampledFrom(schemas).Draw(rt, "schema")
		name, model, drop := l.create(t, sc)
		defer drop()
		model.tieOf = ties[sc.name]()
		r := &random{T: rt, schema: sc, table: name}
		for range 1 + r.number("calls", 100) {
			var input any
			r.wrong = false
			switch r.number("operation", 11) {
			case 0, 1:
				input = r.put()
			case 2, 3:
				input = r.update()
			case 4:
				input = r.delete()
			case 5:
				input = r.get()
			case 6:
				input = r.batchGet()
			case 7:
				input = r.batchWrite()
			case 8:
				input = r.scan()
			default:
				input = r.query()
			}
			if l.compare(rt, r, model, input) {
				compared++
			}
		}
		l.compareItems(rt, sc, model, name)
		l.compareStream(rt, model, name)
	})
	t.Logf("%d calls compared", compared)
}

// compare sends input to both. It returns false if the model, but not DynamoDB Local,
// refuses it.
func (l local) compare(rt *rapid.T, r *random, model *Table, input any) bool {
	adjust := adjustment(model, input)
	got := answerOf(send(rt.Context(), model, input))
	if stricter(input, got) {
		return false
	}
	adjust(got.Output)
	want := answerOf(send(rt.Context(), l, input))
	if in, ok := input.(*dynamodb.UpdateItemInput); ok && strings.Count(aws.ToString(in.UpdateExpression), "=") > 1 {
		got.Text, want.Text = coarse(got.Text), coarse(want.Text)
	}
	if diff := cmp.Diff(want, got, sameAnswer); diff != "" {
		rt.Fatalf("%T %s\n-DynamoDB Local +model\n%s", input, show(input), diff)
	}
	if page, ok := got.Output.(*dynamodb.QueryOutput); ok && page.LastEvaluatedKey != nil {
		r.last = page.LastEvaluatedKey
	}
	return true
}

// stricter reports whether the model, like AWS, refuses an input that DynamoDB Local
// would accept.
func stricter(input any, got answer) bool {
	switch input.(type) {
	case *dynamodb.UpdateItemInput:
		return got.Text == "One or more parameter values were invalid: Type mismatch for Index Key" ||
			got.Text == "One or more parameter values were invalid: Size limit exceeded"
	case *dynamodb.QueryInput:
		return strings.Contains(got.Text, "Size of hashkey")
	case *dynamodb.ScanInput: // DynamoDB Local ignores an empty filter
		return strings.Contains(got.Text, "Invalid FilterExpression: The expression can not be empty")
	default:
		return false
	}
}

// adjustment returns a function that converts the units in the model's answer, which are
// AWS's, to DynamoDB Local's. Call adjustment before the model.
func adjustment(model *Table, input any) func(output any) {
	switch in := input.(type) {
	case *dynamodb.QueryInput:
		return func(output any) {
			// A query that finds nothing is free.
			if o, ok := output.(*dynamodb.QueryOutput); ok && o != nil && o.ConsumedCapacity != nil && o.ScannedCount == 0 {
				*o.ConsumedCapacity.CapacityUnits = 0
			}
		}
	case *dynamodb.ScanInput:
		return func(output any) {
			// So is a scan.
			if o, ok := output.(*dynamodb.ScanOutput); ok && o != nil && o.ConsumedCapacity != nil && o.ScannedCount == 0 {
				*o.ConsumedCapacity.CapacityUnits = 0
			}
		}
	case *dynamodb.BatchGetItemInput:
		return func(output any) {
			// So is an absent item of a batch.
			o, ok := output.(*dynamodb.BatchGetItemOutput)
			if !ok || o == nil || o.ConsumedCapacity == nil {
				return
			}
			request := in.RequestItems[model.name]
			absent := len(request.Keys) - len(o.Responses[model.name])
			*o.ConsumedCapacity[0].CapacityUnits -= float64(absent) * readUnits(0, request.ConsistentRead).Read
		}
	case *dynamodb.DeleteItemInput:
		// A delete of an absent item reports its units unasked.
		key, err := model.keyFrom(in.Key)
		absent := err == nil && model.state.items.get(key.position()) == nil
		return func(output any) {
			if o, ok := output.(*dynamodb.DeleteItemOutput); ok && o != nil && absent {
				o.ConsumedCapacity = &types.ConsumedCapacity{TableName: &model.name, CapacityUnits: aws.Float64(1)}
			}
		}
	case *dynamodb.BatchWriteItemInput:
		// A delete of an absent item in a batch costs two units.
		absent := 0
		for _, request := range in.RequestItems[model.name] {
			if request.DeleteRequest == nil {
				continue
			}
			key, err := model.keyFrom(request.DeleteRequest.Key)
			if err == nil && model.state.items.get(key.position()) == nil {
				absent++
			}
		}
		return func(output any) {
			if o, ok := output.(*dynamodb.BatchWriteItemOutput); ok && o != nil && o.ConsumedCapacity != nil {
				*o.ConsumedCapacity[0].CapacityUnits += float64(absent)
			}
		}
	default:
		return func(any) {}
	}
}

// compareItems compares all items, read through the table and through each index.
func (l local) compareItems(rt *rapid.T, sc schema, model *Table, name string) {
	partitions := []types.AttributeValue{s("x"), s("y"), s("1")}
	if sc.partition == kindN {
		partitions = []types.AttributeValue{n("1"), n("2")}
	}
	for _, partition := range partitions {
		for _, index := range append([]index{{}}, model.indexes...) {
			in := &dynamodb.QueryInput{
				TableName: &name, KeyConditionExpression: aws.String("p = :p"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":p": partition},
			}
			if index.name != "" {
				in.IndexName = &index.name
			}
			l.compare(rt, &random{}, model, in)
		}
	}
	page, err := l.Scan(rt.Context(), &dynamodb.ScanInput{TableName: &name})
	if err != nil {
		rt.Fatalf("scan: %v", err)
	}
	sorted := func(items []map[string]types.AttributeValue) []string {
		var all []string
		for _, item := range items {
			all = append(all, describe(item))
		}
		slices.Sort(all)
		return all
	}
	if diff := cmp.Diff(sorted(page.Items), sorted(model.Dump())); diff != "" {
		rt.Fatalf("all items: -DynamoDB Local +model\n%s", diff)
	}
}

// changed is a stream record in a form that can be compared.
type changed struct {
	Event     string
	Keys      string
	New, Old  string
	SizeBytes int64
	View      string
}

// compareStream compares the records of the stream.
func (l local) compareStream(rt *rapid.T, model *Table, name string) {
	var got []changed
	for _, r := range model.Records(0) {
		got = append(got, changed{
			Event: r.EventName, Keys: image(r.Change.Keys), New: image(r.Change.NewImage), Old: image(r.Change.OldImage),
			SizeBytes: r.Change.SizeBytes, View: r.Change.StreamViewType,
		})
	}
	want := l.stream(rt, name)
	// The writes of a batch may come in any order, but the writes of one item may not.
	byKeys := func(a, b changed) int { return strings.Compare(a.Keys, b.Keys) }
	slices.SortStableFunc(want, byKeys)
	slices.SortStableFunc(got, byKeys)
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("stream: -DynamoDB Local +model\n%s", diff)
	}
}

func image(from map[string]events.DynamoDBAttributeValue) string {
	if from == nil {
		return ""
	}
	item := map[string]types.AttributeValue{}
	for name, v := range from {
		switch v.DataType() {
		case events.DataTypeString:
			item[name] = s(v.String())
		case events.DataTypeNumber:
			item[name] = n(v.Number())
		case events.DataTypeBinary:
			item[name] = b(string(v.Binary()))
		case events.DataTypeBoolean:
			item[name] = yes(v.Boolean())
		default:
			item[name] = null()
		}
	}
	return describe(item)
}

func (l local) stream(rt *rapid.T, name string) (all []changed) {
	table, err := l.DescribeTable(rt.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		rt.Fatalf("describe table: %v", err)
	}
	arn := table.Table.LatestStreamArn
	stream, err := l.streams.DescribeStream(rt.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		rt.Fatalf("describe stream: %v", err)
	}
	for _, shard := range stream.StreamDescription.Shards {
		iterator, err := l.streams.GetShardIterator(rt.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			rt.Fatalf("get shard iterator: %v", err)
		}
		records, err := l.streams.GetRecords(rt.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator.ShardIterator})
		if err != nil {
			rt.Fatalf("get records: %v", err)
		}
		for _, r := range records.Records {
			all = append(all, changed{
				Event: string(r.EventName), Keys: streamImage(r.Dynamodb.Keys), New: streamImage(r.Dynamodb.NewImage), Old: streamImage(r.Dynamodb.OldImage),
				SizeBytes: aws.ToInt64(r.Dynamodb.SizeBytes), View: string(r.Dynamodb.StreamViewType),
			})
		}
	}
	return all
}

func streamImage(from map[string]streamtypes.AttributeValue) string {
	if from == nil {
		return ""
	}
	item := map[string]types.AttributeValue{}
	for name, v := range from {
		switch v := v.(type) {
		case *streamtypes.AttributeValueMemberS:
			item[name] = s(v.Value)
		case *streamtypes.AttributeValueMemberN:
			item[name] = n(v.Value)
		case *streamtypes.AttributeValueMemberB:
			item[name] = b(string(v.Value))
		case *streamtypes.AttributeValueMemberBOOL:
			item[name] = yes(v.Value)
		default:
			item[name] = null()
		}
	}
	return describe(item)
}

// show returns an input as JSON.
func show(input any) string {
	text, err := json.Marshal(input)
	if err != nil {
		return err.Error()
	}
	return long.ReplaceAllString(string(text), "x…")
}

var long = regexp.MustCompile("x{30,}")

// TestReservedWordsAreDynamoDBLocals tries each word on DynamoDB Local. It also tries
// some words that might be reserved but are not.
func TestReservedWordsAreDynamoDBLocals(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	name, model, drop := l.create(t, schemas[0])
	defer drop()
	words := append(slices.Sorted(maps.Keys(reserved)), "digest", "revision", "pushed", "deleted", "tag", "version", "expires", "id")
	var group errgroup.Group
	group.SetLimit(8)
	for _, word := range words {
		group.Go(func() error {
			in := &dynamodb.GetItemInput{TableName: &name, Key: attributes{"p": s("x"), "k": s("a")}, ProjectionExpression: &word}
			want, got := answerOf(send(t.Context(), l, in)), answerOf(send(t.Context(), model, in))
			switch word {
			case "CONVERT", "SIZE", "VARIABLES": // documented by AWS, but accepted by DynamoDB Local
				if want.Code != "" || got.Text != "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: "+word {
					t.Errorf("%s: DynamoDB Local says %+v, the model %+v", word, want, got)
				}
				return nil
			}
			if diff := cmp.Diff(want, got, sameAnswer); diff != "" {
				t.Errorf("%s: -DynamoDB Local +model\n%s", word, diff)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
