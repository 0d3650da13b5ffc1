package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// filled returns the bytes of a file that has trees of several levels, continued pages,
// deleted references and free pages.
func filled(t *testing.T) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "filled.db")
	db, err := openFast(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		p := pushOf(fmt.Sprintf("1.%d.0", i))
		p.Reference.Repository = fmt.Sprintf("wash-%d", i%7)
		p.MediaType = strings.Repeat("m", i*20)
		p.PushedAt = noon.Add(time.Duration(i) * time.Second)
		if err := db.Push(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	exercise(t.Context(), db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// exercise calls all methods of db and returns their errors.
func exercise(ctx context.Context, db *DB) (errs []error) {
	check := func(err error) {
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	for i := range 7 {
		name := reference.Name{Repository: fmt.Sprintf("wash-%d", i)}
		for _, order := range store.Orders {
			_, err := db.Pick(ctx, store.Query{Name: name, Order: order, Match: func(string) bool { return false }})
			check(err)
		}
		_, err := db.References(ctx, name, nil, store.Span{Limit: 1000})
		check(err)
		_, err = db.Entries(ctx, []reference.Name{name})
		check(err)
		p := pushOf("2.0.0")
		p.Reference.Repository, p.PushedAt = name.Repository, noon.Add(time.Hour)
		check(db.Push(ctx, p))
		target := event.Target{Registry: p.Reference.Registry, Repository: p.Reference.Repository, Tag: "2.0.0"}
		_, err = db.PushedAt(ctx, target)
		check(err)
		if i > 4 {
			target.Tag = ""
		}
		_, err = db.Delete(ctx, event.Delete{Target: target, DeletedAt: noon.Add(2 * time.Hour), ReceivedAt: noon})
		check(err)
		member := event.Member{Category: "official", Name: name}
		check(db.Categorize(ctx, event.Membership{Member: member, At: noon}))
		check(db.PushAll(ctx, []event.Push{p, pushOf("2.0.1")}))
		_, err = db.History(ctx, p.Reference.Registry, p.Reference.Repository)
		check(err)
		_, err = db.State(ctx, p.Reference.Registry, p.Reference.Repository)
		check(err)
		_, err = db.PutState(ctx, p.Reference.Registry, store.State{Key: p.Reference.Repository, Value: []byte("seen")})
		check(err)
	}
	for _, err := range db.States(ctx, pushOf("1").Reference.Registry) {
		check(err)
	}
	for _, err := range db.Events(ctx) {
		check(err)
	}
	_, err := db.Repositories(ctx, store.Listing{Span: store.Span{Limit: 1000}})
	check(err)
	_, err = db.Members(ctx, "")
	check(err)
	return errs
}

// damages are ways to damage a file at an offset.
var damages = map[string]func(b []byte, at int, random *rand.Rand) []byte{
	"byte": func(b []byte, at int, random *rand.Rand) []byte {
		b[at] ^= byte(1 + random.IntN(255))
		return b
	},
	"few ones":  func(b []byte, at int, _ *rand.Rand) []byte { return overwrite(b, at, 8, func() byte { return 0xFF }) },
	"many ones": func(b []byte, at int, _ *rand.Rand) []byte { return overwrite(b, at, 64, func() byte { return 0xFF }) },
	"zeros":     func(b []byte, at int, _ *rand.Rand) []byte { return overwrite(b, at, 512, func() byte { return 0 }) },
	"noise": func(b []byte, at int, random *rand.Rand) []byte {
		return overwrite(b, at, 64, func() byte { return byte(random.UintN(256)) })
	},
	"other page": func(b []byte, at int, random *rand.Rand) []byte {
		from := random.IntN(len(b)/4096) * 4096
		copy(b[at/4096*4096:][:4096], b[from:])
		return b
	},
	"other page's number": func(b []byte, at int, random *rand.Rand) []byte {
		b[at/8*8] = byte(random.IntN(len(b) / 4096)) // page numbers are only at such offsets
		return b
	},
	"end": func(b []byte, at int, _ *rand.Rand) []byte { return b[:at] },
}

func overwrite(b []byte, at, size int, next func() byte) []byte {
	for i := at; i < min(at+size, len(b)); i++ {
		b[i] = next()
	}
	return b
}

// TestDamagedFileIsNoPanic damages a file in many places. The file is refused when it is
// opened, or served as far as it is readable, and each error is one line. DAMAGED_FILES
// is the number of files to try for each kind of damage.
func TestDamagedFileIsNoPanic(t *testing.T) {
	t.Parallel()
	files := 25
	if n, err := strconv.Atoi(os.Getenv("DAMAGED_FILES")); err == nil {
		files = n
	}
	sound := filled(t)
	for name, damaged := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			refused, served, failed := 0, 0, 0
			for range files {
				at := random.IntN(len(sound))
				if at > 8192 && random.IntN(2) == 0 {
					at = at/4096*4096 + random.IntN(256) // where headers and elements are
				}
				errs, opened := tryFile(t, damaged(append([]byte(nil), sound...), at, random))
				switch {
				case !opened:
					refused++
				case len(errs) > 0:
					failed++
				default:
					served++
				}
				for _, err := range errs {
					if strings.Contains(err.Error(), "\n") {
						t.Fatalf("damaged at %d: %v, want one line", at, err)
					}
				}
			}
			t.Logf("%d refused, %d served with errors, %d served", refused, failed, served)
		})
	}
}

// tryFile opens a file with these bytes and uses it.
func tryFile(t *testing.T, b []byte) (errs []error, opened bool) {
	t.Helper()
	name := writeFile(t, b)
	defer os.Remove(name)
	db, err := openFast(name)
	if err != nil {
		return []error{err}, false
	}
	errs = exercise(t.Context(), db)
	if err := db.Close(); err != nil {
		errs = append(errs, err)
	}
	return errs, true
}

func writeFile(t *testing.T, b []byte) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// openFast opens a file as Open does, but does not sync its commits to the disk.
func openFast(name string) (*DB, error) {
	return open(name, &bbolt.Options{Timeout: time.Second, NoSync: true})
}

// TestFileDamagedWhileItIsServed: each call returns an error of one line, Damaged reports
// the damage once, and Close does not wait.
func TestFileDamagedWhileItIsServed(t *testing.T) {
	t.Parallel()
	sound := filled(t)
	for name, damage := range map[string]func(*os.File) error{
		"cut off":     func(f *os.File) error { return f.Truncate(8192) },
		"overwritten": func(f *os.File) error { _, err := f.WriteAt(make([]byte, len(sound)-8192), 8192); return err },
		"meta pages":  func(f *os.File) error { _, err := f.WriteAt(make([]byte, 8192), 0); return err },
	} {
		for kind, call := range map[string]func(*DB) error{
			"Pick": func(db *DB) error {
				_, err := db.Pick(t.Context(), store.Query{Name: reference.Name{Repository: "wash-1"}})
				return err
			},
			"Push": func(db *DB) error { return db.Push(t.Context(), pushOf("2")) },
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				file := writeFile(t, sound)
				db, err := openFast(file)
				if err != nil {
					t.Fatal(err)
				}
				f, err := os.OpenFile(file, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if err := damage(f); err != nil {
					t.Fatal(err)
				}
				first := call(db)
				if first == nil || !strings.Contains(first.Error(), file+": the file is damaged: ") || strings.Contains(first.Error(), "\n") {
					t.Fatalf("%s: %v, want one line that says that %s is damaged", kind, first, file)
				}
				select {
				case err := <-db.Damaged():
					if !strings.Contains(first.Error(), err.Error()) {
						t.Errorf("Damaged: %v, want %v", err, first)
					}
				default:
					t.Error("Damaged reports nothing")
				}
				for _, err := range exercise(t.Context(), db) {
					if !strings.Contains(err.Error(), " is damaged: ") {
						t.Errorf("a later call: %v, want the damage", err)
					}
				}
				if err := db.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
	}
}

// TestFileWithoutABucketIsDamaged: a damaged name makes a bucket look like another.
func TestFileWithoutABucketIsDamaged(t *testing.T) {
	t.Parallel()
	for _, bucket := range buckets()[1:] { // the first has the version
		name := filepath.Join(t.TempDir(), "test.db")
		db, err := openFast(name)
		if err != nil {
			t.Fatal(err)
		}
		err = db.bolt.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucket) })
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = Open(name)
		want := fmt.Sprintf("open %s: the file is damaged: it has no bucket %s; put back a copy of it, or move it away to begin with an empty store", name, bucket)
		if err == nil || err.Error() != want {
			t.Errorf("Open without the bucket %s: %v, want %s", bucket, err, want)
		}
	}
}
