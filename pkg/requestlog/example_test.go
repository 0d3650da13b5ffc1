package requestlog_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"ocireffer/pkg/requestlog"
)

func ExampleAdd() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "durationMs" { // they differ from run to run
				return slog.Attr{}
			}
			return a
		},
	}))
	h := requestlog.Handler(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requestlog.Add(r.Context(), slog.String("outcome", "unknown name"))
		w.WriteHeader(http.StatusNotFound)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/wash?token=secret", nil))
	// Output: level=WARN msg=request method=GET path=/wash status=404 outcome="unknown name"
}
