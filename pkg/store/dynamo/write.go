package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// Push implements store.Writer. It makes one conditional write for each of the two names,
// in parallel, and one consistent read of at most six tombstones. That costs 6 read
// units, and 10 write units for a new reference or up to 18 for a stored one: the item
// and its four index entries, where a changed entry counts twice. Derive does the rest.
func (db *DB) Push(ctx context.Context, p event.Push) error {
	err := db.push(ctx, p)
	if err == nil && db.withoutStream {
		err = db.deriveNow(ctx, p.Names(), p.Reference.String())
	}
	if err != nil {
		return fmt.Errorf("push %s: %w", p.Reference, err)
	}
	return nil
}

func (db *DB) push(ctx context.Context, p event.Push) error {
	item := marshalPush(p)
	stored := make([]copyOf, len(p.Names()))
	// A failed write does not stop the other: Derive completes the push from either copy.
	var group errgroup.Group
	for i, name := range p.Names() {
		group.Go(func() (err error) {
			stored[i], err = db.putCopy(ctx, store.Partition(name), p, item)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return db.markCovered(ctx, stored)
}

// A copyOf a push is its item in the partition of one of its names.
type copyOf struct {
	partition string
	push      event.Push
	deleted   bool // it is marked as deleted
}

// putCopy writes p's item in a partition and returns the copy that is stored afterwards.
// That is another one if a newer push is stored. Its tombstones matter just as much,
// since its writer may have died before it looked for them.
func (db *DB) putCopy(ctx context.Context, partition string, p event.Push, item attributes) (copyOf, error) {
	written, stored, err := db.putIfNewer(ctx, inPartition(partition, item))
	if err != nil || written {
		return copyOf{partition, p, item[attrDeletedAt] != nil}, err
	}
	return unmarshalCopy(stored)
}

func unmarshalCopy(item attributes) (c copyOf, err error) {
	c.partition = text(item, attrName)
	c.deleted = item[attrDeletedAt] != nil
	c.push, err = unmarshalPush(item)
	return c, err
}

// putIfNewer writes a register unless one with an equal or greater rank is stored. Then
// it returns that one.
func (db *DB) putIfNewer(ctx context.Context, item attributes) (written bool, stored attributes, err error) {
	return db.putIf(ctx, item, "attribute_not_exists(#rank) OR #rank < :rank",
		map[string]string{"#rank": attrRank}, attributes{":rank": item[attrRank]})
}

// putIf writes an item on a condition. If the condition fails, it returns the stored
// item, or nil if there is none.
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

// conflict reports whether err is a failed condition of a write. It returns the stored
// item if the write asked for it.
func conflict(err error) (stored attributes, lost bool) {
	failed, lost := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !lost {
		return nil, false
	}
	return failed.Item, true
}

// markCovered looks for tombstones that cover copies, and marks the covered copies as
// deleted.
func (db *DB) markCovered(ctx context.Context, copies []copyOf) error {
	var keys []attributes
	for _, c := range copies {
		if c.deleted {
			continue
		}
		for _, target := range c.push.Targets() {
			keys = append(keys, keyOf(c.partition, tombstoneKey(target)))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	tombstones, err := db.batchGet(ctx, keys, true)
	if err != nil {
		return err
	}
	for _, item := range tombstones {
		d, err := unmarshalTombstone(item)
		if err != nil {
			return err
		}
		for _, c := range copies {
			if c.deleted || c.partition != text(item, attrName) || !d.Covers(c.push) {
				continue
			}
			if _, err := db.markDeleted(ctx, c.partition, c.push.Reference.String(), d); err != nil {
				return err
			}
		}
	}
	return nil
}
