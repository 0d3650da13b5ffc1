package webhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/webhook"
	"ocireffer/pkg/webhook/webhooktest"
)

// now is the time of receipt.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func noHeaders(string) string { return "" }

// parseOne returns the only item in a body sent without headers.
func parseOne(t *testing.T, body string) webhook.Item {
	t.Helper()
	return parseWith(t, body, nil)
}

// parseWith returns the only item in a body sent with these headers.
func parseWith(t *testing.T, body string, header http.Header) webhook.Item {
	t.Helper()
	items, err := webhook.Parse([]byte(body), webhook.Delivery{Header: header.Get, Now: now})
	if err != nil {
		t.Fatalf("Parse(%s): %v", body, err)
	}
	if len(items) != 1 {
		t.Fatalf("Parse(%s) = %d items, want 1", body, len(items))
	}
	return items[0]
}

func TestBodiesWithoutEventsAreRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"target":`, 20000) + "1" + strings.Repeat("}", 20000)
	for name, c := range map[string]struct{ body, want string }{
		"empty":           {body: "", want: "the body is not JSON"},
		"not JSON":        {body: "x", want: "the body is not JSON"},
		"cut":             {body: `{"action":"push","target":{"repo`, want: "the body is not JSON"},
		"two bodies":      {body: `{"action":"ping"}{"action":"ping"}`, want: "the body is not JSON"},
		"too deep":        {body: deep, want: "the body is not JSON"},
		"not UTF-8":       {body: "{\"action\":\"\xff\"}", want: "the body is not UTF-8"},
		"empty array":     {body: "[]", want: "the body is an empty array"},
		"too many events": {body: "[" + strings.Repeat("1,", webhook.MaxBatch) + "1]", want: "the body has more than 5000 events"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, err := webhook.Parse([]byte(c.body), webhook.Delivery{Header: noHeaders, Now: now})
			if err == nil || err.Error() != c.want {
				t.Errorf("Parse = %d items, error %v, want %q", len(items), err, c.want)
			}
		})
	}
}

func TestBodiesOtherThanObjectsAreRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`"push"`, "1", "null", "true", "[null]", "[[]]", "[7]"} {
		if item := parseOne(t, body); item.Err == nil || item.Err.Error() != "the event is not an object" {
			t.Errorf("Parse(%s): error %v, want the event is not an object", body, item.Err)
		}
	}
}

func TestBatchMayHave5000Events(t *testing.T) {
	t.Parallel()
	if webhook.MaxBatch != 5000 {
		t.Errorf("MaxBatch = %d, want 5000, the most that Event Grid sends", webhook.MaxBatch)
	}
	body := `[` + strings.Repeat(`{"action":"ping"},`, 4999) + `{"action":"ping"}]`
	items, err := webhook.Parse([]byte(body), webhook.Delivery{Header: noHeaders, Now: now})
	if err != nil || len(items) != 5000 {
		t.Fatalf("Parse of 5000 events = %d items, %v", len(items), err)
	}
	for i, item := range items {
		if item.Answer.Outcome != webhook.Pong {
			t.Fatalf("item %d = %+v, want a pong", i, item)
		}
	}
}

