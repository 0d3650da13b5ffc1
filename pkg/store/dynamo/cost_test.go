package dynamo

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// DynamoDB Local charges neither for a Query or BatchGetItem that finds nothing,
// which costs 0.5 units on AWS, or 1 for each key if it is consistent, nor for a
// write whose condition fails, which costs 1.

func TestPickUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	counts := []int{0, 1, 10}
	if !testing.Short() {
		counts = append(counts, 10_000)
	}
	filled := 0
	for _, n := range counts {
		fill(t, db, filled, n)
		filled = n
		m.Take()
		for _, name := range washNames {
			for _, order := range store.Orders {
				call := fmt.Sprintf("Pick(%s, %s) of %d", name, order, n)
				_, err := db.Pick(t.Context(), store.Query{Name: name, Order: order})
				if n == 0 && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: %v, want ErrNotFound", call, err)
				}
				if n > 0 && err != nil {
					t.Errorf("%s: %v", call, err)
				}
				units := 0.5
				if n == 0 {
					units = 0
				}
				m.Want(t, call, map[string]int{"Query": 1}, map[string]float64{"Query": units})
			}
		}
	}
}

// tagOf is the tag of the i-th reference that fill writes: every third is no version.
func tagOf(i int) string {
	if i%3 == 0 {
		return fmt.Sprintf("build-%d", i)
	}
	return fmt.Sprintf("1.%d.0", i)
}

// fill writes the references from to n of wash as Push does.
func fill(t *testing.T, db *DB, from, n int) {
	t.Helper()
	var all []attributes
	for i := from; i < n; i++ {
		for _, name := range washNames {
			all = append(all, inPartition(store.Partition(name), marshalPush(washOf(tagOf(i), 1, i))))
		}
	}
	putAll(t, db, all)
}

// putAll writes items, many in one call.
func putAll(t *testing.T, db *DB, all []attributes) {
	t.Helper()
	const most = 25 // DynamoDB's limit
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	for batch := range slices.Chunk(all, most) {
		group.Go(func() error {
			var puts []types.WriteRequest
			for _, item := range batch {
				puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
			}
			out, err := raw(db).BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{db.table: puts}})
			if err == nil && len(out.UnprocessedItems) > 0 {
				err = errors.New("DynamoDB left items unprocessed")
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestMatchUnits: a Pick with Match pays by the page of 100, and reads ten of them
// at most.
func TestMatchUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	fill(t, db, 0, 1051)
	for _, c := range []struct {
		what  string
		tag   string
		found bool
		calls int
		units float64
	}{
		{"the newest", tagOf(1050), true, 1, 6.5},
		{"the last of the first page", tagOf(951), true, 1, 6.5},
		{"the first of the second page", tagOf(950), true, 2, 13},
		{"the thousandth", tagOf(51), true, 10, 65},
		{"the thousand and first", tagOf(50), false, 10, 65},
		{"none", "none", false, 10, 65},
	} {
		m.Take()
		p, err := db.Pick(t.Context(), store.Query{Name: wash, Match: func(tag string) bool { return tag == c.tag }})
		if c.found && (err != nil || p.Reference.Tag != c.tag) {
			t.Errorf("Pick of %s = %s, %v, want the tag %s", c.what, p.Reference, err, c.tag)
		}
		if !c.found && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Pick of %s = %s, %v, want ErrNotFound", c.what, p.Reference, err)
		}
		m.Want(t, "Pick of "+c.what, map[string]int{"Query": c.calls}, map[string]float64{"Query": c.units})
	}
}

// A cost is what a write costs before its answer, or Derive behind it.
type cost struct {
	calls map[string]int
	units map[string]float64
}

// wantCost wants the cost of a write, and then that of Derive from its changes.
func wantCost(t *testing.T, m *dynamotest.Meter, db *DB, what string, e event.Event, write, derived cost) {
	t.Helper()
	m.Take()
	if _, err := store.Apply(t.Context(), onStream(db), e); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	m.Want(t, what, write.calls, write.units)
	derive(t, db, changesOf(e)...)
	m.Want(t, "Derive from "+what, derived.calls, derived.units)
}

// TestPushUnits: of a push's 10 units for a new reference each name takes 5, for the
// item and its four index entries. An index entry that moves counts twice. Derive
// writes the catalogue entry, which is 2 units, for itself and ByPushed.
func TestPushUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	moved := washOf("1.0.0", 2, 60)
	for _, c := range []struct {
		what       string
		push       event.Push
		put, entry float64
	}{
		{what: "new reference", push: washOf("1.0.0", 1, 0), put: 10, entry: 2},
		{what: "reference pushed again, same digest", push: washOf("1.0.0", 1, 1), put: 16, entry: 3},
		{what: "moved reference", push: moved, put: 18, entry: 3},
		{what: "repeat", push: moved, put: 0, entry: 2},
		{what: "older push of the reference", push: washOf("1.0.0", 1, 30), put: 0, entry: 2},
		{what: "older reference", push: washOf("0.9.0", 1, 30), put: 10, entry: 2},
	} {
		wantCost(t, &m, db, c.what, pushed(c.push),
			cost{map[string]int{"PutItem": 2, "BatchGetItem": 1}, map[string]float64{"PutItem": c.put, "BatchGetItem": 0}},
			cost{
				map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 2, "PutItem": 1},
				map[string]float64{"BatchGetItem": 2, "GetItem": 1, "Query": 2, "PutItem": c.entry},
			})
	}

	given := washOf("1.0.0", 1, 0)
	given.GivenName = "app"
	wantCost(t, &m, db, "new reference with a name given by hand", pushed(given),
		cost{map[string]int{"PutItem": 1, "BatchGetItem": 1}, map[string]float64{"PutItem": 5, "BatchGetItem": 0}},
		cost{
			map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 2, "PutItem": 1},
			map[string]float64{"BatchGetItem": 1, "GetItem": 1, "Query": 2, "PutItem": 2},
		})
}

