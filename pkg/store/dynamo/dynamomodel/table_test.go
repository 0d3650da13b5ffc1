package dynamomodel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const total = types.ReturnConsumedCapacityTotal

// sized returns an item of this size in bytes.
func sized(size int, more attributes) attributes {
	it := row("x a", more)
	plain, err := itemOf(it)
	if err != nil {
		panic(err)
	}
	it["z"] = s(strings.Repeat("x", size-plain.size-1))
	return it
}

func TestWriteUnits(t *testing.T) {
	t.Parallel()
	one, two := attributes{"i": s("1")}, attributes{"i": s("2")}
	for _, test := range []struct {
		name        string
		old, new    attributes // nil: no item
		wantPut     float64    // units of the put, or of a delete if new is nil
		wantEntries float64    // the part of wantPut for index entries
	}{
		{"new", nil, row("x a", nil), 1, 0},
		{"new of 1 KB", nil, sized(1024, nil), 1, 0},
		{"new of 1 KB and a byte", nil, sized(1025, nil), 2, 0},
		{"smaller", sized(5000, nil), row("x a", nil), 5, 0},
		{"larger", row("x a", nil), sized(5000, nil), 5, 0},
		{"unchanged", row("x a", one), row("x a", one), 1, 0},
		{"new in an index", nil, row("x a", one), 2, 1},
		{"new in two indexes", nil, row("x a", attributes{"i": s("1"), "j": n("1")}), 3, 2},
		{"another sort key in an index", row("x a", one), row("x a", two), 3, 2},
		{"the same sort key, other attributes", row("x a", one), row("x a", attributes{"i": s("1"), "a": s("1")}), 2, 1},
		{"into an index", row("x a", nil), row("x a", one), 2, 1},
		{"out of an index", row("x a", one), row("x a", nil), 2, 1},
		{"an entry of 1 KB with its overhead", nil, sized(1024-100, one), 2, 1},
		{"an entry of more", nil, sized(1025-100, one), 3, 2},
		{"smaller in an index", sized(4900, one), row("x a", one), 10, 5},
		{"smaller and another sort key", sized(4900, one), row("x a", two), 11, 6},
		{"deleted", row("x a", nil), nil, 1, 0},
		{"deleted from an index", sized(1500, one), nil, 4, 2},
		{"deleted though not there", nil, nil, 1, 0},
	} {
		table := newTable(t)
		if test.old != nil {
			put(t, table, test.old)
		}
		before := table.Units("x").Write
		var capacity *types.ConsumedCapacity
		if test.new != nil {
			got, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: test.new, ReturnConsumedCapacity: total})
			if err != nil {
				t.Fatal(err)
			}
			capacity = got.ConsumedCapacity
		} else {
			got, err := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: key("x a"), ReturnConsumedCapacity: total})
			if err != nil {
				t.Fatal(err)
			}
			capacity = got.ConsumedCapacity
		}
		if got := *capacity.CapacityUnits; got != test.wantPut {
			t.Errorf("%s: %v write units, want %v, including %v for index entries", test.name, got, test.wantPut, test.wantEntries)
		}
		if got := table.Units("x").Write - before; got != test.wantPut {
			t.Errorf("%s: Units counts %v, want %v", test.name, got, test.wantPut)
		}
	}
}

func TestReadUnits(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, sized(4096, nil), row("x b", attributes{"z": s(strings.Repeat("x", 4096))}))
	for _, consistent := range []bool{false, true} {
		for _, test := range []struct {
			name string
			key  string
			want float64 // units of a consistent read
		}{
			{"4 KB", "x a", 1},
			{"more", "x b", 2},
			{"nothing", "x c", 1},
		} {
			want := test.want
			if !consistent {
				want /= 2
			}
			got, err := table.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: tableName, Key: key(test.key), ConsistentRead: &consistent, ReturnConsumedCapacity: total})
			if err != nil || *got.ConsumedCapacity.CapacityUnits != want {
				t.Errorf("%s, consistent %t: %v, %v, want %v units", test.name, consistent, got, err, want)
			}
		}
		in := &dynamodb.BatchGetItemInput{ReturnConsumedCapacity: total, RequestItems: map[string]types.KeysAndAttributes{
			*tableName: {Keys: []attributes{key("x a"), key("x b"), key("x c")}, ConsistentRead: &consistent},
		}}
		want := 4.0
		if !consistent {
			want /= 2
		}
		got, err := table.BatchGetItem(t.Context(), in)
		if err != nil || *got.ConsumedCapacity[0].CapacityUnits != want {
			t.Errorf("batch, consistent %t: %v, %v, want %v units", consistent, got, err, want)
		}
	}
}

