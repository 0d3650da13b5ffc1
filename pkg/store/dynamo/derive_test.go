package dynamo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
)

// wantViews wants p to be the newest push of repository under both of its names and in
// the catalogue. If p is nil, there must be none.
func wantViews(t *testing.T, db *DB, repository string, p *event.Push) {
	t.Helper()
	want := event.Push{}
	if p != nil {
		want = *p
	}
	for _, name := range []reference.Name{{Repository: repository}, {Registry: registry, Repository: repository}} {
		for _, order := range store.Orders {
			got, err := db.Pick(t.Context(), store.Query{Name: name, Order: order})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Pick(%s, %s): -want +got\n%s", name, order, diff)
			}
		}
	}
	entries, err := db.Entries(t.Context(), []reference.Name{{Repository: repository}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, entries[0].Newest); diff != "" {
		t.Errorf("entry of %s: newest: -want +got\n%s", repository, diff)
	}
}

// putHalf writes the item of an event only under its i-th name, as a writer that died
// would.
func putHalf(t *testing.T, db *DB, i int, e event.Event) Change {
	t.Helper()
	change := changesOf(e)[i]
	if e.Push != nil {
		put(t, db, inPartition(change.Partition, marshalPush(*e.Push)))
	} else {
		put(t, db, inPartition(change.Partition, marshalTombstone(*e.Delete)))
	}
	return change
}

func TestPushAnswersBeforeItIsDerived(t *testing.T) {
	t.Parallel()
	db := onStream(openNew(t, nil))
	p := washOf("1.0.0", 1, 0)
	push(t, db, p)
	wantPicked(t, db, &p)
	page, err := db.Repositories(t.Context(), store.Listing{Span: store.Span{Limit: 10}})
	if err != nil || len(page.Items) > 0 {
		t.Errorf("Repositories before Derive = %+v, %v, want none", page.Items, err)
	}
	derive(t, db, changesOf(pushed(p))...)
	wantEntry(t, db, p)
}

// TestFailureUnderOneNameEndsNoOtherCall: one call fails at once while the other is still
// running, and the other's write counts.
func TestFailureUnderOneNameEndsNoOtherCall(t *testing.T) {
	t.Parallel()
	for i, name := range washNames {
		for _, e := range []event.Event{pushed(washOf("1.0.0", 1, 0)), deleted(deleteOf(10))} {
			t.Run(e.String()+" failing under "+name.String(), func(t *testing.T) {
				t.Parallel()
				table := dynamotest.Table(t)
				failed := make(chan struct{})
				db := onStream(openTable(t, table, transport(func(r *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					if strings.Contains(string(body), fmt.Sprintf(`"name":{"S":%q}`, store.Partition(name))) {
						defer time.AfterFunc(50*time.Millisecond, func() { close(failed) })
						return answer(r, 400, errorOf("AccessDeniedException")), nil
					}
					<-failed
					r.Body = io.NopCloser(bytes.NewReader(body))
					return http.DefaultTransport.RoundTrip(r)
				})))
				if _, err := store.Apply(t.Context(), db, e); err == nil {
					t.Error("no error")
				}
				change := changesOf(e)[1-i]
				if items(t, openTable(t, table, nil))[change.Partition+" "+change.Key] == nil {
					t.Errorf("no item %s in %s", change.Key, change.Partition)
				}
			})
		}
	}
}

func TestPushUnderOneNameIsCompleted(t *testing.T) {
	t.Parallel()
	for i, name := range washNames {
		t.Run(name.String(), func(t *testing.T) {
			t.Parallel()
			db := onStream(openNew(t, nil))
			p := washOf("1.0.0", 1, 0)
			derive(t, db, putHalf(t, db, i, pushed(p)))
			wantViews(t, db, "wash", &p)
			for j, change := range changesOf(pushed(p)) {
				item := items(t, db)[change.Partition+" "+change.Key]
				if derived := item[attrDerived] != nil; derived != (j != i) {
					t.Errorf("item in %s: %v, want it derived: %t", change.Partition, plain(item), j != i)
				}
			}
		})
	}
}

