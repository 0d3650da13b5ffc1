package dynamomodel

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

func TestPutReplacesTheWholeItem(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, row("x a", attributes{"a": s("1"), "c": s("2")}), row("x b", nil), row("x a", attributes{"a": s("3")}))
	wantItems(t, table, row("x a", attributes{"a": s("3")}), row("x b", nil))
}

func TestItemsAreCopiedInAndOut(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	bytes := &types.AttributeValueMemberB{Value: []byte("abc")}
	text := &types.AttributeValueMemberS{Value: "abc"}
	in := row("x a", attributes{"b": bytes, "s": text})
	put(t, table, in)
	want := row("x a", attributes{"b": b("abc"), "s": s("abc")})

	bytes.Value[0], text.Value = 'X', "X"
	delete(in, "k")
	wantItems(t, table, want)

	got, err := table.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: tableName, Key: key("x a")})
	if err != nil {
		t.Fatal(err)
	}
	got.Item["b"].(*types.AttributeValueMemberB).Value[0] = 'X'
	got.Item["s"].(*types.AttributeValueMemberS).Value = "X"
	delete(got.Item, "k")
	wantItems(t, table, want)
}

func TestFailedConditionChangesNothingAndTellsWhatIsStored(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	stored := row("x a", attributes{"a": s("1")})
	put(t, table, stored)
	never := aws.String("attribute_exists(nope)")
	for _, onFailure := range []types.ReturnValuesOnConditionCheckFailure{"", "NONE", "ALL_OLD"} {
		_, putErr := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: key("x a"), ConditionExpression: never, ReturnValuesOnConditionCheckFailure: onFailure})
		_, updateErr := table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: tableName, Key: key("x a"), UpdateExpression: aws.String("REMOVE a"), ConditionExpression: never, ReturnValuesOnConditionCheckFailure: onFailure})
		_, deleteErr := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: key("x a"), ConditionExpression: never, ReturnValuesOnConditionCheckFailure: onFailure})
		for _, err := range []error{putErr, updateErr, deleteErr} {
			failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
			if !ok {
				t.Errorf("%s: %v, want a ConditionalCheckFailedException", onFailure, err)
				continue
			}
			want := attributes(nil)
			if onFailure == "ALL_OLD" {
				want = stored
			}
			if diff := cmp.Diff(want, failed.Item, sameAnswer); diff != "" {
				t.Errorf("%s: item: -want +got\n%s", onFailure, diff)
			}
		}
	}
	wantItems(t, table, stored)
	if records := table.Records(0); len(records) != 1 {
		t.Errorf("%d stream records, want that of the put", len(records))
	}
}

func TestFailedConditionOnNothingHasNoItem(t *testing.T) {
	t.Parallel()
	_, err := newTable(t).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: tableName, Key: key("x a"), ConditionExpression: aws.String("attribute_exists(p)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok || failed.Item != nil {
		t.Errorf("DeleteItem: %v with %v, want a failed condition without an item", err, failed)
	}
}

func TestWritesReturnWhatTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	old, changed := row("x a", attributes{"a": s("1")}), row("x a", attributes{"a": s("2")})
	for _, test := range []struct {
		returns                         types.ReturnValue
		fromPut, fromUpdate, fromDelete attributes
		invalid                         bool // puts and deletes refuse it
	}{
		{returns: ""},
		{returns: types.ReturnValueNone},
		{returns: types.ReturnValueAllOld, fromPut: old, fromUpdate: old, fromDelete: old},
		{returns: types.ReturnValueAllNew, fromUpdate: changed, invalid: true},
	} {
		table := newTable(t)
		put(t, table, old)
		updated, err := table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: tableName, Key: key("x a"), ReturnValues: test.returns,
			UpdateExpression: aws.String("SET a = :a"), ExpressionAttributeValues: attributes{":a": s("2")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.fromUpdate, updated.Attributes, sameAnswer); diff != "" {
			t.Errorf("update, %s: -want +got\n%s", test.returns, diff)
		}
		put(t, table, old)
		replaced, putErr := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: old, ReturnValues: test.returns})
		deleted, deleteErr := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: key("x a"), ReturnValues: test.returns})
		if test.invalid {
			wantInvalid(t, "put", putErr, "Return values set to invalid value")
			wantInvalid(t, "delete", deleteErr, "Return values set to invalid value")
			continue
		}
		if putErr != nil || deleteErr != nil {
			t.Fatal(putErr, deleteErr)
		}
		if diff := cmp.Diff(test.fromPut, replaced.Attributes, sameAnswer); diff != "" {
			t.Errorf("put, %s: -want +got\n%s", test.returns, diff)
		}
		if diff := cmp.Diff(test.fromDelete, deleted.Attributes, sameAnswer); diff != "" {
			t.Errorf("delete, %s: -want +got\n%s", test.returns, diff)
		}
	}
}

