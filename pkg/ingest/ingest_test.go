package ingest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/webhook"
)

const (
	digest     = "sha256:0116c9dd59ca86bf8069dc8e56c02eb91d1296bbe66b511c279af77cba44d445"
	required   = "Azure webhook payload did not contain required fields"
	push       = `{"timestamp":"2023-07-03T14:56:52.0604218Z","action":"push","target":{"repository":"wash","tag":"0.18.1","digest":"` + digest + `"},"request":{"host":"wasmcloud.azurecr.io"}}`
	pushed     = "Url wasmcloud.azurecr.io/wash:0.18.1 stored for wash"
	validation = `{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"<a&b>"}}`
	notStored  = "Failed to store url"
)

// pushedAt is the time in push.
var pushedAt = time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC)

// change returns push with parts of it replaced. oldnew has pairs of old and new text.
func change(oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(push) }

// deletion returns a delete of the digest in push, with parts of it replaced.
func deletion(oldnew ...string) string {
	return strings.NewReplacer(oldnew...).Replace(change(`"push"`, `"delete"`, `"tag":"0.18.1",`, ""))
}

func batch(events ...string) string { return "[" + strings.Join(events, ",") + "]" }

func openBolt(t testing.TB) store.Store {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func pick(t *testing.T, db store.Reader, name string) (event.Push, error) {
	t.Helper()
	parsed, err := reference.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	return db.Pick(t.Context(), store.Query{Name: parsed})
}

// wantPick checks which reference of name is the newest. An empty want means none.
func wantPick(t *testing.T, db store.Reader, name, want string) {
	t.Helper()
	p, err := pick(t, db, name)
	if want == "" {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Pick(%s) = %s, %v, want ErrNotFound", name, p.Reference, err)
		}
		return
	}
	if err != nil || p.Reference.String() != want {
		t.Errorf("Pick(%s) = %s, %v, want %s", name, p.Reference, err, want)
	}
}

// fails is a store whose calls return err, or hang until their context ends if err is
// nil.
type fails struct{ err error }

func (f fails) call(ctx context.Context) error {
	if f.err != nil {
		return f.err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f fails) Push(ctx context.Context, _ event.Push) error { return f.call(ctx) }

func (f fails) Delete(ctx context.Context, _ event.Delete) (store.Deleted, error) {
	return store.Deleted{}, f.call(ctx)
}

func (f fails) PushedAt(ctx context.Context, _ event.Target) (time.Time, error) {
	return time.Time{}, f.call(ctx)
}

func (f fails) Categorize(ctx context.Context, _ event.Membership) error { return f.call(ctx) }

var (
	hanging = fails{}
	broken  = fails{errors.New("planted")}
)

// A recorder is a store that only records its events.
type recorder struct {
	pushedAt time.Time     // PushedAt of every reference
	deleted  store.Deleted // result of every delete
	mu       sync.Mutex
	events   []event.Event
}

func (r *recorder) PushedAt(context.Context, event.Target) (time.Time, error) { return r.pushedAt, nil }

func (r *recorder) add(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) Push(_ context.Context, p event.Push) error {
	r.add(event.Event{Push: &p})
	return nil
}

func (r *recorder) Delete(_ context.Context, d event.Delete) (store.Deleted, error) {
	r.add(event.Event{Delete: &d})
	return r.deleted, nil
}

func (r *recorder) Categorize(_ context.Context, m event.Membership) error {
	r.add(event.Event{Membership: &m})
	return nil
}

func hash(token string) ingest.TokenHash { return sha256.Sum256([]byte(token)) }

var anyone = ingest.Settings{WithoutToken: true}

// A server is the write side on a store, with its log.
type server struct {
	http.Handler
	log *bytes.Buffer
}

func newServer(s ingest.Settings, db store.Writer) server {
	var buf bytes.Buffer
	log := requestlog.NewJSON(&buf)
	return server{requestlog.Handler(log, ingest.New(s, db, log)), &buf}
}

func (s server) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s server) do(method, target, body string) *httptest.ResponseRecorder {
	return s.serve(httptest.NewRequest(method, target, strings.NewReader(body)))
}

