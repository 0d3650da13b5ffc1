package bolt

import (
	"cmp"
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

// TestCommitsReachTheDisk checks the options that make bbolt sync the file with each
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

// TestDeleteCountsOnceAfterARerun lets a delete share its transaction with a writer
// that fails after it, so that the delete runs twice.
func TestDeleteCountsOnceAfterARerun(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	for attempt := range 20 {
		repository := fmt.Sprintf("wash-%d", attempt)
		if deletedTwice(t, db, repository) {
			return
		}
	}
	t.Error("the failing writer was never the second one")
}

// deletedTwice reports whether the delete ran before the failing writer.
func deletedTwice(t *testing.T, db *DB, repository string) (ok bool) {
	for _, tag := range []string{"1", "2"} {
		p := pushOf(tag)
		p.Reference.Repository = repository
		if err := db.Push(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	target := event.Target{Registry: "wasmcloud.azurecr.io", Repository: repository}
	planted := errors.New("planted")
	var failure, err error
	var deleted int
	var wg sync.WaitGroup

	// A batch begins when there are two writers, however long that takes.
	size, delay := db.bolt.MaxBatchSize, db.bolt.MaxBatchDelay
	db.bolt.MaxBatchSize, db.bolt.MaxBatchDelay = 2, time.Hour
	wg.Go(func() {
		deleted, err = db.Delete(t.Context(), event.Delete{Target: target, DeletedAt: noon, ReceivedAt: noon})
	})
	time.Sleep(time.Millisecond) // so that the delete comes first, nearly always
	wg.Go(func() {
		runs := 0
		failure = db.bolt.Batch(func(tx *bbolt.Tx) error {
			if runs++; runs == 1 {
				_, ok, _ = getTombstone(tx, repository, target)
			}
			return planted
		})
	})
	wg.Wait()
	db.bolt.MaxBatchSize, db.bolt.MaxBatchDelay = size, delay

	if !errors.Is(failure, planted) {
		t.Errorf("the failing writer's error is %v", failure)
	}
	if err != nil || deleted != 2 {
		t.Errorf("Delete(%s) = %d, %v, want 2", repository, deleted, err)
	}
	return ok
}

// kept returns the keys and values of a bucket, in order.
func kept(tx *bbolt.Tx, bucket []byte) (all [][2]string) {
	cursor := tx.Bucket(bucket).Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		all = append(all, [2]string{string(k), string(v)})
	}
	return all
}

// TestIndexesAgreeWithTheRecords stores random events and computes from the records
// alone the indexes and the catalogue that must be there.
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
	var want [len(store.Orders)][][2]string
	newest := map[string]string{} // push keys by names of the catalogue
	for _, entry := range kept(tx, references) {
		partition, ref, _ := strings.Cut(entry[0], "\x00")
		r, err := decodeRecord([]byte(entry[0]), []byte(entry[1]))
		if err != nil {
			return err
		}
		if r.Deleted {
			continue
		}
		for _, order := range store.Orders {
			want[order] = append(want[order], [2]string{partition + "\x00" + store.KeysOf(r.push)[order], ref})
		}
		if !strings.HasPrefix(partition, "@") {
			newest[partition] = max(newest[partition], store.KeysOf(r.push)[store.ByPushed])
		}
	}
	byKey := func(x, y [2]string) int { return cmp.Compare(x[0], y[0]) }
	check := func(bucket string, want [][2]string) {
		slices.SortFunc(want, byKey)
		if diff := gocmp.Diff(want, kept(tx, []byte(bucket)), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("bucket %s: -want +got\n%s", bucket, diff)
		}
	}
	for _, order := range store.Orders {
		check(order.String(), want[order])
	}
	var listed, byPushed [][2]string
	for name, pushed := range newest {
		listed = append(listed, [2]string{name, pushed})
		byPushed = append(byPushed, [2]string{pushed + "\x00" + name, ""})
	}
	check("catalogue", listed)
	check("catalogueByPushed", byPushed)
	return nil
}

// TestTombstonesKeepTheirEvents reads a delete back whole, the newest of its target.
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

// TestSpoiltValuesAreErrors: a value that cannot be read is an error that names its
// key, and never an answer.
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
			_, err := db.References(t.Context(), wash, store.Span{Limit: 1})
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
	// A record that cannot be read is noticed by whoever reads it.
	err := db.bolt.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(references).Put(key("wash", "wasmcloud.azurecr.io/wash:10"), []byte("{"))
	})
	if err != nil {
		t.Fatal(err)
	}
	target := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "11"}
	got, err := db.Delete(t.Context(), event.Delete{Target: target, DeletedAt: noon, ReceivedAt: noon})
	if err != nil || got != 1 {
		t.Errorf("Delete(%s) = %d, %v, want 1", target, got, err)
	}
}
