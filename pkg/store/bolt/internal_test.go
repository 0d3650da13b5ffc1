package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/storetest"
)

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

func openNew(t *testing.T) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func pushOf(tag string) event.Push {
	return event.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: tag},
		Size:      event.UnknownSize,
		PushedAt:  noon,
	}
}

// TestCommitsReachTheDisk checks the options that make bbolt sync the file at each
// commit, as store.Writer promises.
func TestCommitsReachTheDisk(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	if db.bolt.NoSync {
		t.Error("Open sets NoSync: a commit may be lost with the machine")
	}
	if db.bolt.NoGrowSync {
		t.Error("Open sets NoGrowSync: a file that grew may be lost with the machine")
	}
}

// share makes calls share one transaction, in their order. Each begins one write.
func share(t *testing.T, db *DB, calls ...func()) {
	t.Helper()
	var wg sync.WaitGroup
	db.writing.Lock()
	for i, call := range calls {
		wg.Go(call)
		for waiting := 0; waiting <= i; time.Sleep(100 * time.Microsecond) {
			db.queue.mu.Lock()
			waiting = len(db.queue.writes)
			db.queue.mu.Unlock()
		}
	}
	db.writing.Unlock()
	wg.Wait()
}

// TestFailingWriteFailsAlone makes a delete share its transaction with a write that fails
// and one that panics, so that the delete runs twice.
func TestFailingWriteFailsAlone(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	for _, tag := range []string{"1", "2"} {
		if err := db.Push(t.Context(), pushOf(tag)); err != nil {
			t.Fatal(err)
		}
	}
	target := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash"}
	planted := errors.New("planted")
	var deleted store.Deleted
	var deleteErr, failure, panicErr error
	runs := 0
	share(t, db,
		func() {
			deleted, deleteErr = db.Delete(t.Context(), event.Delete{Target: target, DeletedAt: noon, ReceivedAt: noon})
		},
		func() {
			failure = db.update(t.Context(), func(tx *bbolt.Tx) error {
				if runs++; runs == 1 {
					if _, ok, _ := getTombstone(tx, "wash", target); !ok {
						t.Error("the delete did not share its transaction")
					}
				}
				return planted
			})
		},
		func() {
			panicErr = db.update(t.Context(), func(tx *bbolt.Tx) error {
				if err := tx.Bucket(meta).Put([]byte("left"), nil); err != nil {
					return err
				}
				panic("oops")
			})
		},
	)
	if want := (store.Deleted{References: 2}); deleteErr != nil || deleted != want {
		t.Errorf("Delete(wash) = %+v, %v, want %+v", deleted, deleteErr, want)
	}
	if !errors.Is(failure, planted) {
		t.Errorf("the failing write's error is %v, want %v", failure, planted)
	}
	if panicErr == nil || !strings.HasPrefix(panicErr.Error(), "panic: oops\n") || !strings.Contains(panicErr.Error(), "TestFailingWriteFailsAlone") {
		t.Errorf("the panicking write's error is %v, want panic: oops and where", panicErr)
	}
	for _, entry := range readBucket(t, db, meta) {
		if entry[0] == "left" {
			t.Error("what the panicking write had stored is kept")
		}
	}
	if err := db.Push(t.Context(), pushOf("3")); err != nil {
		t.Errorf("Push afterwards: %v", err)
	}
}

// TestWritesShareATransaction: all waiting writes share one commit, since each commit
// syncs the disk.
func TestWritesShareATransaction(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	before := transactions(t, db)
	var calls []func()
	errs := make([]error, 30)
	for i := range errs {
		calls = append(calls, func() { errs[i] = db.Push(t.Context(), pushOf(fmt.Sprint(i))) })
	}
	share(t, db, calls...)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if n := transactions(t, db) - before; n != 1 {
		t.Errorf("30 waiting pushes made %d transactions, want 1", n)
	}
}