// post sends a webhook.
func (s server) post(body string) *httptest.ResponseRecorder {
	return s.do("POST", "/api/azurehook", body)
}

// lines returns the log lines with this message.
func (s server) lines(t *testing.T, msg string) []map[string]any {
	t.Helper()
	return linesOf(t, s.log.Bytes(), msg)
}

func linesOf(t *testing.T, log []byte, msg string) (lines []map[string]any) {
	t.Helper()
	for text := range bytes.Lines(log) {
		var line map[string]any
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("line %s: %v", text, err)
		}
		if line["msg"] == msg {
			lines = append(lines, line)
		}
	}
	return lines
}

// request returns the log line of the only request.
func (s server) request(t *testing.T) map[string]any {
	t.Helper()
	lines := s.lines(t, "request")
	if len(lines) != 1 {
		t.Fatalf("%d request lines are logged, want 1: %s", len(lines), s.log)
	}
	return lines[0]
}

// wantAnswer checks the status and the text of an answer.
func wantAnswer(t *testing.T, what string, w *httptest.ResponseRecorder, status int, text string) {
	t.Helper()
	if w.Code != status || w.Body.String() != text {
		t.Errorf("%s = %d %q, want %d %q", what, w.Code, w.Body, status, text)
	}
}

// TestAnswers has a row for each kind of webhook in the contract's table.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body    string
		status  int
		text    string
		outcome string
	}{
		"push":                        {body: push, status: 200, text: pushed, outcome: "stored"},
		"push without action":         {body: change(`"action":"push",`, ""), status: 200, text: pushed, outcome: "stored"},
		"push without tag":            {body: change(`"tag":"0.18.1",`, ""), status: 200, text: "Ignored: push of wash@" + digest + " has no tag", outcome: "ignored"},
		"delete":                      {body: deletion(), status: 200, text: "Deleted 0 references of wash", outcome: "deleted"},
		"ping":                        {body: `{"action":"ping"}`, status: 200, text: "pong", outcome: "pong"},
		"quarantine":                  {body: change(`"push"`, `"quarantine"`), status: 200, text: `Ignored: action "quarantine"`, outcome: "ignored"},
		"chart_push":                  {body: change(`"push"`, `"chart_push"`), status: 200, text: `Ignored: action "chart_push"`, outcome: "ignored"},
		"chart_delete":                {body: change(`"push"`, `"chart_delete"`), status: 200, text: `Ignored: action "chart_delete"`, outcome: "ignored"},
		"unknown action":              {body: change(`"push"`, `"retag"`), status: 200, text: `Ignored: action "retag"`, outcome: "ignored"},
		"validation":                  {body: validation, status: 200, text: `{"validationResponse":"\u003ca\u0026b\u003e"}`, outcome: "validated"},
		"validation in an array":      {body: batch(validation), status: 200, text: `{"validationResponse":"\u003ca\u0026b\u003e"}`, outcome: "validated"},
		"not JSON":                    {body: "push", status: 400, text: required + ": the body is not JSON", outcome: "bad_request"},
		"no body":                     {body: "", status: 400, text: required + ": the body is not JSON", outcome: "bad_request"},
		"text":                        {body: `"push"`, status: 400, text: required + ": the event is not an object", outcome: "bad_request"},
		"empty object":                {body: "{}", status: 400, text: required + ": action and target are missing", outcome: "bad_request"},
		"empty array":                 {body: "[]", status: 400, text: required + ": the body is an empty array", outcome: "bad_request"},
		"push without repository":     {body: change(`"repository":"wash",`, ""), status: 400, text: required + ": target.repository is missing", outcome: "bad_request"},
		"push without host":           {body: change(`"host":"wasmcloud.azurecr.io"`, ""), status: 400, text: required + ": request.host is missing", outcome: "bad_request"},
		"push without tag and digest": {body: change(`"tag":"0.18.1",`, "", digest, ""), status: 400, text: required + ": target.tag and target.digest are missing", outcome: "bad_request"},
		"tag of another type":         {body: change(`"0.18.1"`, "18"), status: 400, text: required + `: target.tag is not a string: "18"`, outcome: "bad_request"},
		"host of a single word": {body: change("wasmcloud.azurecr.io", "demo"), status: 400,
			text:    required + `: request.host: registry "demo" has neither a dot nor a port: want a host such as demo.azurecr.io or docker.io`,
			outcome: "bad_request"},
		"delete, host of a single word": {body: deletion("wasmcloud.azurecr.io", "demo"), status: 400,
			text:    required + `: request.host: registry "demo" has neither a dot nor a port: want a host such as demo.azurecr.io or docker.io`,
			outcome: "bad_request"},
		"delete with empty digest": {body: deletion(digest, ""), status: 400, text: required + ": target.digest is empty", outcome: "bad_request"},
		"1 MiB":                    {body: strings.Repeat(" ", 1<<20-len(push)) + push, status: 200, text: pushed, outcome: "stored"},
		"over 1 MiB":               {body: strings.Repeat(" ", 1<<20-len(push)+1) + push, status: 413, text: "The body is larger than 1048576 bytes", outcome: "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(anyone, openBolt(t))
			w := s.post(c.body)
			wantAnswer(t, "the answer", w, c.status, c.text)
			line := s.request(t)
			if line["outcome"] != c.outcome {
				t.Errorf("outcome = %v, want %s", line["outcome"], c.outcome)
			}
			if line["status"] != float64(c.status) {
				t.Errorf("status = %v, want %d", line["status"], c.status)
			}
		})
	}
}

