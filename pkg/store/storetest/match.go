package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ocireffer/pkg/store"
)

// matchEndsWithItsContext: a slow Match is not called again once the caller's context has
// ended.
func matchEndsWithItsContext(t *testing.T, s store.Store) {
	for i := range 10 {
		push(t, s, washOf(fmt.Sprintf("1.%d", i), 1, i))
	}
	for _, order := range orders {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		_, err := s.Pick(ctx, store.Query{Name: anywhere("wash"), Order: order, Match: func(string) bool {
			calls++
			if calls == 3 {
				cancel()
			}
			return false
		}})
		cancel()
		if !errors.Is(err, context.Canceled) || calls != 3 {
			t.Errorf("Pick, %s, whose context ends in the third of 10 references: %v after %d, want context.Canceled after 3", order, err, calls)
		}
	}
}
