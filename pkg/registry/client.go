package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"ocireffer/pkg/reference"
)

const (
	tryTimeout = 30 * time.Second
	// maxBody limits an answer, in bytes. A registry that does not page lists some
	// 200,000 tags in it.
	maxBody = 32 << 20
)

var errTooLarge = fmt.Errorf("the answer has more than %d bytes", maxBody)

// A client makes the HTTP calls to one host: spread out, repeated where that may
// help, with a token if one is needed, and to no other host than it was made for.
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
			// A redirect could lead anywhere, with the credential or to another's answer.
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

// A request asks the client's host for something.
type request struct {
	method string // empty: GET
	path   string // escaped
	query  string
	accept string // empty: JSON
	scope  string // what a token must allow
}

// A reply is what came of a request.
type reply struct {
	state State // not Gone: that needs to know what was asked for
	why   error // unless state is Found
	code  string
	// granted says that by its claims the token allows what was asked for.
	granted bool

	status   int // 0: there was no answer
	header   http.Header
	body     []byte
	received time.Time
}

// moment returns when the registry answered.
func (r reply) moment() Moment {
	if r.status == 0 {
		return Moment{}
	}
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		date = time.Time{}
	}
	return Moment{Date: date, Received: r.received, Aged: r.aged()}
}

// aged reports whether the answer comes from a cache (RFC 9111, section 5.1).
func (r reply) aged() bool { return len(r.header.Values("Age")) > 0 }

// ask sends q with a token and says what the answer proves. The error is for the
// whole run.
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

// authorized sends q with the token that there is for it and, if that is not enough,
// once more with the one that the registry asks for.
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

// A message is a request as it is sent.
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

// send sends m, again after errors that may pass, and returns the last answer.
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

// once sends m and reads the whole answer.
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

// judge says what an answer proves, with its error code if it has one.
func (c *client) judge(q request, r reply) (state State, code string, why error) {
	if r.status == http.StatusOK {
		return Found, "", nil
	}
	code = errorCode(r.body)
	why = fmt.Errorf("%s %s%s: %d %s", cmp.Or(q.method, http.MethodGet), c.base.Host, q.path, r.status, cmp.Or(code, http.StatusText(r.status)))
	switch {
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return Forbidden, code, why
	case r.status == http.StatusNotFound && unknown[code] && !r.aged():
		return Missing, code, why
	default:
		return Unsure, code, why
	}
}

// unknown has the codes of a 404 that speak of what was asked for: those of the OCI
// distribution spec 1.1, and ACR's TAG_UNKNOWN. A 404 without one may be that of a
// proxy, of a path that is not served, or of an Accept that does not fit.
var unknown = map[string]bool{"NAME_UNKNOWN": true, "MANIFEST_UNKNOWN": true, "TAG_UNKNOWN": true}

// errorCode returns the first code in the body of an error (OCI distribution spec
// 1.1, "Error Codes"), or "".
func errorCode(body []byte) string {
	var e struct {
		Errors []struct{ Code string }
	}
	if json.Unmarshal(body, &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	// What is logged must be short and plain.
	code := e.Errors[0].Code
	if len(code) > 64 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" {
		return reference.Quote(code)
	}
	return code
}
