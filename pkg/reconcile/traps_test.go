package reconcile_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry/acrtest"
)

// Without a Link, a page that was cut off looks like the last one.
func TestCutPageTakesNothingOut(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 30)
	l.acr.Set(func(r *acrtest.Rules) { r.MaxPage, r.NoLink = 20, true })
	r := l.run(reconcile.Options{})
	wantReport(t, "a cut page", r, reconcile.Report{Listed: 1, Incomplete: 1})
	l.wantKept("wash", 30)
}

// The tags on the pages before a failing one are stored; no other tag is deleted.
func TestFailingPageTakesNothingOut(t *testing.T) {
	t.Parallel()
	for page := range 3 {
		l := newLab(t)
		l.fill("wash", 30)
		l.push("wash", "0", "new", false)
		l.acr.Untag("wash", "1.000")
		l.acr.Set(func(r *acrtest.Rules) { r.MaxPage = 10 })
		pages := 0
		l.intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/_tags") {
				return false
			}
			if pages++; pages <= page {
				return false
			}
			acrtest.Fail(w, http.StatusInternalServerError, "UNKNOWN", "")
			return true
		})
		r := l.run(reconcile.Options{})
		wantReport(t, fmt.Sprintf("page %d fails", page), r, reconcile.Report{Listed: 1, Incomplete: 1, Pushed: min(page, 1)})
		l.intercept(nil)
		r = l.run(reconcile.Options{})
		wantReport(t, "after a failed page", r, reconcile.Report{Listed: 1, Pushed: 1 - min(page, 1), Deleted: 1})
		l.wantEqual("wash")
	}
}

// A tag may be pushed after the listing and before the delete of what was not listed.
func TestDeletesAreDatedBeforeTheListing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 3)
	l.acr.Untag("wash", "1.000")
	r := l.run(reconcile.Options{})
	wantReport(t, "an untag", r, reconcile.Report{Listed: 1, Deleted: 1})
	h, err := l.db.History(t.Context(), host, "wash")
	if err != nil {
		t.Fatal(err)
	}
	target := event.Target{Registry: host, Repository: "wash", Tag: "1.000"}
	if d := h.Deletes[target]; !d.DeletedAt.Equal(noon.Add(-15*time.Minute)) || !d.ReceivedAt.Equal(noon) {
		t.Errorf("deleted at %s, received at %s, want 15 minutes before %s", d.DeletedAt, d.ReceivedAt, noon)
	}
	l.deliver("wash", "1.000", "pushed again", noon.Add(-15*time.Minute+time.Nanosecond))
	l.wantKept("wash", 3)
	l.deliver("wash", "1.001", "late", noon.Add(-2*time.Hour))
	l.wantKept("wash", 3)
}

// A stored push whose time is within the margin may be newer than the listing.
func TestRecentPushIsKept(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("wash", 3)
	l.deliver("wash", "2", "not yet in this replica", noon.Add(-10*time.Minute))
	r := l.run(reconcile.Options{})
	wantReport(t, "a recent push", r, reconcile.Report{Listed: 1, Later: 1})
	l.wantKept("wash", 4)
	l.clock.Advance(6 * time.Minute)
	r = l.run(reconcile.Options{})
	wantReport(t, "a push that is not recent", r, reconcile.Report{Listed: 1, Deleted: 1})
	l.wantEqual("wash")
}

// Without a trusted time of the registry, nothing is known to be gone.
func TestUndatedAnswersTakeNothingOut(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]func(*acrtest.Rules){
		"no Date":      func(r *acrtest.Rules) { r.NoDate = true },
		"an Age":       func(r *acrtest.Rules) { r.Aged = true },
		"a fast clock": func(r *acrtest.Rules) { r.DateOffset = 6 * time.Minute },
		"a slow clock": func(r *acrtest.Rules) { r.DateOffset = -6 * time.Minute },
	} {
		l := newLab(t)
		l.fill("wash", 3)
		l.fill("gone", 2)
		l.acr.Untag("wash", "1.000")
		l.acr.DeleteRepository("gone")
		l.acr.Set(rule)
		r := l.run(reconcile.Options{Force: true})
		if r.Deleted != 0 || r.Complete() || r.Incomplete+r.Unsure < 2 {
			t.Errorf("%s: %+v, want nothing deleted and an incomplete run", name, r)
		}
		l.wantKept("wash", 3)
		l.wantKept("gone", 2)
		l.acr.Set(func(r *acrtest.Rules) { r.NoDate, r.Aged, r.DateOffset = false, false, 0 })
		r = l.run(reconcile.Options{})
		wantReport(t, "after "+name, r, reconcile.Report{Listed: 2, Deleted: 3})
	}
}

// A registry that asks for a pause ends the run. The next run continues.
func TestBusyRegistryEndsTheRun(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 6 {
		l.fill(fmt.Sprintf("r%d", i), 2)
		l.acr.Untag(fmt.Sprintf("r%d", i), "1.000")
	}
	l.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/acr/v1/r3") {
			return false
		}
		w.Header().Set("Retry-After", "600")
		acrtest.Fail(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "")
		return true
	})
	r := l.run(reconcile.Options{Concurrent: 1})
	wantReport(t, "busy", r, reconcile.Report{Listed: 3})
	if r.Stopped == nil || r.Finished || r.Complete() {
		t.Errorf("%+v, want a stopped run", r)
	}
	l.wantKept("r0", 2) // deletes come last
	l.intercept(nil)
	r = l.run(reconcile.Options{})
	wantReport(t, "the rest", r, reconcile.Report{Listed: 3, Deleted: 6})
	if !r.Resumed || !r.Complete() {
		t.Errorf("%+v, want a resumed, complete run", r)
	}
	l.wantEqual("r0", "r5")
}

// A repository is deleted by one event, dated before the answer.
func TestDeletedRepositoryGoes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.fill("gone", 3)
	l.fill("wash", 1)
	l.acr.DeleteRepository("gone")
	l.deliver("gone", "2", "new", noon.Add(-time.Minute))
	r := l.run(reconcile.Options{})
	wantReport(t, "a deleted repository", r, reconcile.Report{Listed: 2, Deleted: 3, Later: 1})
	l.wantKept("gone", 1) // the push is newer than what the answer proves
}
