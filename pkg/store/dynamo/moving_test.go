package dynamo

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
)

// tagsOf returns pushes of n tags of wash.
func tagsOf(n int) (pushes []event.Push) {
	for i := range n {
		pushes = append(pushes, washOf(tagOf(i), i, i))
	}
	return pushes
}

func pushAll(t testing.TB, db *DB, pushes ...event.Push) {
	t.Helper()
	if err := db.PushAll(t.Context(), pushes); err != nil {
		t.Fatalf("PushAll of %d: %v", len(pushes), err)
	}
}

func eventsIn(t testing.TB, db *DB) (all []event.Event) {
	t.Helper()
	for e, err := range db.Events(t.Context()) {
		if err != nil {
			t.Fatalf("Events: %v", err)
		}
		all = append(all, e)
	}
	return all
}

// TestPushAllUnits: PushAll looks for the tombstones of 200 tags with one query for each
// name, and without a stream it writes one catalogue entry. A push that is already stored
// costs what Push does.
func TestPushAllUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	pushes := tagsOf(200)
	pushAll(t, onStream(db), pushes...)
	m.Want(t, "PushAll of 200 tags", map[string]int{"PutItem": 400, "Query": 2}, map[string]float64{"PutItem": 2000, "Query": 0})
	pushAll(t, onStream(db), pushes...)
	m.Want(t, "PushAll again", map[string]int{"PutItem": 400, "Query": 2}, map[string]float64{"PutItem": 0, "Query": 0})

	wantDeleted(t, db, deleteOfTag(tagOf(7), 3600), 1)
	wantDeleted(t, db, deleteOfTag("never", 3600), 0)
	m.Take()
	pushAll(t, db, pushes[7], washOf("2.0.0", 300, 300))
	m.Want(t, "PushAll of two, one deleted, without a stream",
		map[string]int{"PutItem": 5, "Query": 4, "GetItem": 1},
		map[string]float64{"PutItem": 13, "Query": 4, "GetItem": 1})
}

// TestHistoryUnits: a reference costs 0.08 read units, a tombstone 0.02.
func TestHistoryUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	fill(t, db, 0, 200)
	m.Take()
	if h, err := db.History(t.Context(), registry, "wash"); err != nil || len(h.Pushes) != 200 {
		t.Errorf("History has %d pushes, %v, want 200", len(h.Pushes), err)
	}
	m.Want(t, "History of 200 tags", map[string]int{"Query": 1}, map[string]float64{"Query": 15.5})
	var tombstones []attributes
	for i := range 200 {
		tombstones = append(tombstones, inPartition(store.Partition(itsWash), marshalTombstone(deleteOfTag(fmt.Sprint("never-", i), 10))))
	}
	putAll(t, db, tombstones)
	m.Take()
	if h, err := db.History(t.Context(), registry, "wash"); err != nil || len(h.Deletes) != 200 {
		t.Errorf("History has %d deletes, %v, want 200", len(h.Deletes), err)
	}
	m.Want(t, "History of 200 tags and 200 tombstones", map[string]int{"Query": 1}, map[string]float64{"Query": 19.5})
}

// TestEventsUnits: a reference costs 0.3 read units, and a deleted one 3 more for the
// tombstones that may have deleted it. DynamoDB Local charges only those that exist.
func TestEventsUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	pushAll(t, onStream(db), tagsOf(200)...)
	m.Take()
	eventsIn(t, db)
	m.Want(t, "Events of 200 references", map[string]int{"Scan": 1}, map[string]float64{"Scan": 60})
	wantDeleted(t, onStream(db), deleteOfTag(tagOf(7), 3600), 1)
	m.Take()
	eventsIn(t, db)
	m.Want(t, "Events of 200 references, one deleted", map[string]int{"Scan": 1, "BatchGetItem": 1}, map[string]float64{"Scan": 60, "BatchGetItem": 1})
}

