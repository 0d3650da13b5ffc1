package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
)

func ExampleParseSources() {
	sources, err := reconcile.ParseSources("wasmcloud.azurecr.io, ghcr.io/acme/app, ghcr.io/acme/worker")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range sources {
		fmt.Println(s.Host, s.Repositories)
	}
	// Output:
	// wasmcloud.azurecr.io []
	// ghcr.io [acme/app acme/worker]
}

// A store that knew nothing of a registry gets everything in it.
func ExampleRun() {
	paths := http.NewServeMux()
	paths.HandleFunc("GET /v2/wash/tags/list", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"name": "wash", "tags": ["0.18.1"]}`)
	})
	paths.HandleFunc("GET /v2/wash/manifests/0.18.1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		fmt.Fprint(w, "{}")
	})
	server := httptest.NewServer(paths)
	defer server.Close()

	r, err := registry.Open(server.Listener.Addr().String(), registry.Options{Repositories: []string{"wash"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := bolt.OpenTemporary()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	ctx := context.Background()
	report, err := reconcile.Run(ctx, r, db, reconcile.Options{})
	fmt.Println(report.Pushed, "pushed,", report.Deleted, "deleted:", err)
	p, err := db.Pick(ctx, store.Query{Name: reference.Name{Repository: "wash"}})
	fmt.Println(p.Reference.Tag, err)
	// Output:
	// 1 pushed, 0 deleted: <nil>
	// 0.18.1 <nil>
}