func TestStoredPushIsReadUntilANewerOneComes(t *testing.T) {
	t.Parallel()
	db := openBolt(t)
	s := newServer(anyone, db)
	wantAnswer(t, "the push", s.post(push), 200, pushed)
	wantAnswer(t, "its repeat", s.post(push), 200, pushed)
	wantAnswer(t, "a late push", s.post(change("0.18.1", "0.18.0", "14:56", "13:56")), 200, "Url wasmcloud.azurecr.io/wash:0.18.0 stored for wash")
	wantPick(t, db, "wash", "wasmcloud.azurecr.io/wash:0.18.1")
	wantPick(t, db, "wasmcloud.azurecr.io/wash", "wasmcloud.azurecr.io/wash:0.18.1")
	wantAnswer(t, "a newer push", s.post(change("0.18.1", "0.18.2", "14:56", "15:56")), 200, "Url wasmcloud.azurecr.io/wash:0.18.2 stored for wash")
	wantPick(t, db, "wash", "wasmcloud.azurecr.io/wash:0.18.2")
}

// TestUnfinishedDeleteSaysThatMoreFollow: nobody has to repeat it.
func TestUnfinishedDeleteSaysThatMoreFollow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deleted              store.Deleted
		method, target, body string
		text                 string
	}{
		"many": {deleted: store.Deleted{References: 600, More: true}, method: "POST", target: "/api/azurehook", body: deletion(),
			text: "Deleted 600 references of wash, more follow"},
		"one": {deleted: store.Deleted{References: 1, More: true}, method: "POST", target: "/api/azurehook", body: deletion(),
			text: "Deleted 1 reference of wash, more follow"},
		"none": {deleted: store.Deleted{More: true}, method: "POST", target: "/api/azurehook", body: deletion(),
			text: "Deleted 0 references of wash, more follow"},
		"all": {deleted: store.Deleted{References: 600}, method: "POST", target: "/api/azurehook", body: deletion(),
			text: "Deleted 600 references of wash"},
		"in a batch": {deleted: store.Deleted{References: 600, More: true}, method: "POST", target: "/api/azurehook", body: batch(push, deletion()),
			text: pushed + "\nDeleted 600 references of wash, more follow"},
		"by hand": {deleted: store.Deleted{References: 2, More: true}, method: "DELETE", target: byHand + "?name=app",
			text: "Deleted 2 references of app, more follow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(anyone, &recorder{deleted: c.deleted})
			wantAnswer(t, "the answer", s.do(c.method, c.target, c.body), 200, c.text)
			if lost := s.lines(t, "event not stored"); len(lost) > 0 {
				t.Errorf("logged as not stored: %v", lost)
			}
		})
	}
}

