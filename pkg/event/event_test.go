package event_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func ref(registry, repository, tag string) reference.Reference {
	return reference.Reference{Registry: registry, Repository: repository, Tag: tag}
}

// anyTime draws times that are often equal or next to each other, over all years that an
// event may have.
var anyTime = rapid.Custom(func(t *rapid.T) time.Time {
	year := rapid.SampledFrom([]int{0, 2, 999, 2023, 2023, 2023, 2024, 9999}).Draw(t, "year")
	second := rapid.SampledFrom([]int{0, 1, 59}).Draw(t, "second")
	nano := rapid.SampledFrom([]int{0, 1, 10, 100_000_000, 999_999_999}).Draw(t, "nano")
	return time.Date(year, 7, 3, 12, 0, second, nano, time.UTC)
})

// anyPush draws pushes of few references, so that they often collide.
var anyPush = rapid.Custom(func(t *rapid.T) event.Push {
	p := event.Push{
		Reference: ref(
			rapid.SampledFrom([]string{"a.azurecr.io", "b.azurecr.io:5000", "[::1]:5000"}).Draw(t, "registry"),
			rapid.SampledFrom([]string{"wash", "team/app", "a.azurecr.io/wash"}).Draw(t, "repository"),
			rapid.SampledFrom([]string{"1.0.0", "latest"}).Draw(t, "tag")),
		GivenName: rapid.SampledFrom([]string{"", "", "other"}).Draw(t, "name"),
		Digest:    rapid.SampledFrom([]string{"", digest(1), digest(2), "sha512:" + strings.Repeat("0", 128)}).Draw(t, "digest"),
		MediaType: rapid.SampledFrom([]string{"", "a/a", "a/b", "a/a.b+c"}).Draw(t, "mediaType"),
		Size:      rapid.SampledFrom([]int64{event.UnknownSize, 0, 1, 9, 10, math.MaxInt64}).Draw(t, "size"),
		PushedAt:  anyTime.Draw(t, "at"),
	}
	return p
})

var anyDelete = rapid.Custom(func(t *rapid.T) event.Delete {
	p := anyPush.Draw(t, "like")
	d := event.Delete{
		Target:     event.Target{Registry: p.Reference.Registry, Repository: p.Reference.Repository, GivenName: p.GivenName},
		DeletedAt:  p.PushedAt,
		ReceivedAt: anyTime.Draw(t, "received"),
	}
	switch rapid.IntRange(0, 2).Draw(t, "of") {
	case 0:
		d.Tag = p.Reference.Tag
	case 1:
		d.Digest = p.Digest
	}
	return d
})

var anyMembership = rapid.Custom(func(t *rapid.T) event.Membership {
	return event.Membership{
		Member: event.Member{
			Category: rapid.SampledFrom([]string{"official", "a-1"}).Draw(t, "category"),
			Name: rapid.SampledFrom([]reference.Name{
				{Repository: "wash"}, {Repository: "team/app"}, {Registry: "a.azurecr.io", Repository: "wash"}, {Registry: "localhost", Repository: "a.b/c"},
			}).Draw(t, "name"),
		},
		Removed: rapid.Bool().Draw(t, "removed"),
		At:      anyTime.Draw(t, "at"),
	}
})

func TestCovers(t *testing.T) {
	t.Parallel()
	p := event.Push{Reference: ref("a.azurecr.io", "wash", "1.0"), Digest: digest(1), PushedAt: noon}
	own := event.Target{Registry: "a.azurecr.io", Repository: "wash"}
	with := func(change func(*event.Target)) event.Target {
		target := own
		change(&target)
		return target
	}
	for _, test := range []struct {
		name   string
		target event.Target
		want   bool
	}{
		{name: "repository", target: own, want: true},
		{name: "tag", target: with(func(t *event.Target) { t.Tag = "1.0" }), want: true},
		{name: "digest", target: with(func(t *event.Target) { t.Digest = digest(1) }), want: true},
		{name: "digest beside another tag", target: with(func(t *event.Target) { t.Digest, t.Tag = digest(1), "2.0" }), want: true},
		{name: "other tag", target: with(func(t *event.Target) { t.Tag = "1.0.0" }), want: false},
		{name: "beginning of the tag", target: with(func(t *event.Target) { t.Tag = "1" }), want: false},
		{name: "other digest", target: with(func(t *event.Target) { t.Digest = digest(2) }), want: false},
		{name: "other digest beside the tag", target: with(func(t *event.Target) { t.Digest, t.Tag = digest(2), "1.0" }), want: false},
		{name: "other registry", target: with(func(t *event.Target) { t.Registry = "b.azurecr.io" }), want: false},
		{name: "other repository", target: with(func(t *event.Target) { t.Repository = "was" }), want: false},
		{name: "under a given name", target: with(func(t *event.Target) { t.GivenName = "other" }), want: false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, at := range []struct {
				name string
				time time.Time
				can  bool // whether a delete of this time can cover a push at noon
			}{
				{name: "before", time: noon.Add(-1), can: false},
				{name: "at one time", time: noon, can: true},
				{name: "after", time: noon.Add(1), can: true},
			} {
				d := event.Delete{Target: test.target, DeletedAt: at.time}
				if got, want := d.Covers(p), test.want && at.can; got != want {
					t.Errorf("Covers, deleted %s the push = %t, want %t", at.name, got, want)
				}
			}
		})
	}
	given := p
	given.GivenName = "other"
	if d := (event.Delete{Target: own, DeletedAt: noon}); d.Covers(given) {
		t.Error("a delete of a repository covers a reference with a given name")
	}
	if d := (event.Delete{Target: with(func(t *event.Target) { t.GivenName = "other" }), DeletedAt: noon}); !d.Covers(given) {
		t.Error("a delete with the given name does not cover its reference")
	}
}