// A query pays for the sum of what it reads, before its filter and its projection.
func TestQueryUnits(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for i := range 9 {
		put(t, table, row(fmt.Sprintf("x %d", i), attributes{"i": s("1"), "z": s(strings.Repeat("x", 1000))}))
	}
	for _, test := range []struct {
		name   string
		change func(*dynamodb.QueryInput)
		want   float64
	}{
		{"9 KB", func(*dynamodb.QueryInput) {}, 1.5},
		{"consistent", func(in *dynamodb.QueryInput) { in.ConsistentRead = aws.Bool(true) }, 3},
		{"4 of 1 KB", func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(4) }, 0.5},
		{"5 of 1 KB", func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(5) }, 1},
		{"index", func(in *dynamodb.QueryInput) { in.IndexName = aws.String("ByI") }, 1.5},
		{"filter", func(in *dynamodb.QueryInput) { in.FilterExpression = aws.String("attribute_exists(nope)") }, 1.5},
		{"projection", func(in *dynamodb.QueryInput) { in.ProjectionExpression = aws.String("k") }, 1.5},
		{"nothing", func(in *dynamodb.QueryInput) { in.ExpressionAttributeValues[":p"] = s("y") }, 0.5},
	} {
		in := queryOf("p = :p", nil)
		in.ReturnConsumedCapacity = total
		test.change(in)
		got, err := table.Query(t.Context(), in)
		if err != nil || *got.ConsumedCapacity.CapacityUnits != test.want {
			t.Errorf("%s: %v, %v, want %v units", test.name, got, err, test.want)
		}
	}
}

func TestUnitsAreCountedForEachPartition(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, sized(2000, nil), key("y a"))
	_, err := table.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		*tableName: {Keys: []attributes{key("x a"), key("y a"), key("y b")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	// A failed condition costs as much as the larger item.
	_, err = table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: sized(5000, nil), ConditionExpression: aws.String("attribute_not_exists(p)")})
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); !ok {
		t.Fatal(err)
	}
	for partition, want := range map[string]Units{"x": {Read: 0.5, Write: 2 + 5}, "y": {Read: 1, Write: 1}, "z": {}} {
		if got := table.Units(partition); got != want {
			t.Errorf("Units(%q) = %+v, want %+v", partition, got, want)
		}
	}
}

func TestCapacityIsToldIfAsked(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, asked := range []types.ReturnConsumedCapacity{"", types.ReturnConsumedCapacityNone} {
		got, err := table.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: tableName, Key: key("x a"), ReturnConsumedCapacity: asked})
		if err != nil || got.ConsumedCapacity != nil {
			t.Errorf("asked for %q: %v, %v", asked, got.ConsumedCapacity, err)
		}
	}
}

var errLost = errors.New("lost")

func TestBeforeMayFailACall(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	table.Before = func(op, partition string, input any) error { return errLost }
	if _, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: key("x a")}); !errors.Is(err, errLost) {
		t.Errorf("PutItem: %v, want %v", err, errLost)
	}
	wantItems(t, table)
	if got := table.Units("x"); got != (Units{}) {
		t.Errorf("a call that did not happen consumed %+v", got)
	}
}

func TestAfterMayLoseAnAnswer(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	table.After = func(op, partition string, input, output any, err error) error { return errLost }
	got, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: key("x a")})
	if got != nil || !errors.Is(err, errLost) {
		t.Errorf("PutItem = %v, %v, want nil, %v", got, err, errLost)
	}
	wantItems(t, table, key("x a"))
}

