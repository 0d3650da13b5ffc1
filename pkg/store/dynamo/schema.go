package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
)

// createTimeout is how long Create waits for DynamoDB to make a table.
const createTimeout = time.Minute

// Create creates a table unless it exists. It is for a DynamoDB without the stack of
// template.yaml. The table has no stream.
func Create(ctx context.Context, cfg aws.Config, table string) error {
	cfg.Logger = logging.Nop{} // as in Open
	db := dynamodb.NewFromConfig(cfg)
	_, err := db.CreateTable(ctx, Schema(table))
	if _, exists := errors.AsType[*types.ResourceInUseException](err); exists {
		return nil // without asking for its status: that takes DynamoDB Local seconds if the table has many items
	}
	if err != nil {
		return fmt.Errorf("create table %s: %w", table, err)
	}
	wait := dynamodb.NewTableExistsWaiter(db)
	if err := wait.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &table}, createTimeout); err != nil {
		return fmt.Errorf("wait for table %s: %w", table, err)
	}
	return nil
}

// Schema returns the keys and indexes of a table, as in template.yaml. They can never
// change: a local index can only be created with its table.
func Schema(table string) *dynamodb.CreateTableInput {
	input := &dynamodb.CreateTableInput{
		TableName:            &table,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{definition(attrName), definition(attrKey)},
		KeySchema:            keySchema(attrKey),
	}
	for _, local := range indexes {
		input.AttributeDefinitions = append(input.AttributeDefinitions, definition(local.attr))
		input.LocalSecondaryIndexes = append(input.LocalSecondaryIndexes, types.LocalSecondaryIndex{
			IndexName:  &local.name,
			KeySchema:  keySchema(local.attr),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		})
	}
	return input
}

func definition(attr string) types.AttributeDefinition {
	return types.AttributeDefinition{AttributeName: &attr, AttributeType: types.ScalarAttributeTypeS}
}

func keySchema(sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: aws.String(attrName), KeyType: types.KeyTypeHash},
		{AttributeName: &sort, KeyType: types.KeyTypeRange},
	}
}
