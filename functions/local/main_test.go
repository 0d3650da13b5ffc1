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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo/dynamolocal"
)

// TestMain runs the program itself where a test starts this binary as one, so that
// it can be killed, and asked to end, as a user's is.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_LOCAL") != "" {
		main()
		return
	}
	dynamolocal.Main(m)
}

const (
	pushed  = "Url wasmcloud.azurecr.io/wash:0.18.1 stored for wash"
	badge   = `{"schemaVersion":1,"label":"","message":"wasmcloud.azurecr.io/wash:0.18.1","color":"253746","namedLogo":"wasmcloud"}`
	unknown = `{"schemaVersion":1,"label":"","message":"Provider not yet published","color":"lightgrey","isError":true}`
	push    = `{"action":"push","target":{"repository":"wash","tag":"0.18.1"},"request":{"host":"wasmcloud.azurecr.io"}}`
)

// command returns the program's command line. env are variables as in NAME=value.
func command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), "RUN_LOCAL=1"), env...)
	return cmd
}

// A program is a running local.
type program struct {
	*exec.Cmd
	url       string
	listening string // its line in the log
}

var listening = regexp.MustCompile(`msg=listening url=(\S+)`)

// start runs the program with a free port and waits until it listens.
func start(t *testing.T, env []string, args ...string) program {
	t.Helper()
	cmd := command(env, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
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
			return program{cmd, m[1], lines.Text()}
		}
	}
	t.Fatalf("%v ended: %v", cmd, cmd.Wait())
	return program{}
}

// startNew starts the program with a new file.
func startNew(t *testing.T, env []string, args ...string) program {
	t.Helper()
	return start(t, env, append([]string{"-db", filepath.Join(t.TempDir(), "test.db")}, args...)...)
}

func (p program) do(t *testing.T, method, path, body string, header ...string) (status int, answer string) {
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

// wantExit runs the program and wants it to end with this status and one line on
// standard error, which has text.
func wantExit(t *testing.T, cmd *exec.Cmd, status int, text string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	timeout := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer timeout.Stop()
	if err := cmd.Run(); err == nil && status != 0 {
		t.Errorf("%v ended well", cmd)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("%v: exit %d, want %d", cmd, got, status)
	}
	if n := strings.Count(stderr.String(), "\n"); n != 1 || !strings.HasPrefix(stderr.String(), "local: ") {
		t.Errorf("%v wrote %q, want one line that begins with local:", cmd, &stderr)
	}
	if !strings.Contains(stderr.String(), text) {
		t.Errorf("%v wrote %q, want %q in it", cmd, &stderr, text)
	}
}

// TestStoredPushSurvivesAKilledProcess shows no more than its name says: the
// operating system still writes to the disk after its process is gone. package bolt
// checks that each commit is synced.
func TestStoredPushSurvivesAKilledProcess(t *testing.T) {
	t.Parallel()
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

// TestDemoShowsACatalogueAndTakesPushes, and leaves no file.
func TestDemoShowsACatalogueAndTakesPushes(t *testing.T) {
	t.Parallel()
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
		t.Errorf("files in the temporary folder: %v, %v, want none", left, err)
	}
}

// TestTableIsCreatedAndReused needs a DynamoDB.
func TestTableIsCreatedAndReused(t *testing.T) {
	t.Parallel()
	env := []string{"AWS_ENDPOINT_URL_DYNAMODB=" + dynamolocal.Endpoint(t), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	table := fmt.Sprintf("local-test-%d", time.Now().UnixNano())
	for i := range 2 {
		p := start(t, env, "-dynamodb", table)
		if i == 0 {
			p.want(t, "POST", "/api/azurehook", push, 200, pushed)
		}
		p.want(t, "GET", "/wash", "", 200, badge)
	}
}

func TestAnswersMatchTheDeployedAPI(t *testing.T) {
	t.Parallel()
	p := startNew(t, nil)
	const notFound = `{"message":"Not Found"}`
	p.want(t, "POST", "/wash", "", 404, notFound)
	p.want(t, "PUT", "/api/azurehook", "", 404, notFound)
	p.want(t, "POST", "/api/azurehook/", "", 404, notFound)
	p.want(t, "GET", "/api/azurehook", "", 200, unknown)
	p.want(t, "GET", "//wash", "", 200, unknown)
	p.want(t, "GET", "/a/../b", "", 200, unknown)
}

func TestWritersDependOnTokenAndAddress(t *testing.T) {
	t.Parallel()
	const env = "WEBHOOK_TOKEN_SHA256=60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752" // of test2
	for name, c := range map[string]struct {
		env                  []string
		addr                 string
		withoutToken, withIt int    // status of a push
		writes               string // in the log
	}{
		"loopback":           {addr: "127.0.0.1:0", withoutToken: 200, withIt: 200, writes: "without a token"},
		"localhost":          {addr: "localhost:0", withoutToken: 200, withIt: 200, writes: "without a token"},
		"loopback, token":    {env: []string{env}, addr: "127.0.0.1:0", withoutToken: 401, withIt: 200, writes: "with a token"},
		"any address":        {addr: "0.0.0.0:0", withoutToken: 401, withIt: 401, writes: "refused: not a loopback address, and no WEBHOOK_TOKEN_SHA256"},
		"any address, token": {env: []string{env}, addr: "0.0.0.0:0", withoutToken: 401, withIt: 200, writes: "with a token"},
		"no address at all":  {addr: ":0", withoutToken: 401, withIt: 401, writes: "refused: not a loopback address, and no WEBHOOK_TOKEN_SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startNew(t, c.env, "-addr", c.addr)
			answers := map[int]string{200: pushed, 401: "Unauthorized"}
			p.want(t, "POST", "/api/azurehook", push, c.withoutToken, answers[c.withoutToken])
			p.want(t, "POST", "/api/azurehook", push, c.withIt, answers[c.withIt], "Authorization", "Bearer test2")
			if want := "writes=" + strconv.Quote(c.writes); !strings.Contains(p.listening, want) {
				t.Errorf("log %q, want %q in it", p.listening, want)
			}
		})
	}
}

func TestSettingsOfBothSidesAreRead(t *testing.T) {
	t.Parallel()
	p := startNew(t, []string{"ALLOWED_REGISTRIES=ghcr.io", "BADGE_LABEL=newest"})
	p.want(t, "POST", "/api/azurehook", push, 403, "Registry wasmcloud.azurecr.io is not allowed")
	if _, body := p.do(t, "GET", "/wash", ""); !strings.Contains(body, `"label":"newest"`) {
		t.Errorf("GET /wash = %s, want the label newest", body)
	}
}

func TestSignalLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := startNew(t, nil)
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			answer := bufio.NewReader(conn)
			fmt.Fprintf(conn, "POST /api/azurehook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(push))
			// This comes when the handler reads the body, so the request has begun.
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
				t.Errorf("the request got %q, %v, want %q", rest, err, pushed)
			}
			if err := p.Wait(); err != nil {
				t.Errorf("the program ended with %v, want exit 0", err)
			}
		})
	}
}

