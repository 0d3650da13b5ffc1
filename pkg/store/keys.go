package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Tables and files in use contain the keys and texts of this file. Any change to them
// requires a new DataVersion.

// DataVersion is the version of a backend's data: its keys, items and indexes.
const DataVersion = 1

// ErrDataVersion says that the data in a store has a version that this build cannot use.
// A retry never helps.
var ErrDataVersion = errors.New("unsupported data version")

// CheckDataVersion returns an ErrDataVersion that says what to do, if this build cannot
// use data of the version found.
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

// An Order sorts the references of a name. A backend has an index for each.
type Order int

const (
	ByPushed  Order = iota // the last push; of several at the same time, the greatest text
	ByRelease              // the highest release, else the highest prerelease, else as ByPushed
	ByVersion              // the highest version, release or prerelease, else as ByPushed
	ByDigest               // by digest and repository, then by how much the tag says: see saysKey. No Query has it
)

// Orders lists every Order that a Query can have.
var Orders = [...]Order{ByPushed, ByRelease, ByVersion}

// Indexes lists every Order.
var Indexes = [...]Order{ByPushed, ByRelease, ByVersion, ByDigest}

var orderNames = [len(Indexes)]string{"ByPushed", "ByRelease", "ByVersion", "ByDigest"}

// String returns the name of o, which is also that of its index.
func (o Order) String() string { return orderNames[o] }

// Keys are a reference's sort keys, by Order. A reader wants the reference with the
// greatest key. Fallbacks are encoded in the key, so they never cost a second read: a
// prerelease if there is no release, the last push if no tag is a version. No two
// references have the same key. A key has at most 1,024 bytes of printable ASCII, which
// is DynamoDB's limit. The ByDigest key is empty if the reference's digest is unknown:
// that reference is not in the index.
type Keys [len(Indexes)]string

// Classes of references, the first byte of a version key.
const (
	unversioned = "a" // ordered by time of push
	prerelease  = "b"
	release     = "c"
)

// KeysOf returns the keys of p's reference.
func KeysOf(p event.Push) Keys {
	version, ok := reference.ParseVersion(p.Reference.Tag)
	keys := keysAs(p, version, ok)
	if p.Digest != "" {
		keys[ByDigest] = digestPrefix(p.Reference.Registry, p.Reference.Repository, p.Digest) + saysKey(p, version, ok)
	}
	return keys
}

// pushedKey returns the ByPushed key of p's reference.
func pushedKey(p event.Push) string { return event.Stamp(p.PushedAt) + " " + p.Reference.String() }

// keysAs returns the keys of the orders that a Query can have. It treats p's tag as
// version, or as no version if ok is false.
func keysAs(p event.Push, version reference.Version, ok bool) Keys {
	pushed := pushedKey(p)
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

// longestDigest is the length of a sha512 digest, the longest that a key contains.
const longestDigest = len("sha512:") + 128

// digestPrefix returns the beginning that the ByDigest keys of a digest in a registry's
// repository share, and no other keys have.
//
// A digest of an unregistered algorithm may be longer than a sha512 digest. A key with it
// and with a registry, repository and tag of full length would be too long. Such a digest
// is replaced by its SHA-256 behind a #, which begins no digest.
func digestPrefix(registry, repository, digest string) string {
	if len(digest) > longestDigest {
		digest = fmt.Sprintf("#%x", sha256.Sum256([]byte(digest)))
	}
	return digest + " " + registry + "/" + repository + " "
}

// Classes of tags, by how much they say about their image. The class is the first byte
// behind the digestPrefix of a ByDigest key.
const (
	latestTag       = "a"
	otherTag        = "b" // ordered by time of push
	shortPrerelease = "c" // has two numbers, as have the releases of the next class
	shortRelease    = "d"
	fullPrerelease  = "e"
	fullRelease     = "f"
)

// saysKey returns the part of p's ByDigest key behind its digestPrefix. Of the tags with
// one digest, the one with the greatest key says most.
func saysKey(p event.Push, version reference.Version, ok bool) string {
	pushed := event.Stamp(p.PushedAt) + " " + p.Reference.Tag
	if !ok {
		class := otherTag
		if p.Reference.Tag == "latest" {
			class = latestTag
		}
		return class + pushed
	}
	class := shortRelease
	switch {
	case version.Full() && version.Prerelease():
		class = fullPrerelease
	case version.Full():
		class = fullRelease
	case version.Prerelease():
		class = shortPrerelease
	}
	return class + version.Key() + " " + pushed
}

// DigestPrefix returns the beginning that the ByDigest keys of the references with t's
// digest share, and no other keys have.
func DigestPrefix(t event.Target) string { return digestPrefix(t.Registry, t.Repository, t.Digest) }

// registryMark begins the partition of a registry's repository. No name begins with it,
// nor with the # that begins a backend's own partitions.
const registryMark = "@"

// Partition returns the text under which a backend keeps the references of a name. Two
// different names have different partitions, even if their texts are equal.
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
