package ingest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
)

const (
	digest   = "sha256:0116c9dd59ca86bf8069dc8e56c02eb91d1296bbe66b511c279af77cba44d445"
	required = "Azure webhook payload did not contain required fields"
	push     = `{"timestamp":"2023-07-03T14:56:52.0604218Z","action":"push","target":{"repository":"wash","tag":"0.18.1","digest":"` + digest + `"},"request":{"host":"wasmcloud.azurecr.io"}}`
	pushed   = "Url wasmcloud.azurecr.io/wash:0.18.1 stored for wash"
)

// change replaces parts of the push: pairs of old and new.
func change(oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(push) }

func openBolt(t testing.TB) store.Store {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func hash(token string) ingest.TokenHash { return sha256.Sum256([]byte(token)) }

var anyone = ingest.Settings{WithoutToken: true}

// server is the write side over a store, with what it logs.
type server struct {
	http.Handler
	log *bytes.Buffer
}

func newServer(s ingest.Settings, db store.Writer) server {
	var buf bytes.Buffer
	log := requestlog.NewJSON(&buf)
	return server{requestlog.Handler(log, "X-Request-Id", ingest.New(s, db, log)), &buf}
}

func (s server) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s server) post(body string) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest("POST", "/api/azurehook", strings.NewReader(body)))
}

// lines are the log's lines.
func (s server) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for dec := json.NewDecoder(bytes.NewReader(s.log.Bytes())); ; {
		var line map[string]any
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
}

// TestAnswers has a row for each kind of body of the contract's table.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		status  int
		want    string
		outcome string
	}{
		"push":                        {push, 200, pushed, "stored"},
		"push without action":         {change(`"action":"push",`, ""), 200, pushed, "stored"},
		"untagged push":               {change(`"tag":"0.18.1",`, ""), 200, "Ignored: push of wash@" + digest + " has no tag", "ignored"},
		"delete by digest":            {change(`"push"`, `"delete"`, `"tag":"0.18.1",`, ""), 200, "Deleted 0 references of wash", "deleted"},
		"ping":                        {`{"action":"ping"}`, 200, "pong", "pong"},
		"quarantine":                  {change(`"push"`, `"quarantine"`), 200, `Ignored: action "quarantine"`, "ignored"},
		"chart_push":                  {change(`"push"`, `"chart_push"`), 200, `Ignored: action "chart_push"`, "ignored"},
		"chart_delete":                {change(`"push"`, `"chart_delete"`), 200, `Ignored: action "chart_delete"`, "ignored"},
		"unknown action":              {change(`"push"`, `"retag"`), 200, `Ignored: action "retag"`, "ignored"},
		"event grid validation":       {`[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"<a&b>"}}]`, 200, `{"validationResponse":"\u003ca\u0026b\u003e"}`, "validated"},
		"not JSON":                    {"push", 400, required + ": the body is not JSON", "bad_request"},
		"no body":                     {"", 400, required + ": the body is not JSON", "bad_request"},
		"text":                        {`"push"`, 400, required + ": the event is not an object", "bad_request"},
		"empty object":                {"{}", 400, required + ": action and target are missing", "bad_request"},
		"empty array":                 {"[]", 400, required + ": the body is an empty array", "bad_request"},
		"push without repository":     {change(`"repository":"wash",`, ""), 400, required + ": target.repository is missing", "bad_request"},
		"push without host":           {change(`"host":"wasmcloud.azurecr.io"`, ""), 400, required + ": request.host is missing", "bad_request"},
		"push without tag and digest": {change(`"tag":"0.18.1",`, "", digest, ""), 400, required + ": target.tag and target.digest are missing", "bad_request"},
		"tag of another type":         {change(`"0.18.1"`, "18"), 400, required + `: target.tag is not a string: "18"`, "bad_request"},
		"delete with empty digest":    {change(`"push"`, `"delete"`, digest, ""), 400, required + ": target.digest is empty", "bad_request"},
		"one mebibyte":                {strings.Repeat(" ", 1<<20-len(push)) + push, 200, pushed, "stored"},
		"over one mebibyte":           {strings.Repeat(" ", 1<<20-len(push)+1) + push, 413, "The body is larger than 1048576 bytes", "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(anyone, openBolt(t))
			w := s.post(c.body)
			if w.Code != c.status || w.Body.String() != c.want {
				t.Errorf("answer = %d %q, want %d %q", w.Code, w.Body, c.status, c.want)
			}
			wantType := "text/plain; charset=utf-8"
			if c.outcome == "validated" {
				wantType = "application/json"
			}
			if got := w.Header().Get("Content-Type"); got != wantType {
				t.Errorf("Content-Type = %q, want %q", got, wantType)
			}
			lines := s.lines(t)
			if len(lines) != 1 || lines[0]["outcome"] != c.outcome || lines[0]["status"] != float64(c.status) {
				t.Errorf("log = %v, want one line with outcome %s", lines, c.outcome)
			}
		})
	}
}

