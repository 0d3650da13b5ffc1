// Package bolt is the embedded backend: one file, for the local runner. It
// keeps the same records as the DynamoDB table, each change in one transaction,
// so nothing here is ever half done. What deletes leave behind stays for good.
package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
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
	temporary string // file to remove with Close, if any
}

// Buckets. A key begins with the name and a separator that no name has; what
// follows is in the index buckets the text to sort by, and in the others the
// reference or what a delete reaches. Values of the index buckets are keys of
// references.
var (
	references = []byte("references")
	deletes    = []byte("deletes")
	catalog    = []byte("catalog")    // names that are listed
	categories = []byte("categories") // category, slash, name
	indexes    = map[store.Order][]byte{
		store.ByPushed:  []byte("byPushed"),
		store.ByRelease: []byte("byRelease"),
		store.ByVersion: []byte("byVersion"),
	}
)

const separator = "\x00"

// record is a reference as it is kept, live unless Deleted.
type record struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest,omitempty"`
	MediaType string `json:"mediaType,omitempty"`
	Size      int64  `json:"size"`
	PushedAt  string `json:"pushedAt"`
	Deleted   bool   `json:"deleted,omitempty"`
}

// membership is the newest of a member, as it is kept.
type membership struct {
	Out bool   `json:"out,omitempty"`
	At  string `json:"at"`
}

// Open opens the store in file and makes it if there is none. Only one process
// can have it open.
func Open(file string) (*DB, error) {
	return open(file, &bbolt.Options{Timeout: time.Second})
}

// OpenTemporary opens an empty store that keeps nothing beyond its Close: all
// that it holds is in memory, behind a file that has no name any more, or loses
// it with Close on a system that removes no open file.
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
		return nil, fmt.Errorf("open %s: another process has it open", file)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	// Writers that come together share a commit; a lone one waits this long.
	b.MaxBatchDelay = time.Millisecond
	err = b.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{references, deletes, catalog, categories, indexes[store.ByPushed], indexes[store.ByRelease], indexes[store.ByVersion]} {
			if _, err := tx.CreateBucketIfNotExists(bucket); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", file, err), b.Close())
	}
	return &DB{bolt: b}, nil
}

// Close waits for running calls and closes the file.
func (db *DB) Close() error {
	err := db.bolt.Close()
	if db.temporary != "" {
		err = errors.Join(err, os.Remove(db.temporary))
	}
	return err
}

// Push implements store.Writer.
func (db *DB) Push(ctx context.Context, p store.Push) error {
	err := db.update(ctx, func(tx *bbolt.Tx) error {
		for _, name := range p.Names() {
			if err := push(tx, name, p); err != nil {
				return err
			}
		}
		return list(tx, p.Names()[0])
	})
	if err != nil {
		return fmt.Errorf("push %s: %w", p.Reference, err)
	}
	return nil
}

func push(tx *bbolt.Tx, name string, p store.Push) error {
	old, oldRecord, found, err := get(tx, name, p.Reference.String())
	if err != nil {
		return err
	}
	if found && p.Compare(old) <= 0 {
		return nil
	}
	if found && !oldRecord.Deleted {
		if err := unindex(tx, name, old); err != nil {
			return err
		}
	}
	deleted, err := isDeleted(tx, name, p)
	if err != nil {
		return err
	}
	if !deleted {
		if err := index(tx, name, p); err != nil {
			return err
		}
	}
	return put(tx, name, p, deleted)
}

// isDeleted reports whether a delete that reaches p was stored before.
func isDeleted(tx *bbolt.Tx, name string, p store.Push) (bool, error) {
	for _, d := range p.Threats() {
		at := tx.Bucket(deletes).Get([]byte(name + separator + d.Target()))
		if at == nil {
			continue
		}
		var err error
		if d.DeletedAt, err = store.ParseStamp(string(at)); err != nil {
			return false, fmt.Errorf("read the delete of %s: %w", d.Target(), err)
		}
		if d.Reaches(p) {
			return true, nil
		}
	}
	return false, nil
}

// Delete implements store.Writer.
func (db *DB) Delete(ctx context.Context, d store.Delete) (int, error) {
	var gone map[string]bool
	err := db.update(ctx, func(tx *bbolt.Tx) error {
		gone = map[string]bool{}
		for _, name := range d.Names() {
			if err := remove(tx, name, d, gone); err != nil {
				return err
			}
		}
		return list(tx, d.Names()[0])
	})
	if err != nil {
		return 0, fmt.Errorf("delete %s: %w", d.Target(), err)
	}
	return len(gone), nil
}

