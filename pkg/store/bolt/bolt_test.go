package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/storetest"
)

func open(t testing.TB, file string) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closeDB(t testing.TB, db *bolt.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func openNew(t testing.TB) store.Store {
	db := open(t, filepath.Join(t.TempDir(), "test.db"))
	t.Cleanup(func() { closeDB(t, db) })
	return db
}

func apply(t testing.TB, s store.Writer, events ...event.Event) {
	t.Helper()
	for _, e := range events {
		if _, err := store.Apply(t.Context(), s, e); err != nil {
			t.Fatalf("%s: %v", e, err)
		}
	}
}

var (
	registry = "wasmcloud.azurecr.io"
	wash     = reference.Name{Repository: "wash"}
	noon     = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)
	pushed   = event.Push{
		Reference: reference.Reference{Registry: registry, Repository: "wash", Tag: "1.0.0"},
		Digest:    "sha256:" + strings.Repeat("ab", 32),
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Size:      2203,
		PushedAt:  noon.Add(60421800),
	}
	deleted = event.Delete{
		Target:     event.Target{Registry: registry, Repository: "wash", Tag: "0.9"},
		DeletedAt:  noon,
		ReceivedAt: noon.Add(time.Second),
	}
	member = event.Member{Category: "official", Name: reference.Name{Registry: registry, Repository: "wash"}}
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openNew)
}

func TestReopenedFileAnswersTheSame(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	db := open(t, file)
	apply(t, db,
		event.Event{Push: &pushed},
		event.Event{Delete: &deleted},
		event.Event{Membership: &event.Membership{Member: member, At: noon}})
	closeDB(t, db)

	db = open(t, file)
	defer closeDB(t, db)
	late := pushed
	late.Reference.Tag, late.PushedAt = "0.9", deleted.DeletedAt
	apply(t, db, event.Event{Push: &late})
	if got, err := db.Pick(t.Context(), store.Query{Name: wash}); err != nil || got != pushed {
		t.Errorf("Pick(wash) = %+v, %v, want %+v", got, err, pushed)
	}
	page, err := db.References(t.Context(), wash, nil, store.Span{Limit: 10})
	if diff := cmp.Diff([]event.Push{pushed}, page.Items); err != nil || diff != "" {
		t.Errorf("References(wash): %v; -want +got\n%s", err, diff)
	}
	entries, err := db.Repositories(t.Context(), store.Listing{Span: store.Span{Limit: 10}})
	if diff := cmp.Diff([]store.Entry{{Name: wash, Newest: pushed, Highest: pushed.Reference}}, entries.Items); err != nil || diff != "" {
		t.Errorf("Repositories: %v; -want +got\n%s", err, diff)
	}
	members, err := db.Members(t.Context(), "official")
	if diff := cmp.Diff([]event.Member{member}, members); err != nil || diff != "" {
		t.Errorf("Members(official): %v; -want +got\n%s", err, diff)
	}
}

// bucket contains the keys and values of one bucket.
type bucket map[string]string

