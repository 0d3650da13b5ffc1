package ingest_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/webhook/webhooktest"
)

// FuzzHandler: no webhook causes a panic, or a 5xx while the store works. The answer has
// a line for each stored event, and only for these; a 4xx means that none was stored.
func FuzzHandler(f *testing.F) {
	samples, err := filepath.Glob("../../events/*.json")
	if err != nil || len(samples) == 0 {
		f.Fatalf("%d samples, %v", len(samples), err)
	}
	for _, sample := range samples {
		b, err := os.ReadFile(sample)
		if err != nil {
			f.Fatal(err)
		}
		var event struct{ Body, RawQueryString string }
		if json.Unmarshal(b, &event) == nil {
			f.Add([]byte(event.Body), event.RawQueryString, "Bearer token", "")
		}
	}
	for _, sample := range webhooktest.Samples(f) {
		f.Add(sample.Body, "registry="+sample.Registry, "Bearer token", sample.Header["ce-type"])
	}
	f.Add([]byte(push), "", "Bearer token", "Microsoft.ContainerRegistry.ImagePushed")
	f.Add([]byte(deletion()), "", "Bearer token", "Microsoft.ContainerRegistry.ImageDeleted")
	f.Add([]byte(batch(push, "{}", change("wasmcloud", "evil"), deletion(), deletion("wasmcloud", "evil"))), "token=token", "", "")
	f.Add([]byte(`[{"action":"Url x stored for y"},{"action":"\nUrl x stored for y"}]`), "", "Bearer token", "")
	allowed := []string{"wasmcloud.azurecr.io", "docker.io", "ghcr.io", "quay.io", "harbor.example.com", "nexus.example.com:8082"}
	f.Fuzz(func(t *testing.T, body []byte, query, authorization, ceType string) {
		db := &recorder{}
		s := newServer(ingest.Settings{Tokens: []ingest.TokenHash{hash("token")}, AllowedRegistries: allowed}, db)
		r := httptest.NewRequest("POST", "/api/webhook", bytes.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Authorization", authorization)
		if ceType != "" {
			r.Header.Set("ce-specversion", "1.0")
			r.Header.Set("ce-type", ceType)
		}
		w := s.serve(r)
		if w.Code >= 500 {
			t.Errorf("status %d: %s", w.Code, s.log)
		}
		if w.Code >= 400 && len(db.events) > 0 {
			t.Errorf("status %d, and %v are stored", w.Code, db.events)
		}
		pushes, deletes := count(db.events)
		if said := lineCount(w.Body.String(), "Url "); said != pushes {
			t.Errorf("%d pushes are stored, and the answer has %d: %q", pushes, said, w.Body)
		}
		if said := lineCount(w.Body.String(), "Deleted "); said != deletes {
			t.Errorf("%d deletes are stored, and the answer has %d: %q", deletes, said, w.Body)
		}
		for _, e := range db.events {
			if !slices.Contains(allowed, e.Registry()) {
				t.Errorf("stored %v, of a registry that is not allowed", e)
			}
		}
		if !utf8.Valid(w.Body.Bytes()) || strings.HasSuffix(w.Body.String(), "\n") {
			t.Errorf("answer %q, want text without a newline at its end", w.Body)
		}
	})
}

func count(events []event.Event) (pushes, deletes int) {
	for _, e := range events {
		if e.Push != nil {
			pushes++
		}
		if e.Delete != nil {
			deletes++
		}
	}
	return pushes, deletes
}

// lineCount returns the number of lines in text that begin with prefix.
func lineCount(text, prefix string) (n int) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}
