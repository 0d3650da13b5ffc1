package dynamo

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// scanSize is how many items Events reads with one call. Without it DynamoDB would read 1
// MB, for which not every client would wait.
const scanSize = 500

// Events implements store.Exporter. It reads both copies of each register consistently: 1
// read unit for each 4 KB, about 0.3 for a reference, and 3 more for a deleted one.
//
// Of two copies it uses the one of the registry's repository. A push that is still
// running may have written only the other one.
func (db *DB) Events(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for pages := dynamodb.NewScanPaginator(db.client, db.scan()); pages.HasMorePages(); {
			events, err := db.nextEvents(ctx, pages)
			if err != nil {
				yield(event.Event{}, fmt.Errorf("read all events: %w", err))
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// scan returns the scan of all registers.
func (db *DB) scan() *dynamodb.ScanInput {
	return &dynamodb.ScanInput{
		TableName:      &db.table,
		ConsistentRead: aws.Bool(true),
		Limit:          aws.Int32(scanSize),
		// The rank contains all that is known of a register. The index keys only repeat
		// it.
		ProjectionExpression: aws.String("#name, #key, #rank, #deletedAt, #receivedAt, #expiresAt"),
		FilterExpression:     aws.String("#name = :categories OR NOT begins_with(#name, :own)"),
		ExpressionAttributeNames: map[string]string{
			"#name": attrName, "#key": attrKey, "#rank": attrRank,
			"#deletedAt": attrDeletedAt, "#receivedAt": attrReceivedAt, "#expiresAt": attrExpiresAt,
		},
		ExpressionAttributeValues: attributes{":categories": str(categories), ":own": str(ownPrefix)},
	}
}

// nextEvents returns the events on the next page of a scan.
func (db *DB) nextEvents(ctx context.Context, pages *dynamodb.ScanPaginator) (events []event.Event, err error) {
	page, err := pages.NextPage(ctx)
	if err != nil {
		return nil, err
	}
	var deleted []row
	for _, item := range page.Items {
		if text(item, attrName) == categories {
			m, err := unmarshalMembership(item)
			if err != nil {
				return nil, err
			}
			events = append(events, event.Event{Membership: &m})
			continue
		}
		r, err := unmarshalRow(item)
		if err != nil {
			return nil, err
		}
		if r.isCopyIn(text(item, attrName)) {
			continue
		}
		events = append(events, r.Event)
		if r.deleted {
			deleted = append(deleted, r)
		}
	}
	lost, err := db.lostTombstones(ctx, deleted)
	return append(events, lost...), err
}

// isCopyIn reports whether r is the second of two copies. A register without a given name
// is also in the partition of its registry's repository.
func (r row) isCopyIn(partition string) bool {
	givenName := ""
	if r.Push != nil {
		givenName = r.Push.GivenName
	} else {
		givenName = r.Delete.GivenName
	}
	return givenName == "" && store.NameOf(partition).Registry == ""
}

// lostTombstones returns a delete for each deleted reference whose tombstone is gone.
func (db *DB) lostTombstones(ctx context.Context, deleted []row) (lost []event.Event, err error) {
	// A reference has at most three targets.
	for chunk := range slices.Chunk(deleted, maxBatchGet/3) {
		left, err := db.tombstonesOf(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, r := range chunk {
			if !store.IsCovered(*r.Push, left) {
				d := r.tombstone()
				lost = append(lost, event.Event{Delete: &d})
			}
		}
	}
	return lost, nil
}

// tombstonesOf returns the stored deletes of the targets of references.
func (db *DB) tombstonesOf(ctx context.Context, references []row) (deletes, error) {
	targets := map[event.Target]bool{}
	var keys []attributes
	for _, r := range references {
		names := r.Push.Names()
		partition := store.Partition(names[len(names)-1])
		for _, target := range r.Push.Targets() {
			if !targets[target] {
				targets[target] = true
				keys = append(keys, keyOf(partition, tombstoneKey(target)))
			}
		}
	}
	items, err := db.batchGet(ctx, keys, true)
	if err != nil {
		return nil, err
	}
	return deletesIn(items)
}

// deletes are deletes by target.
type deletes = map[event.Target]event.Delete

// deletesIn returns the deletes of tombstones.
func deletesIn(tombstones []attributes) (deletes, error) {
	found := deletes{}
	for _, item := range tombstones {
		d, err := unmarshalTombstone(item)
		if err != nil {
			return nil, err
		}
		found[d.Target] = d
	}
	return found, nil
}

func unmarshalMembership(item attributes) (event.Membership, error) {
	m := event.Membership{Member: unmarshalMember(item)}
	if err := m.SetRank(text(item, attrRank)); err != nil {
		return event.Membership{}, fmt.Errorf("item of %s/%s: %w", m.Category, m.Name, err)
	}
	return m, nil
}
