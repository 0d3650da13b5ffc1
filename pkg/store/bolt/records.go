package bolt

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Each register stores the rank of its newest event as text. The greater rank wins.

// key joins the two parts of a key.
func key(first, second string) []byte { return []byte(first + separator + second) }

// splitKey is the reverse of key.
func splitKey(k []byte) (first, second string) {
	first, second, _ = strings.Cut(string(k), separator)
	return first, second
}

// record is the stored form of a reference.
type record struct {
	Rank    string `json:"rank"`
	Deleted bool   `json:"deleted,omitempty"` // covered by a tombstone

	push event.Push // from the key and the rank
}

func (r record) isLive() bool { return r.Rank != "" && !r.Deleted }

// getRecord returns the record of a reference, empty if there is none.
func getRecord(tx *bbolt.Tx, partition, ref string) (record, error) {
	k := key(partition, ref)
	v := tx.Bucket(references).Get(k)
	if v == nil {
		return record{}, nil
	}
	return decodeRecord(k, v)
}

func decodeRecord(k, v []byte) (record, error) {
	r, err := decode[record](k, v)
	if err != nil {
		return record{}, err
	}
	partition, ref := splitKey(k)
	split, ok := reference.Split(ref)
	if !ok {
		return record{}, fmt.Errorf("key %q has no reference", k)
	}
	r.push = event.Push{Reference: split, GivenName: store.GivenNameIn(partition, split)}
	if err := r.push.SetRank(r.Rank); err != nil {
		return record{}, fmt.Errorf("value of %q: %w", k, err)
	}
	return r, nil
}

func putRecord(tx *bbolt.Tx, partition string, p event.Push, deleted bool) error {
	return put(tx.Bucket(references), key(partition, p.Reference.String()), record{Rank: p.Rank(), Deleted: deleted})
}

// tombstone is the stored form of the newest delete of a target.
type tombstone struct {
	Rank       string `json:"rank"`       // the time of the delete
	ReceivedAt string `json:"receivedAt"` // kept so that the delete can be exported as it came
}

// getTombstone returns the newest delete of a target.
func getTombstone(tx *bbolt.Tx, partition string, target event.Target) (d event.Delete, found bool, err error) {
	k := key(partition, target.String())
	v := tx.Bucket(tombstones).Get(k)
	if v == nil {
		return event.Delete{}, false, nil
	}
	d, err = decodeTombstone(k, v)
	return d, true, err
}

func decodeTombstone(k, v []byte) (event.Delete, error) {
	kept, err := decode[tombstone](k, v)
	if err != nil {
		return event.Delete{}, err
	}
	partition, text := splitKey(k)
	target, ok := event.ParseTarget(text)
	if !ok {
		return event.Delete{}, fmt.Errorf("key %q has no target", k)
	}
	target.GivenName = store.GivenNameIn(partition, reference.Reference{Registry: target.Registry, Repository: target.Repository})
	deletedAt, err := event.ParseStamp(kept.Rank)
	receivedAt, err2 := event.ParseStamp(kept.ReceivedAt)
	if err := errors.Join(err, err2); err != nil {
		return event.Delete{}, fmt.Errorf("tombstone of %s: %w", target, err)
	}
	return event.Delete{Target: target, DeletedAt: deletedAt, ReceivedAt: receivedAt}, nil
}

// putTombstone stores d unless a newer delete of its target is stored.
func putTombstone(tx *bbolt.Tx, partition string, d event.Delete) error {
	k := key(partition, d.Target.String())
	old, err := get[tombstone](tx.Bucket(tombstones), k)
	if err != nil || d.Rank() <= old.Rank {
		return err
	}
	return put(tx.Bucket(tombstones), k, tombstone{d.Rank(), event.Stamp(d.ReceivedAt)})
}

// get returns the value of a key, empty if there is none.
func get[T any](bucket *bbolt.Bucket, k []byte) (value T, err error) {
	v := bucket.Get(k)
	if v == nil {
		return value, nil
	}
	return decode[T](k, v)
}

func decode[T any](k, v []byte) (T, error) {
	var value, zero T
	if err := json.Unmarshal(v, &value); err != nil {
		return zero, fmt.Errorf("value of %q: %w", k, err)
	}
	return value, nil
}

func put(bucket *bbolt.Bucket, k []byte, value any) error {
	v, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return bucket.Put(k, v)
}