// transactions returns the number of the last write transaction.
func transactions(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.bolt.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPanicOfAReaderIsItsError(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	err := db.view(t.Context(), func(*bbolt.Tx) error { panic("oops") })
	if err == nil || !strings.HasPrefix(err.Error(), "panic: oops\n") {
		t.Errorf("view: %v, want panic: oops", err)
	}
	if err := db.Push(t.Context(), pushOf("1")); err != nil {
		t.Errorf("Push afterwards: %v", err)
	}
	select {
	case err := <-db.Damaged():
		t.Errorf("Damaged: %v, want nothing", err)
	default:
	}
}

func readBucket(t *testing.T, db *DB, bucket []byte) (all [][2]string) {
	t.Helper()
	if err := db.bolt.View(func(tx *bbolt.Tx) error { all = kept(tx, bucket); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// kept returns the keys and values of a bucket, in order.
func kept(tx *bbolt.Tx, bucket []byte) (all [][2]string) {
	cursor := tx.Bucket(bucket).Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		all = append(all, [2]string{string(k), string(v)})
	}
	return all
}

// TestIndexesAgreeWithTheRecords stores random events. It computes the expected indexes
// and catalogue from the records only.
func TestIndexesAgreeWithTheRecords(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	rapid.Check(t, func(t *rapid.T) {
		for _, e := range rapid.SliceOfN(storetest.Large.Event("c-"), 1, 20).Draw(t, "events") {
			if _, err := store.Apply(t.Context(), db, e); err != nil {
				t.Fatalf("%s: %v", e, err)
			}
		}
		if err := db.bolt.View(func(tx *bbolt.Tx) error { return checkIndexes(t, tx) }); err != nil {
			t.Fatal(err)
		}
	})
}

func checkIndexes(t *rapid.T, tx *bbolt.Tx) error {
	var want [len(store.Indexes)][][2]string
	listed := map[string]bool{} // names that belong in the catalogue
	for _, entry := range kept(tx, references) {
		partition, ref, _ := strings.Cut(entry[0], "\x00")
		r, err := decodeRecord([]byte(entry[0]), []byte(entry[1]))
		if err != nil {
			return err
		}
		if r.Deleted {
			continue
		}
		for order, key := range store.KeysOf(r.push) {
			if key != "" {
				want[order] = append(want[order], [2]string{partition + "\x00" + key, ref})
			}
		}
		if !strings.HasPrefix(partition, "@") {
			listed[partition] = true
		}
	}
	byKey := func(x, y [2]string) int { return cmp.Compare(x[0], y[0]) }
	check := func(bucket string, want [][2]string) {
		slices.SortFunc(want, byKey)
		if diff := gocmp.Diff(want, kept(tx, []byte(bucket)), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("bucket %s: -want +got\n%s", bucket, diff)
		}
	}
	for _, order := range store.Indexes {
		check(order.String(), want[order])
	}
	var byName, byPushed [][2]string
	for name := range listed {
		entry, err := scanner(tx).Entry(context.Background(), store.NameOf(name)) // the suite checks its content
		if err != nil {
			return err
		}
		byName = append(byName, [2]string{name, entry.PushedKey()})
		byPushed = append(byPushed, [2]string{entry.PushedKey(), name})
	}
	check("catalogue", byName)
	check("catalogueByPushed", byPushed)
	return nil
}

// TestTombstonesKeepTheirEvents reads back the newest delete of each target, with all its
// fields.
func TestTombstonesKeepTheirEvents(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	for _, target := range []event.Target{
		{Registry: "wasmcloud.azurecr.io", Repository: "wash"},
		{Registry: "wasmcloud.azurecr.io:5000", Repository: "wash", Tag: "1.0"},
		{Registry: "[::1]:5000", Repository: "team/wash", Digest: "sha256:" + strings.Repeat("0", 64)},
		{Registry: "ghcr.io", Repository: "acme/app", Tag: "1", GivenName: "app"},
	} {
		older := event.Delete{Target: target, DeletedAt: noon, ReceivedAt: noon.Add(time.Hour)}
		newer := event.Delete{Target: target, DeletedAt: noon.Add(1), ReceivedAt: noon.Add(time.Second)}
		again := event.Delete{Target: target, DeletedAt: noon.Add(1), ReceivedAt: noon.Add(2 * time.Hour)}
		for _, d := range []event.Delete{older, newer, again, older} {
			if _, err := db.Delete(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range target.Names() {
			err := db.bolt.View(func(tx *bbolt.Tx) error {
				got, found, err := getTombstone(tx, store.Partition(name), target)
				if got != newer || !found {
					t.Errorf("tombstone of %s under %s = %+v, %t, want %+v", target, name, got, found, newer)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// TestSpoiltValuesAreErrors: an unreadable value leads to an error that names its key,
// never to an answer.
func TestSpoiltValuesAreErrors(t *testing.T) {
	t.Parallel()
	wash := reference.Name{Repository: "wash"}
	target := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "1"}
	recordKey := key("wash", "wasmcloud.azurecr.io/wash:1")
	pick := func(db *DB) error { _, err := db.Pick(t.Context(), store.Query{Name: wash}); return err }
	pushAgain := func(db *DB) error {
		p := pushOf("1")
		p.PushedAt = noon.Add(time.Hour)
		return db.Push(t.Context(), p)
	}
	remove := func(db *DB) error {
		_, err := db.Delete(t.Context(), event.Delete{Target: target, DeletedAt: noon.Add(time.Minute), ReceivedAt: noon})
		return err
	}
	for _, test := range []struct {
		name   string
		bucket []byte
		key    []byte
		value  string
		call   func(*DB) error
	}{
		{name: "record, Pick", bucket: references, key: recordKey, value: "{", call: pick},
		{name: "record's rank, Pick", bucket: references, key: recordKey, value: `{"rank":"1"}`, call: pick},
		{name: "record, References", bucket: references, key: recordKey, value: "{", call: func(db *DB) error {
			_, err := db.References(t.Context(), wash, nil, store.Span{Limit: 1})
			return err
		}},
		{name: "record, Repositories", bucket: references, key: recordKey, value: "{", call: func(db *DB) error {
			_, err := db.Repositories(t.Context(), store.Listing{Span: store.Span{Limit: 1}})
			return err
		}},
		{name: "record, Entries", bucket: references, key: recordKey, value: "{", call: func(db *DB) error {
			_, err := db.Entries(t.Context(), []reference.Name{wash})
			return err
		}},
		{name: "record, Push", bucket: references, key: recordKey, value: "{", call: pushAgain},
		{name: "newest record, Push of another", bucket: references, key: recordKey, value: "{", call: func(db *DB) error {
			p := pushOf("0")
			p.PushedAt = noon.Add(-time.Hour)
			return db.Push(t.Context(), p)
		}},
		{name: "record, Delete", bucket: references, key: recordKey, value: "{", call: remove},
		{name: "index of a deleted reference", bucket: references, key: recordKey, value: `{"rank":"2023-07-03T12:00:00.000000000Z  0000000000000000000 ","deleted":true}`, call: pick},
		{name: "tombstone, Push", bucket: tombstones, key: key("wash", target.String()), value: "{", call: pushAgain},
		{name: "tombstone's rank, Push", bucket: tombstones, key: key("wash", target.String()), value: `{"rank":"1","receivedAt":"2023-07-03T12:00:00.000000000Z"}`, call: pushAgain},
		{name: "tombstone, Delete", bucket: tombstones, key: key("wash", target.String()), value: "{", call: remove},
		{name: "member, Members", bucket: members, key: key("official", "wash"), value: "{", call: func(db *DB) error {
			_, err := db.Members(t.Context(), "official")
			return err
		}},
		{name: "member, Categorize", bucket: members, key: key("official", "wash"), value: "{", call: func(db *DB) error {
			return db.Categorize(t.Context(), event.Membership{Member: event.Member{Category: "official", Name: wash}, At: noon})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := openNew(t)
			if err := db.Push(t.Context(), pushOf("1")); err != nil {
				t.Fatal(err)
			}
			if err := db.bolt.Update(func(tx *bbolt.Tx) error { return tx.Bucket(test.bucket).Put(test.key, []byte(test.value)) }); err != nil {
				t.Fatal(err)
			}
			err := test.call(db)
			if err == nil || errors.Is(err, store.ErrNotFound) {
				t.Fatalf("with %s = %s: %v, want an error", test.key, test.value, err)
			}
			if !strings.Contains(err.Error(), "wash") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line that names wash", err)
			}
		})
	}
}

// TestDeleteByTagReadsItsTagAlone: a delete by tag must not read all other tags.
func TestDeleteByTagReadsItsTagAlone(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	for i := range 20 {
		if err := db.Push(t.Context(), pushOf(fmt.Sprintf("%d", i+10))); err != nil {
			t.Fatal(err)
		}
	}
	// Any read of a record that cannot be decoded would fail.
	err := db.bolt.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(references).Put(key("wash", "wasmcloud.azurecr.io/wash:10"), []byte("{"))
	})
	if err != nil {
		t.Fatal(err)
	}
	target := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "11"}
	got, err := db.Delete(t.Context(), event.Delete{Target: target, DeletedAt: noon, ReceivedAt: noon})
	if want := (store.Deleted{References: 1}); err != nil || got != want {
		t.Errorf("Delete(%s) = %+v, %v, want %+v", target, got, err, want)
	}
}
