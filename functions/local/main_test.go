package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
)

// TestMain runs the program itself if a test starts this binary as the program, so that
// the test can kill it, or ask it to end as a user would.
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

// tokenEnv is the variable with the hash of the token test2.
const tokenEnv = "WEBHOOK_TOKEN_SHA256=60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"

// command returns the program's command line. env contains variables as NAME=value.
func command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), "RUN_LOCAL=1"), env...)
	return cmd
}

// A program is a running local runner.
type program struct {
	*exec.Cmd
	url       string
	listening string // its log line "listening"
}

var listening = regexp.MustCompile(`msg=listening url=(\S+)`)

// start runs the program on a free port and waits until it listens.
func start(t *testing.T, env []string, args ...string) program {
	t.Helper()
	p, _ := startLogged(t, env, args...)
	return p
}

// startLogged is start. log waits for the end of the program and returns its log.
func startLogged(t *testing.T, env []string, args ...string) (p program, log func() string) {
	t.Helper()
	cmd := command(env, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	// A pipe of its own: Wait would close the one from StderrPipe before it is read.
	stderr, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = writer
	if err := errors.Join(cmd.Start(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	var text strings.Builder
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%v ended: %v: %s", cmd, cmd.Wait(), &text)
		}
		text.WriteString(line)
		if m := listening.FindStringSubmatch(line); m != nil {
			p = program{cmd, m[1], line}
			break
		}
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer stderr.Close()
		io.Copy(&text, lines)
	}()
	return p, func() string { <-read; return text.String() }
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

// wantExit runs the program and wants it to exit with this status and one line on
// standard error that contains text.
func wantExit(t *testing.T, cmd *exec.Cmd, status int, text string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	timeout := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer timeout.Stop()
	if err := cmd.Run(); err == nil && status != 0 {
		t.Errorf("%v exited with 0", cmd)
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

// TestStoredPushSurvivesAKilledProcess proves no more than its name says: the operating
// system still writes to the disk after the process is gone. Package bolt checks that
// each commit is synced.
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

// TestDemoShowsACatalogueAndTakesPushes: afterwards it leaves no file.
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

// TestSlowFirstWriteIsAwaited needs a DynamoDB. One that has just started takes longer for
// its first item than a call may last otherwise.
func TestSlowFirstWriteIsAwaited(t *testing.T) {
	t.Parallel()
	to, err := url.Parse(dynamolocal.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "DynamoDB_20120810.PutItem" {
			time.Sleep(dynamo.AttemptTimeout + 200*time.Millisecond)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer slow.Close()
	env := []string{"AWS_ENDPOINT_URL_DYNAMODB=" + slow.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	p := start(t, env, "-dynamodb", fmt.Sprintf("slow-test-%d", time.Now().UnixNano()))
	p.want(t, "GET", "/wash", "", 200, unknown)
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
	for name, c := range map[string]struct {
		env                  []string
		addr                 string
		withoutToken, withIt int    // wanted status of a push
		writes               string // in the log line
	}{
		"loopback":           {addr: "127.0.0.1:0", withoutToken: 200, withIt: 200, writes: "without a token"},
		"localhost":          {addr: "localhost:0", withoutToken: 200, withIt: 200, writes: "without a token"},
		"loopback, token":    {env: []string{tokenEnv}, addr: "127.0.0.1:0", withoutToken: 401, withIt: 200, writes: "with a token"},
		"loopback, secret":   {env: []string{"WEBHOOK_SECRETS=geheim"}, addr: "127.0.0.1:0", withoutToken: 401, withIt: 401, writes: "with a signature"},
		"loopback, both":     {env: []string{tokenEnv, "WEBHOOK_SECRETS=geheim"}, addr: "127.0.0.1:0", withoutToken: 401, withIt: 200, writes: "with a token or a signature"},
		"any address":        {addr: "0.0.0.0:0", withoutToken: 401, withIt: 401, writes: "refused: not a loopback address, and no WEBHOOK_TOKEN_SHA256"},
		"any address, token": {env: []string{tokenEnv}, addr: "0.0.0.0:0", withoutToken: 401, withIt: 200, writes: "with a token"},
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
			fmt.Fprintf(conn, "POST /api/azurehook HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(push))
			// This arrives when the handler reads the body, so the request has begun.
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

// waitUntilClosed returns when url accepts no more connections.
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
		"demo with a file":       {args: []string{"-demo"}, want: "-demo has its own store"},
		"setting of lookup":      {env: "CACHE_SECONDS=x", want: "CACHE_SECONDS"},
		"settings of ingest":     {env: "WEBHOOK_TOKEN_SHA256=x,y", want: "WEBHOOK_TOKEN_SHA256"},
		"commas for tokens":      {env: "WEBHOOK_TOKEN_SHA256=,,,", want: "WEBHOOK_TOKEN_SHA256 has commas but no entry"},
		"commas for registries":  {env: "ALLOWED_REGISTRIES=,,,", want: "ALLOWED_REGISTRIES has commas but no entry"},
		"commas for secrets":     {env: "WEBHOOK_SECRETS=,", want: "WEBHOOK_SECRETS has commas but no entry"},
		"broken glob":            {env: "IGNORE_TAGS=a[", want: `IGNORE_TAGS: glob "a[" has`},
		"hash of no token":       {env: "WEBHOOK_TOKEN_SHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", want: "the hash of an empty text"},
		"registry of one word":   {env: "ALLOWED_REGISTRIES=demo", want: `registry "demo" has neither a dot nor a port`},
		"once and no registry":   {args: []string{"-once"}, want: "-once needs -reconcile"},
		"force and no registry":  {args: []string{"-force"}, want: "-force needs -reconcile"},
		"no registry at all":     {args: []string{"-reconcile", ","}, want: `-reconcile: no registry in ","`},
		"no registry":            {args: []string{"-reconcile", "demo"}, want: `-reconcile: registry "demo" has neither a dot nor a port`},
		"registry not allowed":   {env: "ALLOWED_REGISTRIES=a.example", args: []string{"-reconcile", "b.example"}, want: "-reconcile: registry b.example is not in ALLOWED_REGISTRIES"},
		"too often":              {args: []string{"-reconcile", "a.example", "-reconcile-every", "59s"}, want: "-reconcile-every 59s: want a minute or more"},
		"never":                  {args: []string{"-reconcile", "a.example", "-reconcile-every", "0"}, want: "-reconcile-every 0s: want a minute or more"},
		"once, again":            {args: []string{"-reconcile", "a.example", "-reconcile-every", "1h", "-once"}, want: "-once and -reconcile-every: use only one of them"},
		"once at an address":     {args: []string{"-reconcile", "a.example", "-once", "-addr", "localhost:0"}, want: "-once does not serve: leave out -addr"},
		"credentials":            {env: "RECONCILE_CREDENTIALS=secret", args: []string{"-reconcile", "a.example", "-once"}, want: "RECONCILE_CREDENTIALS: credentials are not JSON"},
		"flag without its value": {args: []string{"-addr"}, want: "-addr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantExit(t, command([]string{c.env}, append([]string{"-db", file}, c.args...)...), 2, c.want)
		})
	}
	for name, endpoint := range map[string]string{
		"table of AWS":           "",
		"table of another host":  "http://192.0.2.1:8000",
		"table of a like host":   "http://localhost.example.com:8000",
		"table of a broken host": "http://%zz",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command([]string{"AWS_ENDPOINT_URL_DYNAMODB=" + endpoint, "WEBHOOK_TOKEN_SHA256="}, "-dynamodb", "x")
			wantExit(t, cmd, 2, "-dynamodb needs WEBHOOK_TOKEN_SHA256, because the table is not on this machine: AWS_ENDPOINT_URL_DYNAMODB is not a loopback address")
		})
	}
	t.Run("demo with a table", func(t *testing.T) {
		t.Parallel()
		wantExit(t, command(nil, "-demo", "-dynamodb", "x"), 2, "-demo has its own store")
	})
}

// TestTableIsMadeOnThisMachineOnly: on another host, a missing table may be a wrong name,
// and a new one would lack the template's settings. The stand-in acts as a proxy for the
// other host.
func TestTableIsMadeOnThisMachineOnly(t *testing.T) {
	t.Parallel()
	const answer = `{"__type":"com.amazon.coral.validate#ValidationException","message":"planted"}`
	for name, c := range map[string]struct {
		endpoint string // empty: the stand-in's own address
		first    string
	}{
		"loopback":     {first: "DynamoDB_20120810.CreateTable"},
		"another host": {endpoint: "http://dynamodb.example.com:8000", first: "DynamoDB_20120810.BatchGetItem"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			operations := make(chan string, 100)
			db := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				operations <- r.Header.Get("X-Amz-Target")
				w.Header().Set("X-Amz-Crc32", fmt.Sprint(crc32.ChecksumIEEE([]byte(answer))))
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, answer)
			}))
			defer db.Close()
			cmd := command([]string{
				"AWS_ENDPOINT_URL_DYNAMODB=" + cmp.Or(c.endpoint, db.URL), "HTTP_PROXY=" + db.URL, "NO_PROXY=", "no_proxy=",
				"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", tokenEnv,
			}, "-dynamodb", "Table", "-addr", "127.0.0.1:0")
			wantExit(t, cmd, 1, "planted")
			close(operations)
			if got := <-operations; got != c.first {
				t.Errorf("the first call is %q, want %q", got, c.first)
			}
		})
	}
}

