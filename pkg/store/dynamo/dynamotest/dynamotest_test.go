package dynamotest

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/template"
)

func TestMain(m *testing.M) { dynamolocal.Main(m) }

// client returns a client of DynamoDB Local behind a transport.
func client(t *testing.T, transport http.RoundTripper) *dynamodb.Client {
	cfg := dynamolocal.Config(t)
	cfg.HTTPClient = &http.Client{Transport: transport}
	return dynamodb.NewFromConfig(cfg)
}

// item returns an item for the template's table.
func item(key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"name": &types.AttributeValueMemberS{Value: "n"},
		"key":  &types.AttributeValueMemberS{Value: key},
	}
}

func TestTableIsTheTemplatesAndIsDeletedAfterItsTest(t *testing.T) {
	t.Parallel()
	db := dynamodb.NewFromConfig(dynamolocal.Config(t))
	var name string
	t.Run("made", func(t *testing.T) {
		name = Table(t)
		if other := Table(t); other == name {
			t.Errorf("Table() = %q twice", name)
		}
		made, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			t.Fatal(err)
		}
		want := len(template.Read(t).Table.Schema.LocalSecondaryIndexes)
		if got := len(made.Table.LocalSecondaryIndexes); got != want {
			t.Errorf("table has %d local indexes, template.yaml %d", got, want)
		}
	})
	_, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("DescribeTable(%q) after its test: %v, want ResourceNotFoundException", name, err)
	}
}

// TestBillHasWhatAWSCharges: AWS also charges for reads of absent items and for refused
// writes.
func TestBillHasWhatAWSCharges(t *testing.T) {
	t.Parallel()
	var m Meter
	db, table := client(t, &m), Table(t)
	put := func() error {
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: &table, Item: item("a"), ConditionExpression: aws.String("attribute_not_exists(#n)"),
			ExpressionAttributeNames: map[string]string{"#n": "name"},
		})
		return err
	}
	batch := func(consistent bool) error {
		_, err := db.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			table: {Keys: []map[string]types.AttributeValue{item("a"), item("b"), item("c")}, ConsistentRead: aws.Bool(consistent)},
		}})
		return err
	}
	query := func(consistent bool) error {
		_, err := db.Query(t.Context(), &dynamodb.QueryInput{
			TableName: &table, ConsistentRead: aws.Bool(consistent), KeyConditionExpression: aws.String("#n = :n"),
			ExpressionAttributeNames:  map[string]string{"#n": "name"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberS{Value: "nobody"}},
		})
		return err
	}
	for _, c := range []struct {
		what    string
		call    func() error
		want    Bill
		refused bool
	}{
		{what: "a write", call: put, want: Bill{Write: 1}},
		{what: "a write that is refused", call: put, want: Bill{Write: 1}, refused: true},
		{what: "one key of three that has an item", call: func() error { return batch(false) }, want: Bill{Read: 1.5}},
		{what: "the same, consistently", call: func() error { return batch(true) }, want: Bill{Read: 3}},
		{what: "a query that finds nothing", call: func() error { return query(false) }, want: Bill{Read: 0.5}},
		{what: "the same, consistently", call: func() error { return query(true) }, want: Bill{Read: 1}},
	} {
		if err := c.call(); (err != nil) != c.refused {
			t.Fatalf("%s: %v", c.what, err)
		}
		if got := m.TakeBill(); got != c.want {
			t.Errorf("%s: bill = %+v, want %+v", c.what, got, c.want)
		}
	}
}

func TestMeterCountsCallsAndUnits(t *testing.T) {
	t.Parallel()
	var m Meter
	db, table := client(t, &m), Table(t)
	for _, key := range []string{"a", "b"} {
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item(key)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		table: {Keys: []map[string]types.AttributeValue{item("a"), item("b")}, ConsistentRead: aws.Bool(true)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Cost{map[string]int{"PutItem": 2, "BatchGetItem": 1}, map[string]float64{"PutItem": 2, "BatchGetItem": 2}}
	if diff := cmp.Diff(want, m.Take()); diff != "" {
		t.Errorf("Take: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(Cost{}, m.Take()); diff != "" {
		t.Errorf("Take again: -want +got\n%s", diff)
	}
}

func TestRoleAllowsItsGrantsOnly(t *testing.T) {
	t.Parallel()
	role := newRole("SomeRole", template.Role{Grants: []template.Grant{
		{Action: "PutItem", Resource: "table"}, {Action: "Query", Resource: "ByPushed"}, {Action: "GetItem", Resource: "table"},
	}})
	db, table := client(t, role), Table(t)
	query := func(index *string) error {
		_, err := db.Query(t.Context(), &dynamodb.QueryInput{
			TableName: &table, IndexName: index,
			KeyConditionExpression:    aws.String("#n = :n"),
			ExpressionAttributeNames:  map[string]string{"#n": "name"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberS{Value: "n"}},
		})
		return err
	}
	put := func() error {
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item("a")})
		return err
	}
	transact := func() error {
		_, err := db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{TableName: &table, Item: item("a")}},
		}})
		return err
	}
	for _, c := range []struct {
		call    string
		err     error
		allowed bool
	}{
		{"PutItem on the table", put(), true},
		{"Query on ByPushed", query(aws.String("ByPushed")), true},
		{"Query on ByRelease", query(aws.String("ByRelease")), false},
		{"Query on the table", query(nil), false},
		{"TransactWriteItems", transact(), false},
	} {
		if apiErr, denied := errors.AsType[smithy.APIError](c.err); denied == c.allowed || denied && apiErr.ErrorCode() != "AccessDeniedException" {
			t.Errorf("%s: %v, want it allowed: %t", c.call, c.err, c.allowed)
		}
	}
	want := []string{
		"SomeRole allows GetItem on table, which was never called",
		"SomeRole does not allow Query on ByRelease, which was called 1 times",
		"SomeRole does not allow Query on table, which was called 1 times",
		"SomeRole does not allow TransactWriteItems on something unknown, which was called 1 times",
	}
	if diff := cmp.Diff(want, role.problems()); diff != "" {
		t.Errorf("problems: -want +got\n%s", diff)
	}
}