func TestCompletedPushIsDeletedByATombstone(t *testing.T) {
	t.Parallel()
	for i, name := range washNames {
		t.Run(name.String(), func(t *testing.T) {
			t.Parallel()
			db := onStream(openNew(t, nil))
			wantDeleted(t, db, deleteOfDigest(1, 10), 0)
			derive(t, db, putHalf(t, db, i, pushed(washOf("1.0.0", 1, 0))))
			wantViews(t, db, "wash", nil)
		})
	}
}

// TestNewerOfTwoPushesIsCompleted: each name has another push of the reference.
func TestNewerOfTwoPushesIsCompleted(t *testing.T) {
	t.Parallel()
	older, newer := washOf("1.0.0", 1, 0), washOf("1.0.0", 2, 1)
	for i, name := range washNames {
		for from, changed := range washNames {
			t.Run(fmt.Sprintf("newer under %s, change of %s", name, changed), func(t *testing.T) {
				t.Parallel()
				db := onStream(openNew(t, nil))
				putHalf(t, db, i, pushed(newer))
				putHalf(t, db, 1-i, pushed(older))
				derive(t, db, changesOf(pushed(newer))[from])
				wantViews(t, db, "wash", &newer)
			})
		}
	}
}

// kinds are deletes of a reference wash:1.0.0 that was pushed at noon with digest 1.
var kinds = []struct {
	name   string
	delete event.Delete
}{
	{name: "by tag", delete: deleteOfTag("1.0.0", 10)},
	{name: "by digest", delete: deleteOfDigest(1, 10)},
	{name: "of the repository", delete: deleteOf(10)},
}

func TestDeleteUnderOneNameIsCompleted(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for i, name := range washNames {
			t.Run(kind.name+" under "+name.String(), func(t *testing.T) {
				t.Parallel()
				db := openNew(t, nil)
				push(t, db, washOf("1.0.0", 1, 0))
				derive(t, db, putHalf(t, db, i, deleted(kind.delete)))
				wantViews(t, db, "wash", nil)
				other := changesOf(deleted(kind.delete))[1-i]
				item := items(t, db)[other.Partition+" "+other.Key]
				if item == nil || item[attrDerived] == nil {
					t.Errorf("tombstone in %s: %v, want it derived", other.Partition, plain(item))
				}
				push(t, db, washOf("1.0.0", 1, 5)) // a late push
				wantViews(t, db, "wash", nil)
			})
		}
	}
}

// TestNewerOfTwoTombstonesIsCompleted: each name has another delete of the target. Only
// the newer one covers the push.
func TestNewerOfTwoTombstonesIsCompleted(t *testing.T) {
	t.Parallel()
	for i, name := range washNames {
		for from, changed := range washNames {
			t.Run(fmt.Sprintf("newer under %s, change of %s first", name, changed), func(t *testing.T) {
				t.Parallel()
				db := openNew(t, nil)
				push(t, db, washOf("1.0.0", 1, 15))
				putHalf(t, db, i, deleted(deleteOf(20)))
				putHalf(t, db, 1-i, deleted(deleteOf(10)))
				changes := changesOf(deleted(deleteOf(20)))
				derive(t, db, changes[from])
				derive(t, db, changes[1-from])
				wantViews(t, db, "wash", nil)
			})
		}
	}
}

// TestDeleteGoesOn: Delete marks nothing, or not everything, and its answer says so.
// Derive marks the rest.
func TestDeleteGoesOn(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, marks := range []int32{0, 1} {
			t.Run(fmt.Sprintf("%s after %d marks", kind.name, marks), func(t *testing.T) {
				t.Parallel()
				table := dynamotest.Table(t)
				other := openTable(t, table, nil)
				push(t, other, washOf("1.0.0", 1, 0))
				var left atomic.Int32
				left.Store(marks)
				db := onStream(openTable(t, table, transport(func(r *http.Request) (*http.Response, error) {
					if operation(r) == "UpdateItem" && left.Add(-1) < 0 {
						return answer(r, 400, errorOf("AccessDeniedException")), nil
					}
					return http.DefaultTransport.RoundTrip(r)
				})))
				got, err := db.Delete(t.Context(), kind.delete)
				if err != nil || got.References != int(marks) || !got.More || got.Err == nil {
					t.Errorf("Delete = %+v, %v, want %d references, more and why", got, err, marks)
				}
				derive(t, other, changesOf(deleted(kind.delete))...)
				wantViews(t, other, "wash", nil)
			})
		}
	}
}