// remove stores d under name and adds the references that it takes out to gone.
func remove(tx *bbolt.Tx, name string, d store.Delete, gone map[string]bool) error {
	key, at := []byte(name+separator+d.Target()), []byte(store.Stamp(d.DeletedAt))
	if bytes.Compare(tx.Bucket(deletes).Get(key), at) < 0 {
		if err := tx.Bucket(deletes).Put(key, at); err != nil {
			return err
		}
	}
	prefix := []byte(name + separator + d.Registry + "/" + d.Repository + ":")
	var reached []store.Push
	cursor := tx.Bucket(references).Cursor()
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		p, rec, err := decode(name, v)
		if err != nil {
			return err
		}
		if !rec.Deleted && d.Reaches(p) {
			reached = append(reached, p)
		}
	}
	for _, p := range reached {
		if err := unindex(tx, name, p); err != nil {
			return err
		}
		if err := put(tx, name, p, true); err != nil {
			return err
		}
		gone[p.Reference.String()] = true
	}
	return nil
}

// list keeps the catalogue's list of names: those with a live reference.
func list(tx *bbolt.Tx, name string) error {
	key, _ := last(tx.Bucket(indexes[store.ByPushed]).Cursor(), name, "")
	if key == nil {
		return tx.Bucket(catalog).Delete([]byte(name))
	}
	return tx.Bucket(catalog).Put([]byte(name), nil)
}

// last moves the cursor of an index to the greatest key of name, or to the one
// before before if that is given. It gives nil if there is none.
func last(cursor *bbolt.Cursor, name, before string) (key, value []byte) {
	bound := name + "\x01" // greater than all keys of the name
	if before != "" {
		bound = name + separator + before
	}
	cursor.Seek([]byte(bound))
	key, value = cursor.Prev()
	if key == nil {
		key, value = cursor.Last()
	}
	if !bytes.HasPrefix(key, []byte(name+separator)) || string(key) >= bound {
		return nil, nil
	}
	return key, value
}

// view runs f in a transaction that changes nothing.
func (db *DB) view(ctx context.Context, f func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.bolt.View(f)
}

// Pick implements store.Reader.
func (db *DB) Pick(ctx context.Context, q store.Query) (p store.Push, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		p, err = pick(tx, q)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("pick %s: %w", q.Name, err)
	}
	return p, nil
}

func pick(tx *bbolt.Tx, q store.Query) (store.Push, error) {
	cursor := tx.Bucket(indexes[q.Order]).Cursor()
	key, value := last(cursor, q.Name, "")
	for range store.MaxScan {
		if !bytes.HasPrefix(key, []byte(q.Name+separator)) {
			break
		}
		p, _, err := decode(q.Name, tx.Bucket(references).Get(value))
		if err != nil || q.Match == nil || q.Match(p.Reference.Tag) {
			return p, err
		}
		key, value = cursor.Prev()
	}
	return store.Push{}, store.ErrNotFound
}

// Repositories implements store.Reader.
func (db *DB) Repositories(ctx context.Context, l store.Listing) (entries []store.Entry, more bool, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(catalog).Cursor()
		name, _ := cursor.Seek([]byte(l.After))
		if string(name) == l.After {
			name, _ = cursor.Next()
		}
		for ; name != nil; name, _ = cursor.Next() {
			if !l.Has(string(name)) {
				continue
			}
			if more = len(entries) == l.Limit; more {
				return nil
			}
			entry, err := entryOf(tx, string(name))
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("list repositories: %w", err)
	}
	return entries, more, nil
}

