package store

import (
	"errors"
	"fmt"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// What follows is in the tables and files of those who run ocireffer. A change of
// it is a new DataVersion.

// DataVersion is the version of what a backend keeps: its keys, items and indexes.
const DataVersion = 1

// ErrDataVersion says that a store keeps data of a version that this build cannot
// use. It is never worth a retry.
var ErrDataVersion = errors.New("unknown version of its data")

// CheckDataVersion returns an ErrDataVersion, with what to do, if this build cannot
// use data of version found.
func CheckDataVersion(found int) error {
	switch {
	case found > DataVersion:
		return fmt.Errorf("%w: it is %d, and this build knows none above %d: run a newer release, or restore a copy from before the upgrade", ErrDataVersion, found, DataVersion)
	case found < DataVersion:
		return fmt.Errorf("%w: it is %d, from before the first release: begin with a new store", ErrDataVersion, found)
	default:
		return nil
	}
}

// An Order says which of a name's references a reader wants.
type Order int

const (
	ByPushed  Order = iota // the most recently pushed; of those pushed at one time the greatest text
	ByRelease              // the highest version, releases before prereleases before the rest by push
	ByVersion              // the highest version, prereleases among the others, before the rest by push
)

// Orders are all of them.
var Orders = [...]Order{ByPushed, ByRelease, ByVersion}

var orderNames = [len(Orders)]string{"ByPushed", "ByRelease", "ByVersion"}

// String returns the name of o, which is also that of its index.
func (o Order) String() string { return orderNames[o] }

// Keys are a reference's sort keys, by Order; the greatest is the one a reader
// wants. Fallbacks (a prerelease when there is no release, the last push when no
// tag is a version) are encoded in the key, so they never cost a second read. Each
// key is unique to its reference, and at most 1,024 bytes, DynamoDB's limit.
type Keys [len(Orders)]string

// Classes of references, the first byte of a version key.
const (
	rest       = "a" // no version: by time of push
	prerelease = "b"
	release    = "c"
)

// KeysOf returns the keys of p's reference.
func KeysOf(p event.Push) Keys {
	pushed := event.Stamp(p.PushedAt) + " " + p.Reference.String()
	version, ok := reference.ParseVersion(p.Reference.Tag)
	if !ok {
		return Keys{ByPushed: pushed, ByRelease: rest + pushed, ByVersion: rest + pushed}
	}
	class := release
	if version.Prerelease() {
		class = prerelease
	}
	key := version.Key() + " " + pushed
	return Keys{ByPushed: pushed, ByRelease: class + key, ByVersion: release + key}
}

// registryMark begins the partition of a registry's repository. No name begins so,
// and neither does a name begin with #, which is left to a backend's own partitions.
const registryMark = "@"

// Partition returns the text under which a backend keeps the references of a name.
// That of a registry's repository can never be that of a repository, whatever its
// path is.
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

// GivenNameIn returns the GivenName of a reference that is kept in a partition.
func GivenNameIn(partition string, r reference.Reference) string {
	return event.GivenName(NameOf(partition).Repository, r)
}
