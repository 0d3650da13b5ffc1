// Package bolt is the embedded backend: one file, for the local runner. It keeps
// the same records as the DynamoDB table, but each event is one transaction, so
// nothing is ever half done, and a catalogue entry is never behind its references.
// Tombstones stay for good.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
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
	temporary string // the file that Close removes; empty: none
}

// Buckets. Besides these there is an index bucket for each order, which has its name.
var (
	meta              = []byte("meta")              // version -> store.DataVersion
	references        = []byte("references")        // partition, reference -> record
	tombstones        = []byte("tombstones")        // partition, target -> tombstone
	catalogue         = []byte("catalogue")         // name -> push key of its newest reference
	catalogueByPushed = []byte("catalogueByPushed") // the same push key, name -> nothing
	members           = []byte("members")           // category, partition -> member
)

var versionKey = []byte("version")

// separator ends the first part of a key. No name and no sort key contains it.
const separator = "\x00"

// indexOf returns the bucket of an order: partition, sort key -> reference. It has
// live references only.
func indexOf(tx *bbolt.Tx, order store.Order) *bbolt.Bucket {
	return tx.Bucket([]byte(order.String()))
}

// Open opens the store in file and creates the file if it does not exist. Only one
// process can have it open. If this build cannot use the data in the file, the file
// is left as it is and the error is a store.ErrDataVersion.
func Open(file string) (*DB, error) {
	return open(file, &bbolt.Options{Timeout: time.Second})
}

// OpenTemporary opens an empty store that lasts until Close. Its file is in the
// folder for temporary files. It is removed at once, or by Close on a system that
// cannot remove an open file.
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

func open(file string, options *bbolt.Options) (*DB, error) {
	b, err := bbolt.Open(file, 0o644, options)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: another process has it open: stop that one, or use another file", file)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	// Concurrent writers share a commit; a single one waits this long.
	b.MaxBatchDelay = time.Millisecond
	if err := b.Update(prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", file, err), b.Close())
	}
	return &DB{bolt: b}, nil
}

// prepare checks the version of the data in the file. In a new file it makes the
// buckets.
func prepare(tx *bbolt.Tx) error {
	if !isEmpty(tx) {
		return checkVersion(tx)
	}
	buckets := [][]byte{meta, references, tombstones, catalogue, catalogueByPushed, members}
	for _, order := range store.Orders {
		buckets = append(buckets, []byte(order.String()))
	}
	for _, bucket := range buckets {
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

// checkVersion checks the version of the data in the file. Data without the bucket
// meta is from before the first release.
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

// Close waits for running calls and closes the file.
func (db *DB) Close() error {
	err := db.bolt.Close()
	if db.temporary != "" {
		err = errors.Join(err, os.Remove(db.temporary))
	}
	return err
}

// view runs f in a transaction that changes nothing.
func (db *DB) view(ctx context.Context, f func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.bolt.View(f)
}

// update runs f in a transaction that it may share with others. If another one
// fails, f runs again.
func (db *DB) update(ctx context.Context, f func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.bolt.Batch(f)
}
