package dynamo

import (
	"testing"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// DynamoDB Local charges nothing for a Query or BatchGetItem that finds nothing, and
// nothing for a write whose condition fails. On AWS the read costs 0.5 units (1 for each
// key if it is consistent) and the write 1.

// A cost is what a write costs before its answer, or what Derive costs afterwards.
type cost struct {
	calls map[string]int
	units map[string]float64
}

// wantCost wants a write, and then Derive from its changes, to have these costs.
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

// TestPushUnits: a push of a new reference costs 10 units, 5 under each name: one for the
// item and four for its index entries. An index entry that moves counts twice. Derive
// writes the catalogue entry, which costs 2 units: one for itself and one for ByPushed.
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
		{what: "reference pushed again, same digest", push: washOf("1.0.0", 1, 1), put: 18, entry: 3},
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

// TestUnitsOfAPushAmongTombstones: one mark for each copy that a tombstone covers, and
// none for an older tombstone, whose condition would fail.
func TestUnitsOfAPushAmongTombstones(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	wantDeleted(t, db, deleteOfTag("back", 0), 0)
	wantDeleted(t, db, deleteOfTag("gone", 100), 0)
	pushAll := func(p event.Push) error { return onStream(db).PushAll(t.Context(), []event.Push{p}) }
	push := func(p event.Push) error { return onStream(db).Push(t.Context(), p) }
	for _, c := range []struct {
		what string
		push func(event.Push) error
		of   event.Push
		want cost
	}{
		{
			what: "Push of a tag that comes back", push: push, of: washOf("back", 1, 10),
			want: cost{map[string]int{"PutItem": 2, "BatchGetItem": 1}, map[string]float64{"PutItem": 10, "BatchGetItem": 2}},
		},
		{
			what: "PushAll of a tag that comes back", push: pushAll, of: washOf("back", 1, 20),
			want: cost{map[string]int{"PutItem": 2, "Query": 2}, map[string]float64{"PutItem": 18, "Query": 2}},
		},
		{
			what: "Push of a tag that is gone", push: push, of: washOf("gone", 1, 10),
			want: cost{map[string]int{"PutItem": 2, "BatchGetItem": 1, "UpdateItem": 2}, map[string]float64{"PutItem": 10, "BatchGetItem": 2, "UpdateItem": 10}},
		},
	} {
		m.Take()
		if err := c.push(c.of); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		m.Want(t, c.what, c.want.calls, c.want.units)
	}
}

// TestCompletionUnits: a copy that the push failed to write costs Derive what it would
// have cost the push.
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

// TestDeleteUnits: a delete costs 1 unit for each tombstone and 5 for each mark. A delete
// of a repository queries the first 25 of each order, and then all. The newest remaining
// tag is no version, so its entry needs three queries.
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
				map[string]int{"BatchGetItem": 2, "Query": 5, "GetItem": 1, "PutItem": 1},
				map[string]float64{"BatchGetItem": 4, "Query": 5, "GetItem": 1, "PutItem": 3},
			},
		},
		{
			what:    "repeat",
			delete:  deleteOfDigest(1, 10),
			deletes: cost{map[string]int{"PutItem": 2, "Query": 2}, map[string]float64{"PutItem": 2, "Query": 2}},
			derive: cost{
				map[string]int{"BatchGetItem": 2, "Query": 5, "GetItem": 1, "PutItem": 1},
				map[string]float64{"BatchGetItem": 4, "Query": 5, "GetItem": 1, "PutItem": 2},
			},
		},
		{
			what:    "delete of a tag",
			delete:  deleteOfTag("1.2.0", 10),
			deletes: cost{map[string]int{"PutItem": 2, "UpdateItem": 2}, map[string]float64{"PutItem": 2, "UpdateItem": 10}},
			derive: cost{
				map[string]int{"BatchGetItem": 2, "UpdateItem": 2, "Query": 3, "GetItem": 1, "PutItem": 1},
				map[string]float64{"BatchGetItem": 4, "UpdateItem": 0, "Query": 3, "GetItem": 1, "PutItem": 2},
			},
		},
		{
			what:    "delete of the repository with one reference",
			delete:  deleteOf(200),
			deletes: cost{map[string]int{"PutItem": 2, "Query": 8, "UpdateItem": 2}, map[string]float64{"PutItem": 2, "Query": 2, "UpdateItem": 10}},
			derive: cost{
				map[string]int{"BatchGetItem": 2, "Query": 9, "GetItem": 1, "PutItem": 1},
				map[string]float64{"BatchGetItem": 4, "Query": 0, "GetItem": 1, "PutItem": 2},
			},
		},
	} {
		wantCost(t, &m, db, c.what, deleted(c.delete), c.deletes, c.derive)
	}
}
