package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Push implements store.Writer. It makes one conditional write for each of the two
// names, side by side, and one consistent read of at most six tombstones: 10 write
// units for a new reference, up to 18 for one that is stored already (the item and
// its four index entries, of which a changed one counts twice), and 6 read units.
// Derive does the rest.
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
	// No failure ends the other call: Derive completes the push from either copy.
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
	deleted   bool // it is marked
}

// putCopy writes p's item in a partition and returns the copy that is there then:
// another one if a newer push is stored. Its tombstones matter as much, since its
// own writer may have ended before it looked for them.
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

// markCovered looks for tombstones that cover copies, and marks those as deleted.
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

// dropFromIndexes is the part of an update that drops a reference from the indexes.
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

// hasDigest is the condition that a reference has the digest of which :digest is the
// rankedDigest. Its key in ByDigest may have a hash in place of the digest.
const hasDigest = "contains(#rank, :digest)"

// rankedDigest returns a digest as only a rank that has it contains it.
func rankedDigest(digest string) string { return " " + digest + " " }

// answerTime is how long before its deadline a delete stops to mark references, so
// that there is time to answer.
const answerTime = 500 * time.Millisecond

// Delete implements store.Writer. It writes a tombstone for each of the two names,
// 1 write unit each, and marks the references that it covers, some 10 write units
// each. From its tombstones on a delete cannot be lost: Derive marks what Delete had
// no time for, or failed to mark.
func (db *DB) Delete(ctx context.Context, d event.Delete) (store.Deleted, error) {
	deleted, err := db.delete(ctx, d)
	if err == nil && db.withoutStream {
		err = db.deriveNow(ctx, d.Names(), tombstoneKey(d.Target))
	}
	if err != nil {
		return store.Deleted{}, fmt.Errorf("delete %s: %w", d.Target, err)
	}
	return deleted, nil
}

func (db *DB) delete(ctx context.Context, d event.Delete) (store.Deleted, error) {
	partitions := partitionsOf(d.Names())
	if err := db.putTombstones(ctx, partitions, marshalTombstone(d)); err != nil {
		return store.Deleted{}, err
	}
	markCtx := ctx
	if deadline, ok := ctx.Deadline(); ok && !db.withoutStream {
		var cancel context.CancelFunc
		markCtx, cancel = context.WithDeadline(ctx, deadline.Add(-answerTime))
		defer cancel()
	}
	var mu sync.Mutex
	marked := map[string]bool{} // the keys of references, which are the same in each partition
	err := db.markAll(markCtx, partitions, d, func(key string) {
		mu.Lock()
		defer mu.Unlock()
		marked[key] = true
	})
	if err != nil && db.withoutStream {
		return store.Deleted{}, err
	}
	deleted := store.Deleted{References: len(marked), More: err != nil}
	if !isShortage(err) {
		deleted.Err = err
	}
	return deleted, nil
}

// isShortage reports whether a call would have been made with more time, or at another
// one.
func isShortage(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

// putTombstones writes a tombstone in partitions. No failure ends the other call:
// Derive completes the delete from either tombstone.
func (db *DB) putTombstones(ctx context.Context, partitions []string, item attributes) error {
	var group errgroup.Group
	for _, partition := range partitions {
		group.Go(func() error { return db.putTombstone(ctx, partition, item) })
	}
	return group.Wait()
}

// putTombstone writes a tombstone in a partition. One that is stored may be of a newer
// delete, or of one that was received later. The greater of each counts: late pushes
// lose to both deletes, for as long as either is remembered.
func (db *DB) putTombstone(ctx context.Context, partition string, item attributes) error {
	item = inPartition(partition, item)
	for {
		written, stored, err := db.putIf(ctx, item,
			"attribute_not_exists(#rank) OR (#rank <= :rank AND #receivedAt <= :receivedAt)",
			map[string]string{"#rank": attrRank, "#receivedAt": attrReceivedAt},
			attributes{":rank": item[attrRank], ":receivedAt": item[attrReceivedAt]})
		if err != nil || written {
			return err
		}
		newer, later := text(item, attrRank) > text(stored, attrRank), text(item, attrReceivedAt) > text(stored, attrReceivedAt)
		switch {
		case !newer && !later:
			return nil
		case newer:
			item[attrReceivedAt], item[attrExpiresAt] = stored[attrReceivedAt], stored[attrExpiresAt]
		case later:
			item[attrRank] = stored[attrRank]
		}
	}
}

func partitionsOf(names []reference.Name) []string {
	partitions := make([]string, len(names))
	for i, name := range names {
		partitions[i] = store.Partition(name)
	}
	return partitions
}

// markAll marks the references in partitions that d covers as deleted, and calls
// done with the key of each. A failure in one partition does not end the others. Of
// several errors it returns one that is no shortage, if there is one.
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

// markPartition is markAll of one partition. Of a repository it first marks the
// references that readers see, the first ones in each order.
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

// tagKey is the key of the reference that is the target of a delete of a tag.
func tagKey(t event.Target) string {
	return reference.Reference{Registry: t.Registry, Repository: t.Repository, Tag: t.Tag}.String()
}

// headSize is how many references of each order a delete of a repository marks
// first.
const headSize = 25

// headCovered queries a partition for the first references of an order, as far as d
// covers them.
func (db *DB) headCovered(partition string, d event.Delete, order store.Order) *dynamodb.QueryInput {
	query := db.queryCovered(partition, d)
	query.IndexName = &indexes[order].name
	query.ScanIndexForward = aws.Bool(false)
	query.Limit = aws.Int32(headSize)
	return query
}

// allCovered queries a partition for the live references that d, of a digest or a
// repository, covers. It reads only those with the digest, or only live ones.
func (db *DB) allCovered(partition string, d event.Delete) *dynamodb.QueryInput {
	query := db.queryCovered(partition, d)
	query.IndexName = &indexes[store.ByPushed].name
	query.ScanIndexForward = aws.Bool(false)
	if d.Digest != "" {
		index := indexes[store.ByDigest]
		query.IndexName = &index.name
		addCondition(query, "begins_with(#sort, :sort)", index.attr, store.DigestPrefix(d.Target))
		*query.FilterExpression += " AND " + hasDigest
		query.ExpressionAttributeValues[":digest"] = str(rankedDigest(d.Digest))
	}
	return query
}

func (db *DB) queryCovered(partition string, d event.Delete) *dynamodb.QueryInput {
	query := db.queryOf(partition)
	query.ConsistentRead = aws.Bool(true)
	query.ProjectionExpression = aws.String("#key")
	query.FilterExpression = aws.String("attribute_not_exists(#deletedAt) AND #rank < :covered AND begins_with(#key, :repository)")
	query.ExpressionAttributeNames["#key"] = attrKey
	query.ExpressionAttributeNames["#deletedAt"] = attrDeletedAt
	query.ExpressionAttributeNames["#rank"] = attrRank
	query.ExpressionAttributeValues[":covered"] = str(d.CoveredRank())
	query.ExpressionAttributeValues[":repository"] = str(tagKey(event.Target{Registry: d.Registry, Repository: d.Repository}))
	return query
}

// markPages marks the references that up to so many pages of a query find.
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

// markKeys marks references as deleted by d, side by side.
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
