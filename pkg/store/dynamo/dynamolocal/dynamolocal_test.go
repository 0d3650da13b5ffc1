package dynamolocal

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

func TestMain(m *testing.M) { Main(m) }

func TestConfigReachesADynamoDB(t *testing.T) {
	t.Parallel()
	db := dynamodb.NewFromConfig(Config(t))
	if _, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Errorf("ListTables: %v", err)
	}
}

// goTest runs one test of this package with go test, as on a machine that has only Go.
func goTest(t *testing.T, test, ci string) (output string, err error) {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, "test", "-count=1", "-run=^"+test+"$", ".")
	cmd.Env = append(os.Environ(), "PATH=", "CGO_ENABLED=0", endpointEnv+"=", "CI="+ci)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestWithoutServerTestsSkipLoudly(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("go test shows no line of a package that passed")
	}
	t.Parallel()
	out, err := goTest(t, "TestConfigReachesADynamoDB", "")
	if err != nil {
		t.Errorf("go test without a server: %v\n%s", err, out)
	}
	if want := "SKIPPED for want of DynamoDB Local: 1 tests; to run them, " + howTo; !strings.Contains(out, want) {
		t.Errorf("go test prints\n%s\nwant %q in it", out, want)
	}
}

func TestWithoutServerTestsFailInCI(t *testing.T) {
	t.Parallel()
	out, err := goTest(t, "TestConfigReachesADynamoDB", "true")
	if err == nil || !strings.Contains(out, "--- FAIL") {
		t.Errorf("go test with CI=true and no server: %v, want a failure\n%s", err, out)
	}
	if !strings.Contains(out, howTo) {
		t.Errorf("go test prints\n%s\nwant %q in it", out, howTo)
	}
}

func TestServerEndsWithItsProcess(t *testing.T) {
	const inner = "DYNAMOLOCAL_INNER"
	if os.Getenv(inner) != "" {
		os.Stdout.WriteString("\n" + Endpoint(t) + "\n")
		time.Sleep(time.Minute) // until the process is killed
	}
	if os.Getenv(endpointEnv) != "" {
		t.Skip(endpointEnv + " is set: no server is started")
	}
	t.Parallel()
	Endpoint(t) // or the test is skipped
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inner+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var url string
	for lines := bufio.NewScanner(stdout); !strings.HasPrefix(url, "http") && lines.Scan(); {
		url = lines.Text()
	}
	if _, err := http.Get(url); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	for deadline := time.Now().Add(2 * stopTimeout); ; time.Sleep(20 * time.Millisecond) {
		if _, err := http.Get(url); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s still answers %v after its process was killed", url, 2*stopTimeout)
		}
	}
}