func TestStoredIsRead(t *testing.T) {
	db := openBolt(t)
	s := newServer(anyone, db)
	s.post(push)
	if got := s.post(push).Body.String(); got != pushed {
		t.Errorf("a repeat: %q", got)
	}
	if got := s.post(change("0.18.1", "0.18.0", "14:56", "13:56")).Body.String(); got != "Url wasmcloud.azurecr.io/wash:0.18.0 stored for wash" {
		t.Errorf("a late event: %q", got)
	}
	p, err := db.Pick(t.Context(), store.Query{Name: "wash"})
	if err != nil || p.Reference.String() != "wasmcloud.azurecr.io/wash:0.18.1" || p.Digest != digest ||
		!p.PushedAt.Equal(time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC)) {
		t.Errorf("Pick = %+v, %v", p, err)
	}
	line := s.lines(t)[0]
	if line["repository"] != "wash" || line["reference"] != "wasmcloud.azurecr.io/wash:0.18.1" {
		t.Errorf("log = %v", line)
	}
}

func TestDeleteCounts(t *testing.T) {
	s := newServer(anyone, openBolt(t))
	s.post(push)
	s.post(change("0.18.1", "latest"))
	byDigest := change(`"push"`, `"delete"`, `"tag":"0.18.1",`, "")
	for _, want := range []string{"Deleted 2 references of wash", "Deleted 0 references of wash"} {
		if got := s.post(byDigest).Body.String(); got != want {
			t.Errorf("delete = %q, want %q", got, want)
		}
	}
	s.post(change("14:56", "15:56"))
	if got := s.post(change(`"push"`, `"delete"`, `,"digest":"`+digest+`"`, "", "14:56", "16:56")).Body.String(); got != "Deleted 1 reference of wash" {
		t.Errorf("delete by tag = %q", got)
	}
}

