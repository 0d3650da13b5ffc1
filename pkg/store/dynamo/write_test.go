package dynamo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// reads counts the reads of a client, by whether they are consistent.
type reads struct {
	mu         sync.Mutex
	consistent map[string]int // number of consistent reads by operation
	eventually map[string]int
}

func (n *reads) before(operation, body string) {
	var call struct {
		ConsistentRead bool
		RequestItems   map[string]struct{ ConsistentRead bool }
	}
	if err := json.Unmarshal([]byte(body), &call); err != nil {
		panic(err)
	}
	isConsistent := call.ConsistentRead
	for _, item := range call.RequestItems {
		isConsistent = item.ConsistentRead
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case operation == "PutItem" || operation == "UpdateItem":
	case isConsistent:
		n.consistent[operation]++
	default:
		n.eventually[operation]++
	}
}

// TestWritersReadConsistently: consistent reads guarantee that the second of a push and a
// delete sees the first, and that Derive's results are right. Readers do not pay for
// them.
func TestWritersReadConsistently(t *testing.T) {
	t.Parallel()
	n := &reads{}
	db := onStream(openNew(t, before(n.before)))
	ctx := t.Context()
	ofPush, ofTag := changesOf(pushed(washOf("1", 1, 0))), changesOf(deleted(deleteOfTag("2", 10)))
	ofDigest, ofAll := changesOf(deleted(deleteOfDigest(2, 10))), changesOf(deleted(deleteOf(-10)))
	deriveFrom := func(changes []Change) func() error {
		return func() error { return errors.Join(db.Derive(ctx, changes)...) }
	}
	remove := func(d event.Delete) func() error {
		return func() error { _, err := db.Delete(ctx, d); return err }
	}
	for _, c := range []struct {
		method                 string
		call                   func() error
		consistent, eventually map[string]int
	}{
		{method: "Push", call: func() error { return db.Push(ctx, washOf("1", 1, 0)) }, consistent: map[string]int{"BatchGetItem": 1}},
		{method: "Push of a repeat", call: func() error { return db.Push(ctx, washOf("1", 1, 0)) }, consistent: map[string]int{"BatchGetItem": 1}},
		{method: "Derive from a push", call: deriveFrom(ofPush), consistent: map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 3}},
		{method: "Push of a version", call: func() error { return db.Push(ctx, washOf("1.0.0", 3, -1)) }, consistent: map[string]int{"BatchGetItem": 1}},
		{method: "Delete of a tag", call: remove(deleteOfTag("2", 10))},
		{method: "Derive from a delete of a tag", call: deriveFrom(ofTag), consistent: map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 3}},
		{method: "Delete of a digest", call: remove(deleteOfDigest(2, 10)), consistent: map[string]int{"Query": 2}},
		{method: "Derive from a delete of a digest", call: deriveFrom(ofDigest), consistent: map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 5}},
		{method: "Delete of a repository", call: remove(deleteOf(-10)), consistent: map[string]int{"Query": 8}},
		{method: "Derive from a delete of a repository", call: deriveFrom(ofAll), consistent: map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 11}},
		{method: "PushedAt", call: func() error { _, err := db.PushedAt(ctx, deleteOfTag("1", 0).Target); return err }, consistent: map[string]int{"BatchGetItem": 1}},
		{method: "StartReader", call: func() error { return db.StartReader(ctx) }, consistent: map[string]int{"BatchGetItem": 1}},
		{method: "StartWriter", call: func() error { return db.StartWriter(ctx) }, consistent: map[string]int{"BatchGetItem": 1}},
		{method: "PushAll", call: func() error { return db.PushAll(ctx, []event.Push{washOf("1", 1, 0)}) }, consistent: map[string]int{"Query": 2}},
		{method: "Events", call: func() error { return lastError(db.Events(ctx)) }, consistent: map[string]int{"Scan": 1}},
		{method: "State", call: func() error { _, err := db.State(ctx, registry, "wash"); return err }, consistent: map[string]int{"GetItem": 1}},
		{method: "States", call: func() error { return lastError(db.States(ctx, registry)) }, eventually: map[string]int{"Query": 1}},
		{method: "History", call: func() error { _, err := db.History(ctx, registry, "wash"); return err }, eventually: map[string]int{"Query": 1}},
		{method: "Pick", call: func() error { _, err := db.Pick(ctx, store.Query{Name: wash}); return err }, eventually: map[string]int{"Query": 2}},
		{method: "Versioned", call: func() error { _, err := db.Versioned(ctx, wash, washOf("1.0.0", 3, 0)); return err }, eventually: map[string]int{"Query": 1}},
		{method: "References", call: func() error { _, err := db.References(ctx, wash, nil, store.Span{Limit: 1}); return err }, eventually: map[string]int{"Query": 1}},
		{method: "Repositories", call: func() error { _, err := db.Repositories(ctx, store.Listing{Span: store.Span{Limit: 1}}); return err }, eventually: map[string]int{"Query": 1}},
		{method: "Entries", call: func() error { _, err := db.Entries(ctx, washNames); return err }, eventually: map[string]int{"BatchGetItem": 1, "Query": 3}},
		{method: "Members", call: func() error { _, err := db.Members(ctx, ""); return err }, eventually: map[string]int{"Query": 1}},
	} {
		n.consistent, n.eventually = map[string]int{}, map[string]int{}
		if err := c.call(); err != nil {
			t.Errorf("%s: %v", c.method, err)
		}
		if diff := cmp.Diff(c.consistent, n.consistent, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: consistent reads: -want +got\n%s", c.method, diff)
		}
		if diff := cmp.Diff(c.eventually, n.eventually, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: eventually consistent reads: -want +got\n%s", c.method, diff)
		}
	}
}

