package webhook_test

import (
	"fmt"
	"net/http"
	"time"

	"ocireffer/pkg/webhook"
)

func ExampleParse() {
	body := []byte(`[
		{"action": "push", "timestamp": "2023-07-03T14:56:52Z", "request": {"host": "wasmcloud.azurecr.io"},
		 "target": {"repository": "wash", "tag": "0.18.1", "digest": "sha256:0116c9ddb5b0eaf4bb9fd9a28a9a0e2b1a1c0a1b0c4e4a4a1fda3dbd3f0a0c53"}},
		{"action": "ping"},
		{"action": "push", "request": {"host": "wasmcloud.azurecr.io"}}
	]`)
	items, err := webhook.Parse(body, webhook.Delivery{Header: http.Header{}.Get, Now: time.Now()})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, item := range items {
		switch {
		case item.Err != nil:
			fmt.Println("error:", item.Err)
		case item.Event.IsZero():
			fmt.Println(item.Answer.Outcome)
		default:
			fmt.Println("push of", item.Event.Push.Reference)
		}
	}
	// Output:
	// push of wasmcloud.azurecr.io/wash:0.18.1
	// pong
	// error: target is missing
}
