// Package requestlog writes one structured line for each request. Handlers add
// what they found out with Add. It logs neither headers nor query strings: a
// token may be in either.
package requestlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// NewJSON is a logger for Lambda, which reads the time of a line from its
// "timestamp" and filters by its "level".
func NewJSON(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				a.Key = "timestamp"
			}
			return a
		},
	}))
}

// Handler serves with next and logs one line when it is done: an error from
// status 500 on, a warning from 400 on. A panic becomes a 500, with its stack
// in the line. idHeader names the header that holds the request's id.
func Handler(log *slog.Logger, idHeader string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		line := &attrs{}
		sw := &statusWriter{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				line.add(slog.String("outcome", "panic"), slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
				if sw.status == 0 {
					http.Error(sw, "Internal error", http.StatusInternalServerError)
				}
			}
			if sw.status == 0 {
				sw.status = http.StatusOK // as net/http does for a handler that writes nothing
			}
			head := []slog.Attr{
				slog.String("method", r.Method),
				slog.String("path", r.URL.Path),
				slog.Int("status", sw.status),
			}
			tail := []slog.Attr{slog.Float64("durationMs", float64(time.Since(begin).Microseconds())/1e3)}
			if id := r.Header.Get(idHeader); id != "" {
				tail = append(tail, slog.String("requestId", id))
			}
			log.LogAttrs(r.Context(), level(sw.status), "request", append(append(head, *line...), tail...)...)
		}()
		next.ServeHTTP(sw, r.WithContext(context.WithValue(r.Context(), key{}, line)))
	})
}

// Add puts attributes into the line of the request that ctx belongs to. It may
// be called by one goroutine at a time.
func Add(ctx context.Context, a ...slog.Attr) {
	if line, ok := ctx.Value(key{}).(*attrs); ok {
		line.add(a...)
	}
}

type key struct{}

type attrs []slog.Attr

func (l *attrs) add(a ...slog.Attr) { *l = append(*l, a...) }

func level(status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelError
	case status >= 400:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}
