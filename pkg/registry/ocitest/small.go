package ocitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"ocireffer/pkg/registry/acrtest"
)

// A Small is an in-process registry for tests of programs. It has a catalogue, lists of
// tags, and empty manifests. Registry runs a real one.
type Small struct {
	Host string // 127.0.0.1:PORT

	mu     sync.Mutex
	tags   map[string]map[string]string
	denies bool

	user, password string // the only user who may read; empty: everybody may
}

// StartSmall runs a registry until the test ends. tags has digests by repository and tag.
func StartSmall(t testing.TB, tags map[string]map[string]string) *Small {
	t.Helper()
	s := &Small{tags: tags}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.Host = server.Listener.Addr().String()
	return s
}

// Change changes the tags.
func (s *Small) Change(change func(tags map[string]map[string]string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.tags)
}

// Deny makes it refuse all further calls.
func (s *Small) Deny() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denies = true
}

// Require lets only one user read.
func (s *Small) Require(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.password = user, password
}

// ServeHTTP implements http.Handler.
func (s *Small) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, password, _ := r.BasicAuth()
	if user != s.user || password != s.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="small"`)
		acrtest.Fail(w, http.StatusUnauthorized, "UNAUTHORIZED", "")
		return
	}
	if s.denies {
		acrtest.Fail(w, http.StatusForbidden, "DENIED", "")
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if path == "_catalog" {
		json.NewEncoder(w).Encode(map[string]any{"repositories": slices.Sorted(maps.Keys(s.tags))})
		return
	}
	if name, ok := strings.CutSuffix(path, "/tags/list"); ok {
		json.NewEncoder(w).Encode(map[string]any{"name": name, "tags": slices.Sorted(maps.Keys(s.tags[name]))})
		return
	}
	name, tag, _ := strings.Cut(path, "/manifests/")
	digest, ok := s.tags[name][tag]
	if !ok {
		acrtest.Fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "")
		return
	}
	w.Header().Set("Content-Type", IndexType)
	w.Header().Set("Docker-Content-Digest", digest)
	fmt.Fprint(w, "{}")
}
