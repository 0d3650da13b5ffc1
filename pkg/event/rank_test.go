package event_test

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ocireffer/pkg/event"
)

// comparePushes orders pushes as the contract does, field by field.
func comparePushes(p, q event.Push) int {
	return cmp.Or(
		p.PushedAt.Compare(q.PushedAt),
		cmp.Compare(p.Digest, q.Digest),
		cmp.Compare(p.Size, q.Size),
		cmp.Compare(p.MediaType, q.MediaType),
	)
}

func TestRankOrdersPushes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPush.Draw(t, "p")
		q := p
		other := anyPush.Draw(t, "q")
		// Some fields are equal, so that later ones decide.
		if rapid.Bool().Draw(t, "time") {
			q.PushedAt = other.PushedAt
		}
		if rapid.Bool().Draw(t, "digest") {
			q.Digest = other.Digest
		}
		if rapid.Bool().Draw(t, "size") {
			q.Size = other.Size
		}
		if rapid.Bool().Draw(t, "mediaType") {
			q.MediaType = other.MediaType
		}
		if got, want := strings.Compare(p.Rank(), q.Rank()), comparePushes(p, q); got != want {
			t.Fatalf("ranks %q and %q compare as %d, the pushes as %d", p.Rank(), q.Rank(), got, want)
		}
	})
}

func TestSetRankIsTheReverseOfRank(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPush.Draw(t, "p")
		p.Size = rapid.OneOf(rapid.Int64Min(0), rapid.SampledFrom([]int64{event.UnknownSize, 0, math.MaxInt64})).Draw(t, "size")
		got := event.Push{Reference: p.Reference, GivenName: p.GivenName}
		if err := got.SetRank(p.Rank()); err != nil || got != p {
			t.Fatalf("SetRank(%q) = %+v, %v, want %+v", p.Rank(), got, err, p)
		}
	})
}

// TestRankStays compares whole ranks, since backends store them.
func TestRankStays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		rank string
		want string
	}{
		{
			name: "push",
			rank: event.Push{Digest: "a:b", MediaType: "c/d", Size: 2203, PushedAt: noon.Add(60421800)}.Rank(),
			want: "2023-07-03T12:00:00.060421800Z a:b 0000000000000002204 c/d",
		},
		{
			name: "push of which nothing is known",
			rank: event.Push{Size: event.UnknownSize, PushedAt: noon}.Rank(),
			want: "2023-07-03T12:00:00.000000000Z  0000000000000000000 ",
		},
		{
			name: "push of the greatest size",
			rank: event.Push{Size: math.MaxInt64, PushedAt: noon}.Rank(),
			want: "2023-07-03T12:00:00.000000000Z  9223372036854775808 ",
		},
		{name: "delete", rank: event.Delete{DeletedAt: noon}.Rank(), want: "2023-07-03T12:00:00.000000000Z"},
		{name: "membership", rank: event.Membership{At: noon}.Rank(), want: "2023-07-03T12:00:00.000000000Z added"},
		{name: "membership removed", rank: event.Membership{At: noon, Removed: true}.Rank(), want: "2023-07-03T12:00:00.000000000Z removed"},
	} {
		if test.rank != test.want {
			t.Errorf("rank of a %s = %q, want %q", test.name, test.rank, test.want)
		}
	}
}

func TestSetRankRefusesOtherTexts(t *testing.T) {
	t.Parallel()
	for _, rank := range []string{"", "2023-07-03T12:00:00.000000000Z", "2023-07-03T12:00:00.000000000Z a:b 1", "2023-07-03 a:b 1 c/d", "2023-07-03T12:00:00.000000000Z a:b x c/d", "2023-07-03T12:00:00.000000000Z a:b -1 c/d"} {
		p := event.Push{Digest: "before"}
		if err := p.SetRank(rank); err == nil {
			t.Errorf("SetRank(%q): no error", rank)
		}
		if p != (event.Push{Digest: "before"}) {
			t.Errorf("SetRank(%q) left %+v", rank, p)
		}
	}
}

func TestCoveredRankParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, d := anyPush.Draw(t, "push"), event.Delete{DeletedAt: anyTime.Draw(t, "deleted")}
		if got, want := p.Rank() < d.CoveredRank(), !p.PushedAt.After(d.DeletedAt); got != want {
			t.Fatalf("rank %q is below %q: %t, want %t", p.Rank(), d.CoveredRank(), got, want)
		}
		d.DeletedAt = p.PushedAt
		if p.Rank() >= d.CoveredRank() {
			t.Fatalf("rank %q is not below %q, of the same time", p.Rank(), d.CoveredRank())
		}
		d.DeletedAt = p.PushedAt.Add(-1)
		if p.Rank() <= d.CoveredRank() {
			t.Fatalf("rank %q is not above %q, of a nanosecond earlier", p.Rank(), d.CoveredRank())
		}
	})
}

func TestRankOrdersDeletesByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, e := event.Delete{DeletedAt: anyTime.Draw(t, "d")}, event.Delete{DeletedAt: anyTime.Draw(t, "e")}
		if got, want := strings.Compare(d.Rank(), e.Rank()), d.DeletedAt.Compare(e.DeletedAt); got != want {
			t.Fatalf("ranks %q and %q compare as %d, the times as %d", d.Rank(), e.Rank(), got, want)
		}
	})
}

func TestRankOrdersMemberships(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, n := anyMembership.Draw(t, "m"), anyMembership.Draw(t, "n")
		if rapid.Bool().Draw(t, "at one time") {
			n.At = m.At
		}
		want := m.At.Compare(n.At)
		if want == 0 && m.Removed != n.Removed {
			want = -1
			if m.Removed {
				want = 1
			}
		}
		if got := strings.Compare(m.Rank(), n.Rank()); got != want {
			t.Fatalf("ranks %q and %q compare as %d, want %d", m.Rank(), n.Rank(), got, want)
		}
	})
}

func TestStampSortsAsTimes(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 5*3600+1800)
	rapid.Check(t, func(t *rapid.T) {
		x, y := anyTime.Draw(t, "x"), anyTime.Draw(t, "y")
		if got, want := strings.Compare(event.Stamp(x), event.Stamp(y)), x.Compare(y); got != want {
			t.Fatalf("stamps %s and %s compare as %d, the times as %d", event.Stamp(x), event.Stamp(y), got, want)
		}
		if got := event.Stamp(x.In(zone)); got != event.Stamp(x) {
			t.Fatalf("Stamp(%s in another zone) = %s, want %s", x, got, event.Stamp(x))
		}
		if got, err := event.ParseStamp(event.Stamp(x)); err != nil || got != x {
			t.Fatalf("ParseStamp(%q) = %v, %v, want %v", event.Stamp(x), got, err, x)
		}
	})
}

func TestSetRankOfAMembershipIsTheReverseOfRank(t *testing.T) {
	t.Parallel()
	for _, removed := range []bool{false, true} {
		m := event.Membership{Removed: removed, At: time.Date(2023, 7, 3, 12, 0, 0, 1, time.UTC)}
		var got event.Membership
		if err := got.SetRank(m.Rank()); err != nil || got != m {
			t.Errorf("SetRank(%q) = %+v, %v, want %+v", m.Rank(), got, err, m)
		}
	}
	for _, rank := range []string{"", "2023-07-03T12:00:00.000000000Z", "2023-07-03T12:00:00.000000000Z gone", "yesterday added"} {
		if err := new(event.Membership).SetRank(rank); err == nil || !strings.Contains(err.Error(), strconv.Quote(rank)) {
			t.Errorf("SetRank(%q): %v, want an error that shows it", rank, err)
		}
	}
}
