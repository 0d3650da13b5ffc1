// Package dynamolocal gives tests a real DynamoDB: DynamoDB Local, AWS's own engine for
// tests. It uses a running server, or starts one and stops it after the tests.
package dynamolocal

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// endpointEnv is the environment variable with the URL of a running DynamoDB Local.
const endpointEnv = "DYNAMODB_ENDPOINT"

// go test may cache a skip, and does not notice that Java or Docker was installed since.
// That is why the hint has -count=1.
const howTo = "install Java 17+ and Maven, or start Docker, or set " + endpointEnv + "; then go test -count=1"

// One server is enough for a process, because each test has its own tables.
var (
	endpoint = sync.OnceValues(start)
	mainRuns bool
	skipped  atomic.Int32
)

// Main runs the tests and stops the server that Endpoint started. Each package whose
// tests call Endpoint needs it:
//
//	func TestMain(m *testing.M) { dynamolocal.Main(m) }
func Main(m *testing.M) {
	if os.Getenv(keeperEnv) != "" {
		keep(os.Args[1], os.Args[2:]...)
		return
	}
	mainRuns = true
	m.Run()
	stop()
	if n := skipped.Load(); n > 0 {
		tell(fmt.Sprintf("dynamolocal: SKIPPED for want of DynamoDB Local: %d tests; to run them, %s\n", n, howTo))
	}
}

// tell shows line to whoever runs the tests. go test ./... discards the output of a
// passing package. So on Linux the line goes to the standard error of go test itself, the
// parent process; elsewhere it goes to the standard error of this process.
func tell(line string) {
	out, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/2", os.Getppid()), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		out = os.Stderr
	}
	fmt.Fprint(out, line)
}

// Endpoint returns the URL of a DynamoDB Local: the one in DYNAMODB_ENDPOINT if that is
// set, which must be up, otherwise one that this process starts, with Java and Maven or
// with Docker. If it has none of these, it skips t, or fails it if CI=true.
func Endpoint(t testing.TB) string {
	t.Helper()
	if url := os.Getenv(endpointEnv); url != "" {
		return url
	}
	if !mainRuns {
		t.Fatal("dynamolocal needs func TestMain(m *testing.M) { dynamolocal.Main(m) }")
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

// Config returns the SDK's configuration for Endpoint. A test that needs failures sets
// HTTPClient to one that drops the request instead of passing it to
// http.DefaultTransport, or drops the response.
func Config(t testing.TB) aws.Config {
	t.Helper()
	return aws.Config{
		BaseEndpoint: aws.String(Endpoint(t)),
		Region:       "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "dynamolocal", SecretAccessKey: "dynamolocal"}, nil
		}),
	}
}
