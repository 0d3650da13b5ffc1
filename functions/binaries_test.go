// Package functions_test tests the Lambda functions as they are deployed: their binaries
// and what is linked into them (binaries_test.go), and the sample events
// (samples_test.go). It also checks that the template (template_test.go), the
// documentation and the OpenAPI description (docs_test.go) agree with the code.
package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// binaries is the folder of the functions' binaries while tests run.
var binaries string

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "ocireffer-functions-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(binaries)
	dynamolocal.Main(m)
}

// functions are the template's Lambda functions, named after their folders.
var functions = []string{"ingest", "lookup", "views", "reconcile"}

// If the store hangs, an answer takes at most this long.
const (
	ingestAnswer = 4500 * time.Millisecond
	lookupAnswer = 3 * time.Second
)

// batch is an event for views: a push.
const batch = `{"Records":[{"eventName":"INSERT","dynamodb":{"SequenceNumber":"101","Keys":{"name":{"S":"wash"},"key":{"S":"a.azurecr.io/wash:1"}}}}]}`

// built is the version in the binaries.
const built = "v9.8.7-test"

var builds sync.Map // func() error by function

// binary builds a function as the Makefile does, but for this machine, once for all
// tests. It returns the file.
func binary(t testing.TB, function string) string {
	t.Helper()
	file := filepath.Join(binaries, function)
	build, _ := builds.LoadOrStore(function, sync.OnceValue(func() error {
		cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w -X main.version="+built, "-o", file, "./"+function)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
		return nil
	}))
	if err := build.(func() error)(); err != nil {
		t.Fatal(err)
	}
	return file
}

// invocation is the outcome of one event.
type invocation struct {
	raw     string // the function's answer
	answer  lambdaevents.APIGatewayV2HTTPResponse
	readyIn time.Duration // time from the start of the process until it asked for an event
	took    time.Duration // time from the start of the process to its answer
	log     string
	cpu     time.Duration // CPU time of the process, including its start
	exit    error         // why the process exited by itself
	atStart []string      // DynamoDB operations before it asked for an event
}

// invoke starts a binary with a stand-in for Lambda's Runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), gives it one event
// and stops it after its answer. The event is a file in events/, or JSON.
func invoke(t testing.TB, binary, event string, db *dynamoDB, env ...string) invocation {
	t.Helper()
	return invokeTimes(t, 1, binary, event, db, env...)
}

// invocationID is the ID of an invocation. It is as long as Lambda's.
const invocationID = "6f1f3b8c-1f0e-4a55-9d0c-3f8a1b2c4d5e"

// invokeTimes is invoke with the same event several times.
func invokeTimes(t testing.TB, times int, binary, event string, db *dynamoDB, env ...string) invocation {
	t.Helper()
	body := []byte(event)
	if !json.Valid(body) {
		var err error
		if body, err = os.ReadFile(filepath.Join("..", "events", event)); err != nil {
			t.Fatal(err)
		}
	}
	type start struct {
		at         time.Time
		operations []string
	}
	deadline := 10 * time.Second
	if filepath.Base(binary) == "reconcile" {
		deadline = 15 * time.Minute
	}
	asked := make(chan start, 1)
	answered := make(chan []byte, 1)
	var given, taken atomic.Int64 // events and answers
	api := http.NewServeMux()
	api.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		switch n := given.Add(1); {
		case n > int64(times):
			<-r.Context().Done()
			return
		case n == 1:
			asked <- start{time.Now(), db.operations()}
			if db.meter != nil {
				// An event does not pay for the start.
				db.meter.Take()
				db.meter.TakeBill()
				db.lost.Store(0)
			}
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", invocationID)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(deadline).UnixMilli()))
		w.Write(body)
	})
	api.HandleFunc("POST /2018-06-01/runtime/invocation/"+invocationID+"/{what}", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the function's answer: %v", err)
		}
		if taken.Add(1) == int64(times) {
			answered <- b
		}
		w.WriteHeader(http.StatusAccepted)
	})
	server := httptest.NewServer(api)
	defer server.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second+time.Duration(times)*100*time.Millisecond)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=test", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "_HANDLER=bootstrap",
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"TABLE_NAME=Table", "GOMAXPROCS=1", "AWS_ENDPOINT_URL_DYNAMODB=" + db.url,
		"WEBHOOK_TOKEN_SHA256=" + sampleTokenHash, "SSL_CERT_FILE=" + db.ca,
	}, env...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var result invocation
	select {
	case b := <-answered:
		result.took = time.Since(begin)
		result.raw = string(b)
		if err := json.Unmarshal(b, &result.answer); err != nil && filepath.Base(binary) != "reconcile" {
			t.Fatalf("%s: %v", b, err)
		}
		cancel()
		<-ended
	case result.exit = <-ended:
	}
	select {
	case s := <-asked:
		result.readyIn, result.atStart = s.at.Sub(begin), s.operations
	default: // it has already ended
	}
	result.log = log.String()
	result.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return result
}

