package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// tagged returns pushes of a repository's tags, the last one the newest. A tag may end
// with the number of its digest, as in latest@2; the default is 1.
func tagged(repository string, tags ...string) (all []event.Push) {
	for i, tag := range tags {
		tag, digestOf := tag, 1
		if name, number, ok := strings.Cut(tag, "@"); ok {
			tag = name
			fmt.Sscan(number, &digestOf)
		}
		all = append(all, pushOf(registry, repository, tag, digestOf, noon.Add(time.Duration(i)*time.Second)))
	}
	return all
}

// repositoryOf returns the repository of a subtest, given its name.
func repositoryOf(name string) string {
	return strings.ToLower(strings.NewReplacer(" ", "-", ",", "", ".", "-", "`", "").Replace(name))
}

// tagThatSaysMost: each wanted tag is the answer for both names, and in the catalogue.
func tagThatSaysMost(t *testing.T, s store.Store) {
	for _, test := range []struct {
		name string
		tags []string // oldest first, as for tagged
		want string
	}{
		{name: "version, then latest", tags: []string{"0.18.1", "latest"}, want: "0.18.1"},
		{name: "latest, then version", tags: []string{"latest", "0.18.1"}, want: "0.18.1"},
		{name: "floating versions", tags: []string{"1.2.0", "1.2", "1", "latest"}, want: "1.2.0"},
		{name: "floating version last", tags: []string{"latest", "1.2.0", "1.2"}, want: "1.2.0"},
		{name: "four numbers", tags: []string{"v0.9.2.5", "0.9.2", "latest"}, want: "v0.9.2.5"},
		{name: "full version before a greater short one", tags: []string{"1.0.0", "2.0", "latest"}, want: "1.0.0"},
		{name: "full prerelease before a short release", tags: []string{"1.2.0-rc.1", "1.2", "latest"}, want: "1.2.0-rc.1"},
		{name: "release before a greater prerelease", tags: []string{"1.0.0", "2.0.0-rc.1", "latest"}, want: "1.0.0"},
		{name: "short release before a greater prerelease", tags: []string{"1.2", "1.3-rc.1", "latest"}, want: "1.2"},
		{name: "short version before another tag", tags: []string{"22.04", "jammy"}, want: "22.04"},
		{name: "short version, then latest", tags: []string{"22.04", "latest"}, want: "22.04"},
		{name: "equal versions", tags: []string{"1.2.0", "v1.2.0", "latest"}, want: "v1.2.0"},
		{name: "equal versions, the other way round", tags: []string{"v1.2.0", "1.2.0", "latest"}, want: "1.2.0"},
		{name: "other tag before latest", tags: []string{"nightly", "edge", "latest"}, want: "edge"},
		{name: "other tag stays", tags: []string{"nightly", "latest", "edge"}, want: "edge"},
		{name: "commit", tags: []string{"latest", "1f2d3e4"}, want: "1f2d3e4"},
		{name: "latest alone", tags: []string{"latest"}, want: "latest"},
		{name: "another digest", tags: []string{"0.18.1@2", "latest"}, want: "latest"},
		{name: "full version last", tags: []string{"2.0.0", "1.0.0"}, want: "1.0.0"}, // a patch of an older line
		{name: "newer digest of a moved tag", tags: []string{"1.0.0", "latest", "latest@2"}, want: "latest"},
		{name: "version of a digest that comes last", tags: []string{"1.0.0@2", "latest@2", "nightly"}, want: "nightly"},
		{name: "an upper-case tag", tags: []string{"LATEST", "latest"}, want: "LATEST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			repository := repositoryOf(test.name)
			var want event.Push
			for _, p := range tagged(repository, test.tags...) {
				push(t, s, p)
				if p.Reference.Tag == test.want {
					want = p
				}
			}
			wantNewest(t, s, want)
			wantEntry(t, s, anywhere(repository), want)
			wantEntry(t, s, in(registry, repository), want)
		})
	}
}

// wantEntry wants the entry of a name to have p as its newest.
func wantEntry(t *testing.T, s store.Reader, name reference.Name, p event.Push) {
	t.Helper()
	entries, err := s.Entries(t.Context(), []reference.Name{name})
	if err != nil {
		t.Errorf("Entries(%s): %v", name, err)
		return
	}
	if diff := cmp.Diff(p, entries[0].Newest); diff != "" {
		t.Errorf("newest in Entries(%s): -want +got\n%s", name, diff)
	}
}

// noVersionMeansDate: without versions, their orders fall back to the last push.
func noVersionMeansDate(t *testing.T, s store.Store) {
	pushes := tagged("wash", "nightly", "edge", "latest")
	push(t, s, pushes...)
	for _, order := range orders {
		wantPick(t, s, anywhere("wash"), order, pushes[1])
	}
	short := tagged("short", "1.1", "1.2", "latest", "nightly")
	push(t, s, short...)
	for _, order := range orders {
		wantPick(t, s, anywhere("short"), order, short[1])
	}
}