func TestUpdateMakesAnItemThatIsNotThere(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, update := range []dynamodb.UpdateItemInput{
		{Key: key("x a")},
		{Key: key("x b"), UpdateExpression: aws.String("REMOVE nope")},
		{Key: key("x c"), UpdateExpression: aws.String("SET z = :z"), ExpressionAttributeValues: attributes{":z": s("1")}},
	} {
		update.TableName = tableName
		if _, err := table.UpdateItem(t.Context(), &update); err != nil {
			t.Errorf("update %v: %v", describe(update.Key), err)
		}
	}
	wantItems(t, table, key("x a"), key("x b"), row("x c", attributes{"z": s("1")}))
}

func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	const (
		missing = "One of the required keys was not given a value"
		number  = "The number of conditions on the keys is invalid"
		kind    = "One or more parameter values were invalid: Type mismatch for key"
		noKey   = "Invalid attribute value type"
		empty   = "cannot contain an empty string value. Key: k"
		long    = "Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes"
	)
	for _, test := range []struct {
		name      string
		key       attributes
		want      string
		wantInPut string // if it differs
	}{
		{"no sort key", attributes{"p": s("x")}, number, missing},
		{"no partition key", attributes{"k": s("x")}, number, missing},
		{"another attribute", attributes{"p": s("x"), "z": s("x")}, missing, ""},
		{"wrong type", attributes{"p": s("x"), "k": n("1")}, kind, ""},
		{"wrong type of partition key", attributes{"p": n("1"), "k": s("x")}, kind, ""},
		{"no key type", attributes{"p": s("x"), "k": null()}, noKey, ""},
		{"empty", attributes{"p": s("x"), "k": s("")}, empty, ""},
		{"long sort key", attributes{"p": s("x"), "k": s(strings.Repeat("x", 1025))}, long, ""},
		{"long partition key", attributes{"p": s(strings.Repeat("x", 2049)), "k": s("x")}, long, ""},
	} {
		_, err := table.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: tableName, Key: test.key})
		wantInvalid(t, "get: "+test.name, err, test.want)
		_, err = table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: test.key})
		wantInvalid(t, "delete: "+test.name, err, test.want)
		_, err = table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: tableName, Key: test.key})
		wantInvalid(t, "update: "+test.name, err, test.want)
		if test.wantInPut == "" {
			test.wantInPut = test.want
		}
		_, err = table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: test.key})
		wantInvalid(t, "put: "+test.name, err, test.wantInPut)
	}
	tooMany := row("x a", attributes{"z": s("1")})
	_, err := table.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: tableName, Key: tooMany})
	wantInvalid(t, "get: one more attribute", err, number)

	longest := attributes{"p": s(strings.Repeat("x", 2048)), "k": s(strings.Repeat("é", 512))}
	put(t, table, longest)
	wantItems(t, table, longest)
}

