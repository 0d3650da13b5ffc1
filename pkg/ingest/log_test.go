package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// A dying store never answers: each call passes its event to called, and panics.
type dying struct {
	*recorder
	called func(event.Event)
}

func (d dying) Push(_ context.Context, p event.Push) error {
	d.called(event.Event{Push: &p})
	panic("dead")
}

func (d dying) Delete(_ context.Context, del event.Delete) (store.Deleted, error) {
	d.called(event.Event{Delete: &del})
	panic("dead")
}

func (d dying) Categorize(_ context.Context, m event.Membership) error {
	d.called(event.Event{Membership: &m})
	panic("dead")
}

// TestEventIsInTheLogBeforeItIsStored lets the store die with each kind of event, and
// stores the event again from the log. The log contains neither a token nor a query
// string.
func TestEventIsInTheLogBeforeItIsStored(t *testing.T) {
	t.Parallel()
	settings := ingest.Settings{Tokens: []ingest.TokenHash{hash("geheim")}}
	for name, c := range map[string]struct {
		method, target, body, ceType string
		byHand                       bool // the log shows the event as package event writes it
	}{
		"push":                  {method: "POST", target: "/api/azurehook", body: push},
		"push in many lines":    {method: "POST", target: "/api/azurehook", body: strings.ReplaceAll(push, ",", ",\n\t")},
		"push with markup":      {method: "POST", target: "/api/azurehook", body: change(`"action"`, `"note":"<a&b>\u2028","action"`)},
		"delete":                {method: "POST", target: "/api/azurehook", body: deletion()},
		"in an array":           {method: "POST", target: "/api/azurehook", body: batch(push)},
		"delete in binary mode": {method: "POST", target: "/api/azurehook", body: change(`"action":"push",`, ""), ceType: "Microsoft.ContainerRegistry.ImageDeleted"},
		"push by hand":          {method: "PUT", target: byHand, body: `{"name":"app","digest":"` + digest + `"}`, byHand: true},
		"delete by hand":        {method: "DELETE", target: byHand + "?name=app", byHand: true},
		"member put":            {method: "PUT", target: official, byHand: true},
		"member removed":        {method: "DELETE", target: official, byHand: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at2026(t, func(t *testing.T, _ time.Time) {
				var log []byte // the log when the store is called
				var lost []event.Event
				var s server
				s = newServer(settings, dying{&recorder{}, func(e event.Event) {
					log, lost = slices.Clone(s.log.Bytes()), append(lost, e)
				}})
				r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
				r = r.WithContext(requestlog.WithID(r.Context(), "id-1"))
				r.Header.Set("Authorization", "Bearer geheim")
				r.Header.Set("X-Other", "secret")
				if c.ceType != "" {
					r.Header.Set("ce-specversion", "1.0")
					r.Header.Set("ce-type", c.ceType)
				}
				s.serve(r)
				if len(lost) != 1 {
					t.Fatalf("the store got %v, want one event", lost)
				}
				lines := linesOf(t, log, "event")
				if len(lines) != 1 {
					t.Fatalf("log = %s, want one line for the event", log)
				}
				if level, id := lines[0]["level"], lines[0]["requestId"]; level != "INFO" || id != "id-1" {
					t.Errorf("level %v, requestId %v, want INFO, id-1", level, id)
				}
				raw, err := json.Marshal(lines[0]["event"])
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(lost, readAgain(t, raw, c.byHand)); diff != "" {
					t.Errorf("events: -stored +read from the log\n%s", diff)
				}
				for _, secret := range []string{"geheim", "secret", "name="} {
					if strings.Contains(s.log.String(), secret) {
						t.Errorf("%q is in the log: %s", secret, s.log)
					}
				}
			})
		})
	}
}

// readAgain returns the events in a logged event: a webhook, or JSON of package event.
func readAgain(t *testing.T, raw []byte, byHand bool) []event.Event {
	t.Helper()
	if byHand {
		var e event.Event
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return []event.Event{e}
	}
	again := &recorder{}
	if w := newServer(anyone, again).post(string(raw)); w.Code != 200 {
		t.Errorf("%s sent again = %d %q, want 200", raw, w.Code, w.Body)
	}
	return again.events
}

