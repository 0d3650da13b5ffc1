package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

const (
	byHand   = "/api/references/ghcr.io/acme/app:1.2.3"
	official = "/api/categories/official/wash"
)

// writes has an example request for each route that writes.
var writes = map[string]struct{ target, body string }{
	"POST /api/azurehook":                       {target: "/api/azurehook", body: push},
	"POST /api/webhook":                         {target: "/api/webhook", body: push},
	"PUT /api/references/{reference+}":          {target: byHand},
	"DELETE /api/references/{reference+}":       {target: byHand},
	"PUT /api/categories/{category}/{name+}":    {target: official},
	"DELETE /api/categories/{category}/{name+}": {target: official},
}

// TestEachRouteIsTested: a new route needs an example in writes.
func TestEachRouteIsTested(t *testing.T) {
	t.Parallel()
	want := append(slices.Collect(maps.Keys(writes)), "OPTIONS /api/azurehook", "OPTIONS /api/webhook")
	slices.Sort(want)
	got := slices.Sorted(maps.Keys(ingest.New(anyone, broken, nil)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes: -tested +served\n%s", diff)
	}
}

func TestHeadersOfEachKindOfAnswer(t *testing.T) {
	t.Parallel()
	text := http.Header{
		"Content-Type":           {"text/plain; charset=utf-8"},
		"X-Content-Type-Options": {"nosniff"},
	}
	and := func(name, value string) http.Header {
		header := text.Clone()
		header.Set(name, value)
		return header
	}
	settings := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"wasmcloud.azurecr.io", "ghcr.io"}}
	locked := ingest.Settings{Tokens: []ingest.TokenHash{hash("token")}}
	handshake := and("Webhook-Allowed-Origin", "eventgrid.azure.net")
	handshake.Set("Webhook-Allowed-Rate", "*")
	for name, c := range map[string]struct {
		settings             ingest.Settings
		db                   store.Writer
		method, target, body string
		origin               string
		status               int
		want                 http.Header
	}{
		"stored":            {settings: settings, method: "POST", target: "/api/azurehook", body: push, status: 200, want: text},
		"deleted":           {settings: settings, method: "POST", target: "/api/azurehook", body: deletion(), status: 200, want: text},
		"pong":              {settings: settings, method: "POST", target: "/api/azurehook", body: `{"action":"ping"}`, status: 200, want: text},
		"ignored":           {settings: settings, method: "POST", target: "/api/azurehook", body: `{"action":"x"}`, status: 200, want: text},
		"validated":         {settings: settings, method: "POST", target: "/api/azurehook", body: batch(validation), status: 200, want: and("Content-Type", "application/json")},
		"validated in part": {settings: settings, method: "POST", target: "/api/azurehook", body: batch(validation, push), status: 200, want: text},
		"batch":             {settings: settings, method: "POST", target: "/api/azurehook", body: batch(push, "{}"), status: 200, want: text},
		"bad request":       {settings: settings, method: "POST", target: "/api/azurehook", body: "{}", status: 400, want: text},
		"forbidden":         {settings: settings, method: "POST", target: "/api/azurehook", body: change("wasmcloud", "evil"), status: 403, want: text},
		"too large":         {settings: settings, method: "POST", target: "/api/azurehook", body: strings.Repeat(" ", 2<<20), status: 413, want: text},
		"unauthorized":      {settings: locked, method: "POST", target: "/api/azurehook", body: push, status: 401, want: and("Www-Authenticate", "Bearer")},
		"not stored":        {settings: settings, db: broken, method: "POST", target: "/api/azurehook", body: push, status: 500, want: text},

		"handshake":                {settings: settings, method: "OPTIONS", target: "/api/azurehook", origin: "eventgrid.azure.net", status: 200, want: handshake},
		"handshake without origin": {settings: settings, method: "OPTIONS", target: "/api/azurehook", status: 400, want: text},

		"reference stored":       {settings: settings, method: "PUT", target: byHand, status: 200, want: text},
		"reference deleted":      {settings: settings, method: "DELETE", target: byHand, status: 200, want: text},
		"reference bad":          {settings: settings, method: "PUT", target: "/api/references/app", status: 400, want: text},
		"reference not stored":   {settings: settings, db: broken, method: "PUT", target: byHand, status: 500, want: text},
		"reference unauthorized": {settings: locked, method: "PUT", target: byHand, status: 401, want: and("Www-Authenticate", "Bearer")},

		"member put":        {settings: settings, method: "PUT", target: official, status: 204, want: http.Header{"X-Content-Type-Options": {"nosniff"}}},
		"member deleted":    {settings: settings, method: "DELETE", target: official, status: 204, want: http.Header{"X-Content-Type-Options": {"nosniff"}}},
		"member bad":        {settings: settings, method: "PUT", target: "/api/categories/A/wash", status: 400, want: text},
		"member not stored": {settings: settings, db: broken, method: "PUT", target: official, status: 500, want: text},

		"no route": {settings: settings, method: "GET", target: "/api/azurehook", status: 404, want: http.Header{"Content-Type": {"application/json"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.db == nil {
				c.db = &recorder{}
			}
			r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
			if c.origin != "" {
				r.Header.Set("WebHook-Request-Origin", c.origin)
			}
			w := newServer(c.settings, c.db).serve(r)
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			if diff := cmp.Diff(c.want, w.Header()); diff != "" {
				t.Errorf("headers: -want +got\n%s", diff)
			}
			if c.status == 204 && w.Body.Len() > 0 {
				t.Errorf("204 with the body %q", w.Body)
			}
		})
	}
}

