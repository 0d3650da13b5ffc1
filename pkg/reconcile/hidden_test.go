package reconcile_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry/acrtest"
)

// listEnabled=false hides a tag from lists. The tag still exists.
func TestUnlistedTagIsKept(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 3)
	l.acr.SetListEnabled("wash", "1.001", false)
	r := l.run(reconcile.Options{})
	wantReport(t, "an unlisted tag", r, reconcile.Report{Listed: 1})
	l.wantEqual("wash")
	// A hidden tag may be deleted without changing the repository's attributes.
	l.acr.Untag("wash", "1.001")
	l.clock.Advance(time.Hour)
	r = l.run(reconcile.Options{})
	wantReport(t, "an unlisted tag that is gone", r, reconcile.Report{Listed: 1, Deleted: 1})
	l.wantEqual("wash")
}

// A run asks for an unlisted tag, and so notices that it moved.
func TestUnlistedTagIsCompared(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 3)
	l.clock.Advance(-30 * time.Minute)
	l.push("wash", "1.001", "moved", false)
	l.acr.SetListEnabled("wash", "1.001", false)
	l.clock.Advance(30 * time.Minute)
	r := l.run(reconcile.Options{})
	wantReport(t, "an unlisted tag that moved", r, reconcile.Report{Listed: 1, Pushed: 1})
	l.wantEqual("wash")
}

// Only a 404 whose code is about the tag proves that the tag is gone.
func TestUnsureAnswerKeepsTheTag(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"500":                   func(w http.ResponseWriter) { acrtest.Fail(w, http.StatusInternalServerError, "TAG_UNKNOWN", "") },
		"403":                   func(w http.ResponseWriter) { acrtest.Fail(w, http.StatusForbidden, "DENIED", "") },
		"a proxy's 404":         func(w http.ResponseWriter) { http.Error(w, "no such host", http.StatusNotFound) },
		"a 404 of another sort": func(w http.ResponseWriter) { acrtest.Fail(w, http.StatusNotFound, "NOT_FOUND", "") },
		"another tag":           func(w http.ResponseWriter) { fmt.Fprint(w, `{"imageName":"wash","tag":{"name":"1.001"}}`) },
		"an old 404": func(w http.ResponseWriter) {
			w.Header().Set("Age", "60")
			acrtest.Fail(w, http.StatusNotFound, "TAG_UNKNOWN", "")
		},
	} {
		l := newLab(t)
		l.fill("wash", 3)
		l.acr.Untag("wash", "1.000")
		l.intercept(func(w http.ResponseWriter, r *http.Request) bool {
			single := strings.Contains(r.URL.Path, "/_tags/")
			if single {
				answer(w)
			}
			return single
		})
		r := l.run(reconcile.Options{})
		wantReport(t, name, r, reconcile.Report{Listed: 1, UnsureTags: 1})
		l.wantKept("wash", 3)
		l.intercept(nil)
		r = l.run(reconcile.Options{})
		wantReport(t, "after "+name, r, reconcile.Report{Listed: 1, Deleted: 1})
	}
}

// A push may leave a repository's time unchanged for 1.4 s and more after another push.
func TestPushBehindTheRepositorysTimeIsSeen(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.push("wash", "1", "one", true)
	l.run(reconcile.Options{})
	l.clock.Advance(time.Second)
	l.push("wash", "1", "moved", false)
	l.clock.Advance(time.Hour)
	r := l.run(reconcile.Options{})
	wantReport(t, "a push within a second of another", r, reconcile.Report{Listed: 1, Pushed: 1})
	l.wantEqual("wash")
}

// Pushes with the registry's own time need no Date.
func TestPushesNeedNoDate(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.push("wash", "1", "one", false)
	l.acr.Set(func(r *acrtest.Rules) { r.NoDate = true })
	r := l.run(reconcile.Options{})
	wantReport(t, "a push without a Date", r, reconcile.Report{Listed: 1, Incomplete: 1, Pushed: 1})
	l.wantEqual("wash")
}

// The media type and the size from an event are kept. imageSize is not used for either.
func TestPushKeepsWhatTheEventTold(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 1)
	l.clock.Advance(-30 * time.Minute)
	l.push("wash", "1.000", "0", false) // the same digest, pushed again
	l.clock.Advance(30 * time.Minute)
	r := l.run(reconcile.Options{})
	wantReport(t, "pushed again", r, reconcile.Report{Listed: 1, Pushed: 1})
	h, err := l.db.History(t.Context(), host, "wash")
	if err != nil {
		t.Fatal(err)
	}
	p := h.Pushes["1.000"]
	if p.Size != 856 || p.MediaType == "" || !p.PushedAt.Equal(noon.Add(-30*time.Minute)) {
		t.Errorf("stored %+v, want 856 bytes of an index, pushed half an hour ago", p)
	}
}

// Signatures and other referrers have tags, too.
func TestIgnoredTagsAreNotStored(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	signature := "sha256-" + strings.Repeat("a", 64) + ".sig"
	l.push("wash", "1", "one", false)
	l.push("wash", signature, "signature", false)
	r := l.run(reconcile.Options{Ignored: func(tag string) bool { return tag == signature }})
	wantReport(t, "a signature", r, reconcile.Report{Listed: 1, Pushed: 1})
	l.wantKept("wash", 1)
}

// A catalogue may list repositories without tags.
func TestRepositoryWithoutTagsIsNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.push("wash", "1", "one", false)
	l.acr.Untag("wash", "1")
	r := l.run(reconcile.Options{})
	wantReport(t, "no tags", r, reconcile.Report{Listed: 1})
	if !r.Complete() {
		t.Errorf("%+v, want complete", r)
	}
}

// A restored tag has its old time.
func TestRestoredTagComesBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 1)
	digest, pushed := acrtest.Digest("0"), noon.Add(-time.Hour)
	l.acr.Untag("wash", "1.000")
	l.run(reconcile.Options{})
	l.wantKept("wash", 0)
	l.clock.Advance(time.Hour)
	l.acr.Restore("wash", "1.000", digest, pushed)
	l.clock.Advance(time.Hour)
	r := l.run(reconcile.Options{})
	wantReport(t, "a restore", r, reconcile.Report{Listed: 1, Pushed: 1})
	l.wantEqual("wash")
	if got, want := l.pushedAt("wash", "1.000"), l.clock.Now().Add(-15*time.Minute); !got.Equal(want) {
		t.Errorf("restored at %s, want %s", got, want)
	}
}

// The attributes may come from a replica that knows of an untag, and the list from one
// that does not. Later attributes do not differ.
func TestListOfAnotherReplicaSettlesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 3)
	stale := false
	l.acr.Set(func(r *acrtest.Rules) {
		r.Lag = func() time.Duration {
			if stale {
				return time.Minute
			}
			return 0
		}
	})
	l.acr.Untag("wash", "1.000")
	l.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		stale = strings.HasSuffix(r.URL.Path, "/_tags")
		return false
	})
	r := l.run(reconcile.Options{})
	wantReport(t, "a list from another replica", r, reconcile.Report{Listed: 1})
	l.intercept(nil)
	stale = false
	l.clock.Advance(time.Hour)
	r = l.run(reconcile.Options{})
	wantReport(t, "the next run", r, reconcile.Report{Listed: 1, Deleted: 1})
	l.wantEqual("wash")
}
