package reconcile

import (
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
)

var noon = time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)

// minute returns a time some minutes after noon. The registry answers at noon, so safe is
// minute -15.
func minute(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Minute))) }

var (
	wash     = reference.Reference{Registry: "wasm.azurecr.io", Repository: "wash", Tag: "1"}
	safe     = minute(-15)
	hour     = minute(-60)
	halfHour = minute(-30)
)

func pushOf(digest string, at time.Time) event.Push {
	return event.Push{Reference: wash, Digest: "sha256:" + digest, Size: event.UnknownSize, PushedAt: at}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		stored    *event.Push
		deleted   time.Time // when the tag was deleted; zero: never
		pushedAt  time.Time // the registry's time for digest b; zero: it has none
		notBefore time.Time
		undated   bool // the registry's answer cannot be dated
		want      verdict
		at        time.Time // wanted time of the push
	}{
		{name: "not stored", pushedAt: hour, want: push, at: hour},
		{name: "not stored, pushed within the margin", pushedAt: minute(-1), want: push, at: minute(-1)},
		{name: "not stored, without a date", pushedAt: hour, undated: true, want: push, at: hour},
		{name: "not stored, without times", want: push, at: safe},
		{name: "not stored, without times and a date", undated: true, want: later},
		{name: "not stored, built before", notBefore: hour, want: push, at: hour},
		{name: "not stored, built within the margin", notBefore: minute(-1), want: push, at: safe},
		{name: "not stored, built before, without a date", notBefore: hour, undated: true, want: push, at: hour},
		{name: "stored", stored: new(pushOf("b", hour)), pushedAt: hour, want: nothing},
		{name: "stored later, as clocks differ", stored: new(pushOf("b", minute(-59))), pushedAt: hour, want: nothing},
		{name: "stored earlier", stored: new(pushOf("b", minute(-61))), pushedAt: hour, want: push, at: hour},
		{name: "stored, without times", stored: new(pushOf("b", hour)), want: nothing},
		{name: "stored, built later than it was pushed", stored: new(pushOf("b", hour)), notBefore: halfHour, want: nothing},
		{name: "stored, pushed again", stored: new(pushOf("b", hour)), pushedAt: halfHour, want: push, at: halfHour},
		{name: "moved", stored: new(pushOf("a", hour)), pushedAt: halfHour, want: push, at: halfHour},
		{name: "moved within the margin", stored: new(pushOf("a", hour)), pushedAt: minute(-1), want: push, at: minute(-1)},
		{name: "moved at the same time to a greater digest", stored: new(pushOf("a", hour)), pushedAt: hour, want: push, at: hour},
		{name: "moved at the same time to a lesser digest", stored: new(pushOf("c", hour)), pushedAt: hour, want: push, at: safe},
		{name: "moved, without times", stored: new(pushOf("a", hour)), want: push, at: safe},
		{name: "moved to what was built since", stored: new(pushOf("a", hour)), notBefore: halfHour, want: push, at: halfHour},
		{name: "moved back to what is older", stored: new(pushOf("a", halfHour)), notBefore: hour, want: push, at: safe},
		{name: "restored with its old time", stored: new(pushOf("a", halfHour)), pushedAt: hour, want: push, at: safe},
		{name: "restored, without a date", stored: new(pushOf("a", halfHour)), pushedAt: hour, undated: true, want: later},
		{name: "restored, stored at safe", stored: new(pushOf("a", safe)), pushedAt: hour, want: push, at: safe},
		{name: "stored within the margin", stored: new(pushOf("a", minute(-14))), pushedAt: hour, want: later},
		{name: "stored by hand for the future", stored: new(pushOf("a", minute(600))), pushedAt: hour, want: later},
		{name: "deleted before", deleted: minute(-90), pushedAt: hour, want: push, at: hour},
		{name: "deleted since", deleted: halfHour, pushedAt: hour, want: push, at: safe},
		{name: "deleted at that time", deleted: hour, pushedAt: hour, want: push, at: safe},
		{name: "deleted at safe", deleted: safe, pushedAt: hour, want: later},
		{name: "deleted within the margin", deleted: minute(-14), pushedAt: hour, want: later},
		{name: "stored and deleted since", stored: new(pushOf("b", hour)), deleted: halfHour, pushedAt: hour, want: push, at: safe},
		{name: "stored, deleted, and pushed again", stored: new(pushOf("b", hour)), deleted: minute(-45), pushedAt: halfHour, want: push, at: halfHour},
		{name: "stored and deleted since, without times", stored: new(pushOf("b", hour)), deleted: halfHour, want: push, at: safe},
		{name: "pushed as far ahead as may be", pushedAt: minute(5), want: push, at: minute(5)},
		{name: "pushed too far ahead", pushedAt: minute(5.01), want: push, at: safe},
		{name: "stored, pushed too far ahead", stored: new(pushOf("b", hour)), pushedAt: minute(600), want: nothing},
	} {
		h := store.History{Pushes: map[string]event.Push{}, Deletes: map[event.Target]event.Delete{}}
		if c.stored != nil {
			h.Pushes[wash.Tag] = *c.stored
		}
		if !c.deleted.IsZero() {
			d := event.Delete{Target: event.Target{Registry: wash.Registry, Repository: wash.Repository, Tag: wash.Tag}, DeletedAt: c.deleted}
			h.Deletes[d.Target] = d
		}
		m := newMoment(registry.Moment{Date: noon, Received: noon, Aged: c.undated}, DefaultMargin)
		p, got := m.decide(shown{pushOf("b", c.pushedAt), c.notBefore}, h)
		if got != c.want || !p.PushedAt.Equal(c.at) || got == push && p.Digest != "sha256:b" {
			t.Errorf("%s: %d, %s, want %d at %v", c.name, got, event.Event{Push: &p}, c.want, c.at)
		}
	}
}

