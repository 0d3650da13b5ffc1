package functions_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/openapi"
	"ocireffer/pkg/store/bolt"
)

// A node is a part of the OpenAPI description.
type node struct {
	t        *testing.T
	document map[string]any
	at       string
	value    any
}

// in returns the node at a path of keys. It follows references.
func (n node) in(keys ...string) node {
	for _, key := range keys {
		object, _ := n.value.(map[string]any)
		n.at, n.value = n.at+" "+key, object[key]
		object, _ = n.value.(map[string]any)
		if ref, ok := object["$ref"].(string); ok {
			root := node{n.t, n.document, n.at, n.document}
			n = root.in(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	if n.value == nil {
		n.t.Fatalf("the description has no%s", n.at)
	}
	return n
}

// example returns the example called name, or the only one if name is empty.
func (n node) example(name string) any {
	if name == "" {
		return n.in("example").value
	}
	return n.in("examples", name, "value").value
}

// TestExamplesAreAnswers sends the description's example requests in order, and wants the
// example answers.
func TestExamplesAreAnswers(t *testing.T) {
	t.Parallel()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write, _ := handlers(t, db, db)
	settings, err := lookup.FromEnv(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	settings.Version = "v0.2.0"
	read := lookup.New(settings, db)
	var document map[string]any
	if err := json.Unmarshal([]byte(openapi.Document), &document); err != nil {
		t.Fatal(err)
	}
	root := node{t: t, document: document, value: document}
	const text, asJSON = "text/plain", "application/json"
	for _, c := range []struct {
		operation string
		target    string
		send      string // name of the example to send; "only" if it has none
		status    int
		mediaType string // media type of the answer
		example   string // name of the answer's example; empty if it has none
	}{
		{operation: "post /api/webhook", send: "push", status: 200, mediaType: text, example: "push"},
		{operation: "post /api/azurehook", send: "push", status: 200, mediaType: text, example: "push"},
		{operation: "post /api/webhook", send: "ping", status: 200, mediaType: text, example: "ping"},
		{operation: "post /api/webhook", send: "validation", status: 200, mediaType: asJSON},
		{operation: "options /api/webhook", status: 400, mediaType: text},
		{operation: "put /api/references/{reference}", target: "/api/references/ghcr.io/team/app:1.2.3", send: "only", status: 200, mediaType: text},
		{operation: "put /api/categories/{category}/{name}", target: "/api/categories/official/wash", status: 204},
		{operation: "put /api/categories/{category}/{name}", target: "/api/categories/official/soon", status: 204},

		{operation: "get /{name}", target: "/wash", status: 200, mediaType: asJSON, example: "newest"},
		{operation: "get /{name}", target: "/nothing", status: 200, mediaType: asJSON, example: "unknown"},
		{operation: "get /{name}", target: "/wash?sort=x", status: 200, mediaType: asJSON, example: "badValue"},
		{operation: "get /{name}", target: "/wash?format=text", status: 200, mediaType: text},
		{operation: "get /{name}", target: "/wash?format=text&sort=x", status: 400, mediaType: text},
		{operation: "get /{name}", target: "/nothing?format=text", status: 404, mediaType: text},
		{operation: "get /api/repositories", status: 200, mediaType: asJSON},
		{operation: "get /api/repositories", target: "/api/repositories?limit=0", status: 400, mediaType: asJSON},
		{operation: "get /api/repositories/{name}", target: "/api/repositories/wash", status: 200, mediaType: asJSON},
		{operation: "get /api/repositories/{name}", target: "/api/repositories/nothing", status: 404, mediaType: asJSON},
		{operation: "get /api/categories", status: 200, mediaType: asJSON},
		{operation: "get /api/categories/{category}", target: "/api/categories/official", status: 200, mediaType: asJSON},
		{operation: "get /api/status", status: 200, mediaType: asJSON},

		{operation: "delete /api/references/{reference}", target: "/api/references/ghcr.io/team/app:1.2.3", status: 200, mediaType: text},
		{operation: "post /api/webhook", send: "delete", status: 200, mediaType: text, example: "delete"},
	} {
		method, path, _ := strings.Cut(c.operation, " ")
		operation := root.in("paths", path, method)
		target := c.target
		if target == "" {
			target = path
		}
		var body []byte
		if c.send != "" {
			if body, err = json.Marshal(operation.in("requestBody", "content", asJSON).example(strings.TrimPrefix(c.send, "only"))); err != nil {
				t.Fatal(err)
			}
		}
		r := httptest.NewRequest(strings.ToUpper(method), target, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer sample-token")
		w := httptest.NewRecorder()
		if method == "get" {
			read.ServeHTTP(w, r)
		} else {
			write.ServeHTTP(w, r)
		}
		if w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d", method, target, w.Code, c.status)
		}
		answer := operation.in("responses", strconv.Itoa(c.status))
		if c.mediaType == "" {
			continue
		}
		want := answer.in("content", c.mediaType).example(c.example)
		var got any = w.Body.String()
		if c.mediaType == asJSON {
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Errorf("%s %s = %s: %v", method, target, w.Body, err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s: -example +answer\n%s", method, target, diff)
		}
	}
}