// contents returns everything in a file.
func contents(t *testing.T, file string) map[string]bucket {
	t.Helper()
	db, err := bbolt.Open(file, 0o644, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string]bucket{}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			kept := bucket{}
			all[string(name)] = kept
			return b.ForEach(func(k, v []byte) error {
				kept[string(k)] = string(v)
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestKeptDataStays compares whole keys and values: a change here needs a new
// store.DataVersion.
func TestKeptDataStays(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	db := open(t, file)
	unknown := event.Push{
		Reference: reference.Reference{Registry: registry, Repository: "wash", Tag: "latest"},
		GivenName: "other",
		Size:      event.UnknownSize,
		PushedAt:  noon.Add(time.Second),
	}
	gone := event.Push{
		Reference: reference.Reference{Registry: registry, Repository: "wash", Tag: "0.9"},
		Size:      0,
		PushedAt:  noon,
	}
	apply(t, db,
		event.Event{Push: &pushed},
		event.Event{Push: &unknown},
		event.Event{Push: &gone},
		event.Event{Delete: &deleted},
		event.Event{Membership: &event.Membership{Member: member, At: noon}},
		event.Event{Membership: &event.Membership{Member: event.Member{Category: "official", Name: wash}, Removed: true, At: noon}})
	if written, err := db.PutState(t.Context(), registry, store.State{Key: "wash", Value: []byte("seen")}); err != nil || !written {
		t.Fatalf("PutState: %t, %v", written, err)
	}
	closeDB(t, db)

	const (
		at        = "2023-07-03T12:00:00.060421800Z"
		ref       = "wasmcloud.azurecr.io/wash:1.0.0"
		digest    = "sha256:abababababababababababababababababababababababababababababababab"
		rank      = `{"rank":"` + at + ` ` + digest + ` 0000000000000002204 application/vnd.oci.image.manifest.v1+json"}`
		latestAt  = "2023-07-03T12:00:01.000000000Z"
		latest    = "wasmcloud.azurecr.io/wash:latest"
		goneRank  = `{"rank":"2023-07-03T12:00:00.000000000Z  0000000000000000001 ","deleted":true}`
		tombstone = `{"rank":"2023-07-03T12:00:00.000000000Z","receivedAt":"2023-07-03T12:00:01.000000000Z"}`
	)
	want := map[string]bucket{
		"meta": {"version": "1"},
		"references": {
			"wash\x00" + ref:                                              rank,
			"@wasmcloud.azurecr.io/wash\x00" + ref:                        rank,
			"other\x00" + latest:                                          `{"rank":"` + latestAt + `  0000000000000000000 "}`,
			"wash\x00wasmcloud.azurecr.io/wash:0.9":                       goneRank,
			"@wasmcloud.azurecr.io/wash\x00wasmcloud.azurecr.io/wash:0.9": goneRank,
		},
		"tombstones": {
			"wash\x00wasmcloud.azurecr.io/wash:0.9":                       tombstone,
			"@wasmcloud.azurecr.io/wash\x00wasmcloud.azurecr.io/wash:0.9": tombstone,
		},
		"ByPushed": {
			"wash\x00" + at + " " + ref:                       ref,
			"@wasmcloud.azurecr.io/wash\x00" + at + " " + ref: ref,
			"other\x00" + latestAt + " " + latest:             latest,
		},
		"ByRelease": {
			"wash\x00ca1 ~03 " + at + " " + ref:                       ref,
			"@wasmcloud.azurecr.io/wash\x00ca1 ~03 " + at + " " + ref: ref,
			"other\x00a" + latestAt + " " + latest:                    latest,
		},
		"ByVersion": {
			"wash\x00ca1 ~03 " + at + " " + ref:                       ref,
			"@wasmcloud.azurecr.io/wash\x00ca1 ~03 " + at + " " + ref: ref,
			"other\x00a" + latestAt + " " + latest:                    latest,
		},
		"ByDigest": {
			"wash\x00" + digest + " wasmcloud.azurecr.io/wash fa1 ~03 " + at + " 1.0.0":                       ref,
			"@wasmcloud.azurecr.io/wash\x00" + digest + " wasmcloud.azurecr.io/wash fa1 ~03 " + at + " 1.0.0": ref,
		},
		"catalogue": {
			"wash":  at + " " + ref + " wash",
			"other": latestAt + " " + latest + " other",
		},
		"catalogueByPushed": {
			at + " " + ref + " wash":           "wash",
			latestAt + " " + latest + " other": "other",
		},
		"members": {
			"official\x00@wasmcloud.azurecr.io/wash": `{"rank":"2023-07-03T12:00:00.000000000Z added"}`,
			"official\x00wash":                       `{"rank":"2023-07-03T12:00:00.000000000Z removed","removed":true}`,
		},
		"states": {registry + "\x00wash": `{"revision":1,"value":"c2Vlbg=="}`},
	}
	if diff := cmp.Diff(want, contents(t, file)); diff != "" {
		t.Errorf("the file holds: -want +got\n%s", diff)
	}
}

// TestFileOfAnEarlierBuildGetsTheStates: such a file has no bucket for states, and is
// sound.
func TestFileOfAnEarlierBuildGetsTheStates(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	db := open(t, file)
	apply(t, db, event.Event{Push: &pushed})
	closeDB(t, db)
	earlier, err := bbolt.Open(file, 0o644, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = earlier.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("states")) })
	if err := errors.Join(err, earlier.Close()); err != nil {
		t.Fatal(err)
	}
	db = open(t, file)
	defer closeDB(t, db)
	if written, err := db.PutState(t.Context(), registry, store.State{Key: "wash"}); err != nil || !written {
		t.Errorf("PutState: %t, %v, want it written", written, err)
	}
	if got, err := db.Pick(t.Context(), store.Query{Name: wash}); err != nil || got != pushed {
		t.Errorf("Pick(wash) = %+v, %v, want %+v", got, err, pushed)
	}
}

// TestEventsOfManyPages: each event comes once, however many transactions read them.
func TestEventsOfManyPages(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	const n = 1500
	var pushes []event.Push
	for i := range n {
		p := pushed
		p.Reference.Tag, p.PushedAt = fmt.Sprintf("1.%d.0", i), noon.Add(time.Duration(i)*time.Second)
		pushes = append(pushes, p)
	}
	if err := db.PushAll(t.Context(), pushes); err != nil {
		t.Fatal(err)
	}
	apply(t, db, event.Event{Delete: &event.Delete{Target: event.Target{Registry: registry, Repository: "wash"}, DeletedAt: noon.Add(time.Minute), ReceivedAt: noon}})
	tags, deletes := map[string]bool{}, 0
	for e, err := range db.Events(t.Context()) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Delete != nil && len(tags) > 0:
			t.Fatal("a delete follows a push: until then, a store that gets both would show the push")
		case e.Delete != nil:
			deletes++
		case tags[e.Push.Reference.Tag]:
			t.Fatalf("%s comes twice", e)
		default:
			tags[e.Push.Reference.Tag] = true
		}
	}
	if len(tags) != n || deletes != 1 {
		t.Errorf("Events: %d pushes, %d deletes, want %d and 1", len(tags), deletes, n)
	}
}

