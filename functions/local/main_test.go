package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ocireffer/pkg/store/dynamo/dynamotest"
)

// TestMain runs the program itself where a test starts this binary as one: it
// is killed and asked to end as a user's is.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_LOCAL") != "" {
		main()
		return
	}
	dynamotest.Main(m)
}

const (
	pushed  = "Url wasmcloud.azurecr.io/wash:0.18.1 stored for wash"
	badge   = `{"schemaVersion":1,"label":"","message":"wasmcloud.azurecr.io/wash:0.18.1","color":"253746","namedLogo":"wasmcloud"}`
	unknown = `{"schemaVersion":1,"label":"","message":"Provider not yet published","color":"lightgrey","isError":true}`
	push    = `{"action":"push","target":{"repository":"wash","tag":"0.18.1"},"request":{"host":"wasmcloud.azurecr.io"}}`
)

// program is a running local.
type program struct {
	*exec.Cmd
	url string
}

var listening = regexp.MustCompile(`msg=listening url=(\S+)`)

// start runs the program with a free port and waits until it listens.
func start(t *testing.T, env []string, args ...string) program {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(append(os.Environ(), "RUN_LOCAL=1"), env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, stderr)
			return program{cmd, m[1]}
		}
	}
	t.Fatalf("%v ended: %v", cmd, cmd.Wait())
	return program{}
}

func (p program) do(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

func (p program) want(t *testing.T, method, path, body string, status int, want string, header ...string) {
	t.Helper()
	if gotStatus, got := p.do(t, method, path, body, header...); gotStatus != status || got != want {
		t.Errorf("%s %s = %d %q, want %d %q", method, path, gotStatus, got, status, want)
	}
}

func TestPushAndBadgeSurviveAKill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	p := start(t, nil, "-db", file)
	p.want(t, "GET", "/wash", "", 200, unknown)
	p.want(t, "POST", "/api/azurehook", push, 200, pushed)
	p.want(t, "GET", "/wash", "", 200, badge)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	p = start(t, nil, "-db", file)
	p.want(t, "GET", "/wash", "", 200, badge)
	p.want(t, "GET", "/wasmcloud.azurecr.io/wash", "", 200, badge)
}

// TestDemo: a newcomer sees a catalogue, and can push into it.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	p := start(t, []string{"TMPDIR=" + dir}, "-demo")
	p.want(t, "GET", "/wadm?show=tag&sort=semver&format=text", "", 200, "v0.5.1\n")
	p.want(t, "GET", "/api/categories", "", 200, `{"categories":["capability-providers","examples","official"]}`)
	_, body := p.do(t, "GET", "/api/repositories", "")
	for _, e := range examples {
		_, name, _ := strings.Cut(e.name, "/")
		if !strings.Contains(body, `{"name":"`+name+`"`) {
			t.Errorf("the catalogue lacks %s", name)
		}
	}
	p.want(t, "POST", "/api/azurehook", push, 200, pushed)
	p.want(t, "GET", "/wash?tag=0.18.1", "", 200, badge)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