// What only an event told is kept while the digest stays the same.
func TestPushKeepsMediaTypeAndSize(t *testing.T) {
	t.Parallel()
	m := newMoment(registry.Moment{Date: noon, Received: noon}, DefaultMargin)
	stored := pushOf("b", hour)
	stored.MediaType, stored.Size = "application/vnd.oci.image.index.v1+json", 856
	h := store.History{Pushes: map[string]event.Push{wash.Tag: stored}}
	want := stored
	want.PushedAt = halfHour
	if p, v := m.decide(shown{push: pushOf("b", halfHour)}, h); v != push || p != want {
		t.Errorf("pushed again: %+v, %d, want %+v", p, v, want)
	}
	want = pushOf("c", halfHour)
	if p, v := m.decide(shown{push: want}, h); v != push || p != want {
		t.Errorf("moved: %+v, %d, want %+v", p, v, want)
	}
	want.MediaType, want.Size = "application/vnd.oci.image.manifest.v1+json", 7
	if p, v := m.decide(shown{push: want}, h); v != push || p != want {
		t.Errorf("moved, as the registry describes it: %+v, %d, want %+v", p, v, want)
	}
}

func TestSafe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		moment registry.Moment
		want   time.Time
	}{
		{"one clock", registry.Moment{Date: noon, Received: noon}, safe},
		{"5 minutes behind", registry.Moment{Date: noon, Received: minute(5)}, safe},
		{"5 minutes ahead", registry.Moment{Date: noon, Received: minute(-5)}, safe},
		{"too far behind", registry.Moment{Date: noon, Received: minute(5.01)}, time.Time{}},
		{"too far ahead", registry.Moment{Date: noon, Received: minute(-5.01)}, time.Time{}},
		{"no Date", registry.Moment{Received: noon}, time.Time{}},
		{"an Age", registry.Moment{Date: noon, Received: noon, Aged: true}, time.Time{}},
	} {
		if got := newMoment(c.moment, DefaultMargin).safe; !got.Equal(c.want) {
			t.Errorf("%s: safe is %s, want %s", c.name, got, c.want)
		}
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	a := registry.Attributes{LastUpdate: noon.Add(-30 * day), Tags: 3, Manifests: 4}
	settled := record{Updated: a.LastUpdate, Tags: 3, Manifests: 4, Listed: safe, Live: 3}
	changed := func(change func(*record)) record {
		r := settled
		change(&r)
		return r
	}
	for _, c := range []struct {
		name   string
		record record
		want   bool
	}{
		{"the same", settled, true},
		{"never seen", record{}, false},
		{"updated since", changed(func(r *record) { r.Updated = r.Updated.Add(-time.Microsecond) }), false},
		{"another number of tags", changed(func(r *record) { r.Tags = 2 }), false},
		{"another number of manifests", changed(func(r *record) { r.Manifests = 5 }), false},
		{"not settled", changed(func(r *record) { r.Listed = time.Time{} }), false},
		{"listed within the margin of the update", changed(func(r *record) { r.Listed = r.Updated }), false},
		{"listed 7 days ago", changed(func(r *record) { r.Listed = noon.Add(-7 * day) }), false},
		{"listed less than 7 days ago", changed(func(r *record) { r.Listed = noon.Add(time.Second - 7*day) }), true},
		{"tags are to go", changed(func(r *record) { r.Gone = []string{"1"} }), false},
		{"all is to go", changed(func(r *record) { r.Whole = true }), false},
	} {
		if got := c.record.unchanged(a, noon); got != c.want {
			t.Errorf("%s: unchanged is %t, want %t", c.name, got, c.want)
		}
	}
	if (record{}).unchanged(registry.Attributes{}, noon) {
		t.Error("a repository without attributes is skipped")
	}
	// An event about the update may come a day later.
	recent := registry.Attributes{LastUpdate: noon.Add(-26 * time.Hour), Tags: 3}
	r := record{Updated: recent.LastUpdate, Tags: 3, Listed: noon.Add(-25 * time.Hour)}
	if r.unchanged(recent, noon) {
		t.Error("a repository that was listed an hour after its update is skipped a day later")
	}
	if r.Listed = noon.Add(-23 * time.Hour); !r.unchanged(recent, noon) {
		t.Error("a repository that was listed soon after its update is not skipped for a day")
	}
}

func TestMayGo(t *testing.T) {
	t.Parallel()
	for live, want := range map[int]int{0: 10, 10: 10, 50: 10, 54: 10, 55: 11, 100: 20, 1_000_000: 200_000} {
		if got := mayGo(live); got != want {
			t.Errorf("of %d references %d may go, want %d", live, got, want)
		}
	}
}

// Tags that do not fit into a state wait for the next run, but the brake counts them.
func TestGoneTagsThatDoNotFit(t *testing.T) {
	t.Parallel()
	tags := make([]string, 3000)
	for i := range tags {
		tags[i] = string(make([]byte, 97)) // 100 bytes with quotes and comma
	}
	fit, more := fitting(tags)
	if len(fit) != 2500 || more != 500 {
		t.Errorf("%d tags fit, %d do not, want 2500 and 500", len(fit), more)
	}
	if r := (record{Gone: fit, More: more}); r.going() != 3000 {
		t.Errorf("%d references are to go, want 3000", r.going())
	}
}
