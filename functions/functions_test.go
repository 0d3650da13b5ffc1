// Package functions_test tests the Lambda functions as they are deployed: their
// binaries, what they are linked with, the sample events, and that the template
// and the code agree.
package functions_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"ocireffer/pkg/gateway"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/openapi"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

func TestMain(m *testing.M) { dynamotest.Main(m) }

// build makes a function's binary as the Makefile does, but for this machine.
func build(t *testing.T, function string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", file, "./"+function)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return file
}

// invocation is what a function did with one event.
type invocation struct {
	answer lambdaevents.APIGatewayV2HTTPResponse
	took   time.Duration // from the start of the process to its answer
	log    string
	exit   error // why the process ended by itself
}

// invoke starts a binary under a stand-in for Lambda's Runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), gives it one
// event and ends it after its answer.
func invoke(t *testing.T, binary, event string, env ...string) invocation {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "events", event))
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan []byte, 1)
	var once sync.Once
	api := http.NewServeMux()
	api.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		first := false
		once.Do(func() { first = true })
		if !first {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "id-1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(10*time.Second).UnixMilli()))
		w.Write(body)
	})
	api.HandleFunc("POST /2018-06-01/runtime/invocation/id-1/{what}", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		answered <- b
		w.WriteHeader(http.StatusAccepted)
	})
	server := httptest.NewServer(api)
	defer server.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=test", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "_HANDLER=bootstrap",
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"TABLE_NAME=Table", "GOMAXPROCS=1",
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
		if err := json.Unmarshal(b, &result.answer); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		cancel()
		<-ended
	case result.exit = <-ended:
	}
	result.log = log.String()
	return result
}

// hanging is an address that takes connections and never answers.
func hanging(t *testing.T) string {
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
	return "http://" + l.Addr().String()
}

// failing is a DynamoDB that answers each call with an error.
func failing(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"planted"}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestColdStartWithoutStore: what a sender and a reader are promised holds from
// the start of the process on.
func TestColdStartWithoutStore(t *testing.T) {
	const token = "WEBHOOK_TOKEN_SHA256=" + sampleTokenHash
	stores := map[string]func(*testing.T) string{"hangs": hanging, "fails": failing}
	for _, c := range []struct {
		function, event string
		status          int
		body            string
		hangs, fails    time.Duration // the longest that it may take
		log             string
	}{
		{"ingest", "push.json", 500, "Failed to store url", 4500 * time.Millisecond, 2 * time.Second, `"event":{"id":"c6fd250a`},
		{"lookup", "badge.json", 503, `{"schemaVersion":1,"label":"","message":"Lookup failed, try again","color":"lightgrey","isError":true}`, 3 * time.Second, 2 * time.Second, `"outcome":"store_failed"`},
	} {
		binary := build(t, c.function)
		for name, open := range stores {
			t.Run(c.function+" "+name, func(t *testing.T) {
				got := invoke(t, binary, c.event, token, "AWS_ENDPOINT_URL_DYNAMODB="+open(t))
				if got.exit != nil || got.answer.StatusCode != c.status || got.answer.Body != c.body {
					t.Errorf("answer = %d %q, %v\n%s", got.answer.StatusCode, got.answer.Body, got.exit, got.log)
				}
				if most := map[string]time.Duration{"hangs": c.hangs, "fails": c.fails}[name]; got.took > most {
					t.Errorf("it took %s, want at most %s", got.took, most)
				}
				if !strings.Contains(got.log, c.log) {
					t.Errorf("the log lacks %s: %s", c.log, got.log)
				}
				t.Logf("answered after %s", got.took)
			})
		}
	}
}

func TestWrongSettingsEndTheStart(t *testing.T) {
	ingest, lookup := build(t, "ingest"), build(t, "lookup")
	for _, c := range []struct{ binary, event, env, want string }{
		{ingest, "push.json", "TABLE_NAME=", "TABLE_NAME"},
		{ingest, "push.json", "WEBHOOK_TOKEN_SHA256=x", "WEBHOOK_TOKEN_SHA256"},
		{lookup, "badge.json", "TABLE_NAME=", "TABLE_NAME"},
		{lookup, "badge.json", "CACHE_SECONDS=x", "CACHE_SECONDS"},
	} {
		got := invoke(t, c.binary, c.event, c.env)
		if got.exit == nil || !strings.Contains(got.log, c.want) || !strings.Contains(got.log, `"level":"ERROR"`) {
			t.Errorf("with %s: %v, %q", c.env, got.exit, got.log)
		}
	}
}

