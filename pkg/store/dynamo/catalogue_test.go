package dynamo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// Scripts play concurrent refreshes of one entry. A script says what happens before a
// refresh reads the entry's revision, and before it writes.

// A script has steps for the calls of GetItem and PutItem on the catalogue. The first
// step of an operation runs before its first call, and so on.
type script struct {
	mu    sync.Mutex
	steps map[string][]func()
	calls map[string]int
}

func (s *script) before(operation, body string) {
	if operation != "GetItem" && operation != "PutItem" || !strings.Contains(body, `"#catalogue"`) {
		return
	}
	s.mu.Lock()
	s.calls[operation]++
	var step func()
	if steps := s.steps[operation]; len(steps) > 0 {
		step, s.steps[operation] = steps[0], steps[1:]
	}
	s.mu.Unlock()
	if step != nil {
		step()
	}
}

// scripted opens a table that follows a script.
func scripted(t *testing.T, table string, steps map[string][]func()) (*DB, *script) {
	t.Helper()
	s := &script{steps: steps, calls: map[string]int{}}
	return openTable(t, table, before(s.before)), s
}

// wantEntry wants the catalogue to list wash with p as the newest reference.
func wantEntry(t *testing.T, db *DB, p event.Push) {
	t.Helper()
	page, err := db.Repositories(t.Context(), store.Listing{Span: store.Span{Limit: 10}})
	if err != nil {
		t.Fatalf("Repositories: %v", err)
	}
	want := []store.Entry{{Name: wash, Newest: p, Highest: p.Reference}}
	if diff := cmp.Diff(want, page.Items); diff != "" {
		t.Errorf("Repositories: -want +got\n%s", diff)
	}
}

func wantCalls(t *testing.T, s *script, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Errorf("calls about the catalogue: -want +got\n%s", diff)
	}
}

// pushLater pushes through another client than the one that waits for it.
func pushLater(t *testing.T, db *DB, p event.Push) func() {
	return func() {
		if err := db.Push(context.WithoutCancel(t.Context()), p); err != nil {
			t.Errorf("Push(%s): %v", p.Reference, err)
		}
	}
}

func TestRefreshWithOlderReferencesLoses(t *testing.T) {
	t.Parallel()
	older, newer := washOf("1.0.0", 1, 1), washOf("1.1.0", 2, 2)
	for _, c := range []struct {
		name   string
		stored []event.Push
	}{
		{"to the first entry", nil},
		{"to the second entry", []event.Push{washOf("0.1.0", 3, -3)}},
		{"to the third entry", []event.Push{washOf("0.1.0", 3, -3), washOf("0.2.0", 4, -2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := dynamotest.Table(t)
			other := openTable(t, table, nil)
			push(t, other, c.stored...)
			// older's refresh has already read the references when newer is pushed.
			db, s := scripted(t, table, map[string][]func(){"PutItem": {pushLater(t, other, newer)}})
			push(t, db, older)
			wantEntry(t, other, newer)
			wantCalls(t, s, map[string]int{"GetItem": 1, "PutItem": 2})
		})
	}
}

func TestRefreshReadsTheRevisionBeforeTheReferences(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	other := openTable(t, table, nil)
	newer := washOf("1.1.0", 2, 2)
	db, s := scripted(t, table, map[string][]func(){"GetItem": {pushLater(t, other, newer)}})
	push(t, db, washOf("1.0.0", 1, 1))
	wantEntry(t, other, newer)
	wantCalls(t, s, map[string]int{"GetItem": 1, "PutItem": 1})
}

// TestRefreshThatLosesTriesAgain: the winner reads the references before the loser's is
// among them, and writes the entry after the loser has read its revision.
func TestRefreshThatLosesTriesAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		stored []event.Push
	}{
		{"for the first entry", nil},
		{"for the second entry", []event.Push{washOf("0.1.0", 3, -3)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := dynamotest.Table(t)
			push(t, openTable(t, table, nil), c.stored...)
			waits, goes, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			letGo := sync.OnceFunc(func() { close(goes) })
			defer func() { letGo(); <-done }()
			winner, _ := scripted(t, table, map[string][]func(){"PutItem": {func() { close(waits); <-goes }}})
			go func() {
				defer close(done)
				pushLater(t, winner, washOf("1.0.0", 1, 1))()
			}()
			select {
			case <-waits:
			case <-done:
				t.Fatal("the push did not write the entry")
			}
			newer := washOf("1.1.0", 2, 2)
			loser, s := scripted(t, table, map[string][]func(){"PutItem": {func() { letGo(); <-done }}})
			push(t, loser, newer)
			wantEntry(t, loser, newer)
			wantCalls(t, s, map[string]int{"GetItem": 1, "PutItem": 2})
		})
	}
}

