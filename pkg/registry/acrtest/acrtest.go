// Package acrtest stands in for an Azure Container Registry in tests. It answers as the
// data plane does in recorded sessions of Azure's SDKs: challenges, tokens, paging, times
// and errors. Methods change its content, at the time of its own clock. Rules make it
// refuse, fail, lag and lie.
//
// If no recording shows what ACR does, the stand-in does what is harder for a client: an
// untag does not change a repository's lastUpdateTime, and only those who may read
// everything get a token for a wildcard.
package acrtest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Server is an ACR in memory. It is an http.Handler for httptest.NewServer. It is also
// an http.RoundTripper, which needs no network and so works in a testing/synctest bubble.
// Its methods may be called concurrently.
type Server struct {
	now func() time.Time
	key []byte // signs tokens

	mu           sync.Mutex
	rules        Rules
	repositories map[string]*repository
	names        []string // of repositories, also deleted ones, sorted
	requests     []string
	asked        int // all requests so far
}

// Rules define who may do what, and what goes wrong. The zero Rules refuse everybody.
type Rules struct {
	// LoginServer is the registry's name for itself. Empty: the request's Host.
	LoginServer string
	Anonymous   bool            // anonymous pull is on
	Users       map[string]User // by name: the admin user, scope-map tokens, service principals
	// Entra has identities, keyed by the access token that is exchanged for a refresh
	// token.
	Entra map[string]User
	// ABAC is the mode "RBAC Registry + ABAC Repository Permissions": no wildcard in a
	// scope grants anything.
	ABAC bool

	AccessLife    time.Duration // lifetime of an identity's access token; 0: 75 minutes
	AnonymousLife time.Duration // lifetime of an anonymous access token; 0: 20 minutes

	MaxPage    int           // entries of a page, whatever n says; 0: 1000
	NoLink     bool          // lists are cut without a Link
	DateOffset time.Duration // how far Date is ahead of the clock
	NoDate     bool          // answers have no Date
	Aged       bool          // answers have an Age header, as those of a cache
	// Lag returns the age of an answer's content. The server keeps old content from when
	// Lag is set. nil: 0.
	Lag func() time.Duration
	// Intercept may answer request number n, counted from 1, instead of the server. It
	// returns whether it did.
	Intercept func(w http.ResponseWriter, r *http.Request, n int) bool
}

// A User holds a credential.
type User struct {
	Password string
	// Repositories are those in a scope map or in the conditions of a role: names, or
	// prefixes followed by *. nil: all.
	Repositories []string
	Catalogue    Catalogue
}

// Catalogue is what a user sees of the catalogue.
type Catalogue int

const (
	All     Catalogue = iota // every name
	Empty                    // 200 and an empty list
	Refused                  // 401
)

// New returns an empty server that nobody may read. now is its clock; nil means the
// system's.
func New(now func() time.Time) *Server {
	if now == nil {
		now = time.Now
	}
	s := &Server{now: now, key: make([]byte, 32), repositories: map[string]*repository{}}
	rand.Read(s.key)
	return s
}

// Public returns an empty server that everybody may read.
func Public(now func() time.Time) *Server {
	s := New(now)
	s.Set(func(r *Rules) { r.Anonymous = true })
	return s
}

// Set changes the rules.
func (s *Server) Set(change func(*Rules)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.rules)
}

// Requests returns the requests since the last call, as "GET /acr/v1/wash?n=1".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

// Digest returns a digest. The same seed always gives the same one.
func Digest(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if r.Body == nil {
		in.Body = io.NopCloser(bytes.NewReader(nil))
	} else {
		defer r.Body.Close()
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, in)
	res := w.Result()
	res.Request = r
	return res, nil
}

// Fill adds repositories named team-0000/app and so on, each with a number of tags,
// pushed a minute apart and the last one now. It takes about a second for a million tags.
func (s *Server) Fill(repositories, tags int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := stamp(s.now())
	for i := range repositories {
		name := fmt.Sprintf("team-%04d/app", i)
		var content content
		for k := range tags {
			at := now.Add(time.Duration(k-tags+1) * time.Minute)
			content.put(fmt.Sprintf("1.%04d.0", k), Digest(fmt.Sprintf("%s:%d", name, k)), at)
		}
		s.add(name).versions = []version{{since: now, content: content}}
	}
}

// stamp returns a time with ACR's resolution, 100 ns.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(100 * time.Nanosecond) }

// add returns the repository with this name, and creates it if there is none.
func (s *Server) add(name string) *repository {
	r, ok := s.repositories[name]
	if !ok {
		r = &repository{}
		s.repositories[name] = r
		i, _ := slices.BinarySearch(s.names, name)
		s.names = slices.Insert(s.names, i, name)
	}
	return r
}

// matches reports whether a pattern in User.Repositories matches a name.
func matches(pattern, name string) bool {
	prefix, wildcard := strings.CutSuffix(pattern, "*")
	return pattern == name || wildcard && strings.HasPrefix(name, prefix)
}
