package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/store"
)

// catalog is the partition of catalogue entries, whose sort key is the name that
// is listed. No name begins so.
const catalog = "#catalog"

// list derives the catalogue entry of name from its references. The entry is
// written on condition that it is still the one that was read before them, and
// always, even unchanged or empty: who began with an older one may have read older
// references, and must see that it is gone.
//
// Two attempts are enough, however many others list the name. Where both lose,
// two entries were written since the first read; the writer of the second read
// the first one, so after that it read references as they are now or later.
func (db *DB) list(ctx context.Context, name string) error {
	old, err := db.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &db.table, Key: keyOf(catalog, name), ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String(attrRevision),
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", name, err)
	}
	revision := old.Item[attrRevision]
	for range 2 {
		entry, err := db.derive(ctx, name)
		if err != nil {
			return fmt.Errorf("list %s: %w", name, err)
		}
		err = db.putEntry(ctx, entry, revision)
		var lost *types.ConditionalCheckFailedException
		if !errors.As(err, &lost) {
			return err
		}
		revision = lost.Item[attrRevision]
	}
	return nil
}

// putEntry writes a catalogue entry in place of the one with that revision, or of
// none if revision is nil.
func (db *DB) putEntry(ctx context.Context, entry attributes, revision types.AttributeValue) error {
	condition := "attribute_not_exists(#revision)"
	var values attributes
	n := int64(0)
	if old, ok := revision.(*types.AttributeValueMemberN); ok {
		condition = "#revision = :revision"
		values = attributes{":revision": old}
		var err error
		if n, err = strconv.ParseInt(old.Value, 10, 64); err != nil {
			return fmt.Errorf("read a revision: %w", err)
		}
	}
	entry[attrRevision] = num(n + 1)
	_, err := db.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &db.table, Item: entry, ConditionExpression: &condition,
		ExpressionAttributeNames:            map[string]string{"#revision": attrRevision},
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return err
}

// derive makes the catalogue entry of name from consistent reads.
func (db *DB) derive(ctx context.Context, name string) (attributes, error) {
	newest, err := db.pick(ctx, store.Query{Name: name, Order: store.ByPushed}, true)
	if errors.Is(err, store.ErrNotFound) {
		entry := keyOf(catalog, name)
		entry[attrExpiresAt] = num(time.Now().Add(store.Tombstone).Unix())
		return entry, nil
	}
	if err != nil {
		return nil, err
	}
	highest, err := db.pick(ctx, store.Query{Name: name, Order: store.ByRelease}, true)
	if errors.Is(err, store.ErrNotFound) {
		return db.derive(ctx, name) // the last one was deleted just now
	}
	if err != nil {
		return nil, err
	}
	entry := itemOf(name, newest)
	for _, index := range indexes {
		delete(entry, index.attr)
	}
	entry[attrName], entry[attrKey], entry[attrListed] = str(catalog), str(name), str(name)
	entry[attrReference] = str(newest.Reference.String())
	if digest, ok := entry[attrDigest]; ok {
		delete(entry, attrDigest) // it sorts ByDigest
		entry[attrEntryDigest] = digest
	}
	if version := highest.Version(); version != "" {
		entry[attrVersion] = str(version)
	}
	return entry, nil
}

// Repositories implements store.Reader. It costs 0.5 read units for each 4 KB of
// entries that it looks at, of which each has some 300 bytes.
func (db *DB) Repositories(ctx context.Context, l store.Listing) (entries []store.Entry, more bool, err error) {
	query := &dynamodb.QueryInput{
		TableName:                 &db.table,
		KeyConditionExpression:    aws.String("#name = :catalog AND #key > :after"),
		ExpressionAttributeNames:  map[string]string{"#name": attrName, "#key": attrKey, "#reference": attrReference},
		ExpressionAttributeValues: attributes{":catalog": str(catalog), ":after": str(cmp.Or(l.After, " "))}, // no name is less than a blank
	}
	filter := "attribute_exists(#reference)"
	for i, word := range l.Words {
		value := fmt.Sprintf(":word%d", i)
		filter += fmt.Sprintf(" AND contains(#listed, %s)", value)
		query.ExpressionAttributeNames["#listed"] = attrListed
		query.ExpressionAttributeValues[value] = str(word)
	}
	query.FilterExpression = &filter
	if len(l.Words) == 0 {
		query.Limit = aws.Int32(int32(l.Limit) + 1)
	}
	for pages := dynamodb.NewQueryPaginator(db.client, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("list repositories: %w", err)
		}
		for _, item := range page.Items {
			if len(entries) == l.Limit {
				return entries, true, nil
			}
			entry, err := entryOf(item)
			if err != nil {
				return nil, false, fmt.Errorf("list repositories: %w", err)
			}
			entries = append(entries, entry)
		}
	}
	return entries, false, nil
}

// Entries implements store.Reader. It costs 0.5 read units a name, and 1 more
// where a registry and its repository are named, as the catalogue lists none.
func (db *DB) Entries(ctx context.Context, names []string) ([]store.Entry, error) {
	entries := make([]store.Entry, len(names))
	for i, name := range names {
		entries[i].Name = name
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for chunk := range slices.Chunk(entries, maxBatchGet) {
		group.Go(func() error { return db.getEntries(groupCtx, chunk) })
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	group, groupCtx = errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for i, entry := range entries {
		if !entry.Published() && strings.Contains(entry.Name, "/") {
			group.Go(func() (err error) {
				entries[i], err = db.pickEntry(groupCtx, entry.Name)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	return entries, nil
}

// maxBatchGet is the most keys that DynamoDB takes in one BatchGetItem.
const maxBatchGet = 100

// getEntries completes entries by those that the catalogue has of their names.
func (db *DB) getEntries(ctx context.Context, entries []store.Entry) error {
	byName := map[string][]int{}
	var keys []attributes
	for i, e := range entries {
		if byName[e.Name] == nil {
			keys = append(keys, keyOf(catalog, e.Name))
		}
		byName[e.Name] = append(byName[e.Name], i)
	}
	items, err := db.batchGet(ctx, keys, false)
	if err != nil {
		return err
	}
	for _, item := range items {
		if item[attrReference] == nil {
			continue
		}
		entry, err := entryOf(item)
		if err != nil {
			return err
		}
		for _, i := range byName[entry.Name] {
			entries[i] = entry
		}
	}
	return nil
}

// pickEntry makes an entry of a name that the catalogue need not list.
func (db *DB) pickEntry(ctx context.Context, name string) (store.Entry, error) {
	entry := store.Entry{Name: name}
	newest, err := db.pick(ctx, store.Query{Name: name, Order: store.ByPushed}, false)
	if errors.Is(err, store.ErrNotFound) {
		return entry, nil
	}
	if err != nil {
		return entry, err
	}
	highest, err := db.pick(ctx, store.Query{Name: name, Order: store.ByRelease}, false)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // deleted just now
		return entry, err
	}
	entry.Newest, entry.Version = newest, highest.Version()
	return entry, nil
}

// entryOf is the reverse of derive.
func entryOf(item attributes) (store.Entry, error) {
	entry := store.Entry{Name: text(item, attrKey), Version: text(item, attrVersion)}
	push := maps.Clone(item)
	push[attrName], push[attrKey], push[attrDigest] = item[attrKey], item[attrReference], item[attrEntryDigest]
	var err error
	entry.Newest, err = pushOf(push)
	return entry, err
}