func TestRefreshTriesTwice(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	other := openTable(t, table, nil)
	newest := washOf("1.3.0", 3, 3)
	db, s := scripted(t, table, map[string][]func(){"PutItem": {
		pushLater(t, other, washOf("1.2.0", 2, 2)), pushLater(t, other, newest),
	}})
	push(t, db, washOf("1.1.0", 1, 1))
	wantEntry(t, other, newest)
	wantCalls(t, s, map[string]int{"GetItem": 1, "PutItem": 2})
}

// TestRefreshWritesAnUnchangedEntry: otherwise it could not make another refresh fail
// that read a reference before its delete.
func TestRefreshWritesAnUnchangedEntry(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	other := openTable(t, table, nil)
	kept, deleted := washOf("1.0.0", 1, 1), washOf("1.1.0", 2, 2)
	push(t, other, kept)
	db, s := scripted(t, table, map[string][]func(){"PutItem": {func() {
		if _, err := other.Delete(context.WithoutCancel(t.Context()), deleteOfDigest(2, 10)); err != nil {
			t.Error(err)
		}
	}}})
	push(t, db, deleted)
	wantEntry(t, other, kept)
	wantCalls(t, s, map[string]int{"GetItem": 1, "PutItem": 2})
}

// TestRefreshOfAnEmptiedEntry: an emptied entry counts its revisions, too.
func TestRefreshOfAnEmptiedEntry(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	other := openTable(t, table, nil)
	push(t, other, washOf("1.0.0", 1, 1))
	wantDeleted(t, other, deleteOf(10), 1)
	newer := washOf("1.3.0", 3, 30)
	db, s := scripted(t, table, map[string][]func(){"PutItem": {pushLater(t, other, newer)}})
	push(t, db, washOf("1.2.0", 2, 20))
	wantEntry(t, other, newer)
	wantCalls(t, s, map[string]int{"GetItem": 1, "PutItem": 2})
}

// TestRefreshOfADroppedEntry: DynamoDB drops the expired entry after the refresh has read
// its revision.
func TestRefreshOfADroppedEntry(t *testing.T) {
	t.Parallel()
	table := dynamotest.Table(t)
	other := openTable(t, table, nil)
	push(t, other, washOf("1.0.0", 1, 1))
	wantDeleted(t, other, deleteOf(10), 1)
	db, s := scripted(t, table, map[string][]func(){"PutItem": {func() {
		_, err := raw(other).DeleteItem(context.WithoutCancel(t.Context()), &dynamodb.DeleteItemInput{TableName: &table, Key: keyOf(catalogue, "wash")})
		if err != nil {
			t.Error(err)
		}
	}}})
	newest := washOf("1.2.0", 2, 20)
	push(t, db, newest)
	wantEntry(t, other, newest)
	wantCalls(t, s, map[string]int{"GetItem": 1, "PutItem": 2})
}

// TestEntryOfAReferenceThatIsDeletedMeanwhile: the last reference is deleted between the
// reads of the newest and of the highest version.
func TestEntryOfAReferenceThatIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		entry func(context.Context, *DB) error
	}{
		{"in the catalogue", func(ctx context.Context, db *DB) error { return db.refreshEntry(ctx, wash) }},
		{"of a registry's repository", func(ctx context.Context, db *DB) error {
			entries, err := db.Entries(ctx, []reference.Name{itsWash})
			if err == nil && entries[0].Published() {
				err = fmt.Errorf("it is published: %+v", entries[0])
			}
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := dynamotest.Table(t)
			other := openTable(t, table, nil)
			push(t, other, washOf("1.0.0", 1, 1))
			queries := 0
			db := openTable(t, table, before(func(operation, _ string) {
				if operation != "Query" {
					return
				}
				if queries++; queries == 2 {
					if _, err := other.Delete(context.WithoutCancel(t.Context()), deleteOf(10)); err != nil {
						t.Error(err)
					}
				}
			}))
			if err := c.entry(t.Context(), db); err != nil {
				t.Errorf("entry: %v", err)
			}
			if queries < 2 {
				t.Errorf("it made %d queries, want 2", queries)
			}
			page, err := other.Repositories(t.Context(), store.Listing{Span: store.Span{Limit: 10}})
			if err != nil || len(page.Items) > 0 {
				t.Errorf("Repositories = %+v, %v, want none", page, err)
			}
		})
	}
}
