package event

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ocireffer/pkg/reference"
)

// ClockSkew is how far ahead of the clock an event's time may be. Until its time came, an
// event further in the future would win against every correct one.
const ClockSkew = 5 * time.Minute

// earliest is the first time that an event may have. Docker appeared in 2013, so nothing
// was pushed before. Senders that do not know a time write the year 1 or 1970.
var earliest = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// ParseTime reads an RFC 3339 time and returns it in UTC. It refuses a time more than
// ClockSkew ahead of now, and one before 2013.
func ParseTime(s string, now time.Time) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	// time.Parse also accepts an hour of one digit and a comma in a fraction, which RFC
	// 3339 does not.
	if err != nil || s[len("2006-01-02T15")] != ':' || strings.Contains(s, ",") {
		return time.Time{}, fmt.Errorf("%s is not an RFC 3339 time, such as 2023-07-03T14:56:52Z", reference.Quote(s))
	}
	return plausible(t, reference.Quote(s), now)
}

// ParseUnix reads a time in seconds since 1970, perhaps with a fraction. It refuses the
// same times as ParseTime.
func ParseUnix(s string, now time.Time) (time.Time, error) {
	const most = 1 << 38 // seconds, past the year 9999 and within the range of time.Unix
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || !(math.Abs(seconds) < most) {
		return time.Time{}, fmt.Errorf("%s is not a number of seconds since 1970", reference.Quote(s))
	}
	whole, fraction := math.Modf(seconds)
	return plausible(time.Unix(int64(whole), int64(fraction*1e9)), s, now)
}

// plausible returns t in UTC, or an error if an event cannot have that time. shown is t
// as the error shows it.
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
