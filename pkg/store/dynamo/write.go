package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Push implements store.Writer. Each of the two names costs one conditional write
// and one consistent read of at most three tombstones: 5 write units for a new
// reference, up to 9 for one that is stored already (the item and its four index
// entries, of which a changed one counts twice), and 3 read units. The catalogue
// entry costs 2 write units, or 3 if its newest reference changes, and 3 read units.
func (db *DB) Push(ctx context.Context, p event.Push) error {
	item := marshalPush(p)
	err := db.writeUnderNames(ctx, p, func(ctx context.Context, partition string) error {
		return db.pushUnder(ctx, partition, p, item)
	})
	if err != nil {
		return fmt.Errorf("push %s: %w", p.Reference, err)
	}
	return nil
}

// named is a push, or the target of a delete.
type named interface {
	Names() []reference.Name
	ListedAs() reference.Name
}

// writeUnderNames calls write for the partition of each of n's names, side by side,
// and refreshes the catalogue entry after the write that it depends on.
func (db *DB) writeUnderNames(ctx context.Context, n named, write func(ctx context.Context, partition string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range n.Names() {
		group.Go(func() error {
			if err := write(ctx, store.Partition(name)); err != nil {
				return err
			}
			if name != n.ListedAs() {
				return nil
			}
			return db.refreshEntry(ctx, name)
		})
	}
	return group.Wait()
}

// pushUnder writes p's item in a partition, then marks the reference as deleted if a
// tombstone covers it. If a newer push is stored, it looks at that one instead: the
// writer of that one may have ended before it looked for tombstones.
func (db *DB) pushUnder(ctx context.Context, partition string, p event.Push, item attributes) error {
	item = maps.Clone(item)
	item[attrName] = str(partition)
	written, stored, err := db.putIfNewer(ctx, item)
	if err != nil {
		return err
	}
	if !written {
		if p, err = unmarshalPush(stored); err != nil {
			return err
		}
	}
	d, found, err := db.tombstoneFor(ctx, partition, p)
	if err != nil || !found {
		return err
	}
	_, err = db.markDeleted(ctx, partition, p.Reference.String(), d)
	return err
}

// putIfNewer writes a register, unless one of an equal or greater rank is stored,
// which it returns then.
func (db *DB) putIfNewer(ctx context.Context, item attributes) (written bool, stored attributes, err error) {
	return db.putIf(ctx, item, "attribute_not_exists(#rank) OR #rank < :rank",
		map[string]string{"#rank": attrRank}, attributes{":rank": item[attrRank]})
}

// putIf writes an item on a condition. If that fails it returns the stored item, nil
// if there is none.
func (db *DB) putIf(ctx context.Context, item attributes, condition string, names map[string]string, values attributes) (written bool, stored attributes, err error) {
	_, err = db.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           &db.table,
		Item:                                item,
		ConditionExpression:                 &condition,
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if stored, lost := conflict(err); lost {
		return false, stored, nil
	}
	return err == nil, nil, err
}

// conflict reports whether err says that the condition of a write failed, and
// returns the stored item if the write asked for it.
func conflict(err error) (stored attributes, lost bool) {
	failed, lost := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !lost {
		return nil, false
	}
	return failed.Item, true
}

// tombstoneFor looks in a partition for a delete that covers p.
func (db *DB) tombstoneFor(ctx context.Context, partition string, p event.Push) (d event.Delete, found bool, err error) {
	var keys []attributes
	targets := map[string]event.Target{}
	for _, target := range p.Targets() {
		key := tombstoneKey(target)
		targets[key] = target
		keys = append(keys, keyOf(partition, key))
	}
	items, err := db.batchGet(ctx, keys, true)
	if err != nil {
		return d, false, err
	}
	for _, item := range items {
		d, err := unmarshalTombstone(item, targets[text(item, attrKey)])
		if err != nil {
			return d, false, err
		}
		if d.Covers(p) {
			return d, true, nil
		}
	}
	return d, false, nil
}

// dropFromIndexes is the part of an update that drops a reference from the indexes
// that readers use.
var dropFromIndexes = func() string {
	var attrs []string
	for _, index := range indexes {
		attrs = append(attrs, index.attr)
	}
	return "REMOVE " + strings.Join(attrs, ", ")
}()

// markDeleted marks the reference key as deleted by d if d still covers it. It
// reports whether the reference was live until then.
func (db *DB) markDeleted(ctx context.Context, partition, key string, d event.Delete) (bool, error) {
	condition := "#rank < :covered AND attribute_not_exists(#deletedAt)"
	names := map[string]string{"#rank": attrRank, "#deletedAt": attrDeletedAt, "#expiresAt": attrExpiresAt}
	values := attributes{":covered": str(d.CoveredRank()), ":deletedAt": str(event.Stamp(d.DeletedAt)), ":expiresAt": expiry(d.ReceivedAt)}
	if d.Digest != "" {
		condition += " AND #digest = :digest"
		names["#digest"] = attrDigest
		values[":digest"] = str(d.Digest)
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

// Delete implements store.Writer. Each of the two names costs 1 write unit for the
// tombstone, a consistent query for the references it covers, and some 5 write units
// for each of them; the catalogue entry costs 2 to 3 write units and 3 read units.
func (db *DB) Delete(ctx context.Context, d event.Delete) (int, error) {
	var mu sync.Mutex
	deleted := map[string]bool{} // the keys, which are the same under each name
	err := db.writeUnderNames(ctx, d, func(ctx context.Context, partition string) error {
		keys, err := db.deleteUnder(ctx, partition, d)
		mu.Lock()
		defer mu.Unlock()
		for _, key := range keys {
			deleted[key] = true
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete %s: %w", d.Target, err)
	}
	return len(deleted), nil
}

// deleteUnder stores d in a partition and returns the keys of the references that
// it deleted there.
func (db *DB) deleteUnder(ctx context.Context, partition string, d event.Delete) (deleted []string, err error) {
	if err := db.putTombstone(ctx, partition, d); err != nil {
		return nil, err
	}
	keys, err := db.coveredKeys(ctx, partition, d)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for _, key := range keys {
		group.Go(func() error {
			marked, err := db.markDeleted(ctx, partition, key, d)
			if marked {
				mu.Lock()
				defer mu.Unlock()
				deleted = append(deleted, key)
			}
			return err
		})
	}
	err = group.Wait()
	return deleted, err
}

// putTombstone writes d's tombstone, unless a newer delete of its target is stored.
func (db *DB) putTombstone(ctx context.Context, partition string, d event.Delete) error {
	_, _, err := db.putIfNewer(ctx, marshalTombstone(partition, d))
	return err
}

// coveredKeys returns the keys of the live references in a partition that d may
// cover. A delete of a digest finds them without reading the rest.
func (db *DB) coveredKeys(ctx context.Context, partition string, d event.Delete) (keys []string, err error) {
	repository := reference.Reference{Registry: d.Registry, Repository: d.Repository}.String() // all but the tag
	if d.Digest == "" && d.Tag != "" {
		return []string{repository + d.Tag}, nil
	}
	query := db.queryOf(partition)
	query.ConsistentRead = aws.Bool(true)
	query.ProjectionExpression = aws.String("#key")
	query.FilterExpression = aws.String("attribute_not_exists(#deletedAt) AND #rank < :covered")
	query.ExpressionAttributeNames["#key"] = attrKey
	query.ExpressionAttributeNames["#deletedAt"] = attrDeletedAt
	query.ExpressionAttributeNames["#rank"] = attrRank
	query.ExpressionAttributeValues[":covered"] = str(d.CoveredRank())
	query.ExpressionAttributeValues[":repository"] = str(repository)
	if d.Digest == "" {
		*query.KeyConditionExpression += " AND begins_with(#key, :repository)"
	} else {
		query.IndexName = aws.String(digestIndex)
		*query.KeyConditionExpression += " AND #digest = :digest"
		*query.FilterExpression += " AND begins_with(#key, :repository)"
		query.ExpressionAttributeNames["#digest"] = attrDigest
		query.ExpressionAttributeValues[":digest"] = str(d.Digest)
	}
	err = db.eachItem(ctx, query, func(item attributes) (more bool, err error) {
		keys = append(keys, text(item, attrKey))
		return true, nil
	})
	return keys, err
}
