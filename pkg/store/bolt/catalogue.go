package bolt

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// refreshEntry makes the catalogue agree with the references of a name. A name with
// a live reference is listed twice: by name, and by the push key of its newest
// reference.
func refreshEntry(tx *bbolt.Tx, name reference.Name) error {
	listed := []byte(store.Partition(name))
	pushed, err := newestKey(tx, name)
	if err != nil {
		return err
	}
	old := string(tx.Bucket(catalogue).Get(listed))
	if old == pushed {
		return nil
	}
	if old != "" {
		if err := tx.Bucket(catalogueByPushed).Delete(key(old, string(listed))); err != nil {
			return err
		}
	}
	if pushed == "" {
		return tx.Bucket(catalogue).Delete(listed)
	}
	if err := tx.Bucket(catalogueByPushed).Put(key(pushed, string(listed)), nil); err != nil {
		return err
	}
	return tx.Bucket(catalogue).Put(listed, []byte(pushed))
}

// newestKey returns the push key of the newest reference of a name, empty if it has
// none.
func newestKey(tx *bbolt.Tx, name reference.Name) (string, error) {
	newest, err := first(tx, name, store.ByPushed)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return store.KeysOf(newest)[store.ByPushed], nil
}

// Repositories implements store.Reader.
func (db *DB) Repositories(ctx context.Context, l store.Listing) (page store.Page[store.Entry], err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(catalogue).Cursor()
		listed, _ := cursor.Seek([]byte(l.After))
		if l.After != "" && string(listed) == l.After {
			listed, _ = cursor.Next()
		}
		for ; listed != nil; listed, _ = cursor.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !l.Has(string(listed)) {
				continue
			}
			if len(page.Items) == l.Limit {
				page.Next = store.Partition(page.Items[l.Limit-1].Name)
				return nil
			}
			entry, err := entryOf(tx, store.NameOf(string(listed)))
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

// Entries implements store.Reader.
func (db *DB) Entries(ctx context.Context, names []reference.Name) (entries []store.Entry, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			entry, err := entryOf(tx, name)
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

// entryOf returns the entry of a name. It is not published if the name has no live
// reference.
func entryOf(tx *bbolt.Tx, name reference.Name) (store.Entry, error) {
	newest, err := first(tx, name, store.ByPushed)
	if errors.Is(err, store.ErrNotFound) {
		return store.Entry{Name: name}, nil
	}
	if err != nil {
		return store.Entry{}, err
	}
	highest, err := first(tx, name, store.ByRelease)
	if err != nil {
		return store.Entry{}, err
	}
	return store.Entry{Name: name, Newest: newest, Version: highest.Version()}, nil
}
