package registry_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"ocireffer/pkg/registry"
)

func ExampleOpen() {
	wash := &simple{tags: []string{"0.18.0", "0.18.1"}}
	server := httptest.NewServer(http.HandlerFunc(wash.serve))
	defer server.Close()

	r, err := registry.Open(server.Listener.Addr().String(), registry.Options{Repositories: []string{"wash"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	repository, err := r.Repository(ctx, "wash")
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := r.Tags(ctx, repository)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tag := range list.Tags {
		fmt.Println(tag.Name, tag.Digest[:14])
	}
	fmt.Println("complete:", list.Complete)
	// Output:
	// 0.18.0 sha256:bc5857a
	// 0.18.1 sha256:bc5857a
	// complete: true
}