func TestHooksSeeEachCall(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	var got []string
	table.Before = func(op, partition string, input any) error {
		got = append(got, fmt.Sprintf("%s %q %T", op, partition, input))
		return nil
	}
	table.After = func(op, partition string, input, output any, err error) error {
		got = append(got, fmt.Sprintf("%s %T %t", op, output, err != nil))
		return nil
	}
	for _, input := range []any{
		&dynamodb.PutItemInput{TableName: tableName, Item: key("x a")},
		&dynamodb.PutItemInput{TableName: tableName, Item: key("x a"), ConditionExpression: aws.String("attribute_not_exists(p)")},
		&dynamodb.UpdateItemInput{TableName: tableName, Key: key("y a")},
		&dynamodb.DeleteItemInput{TableName: tableName, Key: key("x a")},
		&dynamodb.GetItemInput{TableName: tableName, Key: key("x a")},
		&dynamodb.GetItemInput{TableName: tableName, Key: attributes{"p": s("x")}},
		queryOf("p = :p", nil),
		&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*tableName: {Keys: []attributes{key("x a"), key("x b")}}}},
		&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*tableName: {Keys: []attributes{key("x a"), key("y b")}}}},
		&dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*tableName: {{PutRequest: &types.PutRequest{Item: key("x a")}}}}},
	} {
		_, _ = send(t.Context(), table, input)
	}
	want := []string{
		`PutItem "x" *dynamodb.PutItemInput`, `PutItem *dynamodb.PutItemOutput false`,
		`PutItem "x" *dynamodb.PutItemInput`, `PutItem *dynamodb.PutItemOutput true`,
		`UpdateItem "y" *dynamodb.UpdateItemInput`, `UpdateItem *dynamodb.UpdateItemOutput false`,
		`DeleteItem "x" *dynamodb.DeleteItemInput`, `DeleteItem *dynamodb.DeleteItemOutput false`,
		`GetItem "x" *dynamodb.GetItemInput`, `GetItem *dynamodb.GetItemOutput false`,
		`GetItem "" *dynamodb.GetItemInput`, `GetItem *dynamodb.GetItemOutput true`,
		`Query "x" *dynamodb.QueryInput`, `Query *dynamodb.QueryOutput false`,
		`BatchGetItem "x" *dynamodb.BatchGetItemInput`, `BatchGetItem *dynamodb.BatchGetItemOutput false`,
		`BatchGetItem "" *dynamodb.BatchGetItemInput`, `BatchGetItem *dynamodb.BatchGetItemOutput false`,
		`BatchWriteItem "x" *dynamodb.BatchWriteItemInput`, `BatchWriteItem *dynamodb.BatchWriteItemOutput false`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hooks: -want +got\n%s", diff)
	}
}

// A hook may wait for another call, and may read the table.
func TestHooksMayUseTheTable(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	inside := false
	table.Before = func(op, partition string, input any) error {
		if inside {
			return nil
		}
		inside = true
		put(t, table, key("x b"))
		inside = false
		return nil
	}
	table.After = func(op, partition string, input, output any, err error) error {
		table.Dump()
		return nil
	}
	put(t, table, key("x a"))
	wantItems(t, table, key("x a"), key("x b"))
}

func TestCallsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := table.PutItem(ctx, &dynamodb.PutItemInput{TableName: tableName, Item: key("x a")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("PutItem: %v, want %v", err, context.Canceled)
	}
	wantItems(t, table)
}

// clock is a time that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestLimiterGrantsAPartitionItsUnitsEachSecond(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	table, limiter := newTable(t), NewLimiter(c.now)
	table.Throttle = limiter
	writes := func(partition string) (done int) {
		for range 2 * PartitionWrites {
			_, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: attributes{"p": s(partition), "k": s("a")}})
			if err == nil {
				done++
			} else if _, ok := errors.AsType[*types.ThrottlingException](err); !ok {
				t.Fatalf("PutItem: %v, want a ThrottlingException", err)
			}
		}
		return done
	}
	if got := writes("x"); got != PartitionWrites {
		t.Errorf("%d writes in the first second, want %d", got, PartitionWrites)
	}
	if got := limiter.Refused(); got != PartitionWrites {
		t.Errorf("%d refused, want %d", got, PartitionWrites)
	}
	if got := writes("y"); got != PartitionWrites {
		t.Errorf("%d writes to another partition, want %d", got, PartitionWrites)
	}
	if got, err := table.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: tableName, Key: key("x a")}); err != nil {
		t.Errorf("a read beside too many writes: %v, %v", got, err)
	}
	c.at = c.at.Add(time.Second / 2)
	if got, want := writes("x"), PartitionWrites/2; got != want {
		t.Errorf("%d writes half a second later, want %d", got, want)
	}
	c.at = c.at.Add(time.Hour)
	if got := writes("x"); got != PartitionWrites {
		t.Errorf("%d writes after an hour, want %d: unused units are lost", got, PartitionWrites)
	}
}