// TestDeleteStopsInTimeToAnswer: while DynamoDB's updates hang, Delete answers 500 ms
// before the deadline.
func TestDeleteStopsInTimeToAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := onStream(offline(t, transport(func(r *http.Request) (*http.Response, error) {
			if operation(r) == "UpdateItem" {
				return hang(r)
			}
			return answer(r, 200, `{}`), nil
		})))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		got, err := db.Delete(ctx, deleteOfTag("1", 10))
		if want := (store.Deleted{More: true}); err != nil || got != want {
			t.Errorf("Delete = %+v, %v, want %+v", got, err, want)
		}
		if took := time.Since(begin); took != 2500*time.Millisecond {
			t.Errorf("Delete took %s, want 2.5s", took)
		}
	})
}

// TestDeleteWithoutTombstonesIsAnError: without a tombstone nothing would continue the
// delete.
func TestDeleteWithoutTombstonesIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := onStream(offline(t, transport(hang)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := db.Delete(ctx, deleteOfTag("1", 10)); err == nil {
			t.Errorf("Delete = %+v, want an error", got)
		}
	})
}

// TestDeleteMarksTheFirstOfEachOrderFirst: readers see those first.
func TestDeleteMarksTheFirstOfEachOrderFirst(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	other := openTable(t, table, nil)
	const each = 30 // of each kind of tag; a delete marks the first 25 of an order first
	var all []attributes
	var first []string
	for i := range each {
		for kind, tag := range []string{fmt.Sprintf("build-%d", i), fmt.Sprintf("1.%d.0", i), fmt.Sprintf("2.0.0-rc.%d", i)} {
			p := washOf(tag, 1, i-kind*each)
			all = append(all, inPartition("app", marshalPush(p)))
			if i >= each-headSize {
				first = append(first, p.Reference.String())
			}
		}
	}
	putAll(t, other, all)
	var marked []string
	db := onStream(openTable(t, table, before(func(operation, body string) {
		if operation != "UpdateItem" {
			return
		}
		var call struct {
			Key struct{ Key struct{ S string } }
		}
		if err := json.Unmarshal([]byte(body), &call); err != nil {
			t.Error(err)
		}
		marked = append(marked, call.Key.Key.S)
	})))
	db.parallel = 1
	d := deleteOf(100)
	d.GivenName = "app"
	wantDeleted(t, db, d, len(all))
	head := slices.Clone(marked[:min(len(first), len(marked))])
	slices.Sort(head)
	slices.Sort(first)
	if diff := cmp.Diff(first, head); diff != "" {
		t.Errorf("marked first: -want +got\n%s", diff)
	}
}

// TestDeletedReferenceStaysDeletedWhenItsTombstonesExpired: DynamoDB has dropped the
// tombstones and one copy, which may happen when an old delete is sent again. The copy
// comes back with its mark; otherwise an export and a reconcile would read it as live. A
// marked copy needs no look at tombstones.
func TestDeletedReferenceStaysDeletedWhenItsTombstonesExpired(t *testing.T) {
	t.Parallel()
	p, d := pushed(washOf("1.0.0", 1, 0)), deleted(deleteOfDigest(1, 10))
	for i, name := range washNames {
		t.Run("without the copy of "+name.String(), func(t *testing.T) {
			t.Parallel()
			var m dynamotest.Meter
			db := openNew(t, &m)
			push(t, db, *p.Push)
			wantDeleted(t, db, *d.Delete, 1)
			want := items(t, db)
			dropped, left := changesOf(p)[i], changesOf(p)[1-i]
			expire(t, db, append(changesOf(d), dropped)...)
			m.Take()
			derive(t, db, left)
			if got := m.Take().Calls["BatchGetItem"]; got != 1 {
				t.Errorf("Derive calls BatchGetItem %d times, want once, for the copies", got)
			}
			wantViews(t, db, "wash", nil)
			got := items(t, db)
			for _, c := range changesOf(p) {
				key := c.Partition + " " + c.Key
				delete(got[key], attrDerived)
				if diff := cmp.Diff(plain(want[key]), plain(got[key])); diff != "" {
					t.Errorf("%s: -want +got\n%s", key, diff)
				}
			}
		})
	}
}