// digestsOfRepositoriesAreApart: a tag with the same digest in another repository does
// not count.
func digestsOfRepositoriesAreApart(t *testing.T, s store.Store) {
	latest := washOf("latest", 1, 10)
	elsewhere := pushOf("other.azurecr.io", "wash", "1.0.0", 1, noon)
	longer := pushOf(registry+":5000", "wash", "2.0.0", 1, noon)
	push(t, s, elsewhere, longer, latest, pushOf(registry, "washer", "3.0.0", 1, noon))
	wantNewest(t, s, latest)
	wantPick(t, s, in("other.azurecr.io", "wash"), store.ByPushed, elsewhere)

	given := pushOf("ghcr.io", "acme/app", "latest", 1, noon.Add(20*time.Second))
	version := pushOf("ghcr.io", "acme/app", "4.0.0", 1, noon)
	own := pushOf(registry, "app", "5.0.0", 1, noon)
	other := pushOf("ghcr.io", "acme/apps", "6.0.0", 1, noon)
	given.GivenName, other.GivenName = "app", "app"
	push(t, s, given, version, own, other)
	wantPick(t, s, anywhere("app"), store.ByPushed, given)
	version.GivenName = "app"
	push(t, s, version)
	wantPick(t, s, anywhere("app"), store.ByPushed, version)
}

// unknownDigestSaysNothing: two references of unknown digest have nothing in common.
func unknownDigestSaysNothing(t *testing.T, s store.Store) {
	version, latest := washOf("1.0.0", 1, 0), washOf("latest", 1, 1)
	version.Digest, latest.Digest = "", ""
	push(t, s, version, latest)
	wantNewest(t, s, latest)
	wantNotVersioned(t, s, anywhere("wash"), latest)
}

// deletedTagSaysNothing: a tag that was deleted, or that moved to another digest, does
// not count.
func deletedTagSaysNothing(t *testing.T, s store.Store) {
	pushes := tagged("wash", "1.0.0", "1.0", "nightly", "latest")
	push(t, s, pushes...)
	wantNewest(t, s, pushes[0])
	wantDeleted(t, s, deleteOfTag("wash", "1.0.0", 60), 1)
	wantNewest(t, s, pushes[1])
	wantEntry(t, s, anywhere("wash"), pushes[1])
	moved := washOf("1.0", 2, 1) // late
	moved.Digest = digest(9)
	push(t, s, moved)
	wantNewest(t, s, pushes[2])
	wantDeleted(t, s, deleteOfDigest("wash", 1, 60), 2)
	wantNewest(t, s, moved)
	again := washOf("1.0.0", 9, 61)
	push(t, s, washOf("latest", 9, 62), again)
	wantNewest(t, s, again)
}

// longDigests: digests may differ only behind the part that fits a key.
func longDigests(t *testing.T, s store.Store) {
	long := func(end string) string { return "x+x:" + strings.Repeat("a", 250) + end }
	pushes := tagged("wash", "1.0.0", "latest", "2.0.0", "nightly")
	for i, end := range []string{"a", "a", "b", "b"} {
		pushes[i].Digest = long(end)
	}
	push(t, s, pushes...)
	wantNewest(t, s, pushes[2])
	d := deleteOf("wash", 60)
	d.Digest = long("b")
	wantDeleted(t, s, d, 2)
	wantNewest(t, s, pushes[0])
	d.Digest = long("a")
	wantDeleted(t, s, d, 2)
	wantNone(t, s, anywhere("wash"))
}

// matchCounts: only tags that match can be the newest, or stand for its digest.
func matchCounts(t *testing.T, s store.Store) {
	pushes := tagged("wash", "1.0.0@2", "latest@2", "2.0.0", "2.0", "2", "stable", "latest")
	push(t, s, pushes...)
	for _, test := range []struct {
		what  string
		match func(tag string) bool
		want  int // index in pushes
	}{
		{what: "any", match: func(string) bool { return true }, want: 2},
		{what: "without dots", match: func(tag string) bool { return !strings.Contains(tag, ".") }, want: 5},
		{what: "not full", match: func(tag string) bool { return strings.Count(tag, ".") < 2 }, want: 3},
		{what: "latest", match: func(tag string) bool { return tag == "latest" }, want: 6},
		{what: "1.0.0 and stable", match: func(tag string) bool { return tag == "1.0.0" || tag == "stable" }, want: 5},
		{what: "1.0.0", match: func(tag string) bool { return tag == "1.0.0" }, want: 0},
	} {
		got, err := s.Pick(t.Context(), store.Query{Name: anywhere("wash"), Match: test.match})
		if err != nil {
			t.Errorf("Pick of tags: %s: %v", test.what, err)
			continue
		}
		if diff := cmp.Diff(pushes[test.want], got); diff != "" {
			t.Errorf("Pick of tags: %s: -want +got\n%s", test.what, diff)
		}
	}
}