func TestIndexKeysAreChecked(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, test := range []struct {
		name         string
		attribute    string
		v            types.AttributeValue
		want         string
		wantInUpdate string // if it differs
	}{
		{"wrong type", "i", n("1"), "Type mismatch for Index Key", ""},
		{"wrong type", "j", s("1"), "Type mismatch for Index Key", ""},
		{"no key type", "i", yes(true), "Invalid attribute value type", ""},
		{"empty", "i", s(""), "IndexName: ByI, IndexKey: i", "The update expression attempted to update a secondary index key to a value that is not supported"},
		{"long", "i", s(strings.Repeat("x", 1025)), "Size limit exceeded", ""},
	} {
		_, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: row("x a", attributes{test.attribute: test.v})})
		wantInvalid(t, "put: "+test.name, err, test.want)
		if test.wantInUpdate == "" {
			test.wantInUpdate = test.want
		}
		_, err = table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: tableName, Key: key("x a"), UpdateExpression: aws.String("SET " + test.attribute + " = :v"), ExpressionAttributeValues: attributes{":v": test.v},
		})
		wantInvalid(t, "update: "+test.name, err, test.wantInUpdate)
	}
	wantItems(t, table)
	longest := row("x a", attributes{"i": s(strings.Repeat("x", 1024))})
	put(t, table, longest)
	wantItems(t, table, longest)
}

func TestValuesAreChecked(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, test := range []struct {
		name string
		item attributes
		want string
	}{
		{"no value", row("x a", attributes{"a": nil}), "Supplied AttributeValue is empty"},
		{"no number", row("x a", attributes{"a": n("x")}), "A value provided cannot be converted into a number"},
		{"NULL is false", row("x a", attributes{"a": &types.AttributeValueMemberNULL{}}), "Null attribute value types must have the value of true"},
		{"no name", row("x a", attributes{"": s("a")}), "Empty attribute name"},
		{"long name", row("x a", attributes{strings.Repeat("x", 65536): s("a")}), "Attribute name is too large"},
	} {
		_, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: test.item})
		wantInvalid(t, test.name, err, test.want)
	}
	put(t, table, row("x a", attributes{"a": s(""), "b": b("")}))
}

func TestItemsHaveAtMost400KBWithTheirIndexEntries(t *testing.T) {
	t.Parallel()
	const most = 400 << 10
	for _, test := range []struct {
		name   string
		more   attributes
		copies int // number of copies in the table and the indexes
	}{
		{"in no index", nil, 1},
		{"in one index", attributes{"i": s("1")}, 2},
		{"in two indexes", attributes{"i": s("1"), "j": n("1")}, 3},
	} {
		table := newTable(t)
		small := row("x a", test.more)
		it, err := itemOf(small)
		if err != nil {
			t.Fatal(err)
		}
		fits := most/test.copies - it.size - len("z")
		big := func(size int) attributes {
			return row("x a", attributes{"z": s(strings.Repeat("x", size)), "i": test.more["i"], "j": test.more["j"]})
		}
		without := func(a attributes) attributes {
			for name, v := range a {
				if v == nil {
					delete(a, name)
				}
			}
			return a
		}
		put(t, table, without(big(fits)))
		_, err = table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: without(big(fits + 1))})
		wantInvalid(t, "put: "+test.name, err, "Item size has exceeded the maximum allowed size")

		put(t, table, small)
		for _, size := range []int{fits, fits + 1} {
			_, err = table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: tableName, Key: key("x a"), UpdateExpression: aws.String("SET z = :z"), ExpressionAttributeValues: attributes{":z": s(strings.Repeat("x", size))},
			})
			if size == fits && err != nil {
				t.Errorf("update: %s: %v", test.name, err)
			}
		}
		wantInvalid(t, "update: "+test.name, err, "Item size to update has exceeded the maximum allowed size")
	}
}

