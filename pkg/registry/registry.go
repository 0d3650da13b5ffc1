// Package registry reads registries: their repositories, the tags of these, and when
// each tag was pushed, as far as the registry says so. It only reads.
//
// Its answers are facts with what they prove, made for reconciling: whether a list is
// complete, whether a 404 means that something is gone, and what time it was for the
// registry. Package reconcile decides what follows from them.
//
// There is a client for Azure Container Registry (ACR), one for any registry of the
// OCI distribution spec, and two that add the times that GitHub's packages and Docker
// Hub have in their own APIs. Signing in to ACR by Entra is not here, so nothing is
// exchanged at /oauth2/exchange: user and password, a refresh token, or nobody's
// credentials are enough to read.
package registry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Registry answers what reconcile asks. Its methods may be called at the same time.
//
// State and Why in an answer say what it proves and what was wrong. An error beside
// them is for the whole run: the context is done, or the registry wants to be left
// alone (*BusyError). Asking on would not help.
type Registry interface {
	// Host returns the registry's name in references.
	Host() string

	// Repositories returns the configured repositories or, if there are none, the
	// catalogue. A catalogue proves that nothing is absent: it may be limited to what
	// the credential may see, without saying so.
	Repositories(ctx context.Context) (Catalogue, error)

	// Repository asks for one repository. Its Moment is earlier than whatever Tags
	// reads afterwards.
	Repository(ctx context.Context, name string) (Repository, error)

	// Tags lists the tags of a repository, given Repository's answer about it.
	Tags(ctx context.Context, r Repository) (Listing, error)

	// Tag asks for a single tag, which may exist although it was not listed. Gone is
	// an answer of 404 with TAG_UNKNOWN, MANIFEST_UNKNOWN or NAME_UNKNOWN to a request
	// that accepts every kind of manifest. Outside ACR such a 404 may hide a missing
	// right, so it counts only for a repository that could just be listed.
	Tag(ctx context.Context, repository, tag string) (TagAnswer, error)

	// Created returns a lower bound of the time of t's push where the listing has
	// neither PushedAt nor NotBefore, or the zero time if there is none. It is the
	// build time in the annotations or the config of t's manifest, and costs two to
	// four calls.
	Created(ctx context.Context, repository string, t Tag) (time.Time, error)

	// Calls returns the number of HTTP requests so far, repeats and tokens included.
	Calls() int64
}

// State is what an answer proves.
type State int

const (
	Unsure    State = iota // nothing: an error, or an answer that cannot be right
	Found                  // it exists
	Gone                   // it does not exist, and the request had the right to see it
	Missing                // the registry does not know it, or hides it
	Forbidden              // the credential may not see it
)

// String returns the state in lower case, for logs.
func (s State) String() string {
	return [...]string{"unsure", "found", "gone", "missing", "forbidden"}[s]
}

// A Catalogue is a list of repositories.
type Catalogue struct {
	Names      []string // sorted, each once
	Configured bool     // they are the configured ones: the registry was not asked
	Complete   bool     // every page was read, and there was something in it
	Why        error    // why it is not complete
}

// Reasons why a catalogue is not complete that only the operator can change.
var (
	// ErrNoCatalogue says that the registry has none, so that the repositories must be
	// configured.
	ErrNoCatalogue = errors.New("the registry has no catalogue: configure its repositories")
	// ErrEmptyCatalogue says that nothing was listed. ACR answers so to a token whose
	// scope map does not cover all repositories (https://github.com/Azure/acr/issues/751).
	ErrEmptyCatalogue = errors.New("the catalogue is empty: if the registry is not, configure its repositories")
)

// A Moment is when a registry answered.
type Moment struct {
	Date     time.Time // by the registry's clock, to the second; zero: it did not say
	Received time.Time // by our clock
	Aged     bool      // the answer has an Age: it comes from a cache
}

// Trusted reports whether Date is the registry's time of the answer: it is there, not
// that of a cached answer, and at most skew away from our clock.
func (m Moment) Trusted(skew time.Duration) bool {
	return !m.Date.IsZero() && !m.Aged && m.Received.Sub(m.Date).Abs() <= skew
}

// A Repository is the answer about one repository.
type Repository struct {
	Name   string
	State  State
	Why    error  // unless Found
	Moment Moment // zero where nothing answered
	// LoginServer is the registry's own name for itself, in lower case, empty if it
	// does not say. Where it is not the Host, Host is an alias of it.
	LoginServer string
	Attributes  Attributes
}

// Attributes are what ACR knows of a repository. Those of other registries are zero.
type Attributes struct {
	LastUpdate time.Time // in UTC. Its tags may be newer, by seconds
	Tags       int
	Manifests  int
}

// Known reports whether the registry has attributes.
func (a Attributes) Known() bool { return !a.LastUpdate.IsZero() }

// Equal reports whether a and b are the same.
func (a Attributes) Equal(b Attributes) bool {
	return a.LastUpdate.Equal(b.LastUpdate) && a.Tags == b.Tags && a.Manifests == b.Manifests
}

// A Listing has the tags of a repository.
type Listing struct {
	Tags []Tag // sorted by name, each once
	// Complete says that a tag that is not in Tags was not listed: every page was read,
	// none was cut, and the registry's own count is reached.
	Complete bool
	Why      error // why it is not complete
}

// A Tag is a tag as the registry shows it.
type Tag struct {
	Name      string
	Digest    string    // empty: it is listed, but its manifest could not be read
	PushedAt  time.Time // the registry's time of this tag's push; zero: it has none
	NotBefore time.Time // a lower bound of that time; zero: unknown
	MediaType string    // of the manifest; empty: unknown
	Size      int64     // of the manifest, in bytes; event.UnknownSize: unknown
}

// A TagAnswer is the answer about one tag.
type TagAnswer struct {
	State State
	Why   error // unless Found
	Tag   Tag   // if Found
}

// A BusyError says that a registry refused requests and asked to be left alone for
// longer than a minute or the context allows, or refused again and again.
type BusyError struct {
	Host  string
	After time.Duration // when to come again; 0: it did not say
}

func (e *BusyError) Error() string {
	if e.After == 0 {
		return fmt.Sprintf("%s refuses requests: there are too many", e.Host)
	}
	return fmt.Sprintf("%s refuses requests for another %s", e.Host, e.After)
}