// expire removes items as DynamoDB removes expired ones.
func expire(t *testing.T, db *DB, all ...Change) {
	t.Helper()
	for _, c := range all {
		_, err := raw(db).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &db.table, Key: keyOf(c.Partition, c.Key)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestChangeOfAnExpiredItemIsNothing: only the catalogue entry is computed from what
// remains.
func TestChangeOfAnExpiredItemIsNothing(t *testing.T) {
	t.Parallel()
	kept := washOf("2.0.0", 2, 1)
	for name, e := range map[string]event.Event{
		"push": pushed(washOf("1.0.0", 1, 0)), "delete": deleted(deleteOf(10)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openNew(t, nil)
			push(t, db, kept)
			before := len(items(t, db))
			derive(t, db, changesOf(e)...)
			wantViews(t, db, "wash", &kept)
			if after := len(items(t, db)); after != before {
				t.Errorf("the table has %d items, want %d as before", after, before)
			}
		})
	}
}

func TestChangesOfOwnPartitionsAreNothing(t *testing.T) {
	t.Parallel()
	db := offline(t, transport(func(r *http.Request) (*http.Response, error) {
		t.Errorf("Derive called %s", operation(r))
		return answer(r, 400, errorOf("AccessDeniedException")), nil
	}))
	derive(t, db, Change{catalogue, "wash"}, Change{categories, "official/wash"}, Change{meta, versionKey})
	derive(t, db)
}

// TestFailingChangeStopsNoOther: only the changes of that item return an error, under
// both of its names.
func TestFailingChangeStopsNoOther(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	other := openTable(t, table, nil)
	var all []Change
	var pushes []event.Push
	for i, repository := range []string{"a", "broken", "c"} {
		p := washOf("1.0.0", 1, i)
		p.Reference.Repository = repository
		putHalf(t, other, 0, pushed(p))
		pushes = append(pushes, p)
		all = append(all, changesOf(pushed(p))...)
	}
	all = append(all, Change{"wash", "no reference"}, Change{"wash", tombstonePrefix + "no-target"})
	db := onStream(openTable(t, table, transport(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(body), "broken") {
			return answer(r, 400, errorOf("AccessDeniedException")), nil
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return http.DefaultTransport.RoundTrip(r)
	})))
	errs := db.Derive(t.Context(), all)
	for i, want := range []bool{false, false, true, true, false, false, true, true} {
		if failed := errs[i] != nil; failed != want {
			t.Errorf("Derive: error of %+v = %v, want an error: %t", all[i], errs[i], want)
		}
	}
	wantViews(t, other, "a", &pushes[0])
	wantViews(t, other, "c", &pushes[2])
	derive(t, other, all[2])
	wantViews(t, other, "broken", &pushes[1])
}

// TestFailingEntryFailsItsChanges: both changes of the entry's repository fail, and no
// others.
func TestFailingEntryFailsItsChanges(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	db := onStream(openTable(t, table, transport(func(r *http.Request) (*http.Response, error) {
		if operation(r) == "GetItem" {
			return answer(r, 400, errorOf("AccessDeniedException")), nil
		}
		return http.DefaultTransport.RoundTrip(r)
	})))
	p := pushed(washOf("1.0.0", 1, 0))
	push(t, db, *p.Push)
	for i, err := range db.Derive(t.Context(), append(changesOf(p), Change{catalogue, "wash"})) {
		if want := i < 2; (err != nil) != want {
			t.Errorf("Derive: error of change %d = %v, want an error: %t", i, err, want)
		}
	}
}

// TestManyChangesOfOneRepositoryRefreshOnce: the batch of a release has many changes of
// one repository.
func TestManyChangesOfOneRepositoryRefreshOnce(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := onStream(openNew(t, &m))
	var all []Change
	for i := range 10 {
		p := washOf(fmt.Sprintf("1.%d.0", i), i, i)
		push(t, db, p)
		all = append(all, changesOf(pushed(p))...)
	}
	m.Take()
	derive(t, db, all...)
	m.Want(t, "Derive from ten pushes of a repository",
		map[string]int{"BatchGetItem": 20, "GetItem": 1, "Query": 2, "PutItem": 1},
		map[string]float64{"BatchGetItem": 20, "GetItem": 1, "Query": 2, "PutItem": 2})
}

