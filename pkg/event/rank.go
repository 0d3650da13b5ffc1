package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The rank of an event is a text that orders the writes to its register. Of two events of
// one register, the one with the greater rank is newer and wins.

// Rank orders the pushes of one reference: by time, then digest, then size, then
// media type. An unknown value is less than every known one.
func (p Push) Rank() string {
	// An unknown size becomes 0. The greatest size plus one still has 19 digits.
	size := uint64(p.Size) + 1
	return fmt.Sprintf("%s %s %019d %s", Stamp(p.PushedAt), p.Digest, size, p.MediaType)
}

// SetRank sets the fields of p that are in its rank.
func (p *Push) SetRank(rank string) error {
	parts := strings.SplitN(rank, " ", 4)
	if len(parts) != 4 {
		return fmt.Errorf("rank %q does not have four parts", rank)
	}
	pushedAt, err := ParseStamp(parts[0])
	if err != nil {
		return fmt.Errorf("rank %q: %w", rank, err)
	}
	size, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return fmt.Errorf("rank %q: %w", rank, err)
	}
	p.PushedAt, p.Digest, p.Size, p.MediaType = pushedAt, parts[1], int64(size-1), parts[3]
	return nil
}

// Rank orders the deletes of one target, by time.
func (d Delete) Rank() string { return Stamp(d.DeletedAt) }

// CoveredRank returns a text that is greater than the rank of every push up to the time
// of d, and less than the rank of every later push. In a push's rank a blank follows the
// time, and a blank is less than "!".
func (d Delete) CoveredRank() string { return d.Rank() + "!" }

// Rank orders the memberships of one member, by time. At equal times a removal is the
// newer.
func (m Membership) Rank() string {
	if m.Removed {
		return Stamp(m.At) + " removed"
	}
	return Stamp(m.At) + " added"
}

// Stamp returns t as a text that sorts by time: RFC 3339 in UTC, with nanoseconds and a
// fixed width.
func Stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// ParseStamp is the reverse of Stamp.
func ParseStamp(s string) (time.Time, error) { return time.Parse(stampLayout, s) }

// SetRank sets the fields of m that are in its rank.
func (m *Membership) SetRank(rank string) error {
	at, what, _ := strings.Cut(rank, " ")
	if what != "added" && what != "removed" {
		return fmt.Errorf("rank %q does not say added or removed", rank)
	}
	var err error
	if m.At, err = ParseStamp(at); err != nil {
		return fmt.Errorf("rank %q: %w", rank, err)
	}
	m.Removed = what == "removed"
	return nil
}

const stampLayout = "2006-01-02T15:04:05.000000000Z"
