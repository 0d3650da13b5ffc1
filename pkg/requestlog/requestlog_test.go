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

// serve serves r with h. It returns the answer and the one logged line, parsed and raw.
func serve(t *testing.T, h http.HandlerFunc, r *http.Request) (w *httptest.ResponseRecorder, line map[string]any, raw string) {
	t.Helper()
	var log bytes.Buffer
	w = httptest.NewRecorder()
	requestlog.Handler(requestlog.NewJSON(&log), h).ServeHTTP(w, r)
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Fatalf("%d lines logged, want 1: %s", n, &log)
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	return w, line, log.String()
}

func TestEachRequestIsOneLogLine(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/api/azurehook", nil)
	r = r.WithContext(requestlog.WithID(r.Context(), "id-1"))
	w, line, raw := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requestlog.Add(r.Context(), slog.String("outcome", "stored"), slog.String("repository", "wash"))
		requestlog.Add(r.Context(), slog.String("reference", "host/wash:1"))
		io.WriteString(w, "x")
	}, r)
	if w.Body.String() != "x" {
		t.Errorf("the answer is %q, want x", w.Body)
	}
	for key, want := range map[string]any{
		"level": "INFO", "msg": "request", "method": "POST", "path": "/api/azurehook", "status": 200.0,
		"outcome": "stored", "repository": "wash", "reference": "host/wash:1", "requestId": "id-1",
	} {
		if line[key] != want {
			t.Errorf("%s = %v, want %v", key, line[key], want)
		}
	}
	stamp, _ := line["timestamp"].(string)
	if at, err := time.Parse(time.RFC3339, stamp); err != nil || time.Since(at) > time.Minute {
		t.Errorf("timestamp = %q, %v, want the time of now", stamp, err)
	}
	if _, ok := line["time"]; ok {
		t.Errorf("the line has both time and timestamp: %s", raw)
	}
}

// TestNoSecretIsLogged: a token may be in the query or in a header.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/api/azurehook?token=geheim", nil)
	r.Header.Set("Authorization", "Bearer geheim")
	for name, h := range map[string]http.HandlerFunc{
		"answer": func(http.ResponseWriter, *http.Request) {},
		"panic":  func(http.ResponseWriter, *http.Request) { panic("planted") },
	} {
		if _, _, raw := serve(t, h, r); strings.Contains(raw, "geheim") {
			t.Errorf("%s: the token is in the log: %s", name, raw)
		}
	}
}

func TestDurationIsInMilliseconds(t *testing.T) {
	t.Parallel()
	_, line, _ := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(20 * time.Millisecond) }, httptest.NewRequest("GET", "/", nil))
	if ms, _ := line["durationMs"].(float64); ms < 20 || ms > 10_000 {
		t.Errorf("durationMs = %v, want 20 and the machine's delay", line["durationMs"])
	}
}

func TestNoIDIsNotLogged(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "forged")
	if _, line, _ := serve(t, func(http.ResponseWriter, *http.Request) {}, r); line["requestId"] != nil {
		t.Errorf("requestId = %v, want none", line["requestId"])
	}
}

func TestIDReadsTheContext(t *testing.T) {
	t.Parallel()
	if got := requestlog.ID(t.Context()); got != "" {
		t.Errorf("ID without WithID = %q, want none", got)
	}
	if got := requestlog.ID(requestlog.WithID(t.Context(), "id-1")); got != "id-1" {
		t.Errorf("ID = %q, want id-1", got)
	}
}

func TestLevelFollowsTheStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "INFO", 304: "INFO", 399: "INFO",
		400: "WARN", 401: "WARN", 404: "WARN", 499: "WARN",
		500: "ERROR", 503: "ERROR",
	} {
		h := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		w, line, _ := serve(t, h, httptest.NewRequest("GET", "/", nil))
		if line["level"] != want {
			t.Errorf("level of status %d = %v, want %s", status, line["level"], want)
		}
		if line["status"] != float64(status) {
			t.Errorf("status = %v, want %d", line["status"], status)
		}
		if w.Code != status {
			t.Errorf("the answer has status %d, want %d", w.Code, status)
		}
	}
}

func TestFirstStatusCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want float64
	}{
		"none":           {h: func(http.ResponseWriter, *http.Request) {}, want: 200},
		"body alone":     {h: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }, want: 200},
		"two":            {h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(500) }, want: 404},
		"after the body": {h: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x"); w.WriteHeader(500) }, want: 200},
	} {
		if _, line, _ := serve(t, c.h, httptest.NewRequest("GET", "/", nil)); line["status"] != c.want {
			t.Errorf("%s: status = %v, want %v", name, line["status"], c.want)
		}
	}
}

func TestPanicIsA500WithItsStackInTheLine(t *testing.T) {
	t.Parallel()
	w, line, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		requestlog.Add(r.Context(), slog.String("repository", "wash"))
		panic("planted")
	}, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || w.Body.String() != "Internal error\n" {
		t.Errorf("answer = %d %q, want 500 without details of the panic", w.Code, w.Body)
	}
	for key, want := range map[string]any{"level": "ERROR", "status": 500.0, "outcome": "panic", "panic": "planted", "repository": "wash"} {
		if line[key] != want {
			t.Errorf("%s = %v, want %v", key, line[key], want)
		}
	}
	if stack, _ := line["stack"].(string); !strings.Contains(stack, "requestlog_test.go") {
		t.Errorf("stack = %q, want one that names requestlog_test.go", stack)
	}
}

// TestPanicAfterTheStatusKeepsIt: a sent status cannot be changed.
func TestPanicAfterTheStatusKeepsIt(t *testing.T) {
	t.Parallel()
	w, line, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(202)
		panic("planted")
	}, httptest.NewRequest("GET", "/", nil))
	if w.Code != 202 || w.Body.Len() > 0 {
		t.Errorf("answer = %d %q, want 202 without a body", w.Code, w.Body)
	}
	if line["status"] != 202.0 || line["outcome"] != "panic" {
		t.Errorf("status = %v, outcome = %v, want 202, panic", line["status"], line["outcome"])
	}
}

func TestAddWithoutARequestDoesNothing(t *testing.T) {
	t.Parallel()
	requestlog.Add(t.Context(), slog.Int("n", 1))
}
