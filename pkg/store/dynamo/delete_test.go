package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamomodel"
)

var errRefused = errors.New("refused")

// refuse makes a model refuse an operation.
func refuse(op string) func(string, string, any) error {
	return func(called, _ string, _ any) error {
		if called == op {
			return errRefused
		}
		return nil
	}
}

func wantReferences(t *testing.T, db *DB, name reference.Name, want int) {
	t.Helper()
	page, err := db.References(t.Context(), name, nil, store.Span{Limit: 1000})
	if err != nil || len(page.Items) != want {
		t.Errorf("References(%s) has %d, %v, want %d", name, len(page.Items), err, want)
	}
}

// TestTombstoneMarksItsOwnPartition: after a delete that marked nothing, each tombstone
// has a change. Both may be handled at the same time.
func TestTombstoneMarksItsOwnPartition(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for i, name := range washNames {
			t.Run(kind.name+" under "+name.String(), func(t *testing.T) {
				t.Parallel()
				model := NewModel(t)
				db := OnModel(model)
				push(t, db, washOf("1.0.0", 1, 0))
				model.Before = refuse("UpdateItem")
				if _, err := db.Delete(t.Context(), kind.delete); err != nil {
					t.Fatal(err)
				}
				model.Before = nil
				changes := changesOf(deleted(kind.delete))
				derive(t, db, changes[i])
				wantReferences(t, db, name, 0)
				wantReferences(t, db, washNames[1-i], 1)
				derive(t, db, changes...)
				wantReferences(t, db, washNames[1-i], 0)
			})
		}
	}
}

// TestLongDeleteMarksEachCopyOnce: marking a copy costs 5 write units. The changes of
// both tombstones are handled at the same time, as on AWS.
func TestLongDeleteMarksEachCopyOnce(t *testing.T) {
	t.Parallel()
	const many = 200
	model := NewModel(t)
	db := OnModel(model)
	for i := range many {
		push(t, db, washOf(fmt.Sprintf("1.%d.0", i), i, i))
	}
	model.Before = refuse("UpdateItem")
	d := deleteOf(many)
	if _, err := db.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	model.Before = nil
	before := map[string]dynamomodel.Units{}
	for _, name := range washNames {
		before[store.Partition(name)] = model.Units(store.Partition(name))
	}
	errs := make(chan error, len(washNames))
	for _, change := range changesOf(deleted(d)) {
		go func() { errs <- errors.Join(db.Derive(t.Context(), []Change{change})...) }()
	}
	for range washNames {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for _, name := range washNames {
		wantReferences(t, db, name, 0)
		partition := store.Partition(name)
		if got, want := model.Units(partition).Write-before[partition].Write, 5.0*many; got != want {
			t.Errorf("marks in %s took %g write units, want %g", partition, got, want)
		}
	}
}

// TestDeleteTellsWhyMarksFailed: the answer has the error, unless the marks only lack
// time or units.
func TestDeleteTellsWhyMarksFailed(t *testing.T) {
	t.Parallel()
	throttled := &types.ThrottlingException{Message: aws.String("throughput exceeded")}
	late := fmt.Errorf("mark: %w", context.DeadlineExceeded)
	for _, c := range []struct {
		name   string
		errs   [2]error // errors of the marks under each name
		failed bool
		more   bool
	}{
		{name: "no error", errs: [2]error{nil, nil}},
		{name: "throttled", errs: [2]error{throttled, throttled}, more: true},
		{name: "late", errs: [2]error{late, nil}, more: true},
		{name: "throttled and late", errs: [2]error{throttled, late}, more: true},
		{name: "refused", errs: [2]error{nil, errRefused}, more: true, failed: true},
		{name: "refused and throttled", errs: [2]error{errRefused, throttled}, more: true, failed: true},
		{name: "late and refused", errs: [2]error{late, errRefused}, more: true, failed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			model := NewModel(t)
			db := OnModel(model)
			push(t, db, washOf("1.0.0", 1, 0))
			model.Before = func(op, partition string, _ any) error {
				if op != "UpdateItem" {
					return nil
				}
				return c.errs[slices.IndexFunc(washNames, func(n reference.Name) bool { return store.Partition(n) == partition })]
			}
			got, err := db.Delete(t.Context(), deleteOf(10))
			if err != nil || got.More != c.more || errors.Is(got.Err, errRefused) != c.failed || (got.Err != nil) != c.failed {
				t.Errorf("Delete = %+v, %v, want More = %t, Err set: %t", got, err, c.more, c.failed)
			}
		})
	}
}

