package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A pipeListener hands out connections that need no network, so that their deadlines
// follow a bubble's clock.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// A served is a running call of serve.
type served struct {
	conns   chan net.Conn
	stop    context.CancelFunc
	damaged chan error
	ended   chan error // gets what serve returned
}

func startServe(t *testing.T, h http.HandlerFunc) served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := served{make(chan net.Conn), stop, make(chan error), make(chan error, 1)}
	l := pipeListener{s.conns, make(chan struct{})}
	go func() { s.ended <- serve(ctx, l, slog.New(slog.DiscardHandler), h, s.damaged) }()
	return s
}

// dial opens a connection and sends request.
func (s served) dial(t *testing.T, request string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	s.conns <- server
	if _, err := io.WriteString(client, request); err != nil {
		t.Fatal(err)
	}
	return client
}

// readBody answers after it has read the body.
func readBody(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, "cut short", http.StatusBadRequest)
	}
}

// TestSlowClientsAreClosed: each part of a request has its limit.
func TestSlowClientsAreClosed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request string
		want    time.Duration
	}{
		"no request":   {request: "", want: 10 * time.Second},
		"half a head":  {request: "POST / HTTP/1.1\r\nHost: x\r\n", want: 10 * time.Second},
		"half a body":  {request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", want: 30 * time.Second},
		"no next head": {request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", want: 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := startServe(t, readBody)
				begin := time.Now()
				if _, err := io.Copy(io.Discard, s.dial(t, c.request)); err != nil {
					t.Errorf("the connection ended with %v, want EOF", err)
				}
				if took := time.Since(begin); took < c.want || took > c.want+time.Second {
					t.Errorf("the connection was closed after %s, want %s", took, c.want)
				}
				s.stop()
				if err := <-s.ended; err != nil {
					t.Errorf("serve: %v", err)
				}
			})
		})
	}
}

func TestClientThatReadsNothingIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error)
		s := startServe(t, func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, 1<<20))
			failed <- err
		})
		begin := time.Now()
		s.dial(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := <-failed; err == nil {
			t.Error("the answer was written, want an error")
		}
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("the answer was given up after %s, want 1m", took)
		}
		s.stop()
		<-s.ended
	})
}

// TestStopWaitsFor10Seconds: it waits for clients that do not finish, and then returns no
// error.
func TestStopWaitsFor10Seconds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bodyAfter time.Duration // when the rest of the body arrives
		answered  bool
		want      time.Duration
	}{
		"client that finishes": {bodyAfter: 2 * time.Second, answered: true, want: 2 * time.Second},
		"slow client":          {bodyAfter: 25 * time.Second, want: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := startServe(t, readBody)
				conn := s.dial(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
				answer := make(chan string)
				go func() {
					b, err := io.ReadAll(conn)
					answer <- fmt.Sprintf("%.15s, %v", b, err)
				}()
				synctest.Wait()
				begin := time.Now()
				s.stop()
				time.AfterFunc(c.bodyAfter, func() { io.WriteString(conn, "body") })
				if err := <-s.ended; err != nil {
					t.Errorf("serve: %v, want no error", err)
				}
				if took := time.Since(begin); took < c.want || took > c.want+time.Second {
					t.Errorf("serve ended after %s, want %s", took, c.want)
				}
				want := ", <nil>"
				if c.answered {
					want = "HTTP/1.1 200 OK, <nil>"
				}
				if got := <-answer; got != want {
					t.Errorf("the client got %q, want %q", got, want)
				}
			})
		})
	}
}

// TestDamageEndsServing: the requests that have begun are still answered.
func TestDamageEndsServing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		planted := errors.New("planted")
		s := startServe(t, readBody)
		conn := s.dial(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
		synctest.Wait()
		s.damaged <- planted
		synctest.Wait()
		go io.WriteString(conn, "body")
		if b, err := io.ReadAll(conn); err != nil || len(b) == 0 {
			t.Errorf("the client got %q, %v, want an answer", b, err)
		}
		if err := <-s.ended; !errors.Is(err, planted) {
			t.Errorf("serve: %v, want %v", err, planted)
		}
	})
}
