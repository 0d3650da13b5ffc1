package event_test

import (
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	// Not in UTC, as a clock may be.
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
		{name: "first moment", text: "0000-01-01T00:00:00Z", want: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
		{name: "first moment, in another zone", text: "0000-01-01T01:00:00+01:00", want: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
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
	const future, none = "is more than 5m0s in the future", "is not an RFC 3339 time"
	for _, test := range []struct {
		name, text, want string
	}{
		{name: "a nanosecond too far ahead", text: "2023-07-03T12:05:00.000000001Z", want: future},
		{name: "a nanosecond too far ahead, in another zone", text: "2023-07-03T13:05:00.000000001+01:00", want: future},
		{name: "last year", text: "9999-12-31T23:59:59Z", want: future},
		{name: "before the year 0 in UTC", text: "0000-01-01T00:00:00+00:01", want: none},
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
