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

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// reads notes the reads that a client makes: whether each is consistent.
type reads struct {
	mu         sync.Mutex
	consistent map[string]int // by operation
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

// TestWritersReadConsistently: that whichever of a push and a delete runs second
// sees the other rests on these reads. Readers do not pay for that.
func TestWritersReadConsistently(t *testing.T) {
	t.Parallel()
	n := &reads{}
	db := openNew(t, before(n.before))
	ctx := t.Context()
	for _, c := range []struct {
		method                 string
		call                   func() error
		consistent, eventually map[string]int
	}{
		{"Push", func() error { return db.Push(ctx, washOf("1", 1, 0)) }, map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 2}, nil},
		{"Push of a repeat", func() error { return db.Push(ctx, washOf("1", 1, 0)) }, map[string]int{"BatchGetItem": 2, "GetItem": 1, "Query": 2}, nil},
		{"Delete of a tag", func() error { _, err := db.Delete(ctx, deleteOfTag("2", 10)); return err }, map[string]int{"GetItem": 1, "Query": 2}, nil},
		{"Delete of a digest", func() error { _, err := db.Delete(ctx, deleteOfDigest(2, 10)); return err }, map[string]int{"GetItem": 1, "Query": 4}, nil},
		{"Delete of a repository", func() error { _, err := db.Delete(ctx, deleteOf(-10)); return err }, map[string]int{"GetItem": 1, "Query": 4}, nil},
		{"StartReader", func() error { return db.StartReader(ctx) }, map[string]int{"BatchGetItem": 1}, nil},
		{"StartWriter", func() error { return db.StartWriter(ctx) }, map[string]int{"BatchGetItem": 1}, nil},
		{"Pick", func() error { _, err := db.Pick(ctx, store.Query{Name: wash}); return err }, nil, map[string]int{"Query": 1}},
		{"References", func() error { _, err := db.References(ctx, wash, store.Span{Limit: 1}); return err }, nil, map[string]int{"Query": 1}},
		{"Repositories", func() error { _, err := db.Repositories(ctx, store.Listing{Span: store.Span{Limit: 1}}); return err }, nil, map[string]int{"Query": 1}},
		{"Entries", func() error { _, err := db.Entries(ctx, washNames); return err }, nil, map[string]int{"BatchGetItem": 1, "Query": 2}},
		{"Members", func() error { _, err := db.Members(ctx, ""); return err }, nil, map[string]int{"Query": 1}},
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
		times int32 // of the first calls, how many leave their keys unprocessed
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
			db := openNew(t, &h)
			late := washOf("1", 1, 0)
			late.GivenName = "app" // one name, so one batch
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

// oneByOne answers each BatchGetItem for its first key, and leaves the others
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

func TestBatchInPartsIsReadWhole(t *testing.T) {
	t.Parallel()
	db := openNew(t, oneByOne())
	var names []reference.Name
	for i, repository := range []string{"a", "b", "c"} {
		p := washOf("1.0.0", 1, i)
		p.Reference.Repository = repository
		p.Digest = "" // two tombstones, which is two parts
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

// TestDeleteMarksOnlyUnchangedReferences: a tag that moves to another digest, or is
// pushed again, after a delete found it and before it marks it, stays.
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

// TestPushAndDeleteSeeEachOther: one of them is stored as a whole before a call of
// the other. Whichever it is, the delete is the newer and the reference goes.
func TestPushAndDeleteSeeEachOther(t *testing.T) {
	t.Parallel()
	p, partition := washOf("1", 1, 0), store.Partition(wash)
	pushed := func(t *testing.T, db *DB) {
		if err := db.pushUnder(context.WithoutCancel(t.Context()), partition, p, marshalPush(p)); err != nil {
			t.Errorf("push: %v", err)
		}
	}
	for _, target := range []struct {
		name   string
		delete event.Delete
	}{
		{"by tag", deleteOfTag("1", 10)},
		{"by digest", deleteOfDigest(1, 10)},
		{"of the repository", deleteOf(10)},
	} {
		deleted := func(t *testing.T, db *DB) {
			if _, err := db.deleteUnder(context.WithoutCancel(t.Context()), partition, target.delete); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
		for _, c := range []struct {
			name          string
			outer, within func(*testing.T, *DB)
		}{
			{"push before a call of the delete", deleted, pushed},
			{"delete before a call of the push", pushed, deleted},
		} {
			for call := 1; call <= 3; call++ {
				t.Run(fmt.Sprintf("%s, %s, %d", target.name, c.name, call), func(t *testing.T) {
					t.Parallel()
					table := dynamotest.Table(t)
					other := openTable(t, table, nil)
					calls := 0
					c.outer(t, openTable(t, table, before(func(string, string) {
						if calls++; calls == call {
							c.within(t, other)
						}
					})))
					if calls < call {
						c.within(t, other)
					}
					if got, err := other.Pick(t.Context(), store.Query{Name: wash}); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("Pick(%s) = %s, %v, want ErrNotFound", wash, got.Reference, err)
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

// TestOlderDeleteLeavesANewerTombstone: a push between the two comes last.
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

// TestPushCompletesANewerOne: the newer push's writer ended before it looked for
// tombstones. Its own repeat marks it, and so does an older push of the reference.
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
				item := marshalPush(newer)
				item[attrName] = str(store.Partition(name))
				if _, err := db.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &db.table, Item: item}); err != nil {
					t.Fatal(err)
				}
			}
			wantPicked(t, db, &newer)
			push(t, db, c.next)
			wantPicked(t, db, nil)
		})
	}
}

// TestAnyFailedCallIsAnError: a write is stored as a whole, or it says that it is not.
func TestAnyFailedCallIsAnError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		write  func(*DB) error
		calls  int
	}{
		{"Push", func(db *DB) error { return db.Push(t.Context(), washOf("1", 1, 0)) }, 8},
		{"Push of a deleted reference", func(db *DB) error { return db.Push(t.Context(), washOf("late", 1, 0)) }, 9},
		{"Delete of a digest", func(db *DB) error { _, err := db.Delete(t.Context(), deleteOfDigest(1, 10)); return err }, 9},
		{"Delete of a tag", func(db *DB) error { _, err := db.Delete(t.Context(), deleteOfTag("1", 10)); return err }, 7},
		{"Delete of a repository", func(db *DB) error { _, err := db.Delete(t.Context(), deleteOf(10)); return err }, 9},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			for failing := 1; failing <= c.calls+1; failing++ {
				table := dynamotest.Table(t)
				other := openTable(t, table, nil)
				if c.method == "Push of a deleted reference" {
					wantDeleted(t, other, deleteOfTag("late", 10), 0)
				} else {
					push(t, other, washOf("1", 1, 0))
				}
				var calls atomic.Int32
				var failed atomic.Value
				err := c.write(openTable(t, table, transport(func(r *http.Request) (*http.Response, error) {
					if int(calls.Add(1)) == failing {
						failed.Store(operation(r))
						return answer(r, 400, errorOf("AccessDeniedException")), nil
					}
					return http.DefaultTransport.RoundTrip(r)
				})))
				if failing <= c.calls && err == nil {
					t.Errorf("%s, whose call %d, a %v, failed: no error", c.method, failing, failed.Load())
				}
				if failing > c.calls && (err != nil || int(calls.Load()) != c.calls) {
					t.Errorf("%s: %v after %d calls, want no error after %d", c.method, err, calls.Load(), c.calls)
				}
			}
		})
	}
}
