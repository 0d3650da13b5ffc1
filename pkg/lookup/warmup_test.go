package lookup_test

import (
	"bytes"
	"testing"

	"ocireffer/pkg/apigateway"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/requestlog"
)

// TestWarmUpIsABadgeOfNothing: the warm-up requests a badge like any other, with one read
// of the store.
func TestWarmUpIsABadgeOfNothing(t *testing.T) {
	t.Parallel()
	spy := &spy{Reader: open(t, "a.azurecr.io/wash:1", "a.azurecr.io/warm-up:1")}
	h := handlerOf(t, spy)
	wantAnswer(t, h, lookup.WarmUpPath, 200, typeJSON, unknown)
	if spy.reads != 1 {
		t.Errorf("GET %s reads the store %d times, want once", lookup.WarmUpPath, spy.reads)
	}
	var log bytes.Buffer
	if err := apigateway.WarmUp(t.Context(), requestlog.Handler(requestlog.NewJSON(&log), h), lookup.WarmUpPath); err != nil {
		t.Fatal(err)
	}
	if spy.reads != 2 {
		t.Errorf("WarmUp reads the store %d times, want once", spy.reads-1)
	}
	if !bytes.Contains(log.Bytes(), []byte(`"status":200,"repository":"warm-up.invalid/warm-up","outcome":"unknown"`)) {
		t.Errorf("WarmUp logs %s", &log)
	}
}
