package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

// pushOf returns a push of wash:tag at some seconds after noon.
func pushOf(tag string, seconds int) event.Push {
	return event.Push{
		Reference: reference.Reference{Registry: "a.io", Repository: "wash", Tag: tag},
		Size:      event.UnknownSize,
		PushedAt:  noon.Add(time.Duration(seconds) * time.Second),
	}
}

func inRegistry(registry string, p event.Push) event.Push {
	p.Reference.Registry = registry
	return p
}

func withDigest(digest string, p event.Push) event.Push {
	p.Digest = digest
	return p
}

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// inOrder returns pushes with this digest.
func inOrder(digest string, pushes ...event.Push) []event.Push {
	for i := range pushes {
		pushes[i].Digest = digest
	}
	return pushes
}

// TestKeysSort compares each pair in a sorted list, both ways.
func TestKeysSort(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		order  store.Order
		pushes []event.Push // from the least to the greatest
	}{
		{order: store.ByPushed, pushes: []event.Push{
			pushOf("9.0.0", -1),
			pushOf("1.0.0", 0), // at one time, the greater text is the newer
			pushOf("latest", 0),
			inRegistry("b.io", pushOf("1.0.0-rc.1", 0)),
			pushOf("0.1.0", 1),
		}},
		{order: store.ByRelease, pushes: []event.Push{
			pushOf("nightly", 10), // no versions: by push
			pushOf("latest", 11),
			pushOf("20231103", 12),
			pushOf("8.0.0-rc.1", 20), // prereleases: by version
			pushOf("9.0.0-rc.2", 30),
			pushOf("9.0.0-rc.10", -10),
			pushOf("0.9.0", 5), // releases: by version
			pushOf("0.10", 4),
			pushOf("0.10.0", 2), // of equal precedence: more numbers, then the later push
			pushOf("v0.10.0", 3),
			inRegistry("b.io", pushOf("0.10.0_build", 3)),
			pushOf("0.10.0.0", -2),
			pushOf("0.10.0.1", -3),
			pushOf("0.10.1", -4),
		}},
		{order: store.ByVersion, pushes: []event.Push{
			pushOf("nightly", 10),
			pushOf("latest", 11),
			pushOf("0.9.0", 5),
			pushOf("0.10.0-rc.1", 4),
			pushOf("0.10.0", 3),
			pushOf("0.11.0-rc.1", 2),
			pushOf("0.11.0-rc.1_build", 3),
			pushOf("0.11", 1),
			pushOf("0.11.0", 0),
		}},
		{order: store.ByDigest, pushes: slices.Concat(
			inOrder(digestA,
				pushOf("latest", 100), // says less than any other tag
				pushOf("nightly", 1),  // no versions: by push
				pushOf("20231103", 2),
				pushOf("LATEST", 3),
				pushOf("v1", 4),
				pushOf("1.3-rc.1", 5), // two numbers: prereleases, then releases
				pushOf("1.1", 9),
				pushOf("1.2", 8),
				pushOf("1.0.0-rc.1", 7), // three or more: the same
				pushOf("1.0.0-rc.2", 6),
				pushOf("0.9.0", 20),
				pushOf("1.0.0", 11), // of equal precedence: more numbers, then the later push
				pushOf("1.0.0_build", 12),
				pushOf("v1.0.0", 12),
				pushOf("1.0.0.0", 10),
				pushOf("1.0.0.1", 5),
				inRegistry("b.io", pushOf("latest", 0)),
				inRegistry("b.io", pushOf("nightly", 0))),
			inOrder(digestB, pushOf("latest", 0), pushOf("0.1.0", 0)))},
	} {
		for i, p := range test.pushes {
			for j, q := range test.pushes {
				x, y := store.KeysOf(p)[test.order], store.KeysOf(q)[test.order]
				if got, want := strings.Compare(x, y), min(max(i-j, -1), 1); got != want {
					t.Errorf("%s keys of %s and %s, %q and %q, compare as %d, want %d", test.order, p.Reference, q.Reference, x, y, got, want)
				}
			}
		}
	}
}

