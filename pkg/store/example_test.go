package store_test

import (
	"context"
	"fmt"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
)

// Two pushes and a delete arrive in the wrong order. A reader gets the same answer as
// after the right order.
func ExampleApply() {
	ctx := context.Background()
	db, err := bolt.OpenTemporary()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	noon := time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)
	push := func(tag string, at time.Time) event.Event {
		r := reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: tag}
		return event.Event{Push: &event.Push{Reference: r, Size: event.UnknownSize, PushedAt: at}}
	}
	deleted := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.19.0"}
	for _, e := range []event.Event{
		{Delete: &event.Delete{Target: deleted, DeletedAt: noon.Add(2 * time.Hour), ReceivedAt: noon.Add(2 * time.Hour)}},
		push("0.19.0", noon.Add(time.Hour)),
		push("0.18.1", noon),
		push("0.18.0", noon.Add(-time.Hour)),
	} {
		if _, err := store.Apply(ctx, db, e); err != nil {
			fmt.Println(err)
			return
		}
	}

	wash := reference.Name{Repository: "wash"}
	newest, err := db.Pick(ctx, store.Query{Name: wash, Order: store.ByPushed})
	fmt.Println(newest.Reference, err)
	_, err = db.Pick(ctx, store.Query{Name: wash, Match: func(tag string) bool { return tag == "latest" }})
	fmt.Println(err)
	_, err = db.Pick(ctx, store.Query{Name: reference.Name{Repository: "wadm"}})
	fmt.Println(err)
	// Output:
	// wasmcloud.azurecr.io/wash:0.18.1 <nil>
	// pick wash: none of 2 tags matches
	// pick wadm: not found
}