// TestBinarySize: the binary is read from disk at each cold start.
func TestBinarySize(t *testing.T) {
	const most = 11_000_000 // as they are, ingest has 8.5 MB and lookup 8.9
	for _, function := range []string{"ingest", "lookup"} {
		st, err := os.Stat(build(t, function))
		if err != nil {
			t.Fatal(err)
		}
		if st.Size() >= most {
			t.Errorf("%s has %d bytes, want less than %d", function, st.Size(), most)
		}
	}
}

// linked are the modules in the Lambda binaries. Each costs size and start: a
// new one needs a reason beside it.
var linked = []string{
	"github.com/aws/aws-lambda-go",                                     // the Runtime API
	"github.com/aws/aws-sdk-go-v2",                                     // the SDK's core
	"github.com/aws/aws-sdk-go-v2/internal/configsources",              // of the SDK
	"github.com/aws/aws-sdk-go-v2/internal/endpoints/v2",               // of the SDK
	"github.com/aws/aws-sdk-go-v2/service/dynamodb",                    // the table
	"github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding",    // of dynamodb
	"github.com/aws/aws-sdk-go-v2/service/internal/endpoint-discovery", // of dynamodb
	"github.com/aws/smithy-go",                                         // of the SDK
	"golang.org/x/sync",                                                // errgroup: both names of a push side by side
}

var forPages = []string{"maragu.dev/gomponents"} // 0.35 MB with the pages that it draws, and no time at the start

func TestLinkedModules(t *testing.T) {
	for _, function := range []string{"ingest", "lookup"} {
		out, err := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./"+function).Output()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(string(out))
		slices.Sort(got)
		want := slices.Clone(linked)
		if function == "lookup" {
			want = append(want, forPages...)
		}
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("modules linked into %s: -want +got\n%s", function, diff)
		}
	}
}

// Of events/: the token sample-token.
const sampleTokenHash = "0f35d0ae14518b96bd6d3fec3ca15801fd58c9e048b1ccdea11a71378f2acdc9"

