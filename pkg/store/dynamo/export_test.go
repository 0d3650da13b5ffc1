package dynamo

import (
	"testing"
	"time"

	"ocireffer/pkg/store/dynamo/dynamomodel"
)

// Tests in package dynamo_test use packages that import this one, such as views.

// modelTable is the name of a model's table.
const modelTable = "model"

// NewModel returns an empty table of the model of DynamoDB.
func NewModel(t testing.TB) *dynamomodel.Table {
	t.Helper()
	model, err := dynamomodel.New(Schema(modelTable))
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// OnModel returns a DB on a table that NewModel made.
func OnModel(model client, options ...Option) *DB {
	db := &DB{client: model, table: modelTable, parallel: parallel, now: time.Now}
	for _, option := range options {
		option(db, nil)
	}
	return db
}
