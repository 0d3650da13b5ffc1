package dynamo

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/store"
)

// State implements store.Reconciler. It makes one consistent read: 1 read unit for each 4
// KB.
func (db *DB) State(ctx context.Context, registry, key string) (store.State, error) {
	s := store.State{Key: key}
	found, err := db.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &db.table, Key: keyOf(states+registry, key), ConsistentRead: aws.Bool(true),
	})
	if err == nil && found.Item != nil {
		s, err = unmarshalState(found.Item)
	}
	if err != nil {
		return store.State{}, fmt.Errorf("read the state %s of %s: %w", key, registry, err)
	}
	return s, nil
}

// PutState implements store.Reconciler. It costs 1 write unit for each KB.
func (db *DB) PutState(ctx context.Context, registry string, s store.State) (bool, error) {
	item := keyOf(states+registry, s.Key)
	item[attrValue] = &types.AttributeValueMemberB{Value: append([]byte{}, s.Value...)} // a copy that is never nil
	written, stored, err := db.putRevision(ctx, item, s.Revision)
	if err == nil && !written {
		var now store.State
		now, err = unmarshalState(stored)
		written = now.Revision == s.Revision+1 && bytes.Equal(now.Value, s.Value)
	}
	if err != nil {
		return false, fmt.Errorf("write the state %s of %s: %w", s.Key, registry, err)
	}
	return written, nil
}

// States implements store.Reconciler. It costs 0.5 read units for each 4 KB.
func (db *DB) States(ctx context.Context, registry string) iter.Seq2[store.State, error] {
	return func(yield func(store.State, error) bool) {
		for item, err := range db.results(ctx, db.queryOf(states+registry)) {
			var s store.State
			if err == nil {
				s, err = unmarshalState(item)
			}
			if err != nil {
				err = fmt.Errorf("list the states of %s: %w", registry, err)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func unmarshalState(item attributes) (store.State, error) {
	revision, err := number(item, attrRevision)
	if err != nil {
		return store.State{}, err
	}
	s := store.State{Key: text(item, attrKey), Revision: revision}
	if value, ok := item[attrValue].(*types.AttributeValueMemberB); ok {
		s.Value = value.Value
	}
	return s, nil
}
