package registry

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	defaultRate       = 10 // calls per second: 600 a minute, below the 1,000 reads of ACR's smallest tier
	defaultConcurrent = 4

	maxTries     = 5
	maxWait      = time.Minute // the run gives up on a registry that asks for more
	firstBackoff = time.Second
)

// A pace limits calls: how many run at once, and how much time passes between two starts.
type pace struct {
	clock Clock
	every time.Duration // time between two starts
	slots chan struct{} // one for each call that may run at once

	mu    sync.Mutex
	next  time.Time // when the next call may start
	until time.Time // no call may start before
}

func newPace(clock Clock, rate float64, concurrent int) *pace {
	return &pace{clock: clock, every: time.Duration(float64(time.Second) / rate), slots: make(chan struct{}, concurrent)}
}

// enter waits until a call may start. After each nil error the caller must call leave.
func (p *pace) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	start := p.reserve()
	for {
		p.mu.Lock()
		if start.Before(p.until) {
			start = p.until
		}
		p.mu.Unlock()
		wait := start.Sub(p.clock.Now())
		if wait <= 0 {
			return nil
		}
		if err := p.clock.Sleep(ctx, wait); err != nil {
			p.leave()
			return err
		}
	}
}

func (p *pace) leave() { <-p.slots }

// reserve returns when the caller may start.
func (p *pace) reserve() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	start := p.clock.Now()
	if start.Before(p.next) {
		start = p.next
	}
	p.next = start.Add(p.every)
	return start
}

// hold lets no call start for d.
func (p *pace) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.clock.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

// backoff returns how long to wait after a number of tries. The wait doubles with each
// try, and is a random part between half and all of that, so that callers do not all
// return at once.
func backoff(tries int) time.Duration {
	d := firstBackoff << (tries - 1)
	return d/2 + rand.N(d/2)
}

// retryAfter returns how long an answer asks the client to wait, or 0. A date is compared
// with the answer's own Date, as the two clocks may differ (RFC 9110, section 10.2.3).
func retryAfter(h http.Header, received time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		received = date
	}
	return max(0, at.Sub(received))
}
