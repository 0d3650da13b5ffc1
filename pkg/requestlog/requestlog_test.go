package requestlog_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/requestlog"
)

// line serves r with h and gives the answer and the one line logged.
func line(t *testing.T, h http.HandlerFunc, r *http.Request) (*httptest.ResponseRecorder, map[string]any, string) {
	t.Helper()
	var buf bytes.Buffer
	w := httptest.NewRecorder()
	requestlog.Handler(requestlog.NewJSON(&buf), "X-Request-Id", h).ServeHTTP(w, r)
	if n := strings.Count(buf.String(), "\n"); n != 1 {
		t.Fatalf("%d lines logged, want 1: %s", n, &buf)
	}
	var got map[string]any
	if err := json.Unmarshal(buf.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return w, got, buf.String()
}

func TestLine(t *testing.T) {
	r := httptest.NewRequest("POST", "/api/azurehook?token=geheim", nil)
	r.Header.Set("Authorization", "Bearer geheim")
	r.Header.Set("X-Request-Id", "id-1")
	_, got, raw := line(t, func(w http.ResponseWriter, r *http.Request) {
		requestlog.Add(r.Context(), slog.String("outcome", "stored"), slog.String("repository", "wash"))
		requestlog.Add(r.Context(), slog.String("reference", "host/wash:1"))
		io.WriteString(w, "x")
	}, r)
	for key, want := range map[string]any{"level": "INFO", "msg": "request", "method": "POST", "path": "/api/azurehook", "status": 200.0,
		"outcome": "stored", "repository": "wash", "reference": "host/wash:1", "requestId": "id-1"} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	if _, err := time.Parse(time.RFC3339, got["timestamp"].(string)); err != nil {
		t.Error(err)
	}
	if _, ok := got["durationMs"].(float64); !ok {
		t.Errorf("durationMs = %v", got["durationMs"])
	}
	if strings.Contains(raw, "geheim") {
		t.Errorf("the token is in the log: %s", raw)
	}
}

func TestLevels(t *testing.T) {
	for status, want := range map[int]string{200: "INFO", 304: "INFO", 401: "WARN", 404: "WARN", 500: "ERROR", 503: "ERROR"} {
		_, got, _ := line(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, httptest.NewRequest("GET", "/", nil))
		if got["level"] != want || got["status"] != float64(status) {
			t.Errorf("status %d: level %v, status %v, want %s", status, got["level"], got["status"], want)
		}
	}
}

func TestPanicIsA500(t *testing.T) {
	w, got, raw := line(t, func(http.ResponseWriter, *http.Request) { panic("planted") }, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || got["outcome"] != "panic" || got["panic"] != "planted" || !strings.Contains(raw, "requestlog_test.go") {
		t.Errorf("status %d, line %s", w.Code, raw)
	}
	if strings.Contains(w.Body.String(), "planted") {
		t.Errorf("the answer shows the panic: %s", w.Body)
	}
}

func TestAddWithoutARequest(t *testing.T) { requestlog.Add(t.Context(), slog.Int("n", 1)) }
