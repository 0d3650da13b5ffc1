package functions_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/template"
)

// A use is what a request uses and AWS charges for, including everything that the request
// causes.
type use struct {
	invocations []work // of Lambda functions
	units       dynamotest.Bill
	logBytes    int
	sentBytes   int // over the internet
}

// work is what a function does in one invocation.
type work struct {
	function string // its folder
	calls    int    // of DynamoDB
}

// eventBytes is what CloudWatch Logs counts for an event besides its text.
//
// See https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const eventBytes = 26

// gatewayBytes is what API Gateway adds to an answer: the status line and the headers
// Date, Content-Length, Connection and Apigw-Requestid.
const gatewayBytes = 180

// platformLines are Lambda's own log lines of a successful invocation with LogFormat
// JSON, by the SystemLogLevel that lets them through.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
var platformLines = map[string][]string{
	"INFO": {
		`{"time":"2026-11-20T07:30:41.076Z","type":"platform.start","record":{"requestId":"` + invocationID + `","functionArn":"arn:aws:lambda:us-east-1:123456789012:function:ocireffer-LookupFunction-AbCdEfGhIjKl","version":"$LATEST"}}`,
		`{"time":"2026-11-20T07:30:41.099Z","type":"platform.report","record":{"requestId":"` + invocationID + `","metrics":{"durationMs":21.96,"billedDurationMs":22,"memorySizeMB":128,"maxMemoryUsedMB":33},"status":"success"}}`,
	},
	"WARN": nil,
}

// A stack runs the functions' binaries, one event at a time, and counts what they use.
type stack struct {
	t        *testing.T
	template template.Template
	db       *dynamoDB
	table    string
	stream   *dynamotest.Stream
	used     use
	// This machine was slow: a function gave up a call of DynamoDB, or has to do with its
	// event what a start had no time for. That costs more.
	slow bool
}

// newStack returns a stack with an empty table in DynamoDB Local, behind a meter.
func newStack(t *testing.T) *stack {
	t.Helper()
	endpoint, err := url.Parse(dynamolocal.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, template: template.Read(t), table: dynamotest.StreamTable(t)}
	s.db = metered(t, endpoint)
	s.stream = dynamotest.NewStream(t, s.table)
	return s
}

// metered is a DynamoDB behind a meter, with TLS as on AWS.
func metered(t testing.TB, endpoint *url.URL) *dynamoDB {
	t.Helper()
	meter := new(dynamotest.Meter)
	proxy := httputil.NewSingleHostReverseProxy(endpoint)
	proxy.Transport = meter
	db := &dynamoDB{meter: meter, ca: filepath.Join(t.TempDir(), "ca.pem")}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if r.Context().Err() != nil { // the function is gone
				db.lost.Add(1)
			}
		}()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(db.ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	db.url = server.URL
	return db
}

// invoke gives a function an event. It does not count what the function writes at its
// start as part of what the event uses.
func (s *stack) invoke(function, event string) invocation {
	s.t.Helper()
	got := invoke(s.t, binary(s.t, function), event, s.db, "TABLE_NAME="+s.table)
	if got.exit != nil {
		s.t.Fatalf("%s: %v: %s", function, got.exit, got.log)
	}
	s.slow = s.slow || s.db.lost.Load() > 0 || strings.Contains(got.log, " will be slower")
	bill := s.db.meter.TakeBill()
	s.used.units.Read += bill.Read
	s.used.units.Write += bill.Write
	calls := 0
	for _, n := range s.db.meter.Take().Calls {
		calls += n
	}
	s.used.invocations = append(s.used.invocations, work{function, calls})
	for line := range strings.Lines(got.log) {
		if !strings.Contains(line, `"msg":"starting"`) {
			s.used.logBytes += len(strings.TrimSuffix(line, "\n")) + eventBytes
		}
	}
	lines, ok := platformLines[s.template.SystemLogLevel]
	if !ok {
		s.t.Fatalf("no lines are known for the SystemLogLevel %q", s.template.SystemLogLevel)
	}
	for _, line := range lines {
		s.used.logBytes += len(line) + eventBytes
	}
	return got
}