func TestCoveringDeleteIsOfATarget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, d := anyPush.Draw(t, "push"), anyDelete.Draw(t, "delete")
		if d.Covers(p) && !slices.Contains(p.Targets(), d.Target) {
			t.Fatalf("a delete of %s covers %+v, but its targets are %v", d.Target, p, p.Targets())
		}
		for _, target := range p.Targets() {
			if d := (event.Delete{Target: target, DeletedAt: p.PushedAt}); !d.Covers(p) {
				t.Fatalf("a delete of %s at the time of the push does not cover %+v", target, p)
			}
		}
	})
}

func TestTargets(t *testing.T) {
	t.Parallel()
	p := event.Push{Reference: ref("a.azurecr.io", "wash", "1.0"), GivenName: "other", Digest: digest(1)}
	repository := event.Target{Registry: "a.azurecr.io", Repository: "wash", GivenName: "other"}
	tag, ofDigest := repository, repository
	tag.Tag, ofDigest.Digest = "1.0", digest(1)
	if diff := cmp.Diff([]event.Target{repository, tag, ofDigest}, p.Targets()); diff != "" {
		t.Errorf("Targets: -want +got\n%s", diff)
	}
	p.Digest = ""
	if diff := cmp.Diff([]event.Target{repository, tag}, p.Targets()); diff != "" {
		t.Errorf("Targets without digest: -want +got\n%s", diff)
	}
}

func TestTargetString(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		target event.Target
		want   string
	}{
		{target: event.Target{Registry: "a.io", Repository: "team/app"}, want: "a.io/team/app"},
		{target: event.Target{Registry: "a.io", Repository: "team/app", Tag: "1"}, want: "a.io/team/app:1"},
		{target: event.Target{Registry: "a.io", Repository: "team/app", Digest: "a:b"}, want: "a.io/team/app@a:b"},
		{target: event.Target{Registry: "a.io", Repository: "team/app", Tag: "1", Digest: "a:b"}, want: "a.io/team/app@a:b"},
	} {
		if got := test.target.String(); got != test.want {
			t.Errorf("%#v.String() = %s, want %s", test.target, got, test.want)
		}
	}
}