// A cutter is a transport to DynamoDB that makes the first calls and loses all later
// ones, like a process that dies. It records the stream's changes from the calls that it
// made.
type cutter struct {
	most      int  // below 0: all calls are made
	lastLands bool // the first lost call is made, and only its answer is lost

	mu      sync.Mutex
	calls   int
	changes []Change
}

func (c *cutter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	lost := c.cuts()
	if lost && !(c.lastLands && c.calls == c.most+1) {
		return answer(r, 400, errorOf("AccessDeniedException")), nil
	}
	response, changed, err := streamed(r)
	c.changes = append(c.changes, changed...)
	if err == nil && lost {
		response.Body.Close()
		return answer(r, 400, errorOf("AccessDeniedException")), nil
	}
	return response, err
}

// cuts reports whether a call was lost.
func (c *cutter) cuts() bool { return c.most >= 0 && c.calls > c.most }

// streamed makes a call to DynamoDB Local. If the call is a write of Push or Delete, it
// also returns the change that the views function gets.
func streamed(r *http.Request) (response *http.Response, changed []Change, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	response, err = http.DefaultTransport.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK || operation(r) != "PutItem" {
		return response, nil, err
	}
	var call struct {
		Item struct {
			Name, Key struct{ S string }
			Derived   struct{ BOOL bool }
		}
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, nil, err
	}
	if call.Item.Derived.BOOL || strings.HasPrefix(call.Item.Name.S, ownPrefix) {
		return response, nil, nil
	}
	return response, []Change{{call.Item.Name.S, call.Item.Key.S}}, nil
}

// inRepository returns e moved to another repository.
func inRepository(repository string, e event.Event) event.Event {
	if e.Push != nil {
		p := *e.Push
		p.Reference.Repository = repository
		return pushed(p)
	}
	d := *e.Delete
	d.Repository = repository
	return deleted(d)
}

// TestEveryCutPoint cuts off an event at every call, and then Derive at every call. After
// Derive has run once more to its end, all views agree. The event counts if one of its
// items was written. It is never sent again.
func TestEveryCutPoint(t *testing.T) {
	t.Parallel()
	older, newer, moved := washOf("1.0.0", 1, 0), washOf("2.0.0", 2, 1), washOf("1.0.0", 3, 2)
	for _, c := range []struct {
		name   string
		stored []event.Event
		event  event.Event
		lost   *event.Push // the newest if the event is lost
		kept   *event.Push // the newest if it counts
	}{
		{name: "first push", event: pushed(older), kept: &older},
		{name: "push of another tag", stored: []event.Event{pushed(older)}, event: pushed(newer), lost: &older, kept: &newer},
		{name: "push of a moved tag", stored: []event.Event{pushed(older)}, event: pushed(moved), lost: &older, kept: &moved},
		{name: "push that was deleted before it came", stored: []event.Event{deleted(deleteOfDigest(1, 10))}, event: pushed(older)},
		{name: "delete of a tag", stored: []event.Event{pushed(older), pushed(newer)}, event: deleted(deleteOfTag("2.0.0", 10)), lost: &newer, kept: &older},
		{name: "delete of a digest", stored: []event.Event{pushed(older), pushed(newer)}, event: deleted(deleteOfDigest(2, 10)), lost: &newer, kept: &older},
		{name: "delete of a repository", stored: []event.Event{pushed(older), pushed(newer)}, event: deleted(deleteOf(10)), lost: &newer},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := dynamotest.Table(t)
			other := openTable(t, table, nil)
			cases := 0
			// run cuts off the event after some calls, and then Derive, and returns how
			// many calls each made.
			run := func(event, derived *cutter) (ofEvent, ofDerive int) {
				cases++
				repository := fmt.Sprintf("%d", cases)
				for _, e := range c.stored {
					if _, err := store.Apply(t.Context(), other, inRepository(repository, e)); err != nil {
						t.Fatal(err)
					}
				}
				_, err := store.Apply(t.Context(), onStream(openTable(t, table, event)), inRepository(repository, c.event))
				if err != nil && !event.cuts() {
					t.Errorf("event that was not cut: %v", err)
				}
				slices.Reverse(event.changes)
				openTable(t, table, derived).Derive(t.Context(), event.changes) // it may be cut
				for _, change := range event.changes {
					derive(t, onStream(other), change)
				}
				want := c.lost
				if len(event.changes) > 0 {
					want = c.kept
				}
				wantViews(t, other, repository, on(repository, want))
				if t.Failed() {
					t.Fatalf("the event made %d calls of %d, Derive %d of %d", event.most, event.calls, derived.most, derived.calls)
				}
				return event.calls, derived.calls
			}
			ofEvent, ofDerive := run(&cutter{most: -1}, &cutter{most: -1})
			for _, lastLands := range []bool{false, true} {
				for most := range ofEvent {
					run(&cutter{most: most, lastLands: lastLands}, &cutter{most: -1})
				}
				for most := range ofDerive {
					run(&cutter{most: -1}, &cutter{most: most, lastLands: lastLands})
					run(&cutter{most: 1}, &cutter{most: most, lastLands: lastLands})
				}
			}
			t.Logf("%d cases, of an event of %d calls and Derive of %d", cases, ofEvent, ofDerive)
		})
	}
}

