package functions_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/apigateway"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/views"
)

// sampleTokenHash is the SHA-256 of sample-token, the token in events/.
const sampleTokenHash = "0f35d0ae14518b96bd6d3fec3ca15801fd58c9e048b1ccdea11a71378f2acdc9"

// sample is an event with the expected answer.
type sample struct {
	Event    string
	Function string
	Status   int
	Body     string
	Contains []string // parts of the body, for a page, where the ages of references change
	Headers  map[string]string
}

func samples(t *testing.T) (all []sample) {
	t.Helper()
	b, err := os.ReadFile("../events/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// sampleSecret is the key of the signature in events/.
const sampleSecret = "example-secret"

// handlers returns the handlers of ingest and lookup, with the token and the secret in
// events/.
func handlers(t *testing.T, writer store.Writer, reader store.Reader) (write, read http.Handler) {
	t.Helper()
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"WEBHOOK_TOKEN_SHA256": sampleTokenHash, "WEBHOOK_SECRETS": sampleSecret}[name]
		return value, ok
	}
	writeSettings, err := ingest.FromEnv(env)
	if err != nil {
		t.Fatal(err)
	}
	readSettings, err := lookup.FromEnv(env)
	if err != nil {
		t.Fatal(err)
	}
	return ingest.New(writeSettings, writer, requestlog.NewJSON(io.Discard)), lookup.New(readSettings, reader)
}

// replay sends each sample event through the handlers, compares the answers, and returns
// the names of the events. It calls after behind each.
func replay(t *testing.T, write, read http.Handler, after func()) (events []string) {
	functions := map[string]http.Handler{"IngestFunction": write, "LookupFunction": read}
	for _, s := range samples(t) {
		events = append(events, s.Event)
		t.Run(s.Event, func(t *testing.T) {
			b, err := os.ReadFile("../events/" + s.Event)
			if err != nil {
				t.Fatal(err)
			}
			var event lambdaevents.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(b, &event); err != nil {
				t.Fatal(err)
			}
			got, err := apigateway.Handler(functions[s.Function])(t.Context(), event)
			after()
			body := text(t, got)
			right := body == s.Body
			if s.Contains != nil {
				right = !slices.ContainsFunc(s.Contains, func(text string) bool { return !strings.Contains(body, text) })
			}
			if err != nil || got.StatusCode != s.Status || !right {
				t.Errorf("answer = %d %q, %v, want %d %q", got.StatusCode, body, err, s.Status, s.Body)
			}
			for name, want := range s.Headers {
				if got.Headers[http.CanonicalHeaderKey(name)] != want {
					t.Errorf("%s = %q, want %q", name, got.Headers[http.CanonicalHeaderKey(name)], want)
				}
			}
		})
	}
	return events
}

// text returns the body of an answer as a reader sees it.
func text(t *testing.T, answer lambdaevents.APIGatewayV2HTTPResponse) string {
	t.Helper()
	body := []byte(answer.Body)
	var err error
	if answer.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(answer.Body); err != nil {
			t.Fatal(err)
		}
	}
	if answer.Headers["Content-Encoding"] == "gzip" {
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return string(body)
}

// TestSampleEvents replays events/ with the handlers of ingest and lookup on one store.
func TestSampleEvents(t *testing.T) {
	t.Parallel()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write, read := handlers(t, db, db)
	tested := append(replay(t, write, read, func() {}), "answers.json", "reconcile.json")
	files, err := filepath.Glob("../events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	slices.Sort(tested)
	if diff := cmp.Diff(files, tested); diff != "" {
		t.Errorf("files of events/ and events of answers.json: %s", diff)
	}
}

// TestRolesAllowJustWhatFunctionsDo runs the handlers on a real DynamoDB that allows each
// call only what the function's role in template.yaml allows. The views function follows
// the table's stream.
func TestRolesAllowJustWhatFunctionsDo(t *testing.T) {
	t.Parallel()
	table := dynamotest.StreamTable(t)
	roles := map[string]*dynamotest.Role{}
	stream := dynamotest.NewStream(t, table)
	open := func(role string) *dynamo.DB {
		roles[role] = dynamotest.NewRole(t, role)
		cfg := dynamolocal.Config(t)
		cfg.HTTPClient = &http.Client{Transport: roles[role]}
		db, err := dynamo.Open(cfg, table)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	writeDB, readDB, viewsDB := open("IngestRole"), open("LookupRole"), open("ViewsRole")
	if err := writeDB.StartWriter(t.Context()); err != nil {
		t.Errorf("StartWriter: %v", err)
	}
	if err := readDB.StartReader(t.Context()); err != nil {
		t.Errorf("StartReader: %v", err)
	}
	if err := viewsDB.StartReader(t.Context()); err != nil {
		t.Errorf("StartReader: %v", err)
	}
	follow := views.Handler(viewsDB, requestlog.NewJSON(io.Discard))
	deriveNew := func() {
		text, err := json.Marshal(map[string]any{"Records": stream.Read(t).Records})
		if err != nil {
			t.Fatal(err)
		}
		var batch views.Batch
		if err := json.Unmarshal(text, &batch); err != nil {
			t.Fatal(err)
		}
		if got, err := follow(t.Context(), batch); err != nil || len(got.BatchItemFailures) > 0 {
			t.Errorf("views: %+v, %v", got, err)
		}
	}
	write, read := handlers(t, writeDB, readDB)
	replay(t, write, read, deriveNew)
	for _, body := range []string{
		`{"action":"push","target":{"repository":"app","tag":"1","digest":"sha256:213bbc182920ab41e18edc2001e06abcca6735d87782d9cef68abd83941cf0e5"},"request":{"host":"acme.azurecr.io"}}`,
		`{"action":"delete","target":{"repository":"app","digest":"sha256:213bbc182920ab41e18edc2001e06abcca6735d87782d9cef68abd83941cf0e5"},"request":{"host":"acme.azurecr.io"}}`,
		`{"action":"delete","target":{"repository":"app"},"request":{"host":"acme.azurecr.io"}}`,
	} {
		r := httptest.NewRequest("POST", "/api/azurehook?token=sample-token", strings.NewReader(body))
		w := httptest.NewRecorder()
		if write.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
		deriveNew()
		w = httptest.NewRecorder()
		if read.ServeHTTP(w, httptest.NewRequest("GET", "/app", nil)); w.Code != 200 {
			t.Errorf("GET /app after %s: %d %s", body, w.Code, w.Body)
		}
	}
	for _, role := range roles {
		role.Check(t)
	}
}
