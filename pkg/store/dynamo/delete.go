package dynamo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// answerTime is how long before its deadline a delete stops marking references, to leave
// time for the answer.
const answerTime = 500 * time.Millisecond

// Delete implements store.Writer. It writes a tombstone for each of the two names, 1
// write unit each, and marks the references that it covers, about 10 write units each.
// Once a tombstone is stored, the delete cannot be lost: Derive marks what Delete had no
// time for or failed to mark.
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

// isShortage reports whether a call failed for lack of time or capacity, so that it would
// succeed later.
func isShortage(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

// putTombstones writes a tombstone in partitions. A failed write does not stop the
// others: Derive completes the delete from any tombstone.
func (db *DB) putTombstones(ctx context.Context, partitions []string, item attributes) error {
	var group errgroup.Group
	for _, partition := range partitions {
		group.Go(func() error { return db.putTombstone(ctx, partition, item) })
	}
	return group.Wait()
}

// putTombstone writes a tombstone in a partition. The stored tombstone may have a newer
// delete or a later receipt. The tombstone keeps the greater of each, so that late pushes
// lose to both deletes while either is remembered.
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
