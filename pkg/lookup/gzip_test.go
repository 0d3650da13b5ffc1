package lookup_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"
	"time"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/store"
)

func TestGzip(t *testing.T) {
	db := open(t)
	pushAll(t, db, []store.Push{pushOf("wash", "1", time.Now())})
	h := lookup.New(defaults(t), db)
	plain := do(h, "GET", "/")
	for accept, zipped := range map[string]bool{
		"gzip": true, "deflate, GZIP;q=0.5, br": true, "*": true, "*;q=0, gzip": true, "br;q=1, *;q=0.1": true,
		"": false, "identity": false, "br": false, "gzip;q=0": false, "gzip; q=0.000, *": false, "*;q=0": false, "gzip;q=x": false, "xgzip": false,
	} {
		w := do(h, "GET", "/", "Accept-Encoding", accept)
		body := w.Body.Bytes()
		if zipped {
			r, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatalf("%q: %v", accept, err)
			}
			if body, err = io.ReadAll(r); err != nil {
				t.Fatalf("%q: %v", accept, err)
			}
		}
		if !bytes.Equal(body, plain.Body.Bytes()) || w.Header().Get("Vary") != "Accept-Encoding" || (w.Header().Get("Content-Encoding") == "gzip") != zipped || (w.Header().Get("ETag") != plain.Header().Get("ETag")) != zipped {
			t.Errorf("with Accept-Encoding %q: %v, %d bytes", accept, w.Header(), len(body))
		}
		if w := do(h, "GET", "/", "Accept-Encoding", accept, "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified || w.Header().Get("Content-Encoding") != "" {
			t.Errorf("with Accept-Encoding %q and its ETag: %d %v", accept, w.Code, w.Header())
		}
	}
	for _, target := range []string{"/wash", "/wash?format=svg", "/api/repositories"} {
		if w := do(h, "GET", target, "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" || w.Header().Get("Vary") != "" {
			t.Errorf("GET %s, which is short: %v", target, w.Header())
		}
	}
}