// TestUnfinishedDeleteIsLoggedWithItsError: a delete without an error only lacked time.
func TestUnfinishedDeleteIsLoggedWithItsError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		body string
		want int
	}{
		"no error":   {body: deletion(), want: 0},
		"failed":     {err: errors.New("planted"), body: deletion(), want: 1},
		"in a batch": {err: errors.New("planted"), body: batch(push, deletion()), want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(anyone, &recorder{deleted: store.Deleted{More: true, Err: c.err}})
			if w := s.post(c.body); w.Code != 200 {
				t.Errorf("the answer = %d %q, want 200", w.Code, w.Body)
			}
			lines := s.lines(t, "event not finished")
			if len(lines) != c.want {
				t.Fatalf("%d lines, want %d: %s", len(lines), c.want, s.log)
			}
			for _, line := range lines {
				if line["level"] != "WARN" || line["err"] != "planted" || line["event"] == nil {
					t.Errorf("line = %v, want a warning with the error and the event", line)
				}
			}
		})
	}
}

func TestDeleteSaysHowManyReferencesItDeleted(t *testing.T) {
	t.Parallel()
	db := openBolt(t)
	s := newServer(anyone, db)
	s.post(push)
	s.post(change("0.18.1", "latest"))
	wantAnswer(t, "a delete of the digest", s.post(deletion()), 200, "Deleted 2 references of wash")
	wantAnswer(t, "its repeat", s.post(deletion()), 200, "Deleted 0 references of wash")
	wantPick(t, db, "wash", "")
	s.post(change("14:56", "15:56"))
	byTag := change(`"push"`, `"delete"`, `,"digest":"`+digest+`"`, "", "14:56", "16:56")
	wantAnswer(t, "a delete of the tag", s.post(byTag), 200, "Deleted 1 reference of wash")
	wantPick(t, db, "wash", "")
}

// at2026 runs f in a bubble at a fixed time in 2026.
func at2026(t *testing.T, f func(t *testing.T, now time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
		time.Sleep(time.Until(now))
		f(t, now)
	})
}