// TestWritesOfWebPagesNeedAToken: they do even if nobody else needs one. Anyone may read.
func TestWritesOfWebPagesNeedAToken(t *testing.T) {
	t.Parallel()
	const refused = "A write by a web page of another site needs a token: start with WEBHOOK_TOKEN_SHA256"
	open := startNew(t, nil)
	open.want(t, "POST", "/api/azurehook", push, 403, refused, "Origin", "http://evil.test")
	open.want(t, "GET", "/wash", "", 200, unknown, "Origin", "http://evil.test")
	demo := start(t, nil, "-demo")
	demo.want(t, "POST", "/api/azurehook", push, 403, refused, "Origin", "http://evil.test")
	locked := startNew(t, []string{tokenEnv})
	locked.want(t, "POST", "/api/azurehook", push, 200, pushed, "Origin", "http://evil.test", "Authorization", "Bearer test2")
}

func TestLongHeaderIsRefused(t *testing.T) {
	t.Parallel()
	p := startNew(t, nil)
	p.want(t, "GET", "/wash", "", 200, unknown, "X-Long", strings.Repeat("x", 60<<10))
	if status, _ := p.do(t, "GET", "/wash", "", "X-Long", strings.Repeat("x", 80<<10)); status != 431 {
		t.Errorf("80 KB of headers: status %d, want 431", status)
	}
}