// TestEnvelopesOfTooMuchAreNotTakenApart: their events repeat what they share, so that a
// body of 1 MiB could become gigabytes.
func TestEnvelopesOfTooMuchAreNotTakenApart(t *testing.T) {
	t.Parallel()
	const tooMany, tooLarge = "the body has more than 5000 events", "the events of the body would have more than 8388608 bytes, each with what they share"
	list := func(n int, item string) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	quayOf := func(tags int, shared string) string {
		return `{"docker_url":"quay.io/a/b","x":"` + shared + `","updated_tags":` + list(tags, `"1"`) + `}`
	}
	quay := func(tags, shared int) string { return quayOf(tags, strings.Repeat("x", shared)) }
	harbor := func(resources, shared int) string {
		return `{"type":"PUSH_ARTIFACT","x":"` + strings.Repeat("x", shared) + `","event_data":{"repository":{"repo_full_name":"a/b"},"resources":` + list(resources, `{"tag":"1","resource_url":"h.io/a/b:1"}`) + `}}`
	}
	distribution := func(events int) string { return `{"events":` + list(events, "{}") + `}` }
	for name, c := range map[string]struct {
		body  string
		items int
		want  string // of the only item, or of the body; empty: it is taken apart
	}{
		"Quay, 5,000":               {body: quay(5000, 1000), items: 5000},
		"Quay, 5,001":               {body: quay(5001, 0), items: 1, want: tooMany},
		"Quay, more shared":         {body: quay(5000, 2000), items: 1, want: tooLarge},
		"Quay, few and much shared": {body: quay(8, 1e6), items: 8},
		"Quay, shared and escaped":  {body: quayOf(20, strings.Repeat("<", 1e5)), items: 1, want: tooLarge}, // each as \u003c
		"Harbor, 5,000":             {body: harbor(5000, 1000), items: 5000},
		"Harbor, 5,001":             {body: harbor(5001, 0), items: 1, want: tooMany},
		"Harbor, more shared":       {body: harbor(5000, 2000), items: 1, want: tooLarge},
		"Distribution, 5,000":       {body: distribution(5000), items: 5000},
		"Distribution, 5,001":       {body: distribution(5001), items: 1, want: tooMany},
		"batch of envelopes":        {body: list(2, distribution(2500)), items: 5000},
		"batch of too many":         {body: list(2, distribution(2501)), want: tooMany},
		"batch of long ones":        {body: list(2, quay(100, 50_000)), want: tooLarge},
	} {
		items, err := webhook.Parse([]byte(c.body), webhook.Delivery{Header: noHeaders, Now: now})
		if len(items) != c.items {
			t.Errorf("%s: %d items, want %d", name, len(items), c.items)
		}
		if c.items == 1 {
			err = items[0].Err
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestBatchKeepsOrderAndSkipsBadEvents(t *testing.T) {
	t.Parallel()
	events := []string{`{"action":"ping"}`, `7`, `{"eventType":"x"}`, native("push", `{"repository":"wash","tag":"1"}`), `{}`}
	items, err := webhook.Parse([]byte("[ "+strings.Join(events, " , ")+" ]"), webhook.Delivery{Header: noHeaders, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var got, raw []string
	for _, item := range items {
		raw = append(raw, string(item.Raw))
		switch {
		case item.Err != nil:
			got = append(got, item.Err.Error())
		case item.Event.IsZero():
			got = append(got, item.Answer.Text)
		default:
			got = append(got, item.Event.String())
		}
	}
	want := []string{
		"pong",
		"the event is not an object",
		`Ignored: event type "x"`,
		"push wasmcloud.azurecr.io/wash:1@ at 2023-07-03T14:56:52.060421800Z",
		"action and target are missing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(events, raw); diff != "" {
		t.Errorf("Raw: -want +got\n%s", diff)
	}
}

// TestBatchIsNeverReadInBinaryMode: the shape of the body decides.
func TestBatchIsNeverReadInBinaryMode(t *testing.T) {
	t.Parallel()
	header := binaryMode("Microsoft.ContainerRegistry.ImagePushed")
	item := parseWith(t, `[{"action":"ping"}]`, header)
	if item.Answer.Outcome != webhook.Pong {
		t.Errorf("batch: %+v, want a pong", item)
	}
	if item := parseWith(t, `7`, header); string(item.Raw) != "7" {
		t.Errorf("Raw = %s, want 7: only an object is the data of a CloudEvent", item.Raw)
	}
}

// TestRawKeepsBinaryModeHeaders: a logged event can still be told from others.
func TestRawKeepsBinaryModeHeaders(t *testing.T) {
	t.Parallel()
	header := binaryMode("x")
	header.Set("ce-id", "1")
	header.Set("ce-source", "/registries/a")
	header.Set("ce-subject", "wash:1")
	header.Set("ce-other", "not kept")
	const want = `{"data":{"a":1},"id":"1","source":"/registries/a","specversion":"1.0","subject":"wash:1","time":"` + envelopeTime + `","type":"x"}`
	if got := parseWith(t, `{"a":1}`, header).Raw; string(got) != want {
		t.Errorf("Raw = %s, want %s", got, want)
	}
}

// FuzzParse checks each item of any body: it has exactly one of an event, an answer and
// an error; its event can be stored; its event as a line of JSON is the same event; and
// its Raw, sent by itself and without headers, gives the same item.
func FuzzParse(f *testing.F) {
	for _, body := range sampleBodies(f) {
		f.Add(body, "", "")
	}
	for _, s := range webhooktest.Samples(f) {
		f.Add(s.Body, s.Header["ce-type"], s.Registry)
	}
	f.Add([]byte(native("delete", `{"repository":"wash"}`)), "Microsoft.ContainerRegistry.ImageDeleted", "")
	f.Add([]byte(native("push", `{"repository":"wash","tag":"1","digest":"`+digest+`","size":7,"mediaType":"a/b"}`)), "Microsoft.ContainerRegistry.ImagePushed", "")
	f.Add([]byte(`{"timestamp":"0001-01-01T00:00:00Z","target":{"repository":"wash","tag":"1"},"request":{"host":"[::1]:5000"}}`), "", "")
	f.Add([]byte(`{"timestamp":"0000-01-01T00:00:00Z","action":"delete","target":{"repository":"localhost/wash","tag":"1"},"request":{"host":"localhost"}}`), "", "")
	f.Add([]byte(`[{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ImagePushed","data":null}]`), "", "")
	f.Fuzz(func(t *testing.T, body []byte, ceType, registry string) {
		if parsed, err := reference.ParseRegistry(registry); err != nil || parsed != registry {
			registry = ""
		}
		header := http.Header{}
		if ceType != "" {
			header = binaryMode(ceType)
		}
		d := webhook.Delivery{Header: header.Get, Registry: registry, Now: now}
		items, err := webhook.Parse(body, d)
		if again, errAgain := webhook.Parse(body, d); cmp.Diff(items, again, sameText) != "" || (err == nil) != (errAgain == nil) {
			t.Errorf("parsed twice: %v, %v and %v, %v", items, err, again, errAgain)
		}
		if (err == nil) == (len(items) == 0) {
			t.Fatalf("%d items and error %v", len(items), err)
		}
		for _, item := range items {
			checkItem(t, item)
			checkEvent(t, item.Event)
			checkSentAgain(t, item, registry, now)
		}
	})
}

// sameText treats two errors as equal if their texts are.
var sameText = cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })

// checkItem checks that exactly one field of item is set, and that the sender gets one
// line about it.
func checkItem(t *testing.T, item webhook.Item) {
	t.Helper()
	set := 0
	text := item.Answer.Text
	if !item.Event.IsZero() {
		set++
	}
	if item.Answer != (webhook.Answer{}) {
		set++
	}
	if item.Err != nil {
		set++
		text = item.Err.Error()
	}
	if set != 1 {
		t.Errorf("%d of event, answer and error are set: %+v", set, item)
	}
	if !json.Valid(item.Raw) {
		t.Errorf("Raw = %s, want JSON", item.Raw)
	}
	if item.Event.IsZero() && text == "" {
		t.Errorf("no text for the sender: %+v", item)
	}
	if strings.ContainsAny(text, "\n\r") {
		t.Errorf("more than one line: %q", text)
	}
}

// checkEvent checks the properties of e that every backend relies on.
func checkEvent(t *testing.T, e event.Event) {
	t.Helper()
	var at time.Time
	switch {
	case e.IsZero():
		return
	case e.Push != nil:
		at = e.Push.PushedAt
		if e.Push.Reference.Tag == "" || e.Push.Reference.Repository == "" {
			t.Errorf("push with an incomplete reference: %+v", e.Push)
		}
	case e.Delete != nil:
		at = e.Delete.DeletedAt
		if e.Delete.Repository == "" {
			t.Errorf("delete without a repository: %+v", e.Delete)
		}
		if e.Delete.Tag != "" && e.Delete.Digest != "" {
			t.Errorf("delete of two targets: %+v", e.Delete)
		}
		if e.Delete.ReceivedAt != now {
			t.Errorf("ReceivedAt = %s, want %s", e.Delete.ReceivedAt, now)
		}
	default:
		t.Errorf("a webhook sets the members of a category: %v", e)
	}
	if e.Registry() == "" {
		t.Errorf("event without a registry: %v", e)
	}
	if at.After(now.Add(event.ClockSkew)) || at.Year() < 0 || at.Location() != time.UTC {
		t.Errorf("time %v", at)
	}
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatalf("write %v: %v", e, err)
	}
	var again event.Event
	if err := json.Unmarshal(line, &again); err != nil {
		t.Fatalf("read %s: %v", line, err)
	}
	if diff := cmp.Diff(e, again); diff != "" {
		t.Errorf("%s read again: -want +got\n%s", line, diff)
	}
}

// checkSentAgain checks that item.Raw, sent by itself and without headers, gives item
// again.
func checkSentAgain(t *testing.T, item webhook.Item, registry string, now time.Time) {
	t.Helper()
	items, err := webhook.Parse(item.Raw, webhook.Delivery{Header: noHeaders, Registry: registry, Now: now})
	if item.Err != nil {
		if err == nil && items[0].Err == nil {
			t.Errorf("Parse(%s) has no error any more, was %v", item.Raw, item.Err)
		}
		return
	}
	if err != nil || len(items) != 1 {
		t.Fatalf("Parse(%s) = %d items, %v, want 1", item.Raw, len(items), err)
	}
	if diff := cmp.Diff(item, items[0]); diff != "" {
		t.Errorf("Parse(%s): -want +got\n%s", item.Raw, diff)
	}
}

// sampleBodies returns the bodies in events/.
func sampleBodies(f *testing.F) (bodies [][]byte) {
	f.Helper()
	samples, err := filepath.Glob("../../events/*.json")
	if err != nil || len(samples) == 0 {
		f.Fatalf("%d samples, %v", len(samples), err)
	}
	for _, sample := range samples {
		b, err := os.ReadFile(sample)
		if err != nil {
			f.Fatal(err)
		}
		var event struct{ Body string }
		if json.Unmarshal(b, &event) == nil && event.Body != "" {
			bodies = append(bodies, []byte(event.Body))
		}
	}
	return bodies
}