// TestStoreGetsTheWholeEvent: the store gets everything in a request, with times in UTC.
// It keeps a tombstone from the receipt of its delete, not from the time of the deletion.
func TestStoreGetsTheWholeEvent(t *testing.T) {
	t.Parallel()
	wash := reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"}
	app := reference.Reference{Registry: "ghcr.io", Repository: "acme/app", Tag: "1.2.3"}
	for name, c := range map[string]struct {
		method, target, body string
		want                 func(now time.Time) event.Event
	}{
		"webhook's push": {
			method: "POST", target: "/api/azurehook",
			body: change(`"tag"`, `"size":7,"mediaType":"a/b","tag"`),
			want: func(time.Time) event.Event {
				return event.Event{Push: &event.Push{Reference: wash, Digest: digest, MediaType: "a/b", Size: 7, PushedAt: pushedAt}}
			}},
		"webhook's push without a time": {
			method: "POST", target: "/api/azurehook",
			body: change(`"2023-07-03T14:56:52.0604218Z"`, "null"),
			want: func(now time.Time) event.Event {
				return event.Event{Push: &event.Push{Reference: wash, Digest: digest, Size: event.UnknownSize, PushedAt: now}}
			}},
		"webhook's delete": {
			method: "POST", target: "/api/azurehook", body: deletion(),
			want: func(now time.Time) event.Event {
				target := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Digest: digest}
				return event.Event{Delete: &event.Delete{Target: target, DeletedAt: pushedAt, ReceivedAt: now}}
			}},
		"push by hand": {
			method: "PUT", target: "/api/references/GHCR.io/acme/app:1.2.3",
			want: func(now time.Time) event.Event {
				return event.Event{Push: &event.Push{Reference: app, Size: event.UnknownSize, PushedAt: now}}
			}},
		"push by hand with all fields": {
			method: "PUT", target: "/api/references/ghcr.io/acme/app:1.2.3",
			body: `{"name":"app","digest":"` + digest + `","pushedAt":"2023-07-03T16:56:52.0604218+02:00","mediaType":"a/b","size":0,"other":1}`,
			want: func(time.Time) event.Event {
				return event.Event{Push: &event.Push{Reference: app, GivenName: "app", Digest: digest, MediaType: "a/b", PushedAt: pushedAt}}
			}},
		"push by hand with null fields": {
			method: "PUT", target: "/api/references/ghcr.io/acme/app:1.2.3",
			body: `{"name":null,"digest":null,"pushedAt":null,"mediaType":null,"size":null}`,
			want: func(now time.Time) event.Event {
				return event.Event{Push: &event.Push{Reference: app, Size: event.UnknownSize, PushedAt: now}}
			}},
		"delete by hand": {
			method: "DELETE", target: "/api/references/ghcr.io/acme/app:1.2.3",
			want: func(now time.Time) event.Event {
				target := event.Target{Registry: "ghcr.io", Repository: "acme/app", Tag: "1.2.3"}
				return event.Event{Delete: &event.Delete{Target: target, DeletedAt: now, ReceivedAt: now}}
			}},
		"delete by hand under a name": {
			method: "DELETE", target: "/api/references/ghcr.io/acme/app:1.2.3?name=app",
			want: func(now time.Time) event.Event {
				target := event.Target{Registry: "ghcr.io", Repository: "acme/app", Tag: "1.2.3", GivenName: "app"}
				return event.Event{Delete: &event.Delete{Target: target, DeletedAt: now, ReceivedAt: now}}
			}},
		"name put into a category": {
			method: "PUT", target: "/api/categories/official/acme.azurecr.io/team/app",
			want: func(now time.Time) event.Event {
				member := event.Member{Category: "official", Name: reference.Name{Registry: "acme.azurecr.io", Repository: "team/app"}}
				return event.Event{Membership: &event.Membership{Member: member, At: now}}
			}},
		"name removed from a category": {
			method: "DELETE", target: "/api/categories/official/wash",
			want: func(now time.Time) event.Event {
				member := event.Member{Category: "official", Name: reference.Name{Repository: "wash"}}
				return event.Event{Membership: &event.Membership{Member: member, Removed: true, At: now}}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at2026(t, func(t *testing.T, now time.Time) {
				db := &recorder{}
				if w := newServer(anyone, db).do(c.method, c.target, c.body); w.Code >= 300 {
					t.Fatalf("%s %s = %d %q", c.method, c.target, w.Code, w.Body)
				}
				if diff := cmp.Diff([]event.Event{c.want(now)}, db.events); diff != "" {
					t.Fatalf("stored events: -want +got\n%s", diff)
				}
				for _, at := range timesOf(db.events[0]) {
					if at.Location() != time.UTC {
						t.Errorf("time %s is not in UTC", at)
					}
				}
			})
		})
	}
}

func timesOf(e event.Event) []time.Time {
	switch {
	case e.Push != nil:
		return []time.Time{e.Push.PushedAt}
	case e.Delete != nil:
		return []time.Time{e.Delete.DeletedAt, e.Delete.ReceivedAt}
	default:
		return []time.Time{e.Membership.At}
	}
}

