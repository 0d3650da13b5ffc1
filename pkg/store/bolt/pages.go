package bolt

import (
	"bytes"
	"context"
	"iter"

	"go.etcd.io/bbolt"
)

// rowsAtOnce is how many keys rows reads in one transaction.
const rowsAtOnce = 1000

// rows yields what read makes of each key in a bucket that begins with prefix. read may
// leave a key out. Each page of keys has its own transaction: the caller's loop may
// write, and a write inside an open read transaction would deadlock in bbolt.
func rows[T any](ctx context.Context, db *DB, bucket, prefix []byte, read func(k, v []byte) (row T, ok bool, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for from := append([]byte{}, prefix...); from != nil; {
			var page []T
			err := db.view(ctx, func(tx *bbolt.Tx) (err error) {
				page, from, err = readPage(tx.Bucket(bucket).Cursor(), from, prefix, rowsAtOnce, read)
				return err
			})
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// readPage returns the rows of up to size keys, and the key that begins the next page, or
// nil on the last.
func readPage[T any](cursor *bbolt.Cursor, from, prefix []byte, size int, read func(k, v []byte) (T, bool, error)) (page []T, next []byte, err error) {
	looked := 0
	for k, v := cursor.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		if looked == size {
			return page, bytes.Clone(k), nil
		}
		looked++
		row, ok, err := read(k, v)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			page = append(page, row)
		}
	}
	return page, nil, nil
}