func TestBatchWrites(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, row("x a", attributes{"i": s("1")}), key("y a"))
	doPut := func(item attributes) types.WriteRequest {
		return types.WriteRequest{PutRequest: &types.PutRequest{Item: item}}
	}
	del := func(key attributes) types.WriteRequest {
		return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}}
	}
	write := func(requests ...types.WriteRequest) (*dynamodb.BatchWriteItemOutput, error) {
		return table.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*tableName: requests}})
	}
	if got, err := write(del(key("x a")), doPut(key("x b")), del(key("y nope"))); err != nil || len(got.UnprocessedItems) > 0 {
		t.Errorf("BatchWriteItem = %+v, %v", got, err)
	}
	wantItems(t, table, key("x b"), key("y a"))

	var many []types.WriteRequest
	for range 26 {
		many = append(many, doPut(key("x "+strings.Repeat("x", len(many)+1))))
	}
	if _, err := write(many[:25]...); err != nil {
		t.Errorf("25 writes: %v", err)
	}
	for _, test := range []struct {
		name     string
		requests []types.WriteRequest
		want     string
	}{
		{"none", nil, "The batch write request list for a table cannot be null or empty"},
		{"26", many, "Too many items requested for the BatchWriteItem call"},
		{"one key twice", []types.WriteRequest{del(key("x a")), doPut(row("x a", attributes{"a": s("1")}))}, "Provided list of item keys contains duplicates"},
		{"neither", []types.WriteRequest{{}}, "must contain exactly one"},
		{"no key", []types.WriteRequest{del(attributes{"p": s("x")})}, "The number of conditions on the keys is invalid"},
		{"wrong index key", []types.WriteRequest{doPut(key("x new")), doPut(row("x a", attributes{"i": n("1")}))}, "Type mismatch for Index Key"},
	} {
		_, err := write(test.requests...)
		wantInvalid(t, test.name, err, test.want)
	}
	got, err := table.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: tableName, Key: key("x new")})
	if err != nil || got.Item != nil {
		t.Errorf("a part of an invalid batch was written: %v, %v", got, err)
	}
}

func TestAnotherTableIsNotFound(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	other := aws.String("other")
	for _, input := range []any{
		&dynamodb.PutItemInput{TableName: other, Item: key("x a")},
		&dynamodb.UpdateItemInput{TableName: other, Key: key("x a")},
		&dynamodb.DeleteItemInput{TableName: other, Key: key("x a")},
		&dynamodb.GetItemInput{TableName: other, Key: key("x a")},
		&dynamodb.QueryInput{TableName: other},
		&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*other: {}}},
		&dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*other: nil}},
	} {
		_, err := send(t.Context(), table, input)
		if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
			t.Errorf("%T: %v, want a ResourceNotFoundException", input, err)
		}
	}
}

func TestRequiredParametersAreMissed(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, input := range []any{
		(*dynamodb.PutItemInput)(nil), &dynamodb.PutItemInput{TableName: tableName},
		&dynamodb.UpdateItemInput{Key: key("x a")}, &dynamodb.DeleteItemInput{TableName: tableName},
		&dynamodb.GetItemInput{Key: key("x a")}, &dynamodb.QueryInput{}, &dynamodb.BatchGetItemInput{}, &dynamodb.BatchWriteItemInput{},
	} {
		_, err := send(t.Context(), table, input)
		if _, ok := errors.AsType[smithy.InvalidParamsError](err); !ok {
			t.Errorf("%T %+v: %v, want an InvalidParamsError", input, input, err)
		}
	}
}

// Every field of an input is either modeled or refused: none is ignored.
func TestEveryParameterIsModeledOrRefused(t *testing.T) {
	t.Parallel()
	modeled := map[string]bool{}
	for name := range strings.FieldsSeq(`TableName Item Key RequestItems Keys ConditionExpression UpdateExpression FilterExpression
		ProjectionExpression KeyConditionExpression ExpressionAttributeNames ExpressionAttributeValues ReturnValues ReturnConsumedCapacity
		ReturnValuesOnConditionCheckFailure ConsistentRead IndexName Limit ExclusiveStartKey ScanIndexForward`) {
		modeled[name] = true
	}
	table := newTable(t)
	for _, newInput := range []func() any{
		func() any { return &dynamodb.PutItemInput{TableName: tableName, Item: key("x a")} },
		func() any { return &dynamodb.UpdateItemInput{TableName: tableName, Key: key("x a")} },
		func() any { return &dynamodb.DeleteItemInput{TableName: tableName, Key: key("x a")} },
		func() any { return &dynamodb.GetItemInput{TableName: tableName, Key: key("x a")} },
		func() any {
			return &dynamodb.QueryInput{TableName: tableName, KeyConditionExpression: aws.String("p = :p"), ExpressionAttributeValues: attributes{":p": s("x")}}
		},
		func() any {
			return &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*tableName: {Keys: []attributes{key("x a")}}}}
		},
		func() any {
			return &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*tableName: {{PutRequest: &types.PutRequest{Item: key("x a")}}}}}
		},
	} {
		fields := reflect.TypeOf(newInput()).Elem()
		for i := range fields.NumField() {
			if field := fields.Field(i); field.IsExported() && !modeled[field.Name] {
				input := newInput()
				fill(reflect.ValueOf(input).Elem().Field(i))
				if _, err := send(t.Context(), table, input); !errors.Is(err, ErrNotModeled) {
					t.Errorf("%s with %s: %v, want ErrNotModeled", fields, field.Name, err)
				}
			}
		}
	}
	keys := types.KeysAndAttributes{Keys: []attributes{key("x a")}, AttributesToGet: []string{"a"}}
	_, err := table.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*tableName: keys}})
	if !errors.Is(err, ErrNotModeled) {
		t.Errorf("batch with AttributesToGet: %v, want ErrNotModeled", err)
	}
}

