// Package dynamotest creates tables for tests, as in the project's template.yaml, in
// DynamoDB Local. It has two transports between a test and its table: Meter counts
// the cost of calls, and Role allows only the calls that a role of the template
// allows. Stream reads what the table's stream delivers.
package dynamotest

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/template"
)

// Table creates a table for this test alone, with the keys and indexes of
// template.yaml, and returns its name. It is deleted when the test ends. The package
// needs dynamolocal.Main. It has no stream, with which DynamoDB Local is many times
// slower.
func Table(t testing.TB) string {
	t.Helper()
	in := template.Read(t).Table.Schema
	in.StreamSpecification = nil
	return create(t, in)
}

// StreamTable is Table with the stream of template.yaml.
func StreamTable(t testing.TB) string {
	t.Helper()
	return create(t, template.Read(t).Table.Schema)
}

func create(t testing.TB, in *dynamodb.CreateTableInput) string {
	t.Helper()
	db := dynamodb.NewFromConfig(dynamolocal.Config(t))
	in.TableName = aws.String("test-" + rand.Text()) // many processes may share a server
	if _, err := db.CreateTable(t.Context(), in); err != nil {
		t.Fatalf("make a table as in template.yaml: %v", err)
	}
	t.Cleanup(func() {
		// By now t.Context() is done.
		_, err := db.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: in.TableName})
		if err != nil {
			t.Errorf("delete table %s: %v", *in.TableName, err)
		}
	})
	return *in.TableName
}
