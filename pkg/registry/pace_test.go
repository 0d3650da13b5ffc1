package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ocireffer/pkg/registry"
)

// paced returns a client with the default limits and the bubble's clock.
func paced(t *testing.T, transport http.RoundTripper) registry.Registry {
	t.Helper()
	r, err := registry.Open("registry.example.com", registry.Options{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTenCallsASecondFourAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		slow := time.Duration(0)
		r := paced(t, handler(func(w http.ResponseWriter, _ *http.Request) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(slow)
			now.Add(-1)
			fmt.Fprint(w, `{"tags":[]}`)
		}))
		read := func(n int) time.Duration {
			start := time.Now()
			var group sync.WaitGroup
			for range n {
				group.Go(func() { r.Repository(t.Context(), "wash") })
			}
			group.Wait()
			return time.Since(start)
		}
		if took := read(31); took != 3*time.Second {
			t.Errorf("31 calls took %s, want 3 s", took)
		}
		time.Sleep(time.Second)
		slow = time.Second
		if took := read(12); most.Load() != 4 || took < 3*time.Second || took > 4*time.Second {
			t.Errorf("12 calls of a second took %s, %d at once, want 4 at once", took, most.Load())
		}
	})
}

// refusing answers the first requests with a status, and the later ones well.
func refusing(status, times int, retryAfter func() string) handler {
	var n atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) > int64(times) {
			fmt.Fprint(w, `{"tags":[]}`)
			return
		}
		if retryAfter != nil {
			w.Header().Set("Retry-After", retryAfter())
		}
		w.WriteHeader(status)
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	says := func(s string) func() string { return func() string { return s } }
	date := func() string { return time.Now().Add(5 * time.Second).UTC().Format(http.TimeFormat) }
	for _, test := range []struct {
		name       string
		transport  handler
		want       registry.State
		busy       time.Duration // After of the BusyError; -1: no BusyError
		least, max time.Duration // shortest and longest duration
	}{
		{"429 for 2 s, twice", refusing(429, 2, says("2")), registry.Found, -1, 4 * time.Second, 4 * time.Second},
		{"429 until a date", refusing(429, 1, date), registry.Found, -1, 5 * time.Second, 5 * time.Second},
		{"429 for a minute", refusing(429, 1, says("60")), registry.Found, -1, time.Minute, time.Minute},
		{"429 for longer", refusing(429, 1, says("61")), 0, 61 * time.Second, 0, 0},
		{"429 for 0 s", refusing(429, 1, says("0")), registry.Found, -1, time.Second / 2, time.Second},
		{"429 for what is no time", refusing(429, 1, says("-5")), registry.Found, -1, time.Second / 2, time.Second},
		{"429 without a time, twice", refusing(429, 2, nil), registry.Found, -1, 3 * time.Second / 2, 3 * time.Second},
		{"429 for ever", refusing(429, 1000, nil), 0, 0, 15 * time.Second / 2, 15 * time.Second},
		{"503 for 7 s", refusing(503, 1, says("7")), registry.Found, -1, 7 * time.Second, 7 * time.Second},
		{"503 for an hour", refusing(503, 1, says("3600")), 0, time.Hour, 0, 0},
		{"502 twice", refusing(502, 2, nil), registry.Found, -1, 3 * time.Second / 2, 3 * time.Second},
		{"500 for ever", refusing(500, 1000, nil), registry.Unsure, -1, 15 * time.Second / 2, 15 * time.Second},
		{"400", refusing(400, 1, nil), registry.Unsure, -1, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				got, err := paced(t, test.transport).Repository(t.Context(), "wash")
				if busy, is := errors.AsType[*registry.BusyError](err); is != (test.busy >= 0) || is && busy.After != test.busy {
					t.Errorf("error is %v, want busy for %s", err, test.busy)
				} else if !is && got.State != test.want {
					t.Errorf("wash is %s because of %v, want %s", got.State, got.Why, test.want)
				}
				if took := time.Since(start); took < test.least || took > test.max {
					t.Errorf("took %s, want %s to %s", took, test.least, test.max)
				}
			})
		})
	}
}

// All calls wait when one was refused.
func TestRefusalHoldsAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := paced(t, refusing(429, 1, func() string { return "30" }))
		start := time.Now()
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() { r.Repository(t.Context(), "wash") })
		}
		group.Wait()
		// The refused call is already running when the others come.
		if took := time.Since(start); took < 30*time.Second || took > 31*time.Second || r.Calls() != 9 {
			t.Errorf("9 calls took %s in %d, want 30 s", took, r.Calls())
		}
	})
}

func TestWaitThatDoesNotFit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, err := paced(t, refusing(429, 1, func() string { return "20" })).Repository(ctx, "wash")
		if busy, is := errors.AsType[*registry.BusyError](err); !is || busy.After != 20*time.Second || time.Since(start) > 0 {
			t.Errorf("after %s: %v, want busy for 20 s at once", time.Since(start), err)
		}
	})
}

func TestRunThatEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := paced(t, handler(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := r.Repository(ctx, "wash"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Repository: %v, want the context's error", err)
		}
	})
}

// A call that hangs is given up after a while, and retried.
func TestHangingCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := paced(t, hanging{})
		start := time.Now()
		got, err := r.Repository(t.Context(), "wash")
		if err != nil || got.State != registry.Unsure || r.Calls() != 5 {
			t.Errorf("wash is %s because of %v, error %v, in %d calls, want unsure in 5", got.State, got.Why, err, r.Calls())
		}
		if took := time.Since(start); took < 150*time.Second || took > 165*time.Second {
			t.Errorf("took %s, want 5 times 30 s", took)
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