func TestTargetIsParsedBack(t *testing.T) {
	t.Parallel()
	for _, want := range []event.Target{
		{Registry: "a.io", Repository: "app"},
		{Registry: "a.io", Repository: "team/app"},
		{Registry: "localhost:5000", Repository: "team/app", Tag: "1.0_rc-1"},
		{Registry: "[::1]:5000", Repository: "b.io/app", Digest: digest(1)},
	} {
		got, ok := event.ParseTarget(want.String())
		if !ok || got != want {
			t.Errorf("ParseTarget(%q) = %#v, %t, want %#v", want, got, ok, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := anyDelete.Draw(t, "delete").Target
		got, ok := event.ParseTarget(want.String())
		want.GivenName = ""
		if want.Digest != "" {
			want.Tag = "" // a tag beside a digest is not in the text
		}
		if !ok || got != want {
			t.Fatalf("ParseTarget(%q) = %#v, %t, want %#v", want, got, ok, want)
		}
	})
	if got, ok := event.ParseTarget("app"); ok {
		t.Errorf(`ParseTarget("app") = %#v, want it refused`, got)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                            string
		registry, repository, givenName string
		want                            []reference.Name // the name in the catalogue first
	}{
		{name: "own", registry: "a.io", repository: "wash", want: []reference.Name{{Repository: "wash"}, {Registry: "a.io", Repository: "wash"}}},
		{name: "path with a registry", registry: "a.io", repository: "b.io/wash", want: []reference.Name{{Repository: "b.io/wash"}, {Registry: "a.io", Repository: "b.io/wash"}}},
		{name: "given", registry: "a.io", repository: "wash", givenName: "other", want: []reference.Name{{Repository: "other"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := event.Push{Reference: ref(test.registry, test.repository, "1"), GivenName: test.givenName}
			target := event.Target{Registry: test.registry, Repository: test.repository, GivenName: test.givenName}
			if diff := cmp.Diff(test.want, p.Names()); diff != "" {
				t.Errorf("Push.Names: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(test.want, target.Names()); diff != "" {
				t.Errorf("Target.Names: -want +got\n%s", diff)
			}
			if got := p.ListedAs(); got != test.want[0] {
				t.Errorf("Push.ListedAs() = %s, want %s", got, test.want[0])
			}
			if got := target.ListedAs(); got != test.want[0] {
				t.Errorf("Target.ListedAs() = %s, want %s", got, test.want[0])
			}
		})
	}
}

func TestGivenNameIsNoneForTheOwnRepository(t *testing.T) {
	t.Parallel()
	r := ref("a.io", "team/app", "1")
	for name, want := range map[string]string{"team/app": "", "app": "app", "team/app/sub": "team/app/sub", "a.io/team/app": "a.io/team/app"} {
		if got := event.GivenName(name, r); got != want {
			t.Errorf("GivenName(%q, %s) = %q, want %q", name, r, got, want)
		}
	}
}

func TestSizeKnown(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]bool{event.UnknownSize: false, 0: true, 1: true, math.MaxInt64: true} {
		if got := (event.Push{Size: size}).SizeKnown(); got != want {
			t.Errorf("SizeKnown with size %d = %t, want %t", size, got, want)
		}
	}
}

func TestMembersSortByCategoryThenName(t *testing.T) {
	t.Parallel()
	members := []event.Member{
		{Category: "a", Name: reference.Name{Repository: "app"}},
		{Category: "a", Name: reference.Name{Registry: "b.io", Repository: "app"}},
		{Category: "a", Name: reference.Name{Repository: "wash"}},
		{Category: "a-b", Name: reference.Name{Repository: "app"}}, // the text a-b/app is less than a/app
	}
	for i, m := range members {
		for j, n := range members {
			if got, want := m.Compare(n), min(max(i-j, -1), 1); got != want {
				t.Errorf("%+v.Compare(%+v) = %d, want %d", m, n, got, want)
			}
		}
	}
}

func TestVersionOfAPush(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"1.2.3": "1.2.3", "v1.2.3-rc.1_b": "1.2.3-rc.1+b", "22.04": "22.04", "0.9.2.5": "0.9.2.5", "latest": "", "20231103": ""} {
		if got := (event.Push{Reference: ref("a.io", "wash", tag)}).Version(); got != want {
			t.Errorf("Version of tag %s = %q, want %q", tag, got, want)
		}
	}
}

func TestEventSaysWhatHappened(t *testing.T) {
	t.Parallel()
	at := noon.Add(time.Millisecond)
	for _, test := range []struct {
		name         string
		event        event.Event
		registry     string
		isZero       bool
		wantInString []string
	}{
		{name: "nothing", isZero: true, wantInString: []string{"nothing"}},
		{
			name:         "push",
			event:        event.Event{Push: &event.Push{Reference: ref("a.io", "wash", "1"), Digest: "a:b", PushedAt: at}},
			registry:     "a.io",
			wantInString: []string{"push", "a.io/wash:1@a:b", "2023-07-03T12:00:00.001000000Z"},
		},
		{
			name:         "delete",
			event:        event.Event{Delete: &event.Delete{Target: event.Target{Registry: "b.io", Repository: "wash", Tag: "1"}, DeletedAt: at}},
			registry:     "b.io",
			wantInString: []string{"delete", "b.io/wash:1", "2023-07-03T12:00:00.001000000Z"},
		},
		{
			name:         "membership",
			event:        event.Event{Membership: &event.Membership{Member: event.Member{Category: "official", Name: reference.Name{Registry: "c.io", Repository: "wash"}}, Removed: true, At: at}},
			registry:     "",
			wantInString: []string{"c.io/wash", "official", "removed true", "2023-07-03T12:00:00.001000000Z"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.event.IsZero(); got != test.isZero {
				t.Errorf("IsZero() = %t, want %t", got, test.isZero)
			}
			if got := test.event.Registry(); got != test.registry {
				t.Errorf("Registry() = %q, want %q", got, test.registry)
			}
			for _, want := range test.wantInString {
				if got := test.event.String(); !strings.Contains(got, want) {
					t.Errorf("String() = %q, want it to have %q", got, want)
				}
			}
		})
	}
}