// TestPushAllAmongManyTombstones: if a name has too many tombstones to read them all,
// PushAll reads those that matter.
func TestPushAllAmongManyTombstones(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	var tombstones []attributes
	for i := range tombstonesForAPush + 1 {
		for _, name := range washNames {
			tombstones = append(tombstones, inPartition(store.Partition(name), marshalTombstone(deleteOfTag(fmt.Sprintf("1.%03d.0", i), 10))))
		}
	}
	putAll(t, db, tombstones)
	last, live := washOf(fmt.Sprintf("1.%03d.0", tombstonesForAPush), 1, 0), washOf("2.0.0", 1, 0)
	for _, c := range []struct {
		push   event.Push
		want   *event.Push
		marks  int
		found  float64 // read units for the tombstones
		marked float64
	}{
		{push: last, marks: 2, found: 2, marked: 10},
		{push: live, want: &live},
	} {
		m.Take()
		pushAll(t, onStream(db), c.push)
		calls := map[string]int{"PutItem": 2, "Query": 2, "BatchGetItem": 2}
		units := map[string]float64{"PutItem": 10, "Query": 8, "BatchGetItem": c.found}
		if c.marks > 0 {
			calls["UpdateItem"], units["UpdateItem"] = c.marks, c.marked
		}
		m.Want(t, "PushAll of "+c.push.Reference.Tag, calls, units)
		wantPicked(t, db, c.want)
	}
}

// TestPushAllCompletesANewerOne: without a stream, PushAll completes a newer push that is
// stored under only one name, as Push does.
func TestPushAllCompletesANewerOne(t *testing.T) {
	t.Parallel()
	for i, name := range washNames {
		t.Run(name.String(), func(t *testing.T) {
			t.Parallel()
			db := openNew(t, nil)
			newer := washOf("1.0.0", 2, 10)
			putHalf(t, db, i, pushed(newer))
			pushAll(t, db, washOf("1.0.0", 1, 0), washOf("0.9.0", 1, 1))
			wantViews(t, db, "wash", &newer)
		})
	}
}

// TestPushAllTellsWhatItCouldNotDerive: without a stream nobody else completes it.
func TestPushAllTellsWhatItCouldNotDerive(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]func(item attributes) bool{
		"copy":            func(item attributes) bool { return item[attrDerived] != nil },
		"catalogue entry": func(item attributes) bool { return text(item, attrName) == catalogue },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model := NewModel(t)
			db := OnModel(model, WithoutStream())
			put(t, db, inPartition(store.Partition(wash), marshalPush(washOf("1.0.0", 2, 10))))
			model.Before = func(_, _ string, input any) error {
				if in, ok := input.(*dynamodb.PutItemInput); ok && refused(in.Item) {
					return errRefused
				}
				return nil
			}
			if err := db.PushAll(t.Context(), []event.Push{washOf("1.0.0", 1, 0)}); !errors.Is(err, errRefused) {
				t.Errorf("PushAll = %v, want %v", err, errRefused)
			}
		})
	}
}

// TestPushAllLeavesTheRestToTheStream: the stream delivers its changes like those of
// pushes.
func TestPushAllLeavesTheRestToTheStream(t *testing.T) {
	t.Parallel()
	table := dynamotest.StreamTable(t)
	stream := dynamotest.NewStream(t, table)
	db := onStream(openTable(t, table, nil))
	pushAll(t, db, washOf("1.0.0", 1, 0), washOf("2.0.0", 1, 0))
	if written, err := db.PutState(t.Context(), registry, store.State{Key: "wash"}); err != nil || !written {
		t.Fatalf("PutState: %t, %v", written, err)
	}
	got := stream.Read(t)
	if len(got.Records) != 4 || !slices.Equal(got.Dropped, []string{"#reconcile/wasmcloud.azurecr.io wash"}) {
		t.Errorf("the stream delivers %d records and drops %q, want the 4 of the pushes, and not the state", len(got.Records), got.Dropped)
	}
}