// TestKeysStay compares whole keys, since tables and files in use contain them.
func TestKeysStay(t *testing.T) {
	t.Parallel()
	const at, of = "2023-07-03T12:00:00.000000000Z a.io/wash:", digestA + " a.io/wash "
	for _, test := range []struct {
		tag  string
		want store.Keys
	}{
		{tag: "latest", want: store.Keys{
			store.ByPushed:  at + "latest",
			store.ByRelease: "a" + at + "latest",
			store.ByVersion: "a" + at + "latest",
			store.ByDigest:  of + "a2023-07-03T12:00:00.000000000Z latest",
		}},
		{tag: "nightly", want: store.Keys{
			store.ByPushed:  at + "nightly",
			store.ByRelease: "a" + at + "nightly",
			store.ByVersion: "a" + at + "nightly",
			store.ByDigest:  of + "b2023-07-03T12:00:00.000000000Z nightly",
		}},
		{tag: "v0.18.1_b", want: store.Keys{
			store.ByPushed:  at + "v0.18.1_b",
			store.ByRelease: "ca0b18a1 ~03 " + at + "v0.18.1_b",
			store.ByVersion: "ca0b18a1 ~03 " + at + "v0.18.1_b",
			store.ByDigest:  of + "fa0b18a1 ~03 2023-07-03T12:00:00.000000000Z v0.18.1_b",
		}},
		{tag: "22.04", want: store.Keys{
			store.ByPushed:  at + "22.04",
			store.ByRelease: "cb22a4 ~02 " + at + "22.04",
			store.ByVersion: "cb22a4 ~02 " + at + "22.04",
			store.ByDigest:  of + "db22a4 ~02 2023-07-03T12:00:00.000000000Z 22.04",
		}},
		{tag: "4.0.15.2941-a", want: store.Keys{
			store.ByPushed:  at + "4.0.15.2941-a",
			store.ByRelease: "ba4a0b15d2941 -$a 04 " + at + "4.0.15.2941-a",
			store.ByVersion: "ca4a0b15d2941 -$a 04 " + at + "4.0.15.2941-a",
			store.ByDigest:  of + "ea4a0b15d2941 -$a 04 2023-07-03T12:00:00.000000000Z 4.0.15.2941-a",
		}},
		{tag: "1.0-rc.1", want: store.Keys{
			store.ByPushed:  at + "1.0-rc.1",
			store.ByRelease: "ba1 -$rc#a1 02 " + at + "1.0-rc.1",
			store.ByVersion: "ca1 -$rc#a1 02 " + at + "1.0-rc.1",
			store.ByDigest:  of + "ca1 -$rc#a1 02 2023-07-03T12:00:00.000000000Z 1.0-rc.1",
		}},
	} {
		if diff := cmp.Diff(test.want, store.KeysOf(withDigest(digestA, pushOf(test.tag, 0)))); diff != "" {
			t.Errorf("KeysOf tag %s: -want +got\n%s", test.tag, diff)
		}
	}
}

func TestUnknownDigestHasNoKey(t *testing.T) {
	t.Parallel()
	if got := store.KeysOf(pushOf("1.0.0", 0))[store.ByDigest]; got != "" {
		t.Errorf("the ByDigest key of a reference without a digest = %q, want none", got)
	}
}

// TestDigestPrefixBeginsTheKeysOfTheDigest: it begins the keys of the digest in its
// repository and registry, and no others.
func TestDigestPrefixBeginsTheKeysOfTheDigest(t *testing.T) {
	t.Parallel()
	sha512, long := "sha512:"+strings.Repeat("a", 128), "blake+x:"+strings.Repeat("a", 247)
	digests := []string{digestA, digestB, sha512, long, long[:254], "x:a", "x:aa"}
	anyPush := rapid.Custom(func(t *rapid.T) event.Push {
		p := pushOf(rapid.SampledFrom([]string{"latest", "1.0.0", "1"}).Draw(t, "tag"), 0)
		p.Reference.Registry = rapid.SampledFrom([]string{"a.io", "b.io", "b.io:1"}).Draw(t, "registry")
		p.Reference.Repository = rapid.SampledFrom([]string{"wash", "washer", "wash/a", "a.io/wash"}).Draw(t, "repository")
		p.Digest = rapid.SampledFrom(digests).Draw(t, "digest")
		return p
	})
	rapid.Check(t, func(t *rapid.T) {
		p, q := anyPush.Draw(t, "p"), anyPush.Draw(t, "q")
		target := event.Target{Registry: q.Reference.Registry, Repository: q.Reference.Repository, Digest: q.Digest}
		key, prefix := store.KeysOf(p)[store.ByDigest], store.DigestPrefix(target)
		if got, want := strings.HasPrefix(key, prefix), target.Has(p); got != want {
			t.Fatalf("%q begins with %q, of %s: %t, want %t", key, prefix, target, got, want)
		}
	})
}