// request sends a request through API Gateway to a function, lets the views function
// follow, and returns what all of that used. A push has records under two names. They
// reach the views function one by one, as they do unless there are many pushes per
// second.
func (s *stack) request(function string, event lambdaevents.APIGatewayV2HTTPRequest, status int) use {
	s.t.Helper()
	s.used = use{}
	answer := s.invoke(function, marshal(s.t, event)).answer
	if answer.StatusCode != status && !s.slow {
		s.t.Fatalf("%s %s: %d %s, want %d", event.RequestContext.HTTP.Method, event.RawPath, answer.StatusCode, answer.Body, status)
	}
	s.used.logBytes += len(accessText(s.template.AccessLogFormat, map[string]string{
		"$context.integration.requestId": invocationID,
		"$context.httpMethod":            event.RequestContext.HTTP.Method,
		"$context.path":                  event.RawPath,
		"$context.status":                strconv.Itoa(status),
		"$context.responseLatency":       "123",
		"$context.responseLength":        strconv.Itoa(len(answer.Body)),
		"${SourceIp}":                    "203.0.113.177",
	})) + eventBytes
	s.used.sentBytes = gatewayBytes + len(answer.Body)
	for name, value := range answer.Headers {
		s.used.sentBytes += len(name) + len(value) + 4
	}
	for _, record := range s.stream.Read(s.t).Records {
		answer := s.invoke("views", marshal(s.t, map[string]any{"Records": []json.RawMessage{record}}))
		if !strings.Contains(answer.log, `"outcome":"derived"`) && !s.slow {
			s.t.Fatalf("views: %s", answer.log)
		}
	}
	if more := s.stream.Read(s.t).Records; len(more) > 0 && !s.slow {
		s.t.Fatalf("the views function calls itself by %d records", len(more))
	}
	return s.used
}

func marshal(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sampleRequest reads an event in events/.
func sampleRequest(t testing.TB, file string) (event lambdaevents.APIGatewayV2HTTPRequest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "events", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// measure returns what requests use, by their names in costs.md, and the bytes that the
// table stores for a reference, including its repository's entry in the catalogue. The
// repository's name is the one in events/: a longer name costs a byte in each line that
// contains it.
func measure(t *testing.T) (uses map[string]use, storedBytes int) {
	t.Helper()
	push := sampleRequest(t, "push.json")
	moved := push
	moved.Body = strings.NewReplacer("14:56:52", "15:56:52", "sha256:0116", "sha256:ffff").Replace(push.Body)
	lookup := sampleRequest(t, "badge.json")
	lookup.RawPath = "/wasmcloud.azurecr.io/wash"
	refused := push
	refused.Headers = map[string]string{"content-type": "application/json"}
	uses = map[string]use{}
	for _, c := range []struct {
		what, function string
		event          lambdaevents.APIGatewayV2HTTPRequest
		status         int
		pushed         bool // push came before
	}{
		{what: "pushes of a new tag", function: "ingest", event: push, status: http.StatusOK},
		{what: "the same pushes again", function: "ingest", event: push, status: http.StatusOK, pushed: true},
		{what: "pushes that move a tag", function: "ingest", event: moved, status: http.StatusOK, pushed: true},
		{what: "lookups", function: "lookup", event: lookup, status: http.StatusOK, pushed: true},
		{what: "refused calls", function: "ingest", event: refused, status: http.StatusUnauthorized},
	} {
		for attempt := 0; ; attempt++ {
			s := newStack(t)
			if c.pushed {
				s.request("ingest", push, http.StatusOK)
			}
			s.slow = false
			uses[c.what] = s.request(c.function, c.event, c.status)
			if !s.slow {
				storedBytes = max(storedBytes, s.storedBytes())
				break
			}
			if attempt == 20 {
				t.Fatal("this machine is too busy to measure what requests use")
			}
		}
	}
	return uses, storedBytes
}

// itemBytes is what DynamoDB stores for an item, and for each index entry, besides their
// attributes.
//
// See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
const itemBytes = 100

// storedBytes returns the size of the table's items and of their index entries, all of
// which have all attributes.
func (s *stack) storedBytes() (stored int) {
	s.t.Helper()
	scanned, err := dynamodb.NewFromConfig(dynamolocal.Config(s.t)).Scan(s.t.Context(), &dynamodb.ScanInput{TableName: &s.table})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, item := range scanned.Items {
		size, copies := itemBytes, 1
		for name, value := range item {
			size += len(name)
			switch v := value.(type) {
			case *types.AttributeValueMemberS:
				size += len(v.Value)
			case *types.AttributeValueMemberN:
				size += len(v.Value) // a byte for two digits, and up to two more
			case *types.AttributeValueMemberB:
				size += len(v.Value)
			case *types.AttributeValueMemberBOOL:
				size++
			default:
				s.t.Fatalf("no size is known of the attribute %s, a %T", name, value)
			}
		}
		for _, index := range s.template.Table.Schema.LocalSecondaryIndexes {
			if _, ok := item[*index.KeySchema[1].AttributeName]; ok {
				copies++
			}
		}
		stored += size * copies
	}
	return stored
}
