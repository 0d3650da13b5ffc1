package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
)

// The highest version wins, however old its push is.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "ocireffer")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	db, err := bolt.Open(filepath.Join(folder, "ocireffer.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	ctx := context.Background()
	noon := time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)
	for i, tag := range []string{"1.10.0", "1.9.1", "2.0.0-rc.1"} {
		err := db.Push(ctx, event.Push{
			Reference: reference.Reference{Registry: "ghcr.io", Repository: "acme/app", Tag: tag},
			Size:      event.UnknownSize,
			PushedAt:  noon.Add(time.Duration(i) * time.Hour),
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, order := range []store.Order{store.ByPushed, store.ByRelease} {
		p, err := db.Pick(ctx, store.Query{Name: reference.Name{Repository: "acme/app"}, Order: order})
		fmt.Println(p.Reference, err)
	}
	// Output:
	// ghcr.io/acme/app:2.0.0-rc.1 <nil>
	// ghcr.io/acme/app:1.10.0 <nil>
}
