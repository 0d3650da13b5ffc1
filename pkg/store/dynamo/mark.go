package dynamo

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// markAll marks the references in partitions that d covers as deleted, and calls done
// with the key of each. A failure in one partition does not stop the others. Of several
// errors it prefers one that is no shortage.
func (db *DB) markAll(ctx context.Context, partitions []string, d event.Delete, done func(key string)) error {
	errs := make([]error, len(partitions))
	var group sync.WaitGroup
	for i, partition := range partitions {
		group.Go(func() { errs[i] = db.markPartition(ctx, partition, d, done) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil && !isShortage(err) {
			return err
		}
	}
	return errors.Join(errs...)
}

// markPartition is markAll for one partition. For a delete of a repository, it first
// marks the references that readers see: the first ones in each order.
func (db *DB) markPartition(ctx context.Context, partition string, d event.Delete, done func(key string)) error {
	if d.Digest == "" && d.Tag != "" {
		return db.markKeys(ctx, partition, []string{tagKey(d.Target)}, d, done)
	}
	if d.Digest == "" {
		for _, order := range store.Orders {
			if err := db.markPages(ctx, db.headCovered(partition, d, order), 1, d, done); err != nil {
				return err
			}
		}
	}
	return db.markPages(ctx, db.allCovered(partition, d), math.MaxInt, d, done)
}

// tagKey returns the key of the reference that a delete of a tag targets.
func tagKey(t event.Target) string {
	return reference.Reference{Registry: t.Registry, Repository: t.Repository, Tag: t.Tag}.String()
}

// headSize is how many references of each order a delete of a repository marks
// first.
const headSize = 25

// headCovered queries a partition for those of the first references in an order that d
// covers.
func (db *DB) headCovered(partition string, d event.Delete, order store.Order) *dynamodb.QueryInput {
	query := db.queryCovered(partition, d)
	query.IndexName = &indexes[order].name
	query.ScanIndexForward = aws.Bool(false)
	query.Limit = aws.Int32(headSize)
	return query
}

// allCovered queries a partition for the live references that d covers. d must target a
// digest or a repository. The query reads only references with the digest, or only live
// ones.
func (db *DB) allCovered(partition string, d event.Delete) *dynamodb.QueryInput {
	query := db.queryCovered(partition, d)
	query.IndexName = &indexes[store.ByPushed].name
	query.ScanIndexForward = aws.Bool(false)
	if d.Digest != "" {
		index := indexes[store.ByDigest]
		query.IndexName = &index.name
		addCondition(query, "begins_with(#sort, :sort)", index.attr, store.DigestPrefix(d.Target))
	}
	return query
}

// queryCovered queries an index of a partition, which has live references only.
func (db *DB) queryCovered(partition string, d event.Delete) *dynamodb.QueryInput {
	query := db.queryOf(partition)
	query.ConsistentRead = aws.Bool(true)
	query.ProjectionExpression = aws.String("#key")
	query.FilterExpression = aws.String("#rank < :covered AND begins_with(#key, :repository)")
	query.ExpressionAttributeNames["#key"] = attrKey
	query.ExpressionAttributeNames["#rank"] = attrRank
	query.ExpressionAttributeValues[":covered"] = str(d.CoveredRank())
	query.ExpressionAttributeValues[":repository"] = str(tagKey(event.Target{Registry: d.Registry, Repository: d.Repository}))
	return query
}

// markPages marks the references on the first pages of a query.
func (db *DB) markPages(ctx context.Context, query *dynamodb.QueryInput, pages int, d event.Delete, done func(key string)) error {
	partition := text(query.ExpressionAttributeValues, ":name")
	for range pages {
		page, err := db.client.Query(ctx, query)
		if err != nil {
			return err
		}
		keys := make([]string, len(page.Items))
		for i, item := range page.Items {
			keys[i] = text(item, attrKey)
		}
		if err := db.markKeys(ctx, partition, keys, d, done); err != nil {
			return err
		}
		if query.ExclusiveStartKey = page.LastEvaluatedKey; query.ExclusiveStartKey == nil {
			break
		}
	}
	return nil
}

// markKeys marks references as deleted by d, in parallel.
func (db *DB) markKeys(ctx context.Context, partition string, keys []string, d event.Delete, done func(key string)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for _, key := range keys {
		group.Go(func() error {
			marked, err := db.markDeleted(ctx, partition, key, d)
			if marked {
				done(key)
			}
			return err
		})
	}
	return group.Wait()
}

// dropFromIndexes is the part of an update that removes a reference from the indexes.
var dropFromIndexes = func() string {
	var attrs []string
	for _, index := range indexes {
		attrs = append(attrs, index.attr)
	}
	return "REMOVE " + strings.Join(attrs, ", ")
}()

// markDeleted marks the reference with this key as deleted by d if d still covers it. It
// reports whether the reference was live until then.
func (db *DB) markDeleted(ctx context.Context, partition, key string, d event.Delete) (bool, error) {
	condition := "#rank < :covered AND attribute_not_exists(#deletedAt)"
	names := map[string]string{"#rank": attrRank, "#deletedAt": attrDeletedAt, "#expiresAt": attrExpiresAt}
	values := attributes{":covered": str(d.CoveredRank()), ":deletedAt": str(event.Stamp(d.DeletedAt)), ":expiresAt": expiry(d.ReceivedAt)}
	if d.Digest != "" {
		condition += " AND " + hasDigest
		values[":digest"] = str(rankedDigest(d.Digest))
	}
	_, err := db.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 &db.table,
		Key:                       keyOf(partition, key),
		UpdateExpression:          aws.String("SET #deletedAt = :deletedAt, #expiresAt = :expiresAt " + dropFromIndexes),
		ConditionExpression:       &condition,
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: values,
	})
	if _, lost := conflict(err); lost {
		return false, nil
	}
	return err == nil, err
}

// hasDigest is the condition that a reference has the digest whose rankedDigest is
// :digest. The key in ByDigest would not do: it may contain a hash instead of the digest.
const hasDigest = "contains(#rank, :digest)"

// rankedDigest returns the text that a rank contains only if it has this digest.
func rankedDigest(digest string) string { return " " + digest + " " }
