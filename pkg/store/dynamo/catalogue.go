package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// refreshEntry computes the catalogue entry of name and writes it with compare-and-swap
// on its revision. It writes even if nothing changed, so that a concurrent refresh that
// read older references fails its check.
//
// Two attempts always suffice. If the first fails, another refresh wrote the entry after
// this one read its revision (or the entry expired and DynamoDB dropped it). If the
// second fails too, a third refresh replaced that newer entry. The third refresh read the
// newer revision first and the references afterwards, so it has seen the write that this
// refresh is for.
func (db *DB) refreshEntry(ctx context.Context, name reference.Name) error {
	stored, err := db.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:                &db.table,
		Key:                      keyOf(catalogue, store.Partition(name)),
		ConsistentRead:           aws.Bool(true),
		ProjectionExpression:     aws.String("#revision"),
		ExpressionAttributeNames: map[string]string{"#revision": attrRevision},
	})
	if err != nil {
		return err
	}
	current := stored.Item
	for range 2 {
		revision, err := number(current, attrRevision)
		if err != nil {
			return err
		}
		entry, err := db.scanner(true).Entry(ctx, name)
		if err != nil {
			return err
		}
		var written bool
		written, current, err = db.putRevision(ctx, marshalEntry(entry, db.now()), revision)
		if err != nil || written {
			return err
		}
	}
	return nil
}

// putRevision replaces an item that is stored with this revision, and writes the next
// revision. Revision 0 means that no item may be stored. If another revision is stored,
// it returns that item.
func (db *DB) putRevision(ctx context.Context, item attributes, revision int64) (written bool, stored attributes, err error) {
	item[attrRevision] = num(revision + 1)
	names := map[string]string{"#revision": attrRevision}
	if revision == 0 {
		return db.putIf(ctx, item, "attribute_not_exists(#revision)", names, nil)
	}
	return db.putIf(ctx, item, "#revision = :revision", names, attributes{":revision": num(revision)})
}

// Repositories implements store.Reader. It costs 0.5 read units for each 4 KB of entries
// that it reads. An entry has about 310 bytes, or 350 if its highest version is not the
// newest reference.
func (db *DB) Repositories(ctx context.Context, l store.Listing) (page store.Page[store.Entry], err error) {
	for item, err := range db.results(ctx, db.queryListing(l)) {
		if err != nil {
			return store.Page[store.Entry]{}, fmt.Errorf("list repositories: %w", err)
		}
		if len(page.Items) == l.Limit {
			page.Next = l.Place(page.Items[l.Limit-1])
			break
		}
		entry, err := unmarshalEntry(item)
		if err != nil {
			return store.Page[store.Entry]{}, fmt.Errorf("list repositories: %w", err)
		}
		page.Items = append(page.Items, entry)
	}
	return page, nil
}

// queryListing returns the query for the entries of l. Its filter lets through those that
// l.Has accepts.
func (db *DB) queryListing(l store.Listing) *dynamodb.QueryInput {
	query := db.queryOf(catalogue)
	sort, condition := attrKey, "#sort > :sort"
	if l.Newest {
		index := indexes[store.ByPushed]
		query.IndexName = &index.name
		query.ScanIndexForward = aws.Bool(false)
		sort, condition = index.attr, "#sort < :sort"
	}
	if l.After != "" {
		addCondition(query, condition, sort, l.After)
	}
	filter := "attribute_exists(#text)" // only published entries have it
	query.ExpressionAttributeNames["#text"] = attrText
	if l.Registry != "" {
		filter += " AND contains(#text, :registry)"
		query.ExpressionAttributeValues[":registry"] = str(" " + l.Registry + "/") // only the registry follows a blank
	}
	for i, word := range l.Words {
		value := fmt.Sprintf(":word%d", i)
		filter += fmt.Sprintf(" AND contains(#text, %s)", value)
		query.ExpressionAttributeValues[value] = str(word)
	}
	query.FilterExpression = &filter
	// DynamoDB's Limit counts items before the filter. A search may look at many entries
	// for each one that it finds, so a Limit would only cause more calls.
	if l.Registry == "" && len(l.Words) == 0 {
		query.Limit = aws.Int32(int32(l.Limit) + 1)
	}
	return query
}

// Entries implements store.Reader. It costs 0.5 read units for a repository. A registry's
// repository, which is not in the catalogue, costs 1, or 1.5 if the tag pushed last is no
// full version.
func (db *DB) Entries(ctx context.Context, names []reference.Name) ([]store.Entry, error) {
	entries := make([]store.Entry, len(names))
	positions := map[reference.Name][]int{} // indexes in entries of the names that the catalogue lists
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for i, name := range names {
		entries[i].Name = name
		if name.Registry == "" {
			positions[name] = append(positions[name], i)
			continue
		}
		group.Go(func() (err error) {
			entries[i], err = db.scanner(false).Entry(groupCtx, name)
			return err
		})
	}
	for chunk := range slices.Chunk(slices.Collect(maps.Keys(positions)), maxBatchGet) {
		group.Go(func() error {
			found, err := db.listedEntries(groupCtx, chunk)
			for _, entry := range found {
				for _, i := range positions[entry.Name] {
					entries[i] = entry
				}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	return entries, nil
}

// listedEntries returns the catalogue's entries of at most maxBatchGet names.
func (db *DB) listedEntries(ctx context.Context, names []reference.Name) (entries []store.Entry, err error) {
	var keys []attributes
	for _, name := range names {
		keys = append(keys, keyOf(catalogue, store.Partition(name)))
	}
	items, err := db.batchGet(ctx, keys, false)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		entry, err := unmarshalEntry(item)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}
