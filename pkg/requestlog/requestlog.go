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
// in the line.
func Handler(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		line := &line{}
		ctx := context.WithValue(r.Context(), lineKey{}, line)
		sw := &statusWriter{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				Add(ctx, slog.String("outcome", "panic"), slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
				if sw.status == 0 {
					http.Error(sw, "Internal error", http.StatusInternalServerError)
				}
			}
			if sw.status == 0 {
				sw.status = http.StatusOK // as net/http does for a handler that writes nothing
			}
			attrs := []slog.Attr{
				slog.String("method", r.Method),
				slog.String("path", r.URL.Path),
				slog.Int("status", sw.status),
			}
			attrs = append(attrs, line.attrs...)
			attrs = append(attrs, slog.Float64("durationMs", float64(time.Since(begin).Microseconds())/1e3))
			if id := ID(r.Context()); id != "" {
				attrs = append(attrs, slog.String("requestId", id))
			}
			log.LogAttrs(r.Context(), level(sw.status), "request", attrs...)
		}()
		next.ServeHTTP(sw, r.WithContext(ctx))
	})
}

// WithID returns a context whose request has this id in its line.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID returns the id of the request that ctx belongs to, empty if it has none.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// Add puts attributes into the line of the request that ctx belongs to. Only one
// goroutine at a time may call it.
func Add(ctx context.Context, attrs ...slog.Attr) {
	if line, ok := ctx.Value(lineKey{}).(*line); ok {
		line.attrs = append(line.attrs, attrs...)
	}
}

type (
	idKey   struct{}
	lineKey struct{}
)

// A line has the attributes that handlers have added so far.
type line struct{ attrs []slog.Attr }

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
