package dynamolocal

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
)

const (
	startTimeout = time.Minute // it takes 1 s on an idle machine
	stopTimeout  = 5 * time.Second
	keeperEnv    = "DYNAMOLOCAL_KEEPER" // set in the process that runs keep
)

// stop stops the server that start started, if any.
var stop = func() {}

// start runs DynamoDB Local, with Java if possible, otherwise with Docker. It returns the
// URL once the server answers.
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

// java returns the command that runs DynamoDB Local in a small JVM, which starts
// quickly. The native SQLite library that it needs is in its jar.
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
	if err != nil {
		return "", nil, err
	}
	return port, []string{
		jvm, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", // starts in two thirds of the time with half the CPU
		"-cp", filepath.Join(dir, "*"), "software.amazon.dynamodb.services.local.main.ServerRunner",
		"-inMemory", "-sharedDb", "-disableTelemetry", "-port", port,
	}, nil
}

// docker creates a container, fetches the image if it is missing, and returns the command
// that runs the container.
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
	if err != nil {
		return "", nil, err
	}
	return port, []string{cli, "start", "--attach", string(bytes.TrimSpace(id))}, nil
}

// freePort returns a port that was free a moment ago. DynamoDB Local cannot choose one
// itself and report it.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// run runs command until stop, and returns when url answers. The command must not outlive
// the tests, however they end. So its parent is a second process of the test's own
// binary, which runs keep.
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
		if answer, err := client.Get(url); err == nil { // 400: the request is not signed
			answer.Body.Close()
			stop = end
			return nil
		}
	}
}

// keep runs a command until standard input ends. Standard input is a pipe whose other end
// only the test process holds: the system closes it even after a panic or a kill.
func keep(name string, args ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// On SIGTERM Java removes its temporary files, and Docker removes the container.
	// Windows has no such signal: there the delay ends the command.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
