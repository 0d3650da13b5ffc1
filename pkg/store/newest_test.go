package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// storetest checks what Pick answers, since every backend must answer the same. These
// tests check what Pick reads.

var wash = reference.Name{Repository: "wash"}

// A reader scans references in memory and records the scans.
type reader struct {
	pushes []event.Push
	scans  []store.Scan
	looked int                                    // how many references were read
	before func(store.Scan) ([]event.Push, error) // may change the result of a scan
}

func (r *reader) scan(_ context.Context, s store.Scan) iter.Seq2[event.Push, error] {
	return func(yield func(event.Push, error) bool) {
		r.scans = append(r.scans, s)
		pushes, err := r.pushes, error(nil)
		if r.before != nil {
			pushes, err = r.before(s)
		}
		if err != nil {
			yield(event.Push{}, err)
			return
		}
		key := func(p event.Push) string { return store.KeysOf(p)[s.Order] }
		pushes = slices.SortedFunc(slices.Values(pushes), func(p, q event.Push) int { return strings.Compare(key(q), key(p)) })
		for _, p := range pushes {
			if key(p) == "" || !strings.HasPrefix(key(p), s.Prefix) || s.Below != "" && key(p) >= s.Below {
				continue
			}
			r.looked++
			if !yield(p, nil) {
				return
			}
		}
	}
}

// scansOf are the scans of one Pick.
type scansOf []struct {
	order  store.Order
	atOnce int
}

func (r *reader) took() (scans scansOf) {
	for _, s := range r.scans {
		scans = append(scans, struct {
			order  store.Order
			atOnce int
		}{s.Order, s.AtOnce})
	}
	return scans
}

// TestPickScansTwiceForATagThatSaysLittle: for any other tag it scans once.
func TestPickScansTwiceForATagThatSaysLittle(t *testing.T) {
	t.Parallel()
	any := func(string) bool { return true }
	for _, test := range []struct {
		tag, digest string
		query       store.Query
		want        scansOf
	}{
		{tag: "1.0.0", digest: digestA, want: scansOf{{store.ByPushed, 1}}},
		{tag: "1.0.0.0", digest: digestA, want: scansOf{{store.ByPushed, 1}}},
		{tag: "v1.0.0-rc.1", digest: digestA, want: scansOf{{store.ByPushed, 1}}},
		{tag: "1.0.0", digest: digestA, query: store.Query{Match: any}, want: scansOf{{store.ByPushed, 91}}},
		{tag: "latest", digest: digestA, want: scansOf{{store.ByPushed, 1}, {store.ByDigest, 1}}},
		{tag: "latest", digest: "", want: scansOf{{store.ByPushed, 1}}},
		{tag: "1.0", digest: digestA, want: scansOf{{store.ByPushed, 1}, {store.ByDigest, 1}}},
		{tag: "1", digest: digestA, query: store.Query{Match: any}, want: scansOf{{store.ByPushed, 91}, {store.ByDigest, 91}}},
		{tag: "1.0", digest: digestA, query: store.Query{Order: store.ByRelease}, want: scansOf{{store.ByRelease, 1}}},
		{tag: "1.0", digest: digestA, query: store.Query{Order: store.ByVersion}, want: scansOf{{store.ByVersion, 1}}},
		{tag: "latest", digest: digestA, query: store.Query{Order: store.ByRelease}, want: scansOf{{store.ByRelease, 1}, {store.ByDigest, 1}}},
		{tag: "latest", digest: digestA, query: store.Query{Order: store.ByVersion}, want: scansOf{{store.ByVersion, 1}, {store.ByDigest, 1}}},
		{tag: "cli-1.0", digest: digestA, query: store.Query{Order: store.ByVersion, Match: any, Prefix: "cli-"}, want: scansOf{{store.ByVersion, 91}}},
		{tag: "cli-1.0", digest: digestA, query: store.Query{Match: any, Prefix: "cli-"}, want: scansOf{{store.ByPushed, 91}, {store.ByDigest, 91}}},
	} {
		r := &reader{pushes: []event.Push{withDigest(test.digest, pushOf(test.tag, 0))}}
		test.query.Name = wash
		if got, err := store.Scanner(r.scan).Pick(t.Context(), test.query); err != nil || got != r.pushes[0] {
			t.Errorf("Pick(%s) of %s = %s, %v", test.query.Order, test.tag, got.Reference, err)
		}
		if got := r.took(); !slices.Equal(got, test.want) {
			t.Errorf("Pick(%s) of %s with digest %q scans %v, want %v", test.query.Order, test.tag, test.digest, got, test.want)
		}
		for _, s := range r.scans {
			if want := store.DigestPrefix(event.Target{Registry: "a.io", Repository: "wash", Digest: digestA}); s.Order == store.ByDigest && s.Prefix != want {
				t.Errorf("Pick of %s scans with the prefix %q, want %q", test.tag, s.Prefix, want)
			}
		}
	}
}