// TestLogLineHasOutcomeNamesAndError also checks that the sender does not see the error.
func TestLogLineHasOutcomeNamesAndError(t *testing.T) {
	t.Parallel()
	const ref, washRef = "ghcr.io/acme/app:1.2.3", "wasmcloud.azurecr.io/wash:0.18.1"
	for name, c := range map[string]struct {
		db                   store.Writer
		method, target, body string
		want                 map[string]any
	}{
		"push": {method: "POST", target: "/api/azurehook", body: push,
			want: map[string]any{"level": "INFO", "outcome": "stored", "repository": "wash", "reference": washRef}},
		"push not stored": {db: broken, method: "POST", target: "/api/azurehook", body: push,
			want: map[string]any{"level": "ERROR", "outcome": "store_failed", "repository": "wash", "reference": washRef, "err": "planted"}},
		"delete": {method: "POST", target: "/api/azurehook", body: deletion(),
			want: map[string]any{"level": "INFO", "outcome": "deleted", "repository": "wash"}},
		"batch": {method: "POST", target: "/api/azurehook", body: batch(push, deletion()),
			want: map[string]any{"level": "INFO", "outcome": "stored", "events": 2.0}},
		"batch not stored": {db: broken, method: "POST", target: "/api/azurehook", body: batch(push, "{}"),
			want: map[string]any{"level": "ERROR", "outcome": "store_failed", "events": 2.0, "err": "planted"}},
		"bad request": {method: "POST", target: "/api/azurehook", body: "{}",
			want: map[string]any{"level": "WARN", "outcome": "bad_request"}},
		"handshake without origin": {method: "OPTIONS", target: "/api/azurehook",
			want: map[string]any{"level": "WARN", "outcome": "bad_request"}},
		"reference put": {method: "PUT", target: byHand,
			want: map[string]any{"level": "INFO", "outcome": "stored", "repository": "acme/app", "reference": ref}},
		"reference not put": {db: broken, method: "PUT", target: byHand,
			want: map[string]any{"level": "ERROR", "outcome": "store_failed", "repository": "acme/app", "reference": ref, "err": "planted"}},
		"reference with a bad body": {method: "PUT", target: byHand, body: "x",
			want: map[string]any{"level": "WARN", "outcome": "bad_request", "repository": "acme/app", "reference": ref}},
		"reference deleted": {method: "DELETE", target: byHand,
			want: map[string]any{"level": "INFO", "outcome": "deleted", "repository": "acme/app", "reference": ref}},
		"reference not deleted": {db: broken, method: "DELETE", target: byHand,
			want: map[string]any{"level": "ERROR", "outcome": "store_failed", "repository": "acme/app", "reference": ref, "err": "planted"}},
		"member put": {method: "PUT", target: official,
			want: map[string]any{"level": "INFO", "outcome": "stored", "repository": "wash", "category": "official"}},
		"member not put": {db: broken, method: "PUT", target: official,
			want: map[string]any{"level": "ERROR", "outcome": "store_failed", "repository": "wash", "category": "official", "err": "planted"}},
		"member deleted": {method: "DELETE", target: official,
			want: map[string]any{"level": "INFO", "outcome": "deleted", "repository": "wash", "category": "official"}},
		"member not deleted": {db: broken, method: "DELETE", target: official,
			want: map[string]any{"level": "ERROR", "outcome": "store_failed", "repository": "wash", "category": "official", "err": "planted"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.db == nil {
				c.db = &recorder{}
			}
			s := newServer(anyone, c.db)
			w := s.do(c.method, c.target, c.body)
			got := s.request(t)
			for _, key := range []string{"timestamp", "msg", "method", "path", "status", "durationMs"} {
				delete(got, key)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the request's line: -want +got\n%s", diff)
			}
			if strings.Contains(w.Body.String(), "planted") {
				t.Errorf("the sender sees the store's error: %s", w.Body)
			}
		})
	}
}