// dynamoDB stands in for DynamoDB if the real one cannot do what a test needs.
type dynamoDB struct {
	url   string
	mutex sync.Mutex
	calls []string          // such as BatchGetItem; a PutItem is followed by its item's partition
	meter *dynamotest.Meter // of the calls that a real DynamoDB answers
	lost  atomic.Int64      // calls whose answer the function did not wait for
	ca    string            // file with the certificate of url; empty: functions trust the machine's
}

// operations returns the operations called so far.
func (db *dynamoDB) operations() []string {
	db.mutex.Lock()
	defer db.mutex.Unlock()
	return slices.Clone(db.calls)
}

// record records the operation of a call.
func (db *dynamoDB) record(r *http.Request) error {
	var input struct {
		Item struct {
			Name struct{ S string } `json:"name"`
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&input); err != nil {
		return err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation == "PutItem" {
		operation += " " + input.Item.Name.S
	}
	db.mutex.Lock()
	defer db.mutex.Unlock()
	db.calls = append(db.calls, operation)
	return nil
}

// hanging accepts connections and never answers.
func hanging(t *testing.T) *dynamoDB {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return &dynamoDB{url: "http://" + l.Addr().String()}
}

// answering answers each call with this status and body.
func answering(t *testing.T, status int, body string) *dynamoDB {
	t.Helper()
	var db dynamoDB
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := db.record(r); err != nil {
			t.Errorf("read a call of DynamoDB: %v", err)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	db.url = s.URL
	return &db
}

// failing answers each call with an error.
func failing(t *testing.T) *dynamoDB {
	t.Helper()
	return answering(t, http.StatusInternalServerError, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"planted"}`)
}

// holding has data of this version, and nothing else.
func holding(t *testing.T, version int) *dynamoDB {
	t.Helper()
	return answering(t, http.StatusOK, fmt.Sprintf(`{"Responses":{"Table":[{"name":{"S":"#meta"},"key":{"S":"version"},"dataVersion":{"N":"%d"}}]},"UnprocessedKeys":{},"Items":[]}`, version))
}

// refusing answers each call with an error that is not retried.
func refusing(t *testing.T) *dynamoDB {
	t.Helper()
	return answering(t, http.StatusBadRequest, `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"planted"}`)
}

// empty has no data.
func empty(t *testing.T) *dynamoDB {
	t.Helper()
	return answering(t, http.StatusOK, `{"Responses":{"Table":[]},"UnprocessedKeys":{}}`)
}

// TestColdStartWithoutStore: the deadlines promised to senders and readers count from the
// start of the process.
func TestColdStartWithoutStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		function, event  string
		status           int
		body, log        string
		mostHung, mostUp time.Duration // limits if the store hangs, and if it fails
	}{
		{function: "ingest", event: "push.json", status: 500, body: "Failed to store url",
			log: `"event":{"id":"c6fd250a`, mostHung: ingestAnswer, mostUp: 2 * time.Second},
		{function: "lookup", event: "badge.json", status: 503, body: `{"schemaVersion":1,"label":"","message":"Lookup failed, try again","color":"lightgrey","isError":true}`,
			log: `"outcome":"store_failed"`, mostHung: lookupAnswer, mostUp: 2 * time.Second},
	} {
		for name, store := range map[string]struct {
			open func(*testing.T) *dynamoDB
			most time.Duration
		}{"hangs": {hanging, c.mostHung}, "fails": {failing, c.mostUp}} {
			t.Run(c.function+" "+name, func(t *testing.T) {
				got := invoke(t, binary(t, c.function), c.event, store.open(t))
				if got.exit != nil || got.answer.StatusCode != c.status || got.answer.Body != c.body {
					t.Errorf("answer = %d %q, %v, want %d %q; the log: %s", got.answer.StatusCode, got.answer.Body, got.exit, c.status, c.body, got.log)
				}
				if got.took > store.most {
					t.Errorf("the answer took %s, want at most %s", got.took, store.most)
				}
				if !strings.Contains(got.log, c.log) {
					t.Errorf("the log lacks %s: %s", c.log, got.log)
				}
				t.Logf("asked for an event after %s, answered after %s", got.readyIn, got.took)
			})
		}
	}
}

// TestViewsWithoutStoreAnswersInTime: the record is delivered again. Lambda would drop an
// answer that comes after the function's timeout, here 10 s.
func TestViewsWithoutStoreAnswersInTime(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) *dynamoDB{"hangs": hanging, "fails": failing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := invoke(t, binary(t, "views"), batch, open(t))
			if want := `{"batchItemFailures":[{"itemIdentifier":"101"}]}`; got.exit != nil || got.raw != want {
				t.Errorf("answer = %s, %v, want %s; the log: %s", got.raw, got.exit, want, got.log)
			}
			if took := got.took - got.readyIn; took > 10*time.Second {
				t.Errorf("the answer took %s from the event, want at most 10s", took)
			}
			if !strings.Contains(got.log, `"outcome":"derive_failed"`) {
				t.Errorf("the log lacks the outcome: %s", got.log)
			}
		})
	}
}

