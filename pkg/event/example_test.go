package event_test

import (
	"encoding/json"
	"fmt"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

func ExampleEvent() {
	push := event.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"},
		Size:      event.UnknownSize,
		PushedAt:  time.Date(2023, 7, 3, 14, 56, 52, 0, time.UTC),
	}
	line, err := json.Marshal(event.Event{Push: &push})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(line))
	// Output: {"push":{"reference":"wasmcloud.azurecr.io/wash:0.18.1","pushedAt":"2023-07-03T14:56:52Z"}}
}

func ExampleDelete_Covers() {
	noon := time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)
	push := event.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"},
		PushedAt:  noon,
	}
	target := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"}
	fmt.Println(event.Delete{Target: target, DeletedAt: noon.Add(-time.Second)}.Covers(push))
	fmt.Println(event.Delete{Target: target, DeletedAt: noon}.Covers(push))
	// Output:
	// false
	// true
}
