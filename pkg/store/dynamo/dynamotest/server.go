package dynamotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

const (
	version      = "3.1.0"
	startTimeout = time.Minute // 1 s on an idle machine
	stopTimeout  = 5 * time.Second
	keeperEnv    = "DYNAMOTEST_KEEPER"
)

// stop ends the server that start began, if any.
var stop = func() {}

// start runs DynamoDB Local and returns its URL once it answers.
func start() (string, error) {
	var errs []error
	for _, find := range []func() (port string, command []string, err error){java, docker} {
		port, command, err := find()
		if err == nil {
			url := "http://127.0.0.1:" + port
			if err = run(url, command); err == nil {
				return url, nil
			}
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// java returns the command that runs DynamoDB Local in a small, quick JVM.
// The native SQLite that it needs comes out of its jar.
func java() (port string, command []string, err error) {
	jvm, err := exec.LookPath("java")
	if err != nil {
		return "", nil, err
	}
	dir, err := jars()
	if err != nil {
		return "", nil, fmt.Errorf("fetch DynamoDB Local: %w", err)
	}
	port, err = freePort()
	return port, []string{
		jvm, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", // two thirds of the start, half the CPU
		"-cp", filepath.Join(dir, "*"), "software.amazon.dynamodb.services.local.main.ServerRunner",
		"-inMemory", "-sharedDb", "-disableTelemetry", "-port", port,
	}, err
}

// docker makes a container, for which it fetches the image where that is
// missing, and returns the command that runs it.
func docker() (port string, command []string, err error) {
	cli, err := exec.LookPath("docker")
	if err != nil {
		return "", nil, err
	}
	port, err = freePort()
	if err != nil {
		return "", nil, err
	}
	id, err := output(exec.Command(cli, "create", "--rm", "--publish", "127.0.0.1:"+port+":8000",
		"amazon/dynamodb-local:"+version, "-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry"))
	return port, []string{cli, "start", "--attach", string(bytes.TrimSpace(id))}, err
}

// freePort returns a port that was free a moment ago: DynamoDB Local cannot
// choose one and say which.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>ocireffer</groupId> <artifactId>dynamotest</artifactId> <version>1</version>
  <dependencies><dependency>
    <groupId>software.amazon.dynamodb</groupId> <artifactId>DynamoDBLocal</artifactId> <version>` + version + `</version>
  </dependency></dependencies>
</project>
`

// jars returns the folder with DynamoDB Local and what it needs. The first
// call on a machine has Maven fetch it, some 45 MB, into the user's cache.
func jars() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "ocireffer", "dynamodb-local-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	// The packages of one go test come here together, and two Mavens at once
	// may spoil each other's downloads. An empty bbolt file is a lock that
	// works on every system and falls open when its holder dies.
	lock, err := bbolt.Open(dir+".lock", 0o600, nil)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// A folder of this name is complete. What an interrupted run left is not,
	// and Maven would take half a jar for a whole one.
	partial := dir + ".partial"
	pomFile := filepath.Join(partial, "pom.xml")
	if err := errors.Join(
		os.RemoveAll(partial),
		os.Mkdir(partial, 0o755),
		os.WriteFile(pomFile, []byte(pom), 0o644),
	); err != nil {
		return "", err
	}
	_, err = output(exec.Command(mvn, "--batch-mode", "--quiet", "--file", pomFile,
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DincludeScope=runtime", "-DincludeTypes=jar", "-DoutputDirectory="+partial))
	if err != nil {
		return "", err
	}
	return dir, os.Rename(partial, dir)
}

// output runs cmd; its error tells what cmd printed.
func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%s: %w\n%s%s", filepath.Base(cmd.Path), err, out, exit.Stderr)
	}
	return out, err
}

// run runs command until stop, and returns when url answers. The command must
// not outlive the tests, however they end: so its parent is a second process
// of the test's own binary, which runs keep.
func run(url string, command []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var printed bytes.Buffer
	keeper := exec.Command(self, command...)
	keeper.Env = append(os.Environ(), keeperEnv+"=1")
	keeper.Stdout, keeper.Stderr = &printed, &printed
	keeper.WaitDelay = 2 * stopTimeout
	life, err := keeper.StdinPipe()
	if err != nil {
		return err
	}
	if err := keeper.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		keeper.Wait()
		close(ended)
	}()
	end := func() {
		life.Close()
		<-ended
	}
	client := http.Client{Timeout: time.Second}
	deadline := time.After(startTimeout)
	for {
		select {
		case <-ended:
			return fmt.Errorf("DynamoDB Local ended before it answered:\n%s", &printed)
		case <-deadline:
			end()
			return fmt.Errorf("DynamoDB Local does not answer at %s after %v:\n%s", url, startTimeout, &printed)
		case <-time.After(20 * time.Millisecond):
		}
		if answer, err := client.Get(url); err == nil { // 400, for want of a signature
			answer.Body.Close()
			stop = end
			return nil
		}
	}
}

// keep runs a command until standard input ends. That is a pipe whose other
// end only the test process holds: the system closes it also after a panic
// or a kill.
func keep(name string, args ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// Asked to end, Java removes its temporary files, and Docker the
	// container. Windows knows no such signal: there the delay ends it.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