// TestCompletionUnits: the copy that a push did not come to write costs what it
// would have cost the push.
func TestCompletionUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	p := washOf("1.0.0", 1, 0)
	put(t, db, inPartition(store.Partition(wash), marshalPush(p)))
	m.Take()
	derive(t, db, changesOf(pushed(p))...)
	m.Want(t, "Derive from half a push",
		map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 2, "PutItem": 2},
		map[string]float64{"BatchGetItem": 1, "GetItem": 1, "Query": 2, "PutItem": 7})
}

// TestDeleteUnits: a delete costs 1 unit for each tombstone and 5 for each mark. In a
// repository it asks for the first 25 of each order, and then for all.
func TestDeleteUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	push(t, db, washOf("1.0.0", 1, 0), washOf("1.1.0", 1, 1), washOf("1.2.0", 2, 2), washOf("later", 1, 100))
	for _, c := range []struct {
		what            string
		delete          event.Delete
		deletes, derive cost
	}{
		{
			what:    "delete of a digest with two references and a later one",
			delete:  deleteOfDigest(1, 10),
			deletes: cost{map[string]int{"PutItem": 2, "Query": 2, "UpdateItem": 4}, map[string]float64{"PutItem": 2, "Query": 2, "UpdateItem": 20}},
			derive: cost{
				map[string]int{"BatchGetItem": 1, "Query": 4, "GetItem": 1, "PutItem": 1},
				map[string]float64{"BatchGetItem": 2, "Query": 4, "GetItem": 1, "PutItem": 2},
			},
		},
		{
			what:    "repeat",
			delete:  deleteOfDigest(1, 10),
			deletes: cost{map[string]int{"PutItem": 2, "Query": 2}, map[string]float64{"PutItem": 0, "Query": 2}},
			derive: cost{
				map[string]int{"BatchGetItem": 1, "Query": 4, "GetItem": 1, "PutItem": 1},
				map[string]float64{"BatchGetItem": 2, "Query": 4, "GetItem": 1, "PutItem": 2},
			},
		},
		{
			what:    "delete of a tag",
			delete:  deleteOfTag("1.2.0", 10),
			deletes: cost{map[string]int{"PutItem": 2, "UpdateItem": 2}, map[string]float64{"PutItem": 2, "UpdateItem": 10}},
			derive: cost{
				map[string]int{"BatchGetItem": 1, "UpdateItem": 2, "Query": 2, "GetItem": 1, "PutItem": 1},
				map[string]float64{"BatchGetItem": 2, "UpdateItem": 0, "Query": 2, "GetItem": 1, "PutItem": 2},
			},
		},
		{
			what:    "delete of the repository with one reference",
			delete:  deleteOf(200),
			deletes: cost{map[string]int{"PutItem": 2, "Query": 8, "UpdateItem": 2}, map[string]float64{"PutItem": 2, "Query": 2, "UpdateItem": 10}},
			derive: cost{
				map[string]int{"BatchGetItem": 1, "Query": 9, "GetItem": 1, "PutItem": 1},
				map[string]float64{"BatchGetItem": 2, "Query": 0, "GetItem": 1, "PutItem": 2},
			},
		},
	} {
		wantCost(t, &m, db, c.what, deleted(c.delete), c.deletes, c.derive)
	}
}

// TestListUnits: a page of the catalogue is paid by the repositories that it looks
// at, of which each is one entry.
func TestListUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	var all []attributes
	for i := range 110 {
		p := washOf("1.0.0", 1, i)
		p.Reference.Repository = fmt.Sprintf("wash-%d", i)
		entry := store.Entry{Name: p.ListedAs(), Newest: p, Highest: p.Reference}
		if i >= 100 {
			entry = store.Entry{Name: p.ListedAs()} // not published
		}
		all = append(all, marshalEntry(entry, 1, noon))
	}
	putAll(t, db, all)
	for _, c := range []struct {
		what    string
		listing store.Listing
		entries int
		calls   int
		units   float64
	}{
		{"a page of 9", store.Listing{Span: store.Span{Limit: 9}}, 9, 2, 1},
		{"a page of 99", store.Listing{Span: store.Span{Limit: 99}}, 99, 2, 4.5},
		{"a page of 1000", store.Listing{Span: store.Span{Limit: 1000}}, 100, 1, 4.5},
		{"a search", store.Listing{Span: store.Span{Limit: 100}, Words: []string{"wash-7"}}, 11, 1, 4.5},
	} {
		m.Take()
		page, err := db.Repositories(t.Context(), c.listing)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if len(page.Items) != c.entries {
			t.Errorf("%s has %d entries, want %d", c.what, len(page.Items), c.entries)
		}
		m.Want(t, c.what, map[string]int{"Query": c.calls}, map[string]float64{"Query": c.units})
	}
}

func TestReferencesUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	fill(t, db, 0, 100)
	m.Take()
	for _, c := range []struct {
		limit int
		units float64
	}{
		{5, 0.5},
		{99, 6.5},
	} {
		page, err := db.References(t.Context(), wash, nil, store.Span{Limit: c.limit})
		if err != nil {
			t.Fatal(err)
		}
		call := fmt.Sprintf("References, limit %d", c.limit)
		if len(page.Items) != c.limit {
			t.Errorf("%s has %d pushes", call, len(page.Items))
		}
		m.Want(t, call, map[string]int{"Query": 1}, map[string]float64{"Query": c.units})
	}
}

func TestCategoryUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	for i := range 10 {
		member := event.Member{Category: "official", Name: reference.Name{Repository: fmt.Sprintf("wash-%d", i)}}
		if err := db.Categorize(t.Context(), event.Membership{Member: member, At: noon}); err != nil {
			t.Fatal(err)
		}
	}
	m.Want(t, "ten members", map[string]int{"PutItem": 10}, map[string]float64{"PutItem": 10})
	for _, category := range []string{"", "official"} {
		if _, err := db.Members(t.Context(), category); err != nil {
			t.Fatal(err)
		}
		m.Want(t, fmt.Sprintf("Members(%q)", category), map[string]int{"Query": 1}, map[string]float64{"Query": 0.5})
	}
}

// TestEntriesUnits: a repository's entry is one read of the catalogue, published or
// not; a registry's repository takes the reads of two indexes.
func TestEntriesUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	push(t, db, washOf("1.0.0", 1, 0))
	many := []reference.Name{wash}
	for i := range 100 {
		many = append(many, reference.Name{Repository: fmt.Sprintf("none-%d", i)})
	}
	for _, c := range []struct {
		what  string
		names []reference.Name
		calls map[string]int
		units map[string]float64
	}{
		{"a repository", []reference.Name{wash}, map[string]int{"BatchGetItem": 1}, map[string]float64{"BatchGetItem": 0.5}},
		{"a repository twice", []reference.Name{wash, wash}, map[string]int{"BatchGetItem": 1}, map[string]float64{"BatchGetItem": 0.5}},
		{"repositories that are not published", []reference.Name{{Repository: "none"}, {Repository: "team/none"}}, map[string]int{"BatchGetItem": 1}, map[string]float64{"BatchGetItem": 0}},
		{"101 repositories", many, map[string]int{"BatchGetItem": 2}, map[string]float64{"BatchGetItem": 0.5}},
		{"a registry's repository", []reference.Name{itsWash}, map[string]int{"Query": 2}, map[string]float64{"Query": 1}},
		{"a registry's repository that is not published", []reference.Name{{Registry: registry, Repository: "none"}}, map[string]int{"Query": 1}, map[string]float64{"Query": 0}},
	} {
		m.Take()
		if _, err := db.Entries(t.Context(), c.names); err != nil {
			t.Errorf("Entries of %s: %v", c.what, err)
		}
		m.Want(t, "Entries of "+c.what, c.calls, c.units)
	}
	if _, err := db.Entries(t.Context(), nil); err != nil {
		t.Errorf("Entries of no names: %v", err)
	}
	m.Want(t, "Entries of no names", nil, nil)
}

// TestLatestPushesAreInTheCataloguesIndex: ByPushed lists the published entries of
// the catalogue by their latest push, for 0.5 read units a page.
func TestLatestPushesAreInTheCataloguesIndex(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	var names []string
	for i, repository := range []string{"b", "c", "a", "emptied"} {
		p := washOf("1.0.0", 1, i)
		p.Reference.Repository = repository
		push(t, db, p)
	}
	d := deleteOf(100)
	d.Repository = "emptied"
	wantDeleted(t, db, d, 1)
	m.Take()
	query := db.queryOf(catalogue)
	query.IndexName = &indexes[store.ByPushed].name
	page, err := db.client.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Items {
		names = append(names, text(item, attrKey))
	}
	if want := []string{"b", "c", "a"}; !slices.Equal(names, want) {
		t.Errorf("entries by push: %v, want %v", names, want)
	}
	m.Want(t, "entries by push", map[string]int{"Query": 1}, map[string]float64{"Query": 0.5})
}
