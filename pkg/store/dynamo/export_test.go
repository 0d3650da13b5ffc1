package dynamo

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamomodel"
)

// Tests in package dynamo_test use packages that import this one, such as views.

// ModelTable is the name of a model's table.
const ModelTable = "model"

// NewModel returns an empty table of the model of DynamoDB.
func NewModel(t testing.TB) *dynamomodel.Table {
	t.Helper()
	model, err := dynamomodel.New(Schema(ModelTable))
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// OnModel returns a DB on a table that NewModel made.
func OnModel(model client, options ...Option) *DB {
	db := &DB{client: model, table: ModelTable, parallel: parallel, now: time.Now}
	for _, option := range options {
		option(db, nil)
	}
	return db
}

// ForgetRevisions resets the revisions of all catalogue entries. They differ between
// tables that are otherwise equal, and do not matter while nobody refreshes an entry.
func ForgetRevisions(t testing.TB, model *dynamomodel.Table) {
	t.Helper()
	for _, item := range model.Dump() {
		if text(item, attrName) != catalogue {
			continue
		}
		item[attrRevision] = num(1)
		if _, err := model.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(ModelTable), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
}

// NewRetryer returns the retryer of a DB that Open returns.
func NewRetryer(options ...Option) aws.Retryer {
	cfg := aws.Config{Retryer: retryer(attempts, maxBackoff)}
	for _, option := range options {
		option(&DB{}, &cfg)
	}
	return cfg.Retryer()
}

// PutEntries puts entries of a catalogue into a model.
func PutEntries(t testing.TB, model *dynamomodel.Table, entries []store.Entry) {
	t.Helper()
	for _, e := range entries {
		item := marshalEntry(e, time.Now())
		item[attrRevision] = num(1)
		_, err := model.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(ModelTable), Item: item})
		if err != nil {
			t.Fatal(err)
		}
	}
}
