package storetest

import (
	"fmt"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

func deleteByDigest(t *testing.T, s store.Store) {
	kept := washOf("1", 1, 0)
	elsewhere := washOf("2", 2, -1)
	elsewhere.Reference.Registry = "other.azurecr.io"
	push(t, s, kept, washOf("2", 2, 1), washOf("latest", 2, 2), elsewhere)
	d := deleteOfDigest("wash", 2, 60)
	wantDeleted(t, s, d, 2)
	for _, order := range orders {
		wantPick(t, s, in(registry, "wash"), order, kept)
	}
	wantPick(t, s, anywhere("wash"), store.ByPushed, kept)
	wantPick(t, s, in("other.azurecr.io", "wash"), store.ByPushed, elsewhere)
	wantDeleted(t, s, d, 0)
	beside := deleteOfDigest("wash", 1, 60)
	beside.Tag = "another" // a tag beside a digest does not count
	wantDeleted(t, s, beside, 1)
	wantNone(t, s, in(registry, "wash"))
	wantPick(t, s, anywhere("wash"), store.ByPushed, elsewhere)
}

func deleteByTag(t *testing.T, s store.Store) {
	kept := washOf("1", 1, 0)
	push(t, s, kept, washOf("11", 1, 1))
	wantDeleted(t, s, deleteOfTag("wash", "11", 60), 1)
	wantNewest(t, s, kept)
	wantDeleted(t, s, deleteOfTag("wash", "11", 60), 0)
	wantDeleted(t, s, deleteOfTag("wash", "11", 61), 0)
	wantDeleted(t, s, deleteOfTag("wash", "2", 60), 0)
	wantNewest(t, s, kept)
}

func deleteOfRepository(t *testing.T, s store.Store) {
	for i := range 40 {
		push(t, s, washOf(fmt.Sprintf("0.%d", i), i, i))
	}
	later := washOf("1.0", 1, 3600)
	push(t, s, later)
	wantDeleted(t, s, deleteOf("wash", 60), 40)
	wantPick(t, s, anywhere("wash"), store.ByRelease, later)
	wantDeleted(t, s, deleteOf("wash", 60), 0)
	wantDeleted(t, s, deleteOf("wash", 3600), 1)
	wantNone(t, s, anywhere("wash"), in(registry, "wash"))
}

// covering returns a delete of each kind of target that covers wash:1 with digest 1, each
// in its own repository.
func covering(seconds int) []event.Delete {
	return []event.Delete{
		deleteOfDigest("of-digest", 1, seconds),
		deleteOfTag("of-tag", "1", seconds),
		deleteOf("of-repository", seconds),
	}
}

func deleteBeforeItsPush(t *testing.T, s store.Store) {
	for _, d := range covering(0) {
		t.Run(d.Repository, func(t *testing.T) {
			wantDeleted(t, s, d, 0)
			p := pushOf(registry, d.Repository, "1", 1, d.DeletedAt)
			older, newer := p, p
			older.PushedAt, newer.PushedAt = p.PushedAt.Add(-1), p.PushedAt.Add(1)
			push(t, s, older)
			wantNone(t, s, anywhere(d.Repository), in(registry, d.Repository))
			push(t, s, p) // equal times: the delete wins
			wantNone(t, s, anywhere(d.Repository), in(registry, d.Repository))
			push(t, s, newer)
			wantNewest(t, s, newer)
		})
	}
	// Without a digest, only the other two can cover it.
	for _, d := range covering(0)[1:] {
		t.Run(d.Repository+", push without digest", func(t *testing.T) {
			d.Repository += "-without-digest"
			wantDeleted(t, s, d, 0)
			p := pushOf(registry, d.Repository, "1", 1, d.DeletedAt)
			p.Digest = ""
			push(t, s, p)
			wantNone(t, s, anywhere(d.Repository), in(registry, d.Repository))
			p.PushedAt = p.PushedAt.Add(1)
			push(t, s, p)
			wantNewest(t, s, p)
		})
	}
}

// olderDelete stores a delete, an older one of the same target, and a push from between
// their times.
func olderDelete(t *testing.T, s store.Store) {
	for i, newer := range covering(10) {
		t.Run(newer.Repository, func(t *testing.T) {
			older := covering(5)[i]
			between := pushOf(registry, newer.Repository, "1", 1, older.DeletedAt.Add(1))
			wantDeleted(t, s, newer, 0)
			wantDeleted(t, s, older, 0)
			push(t, s, between)
			wantNone(t, s, anywhere(newer.Repository), in(registry, newer.Repository))
			last := pushOf(registry, newer.Repository, "1", 1, newer.DeletedAt.Add(1))
			push(t, s, last)
			wantNewest(t, s, last)
		})
	}
}

func pushAfterItsDelete(t *testing.T, s store.Store) {
	push(t, s, washOf("1", 1, 0))
	wantDeleted(t, s, deleteOfDigest("wash", 1, 1), 1)
	again := washOf("1", 1, 2)
	push(t, s, again)
	for _, order := range orders {
		wantPick(t, s, anywhere("wash"), order, again)
		wantPick(t, s, in(registry, "wash"), order, again)
	}
	wantDeleted(t, s, deleteOfDigest("wash", 1, 1), 0)
	wantNewest(t, s, again)
	wantDeleted(t, s, deleteOfDigest("wash", 1, 3), 1)
	wantNone(t, s, anywhere("wash"), in(registry, "wash"))
}

// deleteOfMovedDigest: the delete of a digest removes a tag only while the tag has that
// digest. A later push of the tag with another digest is live, even though it is older
// than the delete.
func deleteOfMovedDigest(t *testing.T, s store.Store) {
	push(t, s, washOf("1", 1, 0))
	d := deleteOfDigest("wash", 1, 3600)
	wantDeleted(t, s, d, 1)
	moved := washOf("1", 2, 1)
	push(t, s, moved)
	wantNewest(t, s, moved)
	wantDeleted(t, s, d, 0)
	wantNewest(t, s, moved)
}

// newestPushTime wants the time of a reference's newest push, deleted or not, and never
// that of another reference.
func newestPushTime(t *testing.T, s store.Store) {
	given := washOf("1", 1, 30)
	given.GivenName = "other"
	elsewhere := washOf("1", 1, 40)
	elsewhere.Reference.Registry = "other.azurecr.io"
	push(t, s, washOf("1", 1, 10), washOf("1", 2, 20), washOf("1", 1, 15), washOf("11", 1, 50), given, elsewhere)
	target := event.Target{Registry: registry, Repository: "wash", Tag: "1"}
	wantPushedAt(t, s, target, noon.Add(20*time.Second))
	target.GivenName = "other"
	wantPushedAt(t, s, target, noon.Add(30*time.Second))
	wantDeleted(t, s, deleteOf("wash", 60), 2)
	wantPushedAt(t, s, event.Target{Registry: registry, Repository: "wash", Tag: "11"}, noon.Add(50*time.Second))
	wantPushedAt(t, s, event.Target{Registry: registry, Repository: "wash", Tag: "2"}, time.Time{})
	wantPushedAt(t, s, event.Target{Registry: registry, Repository: "never", Tag: "1"}, time.Time{})
}

func wantPushedAt(t *testing.T, s store.Writer, target event.Target, want time.Time) {
	t.Helper()
	got, err := s.PushedAt(t.Context(), target)
	if err != nil || !got.Equal(want) {
		t.Errorf("PushedAt(%s as %q) = %s, %v, want %s", target, target.GivenName, got, err, want)
	}
}
