package event

import (
	"fmt"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// ClockSkew is how far ahead of the clock an event's time may be. A time further
// in the future would win against every correct one until then.
const ClockSkew = 5 * time.Minute

// ParseTime reads the RFC 3339 time at which something happened and returns it in
// UTC. It refuses a time more than ClockSkew ahead of now, and one before the year 0.
func ParseTime(s string, now time.Time) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	// Beyond RFC 3339 time.Parse accepts an hour of one digit, and a comma in a fraction.
	if err != nil || s[len("2006-01-02T15")] != ':' || strings.Contains(s, ",") || t.UTC().Year() < 0 {
		return time.Time{}, fmt.Errorf("%s is not an RFC 3339 time, such as 2023-07-03T14:56:52Z", reference.Quote(s))
	}
	if t.After(now.Add(ClockSkew)) {
		return time.Time{}, fmt.Errorf("%s is more than %s in the future", reference.Quote(s), ClockSkew)
	}
	return t.UTC(), nil
}

// FirstTime returns the first of candidates that ParseTime accepts, or else now, in
// UTC.
func FirstTime(now time.Time, candidates ...string) time.Time {
	for _, s := range candidates {
		if t, err := ParseTime(s, now); err == nil {
			return t
		}
	}
	return now.UTC()
}