// TestOverDynamoDB: the table is made, and shared with the next start.
func TestOverDynamoDB(t *testing.T) {
	env := []string{"AWS_ENDPOINT_URL_DYNAMODB=" + dynamotest.Endpoint(t), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	for i := range 2 {
		p := start(t, env, "-dynamodb", "local-test")
		if i == 0 {
			p.want(t, "POST", "/api/azurehook", push, 200, pushed)
		}
		p.want(t, "GET", "/wash", "", 200, badge)
	}
}

func TestAnswersAsTheDeployedAPI(t *testing.T) {
	p := start(t, nil, "-db", filepath.Join(t.TempDir(), "test.db"))
	const notFound = `{"message":"Not Found"}`
	p.want(t, "POST", "/wash", "", 404, notFound)
	p.want(t, "PUT", "/api/azurehook", "", 404, notFound)
	p.want(t, "POST", "/api/azurehook/", "", 404, notFound)
	p.want(t, "GET", "/api/azurehook", "", 200, unknown)
	p.want(t, "GET", "//wash", "", 200, unknown)
	p.want(t, "GET", "/a/../b", "", 200, unknown)
}

func TestTokenHoldsHereToo(t *testing.T) {
	const env = "WEBHOOK_TOKEN_SHA256=60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752" // test2
	p := start(t, []string{env}, "-db", filepath.Join(t.TempDir(), "test.db"))
	p.want(t, "POST", "/api/azurehook", push, 401, "Unauthorized")
	p.want(t, "POST", "/api/azurehook", push, 200, pushed, "Authorization", "Bearer test2")
}

// TestNoTokenBeyondLoopback: where others can reach it, a token is needed.
func TestNoTokenBeyondLoopback(t *testing.T) {
	p := start(t, nil, "-db", filepath.Join(t.TempDir(), "test.db"), "-addr", "0.0.0.0:0")
	p.want(t, "POST", "/api/azurehook", push, 401, "Unauthorized")
}

func TestSignalsEndItWellAndRequestsAreFinished(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := start(t, nil, "-db", filepath.Join(t.TempDir(), "test.db"))
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		answer := bufio.NewReader(conn)
		fmt.Fprintf(conn, "POST /api/azurehook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(push))
		// This comes when the handler reads the body, so the request is in work.
		if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
			t.Fatalf("%q, %v, want 100 Continue", line, err)
		}
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		waitUntilClosed(t, p.url)
		io.WriteString(conn, push)
		rest, err := io.ReadAll(answer)
		if err != nil || !strings.Contains(string(rest), "200 OK") || !strings.HasSuffix(string(rest), pushed) {
			t.Errorf("%s: the request got %q, %v, want %q", signal, rest, err, pushed)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("%s: %v, want exit 0", signal, err)
		}
	}
}

// waitUntilClosed returns when url takes no connections any more.
func waitUntilClosed(t *testing.T, url string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		response, err := client.Get(url)
		if err != nil {
			return
		}
		response.Body.Close()
	}
}

func TestMistakesAreOneLineAndExit2(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	for _, c := range []struct {
		env  string
		args []string
		want string
	}{
		{"", []string{"-nothing"}, "-nothing"},
		{"", []string{"-addr", "localhost"}, "-addr"},
		{"", []string{"-addr", "localhost:99999"}, "-addr"},
		{"", []string{"-addr", "localhost:http-or-so"}, "-addr"},
		{"", []string{"wash"}, `"wash"`},
		{"", []string{"-demo"}, "-demo"},
		{"CACHE_SECONDS=x", nil, "CACHE_SECONDS"},
		{"WEBHOOK_TOKEN_SHA256=x,y", nil, "WEBHOOK_TOKEN_SHA256"},
	} {
		cmd := exec.Command(os.Args[0], append([]string{"-db", file}, c.args...)...)
		cmd.Env = append(os.Environ(), "RUN_LOCAL=1", c.env)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.Run()
		if cmd.ProcessState.ExitCode() != 2 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%v %v: exit %d, %q, want exit 2 and one line with %s", c.env, c.args, cmd.ProcessState.ExitCode(), &stderr, c.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var stderr bytes.Buffer
	err := run(t.Context(), []string{"-h"}, os.LookupEnv, &stderr)
	if !errors.Is(err, flag.ErrHelp) || !strings.Contains(stderr.String(), "-dynamodb table") {
		t.Errorf("run(-h) = %v, %s", err, &stderr)
	}
}

func TestPortInUseIsAnError(t *testing.T) {
	p := start(t, nil, "-db", filepath.Join(t.TempDir(), "a.db"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := run(ctx, []string{"-db", filepath.Join(t.TempDir(), "b.db"), "-addr", strings.TrimPrefix(p.url, "http://")}, os.LookupEnv, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("run on a port in use: %v", err)
	}
}

func TestIsLoopback(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://localhost:8000": true, "http://127.0.0.1:8000": true, "http://[::1]:8000": true,
		"": false, "https://dynamodb.us-east-1.amazonaws.com": false, "http://192.0.2.1:8000": false, "http://host.docker.internal:8000": false, "%": false,
	} {
		if got := isLoopback(endpoint); got != want {
			t.Errorf("isLoopback(%q) = %v, want %v", endpoint, got, want)
		}
	}
}