// write makes a file with one key in one bucket.
func write(t *testing.T, file, bucket, key, value string) {
	t.Helper()
	db, err := bbolt.Open(file, 0o644, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		return b.Put([]byte(key), []byte(value))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestUnknownDataIsRefusedAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name               string
		bucket, key, value string
		want               string // part of the error
	}{
		{name: "newer version", bucket: "meta", key: "version", value: "2", want: "run a newer release"},
		{name: "much newer version", bucket: "meta", key: "version", value: "10", want: "run a newer release"},
		{name: "older version", bucket: "meta", key: "version", value: "0", want: "begin with a new store"},
		{name: "no number", bucket: "meta", key: "version", value: "one", want: `"one": the file is damaged or not a store: restore a copy, or use another file`},
		{name: "no version, but meta", bucket: "meta", key: "other", value: "1", want: `"": the file is damaged or not a store`},
		{name: "data without version", bucket: "references", key: "wash", value: "{}", want: "begin with a new store"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "test.db")
			write(t, file, test.bucket, test.key, test.value)
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			db, err := bolt.Open(file)
			if err == nil {
				closeDB(t, db)
				t.Fatal("Open: no error")
			}
			if !errors.Is(err, store.ErrDataVersion) {
				t.Errorf("Open: %v, want an ErrDataVersion", err)
			}
			for _, want := range []string{file, test.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Open: %v, want an error with %s", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("Open: %v, want one line", err)
			}
			after, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(before) != string(after) {
				t.Error("Open changed the file")
			}
		})
	}
}

func TestFileInUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	db := open(t, file)
	defer closeDB(t, db)
	opened := make(chan error, 1)
	go func() {
		_, err := bolt.Open(file)
		opened <- err
	}()
	select {
	case err := <-opened:
		if want := "open " + file + ": another process has it open: stop that one, or use another file"; err == nil || err.Error() != want {
			t.Errorf("Open a second time: %v, want %s", err, want)
		}
	case <-time.After(10 * time.Second):
		t.Error("Open a second time: it still waits after 10s, want an error")
	}
}

func TestFileThatIsNoStore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "text")
	if err := os.WriteFile(file, []byte(strings.Repeat("no store\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, file} {
		if _, err := bolt.Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): %v, want an error that names it", path, err)
		}
	}
}

func TestTemporaryStoreIsGoneAfterClose(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	db, err := bolt.OpenTemporary()
	if err != nil {
		t.Fatal(err)
	}
	apply(t, db, event.Event{Push: &pushed})
	if got, err := db.Pick(t.Context(), store.Query{Name: wash}); err != nil || got != pushed {
		t.Errorf("Pick(wash) = %+v, %v, want %+v", got, err, pushed)
	}
	closeDB(t, db)
	left, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("after Close the temporary folder has %v, want nothing", left)
	}
}

func TestTemporaryStoresAreApart(t *testing.T) {
	t.Parallel()
	first, err := bolt.OpenTemporary()
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, first)
	second, err := bolt.OpenTemporary()
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, second)
	apply(t, first, event.Event{Push: &pushed})
	if got, err := second.Pick(t.Context(), store.Query{Name: wash}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Pick(wash) of the other store = %+v, %v, want ErrNotFound", got, err)
	}
}

func TestOpenTemporaryWithoutFolder(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if db, err := bolt.OpenTemporary(); err == nil {
		closeDB(t, db)
		t.Error("OpenTemporary without a temporary folder: no error")
	}
}

func TestClosedStoreFails(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "test.db"))
	closeDB(t, db)
	if err := db.Push(t.Context(), pushed); err == nil {
		t.Error("Push after Close: no error")
	}
	if _, err := db.Pick(t.Context(), store.Query{Name: wash}); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Pick after Close: %v, want an error, and not ErrNotFound", err)
	}
}

func BenchmarkPush(b *testing.B) {
	s := openNew(b)
	p := pushed
	b.ReportAllocs()
	for b.Loop() {
		p.PushedAt = p.PushedAt.Add(time.Second)
		if err := s.Push(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	s := openNew(b)
	if err := s.Push(b.Context(), pushed); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Pick(b.Context(), store.Query{Name: wash}); err != nil {
			b.Fatal(err)
		}
	}
}