func TestLimiterLetsACallUseMoreThanIsLeft(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	limiter := NewLimiter(c.now)
	if !limiter.Allow("x", false) {
		t.Error("Allow refuses the first read")
	}
	limiter.Consume("x", Units{Read: 2 * PartitionReads})
	for _, test := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {time.Second, false}, {time.Millisecond, true}} {
		c.at = c.at.Add(test.after)
		if got := limiter.Allow("x", false); got != test.want {
			t.Errorf("%v later: Allow = %t, want %t", test.after, got, test.want)
		}
	}
}

func TestThrottledCallsFail(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, key("x a"))
	table.Throttle = onlyPartition("none")
	for _, input := range []any{
		&dynamodb.GetItemInput{TableName: tableName, Key: key("x a")},
		queryOf("p = :p", nil),
		&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*tableName: {Keys: []attributes{key("x a")}}}},
		&dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*tableName: {{DeleteRequest: &types.DeleteRequest{Key: key("x a")}}}}},
		&dynamodb.UpdateItemInput{TableName: tableName, Key: key("x a"), UpdateExpression: aws.String("REMOVE a")},
		&dynamodb.DeleteItemInput{TableName: tableName, Key: key("x a")},
	} {
		_, err := send(t.Context(), table, input)
		if _, ok := errors.AsType[*types.ThrottlingException](err); !ok {
			t.Errorf("%T: %v, want a ThrottlingException", input, err)
		}
	}
	wantItems(t, table, key("x a"))
}

// onlyPartition is a Throttle that lets only one partition through.
type onlyPartition string

func (p onlyPartition) Allow(partition string, write bool) bool { return partition == string(p) }
func (p onlyPartition) Consume(string, Units)                   {}

func TestWhatABatchMayNotDoIsUnprocessed(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, key("x a"), key("y a"))
	table.Throttle = onlyPartition("x")
	got, err := table.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		*tableName: {Keys: []attributes{key("y a"), key("x a")}, ProjectionExpression: aws.String("k")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if keys := keysIn(got.Responses[*tableName]); keys != "a" {
		t.Errorf("found %q, want a", keys)
	}
	want := map[string]types.KeysAndAttributes{*tableName: {Keys: []attributes{key("y a")}, ProjectionExpression: aws.String("k")}}
	if diff := cmp.Diff(want, got.UnprocessedKeys, sameAnswer); diff != "" {
		t.Errorf("unprocessed keys: -want +got\n%s", diff)
	}

	requests := []types.WriteRequest{{DeleteRequest: &types.DeleteRequest{Key: key("x a")}}, {PutRequest: &types.PutRequest{Item: key("y b")}}}
	written, err := table.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*tableName: requests}})
	if err != nil {
		t.Fatal(err)
	}
	wantItems(t, table, key("y a"))
	if diff := cmp.Diff(map[string][]types.WriteRequest{*tableName: requests[1:]}, written.UnprocessedItems, sameAnswer); diff != "" {
		t.Errorf("unprocessed items: -want +got\n%s", diff)
	}
}

