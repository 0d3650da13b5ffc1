package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	tryTimeout = 30 * time.Second
	// maxBody limits an answer, in bytes. Several may be in memory at the same time. A
	// registry without pages can list about 200,000 tags in it.
	maxBody = 8 << 20
)

var errTooLarge = fmt.Errorf("the answer has more than %d bytes", maxBody)

// A client makes the HTTP calls to one host. It limits their rate, retries them if that
// may help, and adds a token if one is needed. It calls no other host.
type client struct {
	host  string // of the registry, for errors
	base  *url.URL
	http  *http.Client
	clock Clock
	pace  *pace
	auth  authorizer
	agent string
	extra http.Header // for every request
	calls atomic.Int64
}

func newClient(host, base string, o Options) *client {
	u, err := url.Parse(base)
	if err != nil {
		panic(err) // the host was checked before
	}
	transport := o.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	clock := o.Clock
	if clock == nil {
		clock = systemClock{}
	}
	return &client{
		host: host,
		base: u,
		http: &http.Client{
			Transport: transport,
			// A redirect could lead anywhere, and take the credential there or bring
			// another host's answer.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		clock: clock,
		pace:  newPace(clock, cmp.Or(o.Rate, defaultRate), cmp.Or(o.Concurrent, defaultConcurrent)),
		auth:  noAuth{},
		agent: cmp.Or(o.UserAgent, "ocireffer"),
		extra: http.Header{},
	}
}

// Calls implements Registry.
func (c *client) Calls() int64 { return c.calls.Load() }

// A request is a request to the client's host.
type request struct {
	method string // empty: GET
	path   string // escaped
	query  string
	accept string // empty: JSON
	scope  string // scope that a token must allow
}

// ask sends q with a token and returns what the answer proves. An error ends the whole
// run.
func (c *client) ask(ctx context.Context, q request) (reply, error) {
	r, err := c.authorized(ctx, q)
	var busy *BusyError
	var refused *refusedError
	switch {
	case err == nil:
		r.state, r.code, r.why = c.judge(q, r)
		return r, nil
	case ctx.Err() != nil || errors.As(err, &busy):
		return reply{}, err
	case errors.As(err, &refused):
		return reply{state: Forbidden, why: err}, nil
	default:
		return reply{state: Unsure, why: err}, nil
	}
}

// authorized sends q with the token at hand. If that is not enough, it sends q once more
// with the token that the registry demands.
func (c *client) authorized(ctx context.Context, q request) (reply, error) {
	t, err := c.auth.token(ctx, q.scope)
	if err != nil {
		return reply{}, err
	}
	r, err := c.send(ctx, c.message(q, t))
	if err != nil || r.status != http.StatusUnauthorized {
		r.granted = t.claims(q.scope)
		return r, err
	}
	t, ok, err := c.auth.challenged(ctx, q.scope, t, r.header.Values("WWW-Authenticate"))
	if err != nil || !ok {
		return r, err
	}
	r, err = c.send(ctx, c.message(q, t))
	r.granted = t.claims(q.scope)
	return r, err
}

// A message is an HTTP request with all its parts.
type message struct {
	method, url string
	header      http.Header
	body        string
}

func (c *client) message(q request, t token) message {
	u := *c.base
	h := http.Header{"Accept": {cmp.Or(q.accept, "application/json")}}
	if t.header != "" {
		h.Set("Authorization", t.header)
	}
	return message{method: cmp.Or(q.method, http.MethodGet), url: u.String() + q.path + query(q.query), header: h}
}

func query(q string) string {
	if q == "" {
		return ""
	}
	return "?" + q
}

// send sends m, retries it after errors that may pass, and returns the last answer.
func (c *client) send(ctx context.Context, m message) (reply, error) {
	for tries := 1; ; tries++ {
		r, err := c.once(ctx, m)
		if ctx.Err() != nil {
			return reply{}, fmt.Errorf("%s: %w", c.host, ctx.Err())
		}
		asked := retryAfter(r.header, r.received)
		refused := r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable && asked > 0
		passing := err != nil && !errors.Is(err, errTooLarge) || refused || r.status == http.StatusRequestTimeout || r.status >= 500 && r.status != http.StatusNotImplemented
		if !passing {
			return r, err
		}
		wait := backoff(tries)
		if refused {
			wait = max(wait, asked)
			if tries == maxTries || asked > maxWait || !c.fits(ctx, wait) {
				return reply{}, &BusyError{c.host, asked}
			}
			c.pace.hold(wait)
			continue
		}
		if tries == maxTries || !c.fits(ctx, wait) {
			return r, err
		}
		if err := c.clock.Sleep(ctx, wait); err != nil {
			return reply{}, fmt.Errorf("%s: %w", c.host, err)
		}
	}
}

// fits reports whether ctx lasts longer than d.
func (c *client) fits(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || c.clock.Now().Add(d).Before(deadline)
}

// once sends m once and reads the whole answer.
func (c *client) once(ctx context.Context, m message) (reply, error) {
	if err := c.pace.enter(ctx); err != nil {
		return reply{}, err
	}
	defer c.pace.leave()
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, m.method, m.url, strings.NewReader(m.body))
	if err != nil {
		return reply{}, err
	}
	for _, h := range []http.Header{c.extra, m.header} {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	req.Header.Set("User-Agent", c.agent)
	c.calls.Add(1)
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("%s %s: %w", m.method, m.url, errTooLarge)
	}
	if err != nil {
		return reply{}, err
	}
	return reply{status: res.StatusCode, header: res.Header, body: body, received: c.clock.Now()}, nil
}