// half leaves the keys of the first BatchGetItems unprocessed.
type half struct{ times, calls atomic.Int32 }

func (h *half) RoundTrip(r *http.Request) (*http.Response, error) {
	if operation(r) != "BatchGetItem" {
		return http.DefaultTransport.RoundTrip(r)
	}
	h.calls.Add(1)
	if h.times.Add(-1) < 0 {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var call struct{ RequestItems json.RawMessage }
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	return answer(r, http.StatusOK, `{"Responses":{},"UnprocessedKeys":`+string(call.RequestItems)+`}`), nil
}

func TestUnprocessedKeysAreAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		times int32 // how many of the first calls leave keys unprocessed
		calls int32
		fails bool
	}{
		{"once", 1, 2, false},
		{"twice", 2, 3, false},
		{"three times", 3, 3, true},
		{"for good", 100, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var h half
			db := onStream(openNew(t, &h))
			late := washOf("1", 1, 0)
			late.GivenName = "app" // it has one name, so there is one batch
			d := deleteOf(10)
			d.GivenName = "app"
			wantDeleted(t, db, d, 0)
			h.times.Store(c.times)
			if err := db.Push(t.Context(), late); (err != nil) != c.fails {
				t.Errorf("Push: %v, want an error: %t", err, c.fails)
			}
			if got := h.calls.Load(); got != c.calls {
				t.Errorf("Push made %d calls of BatchGetItem, want %d", got, c.calls)
			}
			if c.fails {
				return
			}
			if item := items(t, db)["app wasmcloud.azurecr.io/wash:1"]; item[attrDeletedAt] == nil {
				t.Errorf("item of the late push: %v, want it marked as deleted", plain(item))
			}
		})
	}
}

// oneByOne processes only the first key of each BatchGetItem and leaves the others
// unprocessed.
func oneByOne() http.RoundTripper {
	type keys struct {
		Keys           []json.RawMessage
		ConsistentRead bool
	}
	return transport(func(r *http.Request) (*http.Response, error) {
		if operation(r) != "BatchGetItem" {
			return http.DefaultTransport.RoundTrip(r)
		}
		var call struct{ RequestItems map[string]keys }
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			return nil, err
		}
		left := map[string]keys{}
		for table, all := range call.RequestItems {
			if len(all.Keys) > 1 {
				left[table] = keys{all.Keys[1:], all.ConsistentRead}
				call.RequestItems[table] = keys{all.Keys[:1], all.ConsistentRead}
			}
		}
		body, err := json.Marshal(call)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		var found map[string]any
		if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
			return nil, err
		}
		found["UnprocessedKeys"] = left
		if body, err = json.Marshal(found); err != nil {
			return nil, err
		}
		return answer(r, http.StatusOK, string(body)), nil
	})
}

// TestBatchInPartsIsReadWhole: a batch may come in any number of parts, as long as each
// contains an item.
func TestBatchInPartsIsReadWhole(t *testing.T) {
	t.Parallel()
	db := openNew(t, oneByOne())
	var names []reference.Name
	for i, repository := range []string{"a", "b", "c", "d", "e", "f"} {
		p := washOf("1.0.0", 1, i)
		p.GivenName = repository
		push(t, db, p)
		names = append(names, p.ListedAs())
	}
	entries, err := db.Entries(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !entry.Published() {
			t.Errorf("Entries: %s is not published", entry.Name)
		}
	}
}

