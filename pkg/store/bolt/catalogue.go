package bolt

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// refreshEntry makes the catalogue agree with the references of a name. A name with
// a live reference is listed twice: by name, and by the pushed key of its entry.
func refreshEntry(tx *bbolt.Tx, name reference.Name) error {
	// A write that has begun does not end with the context of its caller.
	entry, err := scanner(tx).Entry(context.Background(), name)
	if err != nil {
		return err
	}
	listed, pushed := []byte(store.Partition(name)), []byte(nil)
	if entry.Published() {
		pushed = []byte(entry.PushedKey())
	}
	old := tx.Bucket(catalogue).Get(listed)
	if bytes.Equal(old, pushed) {
		return nil
	}
	if old != nil {
		if err := tx.Bucket(catalogueByPushed).Delete(old); err != nil {
			return err
		}
	}
	if pushed == nil {
		return tx.Bucket(catalogue).Delete(listed)
	}
	if err := tx.Bucket(catalogueByPushed).Put(pushed, listed); err != nil {
		return err
	}
	return tx.Bucket(catalogue).Put(listed, pushed)
}

// Repositories implements store.Reader.
func (db *DB) Repositories(ctx context.Context, l store.Listing) (page store.Page[store.Entry], err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		for e, err := range published(tx, l) {
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return err
			}
			if !l.Has(e) {
				continue
			}
			if len(page.Items) == l.Limit {
				page.Next = l.Place(page.Items[l.Limit-1])
				return nil
			}
			entry, err := scanner(tx).Entry(ctx, e.Name)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, entry)
		}
		return nil
	})
	if err != nil {
		return store.Page[store.Entry]{}, fmt.Errorf("list repositories: %w", err)
	}
	return page, nil
}

// published yields the catalogue in the order of l, starting behind l.After. The entries
// have only the fields that l.Has reads: the name and the newest reference.
func published(tx *bbolt.Tx, l store.Listing) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		if l.Newest {
			cursor := tx.Bucket(catalogueByPushed).Cursor()
			for pushed, listed := lastBelow(cursor, []byte(cmp.Or(l.After, afterAll))); pushed != nil; pushed, listed = cursor.Prev() {
				if !yield(listedEntry(listed, pushed)) {
					return
				}
			}
			return
		}
		cursor := tx.Bucket(catalogue).Cursor()
		for listed, pushed := cursor.Seek([]byte(l.After)); listed != nil; listed, pushed = cursor.Next() {
			if string(listed) != l.After && !yield(listedEntry(listed, pushed)) {
				return
			}
		}
	}
}

// listedEntry decodes an entry from its pushed key.
func listedEntry(listed, pushed []byte) (store.Entry, error) {
	newest, ok := store.SplitPushedKey(string(pushed))
	if !ok {
		return store.Entry{}, fmt.Errorf("the catalogue has %q for %q", pushed, listed)
	}
	return store.Entry{Name: store.NameOf(string(listed)), Newest: event.Push{Reference: newest}}, nil
}

// Entries implements store.Reader.
func (db *DB) Entries(ctx context.Context, names []reference.Name) (entries []store.Entry, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			entry, err := scanner(tx).Entry(ctx, name)
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	return entries, nil
}