// TestExpiredDeletesAreNotUndone: in another store, a reference stays deleted although
// its tombstone was dropped. Nothing else is deleted.
func TestExpiredDeletesAreNotUndone(t *testing.T) {
	t.Parallel()
	db := openNew(t, nil)
	gone, kept, fresh := washOf("gone", 1, 0), washOf("kept", 1, 20), washOf("fresh", 2, 0)
	push(t, db, gone, kept, fresh)
	byDigest, byTag := deleteOfDigest(1, 10), deleteOfTag("fresh", 10)
	wantDeleted(t, db, byDigest, 1)
	wantDeleted(t, db, byTag, 1)
	want := []event.Event{pushed(gone), pushed(kept), pushed(fresh), deleted(byDigest), deleted(byTag)}
	storetest.WantEvents(t, "Events", want, eventsIn(t, db))

	expire(t, db, changesOf(deleted(byDigest))...)
	lost := deleteOfTag("gone", 0) // at the time of gone's push
	want[3] = deleted(lost)
	storetest.WantEvents(t, "Events without the tombstone", want, eventsIn(t, db))
	h, err := db.History(t.Context(), registry, "wash")
	if diff := cmp.Diff(map[event.Target]event.Delete{lost.Target: lost, byTag.Target: byTag}, h.Deletes); err != nil || diff != "" {
		t.Errorf("History without the tombstone: %v; -want +got\n%s", err, diff)
	}
	if h.Live(gone) || !h.Live(kept) {
		t.Errorf("Live(gone) = %t, Live(kept) = %t, want only kept", h.Live(gone), h.Live(kept))
	}
	given := gone
	given.GivenName = "app"
	push(t, db, given)
	ofGiven := byDigest
	ofGiven.GivenName = "app"
	wantDeleted(t, db, ofGiven, 1)
	expire(t, db, changesOf(deleted(ofGiven))...)
	lostGiven := lost
	lostGiven.GivenName = "app"
	storetest.WantEvents(t, "Events without that of the given name", append(want, pushed(given), deleted(lostGiven)), eventsIn(t, db))

	other := openNew(t, nil)
	for range 2 {
		for _, e := range slices.Backward(eventsIn(t, db)) {
			if _, err := store.Apply(t.Context(), other, e); err != nil {
				t.Fatal(err)
			}
		}
		wantPicked(t, other, &kept)
		page, err := other.References(t.Context(), reference.Name{Repository: "wash"}, nil, store.Span{Limit: 10})
		if err != nil || len(page.Items) != 1 {
			t.Errorf("References of the other store = %v, %v, want only kept", page.Items, err)
		}
	}
}

// TestEventsOfManyPages: each event comes once, however many pages the table has. So do
// the deletes that replace lost tombstones on each page.
func TestEventsOfManyPages(t *testing.T) {
	t.Parallel()
	db := openNew(t, nil)
	const n = scanSize + 10
	var all []attributes
	var want []event.Event
	for i := range n {
		p := washOf(fmt.Sprintf("1.%d.0", i), i, i)
		want = append(want, pushed(p))
		if i%2 == 1 {
			all = append(all, copies(p)...)
			continue
		}
		want = append(want, deleted(deleteOfTag(p.Reference.Tag, i)))
		for _, item := range copies(p) {
			item[attrDeletedAt], item[attrExpiresAt] = str(event.Stamp(noon.Add(time.Hour))), expiry(noon.Add(time.Hour))
			for _, index := range indexes {
				delete(item, index.attr)
			}
			all = append(all, item)
		}
	}
	putAll(t, db, all)
	for i, e := range want {
		if e.Delete != nil {
			d := *e.Delete
			d.ReceivedAt = noon.Add(time.Hour)
			want[i] = deleted(d)
		}
	}
	storetest.WantEvents(t, "Events", want, eventsIn(t, db))
}

// TestEventsTakeTheCopyOfTheRegistry: what an unfinished call has written may be missing,
// but never comes twice.
func TestEventsTakeTheCopyOfTheRegistry(t *testing.T) {
	t.Parallel()
	db := openNew(t, nil)
	older, newer := pushed(washOf("1", 1, 0)), pushed(washOf("1", 2, 1))
	push(t, db, *older.Push)
	putHalf(t, db, 0, newer)
	putHalf(t, db, 0, deleted(deleteOfTag("2", 1)))
	storetest.WantEvents(t, "Events", []event.Event{older}, eventsIn(t, db))
	putHalf(t, db, 1, newer)
	storetest.WantEvents(t, "Events", []event.Event{newer}, eventsIn(t, db))
}