// sample is an event with the answer that it gets.
type sample struct {
	Event    string
	Function string
	Status   int
	Body     string
	Contains []string // of a page, whose ages of references change: what is in the body
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

// handlers are those of both functions, with the token of events/.
func handlers(t *testing.T, writer store.Writer, reader store.Reader) (write, read http.Handler) {
	t.Helper()
	env := func(name string) (string, bool) {
		if name == "WEBHOOK_TOKEN_SHA256" {
			return sampleTokenHash, true
		}
		return "", false
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

// replay sends each sample event through the handlers, compares the answers, and
// gives the names of the events.
func replay(t *testing.T, write, read http.Handler) (events []string) {
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
			got, err := gateway.Lambda(functions[s.Function])(t.Context(), event)
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

// text is the body of an answer as a reader sees it.
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

// TestSampleEvents replays events/ with the handlers of both functions over one
// store.
func TestSampleEvents(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write, read := handlers(t, db, db)
	tested := append(replay(t, write, read), "answers.json")
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

// TestRolesAllowJustWhatFunctionsDo runs the handlers over a real DynamoDB that
// lets each call only what the function's role in template.yaml allows.
func TestRolesAllowJustWhatFunctionsDo(t *testing.T) {
	table := dynamotest.Table(t)
	roles := map[string]*dynamotest.Role{}
	open := func(role string) *dynamo.DB {
		roles[role] = dynamotest.NewRole(t, role)
		cfg := dynamotest.Config(t)
		cfg.HTTPClient = &http.Client{Transport: roles[role]}
		db, err := dynamo.Open(cfg, table)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	writeDB, readDB := open("IngestRole"), open("LookupRole")
	if err := writeDB.Warm(t.Context()); err != nil {
		t.Error(err)
	}
	write, read := handlers(t, writeDB, readDB)
	replay(t, write, read)
	for _, body := range []string{
		`{"action":"push","target":{"repository":"app","tag":"1","digest":"sha256:213bbc182920ab41e18edc2001e06abcca6735d87782d9cef68abd83941cf0e5"},"request":{"host":"acme.azurecr.io"}}`,
		`{"action":"delete","target":{"repository":"app","digest":"sha256:213bbc182920ab41e18edc2001e06abcca6735d87782d9cef68abd83941cf0e5"},"request":{"host":"acme.azurecr.io"}}`,
	} {
		r := httptest.NewRequest("POST", "/api/azurehook?token=sample-token", strings.NewReader(body))
		w := httptest.NewRecorder()
		if write.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	for _, role := range roles {
		role.Check(t)
	}
}

// template is what Go and template.yaml both know.
type template struct {
	Parameters map[string]struct{ Default string }
	Resources  map[string]struct {
		Type       string
		Properties struct {
			FilterPattern string
			Environment   struct{ Variables map[string]string }
			Events        map[string]struct {
				Properties struct{ Method, Path string }
			}
		}
	}
}

// TestMetricFiltersMatchRealLogLines: the fields of a log line are what metrics
// count by. Each pattern is $.field = "value", or several with || between them.
func TestMetricFiltersMatchRealLogLines(t *testing.T) {
	lines := map[string]map[string]any{} // by outcome
	for _, c := range []struct {
		token, body string
		db          store.Writer
	}{
		{"sample-token", `{"action":"ping"}`, nil},
		{"sample-token", `{"action":"quarantine"}`, nil},
		{"sample-token", `{}`, nil},
		{"sample-token", strings.Repeat(" ", 2<<20), nil},
		{"wrong", `{}`, nil},
		{"sample-token", `{"target":{"repository":"app","tag":"1"},"request":{"host":"a.azurecr.io"}}`, answering{}},
		{"sample-token", `{"action":"delete","target":{"repository":"app","tag":"1"},"request":{"host":"a.azurecr.io"}}`, answering{}},
		{"sample-token", `{"target":{"repository":"app","tag":"1"},"request":{"host":"b.azurecr.io"}}`, nil},
		{"sample-token", `{"target":{"repository":"app","tag":"1"},"request":{"host":"a.azurecr.io"}}`, answering{errors.New("planted")}},
	} {
		settings, err := ingest.FromEnv(func(name string) (string, bool) {
			return map[string]string{"WEBHOOK_TOKEN_SHA256": sampleTokenHash, "ALLOWED_REGISTRIES": "a.azurecr.io"}[name], true
		})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		h := requestlog.Handler(requestlog.NewJSON(&log), "", ingest.New(settings, c.db, requestlog.NewJSON(io.Discard)))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/api/azurehook?token="+c.token, strings.NewReader(c.body)))
		var line map[string]any
		if err := json.Unmarshal(log.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		lines[line["outcome"].(string)] = line
	}
	want := map[string][]string{
		"StoreFailedMetric": {"store_failed"},
		"RefusedMetric":     {"forbidden", "unauthorized"},
		"UnusableMetric":    {"bad_request", "forbidden", "too_large", "unauthorized"},
		"UsableMetric":      {"deleted", "ignored", "pong", "stored"},
	}
	for name, filter := range readTemplate(t).Resources {
		if filter.Type != "AWS::Logs::MetricFilter" || name == "WebhookThrottledMetric" { // that one reads API Gateway's log
			continue
		}
		var got []string
		for outcome, line := range lines {
			for term := range strings.SplitSeq(strings.Trim(filter.Properties.FilterPattern, "{ }"), " || ") {
				field, value, ok := strings.Cut(term, " = ")
				if !ok || !strings.HasPrefix(field, "$.") {
					t.Fatalf("%s: cannot judge %s", name, term)
				}
				if line[strings.TrimPrefix(field, "$.")] == strings.Trim(value, `"`) {
					got = append(got, outcome)
				}
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s: outcomes: -want +got\n%s", name, diff)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("the template lacks %v", want)
	}
}

// TestREADMEKnowsTheTemplate: the README's tables name each parameter with its
// default, each variable, each route and each alarm, and the tests that it names
// exist.
func TestREADMEKnowsTheTemplate(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)
	_, table, _ := strings.Cut(readme, "### Configuration")
	parsed := readTemplate(t)
	for name, parameter := range parsed.Parameters {
		i := strings.Index(table, "`"+name+"`")
		if i < 0 {
			t.Errorf("the README does not name the parameter %s", name)
			continue
		}
		line, _, _ := strings.Cut(table[i:], "\n")
		if parameter.Default == "" && !strings.Contains(line, "empty") && !strings.Contains(line, "none") ||
			!strings.Contains(line, parameter.Default) {
			t.Errorf("the README's line for %s lacks its default %q: %s", name, parameter.Default, line)
		}
	}
	for name, resource := range parsed.Resources {
		if resource.Type == "AWS::CloudWatch::Alarm" && !strings.Contains(readme, "| `"+name+"` |") {
			t.Errorf("the README does not explain %s", name)
		}
		for variable := range resource.Properties.Environment.Variables {
			if !strings.Contains(readme, "`"+variable+"`") {
				t.Errorf("the README does not name %s", variable)
			}
		}
		for _, event := range resource.Properties.Events {
			path := strings.ReplaceAll(event.Properties.Path, "+}", "}")
			if !strings.Contains(readme, path+"`") {
				t.Errorf("the README does not name the route %s", path)
			}
		}
	}

	out, err := exec.Command("go", "list", "-f", `{{$dir := .Dir}}{{range .TestGoFiles}}{{$dir}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$dir}}/{{.}} {{end}}`, "ocireffer/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range append(strings.Fields(string(out)), "../.ci/template_test.py") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	for _, name := range regexp.MustCompile("`([Tt]est_?[A-Za-z_0-9]+)`").FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(tests.String(), "func "+name[1]+"(") && !strings.Contains(tests.String(), "def "+name[1]+"(") {
			t.Errorf("the README names %s, which is no test", name[1])
		}
	}
}

// answering is a store that answers each write with err.
type answering struct{ err error }

func (a answering) Push(context.Context, store.Push) error             { return a.err }
func (a answering) Delete(context.Context, store.Delete) (int, error)  { return 0, a.err }
func (a answering) Categorize(context.Context, store.Membership) error { return a.err }

func readTemplate(t *testing.T) (parsed template) {
	t.Helper()
	b, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var loose struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
		Resources map[string]struct {
			Type       string         `yaml:"Type"`
			Properties map[string]any `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(b, &loose); err != nil {
		t.Fatal(err)
	}
	// Through JSON, since it takes fields by name and leaves out the rest.
	j, err := json.Marshal(loose)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(j, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestTemplateRoutesAreTheHandlers(t *testing.T) {
	parsed := readTemplate(t)
	for function, routes := range map[string]gateway.Routes{
		"IngestFunction": ingest.New(ingest.Settings{}, nil, nil),
		"LookupFunction": lookup.New(lookup.Settings{}, nil),
	} {
		var got, want []string
		for _, event := range parsed.Resources[function].Properties.Events {
			got = append(got, event.Properties.Method+" "+event.Properties.Path)
		}
		for key := range routes {
			want = append(want, key)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: routes: -code +template\n%s", function, diff)
		}
	}
}

// TestDescriptionHasTheRoutes: the OpenAPI description has all routes of both
// functions, and no other.
func TestDescriptionHasTheRoutes(t *testing.T) {
	var description struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal([]byte(openapi.Document), &description); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	ids := map[string]string{}
	for path, methods := range description.Paths {
		for method, operation := range methods {
			route := strings.ToUpper(method) + " " + path
			got = append(got, route)
			if other, ok := ids[operation.OperationID]; ok || operation.OperationID == "" {
				t.Errorf("%s has the operationId %q, as has %s", route, operation.OperationID, other)
			}
			ids[operation.OperationID] = route
		}
	}
	for _, routes := range []gateway.Routes{ingest.New(ingest.Settings{}, nil, nil), lookup.New(lookup.Settings{}, nil)} {
		for key := range routes {
			want = append(want, strings.ReplaceAll(key, "+}", "}"))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes: -code +description\n%s", diff)
	}
}

// TestTemplateSettingsAreRead: each variable of the template is one that the
// code reads, each variable that the code reads is one of the template, and an
// unset one means what the parameter's default means.
func TestTemplateSettingsAreRead(t *testing.T) {
	parsed := readTemplate(t)
	for function, read := range map[string]func(func(string) (string, bool)) (any, error){
		"IngestFunction": func(env func(string) (string, bool)) (any, error) { return ingest.FromEnv(env) },
		"LookupFunction": func(env func(string) (string, bool)) (any, error) { return lookup.FromEnv(env) },
	} {
		asked := map[string]bool{}
		unset, err := read(func(name string) (string, bool) { asked[name] = true; return "", false })
		if err != nil {
			t.Fatal(err)
		}
		variables := parsed.Resources[function].Properties.Environment.Variables
		defaults, err := read(func(name string) (string, bool) {
			v, ok := parsed.Parameters[variables[name]]
			return v.Default, ok
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(unset, defaults); diff != "" {
			t.Errorf("%s: -unset +defaults of the template\n%s", function, diff)
		}
		for name := range variables {
			if !asked[name] {
				t.Errorf("%s: the template sets %s, which is not read", function, name)
			}
		}
		for name := range asked {
			if _, ok := variables[name]; !ok {
				t.Errorf("%s: %s is read, but the template does not set it", function, name)
			}
		}
	}
}