// waitUntilClosed returns when url takes no connections any more.
func waitUntilClosed(t *testing.T, url string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			return
		}
		response.Body.Close()
	}
}

func TestMistakesAreOneLineAndExit2(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	for name, c := range map[string]struct {
		env  string
		args []string
		want string
	}{
		"unknown flag":           {args: []string{"-nothing"}, want: "flag provided but not defined: -nothing"},
		"address without port":   {args: []string{"-addr", "localhost"}, want: "-addr: "},
		"port too high":          {args: []string{"-addr", "localhost:99999"}, want: "-addr: "},
		"unknown service":        {args: []string{"-addr", "localhost:http-or-so"}, want: "-addr: "},
		"argument":               {args: []string{"wash"}, want: `unexpected argument "wash": see -h`},
		"demo with a file":       {args: []string{"-demo"}, want: "-demo has a store of its own"},
		"setting of lookup":      {env: "CACHE_SECONDS=x", want: "CACHE_SECONDS"},
		"settings of ingest":     {env: "WEBHOOK_TOKEN_SHA256=x,y", want: "WEBHOOK_TOKEN_SHA256"},
		"registry of one word":   {env: "ALLOWED_REGISTRIES=demo", want: `registry "demo" has neither a dot nor a port`},
		"flag without its value": {args: []string{"-addr"}, want: "-addr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantExit(t, command([]string{c.env}, append([]string{"-db", file}, c.args...)...), 2, c.want)
		})
	}
	t.Run("demo with a table", func(t *testing.T) {
		t.Parallel()
		wantExit(t, command(nil, "-demo", "-dynamodb", "x"), 2, "-demo has a store of its own")
	})
}

func TestNewerDataEndsTheStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	db, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	newer := strconv.Itoa(store.DataVersion + 1)
	err = b.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("version"), []byte(newer)) })
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	wantExit(t, command(nil, "-db", file), 1, "run a newer release")
}

func TestUnusableStoreIsExit1(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wantExit(t, command(nil, "-db", dir), 1, dir)
	// Nothing listens on this port, which is not an HTTP server's.
	env := []string{"AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	wantExit(t, command(env, "-dynamodb", "local-test"), 1, "local-test")
}

func TestHelpNamesTheFlagsAndIsNoError(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	err := run(t.Context(), []string{"-h"}, os.LookupEnv, &stderr)
	if !errors.Is(err, flag.ErrHelp) {
		t.Errorf("run(-h) = %v, want flag.ErrHelp", err)
	}
	for _, want := range []string{"-addr host:port", "-db file", "-dynamodb table", "-demo"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("help lacks %q: %s", want, &stderr)
		}
	}
	if out, err := command(nil, "-h").CombinedOutput(); err != nil {
		t.Errorf("-h ends with %v, want exit 0: %s", err, out)
	}
}

func TestFlagsHaveDefaults(t *testing.T) {
	t.Parallel()
	got, err := parseFlags(nil, io.Discard)
	if want := (options{addr: "localhost:8080", file: "ocireffer.db"}); err != nil || got != want {
		t.Errorf("parseFlags() = %+v, %v, want %+v", got, err, want)
	}
}

func TestPortInUseIsAnError(t *testing.T) {
	t.Parallel()
	p := startNew(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	file := filepath.Join(t.TempDir(), "b.db")
	err := run(ctx, []string{"-db", file, "-addr", strings.TrimPrefix(p.url, "http://")}, os.LookupEnv, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("run on a port in use: %v, want that it is in use", err)
	}
	// The store was closed: it can be opened again.
	db, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"http://localhost:8000": true,
		"http://127.0.0.1:8000": true,
		"http://[::1]:8000":     true,
		"":                      false,
		"https://dynamodb.us-east-1.amazonaws.com": false,
		"http://192.0.2.1:8000":                    false,
		"http://localhost.example.com:8000":        false,
		"http://host.docker.internal:8000":         false,
		"%":                                        false,
	} {
		if got := isLoopback(endpoint); got != want {
			t.Errorf("isLoopback(%q) = %v, want %v", endpoint, got, want)
		}
	}
}
