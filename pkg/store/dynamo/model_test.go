package dynamo

import (
	"testing"
	"time"

	"ocireffer/pkg/store/dynamo/dynamomodel"
)

// newModel returns an empty table of the model.
func newModel(t testing.TB) *dynamomodel.Table {
	t.Helper()
	model, err := dynamomodel.New(Schema("model"))
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// onModel returns a DB on a model whose stream calls Derive.
func onModel(model client) *DB {
	return &DB{client: model, table: "model", parallel: parallel, now: time.Now}
}
