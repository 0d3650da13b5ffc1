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

// TestPickUnits: each order costs one read of 0.5 units, however many references a name
// has and however many tags a digest has. If the newest tag is no full version, there is
// one more read.
func TestPickUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	counts := []int{0, 1, 10}
	if !testing.Short() {
		counts = append(counts, 10_000)
	}
	version := washOf("9.9.9", 2, 1_000_000)
	filled := 0
	for _, n := range counts {
		fill(t, db, filled, n)
		filled = n
		// Neither the first nor the last of n is a version.
		calls := [...]int{store.ByPushed: min(n, 1) + 1, store.ByRelease: 1, store.ByVersion: 1}
		if n == 1 {
			calls[store.ByRelease], calls[store.ByVersion] = 2, 2
		}
		what := fmt.Sprintf("of %d", n)
		wantPickUnits(t, &m, db, what, n, calls)
		wantVersionedUnits(t, &m, db, what, n)
		putAll(t, db, copies(version))
		wantPickUnits(t, &m, db, what+" and a version", n+1, [...]int{1, 1, 1})
		dropItems(t, db, version)
	}
}

// wantPickUnits wants a Pick from n references to make this many calls in each order,
// each of 0.5 units if there is anything to read.
func wantPickUnits(t *testing.T, m *dynamotest.Meter, db *DB, what string, n int, calls [len(store.Orders)]int) {
	t.Helper()
	for _, name := range washNames {
		for order, calls := range calls {
			m.Take()
			call := fmt.Sprintf("Pick(%s, %s) %s", name, store.Order(order), what)
			_, err := db.Pick(t.Context(), store.Query{Name: name, Order: store.Order(order)})
			if n == 0 && !errors.Is(err, store.ErrNotFound) || n > 0 && err != nil {
				t.Errorf("%s: %v", call, err)
			}
			m.Want(t, call, map[string]int{"Query": calls}, map[string]float64{"Query": 0.5 * float64(calls*min(n, 1))})
		}
	}
}

// wantVersionedUnits wants Versioned to make one call, for the digest of n references.
func wantVersionedUnits(t *testing.T, m *dynamotest.Meter, db *DB, what string, n int) {
	t.Helper()
	for _, name := range washNames {
		m.Take()
		call := fmt.Sprintf("Versioned(%s) %s", name, what)
		_, err := db.Versioned(t.Context(), name, washOf(tagOf(0), 1, 0))
		if n < 2 && !errors.Is(err, store.ErrNotFound) || n >= 2 && err != nil {
			t.Errorf("%s: %v", call, err)
		}
		m.Want(t, call, map[string]int{"Query": 1}, map[string]float64{"Query": 0.5 * float64(min(n, 1))})
	}
}

// copies returns p's items under both names of wash, as Push writes them.
func copies(p event.Push) (all []attributes) {
	for _, name := range washNames {
		all = append(all, inPartition(store.Partition(name), marshalPush(p)))
	}
	return all
}

// dropItems removes the items of copies.
func dropItems(t *testing.T, db *DB, p event.Push) {
	t.Helper()
	for _, name := range washNames {
		key := keyOf(store.Partition(name), p.Reference.String())
		if _, err := raw(db).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &db.table, Key: key}); err != nil {
			t.Fatal(err)
		}
	}
}

// tagOf returns the tag of the i-th reference that fill writes. Every third is no
// version.
func tagOf(i int) string {
	if i%3 == 0 {
		return fmt.Sprintf("build-%d", i)
	}
	return fmt.Sprintf("1.%d.0", i)
}

// fill writes the references of wash from index from to n as Push does, all with one
// digest.
func fill(t *testing.T, db *DB, from, n int) {
	t.Helper()
	var all []attributes
	for i := from; i < n; i++ {
		all = append(all, copies(washOf(tagOf(i), 1, i))...)
	}
	putAll(t, db, all)
}

// putAll writes items, many with one call.
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

// TestMatchUnits: a Pick with Match pays for pages of 91 references. Eleven pages contain
// the thousand that it looks at and one more.
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
		{"the second", tagOf(1049), true, 1, 7},
		{"the last of the first page", tagOf(961), true, 1, 7},
		{"the second of the second page", tagOf(958), true, 2, 14},
		{"the thousandth", tagOf(51), true, 11, 77},
		{"the thousand and first", tagOf(50), false, 11, 77},
		{"none", "none", false, 11, 77},
	} {
		m.Take()
		p, err := db.Pick(t.Context(), store.Query{Name: wash, Match: func(tag string) bool { return tag == c.tag }})
		if c.found && (err != nil || p.Reference.Tag != c.tag) {
			t.Errorf("Pick of %s = %s, %v, want the tag %s", c.what, p.Reference, err, c.tag)
		}
		if _, ok := errors.AsType[*store.NoMatchError](err); !c.found && !ok {
			t.Errorf("Pick of %s = %s, %v, want a NoMatchError", c.what, p.Reference, err)
		}
		m.Want(t, "Pick of "+c.what, map[string]int{"Query": c.calls}, map[string]float64{"Query": c.units})
	}
	// The second scan reads only references with the digest.
	latest, version := washOf("latest", 2, 10_001), washOf("2.0.0", 2, 10_000)
	putAll(t, db, append(copies(latest), copies(version)...))
	m.Take()
	p, err := db.Pick(t.Context(), store.Query{Name: wash, Match: func(tag string) bool { return tag != "edge" }})
	if err != nil || p != version {
		t.Errorf("Pick of any but edge = %s, %v, want %s", p.Reference, err, version.Reference)
	}
	m.Want(t, "Pick of any but edge", map[string]int{"Query": 2}, map[string]float64{"Query": 7.5})
}

// TestListUnits: a page of the catalogue costs what the looked-at repositories cost, one
// entry each. By push it looks only at published ones.
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
		item := marshalEntry(entry, noon)
		item[attrRevision] = num(1)
		all = append(all, item)
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
		{"a registry", store.Listing{Span: store.Span{Limit: 100}, Registry: registry}, 100, 1, 4.5},
		{"a page of 1 by push", store.Listing{Span: store.Span{Limit: 1}, Newest: true}, 1, 1, 0.5},
		{"a page of 9 by push", store.Listing{Span: store.Span{Limit: 9}, Newest: true}, 9, 1, 0.5},
		{"a page of 99 by push", store.Listing{Span: store.Span{Limit: 99}, Newest: true}, 99, 1, 4},
		{"a page of 1000 by push", store.Listing{Span: store.Span{Limit: 1000}, Newest: true}, 100, 1, 4},
		{"a search by push", store.Listing{Span: store.Span{Limit: 100}, Newest: true, Words: []string{"wash-7"}}, 11, 1, 4},
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
		{99, 7.5},
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

// TestEntriesUnits: a repository's entry costs one read of the catalogue, published or
// not. A registry's repository costs the reads of two indexes.
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