// noMatch: a name without matching tags is not the same as one without references.
func noMatch(t *testing.T, s store.Store) {
	push(t, s, tagged("wash", "1.0.0", "1.0", "latest")...)
	none := func(string) bool { return false }
	for _, order := range orders {
		for _, prefix := range []string{"", "none-"} {
			_, err := s.Pick(t.Context(), store.Query{Name: anywhere("wash"), Order: order, Match: none, Prefix: prefix})
			if got, ok := errors.AsType[*store.NoMatchError](err); !ok || *got != (store.NoMatchError{Read: 3}) {
				t.Errorf("Pick(%s) of no tags with the prefix %q: %v, want a NoMatchError of 3", order, prefix, err)
			}
			if errors.Is(err, store.ErrNotFound) {
				t.Errorf("Pick(%s) of no tags with the prefix %q: %v, which is an ErrNotFound", order, prefix, err)
			}
			if _, err := s.Pick(t.Context(), store.Query{Name: anywhere("none"), Order: order, Match: none, Prefix: prefix}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Pick(%s) of a name that is not published: %v, want ErrNotFound", order, err)
			}
		}
	}
}

// versionsBehindAPrefix sorts the tags of one component among several.
func versionsBehindAPrefix(t *testing.T, s store.Store) {
	pushes := tagged("mono", "foo-1.10.0", "foo-1.9.1@2", "foo-2.0.0-rc.1@3", "foo-next@4", "bar-3.0.0@5", "9.9.9@6", "latest@6")
	push(t, s, pushes...)
	hasPrefix := func(prefix string) func(string) bool {
		return func(tag string) bool { return strings.HasPrefix(tag, prefix) }
	}
	for _, test := range []struct {
		prefix                         string
		match                          func(tag string) bool
		byPushed, byRelease, byVersion int // indexes in pushes
	}{
		{prefix: "foo-", match: hasPrefix("foo-"), byPushed: 3, byRelease: 0, byVersion: 2},
		{prefix: "bar-", match: hasPrefix("bar-"), byPushed: 4, byRelease: 4, byVersion: 4},
		{prefix: "foo-n", match: hasPrefix("foo-n"), byPushed: 3, byRelease: 3, byVersion: 3},
		{prefix: "", match: hasPrefix(""), byPushed: 5, byRelease: 5, byVersion: 5},
		{prefix: "9.", match: hasPrefix("9."), byPushed: 5, byRelease: 5, byVersion: 5},
		{prefix: "foo-1.9.", match: hasPrefix("foo-1.9."), byPushed: 1, byRelease: 1, byVersion: 1}, // what is left, 1, is no version
	} {
		for order, want := range map[store.Order]int{store.ByPushed: test.byPushed, store.ByRelease: test.byRelease, store.ByVersion: test.byVersion} {
			got, err := s.Pick(t.Context(), store.Query{Name: anywhere("mono"), Order: order, Match: test.match, Prefix: test.prefix})
			if err != nil {
				t.Errorf("Pick(%s) with the prefix %q: %v", order, test.prefix, err)
				continue
			}
			if diff := cmp.Diff(pushes[want], got); diff != "" {
				t.Errorf("Pick(%s) with the prefix %q: -want +got\n%s", order, test.prefix, diff)
			}
		}
	}
}

// versionOfATag: the version of a tag is the greatest version with its digest.
func versionOfATag(t *testing.T, s store.Store) {
	pushes := tagged("wash", "1.0.0", "1.0", "stable", "latest", "2.0.0@2", "1.1@3", "1.1-rc.1@3", "edge@3", "nightly@4")
	push(t, s, pushes...)
	elsewhere := pushOf("other.azurecr.io", "wash", "nightly", 1, noon)
	push(t, s, elsewhere)
	for of, want := range map[int]int{0: 0, 1: 0, 2: 0, 3: 0, 4: 4, 5: 5, 6: 5, 7: 5} {
		for _, name := range []reference.Name{anywhere("wash"), in(registry, "wash")} {
			got, err := s.Versioned(t.Context(), name, pushes[of])
			if err != nil {
				t.Errorf("Versioned(%s, %s): %v", name, pushes[of].Reference, err)
				continue
			}
			if diff := cmp.Diff(pushes[want], got); diff != "" {
				t.Errorf("Versioned(%s, %s): -want +got\n%s", name, pushes[of].Reference, diff)
			}
		}
	}
	wantNotVersioned(t, s, anywhere("wash"), pushes[8])
	wantNotVersioned(t, s, anywhere("wash"), elsewhere)
	wantNotVersioned(t, s, in("other.azurecr.io", "wash"), pushes[0])
	wantNotVersioned(t, s, anywhere("none"), pushes[0])
}

func wantNotVersioned(t *testing.T, s store.Reader, name reference.Name, p event.Push) {
	t.Helper()
	if got, err := s.Versioned(t.Context(), name, p); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Versioned(%s, %s) = %s, %v, want ErrNotFound", name, p.Reference, got.Reference, err)
	}
}
