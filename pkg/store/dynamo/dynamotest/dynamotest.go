// Package dynamotest gives tests tables in DynamoDB Local with the schema of
// template.yaml. It has two transports to put between a test and its table: Meter counts
// the cost of calls, and Role allows only the calls that a role of the template allows.
// Stream reads what the table's stream delivers.
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

// Table creates a table for one test, with the keys and indexes of template.yaml, and
// returns its name. The table is deleted when the test ends. It has no stream, which
// would make DynamoDB Local many times slower. The package needs dynamolocal.Main.
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
		// t.Context() has ended by now.
		_, err := db.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: in.TableName})
		if err != nil {
			t.Errorf("delete table %s: %v", *in.TableName, err)
		}
	})
	return *in.TableName
}