// TestLongDigestIsHashed: a sha512 digest is not, since its key still fits.
func TestLongDigestIsHashed(t *testing.T) {
	t.Parallel()
	sha512 := "sha512:" + strings.Repeat("a", 128)
	if key := store.KeysOf(withDigest(sha512, pushOf("1", 0)))[store.ByDigest]; !strings.HasPrefix(key, sha512+" ") {
		t.Errorf("the ByDigest key of a sha512 digest = %q, want the digest in it", key)
	}
	// printf x:%0134d 0 | sha256sum
	const want = "#bebe8509a174dcc5c7d4462b2505845eef47a98c3f678e1bbbe8c41baa665588 a.io/wash "
	if key := store.KeysOf(withDigest("x:"+strings.Repeat("0", 134), pushOf("1", 0)))[store.ByDigest]; !strings.HasPrefix(key, want) {
		t.Errorf("the ByDigest key of a digest of 136 bytes = %q, want it to begin with %q", key, want)
	}
}

func TestOrdersAreNamedAsTheirIndexes(t *testing.T) {
	t.Parallel()
	want := []string{"ByPushed", "ByRelease", "ByVersion", "ByDigest"}
	var got []string
	for i, order := range store.Indexes {
		if int(order) != i {
			t.Errorf("Indexes[%d] is %d", i, order)
		}
		got = append(got, order.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Indexes: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(store.Indexes[:store.ByDigest], store.Orders[:]); diff != "" {
		t.Errorf("Orders: -Indexes before ByDigest +got\n%s", diff)
	}
}

func TestKeysFitIntoDynamoDB(t *testing.T) {
	t.Parallel()
	registry, repository := strings.Repeat("r", 251)+":443", strings.Repeat("n", 255)
	for _, tag := range []string{
		strings.Repeat("x", 128),
		"1." + strings.Repeat("2", 126),
		"1.2.3-" + strings.Repeat("4", 122),
		"0.0-" + strings.Repeat("0.", 61) + "10", // has the longest version key
	} {
		r, err := reference.Parse(registry + "/" + repository + ":" + tag)
		if err != nil {
			t.Fatal(err)
		}
		for _, digest := range []string{digestA, "sha512:" + strings.Repeat("a", 128), "x:" + strings.Repeat("a", 134), "x:" + strings.Repeat("a", 253)} {
			if err := reference.CheckDigest(digest); err != nil {
				t.Fatal(err)
			}
			p := event.Push{Reference: r, Digest: digest, PushedAt: noon}
			for order, key := range store.KeysOf(p) {
				if len(key) == 0 || len(key) > 1024 {
					t.Errorf("the %s key of tag %s and digest %s has %d bytes, want 1 to 1024", store.Order(order), tag, digest, len(key))
				}
			}
		}
		if key := (store.Entry{Name: reference.Name{Repository: repository}, Newest: event.Push{Reference: r, PushedAt: noon}}).PushedKey(); len(key) > 1024 {
			t.Errorf("the key of an entry has %d bytes, want at most 1024", len(key))
		}
	}
}

func TestKeyIsOfOneReference(t *testing.T) {
	t.Parallel()
	tag := rapid.SampledFrom([]string{"1.0", "1.0.0", "v1.0.0", "1.0.0_a", "1.0.0-a", "1.0.0-a.b", "latest", "a"})
	registry := rapid.SampledFrom([]string{"a.io", "b.io"})
	rapid.Check(t, func(t *rapid.T) {
		p := inRegistry(registry.Draw(t, "registry"), pushOf(tag.Draw(t, "tag"), 0))
		q := inRegistry(registry.Draw(t, "registry"), pushOf(tag.Draw(t, "tag"), 0))
		p.Digest, q.Digest = digestA, digestA
		for _, order := range store.Indexes {
			x, y := store.KeysOf(p)[order], store.KeysOf(q)[order]
			if (x == y) != (p == q) {
				t.Fatalf("%s keys of %s and %s: %q and %q", order, p.Reference, q.Reference, x, y)
			}
		}
	})
}

// anyName draws names that resemble each other.
var anyName = rapid.Custom(func(t *rapid.T) reference.Name {
	return reference.Name{
		Registry:   rapid.SampledFrom([]string{"", "", "a.io", "b.io:5000", "localhost", "[::1]:5000"}).Draw(t, "registry"),
		Repository: rapid.SampledFrom([]string{"wash", "team/app", "a.io/wash", "b.io/a.io/wash", "a.io", "localhost/wash"}).Draw(t, "repository"),
	}
})

func TestPartitionsAreApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, n := anyName.Draw(t, "m"), anyName.Draw(t, "n")
		if x, y := store.Partition(m), store.Partition(n); (x == y) != (m == n) {
			t.Fatalf("partitions of %#v and %#v: %q and %q", m, n, x, y)
		}
		if got := store.NameOf(store.Partition(m)); got != m {
			t.Fatalf("NameOf(%q) = %#v, want %#v", store.Partition(m), got, m)
		}
		// A backend's own partitions begin with #.
		if strings.HasPrefix(store.Partition(m), "#") {
			t.Fatalf("Partition(%#v) = %q begins with #", m, store.Partition(m))
		}
	})
}