// TestDeleteWithoutStreamIsWholeOrFails: nobody marks the rest later, so it does not
// answer that more follow.
func TestDeleteWithoutStreamIsWholeOrFails(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"refused": errRefused, "late": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model := NewModel(t)
			db := OnModel(model, WithoutStream())
			push(t, db, washOf("1.0.0", 1, 0))
			var once sync.Once
			model.Before = func(op, _ string, _ any) (failed error) {
				if op == "UpdateItem" {
					once.Do(func() { failed = err })
				}
				return failed
			}
			if got, failed := db.Delete(t.Context(), deleteOf(10)); !errors.Is(failed, err) {
				t.Errorf("Delete = %+v, %v, want %v", got, failed, err)
			}
			wantDeleted(t, db, deleteOf(10), 1)
			wantViews(t, db, "wash", nil)
		})
	}
}

// TestDeleteLeavesALongerRepository: the references of wash-ui that were recorded by hand
// as wash lie beside those of wash.
func TestDeleteLeavesALongerRepository(t *testing.T) {
	t.Parallel()
	db := OnModel(NewModel(t), WithoutStream())
	other := washOf("1.0.0", 1, 0)
	other.Reference.Repository, other.GivenName = "wash-ui", "wash"
	for _, d := range []event.Delete{deleteOf(10), deleteOfDigest(1, 20)} {
		push(t, db, washOf("2.0.0", 1, 0), other)
		if _, err := db.Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		got, err := db.Pick(t.Context(), store.Query{Name: wash})
		if err != nil || got != other {
			t.Errorf("Pick(wash) after the delete of %s = %+v, %v, want %+v", d.Target, got, err, other)
		}
	}
}

// day returns a time some days and an hour after noon, for receipts of deletes.
func day(n int) time.Time { return noon.Add(time.Duration(n)*24*time.Hour + time.Hour) }

// TestTombstoneStaysFor30DaysFromEachReceipt: a newer delete's tombstone stays longer if
// an older delete comes later, or if the same delete comes again. Then a push arrives
// that both deletes cover, after the first receipt has been forgotten.
func TestTombstoneStaysFor30DaysFromEachReceipt(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, c := range []struct {
			name string
			ago  time.Duration // how much older the later delete is
		}{
			{name: "older", ago: time.Second},
			{name: "repeat", ago: 0},
		} {
			for _, dies := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, dies under the second name: %t", kind.name, c.name, dies), func(t *testing.T) {
					t.Parallel()
					model := NewModel(t)
					db := OnModel(model)
					first, later := kind.delete, kind.delete
					first.ReceivedAt, later.ReceivedAt = day(0), day(20)
					later.DeletedAt = later.DeletedAt.Add(-c.ago)
					wantDeleted(t, db, first, 0)
					changes := changesOf(deleted(later))
					if dies {
						model.Before = func(_, partition string, _ any) error {
							if partition != changes[0].Partition {
								return errRefused
							}
							return nil
						}
					}
					if _, err := db.Delete(t.Context(), later); (err != nil) != dies {
						t.Errorf("Delete(%s): %v", later.Target, err)
					}
					model.Before = nil
					if dies {
						derive(t, db, changes[0])
					}
					model.Expire(day(31), attrExpiresAt)
					push(t, db, washOf("1.0.0", 1, 5))
					wantPicked(t, db, nil)
					if n := model.Expire(day(51), attrExpiresAt); n == 0 {
						t.Error("nothing expires 30 days after the last receipt")
					}
				})
			}
		}
	}
}

// TestTombstoneIsOfTheNewestDeleteAndTheLastReceipt: it is, whatever the order of the
// stores and of the receipts.
func TestTombstoneIsOfTheNewestDeleteAndTheLastReceipt(t *testing.T) {
	t.Parallel()
	all := []event.Delete{deleteOf(10), deleteOf(20), deleteOf(30)}
	for _, receipts := range [][]int{{0, 10, 20}, {0, 20, 10}, {10, 0, 20}, {10, 20, 0}, {20, 0, 10}, {20, 10, 0}} {
		for i, received := range receipts {
			all[i].ReceivedAt = day(received)
		}
		want := marshalTombstone(event.Delete{Target: all[2].Target, DeletedAt: all[2].DeletedAt, ReceivedAt: day(20)})
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			model := NewModel(t)
			db := OnModel(model)
			for _, next := range order {
				wantDeleted(t, db, all[next], 0)
			}
			for _, got := range model.Dump() {
				if diff := diffItem(inPartition(text(got, attrName), want), got); diff != "" {
					t.Errorf("received on days %v, stored in order %v: -want +got\n%s", receipts, order, diff)
				}
			}
		}
	}
}
