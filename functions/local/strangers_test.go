package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStrangersWriteNothing sends the running program whatever a stranger may try: each
// method to each route and to paths that look like one, with what looks like a token, and
// requests in the body of others. None is answered 2xx but reads and handshakes, and an
// export has no event afterwards.
func TestStrangersWriteNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	p := start(t, []string{tokenEnv, "WEBHOOK_SECRETS=geheim"}, "-db", file)
	paths := []string{
		"/", "/api", "/api/", "/api/webhook", "/api/webhook/", "//api/webhook", "/api//webhook", "/api/./webhook", "/x/../api/webhook", "/api%2Fwebhook",
		"/api/webhook%00", "/api/webhook;token=test2", "/API/webhook", "/api/webhook?Token=test2", "/api/webhook?token=test1&token=test2", "/api/webhook?a;token=test2",
		"/api/azurehook", "/api/references/a.io/wash:1", "/api/references/a.io/wash:1?name=app", "//api/references/a.io/wash:1", "/api/categories/official/wash",
		"/api/categories/official%2Fwash", "/api/repositories/wash", "/wash", "/%61pi/webhook",
	}
	headers := [][]string{
		nil,
		{"Authorization", "Bearer"},
		{"Authorization", "Bearer test1"},
		{"Authorization", "Bearer test2x"},
		{"Authorization", "Basic dGVzdDI6"},
		{"Authorization", "Token test2"},
		{"Authorization", strings.TrimPrefix(tokenEnv, "WEBHOOK_TOKEN_SHA256=")},
		{"Cookie", "token=test2"},
		{"X-Token", "test2"},
		{"X-Hub-Signature-256", "sha256=" + strings.Repeat("0", 64)},
		{"X-HTTP-Method-Override", "POST"},
		{"X-Forwarded-For", "127.0.0.1"},
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "PROPFIND", "X"}
	reads := map[string]bool{"GET": true, "HEAD": true}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	tried := 0
	for _, path := range paths {
		for _, method := range methods {
			for _, header := range headers {
				r, err := http.NewRequest(method, p.url+path, strings.NewReader(push))
				if err != nil {
					continue // Go's client cannot send it
				}
				if header != nil {
					r.Header.Set(header[0], header[1])
				}
				w, err := client.Do(r)
				if err != nil {
					t.Fatalf("%s %s: %v", method, path, err)
				}
				io.Copy(io.Discard, w.Body)
				w.Body.Close()
				if tried++; w.StatusCode < 400 && !reads[method] {
					t.Errorf("%s %s with %q: status %d, want one from 400 on", method, path, header, w.StatusCode)
				}
			}
		}
	}
	for _, request := range []string{
		"POST /wash HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /wash HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n",
		"GET /wash HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
		"POST /api/webhook HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\r\n\ttest1\r\nContent-Length: 0\r\n\r\n",
		"GET /wash HTTP/1.0\r\n\r\n",
		"",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(conn, "%sPOST /api/webhook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", request, len(push), push)
		answers, _ := io.ReadAll(bufio.NewReader(conn)) // it may be closed at once
		conn.Close()
		if tried++; strings.Contains(string(answers), "stored for") {
			t.Errorf("%.60q and a push: %q, want that it is not stored", request, answers)
		}
	}
	t.Logf("%d requests", tried)
	p.Process.Kill()
	p.Wait()
	out, err := command(nil, "-db", file, "-export", "-").Output()
	if lines := strings.Count(string(out), "\n"); err != nil || lines != 2 {
		t.Errorf("export: %v, %s, want a first and a last line alone", err, out)
	}
}
