package functions_test

import (
	"bytes"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/template"
)

// lookupLogBytes is how many bytes a lookup may log: its own line and API Gateway's.
// CloudWatch charges half a dollar per GB (list price in us-east-1), so a million lookups
// cost at most 28 cents in logs.
const lookupLogBytes = 550

func TestALookupLogsFewBytes(t *testing.T) {
	t.Parallel()
	const id, path = "6f1f3b8c-1f0e-4a55-9d0c-3f8a1b2c4d5e", "/wasmcloud.azurecr.io/wash"
	db, err := bolt.OpenTemporary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ref, err := reference.Parse("wasmcloud.azurecr.io/wash:0.18.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Push(t.Context(), event.Push{Reference: ref, PushedAt: time.Unix(1, 0).UTC(), Size: event.UnknownSize}); err != nil {
		t.Fatal(err)
	}
	settings, err := lookup.FromEnv(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	var line bytes.Buffer
	r := httptest.NewRequest("GET", path+"?format=text", nil)
	w := httptest.NewRecorder()
	requestlog.Handler(requestlog.NewJSON(&line), lookup.New(settings, db)).ServeHTTP(w, r.WithContext(requestlog.WithID(r.Context(), id)))
	if w.Code != 200 {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	access := accessText(template.Read(t).AccessLogFormat, map[string]string{
		"$context.integration.requestId": id,
		"$context.httpMethod":            "GET",
		"$context.path":                  path,
		"$context.status":                "200",
		"$context.responseLatency":       "12",
		"$context.responseLength":        strconv.Itoa(w.Body.Len()),
		"${SourceIp}":                    "203.0.113.77",
	})
	if got := line.Len() + len(access); got > lookupLogBytes {
		t.Errorf("a lookup logs %d bytes, want %d at most:\n%s%s", got, lookupLogBytes, &line, access)
	}
}