// TestBatchIsAnsweredLineByLine also checks the status of the whole batch: only a 500
// makes the sender repeat it.
func TestBatchIsAnsweredLineByLine(t *testing.T) {
	t.Parallel()
	const (
		bad     = required + ": action and target are missing"
		refused = "Registry evil.azurecr.io is not allowed"
	)
	evil := change("wasmcloud", "evil")
	settings := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"wasmcloud.azurecr.io"}}
	for name, c := range map[string]struct {
		broken  bool // the store fails
		events  []string
		status  int
		outcome string
		lines   []string
	}{
		"some good":           {events: []string{push, "{}", `{"action":"ping"}`, evil}, status: 200, outcome: "stored", lines: []string{pushed, bad, "pong", refused}},
		"all bad":             {events: []string{"{}", "{}"}, status: 400, outcome: "bad_request", lines: []string{bad, bad}},
		"all forbidden":       {events: []string{evil, evil}, status: 403, outcome: "forbidden", lines: []string{refused, refused}},
		"forbidden, then bad": {events: []string{evil, "{}"}, status: 400, outcome: "bad_request", lines: []string{refused, bad}},
		"bad, then forbidden": {events: []string{"{}", evil}, status: 400, outcome: "bad_request", lines: []string{bad, refused}},
		"one":                 {events: []string{push}, status: 200, outcome: "stored", lines: []string{pushed}},
		"one bad":             {events: []string{"{}"}, status: 400, outcome: "bad_request", lines: []string{bad}},
		"one ignored":         {events: []string{"{}", `{"action":"x"}`}, status: 200, outcome: "ignored", lines: []string{bad, `Ignored: action "x"`}},
		"one not stored":      {broken: true, events: []string{`{"action":"ping"}`, "{}", push, evil}, status: 500, outcome: "store_failed", lines: []string{"pong", bad, notStored, refused}},
		"first not stored":    {broken: true, events: []string{push, `{"action":"ping"}`}, status: 500, outcome: "store_failed", lines: []string{notStored, "pong"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var db store.Writer = &recorder{}
			if c.broken {
				db = broken
			}
			s := newServer(settings, db)
			wantAnswer(t, "the answer", s.post(batch(c.events...)), c.status, strings.Join(c.lines, "\n"))
			line := s.request(t)
			if line["outcome"] != c.outcome {
				t.Errorf("outcome = %v, want %s", line["outcome"], c.outcome)
			}
			if got := line["events"]; len(c.events) > 1 && got != float64(len(c.events)) {
				t.Errorf("events = %v, want %d", got, len(c.events))
			}
		})
	}
}

// TestBatchMayHave5000Events runs in a bubble whose clock stands still, so that no
// deadline ends it on a busy machine.
func TestBatchMayHave5000Events(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testLargeBatch)
}

func testLargeBatch(t *testing.T) {
	event := `{"target":{"repository":"w","tag":"1"},"request":{"host":"a.io"}}`
	for _, c := range []struct {
		events, status, stored int
		text                   string
	}{
		{events: 5000, status: 200, stored: 5000, text: strings.Repeat("Url a.io/w:1 stored for w\n", 4999) + "Url a.io/w:1 stored for w"},
		{events: 5001, status: 400, text: required + ": the body has more than 5000 events"},
	} {
		db := &recorder{}
		w := newServer(anyone, db).post(batch(slices.Repeat([]string{event}, c.events)...))
		if w.Code != c.status {
			t.Errorf("%d events: status %d, want %d", c.events, w.Code, c.status)
		}
		if len(db.events) != c.stored {
			t.Errorf("%d events: %d are stored, want %d", c.events, len(db.events), c.stored)
		}
		if got := w.Body.String(); got != c.text {
			t.Errorf("%d events: answer %.200q…, want %.200q…", c.events, got, c.text)
		}
	}
	if webhook.MaxBatch != 5000 {
		t.Errorf("MaxBatch = %d, want 5000", webhook.MaxBatch)
	}
}

// slow is a store that needs a second for each push.
type slow struct{ store.Writer }

