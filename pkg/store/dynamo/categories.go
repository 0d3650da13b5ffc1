package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/store"
)

// categories is the partition of members, whose sort key is the category, a slash
// and the name. One that was taken out stays until it expires.
const categories = "#category"

// Categorize implements store.Writer. It costs 1 write unit.
func (db *DB) Categorize(ctx context.Context, m store.Membership) error {
	member := keyOf(categories, m.Member.Category+"/"+m.Member.Name)
	member[attrChangedAt] = str(store.Stamp(m.At))
	older := "#changedAt < :at"
	if m.Out {
		member[attrExpiresAt] = num(m.At.Add(store.Tombstone).Unix())
		older = "#changedAt <= :at"
	}
	_, err := db.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                 &db.table,
		Item:                      member,
		ConditionExpression:       aws.String("attribute_not_exists(#changedAt) OR " + older),
		ExpressionAttributeNames:  map[string]string{"#changedAt": attrChangedAt},
		ExpressionAttributeValues: attributes{":at": member[attrChangedAt]},
	})
	var lost *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &lost) {
		return fmt.Errorf("categorize %s/%s: %w", m.Member.Category, m.Member.Name, err)
	}
	return nil
}

// Members implements store.Reader. It costs 0.5 read units for each 4 KB of
// members, of which each has some 80 bytes.
func (db *DB) Members(ctx context.Context, category string) (members []store.Member, err error) {
	query := &dynamodb.QueryInput{
		TableName:                 &db.table,
		KeyConditionExpression:    aws.String("#name = :categories"),
		FilterExpression:          aws.String("attribute_not_exists(#expiresAt)"),
		ExpressionAttributeNames:  map[string]string{"#name": attrName, "#expiresAt": attrExpiresAt},
		ExpressionAttributeValues: attributes{":categories": str(categories)},
	}
	if category != "" {
		query.KeyConditionExpression = aws.String("#name = :categories AND begins_with(#key, :category)")
		query.ExpressionAttributeNames["#key"] = attrKey
		query.ExpressionAttributeValues[":category"] = str(category + "/")
	}
	for pages := dynamodb.NewQueryPaginator(db.client, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list members: %w", err)
		}
		for _, item := range page.Items {
			category, name, _ := strings.Cut(text(item, attrKey), "/")
			members = append(members, store.Member{Category: category, Name: name})
		}
	}
	// Keys sort a-b/ before a/.
	slices.SortFunc(members, store.Member.Compare)
	return members, nil
}
