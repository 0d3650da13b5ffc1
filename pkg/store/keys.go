package store

import (
	"errors"
	"fmt"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Tables and files in use contain the keys and texts of this file. Changing any of
// it requires a new DataVersion.

// DataVersion is the version of a backend's data: its keys, items and indexes.
const DataVersion = 1

// ErrDataVersion says that a store keeps data of a version that this build cannot
// use. It is never worth a retry.
var ErrDataVersion = errors.New("unsupported data version")

// CheckDataVersion returns an ErrDataVersion, with what to do, if this build cannot
// use data of version found.
func CheckDataVersion(found int) error {
	switch {
	case found > DataVersion:
		return fmt.Errorf("%w %d: this build supports %d: run a newer release, or restore a copy from before the upgrade", ErrDataVersion, found, DataVersion)
	case found < DataVersion:
		return fmt.Errorf("%w %d: this build supports %d: the data is from before the first release, begin with a new store", ErrDataVersion, found, DataVersion)
	default:
		return nil
	}
}

// An Order says which of a name's references a reader wants.
type Order int

const (
	ByPushed  Order = iota // the last pushed; of several pushed at one time, the greatest text
	ByRelease              // the highest release, else the highest prerelease, else as ByPushed
	ByVersion              // the highest version, be it a release or a prerelease, else as ByPushed
)

// Orders lists every Order.
var Orders = [...]Order{ByPushed, ByRelease, ByVersion}

var orderNames = [len(Orders)]string{"ByPushed", "ByRelease", "ByVersion"}

// String returns the name of o, which is also that of its index.
func (o Order) String() string { return orderNames[o] }

// Keys are a reference's sort keys, by Order. A reader wants the reference with the
// greatest key. Fallbacks (a prerelease if there is no release, the last push if no
// tag is a version) are encoded in the key, so they never cost a second read. No two
// references have the same key. A key has at most 1,024 bytes, DynamoDB's limit.
type Keys [len(Orders)]string

// Classes of references, the first byte of a version key.
const (
	unversioned = "a" // ordered by time of push
	prerelease  = "b"
	release     = "c"
)

// KeysOf returns the keys of p's reference.
func KeysOf(p event.Push) Keys {
	pushed := event.Stamp(p.PushedAt) + " " + p.Reference.String()
	version, ok := reference.ParseVersion(p.Reference.Tag)
	if !ok {
		return Keys{ByPushed: pushed, ByRelease: unversioned + pushed, ByVersion: unversioned + pushed}
	}
	class := release
	if version.Prerelease() {
		class = prerelease
	}
	key := version.Key() + " " + pushed
	// ByVersion does not tell releases from prereleases, so both are in the class
	// release.
	return Keys{ByPushed: pushed, ByRelease: class + key, ByVersion: release + key}
}

// registryMark begins the partition of a registry's repository. No name begins with
// it, nor with #, which begins a backend's own partitions.
const registryMark = "@"

// Partition returns the text under which a backend keeps the references of a name.
// It differs even for two names with the same text.
func Partition(n reference.Name) string {
	if n.Registry == "" {
		return n.Repository
	}
	return registryMark + n.String()
}

// NameOf is the reverse of Partition.
func NameOf(partition string) reference.Name {
	name, ok := strings.CutPrefix(partition, registryMark)
	if !ok {
		return reference.Name{Repository: partition}
	}
	registry, repository, _ := strings.Cut(name, "/")
	return reference.Name{Registry: registry, Repository: repository}
}

// GivenNameIn returns the GivenName of a reference kept in partition.
func GivenNameIn(partition string, r reference.Reference) string {
	return event.GivenName(NameOf(partition).Repository, r)
}