// TestDeleteMarksOnlyUnchangedReferences: a tag stays if it moves to another digest, or
// is pushed again, after a delete found it and before the delete marks it.
func TestDeleteMarksOnlyUnchangedReferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		moved event.Push
	}{
		{"another digest, older than the delete", washOf("1", 2, 1)},
		{"same digest, newer than the delete", washOf("1", 1, 3600)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := dynamotest.Table(t)
			other := openTable(t, table, nil)
			push(t, other, washOf("1", 1, 0))
			var once sync.Once
			db := openTable(t, table, before(func(operation, _ string) {
				if operation == "UpdateItem" {
					once.Do(func() {
						if err := other.Push(context.WithoutCancel(t.Context()), c.moved); err != nil {
							t.Error(err)
						}
					})
				}
			}))
			if _, err := db.Delete(t.Context(), deleteOfDigest(1, 60)); err != nil {
				t.Errorf("Delete: %v", err)
			}
			wantPicked(t, other, &c.moved)
		})
	}
}

// TestPushAndDeleteSeeEachOther: either is stored as a whole before a call of the other.
// The delete is newer, so the reference is always deleted, before anything is derived.
// With a name given by hand there is one name, so the calls have an order.
func TestPushAndDeleteSeeEachOther(t *testing.T) {
	t.Parallel()
	app := reference.Name{Repository: "app"}
	p := washOf("1", 1, 0)
	p.GivenName = app.Repository
	storePush := func(t *testing.T, db *DB) {
		if err := db.Push(context.WithoutCancel(t.Context()), p); err != nil {
			t.Errorf("Push: %v", err)
		}
	}
	for _, target := range []struct {
		name   string
		delete event.Delete
	}{
		{name: "by tag", delete: deleteOfTag("1", 10)},
		{name: "by digest", delete: deleteOfDigest(1, 10)},
		{name: "of the repository", delete: deleteOf(10)},
	} {
		target.delete.GivenName = app.Repository
		storeDelete := func(t *testing.T, db *DB) {
			if _, err := db.Delete(context.WithoutCancel(t.Context()), target.delete); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		for _, c := range []struct {
			name          string
			outer, within func(*testing.T, *DB)
		}{
			{name: "push before a call of the delete", outer: storeDelete, within: storePush},
			{name: "delete before a call of the push", outer: storePush, within: storeDelete},
		} {
			for call := 1; call <= 3; call++ {
				t.Run(fmt.Sprintf("%s, %s, %d", target.name, c.name, call), func(t *testing.T) {
					t.Parallel()
					table := dynamotest.Table(t)
					other := onStream(openTable(t, table, nil))
					calls := 0
					c.outer(t, onStream(openTable(t, table, before(func(string, string) {
						if calls++; calls == call {
							c.within(t, other)
						}
					}))))
					if calls < call {
						c.within(t, other)
					}
					if got, err := other.Pick(t.Context(), store.Query{Name: app}); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("Pick(%s) = %s, %v, want ErrNotFound", app, got.Reference, err)
					}
				})
			}
		}
	}
}

func TestRepeatedDeleteCountsNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		delete event.Delete
	}{
		{"by tag", deleteOfTag("1", 10)},
		{"by digest", deleteOfDigest(1, 10)},
		{"of the repository", deleteOf(10)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := openNew(t, nil)
			push(t, db, washOf("1", 1, 0))
			wantDeleted(t, db, c.delete, 1)
			wantDeleted(t, db, c.delete, 0)
			c.delete.DeletedAt = c.delete.DeletedAt.Add(1)
			wantDeleted(t, db, c.delete, 0)
			wantPicked(t, db, nil)
		})
	}
}

// TestOlderDeleteLeavesANewerTombstone: at the end comes a push from between the two
// deletes.
func TestOlderDeleteLeavesANewerTombstone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		deleteAt func(seconds int) event.Delete
	}{
		{"by tag", func(seconds int) event.Delete { return deleteOfTag("1", seconds) }},
		{"by digest", func(seconds int) event.Delete { return deleteOfDigest(1, seconds) }},
		{"of the repository", deleteOf},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := openNew(t, nil)
			wantDeleted(t, db, c.deleteAt(20), 0)
			wantDeleted(t, db, c.deleteAt(10), 0)
			push(t, db, washOf("1", 1, 15))
			wantPicked(t, db, nil)
			later := washOf("1", 1, 25)
			push(t, db, later)
			wantPicked(t, db, &later)
		})
	}
}

// TestAnyTombstoneCovers: a push is deleted if one of its three tombstones is newer.
func TestAnyTombstoneCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                       string
		byTag, byDigest, ofAll, at int // seconds
		deleted                    bool
	}{
		{name: "by tag", byTag: 20, byDigest: 10, ofAll: 10, at: 15, deleted: true},
		{name: "by digest", byTag: 10, byDigest: 20, ofAll: 10, at: 15, deleted: true},
		{name: "of the repository", byTag: 10, byDigest: 10, ofAll: 20, at: 15, deleted: true},
		{name: "none", byTag: 10, byDigest: 10, ofAll: 10, at: 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := openNew(t, nil)
			wantDeleted(t, db, deleteOfTag("1", c.byTag), 0)
			wantDeleted(t, db, deleteOfDigest(1, c.byDigest), 0)
			wantDeleted(t, db, deleteOf(c.ofAll), 0)
			p := washOf("1", 1, c.at)
			push(t, db, p)
			if c.deleted {
				wantPicked(t, db, nil)
			} else {
				wantPicked(t, db, &p)
			}
		})
	}
}