// TestOnlyStoredEventsAreLogged: each of them once.
func TestOnlyStoredEventsAreLogged(t *testing.T) {
	t.Parallel()
	settings := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"wasmcloud.azurecr.io"}}
	s := newServer(settings, &recorder{})
	evil := change("wasmcloud", "evil")
	s.post(batch(push, `{"action":"ping"}`, "{}", evil, change("0.18.1", "2"), deletion(), `{"action":"x"}`))
	var got []string
	for _, line := range s.lines(t, "event") {
		raw, err := json.Marshal(line["event"])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range readAgain(t, raw, false) {
			got = append(got, e.String())
		}
	}
	slices.Sort(got)
	want := []string{
		"delete wasmcloud.azurecr.io/wash@" + digest + " at 2023-07-03T14:56:52.060421800Z",
		"push wasmcloud.azurecr.io/wash:0.18.1@" + digest + " at 2023-07-03T14:56:52.060421800Z",
		"push wasmcloud.azurecr.io/wash:2@" + digest + " at 2023-07-03T14:56:52.060421800Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events in the log: -want +got\n%s", diff)
	}
	if lost := s.lines(t, "event not stored"); len(lost) > 0 {
		t.Errorf("logged as not stored: %v", lost)
	}
	for _, target := range []string{"/api/references/evil.azurecr.io/wash:1", "/api/references/wash:1", "/api/categories/A/wash"} {
		before := s.log.Len()
		s.do("PUT", target, "")
		if lines := linesOf(t, s.log.Bytes()[before:], "event"); len(lines) > 0 {
			t.Errorf("PUT %s logged %v, want nothing", target, lines)
		}
	}
}

func TestLogOfARequestWithoutIDHasNone(t *testing.T) {
	t.Parallel()
	s := newServer(anyone, broken)
	s.post(push)
	if strings.Contains(s.log.String(), "requestId") {
		t.Errorf("log = %s, want no requestId", s.log)
	}
}

// hangs is a store that hangs and counts the calls.
type hangs struct {
	fails
	calls *atomic.Int32
}

func (h hangs) Push(ctx context.Context, p event.Push) error {
	h.calls.Add(1)
	return h.fails.Push(ctx, p)
}

// TestEventAfterTheDeadlineIsNotTried: if the first events of a batch use up the time,
// the store does not get the others. The log shows an event that was tried before and
// after the attempt, and any other event once, always whole.
func TestEventAfterTheDeadlineIsNotTried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const events, tried = 100, 16
		db := hangs{calls: &atomic.Int32{}}
		s := newServer(anyone, db)
		w := s.post(manyPushes(events))
		wantAnswer(t, "the batch", w, 500, strings.Repeat(notStored+"\n", events-1)+notStored)
		if n := db.calls.Load(); n != tried {
			t.Errorf("the store was called %d times, want %d", n, tried)
		}
		begun := tags(t, s.lines(t, "event"))
		if len(begun) != tried {
			t.Errorf("%d events are logged before they were stored, want %d", len(begun), tried)
		}
		lost := s.lines(t, "event not stored")
		all := tags(t, lost)
		slices.Sort(all)
		if len(slices.Compact(all)) != events {
			t.Errorf("%d events are logged as not stored, want %d", len(slices.Compact(all)), events)
		}
		for _, line := range lost {
			want := "not tried: context deadline exceeded"
			if slices.Contains(begun, tags(t, []map[string]any{line})[0]) {
				want = "context deadline exceeded"
			}
			if line["err"] != want || line["level"] != "ERROR" {
				t.Errorf("level %v, err %v of %v, want ERROR, %s", line["level"], line["err"], line["event"], want)
			}
		}
	})
}

// TestLongBatchStopsInTimeToReport: the more events are left at the end, the more time
// their log lines and the answer need, and that time is part of the deadline.
func TestLongBatchStopsInTimeToReport(t *testing.T) {
	t.Parallel()
	for events, want := range map[int]time.Duration{
		1:    2999800 * time.Microsecond,
		100:  2980 * time.Millisecond,
		5000: 2 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			body := batch(slices.Repeat([]string{`{"target":{"repository":"w","tag":"1"},"request":{"host":"a.io"}}`}, events)...)
			if w := newServer(anyone, hanging).post(body); w.Code != 500 {
				t.Errorf("%d events: status %d, want 500", events, w.Code)
			}
			if took := time.Since(begin); took != want {
				t.Errorf("%d events: the store had %s, want %s", events, took, want)
			}
		})
	}
}

// tags returns the tag of the push in each log line.
func tags(t *testing.T, lines []map[string]any) (all []string) {
	t.Helper()
	for _, line := range lines {
		raw, err := json.Marshal(line["event"])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range readAgain(t, raw, false) {
			all = append(all, e.Push.Reference.Tag)
		}
	}
	return all
}

// TestNothingIsTriedOnceTheSenderIsGone: a request may end before its deadline.
func TestNothingIsTriedOnceTheSenderIsGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("gone"))
	db := &recorder{}
	s := newServer(anyone, db)
	r := httptest.NewRequest("POST", "/api/azurehook", strings.NewReader(push)).WithContext(ctx)
	wantAnswer(t, "a push", s.serve(r), 500, notStored)
	if len(db.events) > 0 {
		t.Errorf("stored %v, want nothing", db.events)
	}
	if lost := s.lines(t, "event not stored"); len(lost) != 1 || lost[0]["err"] != "not tried: context canceled" {
		t.Errorf("lost events in the log = %v, want one with not tried: context canceled", lost)
	}
}
