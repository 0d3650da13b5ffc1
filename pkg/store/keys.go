package store

import (
	"time"

	"ocireffer/pkg/reference"
)

// Stamp is t as a text that sorts as times do: UTC, fixed width, nanoseconds,
// and RFC 3339 all the same.
func Stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// ParseStamp is the reverse of Stamp.
func ParseStamp(s string) (time.Time, error) { return time.Parse(stampLayout, s) }

const stampLayout = "2006-01-02T15:04:05.000000000Z"

// Keys are the texts by which a backend sorts a name's references: the greatest
// is the one that a reader wants. What an order falls back to lies in its key,
// so that no fallback is a second read. Each is unique to its reference and has
// at most 1,024 bytes, DynamoDB's limit.
type Keys struct {
	Pushed  string // ByPushed
	Release string // ByRelease
	Version string // ByVersion
}

// Classes of references, the first byte of a version key.
const (
	rest       = "a" // no version: by the time of its push
	prerelease = "b"
	release    = "c"
)

// Keys of p.
func (p Push) Keys() Keys {
	pushed := Stamp(p.PushedAt) + " " + p.Reference.String()
	version, ok := reference.ParseVersion(p.Reference.Tag)
	if !ok {
		return Keys{Pushed: pushed, Release: rest + pushed, Version: rest + pushed}
	}
	class := release
	if version.Prerelease() {
		class = prerelease
	}
	order := version.Key() + pushed
	return Keys{Pushed: pushed, Release: class + order, Version: release + order}
}