func TestToken(t *testing.T) {
	settings := ingest.Settings{Tokens: []ingest.TokenHash{hash("old"), hash("new")}}
	for name, c := range map[string]struct {
		settings      ingest.Settings
		query, header string
		want          int
	}{
		"none":                         {settings, "", "", 401},
		"wrong":                        {settings, "", "Bearer wrong", 401},
		"wrong in the query":           {settings, "?token=wrong", "", 401},
		"the hash instead":             {settings, "", fmt.Sprintf("Bearer %x", hash("new")), 401},
		"empty":                        {settings, "?token=", "Bearer ", 401},
		"of another scheme":            {settings, "", "Basic new", 401},
		"first":                        {settings, "", "Bearer old", 200},
		"second":                       {settings, "", "Bearer new", 200},
		"scheme in lower case":         {settings, "", "bearer new", 200},
		"in the query":                 {settings, "?token=new", "", 200},
		"in the query, basic beside":   {settings, "?token=new", "Basic x", 200},
		"wrong header, right query":    {settings, "?token=new", "Bearer x", 401},
		"none configured":              {ingest.Settings{}, "", "Bearer new", 401},
		"none configured, empty given": {ingest.Settings{}, "?token=", "", 401},
		"none, hash of an empty one":   {ingest.Settings{Tokens: []ingest.TokenHash{hash("")}}, "?token=%20", "", 401},
		"none needed":                  {anyone, "", "", 200},
		"none needed but configured":   {ingest.Settings{Tokens: settings.Tokens, WithoutToken: true}, "", "", 401},
	} {
		t.Run(name, func(t *testing.T) {
			db := openBolt(t)
			s := newServer(c.settings, db)
			// The body is not looked at before the token.
			for _, body := range []string{push, "not JSON", strings.Repeat(" ", 2<<20)} {
				r := httptest.NewRequest("POST", "/api/azurehook"+c.query, strings.NewReader(body))
				if c.header != "" {
					r.Header.Set("Authorization", c.header)
				}
				w := s.do(r)
				switch {
				case (w.Code == 401) != (c.want == 401):
					t.Errorf("status %d, want %d", w.Code, c.want)
				case c.want == 401 && (w.Body.String() != "Unauthorized" || w.Header().Get("WWW-Authenticate") != "Bearer"):
					t.Errorf("answer %q, WWW-Authenticate %q", w.Body, w.Header().Get("WWW-Authenticate"))
				}
			}
			if _, err := db.Pick(t.Context(), store.Query{Name: "wash"}); (err == nil) != (c.want == 200) {
				t.Errorf("Pick: %v", err)
			}
			for _, secret := range []string{"old", "new", "wrong"} {
				if strings.Contains(s.log.String(), secret) {
					t.Errorf("the token is in the log: %s", s.log)
				}
			}
		})
	}
}

func TestAllowedRegistries(t *testing.T) {
	db := openBolt(t)
	s := newServer(ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"a.azurecr.io", "wasmcloud.azurecr.io"}}, db)
	if w := s.post(change("wasmcloud.azurecr.io", "Evil.azurecr.io")); w.Code != 403 || w.Body.String() != "Registry evil.azurecr.io is not allowed" {
		t.Errorf("answer = %d %q", w.Code, w.Body)
	}
	if _, err := db.Pick(t.Context(), store.Query{Name: "wash"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Pick after a refusal: %v", err)
	}
	if w := s.post(change("wasmcloud", "WASMCLOUD")); w.Code != 200 || w.Body.String() != pushed {
		t.Errorf("allowed: %d %q", w.Code, w.Body)
	}
}

func TestBatch(t *testing.T) {
	evil := change("wasmcloud", "evil")
	settings := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"wasmcloud.azurecr.io"}}
	const no, refused = required + ": action and target are missing", "Registry evil.azurecr.io is not allowed"
	for name, c := range map[string]struct {
		events []string
		status int
		want   []string
	}{
		"good and bad":  {[]string{push, "{}", `{"action":"ping"}`, evil}, 200, []string{pushed, no, "pong", refused}},
		"all bad":       {[]string{"{}", "{}"}, 400, []string{no, no}},
		"all refused":   {[]string{evil, evil}, 403, []string{refused, refused}},
		"none usable":   {[]string{evil, "{}"}, 400, []string{refused, no}},
		"one":           {[]string{push}, 200, []string{pushed}},
		"ignored alone": {[]string{"{}", `{"action":"x"}`}, 200, []string{no, `Ignored: action "x"`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newServer(settings, openBolt(t)).post("[" + strings.Join(c.events, ",") + "]")
			if want := strings.Join(c.want, "\n"); w.Code != c.status || w.Body.String() != want {
				t.Errorf("answer = %d %q, want %d %q", w.Code, w.Body, c.status, want)
			}
		})
	}
}

func TestHandshake(t *testing.T) {
	s := newServer(ingest.Settings{}, openBolt(t))
	r := httptest.NewRequest("OPTIONS", "/api/azurehook", nil)
	if w := s.do(r); w.Code != 400 {
		t.Errorf("without an origin: %d", w.Code)
	}
	r.Header.Set("WebHook-Request-Origin", "eventgrid.azure.net")
	w := s.do(r)
	if w.Code != 200 || w.Header().Get("WebHook-Allowed-Origin") != "eventgrid.azure.net" || w.Header().Get("WebHook-Allowed-Rate") == "" {
		t.Errorf("answer = %d %v", w.Code, w.Header())
	}
}

