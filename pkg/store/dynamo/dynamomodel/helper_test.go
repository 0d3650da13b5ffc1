package dynamomodel

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

type attributes = map[string]types.AttributeValue

var tableName = aws.String("table")

// newTable returns an empty table with the indexes ByI (S) and ByJ (N).
func newTable(t testing.TB) *Table {
	t.Helper()
	table, err := New(schemas[0].input(*tableName))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// put writes items with these attributes, under keys such as "x a".
func put(t testing.TB, table *Table, items ...attributes) {
	t.Helper()
	for _, item := range items {
		if _, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: item}); err != nil {
			t.Fatalf("PutItem(%v): %v", describe(item), err)
		}
	}
}

// row returns an item whose key is in text, such as "x a".
func row(key string, more attributes) attributes {
	p, k, _ := strings.Cut(key, " ")
	it := attributes{"p": s(p), "k": s(k)}
	for name, v := range more {
		it[name] = v
	}
	return it
}

func key(text string) attributes { return row(text, nil) }

// wantItems compares all items in a table.
func wantItems(t testing.TB, table *Table, want ...attributes) {
	t.Helper()
	if diff := cmp.Diff(describeAll(want), describeAll(table.Dump())); diff != "" {
		t.Errorf("items: -want +got\n%s", diff)
	}
}

func describeAll(items []attributes) (all []string) {
	for _, it := range items {
		all = append(all, describe(it))
	}
	return all
}

// keysIn returns the sort keys of items.
func keysIn(items []attributes) string {
	var all []string
	for _, it := range items {
		all = append(all, it["k"].(*types.AttributeValueMemberS).Value)
	}
	return strings.Join(all, " ")
}

// wantInvalid checks that err is a ValidationException that contains sentence.
func wantInvalid(t testing.TB, what string, err error, sentence string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || api.ErrorCode() != "ValidationException" || !strings.Contains(api.ErrorMessage(), sentence) {
		t.Errorf("%s: %v, want a ValidationException: %s", what, err, sentence)
	}
}
