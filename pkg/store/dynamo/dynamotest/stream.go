package dynamotest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/template"
)

// A Stream reads the stream of a table as Lambda does for the views function of
// template.yaml: it drops the records that the function's filters do not let through. It
// must not be used concurrently.
type Stream struct {
	client    *dynamodbstreams.Client
	arn       string
	filters   Filters
	iterators map[string]*string // where to continue, by shard
}

// A Delivery is what was written to a stream since the previous one.
type Delivery struct {
	Records []json.RawMessage // each as Lambda delivers it
	Dropped []string          // the keys of the records that no filter lets through, as the name, a blank and the key
}

// NewStream reads the stream of a table that StreamTable made, from its beginning.
func NewStream(t testing.TB, table string) *Stream {
	t.Helper()
	cfg := dynamolocal.Config(t)
	made, err := dynamodb.NewFromConfig(cfg).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if made.Table.LatestStreamArn == nil {
		t.Fatalf("table %s has no stream", table)
	}
	return &Stream{
		client: dynamodbstreams.NewFromConfig(cfg), arn: *made.Table.LatestStreamArn,
		filters: ReadFilters(t), iterators: map[string]*string{},
	}
}

// Read returns what was written since the previous Read.
func (s *Stream) Read(t testing.TB) (d Delivery) {
	t.Helper()
	described, err := s.client.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: &s.arn})
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range described.StreamDescription.Shards {
		if _, begun := s.iterators[*shard.ShardId]; !begun {
			at, err := s.client.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
				StreamArn: &s.arn, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
			})
			if err != nil {
				t.Fatal(err)
			}
			s.iterators[*shard.ShardId] = at.ShardIterator
		}
		s.readShard(t, *shard.ShardId, &d)
	}
	return d
}

// readShard reads a shard up to its present end. A shard that is closed and read has no
// iterator any more.
func (s *Stream) readShard(t testing.TB, shard string, d *Delivery) {
	t.Helper()
	for s.iterators[shard] != nil {
		got, err := s.client.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: s.iterators[shard]})
		if err != nil {
			t.Fatal(err)
		}
		s.iterators[shard] = got.NextShardIterator
		if len(got.Records) == 0 {
			return
		}
		for _, record := range got.Records {
			if err := s.sort(record, d); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// sort adds a record to d.
func (s *Stream) sort(record types.Record, d *Delivery) error {
	image, err := plainAttributes(record.Dynamodb.NewImage)
	if err != nil {
		return err
	}
	keys, err := plainAttributes(record.Dynamodb.Keys)
	if err != nil {
		return err
	}
	change := map[string]any{
		"Keys": keys, "SequenceNumber": *record.Dynamodb.SequenceNumber,
		"SizeBytes": *record.Dynamodb.SizeBytes, "StreamViewType": record.Dynamodb.StreamViewType,
	}
	if image != nil {
		change["NewImage"] = image
	}
	text, err := json.Marshal(map[string]any{
		"eventID": *record.EventID, "eventName": record.EventName, "eventVersion": *record.EventVersion,
		"eventSource": *record.EventSource, "awsRegion": *record.AwsRegion, "eventSourceARN": s.arn, "dynamodb": change,
	})
	if err != nil {
		return err
	}
	var delivered map[string]any
	if err := json.Unmarshal(text, &delivered); err != nil {
		return err
	}
	if !s.filters.match(delivered) {
		d.Dropped = append(d.Dropped, fmt.Sprint(keys["name"]["S"], " ", keys["key"]["S"]))
		return nil
	}
	d.Records = append(d.Records, text)
	return nil
}

// plainAttributes returns attributes in the form of their JSON.
func plainAttributes(attributes map[string]types.AttributeValue) (map[string]map[string]any, error) {
	if attributes == nil {
		return nil, nil
	}
	plain := map[string]map[string]any{}
	for name, value := range attributes {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			plain[name] = map[string]any{"S": v.Value}
		case *types.AttributeValueMemberN:
			plain[name] = map[string]any{"N": v.Value}
		case *types.AttributeValueMemberBOOL:
			plain[name] = map[string]any{"BOOL": v.Value}
		case *types.AttributeValueMemberB:
			plain[name] = map[string]any{"B": v.Value}
		default:
			return nil, fmt.Errorf("attribute %s is a %T", name, v)
		}
	}
	return plain, nil
}

// Filters are the filters of the views function in template.yaml. Lambda delivers a
// record if at least one of them matches.
type Filters []filter

// ReadFilters reads the filters in template.yaml.
func ReadFilters(t testing.TB) (all Filters) {
	t.Helper()
	for _, pattern := range template.Read(t).Functions["ViewsFunction"].Filters {
		f, err := parseFilter(pattern)
		if err != nil {
			t.Fatalf("filter %s of template.yaml: %v", pattern, err)
		}
		all = append(all, f)
	}
	return all
}

// Match reports whether Lambda delivers a record of a stream with new images.
func (f Filters) Match(r events.DynamoDBEventRecord) bool {
	return f.match(map[string]any{"eventName": r.EventName, "dynamodb": map[string]any{"NewImage": r.Change.NewImage}})
}

func (f Filters) match(record any) bool {
	return slices.ContainsFunc(f, func(f filter) bool { return f.matches(record) })
}

// A filter is a pattern of records. Each of its leaves says whether a matching record has
// a field.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
type filter map[string]any // a filter, or a bool at a leaf

// parseFilter parses a pattern. It refuses rules that it does not know.
func parseFilter(pattern string) (filter, error) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(pattern), &fields); err != nil {
		return nil, err
	}
	return filterOf(fields)
}

func filterOf(fields map[string]any) (filter, error) {
	f := filter{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch value := fields[name].(type) {
		case map[string]any:
			inner, err := filterOf(value)
			if err != nil {
				return nil, err
			}
			f[name] = inner
		case []any:
			exists, ok := existsOf(value)
			if !ok {
				return nil, fmt.Errorf("cannot judge %v of %s", value, name)
			}
			f[name] = exists
		default:
			return nil, fmt.Errorf("cannot judge %v of %s", value, name)
		}
	}
	return f, nil
}

// existsOf reads [{"exists": BOOL}].
func existsOf(rules []any) (exists, ok bool) {
	if len(rules) != 1 {
		return false, false
	}
	rule, ok := rules[0].(map[string]any)
	if !ok || len(rule) != 1 {
		return false, false
	}
	exists, ok = rule["exists"].(bool)
	return exists, ok
}

// matches reports whether a record, or a part of one, matches. An absent field counts as
// one without fields.
func (f filter) matches(record any) bool {
	for name, want := range f {
		value, found := field(record, name)
		switch want := want.(type) {
		case filter:
			if !want.matches(value) {
				return false
			}
		case bool:
			if found != want {
				return false
			}
		}
	}
	return true
}

// field returns a field of a record, or of a part of one.
func field(record any, name string) (value any, found bool) {
	switch record := record.(type) {
	case map[string]any:
		value, found = record[name]
	case map[string]events.DynamoDBAttributeValue:
		value, found = record[name]
	case events.DynamoDBAttributeValue:
		found = name == typeNames[record.DataType()]
	}
	return value, found
}

// typeNames are the names of the types that the table's items use.
var typeNames = map[events.DynamoDBDataType]string{
	events.DataTypeString: "S", events.DataTypeNumber: "N", events.DataTypeBoolean: "BOOL",
}