func TestStreamHasEachChange(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	table.Now = func() time.Time { return at }
	all := attributes{"s": s("1"), "n": n("1"), "b": b("1"), "t": yes(true), "u": null()}
	put(t, table, row("x a", all))
	if _, err := table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: tableName, Key: key("x a"), UpdateExpression: aws.String("REMOVE n, b, t, u")}); err != nil {
		t.Fatal(err)
	}
	if _, err := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: key("x a")}); err != nil {
		t.Fatal(err)
	}
	str := events.NewStringAttribute
	keys := map[string]events.DynamoDBAttributeValue{"p": str("x"), "k": str("a")}
	first := map[string]events.DynamoDBAttributeValue{
		"p": str("x"), "k": str("a"), "s": str("1"), "n": events.NewNumberAttribute("1"), "b": events.NewBinaryAttribute([]byte("1")),
		"t": events.NewBooleanAttribute(true), "u": events.NewNullAttribute(),
	}
	second := map[string]events.DynamoDBAttributeValue{"p": str("x"), "k": str("a"), "s": str("1")}
	record := func(name, number string, size int64, before, after map[string]events.DynamoDBAttributeValue) events.DynamoDBEventRecord {
		return events.DynamoDBEventRecord{
			AWSRegion: "us-east-1", EventID: strings.Repeat("0", 31) + number, EventName: name, EventSource: "aws:dynamodb", EventVersion: "1.1",
			EventSourceArn: "arn:aws:dynamodb:us-east-1:123456789012:table/table/stream/2026-01-01T00:00:00.000",
			Change: events.DynamoDBStreamRecord{
				ApproximateCreationDateTime: events.SecondsEpochTime{Time: at.Truncate(time.Second)},
				Keys:                        keys, OldImage: before, NewImage: after, SequenceNumber: strings.Repeat("0", 20) + number,
				SizeBytes: size, StreamViewType: "NEW_AND_OLD_IMAGES",
			},
		}
	}
	want := []events.DynamoDBEventRecord{
		record("INSERT", "1", 4+15, nil, first),
		record("MODIFY", "2", 4+15+6, first, second),
		record("REMOVE", "3", 4+6, second, nil),
	}
	equal := cmp.Comparer(func(x, y events.DynamoDBAttributeValue) bool { return fmt.Sprint(x) == fmt.Sprint(y) })
	if diff := cmp.Diff(want, table.Records(0), equal); diff != "" {
		t.Errorf("Records(0): -want +got\n%s", diff)
	}
	if diff := cmp.Diff(want[2:], table.Records(2), equal); diff != "" {
		t.Errorf("Records(2): -want +got\n%s", diff)
	}
	if got := table.Records(3); len(got) > 0 {
		t.Errorf("Records(3) = %v, want none", got)
	}
}

func TestWriteThatChangesNothingHasNoRecord(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, row("x a", attributes{"n": n("1")}))
	for _, input := range []any{
		&dynamodb.PutItemInput{TableName: tableName, Item: row("x a", attributes{"n": n("1.0")})},
		&dynamodb.UpdateItemInput{TableName: tableName, Key: key("x a")},
		&dynamodb.UpdateItemInput{TableName: tableName, Key: key("x a"), UpdateExpression: aws.String("REMOVE nope")},
		&dynamodb.DeleteItemInput{TableName: tableName, Key: key("x b")},
		&dynamodb.GetItemInput{TableName: tableName, Key: key("x a")},
	} {
		if _, err := send(t.Context(), table, input); err != nil {
			t.Fatal(err)
		}
	}
	if got := table.Records(1); len(got) > 0 {
		t.Errorf("records of writes that change nothing: %v", got)
	}
}

func TestExpireRemovesWhatIsPast(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(key string, d time.Duration) attributes {
		return row(key, attributes{"expiresAt": n(fmt.Sprint(now.Add(d).Unix())), "i": s("1")})
	}
	past, soon, old := at("x past", -time.Second), at("x soon", 0), at("x old", -6*365*24*time.Hour)
	text := row("x text", attributes{"expiresAt": s("1")})
	put(t, table, past, soon, old, text, key("x none"))
	before := table.Units("x")
	if got := table.Expire(now, "expiresAt"); got != 1 {
		t.Errorf("Expire removed %d items, want 1", got)
	}
	wantItems(t, table, key("x none"), old, soon, text)
	if got := table.Units("x"); got != before {
		t.Errorf("Expire consumed units: %+v, before %+v", got, before)
	}
	in := queryOf("p = :p", nil)
	in.IndexName = aws.String("ByI")
	if got, err := table.Query(t.Context(), in); err != nil || len(got.Items) != 2 {
		t.Errorf("index after Expire: %v, %v, want 2 items", describeAll(got.Items), err)
	}
	records := table.Records(5)
	want := &events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	if len(records) != 1 || records[0].EventName != "REMOVE" || records[0].Change.OldImage["k"].String() != "past" {
		t.Fatalf("records of Expire: %v, want one REMOVE of past", records)
	}
	if diff := cmp.Diff(want, records[0].UserIdentity); diff != "" {
		t.Errorf("UserIdentity: -want +got\n%s", diff)
	}
}

func TestRestoreBringsBackAStateWithItsStream(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, row("x a", attributes{"i": s("1")}), key("x b"))
	snapshot := table.Snapshot()
	for range 2 { // a snapshot can be restored more than once
		put(t, table, row("x a", attributes{"i": s("2")}), key("x c"))
		if _, err := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: key("x b")}); err != nil {
			t.Fatal(err)
		}
		table.Restore(snapshot)
		wantItems(t, table, row("x a", attributes{"i": s("1")}), key("x b"))
		in := queryOf("p = :p AND i = :i", attributes{":i": s("1")})
		in.IndexName = aws.String("ByI")
		if got, err := table.Query(t.Context(), in); err != nil || keysIn(got.Items) != "a" {
			t.Errorf("index after Restore: %v, %v, want a", describeAll(got.Items), err)
		}
		if got := len(table.Records(0)); got != 2 {
			t.Errorf("%d records after Restore, want 2", got)
		}
	}
}