// Entries implements store.Reader.
func (db *DB) Entries(ctx context.Context, names []string) (entries []store.Entry, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		for _, name := range names {
			entry, err := entryOf(tx, name)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
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

// entryOf is the entry of a name. It has the name also where that is not found.
func entryOf(tx *bbolt.Tx, name string) (store.Entry, error) {
	entry := store.Entry{Name: name}
	var err error
	if entry.Newest, err = pick(tx, store.Query{Name: name, Order: store.ByPushed}); err != nil {
		return entry, err
	}
	highest, err := pick(tx, store.Query{Name: name, Order: store.ByRelease})
	entry.Version = highest.Version()
	return entry, err
}

// Categorize implements store.Writer.
func (db *DB) Categorize(ctx context.Context, m store.Membership) error {
	key := []byte(m.Member.Category + "/" + m.Member.Name)
	err := db.update(ctx, func(tx *bbolt.Tx) error {
		old, found, err := getMembership(tx, key)
		if err != nil || found && m.Compare(old) <= 0 {
			return err
		}
		v, err := json.Marshal(membership{m.Out, store.Stamp(m.At)})
		if err != nil {
			return err
		}
		return tx.Bucket(categories).Put(key, v)
	})
	if err != nil {
		return fmt.Errorf("categorize %s: %w", key, err)
	}
	return nil
}

// getMembership is what stands under a key of the bucket.
func getMembership(tx *bbolt.Tx, key []byte) (m store.Membership, found bool, err error) {
	v := tx.Bucket(categories).Get(key)
	if v == nil {
		return m, false, nil
	}
	var kept membership
	if err = json.Unmarshal(v, &kept); err == nil {
		m.Out = kept.Out
		m.At, err = store.ParseStamp(kept.At)
	}
	if err != nil {
		return m, false, fmt.Errorf("read the membership %s: %w", key, err)
	}
	m.Member.Category, m.Member.Name, _ = strings.Cut(string(key), "/")
	return m, true, nil
}

// Members implements store.Reader.
func (db *DB) Members(ctx context.Context, category string) (members []store.Member, err error) {
	var prefix []byte
	if category != "" {
		prefix = []byte(category + "/")
	}
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(categories).Cursor()
		for key, _ := cursor.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
			m, _, err := getMembership(tx, key)
			if err != nil {
				return err
			}
			if !m.Out {
				members = append(members, m.Member)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	// Keys sort a-b/ before a/.
	slices.SortFunc(members, store.Member.Compare)
	return members, nil
}

// References implements store.Reader.
func (db *DB) References(ctx context.Context, name, after string, limit int) (pushes []store.Push, more bool, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(indexes[store.ByPushed]).Cursor()
		key, value := last(cursor, name, after)
		for ; bytes.HasPrefix(key, []byte(name+separator)) && len(pushes) < limit; key, value = cursor.Prev() {
			p, _, err := decode(name, tx.Bucket(references).Get(value))
			if err != nil {
				return err
			}
			pushes = append(pushes, p)
		}
		more = bytes.HasPrefix(key, []byte(name+separator))
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("list references of %s: %w", name, err)
	}
	return pushes, more, nil
}

// update runs f in a transaction that it may share with others; f may run more
// than once.
func (db *DB) update(ctx context.Context, f func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.bolt.Batch(f)
}

func get(tx *bbolt.Tx, name, ref string) (p store.Push, rec record, found bool, err error) {
	v := tx.Bucket(references).Get([]byte(name + separator + ref))
	if v == nil {
		return p, rec, false, nil
	}
	p, rec, err = decode(name, v)
	return p, rec, true, err
}

func put(tx *bbolt.Tx, name string, p store.Push, deleted bool) error {
	v, err := json.Marshal(record{
		Reference: p.Reference.String(),
		Digest:    p.Digest,
		MediaType: p.MediaType,
		Size:      p.Size,
		PushedAt:  store.Stamp(p.PushedAt),
		Deleted:   deleted,
	})
	if err != nil {
		return err
	}
	return tx.Bucket(references).Put([]byte(name+separator+p.Reference.String()), v)
}

func decode(name string, v []byte) (store.Push, record, error) {
	var rec record
	if err := json.Unmarshal(v, &rec); err != nil {
		return store.Push{}, rec, fmt.Errorf("read a record: %w", err)
	}
	ref, err := reference.Parse(rec.Reference)
	if err != nil {
		return store.Push{}, rec, fmt.Errorf("read a record: %w", err)
	}
	pushedAt, err := store.ParseStamp(rec.PushedAt)
	if err != nil {
		return store.Push{}, rec, fmt.Errorf("read the record of %s: %w", ref, err)
	}
	return store.Push{Name: store.NameByHand(name, ref), Reference: ref, Digest: rec.Digest, MediaType: rec.MediaType, Size: rec.Size, PushedAt: pushedAt}, rec, nil
}

func index(tx *bbolt.Tx, name string, p store.Push) error {
	value := []byte(name + separator + p.Reference.String())
	for order, key := range indexKeys(name, p) {
		if err := tx.Bucket(indexes[order]).Put(key, value); err != nil {
			return err
		}
	}
	return nil
}

func unindex(tx *bbolt.Tx, name string, p store.Push) error {
	for order, key := range indexKeys(name, p) {
		if err := tx.Bucket(indexes[order]).Delete(key); err != nil {
			return err
		}
	}
	return nil
}

func indexKeys(name string, p store.Push) map[store.Order][]byte {
	keys := p.Keys()
	return map[store.Order][]byte{
		store.ByPushed:  []byte(name + separator + keys.Pushed),
		store.ByRelease: []byte(name + separator + keys.Release),
		store.ByVersion: []byte(name + separator + keys.Version),
	}
}
