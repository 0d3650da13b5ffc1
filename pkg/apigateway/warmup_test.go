package apigateway_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"ocireffer/pkg/apigateway"
)

// TestWarmUpIsARequest: the handler gets one request like a reader's, and it ends with
// its context.
func TestWarmUpIsARequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var got []*http.Request
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r)
		cancel()
		if r.Context().Err() == nil {
			t.Error("the request's context outlives WarmUp's")
		}
		io.WriteString(w, "thrown away")
	})
	if err := apigateway.WarmUp(ctx, h, "/a.invalid/b"); err != nil {
		t.Fatalf("WarmUp: %v", err)
	}
	if len(got) != 1 {
		t.Fatalf("WarmUp made %d requests, want one", len(got))
	}
	r := got[0]
	if r.Method != "GET" || r.URL.String() != "/a.invalid/b" || r.Host != "localhost" {
		t.Errorf("WarmUp requested %s %s from %q, want GET /a.invalid/b from localhost", r.Method, r.URL, r.Host)
	}
}
