package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/store"
)

// Schema is the table as template.yaml describes it, for a local DynamoDB; on
// AWS the stack makes it.
func Schema(table string) *dynamodb.CreateTableInput {
	input := &dynamodb.CreateTableInput{
		TableName:   &table,
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   keySchema(attrKey),
	}
	attributes := []string{attrName, attrKey}
	addIndex := func(name, attr string) {
		attributes = append(attributes, attr)
		input.LocalSecondaryIndexes = append(input.LocalSecondaryIndexes, types.LocalSecondaryIndex{
			IndexName:  &name,
			KeySchema:  keySchema(attr),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		})
	}
	for _, order := range []store.Order{store.ByPushed, store.ByRelease, store.ByVersion} {
		addIndex(indexes[order].name, indexes[order].attr)
	}
	addIndex(digestIndex, attrDigest)
	for _, attr := range attributes {
		input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(attr), AttributeType: types.ScalarAttributeTypeS,
		})
	}
	return input
}

func keySchema(sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: aws.String(attrName), KeyType: types.KeyTypeHash},
		{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
	}
}

// Create makes db's table unless it is there.
func (db *DB) Create(ctx context.Context) error {
	_, err := db.client.CreateTable(ctx, Schema(db.table))
	var exists *types.ResourceInUseException
	if errors.As(err, &exists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create table %s: %w", db.table, err)
	}
	wait := dynamodb.NewTableExistsWaiter(db.client)
	if err := wait.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &db.table}, time.Minute); err != nil {
		return fmt.Errorf("wait for table %s: %w", db.table, err)
	}
	return nil
}