// slowRequest begins a request and never sends its body.
func slowRequest(t *testing.T, p program) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /api/azurehook HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(push))
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v, want 100 Continue", line, err)
	}
	return conn
}

func TestSecondSignalEndsTheProgram(t *testing.T) {
	t.Parallel()
	p := startNew(t, nil)
	slowRequest(t, p)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	waitUntilClosed(t, p.url)
	begin := time.Now()
	// A second signal right after the first may be merged with it.
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	go func() {
		for {
			select {
			case <-again.C:
				p.Process.Signal(os.Interrupt)
			case <-t.Context().Done():
				return
			}
		}
	}()
	p.Wait()
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("the program ended %s after the second signal, want immediately", took)
	}
	status, ok := p.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != os.Interrupt {
		t.Errorf("the program ended with %v, want by the signal", p.ProcessState)
	}
}

// damagedFile makes a file with a push, damages it, and returns its name.
func damagedFile(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "test.db")
	p := start(t, nil, "-db", file)
	p.want(t, "POST", "/api/azurehook", push, 200, pushed)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	damage(t, file)
	return file
}

// damage overwrites all of a file except its two meta pages.
func damage(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta := int64(2 * os.Getpagesize())
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xFF}, int(info.Size()-meta)), meta); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFileEndsTheStart(t *testing.T) {
	t.Parallel()
	file := damagedFile(t)
	wantExit(t, command(nil, "-addr", "127.0.0.1:0", "-db", file), 1, file+": the file is damaged: page ")
}

// TestFileDamagedWhileItIsServedEndsTheProgram: the request gets its answer, and the
// program logs one line.
func TestFileDamagedWhileItIsServedEndsTheProgram(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		answer             string
	}{
		"write": {method: "POST", path: "/api/azurehook", body: push, status: 500, answer: "Failed to store url"},
		"read":  {method: "GET", path: "/wash?format=text", status: 503, answer: "Lookup failed, try again\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "test.db")
			p, log := startLogged(t, nil, "-db", file)
			p.want(t, "POST", "/api/azurehook", push, 200, pushed)
			damage(t, file)
			p.want(t, c.method, c.path, c.body, c.status, c.answer)
			timeout := time.AfterFunc(20*time.Second, func() { p.Process.Kill() })
			defer timeout.Stop()
			p.Wait()
			if got := p.ProcessState.ExitCode(); got != 1 {
				t.Errorf("exit %d, want 1", got)
			}
			text := log()
			if !strings.Contains(text, "\nlocal: "+file+": the file is damaged: page ") {
				t.Errorf("log = %s, want a line that says that the file is damaged", text)
			}
			if strings.Contains(text, "goroutine ") {
				t.Errorf("log = %s, want no stack trace", text)
			}
		})
	}
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
	// Nothing listens on this port.
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
	for _, want := range []string{"-addr host:port", "-db file", "-dynamodb table", "-demo", "-export file", "-import file", "-reconcile registries", "-reconcile-every time", "-once", "-version"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("help lacks %q: %s", want, &stderr)
		}
	}
	if out, err := command(nil, "-h").CombinedOutput(); err != nil {
		t.Errorf("-h ends with %v, want exit 0: %s", err, out)
	}
}

func TestVersionIsPrinted(t *testing.T) {
	t.Parallel()
	out, err := command(nil, "-version").Output()
	if want := "ocireffer " + version + "\n"; err != nil || string(out) != want {
		t.Errorf("-version = %q, %v, want %q", out, err, want)
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
		t.Errorf("run on a port in use: %v, want one that says so", err)
	}
	// The store was closed, so it can be opened again.
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