// TestLostEventIsLoggedAndCanBeSentAgain sends each lost event by itself and without
// headers.
func TestLostEventIsLoggedAndCanBeSentAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body, ceType string
		lost         int // number of lost events
	}{
		"push":                   {body: push, lost: 1},
		"delete":                 {body: deletion(), lost: 1},
		"batch":                  {body: batch(push, `{"action":"ping"}`, change("0.18.1", "2"), "{}", deletion()), lost: 3},
		"delete in binary mode":  {body: change(`"action":"push",`, ""), ceType: "Microsoft.ContainerRegistry.ImageDeleted", lost: 1},
		"nothing that is stored": {body: batch(`{"action":"ping"}`, "{}", `{"action":"x"}`), lost: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at2026(t, func(t *testing.T, _ time.Time) {
				send := func(db store.Writer) server {
					r := httptest.NewRequest("POST", "/api/azurehook", strings.NewReader(c.body))
					r = r.WithContext(requestlog.WithID(r.Context(), "id-1"))
					if c.ceType != "" {
						r.Header.Set("ce-specversion", "1.0")
						r.Header.Set("ce-type", c.ceType)
					}
					s := newServer(anyone, db)
					s.serve(r)
					return s
				}
				want, again := &recorder{}, &recorder{}
				send(want)
				lines := send(broken).lines(t, "event not stored")
				if len(lines) != c.lost {
					t.Fatalf("%d lost events are logged, want %d: %v", len(lines), c.lost, lines)
				}
				for _, line := range lines {
					for key, want := range map[string]any{"level": "ERROR", "err": "planted", "requestId": "id-1"} {
						if line[key] != want {
							t.Errorf("%s = %v, want %v", key, line[key], want)
						}
					}
					lost, err := json.Marshal(line["event"])
					if err != nil {
						t.Fatal(err)
					}
					if w := newServer(anyone, again).post(string(lost)); w.Code != 200 {
						t.Errorf("%s sent again = %d %q, want 200", lost, w.Code, w.Body)
					}
				}
				sortEvents(want.events)
				sortEvents(again.events)
				if diff := cmp.Diff(want.events, again.events); diff != "" {
					t.Errorf("events: -first time +sent again\n%s", diff)
				}
			})
		})
	}
}

func sortEvents(events []event.Event) {
	slices.SortFunc(events, func(a, b event.Event) int { return strings.Compare(a.String(), b.String()) })
}

// panics is a store that panics when it gets a push of this tag.
type panics struct {
	*recorder
	tag string
}

func (s panics) Push(ctx context.Context, p event.Push) error {
	if p.Reference.Tag == s.tag {
		panic("planted")
	}
	return s.recorder.Push(ctx, p)
}

