package lookup_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store/bolt"
)

func ExampleNew() {
	db, err := bolt.OpenTemporary()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	err = db.Push(context.Background(), event.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"},
		Size:      event.UnknownSize,
		PushedAt:  time.Date(2023, 7, 3, 14, 56, 52, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	settings, err := lookup.FromEnv(func(string) (string, bool) { return "", false }) // the defaults
	if err != nil {
		fmt.Println(err)
		return
	}
	routes := lookup.New(settings, db)
	for _, target := range []string{"/wash", "/wash?format=text&show=tag", "/wadm?format=text"} {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// 200 {"schemaVersion":1,"label":"","message":"wasmcloud.azurecr.io/wash:0.18.1","color":"253746","namedLogo":"wasmcloud"}
	// 200 0.18.1
	// 404 Provider not yet published
}