func (s slow) Push(ctx context.Context, p event.Push) error {
	select {
	case <-time.After(time.Second):
		return s.Writer.Push(ctx, p)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// manyPushes returns a batch of n pushes with different tags.
func manyPushes(n int) string {
	var events []string
	for i := range n {
		events = append(events, change("0.18.1", fmt.Sprintf("0.%d.0", i)))
	}
	return batch(events...)
}

func TestBatchStores16EventsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		w := newServer(anyone, slow{&recorder{}}).post(manyPushes(32))
		if took := time.Since(begin); w.Code != 200 || took != 2*time.Second {
			t.Errorf("32 events of a second each: status %d after %s, want 200 after 2s", w.Code, took)
		}
	})
}

// TestBatchTooLongForTheDeadlineIsStoredByRepeats: the events stored in time stay, the
// rest is answered 500, and each repeat stores other events.
func TestBatchTooLongForTheDeadlineIsStoredByRepeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const events = 100
		s := newServer(anyone, slow{openBolt(t)})
		stored := map[string]bool{}
		for try := 1; len(stored) < events; try++ {
			if try > 100 {
				t.Fatalf("after %d tries, %d of %d events are stored", try, len(stored), events)
			}
			w := s.post(manyPushes(events))
			lines := strings.Split(w.Body.String(), "\n")
			if w.Code != 500 || len(lines) != events {
				t.Fatalf("try %d: %d with %d lines, want 500 with %d", try, w.Code, len(lines), events)
			}
			for _, line := range lines {
				if line != notStored {
					stored[line] = true
				}
			}
		}
	})
}

func TestHandshakeAllowsTheAskingOrigin(t *testing.T) {
	t.Parallel()
	s := newServer(ingest.Settings{}, broken)
	wantAnswer(t, "without an origin", s.do("OPTIONS", "/api/azurehook", ""), 400, "The header WebHook-Request-Origin is missing")
	r := httptest.NewRequest("OPTIONS", "/api/azurehook", nil)
	r.Header.Set("WebHook-Request-Origin", "eventgrid.azure.net")
	w := s.serve(r)
	wantAnswer(t, "with an origin", w, 200, "")
	if got := w.Header().Get("WebHook-Allowed-Origin"); got != "eventgrid.azure.net" {
		t.Errorf("WebHook-Allowed-Origin = %q, want eventgrid.azure.net", got)
	}
	if got := w.Header().Get("WebHook-Allowed-Rate"); got != "*" {
		t.Errorf("WebHook-Allowed-Rate = %q, want *", got)
	}
	if line := s.lines(t, "request")[1]; line["outcome"] != "handshake" {
		t.Errorf("outcome = %v, want handshake", line["outcome"])
	}
}

func TestTruncatedBodyIsRefused(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"POST /api/azurehook", "PUT /api/references/ghcr.io/acme/app:1.2.3"} {
		method, target, _ := strings.Cut(route, " ")
		db := &recorder{}
		body := io.MultiReader(strings.NewReader(push), iotest.ErrReader(io.ErrUnexpectedEOF))
		w := newServer(anyone, db).serve(httptest.NewRequest(method, target, body))
		wantAnswer(t, route, w, 400, "the body was cut short: unexpected EOF")
		if len(db.events) > 0 {
			t.Errorf("%s: stored %v", route, db.events)
		}
	}
}

func BenchmarkPush(b *testing.B) {
	h := ingest.New(anyone, discard{}, requestlog.NewJSON(io.Discard))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/api/azurehook", strings.NewReader(push)))
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

// discard is a store that keeps nothing, so that only the handler costs time.
type discard struct{}

func (discard) Push(context.Context, event.Push) error { return nil }
func (discard) Delete(context.Context, event.Delete) (store.Deleted, error) {
	return store.Deleted{}, nil
}
func (discard) PushedAt(context.Context, event.Target) (time.Time, error) {
	return time.Time{}, nil
}
func (discard) Categorize(context.Context, event.Membership) error { return nil }