// TestFirstIsTheAnswerIfItIsGone: all references with its digest are deleted between the
// two scans.
func TestFirstIsTheAnswerIfItIsGone(t *testing.T) {
	t.Parallel()
	latest := withDigest(digestA, pushOf("latest", 0))
	r := &reader{before: func(s store.Scan) ([]event.Push, error) {
		if s.Order == store.ByDigest {
			return nil, nil
		}
		return []event.Push{latest}, nil
	}}
	if got, err := store.Scanner(r.scan).Pick(t.Context(), store.Query{Name: wash}); err != nil || got != latest {
		t.Errorf("Pick = %s, %v, want %s", got.Reference, err, latest.Reference)
	}
}

// TestErrorsOfScansAreReturned: every method returns the error of each of its scans.
func TestErrorsOfScansAreReturned(t *testing.T) {
	t.Parallel()
	planted := errors.New("planted")
	latest := withDigest(digestA, pushOf("latest", 0))
	for _, order := range store.Indexes {
		r := &reader{before: func(s store.Scan) ([]event.Push, error) {
			if s.Order == order {
				return nil, planted
			}
			return []event.Push{latest}, nil
		}}
		scan := store.Scanner(r.scan)
		calls := map[string]func() error{
			"Pick ByPushed": func() error { _, err := scan.Pick(t.Context(), store.Query{Name: wash}); return err },
			"Pick ByRelease": func() error {
				_, err := scan.Pick(t.Context(), store.Query{Name: wash, Order: store.ByRelease})
				return err
			},
			"Pick ByVersion": func() error {
				_, err := scan.Pick(t.Context(), store.Query{Name: wash, Order: store.ByVersion})
				return err
			},
			"Versioned":  func() error { _, err := scan.Versioned(t.Context(), wash, latest); return err },
			"Entry":      func() error { _, err := scan.Entry(t.Context(), wash); return err },
			"References": func() error { _, err := scan.References(t.Context(), wash, nil, store.Span{Limit: 1}); return err },
		}
		fails := map[store.Order][]string{
			store.ByPushed:  {"Entry", "Pick ByPushed", "References"},
			store.ByRelease: {"Entry", "Pick ByRelease"},
			store.ByVersion: {"Pick ByVersion"},
			store.ByDigest:  {"Entry", "Pick ByPushed", "Pick ByRelease", "Pick ByVersion", "Versioned"},
		}[order]
		for name, call := range calls {
			if err := call(); errors.Is(err, planted) != slices.Contains(fails, name) {
				t.Errorf("%s where the scan of %s fails: %v", name, order, err)
			}
		}
	}
}

// TestPickLooksAtAThousand: both scans together look at a thousand references, and the
// first reads one more to see whether there are more. The best tag without a dot is
// stable.
func TestPickLooksAtAThousand(t *testing.T) {
	t.Parallel()
	withoutDot := func(tag string) bool { return !strings.Contains(tag, ".") }
	for _, test := range []struct {
		name         string
		newer, older int // numbers of references with the same digest, pushed after and before
		want         string
		looked       int
	}{
		{name: "a second scan that ends", newer: 400, older: 100, want: "stable", looked: 401 + 501},
		{name: "a second scan that is cut off", newer: 600, older: 100, want: "latest", looked: 601 + 399},
		{name: "no second scan", newer: 999, want: "latest", looked: 1000},
		{name: "none", newer: 1000, looked: 1001},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &reader{pushes: inOrder(digestA, pushOf("stable", 1), pushOf("latest", 2))}
			for i := range test.newer {
				r.pushes = append(r.pushes, withDigest(digestA, pushOf(fmt.Sprintf("2.0.%d", i), 10+i)))
			}
			for i := range test.older {
				r.pushes = append(r.pushes, withDigest(digestA, pushOf(fmt.Sprintf("1.0.%d", i), -10-i)))
			}
			got, err := store.Scanner(r.scan).Pick(t.Context(), store.Query{Name: wash, Match: withoutDot})
			if got.Reference.Tag != test.want {
				t.Errorf("Pick = %s, %v, want %s", got.Reference, err, test.want)
			}
			noMatch, ok := errors.AsType[*store.NoMatchError](err)
			if test.want == "" && (!ok || *noMatch != store.NoMatchError{Read: 1000, More: true}) {
				t.Errorf("Pick: %v, want a NoMatchError of 1,000 and more", err)
			}
			if r.looked != test.looked {
				t.Errorf("Pick looks at %d references, want %d", r.looked, test.looked)
			}
		})
	}
}