// TestStoreIsReadBeforeTheFirstEvent: a TLS connection that is opened only for the first
// event would be most of its sender's wait. A store that hangs must not delay the first
// event either. Ingest writes the data version into an empty table; readers write
// nothing.
func TestStoreIsReadBeforeTheFirstEvent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		function, event string
		calls, onEmpty  []string      // before the first event
		most            time.Duration // longest time until then if the store hangs
	}{
		{function: "ingest", event: "ping.json", calls: []string{"BatchGetItem"},
			onEmpty: []string{"BatchGetItem", "PutItem #meta"}, most: 2 * time.Second}, // of the 4.5 s for the whole answer, on a busy machine
		{function: "lookup", event: "badge-unknown.json", calls: []string{"BatchGetItem", "Query"},
			onEmpty: []string{"BatchGetItem", "Query"}, most: 2 * time.Second}, // it also serves a badge
		{function: "views", event: batch, calls: []string{"BatchGetItem"},
			onEmpty: []string{"BatchGetItem"}, most: 6 * time.Second}, // Lambda allows 10 s
		{function: "reconcile", event: "{}", calls: []string{"BatchGetItem"},
			onEmpty: []string{"BatchGetItem", "PutItem #meta"}, most: 6 * time.Second},
	} {
		got := invoke(t, binary(t, c.function), c.event, holding(t, store.DataVersion))
		if got.exit != nil || !slices.Equal(got.atStart, c.calls) {
			t.Errorf("%s made the calls %q before its first event, %v, want %q; the log: %s", c.function, got.atStart, got.exit, c.calls, got.log)
		}
		got = invoke(t, binary(t, c.function), c.event, empty(t))
		if got.exit != nil || !slices.Equal(got.atStart, c.onEmpty) {
			t.Errorf("%s on an empty table made the calls %q before its first event, %v, want %q; the log: %s", c.function, got.atStart, got.exit, c.onEmpty, got.log)
		}
		if got := invoke(t, binary(t, c.function), c.event, hanging(t)); got.exit != nil || got.readyIn > c.most {
			t.Errorf("%s asked for its first event after %s, %v, want at most %s", c.function, got.readyIn, got.exit, c.most)
		}
	}
}

// TestLookupWarmsUpWhateverTheStoreSays: after an error of the first read, the function's
// own code is warm all the same.
func TestLookupWarmsUpWhateverTheStoreSays(t *testing.T) {
	t.Parallel()
	got := invoke(t, binary(t, "lookup"), "badge.json", refusing(t))
	if want := []string{"BatchGetItem", "Query"}; got.exit != nil || !slices.Equal(got.atStart, want) {
		t.Errorf("lookup made the calls %q before its first event, %v, want %q; the log: %s", got.atStart, got.exit, want, got.log)
	}
	if n := strings.Count(got.log, "the first event will be slower"); n != 1 {
		t.Errorf("the log says %d times that the first event will be slower, want once: %s", n, got.log)
	}
}

func TestNewerDataEndsTheStart(t *testing.T) {
	t.Parallel()
	for function, event := range map[string]string{"ingest": "ping.json", "lookup": "badge.json", "views": batch, "reconcile": "{}"} {
		got := invoke(t, binary(t, function), event, holding(t, store.DataVersion+1))
		if got.exit == nil || !strings.Contains(got.log, "run a newer release") || !strings.Contains(got.log, `"level":"ERROR"`) {
			t.Errorf("%s on newer data: exit %v, log %q, want an error that says what to do", function, got.exit, got.log)
		}
	}
}

func TestWrongSettingsEndTheStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ function, event, env, want string }{
		{"ingest", "push.json", "TABLE_NAME=", "TABLE_NAME"},
		{"ingest", "push.json", "WEBHOOK_TOKEN_SHA256=x", "WEBHOOK_TOKEN_SHA256"},
		{"lookup", "badge.json", "TABLE_NAME=", "TABLE_NAME"},
		{"views", batch, "TABLE_NAME=", "TABLE_NAME"},
		{"lookup", "badge.json", "CACHE_SECONDS=x", "CACHE_SECONDS"},
		{"reconcile", "{}", "TABLE_NAME=", "TABLE_NAME"},
		{"reconcile", "{}", "RECONCILE_REGISTRIES=x", "RECONCILE_REGISTRIES"},
	} {
		got := invoke(t, binary(t, c.function), c.event, failing(t), c.env)
		if got.exit == nil || !strings.Contains(got.log, c.want) || !strings.Contains(got.log, `"level":"ERROR"`) {
			t.Errorf("%s with %s: exit %v, log %q, want an error with %s", c.function, c.env, got.exit, got.log, c.want)
		}
	}
}

func TestVersionOfTheBuildIsShown(t *testing.T) {
	t.Parallel()
	const first = `"msg":"starting","version":"` + built + `"`
	for _, c := range []struct{ function, event, env, body string }{
		{function: "ingest", event: "ping.json", body: "pong"},
		{function: "ingest", event: "ping.json", env: "TABLE_NAME="}, // it cannot start
		{function: "lookup", event: "status.json", body: `"version":"` + built + `"`},
		{function: "lookup", event: "page-catalog.json", body: "<span>ocireffer " + built + "</span>"},
		{function: "lookup", event: "badge.json", env: "CACHE_SECONDS=x"},
		{function: "views", event: batch},
		{function: "reconcile", event: "{}"},
		{function: "reconcile", event: "{}", env: "RECONCILE_REGISTRIES=x"},
	} {
		got := invoke(t, binary(t, c.function), c.event, empty(t), c.env)
		if line, _, _ := strings.Cut(got.log, "\n"); !strings.Contains(line, first) {
			t.Errorf("%s with %q: the first line of the log is %s, want %s", c.function, c.env, line, first)
		}
		if !strings.Contains(got.answer.Body, c.body) {
			t.Errorf("%s answered %s with %s, want %s in it", c.function, c.event, got.answer.Body, c.body)
		}
	}
}

// TestBinarySize: each cold start reads the binary from disk.
func TestBinarySize(t *testing.T) {
	t.Parallel()
	const most = 11_000_000
	for _, function := range functions {
		st, err := os.Stat(binary(t, function))
		if err != nil {
			t.Fatal(err)
		}
		if st.Size() >= most {
			t.Errorf("%s has %d bytes, want less than %d", function, st.Size(), most)
		}
		t.Logf("%s has %d bytes", function, st.Size())
	}
}

// linked are the modules in the Lambda binaries. Each adds size and start time: a new one
// needs a reason beside it.
var linked = []string{
	"github.com/aws/aws-lambda-go",                                     // the Runtime API
	"github.com/aws/aws-sdk-go-v2",                                     // the SDK's core
	"github.com/aws/aws-sdk-go-v2/internal/configsources",              // used by the SDK
	"github.com/aws/aws-sdk-go-v2/internal/endpoints/v2",               // used by the SDK
	"github.com/aws/aws-sdk-go-v2/service/dynamodb",                    // the table
	"github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding",    // used by dynamodb
	"github.com/aws/aws-sdk-go-v2/service/internal/endpoint-discovery", // used by dynamodb
	"github.com/aws/smithy-go",                                         // used by the SDK
	"golang.org/x/sync",                                                // errgroup: writes both names of a push in parallel
}

var forPages = []string{"maragu.dev/gomponents"} // adds 0.35 MB with the pages, and no start time

var forSecrets = []string{"github.com/aws/aws-sdk-go-v2/service/secretsmanager"} // adds 0.3 MB; reads the registries' passwords at run time

func TestLinkedModules(t *testing.T) {
	t.Parallel()
	for _, function := range functions {
		out, err := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./"+function).Output()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(string(out))
		slices.Sort(got)
		want := slices.Clone(linked)
		switch function {
		case "lookup":
			want = append(want, forPages...)
		case "reconcile":
			want = append(want, forSecrets...)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("modules linked into %s: -want +got\n%s", function, diff)
		}
	}
}
