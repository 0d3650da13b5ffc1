package bolt_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

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

func openTemp(t testing.TB) store.Store {
	db := open(t, filepath.Join(t.TempDir(), "test.db"))
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) { storetest.Run(t, openTemp) }

func TestReopenedFileAnswersTheSame(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	db := open(t, file)
	p := store.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "1.0.0"},
		Size:      store.UnknownSize,
		PushedAt:  time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC),
	}
	if err := db.Push(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, file)
	defer db.Close()
	if got, err := db.Pick(t.Context(), store.Query{Name: "wash"}); err != nil || got != p {
		t.Errorf("Pick = %+v, %v, want %+v", got, err, p)
	}
}

func TestFileInUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	defer open(t, file).Close()
	if _, err := bolt.Open(file); err == nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("Open a second time: %v", err)
	}
}

func TestFileThatIsNoStore(t *testing.T) {
	if _, err := bolt.Open(t.TempDir()); err == nil {
		t.Error("Open of a folder: no error")
	}
}

func BenchmarkPush(b *testing.B) {
	s := openTemp(b)
	p := store.Push{Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "1.0.0"}}
	b.ReportAllocs()
	for b.Loop() {
		p.PushedAt = p.PushedAt.Add(time.Second)
		if err := s.Push(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	s := openTemp(b)
	p := store.Push{Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "1.0.0"}}
	if err := s.Push(b.Context(), p); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Pick(b.Context(), store.Query{Name: "wash"}); err != nil {
			b.Fatal(err)
		}
	}
}
