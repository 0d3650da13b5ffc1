package lookup_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

// repeat returns n globs of this many bytes.
func repeat(n, bytes int) string {
	return strings.TrimSuffix(strings.Repeat(strings.Repeat("x", bytes)+",", n), ",")
}

// TestGlobsAreLimited: tag and ignore together may have 20 globs and 512 bytes. The first
// parameter that exceeds a limit is bad.
func TestGlobsAreLimited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tag, ignore []string
		bad         string // bad parameter; empty: none
	}{
		"20":                                     {tag: []string{repeat(20, 1)}},
		"21":                                     {tag: []string{repeat(21, 1)}, bad: "tag"},
		"20 and empty ones":                      {tag: []string{",,," + repeat(20, 1) + ",,", ""}},
		"21 in several lists":                    {tag: []string{repeat(10, 1), repeat(11, 1)}, bad: "tag"},
		"20 to ignore":                           {ignore: []string{repeat(20, 1)}},
		"21 to ignore":                           {ignore: []string{repeat(21, 1)}, bad: "ignore"},
		"10 and 10":                              {tag: []string{repeat(10, 1)}, ignore: []string{repeat(10, 1)}},
		"10 and 11":                              {tag: []string{repeat(10, 1)}, ignore: []string{repeat(11, 1)}, bad: "ignore"},
		"21 and 1":                               {tag: []string{repeat(21, 1)}, ignore: []string{"x"}, bad: "tag"},
		"512 bytes":                              {tag: []string{repeat(2, 256)}},
		"513 bytes":                              {tag: []string{repeat(1, 513)}, bad: "tag"},
		"256 and 256 bytes":                      {tag: []string{repeat(1, 256)}, ignore: []string{repeat(1, 256)}},
		"256 and 257 bytes":                      {tag: []string{repeat(1, 256)}, ignore: []string{repeat(1, 257)}, bad: "ignore"},
		"a query of 10 KB":                       {tag: []string{strings.TrimSuffix(strings.Repeat("*z,", 3000), ",")}, bad: "tag"},
		"bytes of characters that are not ASCII": {tag: []string{strings.Repeat("é", 257)}, bad: "tag"},
		"as many characters that are not ASCII":  {tag: []string{strings.Repeat("é", 256)}},
		"a glob too many that would match anyway": {tag: []string{"*," + repeat(20, 1)}, bad: "tag"},
	} {
		values := url.Values{"tag": c.tag, "ignore": c.ignore, "format": {"text"}}
		spy := &spy{Reader: stub{}}
		w := do(handlerOf(t, spy), "GET", "/wash?"+values.Encode())
		status, body, reads := 200, "wasmcloud.azurecr.io/wash:0.18.1\n", 1
		if c.bad != "" {
			status, body, reads = 400, "invalid query parameter: "+c.bad+"\n", 0
		}
		if w.Code != status || w.Body.String() != body {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, status, body)
		}
		if spy.reads != reads {
			t.Errorf("%s: the store is read %d times, want %d", name, spy.reads, reads)
		}
	}
	// A badge shows the mistake.
	wantAnswer(t, handlerOf(t, stub{}), "/wash?ignore="+repeat(21, 1), 200, typeJSON,
		`{"schemaVersion":1,"label":"","message":"invalid query parameter: ignore","color":"red","isError":true}`)
}

// BenchmarkWorstGlobs matches the slowest globs with a thousand of the longest tags. It
// is a bound of processor time: a function of 128 MB has a fourteenth of a core.
func BenchmarkWorstGlobs(b *testing.B) {
	query := "/wash?format=text&tag=" + strings.TrimSuffix(strings.Repeat("*"+strings.Repeat("a", 23)+"b,", 20), ",")
	db := tags1000{one{push: pushOf("a.azurecr.io/wash:"+strings.Repeat("a", 128), time.Time{})}}
	h := handlerOf(b, db)
	for b.Loop() {
		if w := do(h, "GET", query); w.Code != 404 {
			b.Fatal(w.Code, w.Body)
		}
	}
}

// tags1000 is a store of a thousand references with the same tag.
type tags1000 struct{ one }

func (s tags1000) Pick(_ context.Context, q store.Query) (event.Push, error) {
	for range store.MaxScan {
		if q.Match(s.push.Reference.Tag) {
			return s.push, nil
		}
	}
	return event.Push{}, &store.NoMatchError{Read: store.MaxScan, More: true}
}