func TestPartitionsStay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name reference.Name
		want string
	}{
		{name: reference.Name{Repository: "wash"}, want: "wash"},
		{name: reference.Name{Repository: "a.io/wash"}, want: "a.io/wash"},
		{name: reference.Name{Registry: "a.io", Repository: "wash"}, want: "@a.io/wash"},
		{name: reference.Name{Registry: "[::1]:5000", Repository: "team/app"}, want: "@[::1]:5000/team/app"},
	} {
		if got := store.Partition(test.name); got != test.want {
			t.Errorf("Partition(%#v) = %q, want %q", test.name, got, test.want)
		}
	}
}

// TestGivenNameIsThatOfThePartition: each partition of a reference implies its given
// name.
func TestGivenNameIsThatOfThePartition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := pushOf("1", 0)
		p.Reference.Repository = rapid.SampledFrom([]string{"wash", "team/app", "a.io/wash"}).Draw(t, "repository")
		if name := rapid.SampledFrom([]string{"", "wash", "other"}).Draw(t, "given"); name != p.Reference.Repository {
			p.GivenName = name
		}
		for _, name := range p.Names() {
			if got := store.GivenNameIn(store.Partition(name), p.Reference); got != p.GivenName {
				t.Fatalf("GivenNameIn(%q, %s) = %q, want %q", store.Partition(name), p.Reference, got, p.GivenName)
			}
		}
	})
}

func TestDataVersion(t *testing.T) {
	t.Parallel()
	if store.DataVersion != 1 {
		t.Errorf("DataVersion = %d, want 1, the first release's", store.DataVersion)
	}
	if err := store.CheckDataVersion(1); err != nil {
		t.Errorf("CheckDataVersion(1): %v", err)
	}
	for _, test := range []struct {
		found int
		want  []string
	}{
		{found: 2, want: []string{"unsupported data version 2", "supports 1", "run a newer release", "a copy from before the upgrade"}},
		{found: 10, want: []string{"unsupported data version 10", "run a newer release"}},
		{found: 0, want: []string{"unsupported data version 0", "supports 1", "begin with a new store"}},
		{found: -1, want: []string{"begin with a new store"}},
	} {
		err := store.CheckDataVersion(test.found)
		if !errors.Is(err, store.ErrDataVersion) {
			t.Errorf("CheckDataVersion(%d): %v, want an ErrDataVersion", test.found, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("CheckDataVersion(%d): %v, want it to say %q", test.found, err, want)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("CheckDataVersion(%d): %v, want one line", test.found, err)
		}
	}
}

func BenchmarkKeysOf(b *testing.B) {
	p := pushOf("1.18.0-rc.1", 0)
	b.ReportAllocs()
	for b.Loop() {
		store.KeysOf(p)
	}
}