// on returns p moved to another repository.
func on(repository string, p *event.Push) *event.Push {
	if p == nil {
		return nil
	}
	return inRepository(repository, pushed(*p)).Push
}

// two is a world of two repositories. One of them may have a name given by hand.
var two = storetest.World{
	Registries: []string{"a.azurecr.io", "b.azurecr.io"}, Repositories: []string{"wash"}, Tags: []string{"1.0.0", "1.1.0-rc.1", "latest"},
	ByHand: []string{"", "", "other"}, Digests: 3, Seconds: 4,
}

// TestDeadWritersLoseNothing: each event may be cut off at any call and is never sent
// again. It counts if one of its items was written. The stream's changes come late, more
// than once and in any order, and Derive may be cut off at any call, too.
func TestDeadWritersLoseNothing(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	reader := openTable(t, table, nil)
	var cases atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		base := fmt.Sprintf("c%d-", cases.Add(1))
		var counted []event.Event
		var stream []Change
		cut := func() *cutter {
			most := rapid.IntRange(-6, 9).Draw(rt, "most calls")
			return &cutter{most: most, lastLands: rapid.Bool().Draw(rt, "last lands")}
		}
		deliver := func(c *cutter, n int) {
			db, batch := onStream(openTable(t, table, c)), slices.Clone(stream[:n])
			stream = stream[n:]
			for i, err := range db.Derive(rt.Context(), batch) {
				if err != nil && !c.cuts() {
					rt.Fatalf("Derive from %+v: %v", batch[i], err)
				}
				if err != nil || rapid.IntRange(0, 3).Draw(rt, "again") == 0 && c.most >= 0 {
					stream = append(stream, batch[i])
				}
			}
		}
		for range rapid.IntRange(1, 12).Draw(rt, "events") {
			e, c := two.Event(base).Draw(rt, "event"), cut()
			if _, err := store.Apply(rt.Context(), onStream(openTable(t, table, c)), e); err != nil && !c.cuts() {
				rt.Fatalf("%s: %v", e, err)
			}
			if len(c.changes) > 0 {
				counted = append(counted, e)
			}
			stream = rapid.Permutation(append(stream, c.changes...)).Draw(rt, "stream")
			if len(stream) > 0 && rapid.Bool().Draw(rt, "deliver") {
				deliver(cut(), rapid.IntRange(1, len(stream)).Draw(rt, "batch"))
			}
		}
		for len(stream) > 0 {
			deliver(&cutter{most: -1}, 1)
		}
		for _, name := range []reference.Name{
			{Repository: base + "wash"}, {Repository: base + "other"},
			{Registry: "a.azurecr.io", Repository: base + "wash"}, {Registry: "b.azurecr.io", Repository: base + "wash"},
		} {
			storetest.CheckName(rt, reader, name, counted)
			if name.Registry == "" {
				storetest.CheckEntry(rt, reader, name, counted)
			}
		}
	})
}
