// Package requestlog writes one structured log line for each request. Handlers add
// attributes to it with Add. It logs neither headers nor query strings, since either may
// contain a token.
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

// NewJSON returns a logger for Lambda, which takes the time of a line from "timestamp"
// and filters by "level".
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

// Handler calls next and then logs one line: at level error for a status of 500 or more,
// at level warn for 400 or more. A panic becomes a 500, with its stack in the line.
func Handler(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		added := &line{}
		ctx := context.WithValue(r.Context(), lineKey{}, added)
		sw := &statusWriter{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				Add(ctx, slog.String("outcome", "panic"), slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
				if sw.status == 0 {
					http.Error(sw, "Internal error", http.StatusInternalServerError)
				}
			}
			if sw.status == 0 {
				sw.status = http.StatusOK // net/http's answer if a handler writes nothing
			}
			attrs := []slog.Attr{
				slog.String("method", r.Method),
				slog.String("path", r.URL.Path),
				slog.Int("status", sw.status),
			}
			attrs = append(attrs, added.attrs...)
			attrs = append(attrs, slog.Float64("durationMs", float64(time.Since(begin).Microseconds())/1e3))
			if id := ID(r.Context()); id != "" {
				attrs = append(attrs, slog.String("requestId", id))
			}
			log.LogAttrs(r.Context(), level(sw.status), "request", attrs...)
		}()
		next.ServeHTTP(sw, r.WithContext(ctx))
	})
}

// WithID returns a context whose request has id in its log line.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID returns the ID of ctx's request, or "" if it has none.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// Add adds attributes to the log line of ctx's request. It must not be called
// concurrently.
func Add(ctx context.Context, attrs ...slog.Attr) {
	if added, ok := ctx.Value(lineKey{}).(*line); ok {
		added.attrs = append(added.attrs, attrs...)
	}
}

type (
	idKey   struct{}
	lineKey struct{}
)

// A line contains the attributes that handlers have added so far.
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
