package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"ocireffer/pkg/event"
)

// Categorize implements store.Writer. It costs 1 write unit.
func (db *DB) Categorize(ctx context.Context, m event.Membership) error {
	if _, _, err := db.putIfNewer(ctx, marshalMembership(m)); err != nil {
		return fmt.Errorf("categorize %s/%s: %w", m.Category, m.Name, err)
	}
	return nil
}

// Members implements store.Reader. It costs 0.5 read units for each 4 KB of members. A
// member has about 90 bytes. Removed members count until they expire.
func (db *DB) Members(ctx context.Context, category string) (members []event.Member, err error) {
	query := db.queryOf(categories)
	query.FilterExpression = aws.String("attribute_not_exists(#expiresAt)")
	query.ExpressionAttributeNames["#expiresAt"] = attrExpiresAt
	if category != "" {
		*query.KeyConditionExpression += " AND begins_with(#key, :category)"
		query.ExpressionAttributeNames["#key"] = attrKey
		query.ExpressionAttributeValues[":category"] = str(category + "/")
	}
	for item, err := range db.results(ctx, query) {
		if err != nil {
			return nil, fmt.Errorf("list members: %w", err)
		}
		members = append(members, unmarshalMember(item))
	}
	// Keys do not sort as members do.
	slices.SortFunc(members, event.Member.Compare)
	return members, nil
}
