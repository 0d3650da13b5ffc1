// Package registry reads registries: their repositories, the tags of each, and when each
// tag was pushed, as far as the registry tells. It never writes to one.
//
// Its answers are facts, each with what it proves, for use in reconciling: whether a list
// is complete, whether a 404 means that something is gone, and the registry's time.
// Package reconcile decides what follows from them.
//
// There is a client for Azure Container Registry (ACR), one for any registry of the OCI
// distribution spec, and two that add the times from the own APIs of GitHub's packages
// and Docker Hub. None signs in to ACR by Entra, which would need /oauth2/exchange: user
// and password, a refresh token, or anonymous access are enough to read.
package registry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Registry answers the questions of package reconcile. Its methods may be called
// concurrently.
//
// State and Why in an answer say what it proves and what was wrong. An error beside them
// ends the whole run: the context has ended, or the registry asked for a pause
// (*BusyError). Further requests would not help.
type Registry interface {
	// Host returns the registry's name in references.
	Host() string

	// Repositories returns the configured repositories or, if there are none, the
	// catalogue. A catalogue never proves that something is absent: without saying so, it
	// may be limited to what the credential may see.
	Repositories(ctx context.Context) (Catalogue, error)

	// Repository requests one repository. Its Moment is earlier than anything that Tags
	// reads afterwards.
	Repository(ctx context.Context, name string) (Repository, error)

	// Tags lists the tags of a repository, given Repository's answer about it.
	Tags(ctx context.Context, r Repository) (Listing, error)

	// Tag requests a single tag, which may exist although it was not listed. Gone is a
	// 404 with TAG_UNKNOWN, MANIFEST_UNKNOWN or NAME_UNKNOWN to a request that accepts
	// every kind of manifest. Outside ACR such a 404 may hide a missing right, so it
	// counts only for a repository that could just be listed.
	Tag(ctx context.Context, repository, tag string) (TagAnswer, error)

	// Created returns a lower bound of the time of t's push if the listing has neither
	// PushedAt nor NotBefore, or the zero time if there is none. The bound is the build
	// time in the annotations or the config of t's manifest. It costs two to four calls.
	Created(ctx context.Context, repository string, t Tag) (time.Time, error)

	// Calls returns the number of HTTP requests so far, including retries and token
	// requests.
	Calls() int64
}

// State is what an answer proves.
type State int

const (
	Unsure    State = iota // it proves nothing: an error, or an answer that cannot be right
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
	Names      []string // sorted, without duplicates
	Configured bool     // they are the configured ones: the registry was not asked
	Complete   bool     // every page was read, and the list is not empty
	Why        error    // why it is not complete
}

// Reasons for an incomplete catalogue that only the operator can remove.
var (
	// ErrNoCatalogue says that the registry has no catalogue, so that its repositories
	// must be configured.
	ErrNoCatalogue = errors.New("the registry has no catalogue: configure its repositories")
	// ErrEmptyCatalogue says that nothing was listed. That is ACR's answer to a token
	// whose scope map does not cover all repositories
	// (https://github.com/Azure/acr/issues/751).
	ErrEmptyCatalogue = errors.New("the catalogue is empty: if the registry is not, configure its repositories")
)

// A Moment is the time of a registry's answer.
type Moment struct {
	Date     time.Time // by the registry's clock, to the second; zero: the answer had none
	Received time.Time // by our clock
	Aged     bool      // the answer has an Age header: it comes from a cache
}

// Trusted reports whether Date is the registry's time of the answer: the answer has one,
// does not come from a cache, and Date is at most skew away from our clock.
func (m Moment) Trusted(skew time.Duration) bool {
	return !m.Date.IsZero() && !m.Aged && m.Received.Sub(m.Date).Abs() <= skew
}

// A Repository is the answer about one repository.
type Repository struct {
	Name   string // without host
	State  State  // what the answer proves
	Why    error  // set unless State is Found
	Moment Moment // zero if there was no answer
	// LoginServer is the registry's own name for itself, in lower case, or empty if it
	// does not tell. If it differs from the Host, Host is an alias.
	LoginServer string
	Attributes  Attributes
}

// Attributes are ACR's facts about a repository. Other registries have none.
type Attributes struct {
	LastUpdate time.Time // in UTC; tags may be newer by seconds
	Tags       int       // number of tags
	Manifests  int       // number of manifests
}

// Known reports whether the registry has attributes.
func (a Attributes) Known() bool { return !a.LastUpdate.IsZero() }

// Equal reports whether a and b are equal.
func (a Attributes) Equal(b Attributes) bool {
	return a.LastUpdate.Equal(b.LastUpdate) && a.Tags == b.Tags && a.Manifests == b.Manifests
}

// A Listing contains the tags of a repository.
type Listing struct {
	Tags []Tag // sorted by name, without duplicates
	// Complete says that the registry lists no tags besides Tags: every page was read,
	// none was cut, and the number of tags is not below the registry's own count.
	Complete bool
	Why      error // why it is not complete
}

// A Tag is a tag as the registry shows it.
type Tag struct {
	Name      string
	Digest    string    // empty: it is listed, but its manifest could not be read
	PushedAt  time.Time // the registry's time of this tag's push; zero: it gives none
	NotBefore time.Time // a lower bound of that time; zero: unknown
	MediaType string    // of the manifest; empty: unknown
	Size      int64     // of the manifest, in bytes; event.UnknownSize: unknown
}

// A TagAnswer is the answer about one tag.
type TagAnswer struct {
	State State // what the answer proves
	Why   error // set unless State is Found
	Tag   Tag   // set if State is Found
}

// A BusyError says that a registry refused requests again and again, or asked for a pause
// that is longer than a minute or than the context allows.
type BusyError struct {
	Host  string        // the registry
	After time.Duration // how long to pause; 0: it did not say
}

func (e *BusyError) Error() string {
	if e.After == 0 {
		return fmt.Sprintf("%s refuses requests: there are too many", e.Host)
	}
	return fmt.Sprintf("%s refuses requests for another %s", e.Host, e.After)
}