func TestCutBody(t *testing.T) {
	s := newServer(anyone, openBolt(t))
	w := s.do(httptest.NewRequest("POST", "/api/azurehook", io.MultiReader(strings.NewReader(push), iotest.ErrReader(io.ErrUnexpectedEOF))))
	if w.Code != 400 || !strings.HasPrefix(w.Body.String(), required) {
		t.Errorf("answer = %d %q", w.Code, w.Body)
	}
}

// broken is a store whose calls do not return before their context ends, or
// fail at once with err.
type broken struct{ err error }

func (b broken) fail(ctx context.Context) error {
	if b.err != nil {
		return b.err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (b broken) Push(ctx context.Context, _ store.Push) error { return b.fail(ctx) }

func (b broken) Delete(ctx context.Context, _ store.Delete) (int, error) { return 0, b.fail(ctx) }

func (b broken) Categorize(ctx context.Context, _ store.Membership) error { return b.fail(ctx) }

func TestStoreFailureIsA500WithTheEventLogged(t *testing.T) {
	for name, c := range map[string]struct {
		db    store.Writer
		least time.Duration
	}{"hangs": {broken{}, ingest.Deadline}, "fails": {broken{errors.New("planted")}, 0}} {
		for kind, body := range map[string]string{"push": push, "delete": change(`"push"`, `"delete"`)} {
			t.Run(name+" "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(anyone, c.db)
					begin := time.Now()
					w := s.post(body)
					if took := time.Since(begin); took != c.least {
						t.Errorf("the answer took %s, want %s", took, c.least)
					}
					if w.Code != 500 || w.Body.String() != "Failed to store url" {
						t.Errorf("answer = %d %q", w.Code, w.Body)
					}
					lines := s.lines(t)
					if len(lines) != 2 || lines[0]["level"] != "ERROR" || lines[1]["outcome"] != "store_failed" {
						t.Fatalf("log = %v", lines)
					}
					// The line holds the event, so that it can be sent again.
					event, err := json.Marshal(lines[0]["event"])
					if err != nil {
						t.Fatal(err)
					}
					db := openBolt(t)
					if w := newServer(anyone, db).post(string(event)); w.Code != 200 {
						t.Errorf("sent again: %d %q", w.Code, w.Body)
					}
				})
			})
		}
	}
}

func TestBatchWithAFailureComesAgain(t *testing.T) {
	s := newServer(anyone, broken{errors.New("planted")})
	w := s.post("[" + push + `,{"action":"ping"},{}]`)
	if want := "Failed to store url\npong\n" + required + ": action and target are missing"; w.Code != 500 || w.Body.String() != want {
		t.Errorf("answer = %d %q", w.Code, w.Body)
	}
}

// slow is a store that takes a second for each push.
type slow struct{ store.Writer }

func (s slow) Push(ctx context.Context, p store.Push) error {
	select {
	case <-time.After(time.Second):
		return s.Writer.Push(ctx, p)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestBatchTooLongForTheDeadline: what was stored stays, the rest is answered
// 500, and repeats store it all.
func TestBatchTooLongForTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var batch []string
		for i := range 100 {
			batch = append(batch, change("0.18.1", fmt.Sprintf("0.%d.0", i)))
		}
		db := openBolt(t)
		s := newServer(anyone, slow{db})
		stored := map[string]bool{}
		for try := 1; len(stored) < len(batch); try++ {
			begin := time.Now()
			w := s.post("[" + strings.Join(batch, ",") + "]")
			lines := strings.Split(w.Body.String(), "\n")
			if w.Code != 500 || len(lines) != len(batch) || time.Since(begin) > ingest.Deadline {
				t.Fatalf("try %d: %d with %d lines after %s", try, w.Code, len(lines), time.Since(begin))
			}
			for _, line := range lines {
				if line != "Failed to store url" {
					stored[line] = true
				}
			}
			if try > 100 {
				t.Fatalf("after %d tries %d of %d events are stored", try, len(stored), len(batch))
			}
		}
		if _, err := db.Pick(t.Context(), store.Query{Name: "wash", Order: store.ByRelease}); err != nil {
			t.Error(err)
		}
	})
}

