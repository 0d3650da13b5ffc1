package bolt

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/store"
)

// state is the stored form of a store.State.
type state struct {
	Revision int64  `json:"revision"`
	Value    []byte `json:"value"`
}

// State implements store.Reconciler.
func (db *DB) State(ctx context.Context, registry, stateKey string) (s store.State, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		kept, err := get[state](tx.Bucket(states), key(registry, stateKey))
		s = store.State{Key: stateKey, Value: kept.Value, Revision: kept.Revision}
		return err
	})
	if err != nil {
		return store.State{}, fmt.Errorf("read the state %s of %s: %w", stateKey, registry, err)
	}
	return s, nil
}

// PutState implements store.Reconciler.
func (db *DB) PutState(ctx context.Context, registry string, s store.State) (written bool, err error) {
	err = db.update(ctx, func(tx *bbolt.Tx) error {
		k := key(registry, s.Key)
		old, err := get[state](tx.Bucket(states), k)
		if err != nil {
			return err
		}
		if old.Revision != s.Revision {
			written = old.Revision == s.Revision+1 && bytes.Equal(old.Value, s.Value)
			return nil
		}
		written = true
		return put(tx.Bucket(states), k, state{s.Revision + 1, s.Value})
	})
	if err != nil {
		return false, fmt.Errorf("write the state %s of %s: %w", s.Key, registry, err)
	}
	return written, nil
}

// States implements store.Reconciler.
func (db *DB) States(ctx context.Context, registry string) iter.Seq2[store.State, error] {
	return func(yield func(store.State, error) bool) {
		for s, err := range rows(ctx, db, states, key(registry, ""), stateRow) {
			if err != nil {
				err = fmt.Errorf("list the states of %s: %w", registry, err)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

func stateRow(k, v []byte) (store.State, bool, error) {
	kept, err := decode[state](k, v)
	_, stateKey := splitKey(k)
	return store.State{Key: stateKey, Value: kept.Value, Revision: kept.Revision}, true, err
}
