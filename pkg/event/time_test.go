package event_test

import (
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	// A clock need not be in UTC.
	now := noon.In(time.FixedZone("", -7*3600))
	for _, test := range []struct {
		name string
		text string
		want time.Time
	}{
		{name: "UTC", text: "2023-07-03T11:56:52Z", want: time.Date(2023, 7, 3, 11, 56, 52, 0, time.UTC)},
		{name: "nanoseconds", text: "2023-07-03T11:56:52.060421812Z", want: time.Date(2023, 7, 3, 11, 56, 52, 60421812, time.UTC)},
		{name: "another zone", text: "2023-07-03T13:56:52.5+02:00", want: time.Date(2023, 7, 3, 11, 56, 52, 5e8, time.UTC)},
		{name: "as far ahead as may be", text: "2023-07-03T12:05:00Z", want: time.Date(2023, 7, 3, 12, 5, 0, 0, time.UTC)},
		{name: "as far ahead as may be, in another zone", text: "2023-07-03T05:05:00-07:00", want: time.Date(2023, 7, 3, 12, 5, 0, 0, time.UTC)},
		{name: "first moment", text: "2013-01-01T00:00:00Z", want: time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)},
		{name: "first moment, in another zone", text: "2013-01-01T01:00:00+01:00", want: time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, err := event.ParseTime(test.text, now); err != nil || got != test.want {
				t.Errorf("ParseTime(%q) = %v, %v, want %v", test.text, got, err, test.want)
			}
		})
	}
}

func TestParseTimeRefuses(t *testing.T) {
	t.Parallel()
	const (
		future = "is more than 5m0s in the future"
		past   = "is before 2013, when the first images were pushed"
		none   = "is not an RFC 3339 time"
	)
	for _, test := range []struct {
		name, text, want string
	}{
		{name: "a nanosecond too far ahead", text: "2023-07-03T12:05:00.000000001Z", want: future},
		{name: "a nanosecond too far ahead, in another zone", text: "2023-07-03T13:05:00.000000001+01:00", want: future},
		{name: "last year", text: "9999-12-31T23:59:59Z", want: future},
		{name: "a nanosecond before 2013", text: "2012-12-31T23:59:59.999999999Z", want: past},
		{name: "before 2013 in UTC", text: "2013-01-01T00:00:00+00:01", want: past},
		{name: "1970", text: "1970-01-01T00:00:00Z", want: past},
		{name: "year 1", text: "0001-01-01T00:00:00Z", want: past},
		{name: "before the year 0 in UTC", text: "0000-01-01T00:00:00+00:01", want: past},
		{name: "empty", text: "", want: none},
		{name: "no zone", text: "2023-07-03T11:56:52", want: none},
		{name: "blank for T", text: "2023-07-03 11:56:52Z", want: none},
		{name: "comma", text: "2023-07-03T11:56:52,5Z", want: none},
		{name: "single digit", text: "2023-07-03T1:56:52Z", want: none},
		{name: "Unix seconds", text: "1688385412", want: none},
		{name: "zone without minutes", text: "2023-07-03T11:56:52+02", want: none},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := event.ParseTime(test.text, noon)
			if err == nil {
				t.Fatalf("ParseTime(%q) = %v, want an error", test.text, got)
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `"`+test.text+`"`) {
				t.Errorf("ParseTime(%q): %v, want %q", test.text, err, test.want)
			}
		})
	}
}

func TestParseUnix(t *testing.T) {
	t.Parallel()
	now := noon.In(time.FixedZone("", -7*3600))
	const (
		future = "is more than 5m0s in the future"
		past   = "is before 2013, when the first images were pushed"
		none   = "is not a number of seconds since 1970"
	)
	for _, test := range []struct {
		text  string
		want  time.Time
		error string
	}{
		{text: "1688385412", want: time.Date(2023, 7, 3, 11, 56, 52, 0, time.UTC)},
		{text: "1688385412.5", want: time.Date(2023, 7, 3, 11, 56, 52, 5e8, time.UTC)},
		{text: "1.688385412e9", want: time.Date(2023, 7, 3, 11, 56, 52, 0, time.UTC)},
		{text: "1688385900", want: time.Date(2023, 7, 3, 12, 5, 0, 0, time.UTC)},
		{text: "1356998400", want: time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)},
		{text: "1688385901", error: future},
		{text: "1688385412000", error: none},
		{text: "274877906943", error: future},
		{text: "274877906944", error: none},
		{text: "1e300", error: none},
		{text: "1e999", error: none},
		{text: "NaN", error: none},
		{text: "1356998399", error: past},
		{text: "0", error: past},
		{text: "-1.5", error: past},
		{text: "", error: none},
		{text: "null", error: none},
		{text: `"1688385412"`, error: none},
	} {
		got, err := event.ParseUnix(test.text, now)
		if test.error == "" && (err != nil || got != test.want) {
			t.Errorf("ParseUnix(%s) = %v, %v, want %v", test.text, got, err, test.want)
		}
		if test.error != "" && (err == nil || !strings.Contains(err.Error(), test.error)) {
			t.Errorf("ParseUnix(%s) = %v, %v, want the error %q", test.text, got, err, test.error)
		}
	}
}

func TestFirstTime(t *testing.T) {
	t.Parallel()
	now := noon.In(time.FixedZone("", 3600))
	for _, test := range []struct {
		name       string
		candidates []string
		want       time.Time
	}{
		{name: "none", candidates: nil, want: noon},
		{name: "first", candidates: []string{"2023-07-03T11:00:00Z", "2023-07-03T10:00:00Z"}, want: noon.Add(-time.Hour)},
		{name: "second", candidates: []string{"", "2023-07-03T10:00:00Z"}, want: noon.Add(-2 * time.Hour)},
		{name: "second, since the first is in the future", candidates: []string{"2023-07-03T12:05:01Z", "2023-07-03T10:00:00Z"}, want: noon.Add(-2 * time.Hour)},
		{name: "receipt", candidates: []string{"", "yesterday", "2024-01-01T00:00:00Z"}, want: noon},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := event.FirstTime(now, test.candidates...); got != test.want {
				t.Errorf("FirstTime(%q) = %v, want %v", test.candidates, got, test.want)
			}
		})
	}
}