// TestOnlyAPrefixOfNoVersionIsCut: a prefix that may begin a version is not cut, so the
// first version is the answer, and Pick looks at no other reference.
func TestOnlyAPrefixOfNoVersionIsCut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		prefix string
		want   string // the answer among 1.9.1 and 1.10.0 behind the prefix
		looked int
	}{
		{prefix: "foo-", want: "foo-1.10.0", looked: 2},
		{prefix: "foo-v", want: "foo-v1.10.0", looked: 2},
		{prefix: "foo-1.", want: "foo-1.1.10.0", looked: 2},
		{prefix: "2023-", want: "2023-1.10.0", looked: 2}, // a version has two numbers
		{prefix: "V", want: "V1.10.0", looked: 2},
		{prefix: "vv", want: "vv1.10.0", looked: 2},
		{prefix: "1.2_a_", want: "1.2_a_1.10.0", looked: 2}, // build metadata has no _
		{prefix: "", want: "1.10.0", looked: 1},
		{prefix: "v", want: "v1.10.0", looked: 1},
		{prefix: "1", want: "11.10.0", looked: 1},
		{prefix: "1.", want: "1.1.10.0", looked: 1},
		{prefix: "v1.2.3.", want: "v1.2.3.1.10.0", looked: 1},
		{prefix: "1.2-", want: "1.2-1.10.0", looked: 1},
		{prefix: "1.2-rc.", want: "1.2-rc.1.10.0", looked: 1},
	} {
		higher, lower := pushOf(test.prefix+"1.10.0", 0), pushOf(test.prefix+"1.9.1", 1)
		for _, order := range []store.Order{store.ByRelease, store.ByVersion} {
			r := &reader{pushes: []event.Push{higher, lower}}
			q := store.Query{Name: wash, Order: order, Prefix: test.prefix, Match: func(tag string) bool { return strings.HasPrefix(tag, test.prefix) }}
			got, err := store.Scanner(r.scan).Pick(t.Context(), q)
			if err != nil || got.Reference.Tag != test.want {
				t.Errorf("Pick(%s) with the prefix %q = %s, %v, want %s", order, test.prefix, got.Reference, err, test.want)
			}
			if r.looked != test.looked {
				t.Errorf("Pick(%s) with the prefix %q looks at %d references, want %d", order, test.prefix, r.looked, test.looked)
			}
		}
	}
}

func TestPageEndsAfterAThousand(t *testing.T) {
	t.Parallel()
	r := &reader{}
	for i := range 2001 {
		r.pushes = append(r.pushes, pushOf(fmt.Sprintf("1.%d", i), i))
	}
	onlyTag := func(want string) func(string) bool { return func(tag string) bool { return tag == want } }
	for _, test := range []struct {
		name   string
		match  func(string) bool
		limit  int
		pages  []int // number of references on each page
		looked int
	}{
		{name: "none matches", match: onlyTag("none"), limit: 10, pages: []int{0, 0, 0}, looked: 1001 + 1001 + 1},
		{name: "the last matches", match: onlyTag("1.0"), limit: 10, pages: []int{0, 0, 1}, looked: 1001 + 1001 + 1},
		{name: "the thousandth matches", match: onlyTag("1.1001"), limit: 10, pages: []int{1, 0, 0}, looked: 1001 + 1001 + 1},
		{name: "the next matches", match: onlyTag("1.1000"), limit: 10, pages: []int{0, 1, 0}, looked: 1001 + 1001 + 1},
		{name: "the limit is reached", match: func(tag string) bool { return len(tag) < len("1.1000") }, limit: 999, pages: []int{0, 999, 1}, looked: 1001 + 1001 + 1},
		{name: "no condition", limit: 2000, pages: []int{2000, 1}, looked: 2002},
	} {
		r.looked = 0
		var pages []int
		for span := (store.Span{Limit: test.limit}); ; {
			page, err := store.Scanner(r.scan).References(t.Context(), wash, test.match, span)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, len(page.Items))
			if span.After = page.Next; span.After == "" {
				break
			}
		}
		if !slices.Equal(pages, test.pages) || r.looked != test.looked {
			t.Errorf("%s: pages of %v references, looked at %d, want %v and %d", test.name, pages, r.looked, test.pages, test.looked)
		}
	}
}