func TestCloneIsATableOfItsOwn(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	table.Before = func(op, partition string, input any) error { return nil }
	put(t, table, key("x a"))
	clone := table.Clone()
	put(t, table, key("x b"))
	put(t, clone, key("x c"))
	wantItems(t, table, key("x a"), key("x b"))
	wantItems(t, clone, key("x a"), key("x c"))
	if clone.Before != nil {
		t.Error("a clone has the hooks of its origin")
	}
	if got, want := clone.Units("x"), (Units{Write: 1}); got != want {
		t.Errorf("the clone consumed %+v, want %+v", got, want)
	}
}

// After random changes, a tree finds the same items as a sorted list, and an older tree
// does not see newer changes.
func TestTreeIsASortedList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		type list []position
		tr, want := tree{}, list{}
		var oldTree tree
		var oldList list
		positions := rapid.Custom(func(rt *rapid.T) position {
			letters := rapid.SampledFrom([]string{"a", "b", "c"})
			return position{letters.Draw(rt, "partition"), letters.Draw(rt, "sort"), rapid.Uint64Range(0, 2).Draw(rt, "tie"), letters.Draw(rt, "primary")}
		})
		read := func(tr tree, backward bool, side func(position) int) (got list) {
			visit := func(b *treeNode) bool {
				got = append(got, b.at)
				return true
			}
			if backward {
				tr.root.descend(side, visit)
				slices.Reverse(got)
			} else {
				tr.root.ascend(side, visit)
			}
			return got
		}
		all := func(position) int { return 0 }
		for range rapid.IntRange(0, 60).Draw(rt, "changes") {
			at := positions.Draw(rt, "position")
			i, found := slices.BinarySearchFunc(want, at, position.compare)
			switch rapid.IntRange(0, 3).Draw(rt, "change") {
			case 0:
				tr = tr.without(at)
				if found {
					want = slices.Delete(slices.Clone(want), i, i+1)
				}
			case 1:
				oldTree, oldList = tr, want
			default:
				tr = tr.with(at, &item{})
				if !found {
					want = slices.Insert(slices.Clone(want), i, at)
				}
			}
		}
		if diff := cmp.Diff(want, append(list{}, read(tr, false, all)...), cmp.AllowUnexported(position{})); diff != "" {
			rt.Fatalf("tree: -want +got\n%s", diff)
		}
		if diff := cmp.Diff(append(list{}, oldList...), append(list{}, read(oldTree, false, all)...), cmp.AllowUnexported(position{})); diff != "" {
			rt.Fatalf("older tree: -want +got\n%s", diff)
		}
		low, high := positions.Draw(rt, "low"), positions.Draw(rt, "high")
		side := func(p position) int {
			switch {
			case p.compare(low) < 0:
				return -1
			case p.compare(high) > 0:
				return 1
			}
			return 0
		}
		span := list{}
		for _, p := range want {
			if low.compare(high) <= 0 && side(p) == 0 {
				span = append(span, p)
			}
		}
		for _, backward := range []bool{false, true} {
			if got := read(tr, backward, side); low.compare(high) <= 0 && !slices.Equal(got, span) {
				rt.Fatalf("from %v to %v, backward %t: %v, want %v", low, high, backward, got, span)
			}
		}
	})
}

// Keys that come in order must not turn the tree into a list: a call would need as many
// steps as there are items.
func TestTreeStaysFlat(t *testing.T) {
	t.Parallel()
	const items = 1 << 14
	tr := tree{}
	for i := range items {
		tr = tr.with(position{sort: fmt.Sprintf("%09d", i)}, &item{})
	}
	var depth func(b *treeNode) int
	depth = func(b *treeNode) int {
		if b == nil {
			return 0
		}
		return 1 + max(depth(b.left), depth(b.right))
	}
	if got, most := depth(tr.root), int(5*math.Log2(items)); got > most {
		t.Errorf("a tree of %d items is %d deep, want at most %d", items, got, most)
	}
}
