package dynamotest

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestMain(m *testing.M) { Main(m) }

func TestTableIsThatOfTheTemplateAndGoesWithItsTest(t *testing.T) {
	db := dynamodb.NewFromConfig(Config(t))
	var name string
	t.Run("made", func(t *testing.T) {
		name = Table(t)
		if other := Table(t); other == name {
			t.Errorf("Table() = %q twice", name)
		}
		made, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			t.Fatal(err)
		}
		want := len(TemplateTable(t).LocalSecondaryIndexes)
		if got := len(made.Table.LocalSecondaryIndexes); got != want || want == 0 {
			t.Errorf("table has %d local indexes, template.yaml %d", got, want)
		}
	})
	_, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("DescribeTable(%q) after its test: %v, want it gone", name, err)
	}
}

func TestParseTableTakesCloudFormationTags(t *testing.T) {
	got, err := parseTable([]byte(`
Conditions:
  Kept: !Not [!Equals [!Ref Keep, ""]]
Resources:
  Function:
    Properties: !If [Kept, a, !GetAtt b.c]
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: !If [Kept, true, !Ref AWS::NoValue]
      TableName: !Sub "${AWS::StackName}-x"
      AttributeDefinitions:
        - {AttributeName: name, AttributeType: S}
      KeySchema:
        - {AttributeName: name, KeyType: HASH}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got.TableName != nil || got.DeletionProtectionEnabled != nil || got.BillingMode != types.BillingModePayPerRequest ||
		aws.ToString(got.KeySchema[0].AttributeName) != "name" || got.KeySchema[0].KeyType != types.KeyTypeHash {
		t.Errorf("parseTable() = %+v", got)
	}
	if _, err := parseTable([]byte("Resources: {Table: {Type: AWS::S3::Bucket}}")); err == nil {
		t.Error("parseTable() took a bucket for a table")
	}
}

// again is this test binary, to run one test in a process of its own.
func again(t *testing.T, test string, env ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), append(env, "DYNAMODB_ENDPOINT=")...)
	return cmd
}

// TestWithoutServerSkipsLoudlyAndFailsInCI has go test run a package on a machine
// that has Go alone.
func TestWithoutServerSkipsLoudlyAndFailsInCI(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("go test shows no line of a package that passed")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	for ci, want := range map[string]string{"": "SKIPPED for want of DynamoDB Local: 1 tests", "true": "--- FAIL"} {
		cmd := exec.CommandContext(t.Context(), goTool, "test", "-count=1", "-run=^TestServerEndsWithProcess$", "./.")
		cmd.Env = append(os.Environ(), "PATH=", "CGO_ENABLED=0", "DYNAMODB_ENDPOINT=", "CI="+ci)
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), want) || !strings.Contains(string(out), howTo) || (err == nil) != (ci == "") {
			t.Errorf("with CI=%q: %v, want %q and how to get a server in\n%s", ci, err, want, out)
		}
	}
}

func TestServerEndsWithProcess(t *testing.T) {
	const inner = "DYNAMOTEST_INNER"
	if os.Getenv(inner) != "" {
		os.Stdout.WriteString("\n" + Endpoint(t) + "\n")
		time.Sleep(time.Minute) // to be killed
	}
	if os.Getenv("DYNAMODB_ENDPOINT") != "" {
		t.Skip("DYNAMODB_ENDPOINT is set: no server is started")
	}
	Endpoint(t) // or skip
	cmd := again(t, t.Name(), inner+"=1")
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
