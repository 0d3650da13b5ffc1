// Package storetest checks that a backend keeps the contract of package store. Every
// backend passes this one suite. What is particular to a backend, such as the cost of a
// call, is tested in the backend's own package.
package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// Run runs the suite, its tests in parallel. open returns an empty store and closes
// it with t.Cleanup.
func Run(t *testing.T, open func(testing.TB) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"push is picked":                            pushIsPicked,
		"unknown name is not found":                 unknownName,
		"late push loses":                           latePushLoses,
		"repeated push changes nothing":             repeatedPush,
		"repository has the newest of registries":   newestOfAllRegistries,
		"registry answers alone":                    registryAlone,
		"path with a registry takes no other over":  pathWithARegistry,
		"names that begin alike are apart":          namesThatBeginAlike,
		"equal times have an order":                 equalTimes,
		"moved tag is the newest":                   movedTag,
		"newest is the tag that says most":          tagThatSaysMost,
		"no version means the last push":            noVersionMeansDate,
		"digest of another repository says nothing": digestsOfRepositoriesAreApart,
		"unknown digest says nothing":               unknownDigestSaysNothing,
		"deleted tag says nothing":                  deletedTagSaysNothing,
		"long digests are apart":                    longDigests,
		"only tags that match count":                matchCounts,
		"no match is told from no reference":        noMatch,
		"versions behind a prefix have an order":    versionsBehindAPrefix,
		"tag has the version of its digest":         versionOfATag,
		"versions have an order":                    versionOrders,
		"version ties go to the later push":         versionTies,
		"unknown fields stay unknown":               optionalFields,
		"longest reference":                         longestReference,
		"match reads a thousand references":         matchReadsAThousand,
		"match ends with its context":               matchEndsWithItsContext,
		"name given by hand is the only one":        namesGivenByHand,
		"delete by digest":                          deleteByDigest,
		"delete by tag":                             deleteByTag,
		"delete of a repository":                    deleteOfRepository,
		"delete removes what comes later but older": deleteBeforeItsPush,
		"older delete takes nothing from a newer":   olderDelete,
		"push after its delete is back":             pushAfterItsDelete,
		"delete of a digest spares a moved tag":     deleteOfMovedDigest,
		"catalogue lists by name":                   catalogue,
		"catalogue follows deletes":                 catalogueFollowsDeletes,
		"catalogue's pages stay right":              cataloguePagesStayRight,
		"catalogue lists by push":                   catalogueByPush,
		"pages by push stay right":                  pagesByPushStayRight,
		"catalogue has what a listing says":         listings,
		"catalogue is searched by words":            search,
		"entry has the highest version":             versionOfAnEntry,
		"entries come in the order of names":        entries,
		"newest push time is told":                  newestPushTime,
		"category has its members":                  categories,
		"members may be a registry's":               membersOfRegistries,
		"newest membership wins":                    newestMembership,
		"references come in pages":                  referencesInPages,
		"references that match come in pages":       matchingReferencesInPages,
		"pages of references stay right":            referencePagesStayRight,
		"events are what wins, and all of it":       eventsAreRegisters(open),
		"loop over events may write and end":        loopOverEvents,
		"states are no events":                      statesAreNoEvents,
		"history of a registry's repository":        historyOfARepository,
		"history is of the events":                  historyIsOfTheEvents,
		"many pushes at once are pushes":            pushAllIsPush,
		"newest of many pushes at once wins":        pushAllOfOneReference,
		"state is swapped":                          stateIsSwapped,
		"one writer of a state":                     oneWriterOfAState,
		"states of a registry":                      statesOfARegistry,
		"cancelled context":                         cancelledContext,
		"any order, any repeats":                    anyOrder,
		"many at once":                              manyAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

const registry = "wasmcloud.azurecr.io"

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

var orders = []store.Order{store.ByPushed, store.ByRelease, store.ByVersion}

// anywhere names a repository in any registry.
func anywhere(repository string) reference.Name { return reference.Name{Repository: repository} }

// in names a registry's repository.
func in(registry, repository string) reference.Name {
	return reference.Name{Registry: registry, Repository: repository}
}

func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// pushOf returns a push of registry/repository:tag with every optional field set.
func pushOf(registry, repository, tag string, digestOf int, at time.Time) event.Push {
	return event.Push{
		Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
		Digest:    digest(digestOf),
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Size:      2203,
		PushedAt:  at,
	}
}

// washOf returns a push of wash:tag at some seconds after noon.
func washOf(tag string, digestOf, seconds int) event.Push {
	return pushOf(registry, "wash", tag, digestOf, noon.Add(time.Duration(seconds)*time.Second))
}

// deleteOf returns a delete of a whole repository at some seconds after noon.
func deleteOf(repository string, seconds int) event.Delete {
	return event.Delete{
		Target:     event.Target{Registry: registry, Repository: repository},
		DeletedAt:  noon.Add(time.Duration(seconds) * time.Second),
		ReceivedAt: receipt,
	}
}

func deleteOfDigest(repository string, digestOf, seconds int) event.Delete {
	d := deleteOf(repository, seconds)
	d.Digest = digest(digestOf)
	return d
}

func deleteOfTag(repository, tag string, seconds int) event.Delete {
	d := deleteOf(repository, seconds)
	d.Tag = tag
	return d
}

func push(t *testing.T, s store.Writer, pushes ...event.Push) {
	t.Helper()
	for _, p := range pushes {
		if err := s.Push(t.Context(), p); err != nil {
			t.Fatalf("Push(%s): %v", p.Reference, err)
		}
	}
}

func wantDeleted(t *testing.T, s store.Writer, d event.Delete, want int) {
	t.Helper()
	got, err := s.Delete(t.Context(), d)
	if err != nil {
		t.Fatalf("Delete(%s): %v", d.Target, err)
	}
	if want := (store.Deleted{References: want}); got != want {
		t.Errorf("Delete(%s) = %+v, want %+v", d.Target, got, want)
	}
}

func categorize(t *testing.T, s store.Writer, m event.Member, removed bool, at time.Time) {
	t.Helper()
	if err := s.Categorize(t.Context(), event.Membership{Member: m, Removed: removed, At: at}); err != nil {
		t.Fatalf("Categorize(%v, removed %t): %v", m, removed, err)
	}
}

func wantPick(t *testing.T, s store.Reader, name reference.Name, order store.Order, want event.Push) {
	t.Helper()
	got, err := s.Pick(t.Context(), store.Query{Name: name, Order: order})
	if err != nil {
		t.Errorf("Pick(%s, %s): %v, want %s", name, order, err, want.Reference)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Pick(%s, %s): -want +got\n%s", name, order, diff)
	}
}

// wantNewest wants p to be the most recent push under both of its own names.
func wantNewest(t *testing.T, s store.Reader, p event.Push) {
	t.Helper()
	wantPick(t, s, anywhere(p.Reference.Repository), store.ByPushed, p)
	wantPick(t, s, in(p.Reference.Registry, p.Reference.Repository), store.ByPushed, p)
}

func wantNone(t *testing.T, s store.Reader, names ...reference.Name) {
	t.Helper()
	for _, name := range names {
		for _, order := range orders {
			got, err := s.Pick(t.Context(), store.Query{Name: name, Order: order})
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Pick(%s, %s) = %s, %v, want ErrNotFound", name, order, got.Reference, err)
			}
		}
	}
}

