package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// PushAll implements store.Importer. It makes the conditional writes of Push, 16 at once,
// then looks for tombstones with one consistent query for each name. That costs 1 read
// unit for each 25 tombstones, instead of 6 for each push. If a name has too many
// tombstones, it costs at most 8 for each push, and then those 6 too.
func (db *DB) PushAll(ctx context.Context, pushes []event.Push) error {
	if err := db.pushAll(ctx, pushes); err != nil {
		return fmt.Errorf("push %d references: %w", len(pushes), err)
	}
	return nil
}

func (db *DB) pushAll(ctx context.Context, pushes []event.Push) error {
	copies, err := db.putCopies(ctx, pushes)
	if err != nil {
		return err
	}
	if err := db.markAllCovered(ctx, slices.Concat(copies...)); err != nil {
		return err
	}
	if !db.withoutStream {
		return nil
	}
	return db.deriveFrom(ctx, pushes, copies)
}

// putCopies writes the items of pushes. It returns the copies of each that are stored
// afterwards.
func (db *DB) putCopies(ctx context.Context, pushes []event.Push) ([][]copyOf, error) {
	copies := make([][]copyOf, len(pushes))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for i, p := range pushes {
		item := marshalPush(p)
		partitions := partitionsOf(p.Names())
		copies[i] = make([]copyOf, len(partitions))
		for j, partition := range partitions {
			group.Go(func() (err error) {
				copies[i][j], err = db.putCopy(ctx, partition, p, item)
				return err
			})
		}
	}
	return copies, group.Wait()
}

// markAllCovered marks the copies that a tombstone covers.
func (db *DB) markAllCovered(ctx context.Context, copies []copyOf) error {
	known, err := db.knownTombstones(ctx, copies)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for _, c := range copies {
		if deletes, all := known[c.partition]; all && !store.IsCovered(c.push, deletes) {
			continue
		}
		// This reads the tombstones once more. That is rare, and marks as Push does.
		group.Go(func() error { return db.markCovered(ctx, []copyOf{c}) })
	}
	return group.Wait()
}

// knownTombstones returns the deletes of all tombstones in those partitions of copies
// that have few of them.
func (db *DB) knownTombstones(ctx context.Context, copies []copyOf) (map[string]deletes, error) {
	counts := map[string]int{}
	for _, c := range copies {
		counts[c.partition]++
	}
	var mu sync.Mutex
	known := map[string]deletes{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for partition, count := range counts {
		group.Go(func() error {
			found, all, err := db.firstTombstones(ctx, partition, tombstonesForAPush*count)
			if all {
				mu.Lock()
				defer mu.Unlock()
				known[partition] = found
			}
			return err
		})
	}
	return known, group.Wait()
}

// tombstonesForAPush is how many of a name's tombstones PushAll reads for each push, in
// the hope of seeing all of them. If there are more, it asks for the three that can cover
// each push. A tombstone has about 200 bytes.
const tombstonesForAPush = 100

// firstTombstones returns the deletes of the first tombstones in a partition, and whether
// these are all.
func (db *DB) firstTombstones(ctx context.Context, partition string, most int) (found deletes, all bool, err error) {
	query := db.queryOf(partition)
	addCondition(query, "begins_with(#sort, :sort)", attrKey, tombstonePrefix)
	query.ConsistentRead = aws.Bool(true)
	query.Limit = aws.Int32(int32(most))
	page, err := db.client.Query(ctx, query)
	if err != nil {
		return nil, false, err
	}
	found, err = deletesIn(page.Items)
	return found, err == nil && page.LastEvaluatedKey == nil, err
}

// deriveFrom does what the views function would do after pushes. If the copies of a push
// are equal, only the catalogue entry is left to do.
func (db *DB) deriveFrom(ctx context.Context, pushes []event.Push, copies [][]copyOf) error {
	var unequal, entries []*task
	listed := map[reference.Name]bool{}
	for i, p := range pushes {
		if slices.ContainsFunc(copies[i], func(c copyOf) bool { return c.push != copies[i][0].push }) {
			change := Change{copies[i][0].partition, p.Reference.String()}
			unequal = append(unequal, &task{do: func(ctx context.Context) error { return db.complete(ctx, change) }})
		}
		name := p.ListedAs()
		if !listed[name] {
			listed[name] = true
			entries = append(entries, &task{do: func(ctx context.Context) error { return db.refreshEntry(ctx, name) }})
		}
	}
	db.runAll(ctx, slices.Values(unequal))
	db.runAll(ctx, slices.Values(entries))
	var errs []error
	for _, t := range slices.Concat(unequal, entries) {
		errs = append(errs, t.err)
	}
	return errors.Join(errs...)
}
