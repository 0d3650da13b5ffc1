// Package bolt is the embedded backend: one file, for the local runner. It keeps the same
// records as the DynamoDB table. Each event is one transaction, so nothing is ever half
// done, and a catalogue entry always agrees with its references. Tombstones are never
// dropped.
package bolt

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

var _ store.Store = (*DB)(nil)

// DB is a store in one file.
type DB struct {
	bolt      *bbolt.DB
	file      *os.File // the file that bbolt has open
	temporary string   // name of the file that Close removes, if any

	writing sync.Mutex // held by the transaction that writes
	queue   queue      // of the writes that wait for it

	damage  atomic.Pointer[error] // nil until the file turns out to be damaged
	damaged chan error            // gets the damage when it is found
}

// Buckets. Each index also has a bucket, named after its order.
var (
	meta              = []byte("meta")              // version -> store.DataVersion
	references        = []byte("references")        // partition, reference -> record
	tombstones        = []byte("tombstones")        // partition, target -> tombstone
	catalogue         = []byte("catalogue")         // partition -> pushed key of its entry
	catalogueByPushed = []byte("catalogueByPushed") // pushed key of an entry -> partition
	members           = []byte("members")           // category, partition -> member
	states            = []byte("states")            // registry, key -> state; a file of an earlier build may lack it
)

var versionKey = []byte("version")

// lockTimeout is how long Open waits for another process to close the file.
const lockTimeout = time.Second

// separator ends the first part of a key. No name and no sort key contains it.
const separator = "\x00"

// afterAll is greater than any text at the same place of a sort key: keys are printable
// ASCII.
const afterAll = "\x7f"

// indexOf returns the bucket of an order: partition, sort key -> reference. It contains
// only live references.
func indexOf(tx *bbolt.Tx, order store.Order) *bbolt.Bucket {
	return tx.Bucket([]byte(order.String()))
}

// Open opens the store in file and creates the file if it does not exist. Only one
// process can have it open. If this build cannot use the data in the file, the file
// is left as it is and the error is a store.ErrDataVersion.
func Open(file string) (*DB, error) {
	return open(file, &bbolt.Options{Timeout: lockTimeout})
}

// OpenTemporary opens an empty store that lasts until Close. Its file is in the folder
// for temporary files. The file is removed at once, or by Close on a system that cannot
// remove an open file.
func OpenTemporary() (*DB, error) {
	f, err := os.CreateTemp("", "ocireffer-*.db")
	if err != nil {
		return nil, err
	}
	file := f.Name()
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := open(file, &bbolt.Options{NoSync: true, NoFreelistSync: true})
	if err != nil {
		return nil, errors.Join(err, os.Remove(file))
	}
	if os.Remove(file) != nil {
		db.temporary = file
	}
	return db, nil
}

func open(name string, options *bbolt.Options) (*DB, error) {
	if err := checkUnopened(name); err != nil {
		return nil, openError(name, err)
	}
	db := &DB{damaged: make(chan error, 1)}
	options.OpenFile = openInto(&db.file)
	var err error
	if db.bolt, err = bbolt.Open(name, 0o644, options); err != nil {
		return nil, openError(name, err)
	}
	if err := db.bolt.Update(prepare); err != nil {
		return nil, errors.Join(openError(name, err), db.bolt.Close())
	}
	return db, nil
}

// checkUnopened checks a file, if there is one, before bbolt reads its free list.
func checkUnopened(name string) error {
	if info, err := os.Stat(name); err != nil || info.Size() == 0 {
		return nil // bbolt makes a new one, or has a better error
	}
	var file *os.File
	b, err := bbolt.Open(name, 0, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true, OpenFile: openInto(&file)})
	if err != nil {
		return err
	}
	return errors.Join(check(file), b.Close())
}

// openInto returns an os.OpenFile for bbolt that also stores the opened file in file.
func openInto(file **os.File) func(string, int, os.FileMode) (*os.File, error) {
	return func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
		f, err = os.OpenFile(name, flag, perm)
		*file = f
		return f, err
	}
}

func openError(name string, err error) error {
	if errors.Is(err, bolterrors.ErrTimeout) {
		return fmt.Errorf("open %s: another process has it open: stop that one, or use another file", name)
	}
	return fmt.Errorf("open %s: %w", name, err)
}

// buckets returns the names of the buckets that every file has.
func buckets() [][]byte {
	all := [][]byte{meta, references, tombstones, catalogue, catalogueByPushed, members}
	for _, order := range store.Indexes {
		all = append(all, []byte(order.String()))
	}
	return all
}

// prepare makes the buckets of a new file. Then it checks the data version, and that no
// bucket is missing.
func prepare(tx *bbolt.Tx) error {
	if isEmpty(tx) {
		if err := makeBuckets(tx); err != nil {
			return err
		}
	}
	if err := checkVersion(tx); err != nil {
		return err
	}
	for _, bucket := range buckets() {
		if tx.Bucket(bucket) == nil {
			return damage{fmt.Errorf("it has no bucket %s", bucket)}
		}
	}
	_, err := tx.CreateBucketIfNotExists(states)
	return err
}

func makeBuckets(tx *bbolt.Tx) error {
	for _, bucket := range buckets() {
		if _, err := tx.CreateBucket(bucket); err != nil {
			return err
		}
	}
	return tx.Bucket(meta).Put(versionKey, []byte(strconv.Itoa(store.DataVersion)))
}

func isEmpty(tx *bbolt.Tx) bool {
	bucket, _ := tx.Cursor().First()
	return bucket == nil
}

// checkVersion checks the version of the data in the file. Data without the bucket meta
// is older than the first release.
func checkVersion(tx *bbolt.Tx) error {
	bucket := tx.Bucket(meta)
	if bucket == nil {
		return store.CheckDataVersion(0)
	}
	text := string(bucket.Get(versionKey))
	version, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%w %s: the file is damaged or not a store: restore a copy, or use another file", store.ErrDataVersion, reference.Quote(text))
	}
	return store.CheckDataVersion(version)
}

// Damaged returns a channel that gets an error when the file turns out to be damaged.
// From then on every call fails with that error.
func (db *DB) Damaged() <-chan error { return db.damaged }

// Close waits for running calls and closes the file. A damaged file stays open until the
// process ends: a transaction that panicked may have left it locked.
func (db *DB) Close() (err error) {
	if db.damage.Load() == nil {
		err = db.bolt.Close()
	}
	if db.temporary != "" {
		err = errors.Join(err, os.Remove(db.temporary))
	}
	return err
}
