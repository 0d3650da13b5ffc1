// Package dynamotest gives tests a real DynamoDB: DynamoDB Local, the engine
// that AWS ships for this, with tables made from the project's template.yaml.
// It knows nothing of what is stored in them.
package dynamotest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"gopkg.in/yaml.v3"
)

// go test may keep a skip in its cache, and does not see what was installed
// since: hence -count=1.
const howTo = "install Java 17+ and Maven, or start Docker, or set DYNAMODB_ENDPOINT; then go test -count=1"

// One server is enough for a process: tests are kept apart by their tables.
var (
	endpoint = sync.OnceValues(start)
	mainRuns bool
	skipped  atomic.Int32
)

// Main runs the tests and ends the server that Endpoint started:
//
//	func TestMain(m *testing.M) { dynamotest.Main(m) }
func Main(m *testing.M) {
	if os.Getenv(keeperEnv) != "" {
		keep(os.Args[1], os.Args[2:]...)
		return
	}
	mainRuns = true
	m.Run()
	stop()
	if n := skipped.Load(); n > 0 {
		tell(fmt.Sprintf("dynamotest: SKIPPED for want of DynamoDB Local: %d tests; to run them, %s\n", n, howTo))
	}
}

// tell shows line to whoever runs the tests. go test ./... throws away what a
// passing package prints, so the line goes to go test's own standard error, where
// the system lets a child reach that (Linux), else to that of this process.
func tell(line string) {
	out, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/2", os.Getppid()), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		out = os.Stderr
	}
	fmt.Fprint(out, line)
}

// Endpoint returns the URL of a DynamoDB Local: the one in DYNAMODB_ENDPOINT
// if that is set, which must be up, else one that this process starts, with
// Java and Maven or with Docker. Where there is none of these it skips t, or,
// with CI=true, fails it.
func Endpoint(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("DYNAMODB_ENDPOINT"); url != "" {
		return url
	}
	if !mainRuns {
		t.Fatal("dynamotest needs func TestMain(m *testing.M) { dynamotest.Main(m) }")
	}
	url, err := endpoint()
	switch {
	case err == nil:
		return url
	case os.Getenv("CI") == "true":
		t.Fatalf("no DynamoDB Local: %s\n%v", howTo, err)
	default:
		skipped.Add(1)
		t.Skipf("no DynamoDB Local: %s\n%v", howTo, err)
	}
	return ""
}

// Config is the SDK's configuration for Endpoint. Tests that have calls fail
// give it a client of HTTP that loses them before http.DefaultTransport, or their
// answers after it.
func Config(t testing.TB) aws.Config {
	t.Helper()
	return aws.Config{
		BaseEndpoint: aws.String(Endpoint(t)),
		Region:       "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "dynamotest", SecretAccessKey: "dynamotest"}, nil
		}),
	}
}

// Table makes a table for this test alone, with the keys and indexes of
// template.yaml, and returns its name. It is deleted when the test ends.
func Table(t testing.TB) string {
	t.Helper()
	db := dynamodb.NewFromConfig(Config(t))
	in := TemplateTable(t)
	in.TableName = aws.String("test-" + rand.Text()) // many processes may share a server
	if _, err := db.CreateTable(t.Context(), in); err != nil {
		t.Fatalf("make a table as in template.yaml: %v", err)
	}
	t.Cleanup(func() {
		// By now t.Context() is done.
		_, err := db.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: in.TableName})
		if err != nil {
			t.Errorf("delete table %s: %v", *in.TableName, err)
		}
	})
	return *in.TableName
}

// TemplateTable returns the table of template.yaml, without a name: its keys,
// indexes and billing mode. The rest has no effect in DynamoDB Local, or, as
// protection from deletion, only stands in a test's way.
func TemplateTable(t testing.TB) *dynamodb.CreateTableInput {
	t.Helper()
	table, err := parseTable(readTemplate(t))
	if err != nil {
		t.Fatalf("template.yaml: %v", err)
	}
	return table
}

// readTemplate finds template.yaml beside the first go.mod, going up from the
// test's folder.
func readTemplate(t testing.TB) []byte {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			template, err := os.ReadFile(filepath.Join(dir, "template.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			return template
		}
		if dir == filepath.Dir(dir) {
			t.Fatalf("no go.mod in %s and above", wd)
		}
	}
}

// parseTable goes from YAML to the SDK's type by way of JSON: CloudFormation
// and the SDK write these fields alike, and encoding/json finds them by name.
func parseTable(template []byte) (*dynamodb.CreateTableInput, error) {
	var doc struct {
		Resources struct {
			Table struct {
				Type       string         `yaml:"Type"`
				Properties map[string]any `yaml:"Properties"`
			} `yaml:"Table"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(template, &doc); err != nil {
		return nil, err
	}
	if got, want := doc.Resources.Table.Type, "AWS::DynamoDB::Table"; got != want {
		return nil, fmt.Errorf("resource Table is of type %q, not %q", got, want)
	}
	schema := map[string]any{}
	for _, field := range []string{"AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode"} {
		schema[field] = doc.Resources.Table.Properties[field]
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	table := new(dynamodb.CreateTableInput)
	return table, json.Unmarshal(text, table)
}
