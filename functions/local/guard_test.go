package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuardRefusesWritesOfWebPages(t *testing.T) {
	t.Parallel()
	const (
		foreignHost = "A write to the host "
		crossSite   = "A write by a web page of another site needs a token: start with WEBHOOK_TOKEN_SHA256"
	)
	for name, c := range map[string]struct {
		method, host string
		header       http.Header
		refused      string // beginning of the answer; empty: let through
	}{
		"program":                   {method: "POST", host: "localhost:8080"},
		"program, address":          {method: "PUT", host: "127.0.0.1:8080"},
		"program, other address":    {method: "DELETE", host: "127.8.9.1:8080"},
		"program, IPv6":             {method: "POST", host: "[::1]:8080"},
		"program, no port":          {method: "POST", host: "Localhost"},
		"own page":                  {method: "POST", host: "localhost:8080", header: http.Header{"Origin": {"http://localhost:8080"}, "Sec-Fetch-Site": {"same-origin"}}},
		"own page, older browser":   {method: "POST", host: "localhost:8080", header: http.Header{"Origin": {"http://localhost:8080"}}},
		"page of another site":      {method: "POST", host: "localhost:8080", header: http.Header{"Origin": {"http://evil.test:8151"}, "Sec-Fetch-Site": {"cross-site"}}, refused: crossSite},
		"other site, older browser": {method: "POST", host: "localhost:8080", header: http.Header{"Origin": {"http://evil.test:8151"}}, refused: crossSite},
		"page without an origin":    {method: "POST", host: "localhost:8080", header: http.Header{"Origin": {"null"}}, refused: crossSite},
		"page of another port":      {method: "POST", host: "localhost:8080", header: http.Header{"Origin": {"http://localhost:3000"}}, refused: crossSite},
		"page of another port, Sec": {method: "PUT", host: "localhost:8080", header: http.Header{"Sec-Fetch-Site": {"same-site"}}, refused: crossSite},
		"delete of another site":    {method: "DELETE", host: "localhost:8080", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, refused: crossSite},
		"rebound name":              {method: "POST", host: "rebind.test:8150", refused: foreignHost + `"rebind.test:8150" needs a token: start with WEBHOOK_TOKEN_SHA256`},
		"rebound name, same origin": {method: "POST", host: "rebind.test:8150", header: http.Header{"Origin": {"http://rebind.test:8150"}, "Sec-Fetch-Site": {"same-origin"}}, refused: foreignHost},
		"tunnel":                    {method: "DELETE", host: "1234.ngrok.app", refused: foreignHost},
		"name like localhost":       {method: "PUT", host: "localhost.evil.test", refused: foreignHost},
		"address in a name":         {method: "PUT", host: "127.0.0.1.evil.test:8080", refused: foreignHost},
		"address of a network":      {method: "PUT", host: "192.168.1.5:8080", refused: foreignHost},
		"no host":                   {method: "POST", host: "", refused: foreignHost},
		"broken host":               {method: "POST", host: "%zz", refused: foreignHost},
		"other method":              {method: "PATCH", host: "rebind.test", refused: foreignHost},

		"read of another site":     {method: "GET", host: "localhost:8080", header: http.Header{"Origin": {"http://evil.test"}, "Sec-Fetch-Site": {"cross-site"}}},
		"read through a tunnel":    {method: "GET", host: "1234.ngrok.app"},
		"headers through a tunnel": {method: "HEAD", host: "1234.ngrok.app"},
		"handshake":                {method: "OPTIONS", host: "1234.ngrok.app"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			through := false
			h := guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { through = true }))
			r := httptest.NewRequest(c.method, "/api/azurehook", strings.NewReader(push))
			r.Host = c.host
			for field, values := range c.header {
				r.Header[field] = values
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if through != (c.refused == "") {
				t.Errorf("%s to %q with %v is let through: %t, want %t", c.method, c.host, c.header, through, c.refused == "")
			}
			if c.refused == "" {
				return
			}
			if w.Code != 403 || !strings.HasPrefix(w.Body.String(), c.refused) {
				t.Errorf("answer %d %q, want 403 %q", w.Code, w.Body, c.refused)
			}
			if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type = %q, want text/plain", got)
			}
		})
	}
}