func TestFromEnv(t *testing.T) {
	env := func(vars map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	}
	s, err := ingest.FromEnv(env(map[string]string{
		"WEBHOOK_TOKEN_SHA256": fmt.Sprintf(" %x,%X ,", hash("a"), hash("b")),
		"ALLOWED_REGISTRIES":   "WasmCloud.azurecr.io, localhost:5000",
	}))
	if err != nil || len(s.Tokens) != 2 || s.Tokens[0] != hash("a") || s.Tokens[1] != hash("b") ||
		strings.Join(s.AllowedRegistries, " ") != "wasmcloud.azurecr.io localhost:5000" || s.WithoutToken {
		t.Errorf("FromEnv = %+v, %v", s, err)
	}
	if s, err := ingest.FromEnv(env(nil)); err != nil || len(s.Tokens) != 0 || len(s.AllowedRegistries) != 0 {
		t.Errorf("FromEnv without variables = %+v, %v", s, err)
	}
	_, err = ingest.FromEnv(env(map[string]string{"WEBHOOK_TOKEN_SHA256": "geheim", "ALLOWED_REGISTRIES": "a b"}))
	for _, want := range []string{"WEBHOOK_TOKEN_SHA256", "ALLOWED_REGISTRIES", `"a b"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error shows what may be a token: %v", err)
	}
}

// recorder counts what is written.
type recorder struct {
	store.Writer
	pushes, deletes atomic.Int64
}

func (r *recorder) Push(context.Context, store.Push) error { r.pushes.Add(1); return nil }

func (r *recorder) Delete(context.Context, store.Delete) (int, error) {
	r.deletes.Add(1)
	return 1, nil
}

// FuzzHandler: whatever comes, there is no panic and, with a store that works, no
// 5xx; what is answered 4xx has written nothing.
func FuzzHandler(f *testing.F) {
	samples, err := filepath.Glob("../../events/*.json")
	if err != nil {
		f.Fatal(err)
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
	f.Add([]byte(push), "", "", "Microsoft.ContainerRegistry.ImageDeleted")
	f.Add([]byte("["+push+",{}]"), "token=token", "", "")
	f.Fuzz(func(t *testing.T, body []byte, query, authorization, ceType string) {
		db := &recorder{}
		s := newServer(ingest.Settings{Tokens: []ingest.TokenHash{hash("token")}, AllowedRegistries: []string{"wasmcloud.azurecr.io"}}, db)
		r := httptest.NewRequest("POST", "/api/azurehook", bytes.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Authorization", authorization)
		if ceType != "" {
			r.Header.Set("ce-specversion", "1.0")
			r.Header.Set("ce-type", ceType)
		}
		w := s.do(r)
		if w.Code >= 500 {
			t.Errorf("status %d: %s", w.Code, s.log)
		}
		if written := db.pushes.Load() + db.deletes.Load(); w.Code >= 400 && written > 0 {
			t.Errorf("status %d and %d writes", w.Code, written)
		}
		if stored := int64(strings.Count(w.Body.String(), " stored for ")); w.Code == 200 && stored < db.pushes.Load() {
			t.Errorf("%d pushes and the answer %q", db.pushes.Load(), w.Body)
		}
		if !utf8.Valid(w.Body.Bytes()) || strings.HasSuffix(w.Body.String(), "\n") {
			t.Errorf("answer %q", w.Body)
		}
	})
}

func BenchmarkPush(b *testing.B) {
	h := ingest.New(anyone, nothing{}, slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/api/azurehook", strings.NewReader(push)))
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

// nothing is a store that keeps nothing: what is left is the handler's cost.
type nothing struct{}

func (nothing) Push(context.Context, store.Push) error             { return nil }
func (nothing) Delete(context.Context, store.Delete) (int, error)  { return 0, nil }
func (nothing) Categorize(context.Context, store.Membership) error { return nil }