// TestPanicFailsOneEventOnly: the rest of the batch is stored, and the log has the event
// with the stack.
func TestPanicFailsOneEventOnly(t *testing.T) {
	t.Parallel()
	db := panics{&recorder{}, "2"}
	s := newServer(anyone, db)
	w := s.post(batch(change("0.18.1", "1"), change("0.18.1", "2"), change("0.18.1", "3")))
	const want = "Url wasmcloud.azurecr.io/wash:1 stored for wash\n" + notStored + "\nUrl wasmcloud.azurecr.io/wash:3 stored for wash"
	wantAnswer(t, "the answer", w, 500, want)
	if len(db.events) != 2 {
		t.Errorf("stored %v, want the pushes of 1 and 3", db.events)
	}
	lines, request := s.lines(t, "event not stored"), s.request(t)
	if len(lines) != 1 {
		t.Fatalf("%d lost events are logged, want 1: %v", len(lines), lines)
	}
	lost := lines[0]
	if lost["level"] != "ERROR" || lost["err"] != "panic: planted" {
		t.Errorf("level %v, err %v, want ERROR, panic: planted", lost["level"], lost["err"])
	}
	if stack, _ := lost["stack"].(string); !strings.Contains(stack, "panics.Push") {
		t.Errorf("stack = %q, want one that names panics.Push", stack)
	}
	got, err := json.Marshal(lost["event"])
	if err != nil || !strings.Contains(string(got), `"tag":"2"`) {
		t.Errorf("event = %s, %v, want the push of 2", got, err)
	}
	if request["outcome"] != "store_failed" || request["err"] != "panic: planted" {
		t.Errorf("outcome %v, err %v of the request, want store_failed, panic: planted", request["outcome"], request["err"])
	}
}

func TestPanicOfALoneEventIsA500(t *testing.T) {
	t.Parallel()
	s := newServer(anyone, panics{&recorder{}, "0.18.1"})
	wantAnswer(t, "the answer", s.post(push), 500, notStored)
	if lines := s.lines(t, "event not stored"); len(lines) != 1 || lines[0]["event"] == nil {
		t.Errorf("lost events in the log = %v, want the push", lines)
	}
}

func TestPanicByHandIsA500(t *testing.T) {
	t.Parallel()
	s := newServer(anyone, panics{&recorder{}, "1.2.3"})
	wantAnswer(t, "PUT", s.do("PUT", byHand, ""), 500, notStored)
	if lines := s.lines(t, "event not stored"); len(lines) != 1 || lines[0]["err"] != "panic: planted" {
		t.Errorf("lost events in the log = %v, want one with panic: planted", lines)
	}
}

// TestEveryRouteAnswersWithin3Seconds: the store hangs. An answer is promised within 4.5
// s, and a cold start may need 1.5 s of that.
func TestEveryRouteAnswersWithin3Seconds(t *testing.T) {
	t.Parallel()
	if ingest.Deadline > 3*time.Second {
		t.Errorf("Deadline = %s, want at most 3s", ingest.Deadline)
	}
	requests := map[string]struct{ method, target, body, want string }{
		"batch": {method: "POST", target: "/api/azurehook", body: manyPushes(100), want: strings.Repeat(notStored+"\n", 99) + notStored},
	}
	for route, write := range writes {
		method, _, _ := strings.Cut(route, " ")
		want := notStored
		switch route {
		case "PUT /api/categories/{category}/{name+}":
			want = "Failed to store wash in official"
		case "DELETE /api/categories/{category}/{name+}":
			want = "Failed to remove wash from official"
		}
		requests[route] = struct{ method, target, body, want string }{method, write.target, write.body, want}
	}
	for name, c := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				w := newServer(anyone, hanging).do(c.method, c.target, c.body)
				if took := time.Since(begin); took > 3*time.Second {
					t.Errorf("the answer took %s, want at most 3s", took)
				}
				wantAnswer(t, fmt.Sprint(c.method, " ", c.target), w, 500, c.want)
			})
		})
	}
}

func TestSlowStoreIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wantAnswer(t, "a store that needs a second", newServer(anyone, slow{&recorder{}}).post(push), 200, pushed)
	})
}
