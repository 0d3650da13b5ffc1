package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"ocireffer/pkg/archive"
	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store/bolt"
)

// All events of one store move to another.
func Example() {
	from, err := bolt.OpenTemporary()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer from.Close()
	to, err := bolt.OpenTemporary()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer to.Close()

	ctx := context.Background()
	err = from.Push(ctx, event.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"},
		Size:      event.UnknownSize,
		PushedAt:  time.Date(2023, 7, 3, 14, 56, 52, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	silent := func(archive.Counts) {}
	if _, err := archive.Write(&file, from.Events(ctx), silent); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(&file)
	counts, err := archive.Read(ctx, &file, to, time.Now(), silent)
	fmt.Println(counts.Pushes, "pushed,", counts.Deletes, "deleted:", err)
	// Output:
	// {"format":"ocireffer events","version":1}
	// {"push":{"reference":"wasmcloud.azurecr.io/wash:0.18.1","pushedAt":"2023-07-03T14:56:52Z"}}
	// {"end":true}
	// 1 pushed, 0 deleted: <nil>
}