// fill sets a parameter to some value.
func fill(field reflect.Value) {
	switch field.Interface().(type) {
	case types.ReturnItemCollectionMetrics:
		field.SetString("SIZE")
	case types.ConditionalOperator:
		field.SetString("AND")
	case types.Select:
		field.SetString("COUNT")
	default:
		switch field.Kind() {
		case reflect.Map:
			field.Set(reflect.MakeMap(field.Type()))
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		default:
			panic("a new kind of parameter: " + field.Type().String())
		}
	}
}

func TestValuesThatAreNotModeledAreRefused(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, input := range []any{
		&dynamodb.UpdateItemInput{TableName: tableName, Key: key("x a"), ReturnValues: types.ReturnValueUpdatedOld},
		&dynamodb.UpdateItemInput{TableName: tableName, Key: key("x a"), ReturnValues: types.ReturnValueUpdatedNew},
		&dynamodb.PutItemInput{TableName: tableName, Item: key("x a"), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes},
		&dynamodb.GetItemInput{TableName: tableName, Key: key("x a"), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes},
	} {
		if _, err := send(t.Context(), table, input); !errors.Is(err, ErrNotModeled) {
			t.Errorf("%T %+v: %v, want ErrNotModeled", input, input, err)
		}
	}
}

func TestConcurrentUpdatesAreAtomic(t *testing.T) {
	t.Parallel()
	const writers, updates = 8, 200
	table := newTable(t)
	put(t, table, row("x a", attributes{"n": n("0")}))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range updates {
				_, err := table.UpdateItem(context.Background(), &dynamodb.UpdateItemInput{
					TableName: tableName, Key: key("x a"), UpdateExpression: aws.String("SET n = n + :one"), ExpressionAttributeValues: attributes{":one": n("1")},
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantItems(t, table, row("x a", attributes{"n": n("1600")}))
	if got := len(table.Records(0)); got != writers*updates+1 {
		t.Errorf("%d stream records, want %d", got, writers*updates+1)
	}
}

func TestTablesThatAreNotModeled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*dynamodb.CreateTableInput)
	}{
		{"no name", func(in *dynamodb.CreateTableInput) { in.TableName = nil }},
		{"global index", func(in *dynamodb.CreateTableInput) {
			in.GlobalSecondaryIndexes = make([]types.GlobalSecondaryIndex, 1)
		}},
		{"no partition key", func(in *dynamodb.CreateTableInput) { in.KeySchema = in.KeySchema[1:] }},
		{"key without a type", func(in *dynamodb.CreateTableInput) { in.AttributeDefinitions = nil }},
		{"index of keys alone", func(in *dynamodb.CreateTableInput) {
			in.LocalSecondaryIndexes[0].Projection.ProjectionType = types.ProjectionTypeKeysOnly
		}},
		{"index of another partition key", func(in *dynamodb.CreateTableInput) {
			in.LocalSecondaryIndexes[0].KeySchema[0].AttributeName = aws.String("k")
		}},
	} {
		in := schemas[0].input(*tableName)
		test.change(in)
		if table, err := New(in); err == nil {
			t.Errorf("%s: New = %+v, want an error", test.name, table)
		}
	}
}
