package event

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// ClockSkew is how far ahead of the clock an event's time may be. A time further
// in the future would win against every correct one until then.
const ClockSkew = 5 * time.Minute

// earliest is the first time that an event may have. Docker came in 2013, so nothing
// was pushed before. Senders whose software does not know a time write the year 1 or
// 1970.
var earliest = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// ParseTime reads the RFC 3339 time at which something happened and returns it in
// UTC. It refuses a time more than ClockSkew ahead of now, and one before 2013.
func ParseTime(s string, now time.Time) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	// Beyond RFC 3339 time.Parse accepts an hour of one digit, and a comma in a fraction.
	if err != nil || s[len("2006-01-02T15")] != ':' || strings.Contains(s, ",") {
		return time.Time{}, fmt.Errorf("%s is not an RFC 3339 time, such as 2023-07-03T14:56:52Z", reference.Quote(s))
	}
	return plausible(t, reference.Quote(s), now)
}

// ParseUnix reads a time as seconds since 1970, which may have a fraction, as
// ParseTime does.
func ParseUnix(s string, now time.Time) (time.Time, error) {
	const most = 1 << 38 // seconds, past the year 9999: time.Unix can take it
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || !(math.Abs(seconds) < most) {
		return time.Time{}, fmt.Errorf("%s is not a number of seconds since 1970", reference.Quote(s))
	}
	whole, fraction := math.Modf(seconds)
	return plausible(time.Unix(int64(whole), int64(fraction*1e9)), s, now)
}

// plausible returns t in UTC, if an event may have that time. shown is t for the
// error.
func plausible(t time.Time, shown string, now time.Time) (time.Time, error) {
	if t.After(now.Add(ClockSkew)) {
		return time.Time{}, fmt.Errorf("%s is more than %s in the future", shown, ClockSkew)
	}
	if t.Before(earliest) {
		return time.Time{}, fmt.Errorf("%s is before %d, when the first images were pushed", shown, earliest.Year())
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