// pages reads all pages of a list and calls between before each except the first. Next
// must be empty on the last page and on no other.
func pages[T any](t *testing.T, limit int, read func(store.Span) (store.Page[T], error), between func()) (all []T) {
	t.Helper()
	span := store.Span{Limit: limit}
	for {
		page, err := read(span)
		if err != nil {
			t.Fatalf("page %+v: %v", span, err)
		}
		if len(page.Items) > limit {
			t.Fatalf("page %+v has %d items", span, len(page.Items))
		}
		if len(page.Items) == 0 && (span.After != "" || page.Next != "") {
			t.Fatalf("page %+v is empty, Next = %q", span, page.Next)
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		if page.Next == span.After {
			t.Fatalf("page %+v is followed by itself", span)
		}
		checkToken(t, page.Next)
		span.After = page.Next
		between()
	}
}

func nothing() {}

// checkToken wants a page token to be printable ASCII and short.
func checkToken(t *testing.T, token string) {
	t.Helper()
	if len(token) > 1024 {
		t.Errorf("Next has %d bytes, want at most 1024: %q", len(token), token)
	}
	for _, r := range token {
		if r < ' ' || r > '~' {
			t.Errorf("Next = %q, want printable ASCII", token)
			return
		}
	}
}

// anyOrder stores events in a random order with random repeats, and wants the store to
// answer as the model does.
func anyOrder(t *testing.T, s store.Store) {
	var cases atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		// Each case has its own repositories, since a new store would take longer.
		base := fmt.Sprintf("c%d-", cases.Add(1))
		events := rapid.SliceOfN(Large.Event(base), 1, 20).Draw(t, "events")
		for _, i := range rapid.Permutation(repeated(t, len(events))).Draw(t, "order") {
			if _, err := store.Apply(t.Context(), s, events[i]); err != nil {
				t.Fatalf("%v: %v", events[i], err)
			}
		}
		check(t, s, base, events)
	})
}

// manyAtOnce stores the same events from many goroutines.
func manyAtOnce(t *testing.T, s store.Store) {
	const goroutines = 8
	var cases atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		base := fmt.Sprintf("c%d-", cases.Add(1))
		events := rapid.SliceOfN(Large.Event(base), 2, 20).Draw(t, "events")
		orders := make([][]int, goroutines)
		for g := range orders {
			// At least one goroutine has a copy of each event.
			var mine []int
			for _, i := range repeated(t, len(events)) {
				if i%goroutines == g || rapid.IntRange(0, 3).Draw(t, "also") == 0 {
					mine = append(mine, i)
				}
			}
			orders[g] = rapid.Permutation(mine).Draw(t, "order")
		}
		var wg sync.WaitGroup
		errs := make([]error, goroutines)
		for g, order := range orders {
			wg.Go(func() {
				for _, i := range order {
					_, err := store.Apply(t.Context(), s, events[i])
					errs[g] = errors.Join(errs[g], err)
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		check(t, s, base, events)
	})
}

// repeated returns the numbers below n, some of them twice.
func repeated(t *rapid.T, n int) []int {
	var all []int
	for i := range n {
		for range rapid.IntRange(1, 2).Draw(t, "times") {
			all = append(all, i)
		}
	}
	return all
}
