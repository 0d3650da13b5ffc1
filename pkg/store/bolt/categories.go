package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// member is the stored form of a member's newest membership.
type member struct {
	Rank    string `json:"rank"` // begins with the time of receipt
	Removed bool   `json:"removed,omitempty"`
}

// Categorize implements store.Writer.
func (db *DB) Categorize(ctx context.Context, m event.Membership) error {
	err := db.update(ctx, func(tx *bbolt.Tx) error {
		k := key(m.Category, store.Partition(m.Name))
		old, err := get[member](tx.Bucket(members), k)
		if err != nil || m.Rank() <= old.Rank {
			return err
		}
		return put(tx.Bucket(members), k, member{m.Rank(), m.Removed})
	})
	if err != nil {
		return fmt.Errorf("categorize %s as %s: %w", m.Name, m.Category, err)
	}
	return nil
}

// Members implements store.Reader.
func (db *DB) Members(ctx context.Context, category string) (all []event.Member, err error) {
	var prefix []byte
	if category != "" {
		prefix = key(category, "")
	}
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(members).Cursor()
		for k, v := cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
			m, err := decodeMember(k, v)
			if err != nil {
				return err
			}
			if !m.Removed {
				all = append(all, m.Member)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	// Partitions do not sort as names do.
	slices.SortFunc(all, event.Member.Compare)
	return all, nil
}

func decodeMember(k, v []byte) (event.Membership, error) {
	kept, err := decode[member](k, v)
	if err != nil {
		return event.Membership{}, err
	}
	category, partition := splitKey(k)
	m := event.Membership{Member: event.Member{Category: category, Name: store.NameOf(partition)}}
	if err := m.SetRank(kept.Rank); err != nil {
		return event.Membership{}, fmt.Errorf("value of %q: %w", k, err)
	}
	return m, nil
}
