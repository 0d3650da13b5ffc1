package main

import (
	"io"
	"log/slog"
	"net/http"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
)

// guard answers 403 to writes that a web page may have sent. It is for a server without a
// token. Other machines cannot reach a loopback address, but the pages in this machine's
// browser can, and a tunnel lets everyone in. Anyone may read.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused := refusal(r)
		if refused == "" {
			next.ServeHTTP(w, r)
			return
		}
		requestlog.Add(r.Context(), slog.String("outcome", "forbidden"))
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, refused+" needs a token: start with WEBHOOK_TOKEN_SHA256")
	})
}

// refusal says why r is refused, or nothing if it may be answered. A page of another site
// can let a name of its own point to this machine. To the browser, the server is then
// part of the page's site. Only the name in Host shows it.
func refusal(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return ""
	}
	if !isLoopback("http://" + r.Host) {
		return "A write to the host " + reference.Quote(r.Host)
	}
	var crossOrigin http.CrossOriginProtection
	if crossOrigin.Check(r) != nil {
		return "A write by a web page of another site"
	}
	return ""
}
