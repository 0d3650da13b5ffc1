package registry

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// A Kind is the API with which a registry is read.
type Kind string

const (
	ByHost    Kind = ""          // ACR, GHCR and Docker Hub by the names of their hosts, OCI for the rest
	ACR       Kind = "acr"       // Azure Container Registry: /acr/v1
	OCI       Kind = "oci"       // any other registry: the OCI distribution spec
	GHCR      Kind = "ghcr"      // GitHub's packages: the spec and api.github.com
	DockerHub Kind = "dockerhub" // Docker Hub: the spec and hub.docker.com
)

// A Credential is a credential for reading a registry. The zero value means anonymous
// reads.
type Credential struct {
	User, Password string // both or neither
	// RefreshToken is an OAuth2 refresh token, which Docker calls an identity token. It
	// is used if there is no User.
	RefreshToken string
}

// Options configure how a registry is read. The zero value reads a public registry.
type Options struct {
	Kind       Kind       // ByHost: chosen by the host
	Credential Credential // zero: anonymous reads
	// Realms are further hosts that may ask for Credential to sign in to this registry.
	// Otherwise only the registry itself may, and the hosts that Docker Hub and GitLab
	// are known to use.
	Realms []string
	// Repositories are read instead of the catalogue. An ACR token with a scope map needs
	// them, and so do GHCR and Docker Hub, which have no catalogue.
	Repositories []string

	UserAgent  string            // empty: ocireffer
	Transport  http.RoundTripper // nil: http.DefaultTransport
	Clock      Clock             // nil: the system's
	Rate       float64           // calls per second; 0: 10
	Concurrent int               // concurrent calls; 0: 4
}

// A Clock tells the time and waits. Tests use their own.
type Clock interface {
	Now() time.Time
	// Sleep waits for d. If ctx ends first, it returns ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// realms are the hosts that issue tokens for another host.
var realms = map[string][]string{
	"docker.io":           {"auth.docker.io"},
	"registry.gitlab.com": {"gitlab.com"},
}

// Open returns a client of the registry host. It makes no call. An error is about the
// host or the options.
func Open(host string, o Options) (Registry, error) {
	host, err := reference.ParseRegistry(host)
	if err != nil {
		return nil, err
	}
	for _, name := range o.Repositories {
		if err := reference.CheckRepository(name); err != nil {
			return nil, fmt.Errorf("repositories of %s: %w", host, err)
		}
	}
	if (o.Credential.User == "") != (o.Credential.Password == "") {
		return nil, fmt.Errorf("credential of %s: want both a user and a password", host)
	}
	o.Repositories = sorted(o.Repositories)
	o.Realms = append(slices.Clone(o.Realms), realms[host]...)
	switch kind := cmp.Or(o.Kind, kindOf(host)); kind {
	case ACR:
		return newACR(host, o), nil
	case OCI:
		return newOCI(host, host, o), nil
	case GHCR:
		return newGHCR(host, o), nil
	case DockerHub:
		return newHub(host, o), nil
	default:
		return nil, fmt.Errorf("kind %s of %s: want acr, oci, ghcr or dockerhub", reference.Quote(string(kind)), host)
	}
}

// kindOf returns the kind of a registry, given its host. Azure's national clouds have
// their own domains.
func kindOf(host string) Kind {
	switch {
	case host == "ghcr.io":
		return GHCR
	case host == "docker.io":
		return DockerHub
	case strings.HasSuffix(host, ".azurecr.io"), strings.HasSuffix(host, ".azurecr.us"), strings.HasSuffix(host, ".azurecr.cn"):
		return ACR
	default:
		return OCI
	}
}

// baseURL returns the URL of a host: HTTPS, or HTTP if the host is this machine.
func baseURL(host string) string {
	if isLoopback(host) {
		return "http://" + host
	}
	return "https://" + host
}

// isLoopback reports whether a host with an optional port is this machine.
func isLoopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	address, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || err == nil && address.IsLoopback()
}

// sorted returns names sorted, without duplicates.
func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
