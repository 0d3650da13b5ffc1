package reconcile_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"ocireffer/pkg/reconcile"
)

// A failing is a transport whose calls all fail.
type failing struct{ error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f }

// TestProblemsArePlain: a registry can influence the texts of errors. Go's HTTP client
// shows up to 10 MB of a malformed header, and the text may reach a terminal.
func TestProblemsArePlain(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[31m red\r\n\u202ebidi \xff" + strings.Repeat("x", 1<<20)
	l := newLab(t)
	l.registry = l.open(failing{errors.New(hostile)})
	r := l.run(reconcile.Options{})
	texts := append(r.Problems, (&reconcile.AliasError{Host: host, Name: hostile}).Error())
	if len(r.Problems) != 1 || r.Complete() {
		t.Errorf("%+v, want a run with one problem", r)
	}
	for _, text := range texts {
		if !strings.Contains(text, " red") || len(text) > 700 || !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\r\n\u202e") {
			t.Errorf("a problem is %q, %d bytes, want a short line without control characters", text[:min(len(text), 100)], len(text))
		}
	}
}