// TestPushCompletesANewerOne: the newer push's writer died before it looked for
// tombstones. A repeat marks that push, and so does an older push of the reference.
func TestPushCompletesANewerOne(t *testing.T) {
	t.Parallel()
	newer := washOf("1", 1, 5)
	for _, c := range []struct {
		name string
		next event.Push
	}{
		{"repeat", newer},
		{"older push", washOf("1", 2, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := openNew(t, nil)
			wantDeleted(t, db, deleteOfDigest(1, 10), 0)
			for _, name := range washNames {
				put(t, db, inPartition(store.Partition(name), marshalPush(newer)))
			}
			wantPicked(t, db, &newer)
			push(t, onStream(db), c.next)
			wantPicked(t, db, nil)
		})
	}
}

// TestAnyFailedCallIsAnError: a write returns an error unless it has done its part. Marks
// are not part of a delete's duty: its answer says that more follow.
func TestAnyFailedCallIsAnError(t *testing.T) {
	t.Parallel()
	remove := func(d event.Delete) func(*DB) (store.Deleted, error) {
		return func(db *DB) (store.Deleted, error) { return db.Delete(t.Context(), d) }
	}
	add := func(p event.Push) func(*DB) (store.Deleted, error) {
		return func(db *DB) (store.Deleted, error) { return store.Deleted{}, db.Push(t.Context(), p) }
	}
	addAll := func(pushes ...event.Push) func(*DB) (store.Deleted, error) {
		return func(db *DB) (store.Deleted, error) { return store.Deleted{}, db.PushAll(t.Context(), pushes) }
	}
	putState := func(db *DB) (store.Deleted, error) {
		_, err := db.PutState(t.Context(), registry, store.State{Key: "wash"})
		return store.Deleted{}, err
	}
	deriveFrom := func(e event.Event) func(*DB) (store.Deleted, error) {
		return func(db *DB) (store.Deleted, error) {
			return store.Deleted{}, errors.Join(db.Derive(t.Context(), changesOf(e))...)
		}
	}
	late := washOf("late", 1, 0)
	for _, c := range []struct {
		method string
		write  func(*DB) (store.Deleted, error)
		puts   int // how many concurrent puts it begins with
		calls  int
		more   bool // a failure after those is no error
	}{
		{method: "Push", write: add(washOf("1", 1, 0)), puts: 2, calls: 3},
		{method: "Push of a deleted reference", write: add(late), puts: 2, calls: 5},
		{method: "Delete of a digest", write: remove(deleteOfDigest(1, 10)), puts: 2, calls: 6, more: true},
		{method: "Delete of a tag", write: remove(deleteOfTag("1", 10)), puts: 2, calls: 4, more: true},
		{method: "Delete of a repository", write: remove(deleteOf(10)), puts: 2, calls: 12, more: true},
		{method: "PushAll", write: addAll(washOf("1", 1, 0), late), puts: 4, calls: 10},
		{method: "PutState", write: putState, calls: 1},
		{method: "Derive from a push", write: deriveFrom(pushed(washOf("1", 1, 0))), calls: 7},
		{method: "Derive from a delete", write: deriveFrom(deleted(deleteOfTag("late", 10))), calls: 9},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			for failing := 1; failing <= c.calls+1; failing++ {
				table := dynamotest.Table(t)
				other := openTable(t, table, nil)
				push(t, other, washOf("1", 1, 0))
				wantDeleted(t, other, deleteOfTag("late", 10), 0)
				var calls atomic.Int32
				got, err := c.write(onStream(openTable(t, table, transport(func(r *http.Request) (*http.Response, error) {
					if int(calls.Add(1)) == failing {
						return answer(r, 400, errorOf("AccessDeniedException")), nil
					}
					return http.DefaultTransport.RoundTrip(r)
				}))))
				switch {
				case failing > c.calls:
					if err != nil || got.More || int(calls.Load()) != c.calls {
						t.Errorf("%s = %+v, %v after %d calls, want no error after %d", c.method, got, err, calls.Load(), c.calls)
					}
				case c.more && failing > c.puts:
					if err != nil || !got.More {
						t.Errorf("%s, whose call %d failed = %+v, %v, want More", c.method, failing, got, err)
					}
				case err == nil:
					t.Errorf("%s, whose call %d failed: no error", c.method, failing)
				}
			}
		})
	}
}
