package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/archive"
	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/storetest"
)

const (
	first = `{"format":"ocireffer events","version":1}`
	last  = `{"end":true}`
)

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

func openNew(t testing.TB) store.Store {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// all yields events as a store does.
func all(events ...event.Event) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func eventsOf(t rapid.TB, s store.Exporter) (events []event.Event) {
	t.Helper()
	for e, err := range s.Events(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func ignore(archive.Counts) {}

// written returns a file with these events.
func written(t rapid.TB, events ...event.Event) string {
	t.Helper()
	var file bytes.Buffer
	if _, err := archive.Write(&file, all(events...), ignore); err != nil {
		t.Fatalf("Write: %v", err)
	}
	return file.String()
}

// read merges a file into a store.
func read(t rapid.TB, file string, into store.Importer) (archive.Counts, error) {
	t.Helper()
	return readAt(t, noon, file, into)
}

func readAt(t rapid.TB, now time.Time, file string, into store.Importer) (archive.Counts, error) {
	t.Helper()
	return archive.Read(context.Background(), strings.NewReader(file), into, now, ignore)
}

func push(tag string, at time.Time) event.Event {
	return event.Event{Push: &event.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: tag},
		Digest:    "sha256:" + strings.Repeat("ab", 32), MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 2203, PushedAt: at,
	}}
}

func deleteOf(tag string, at, receivedAt time.Time) event.Event {
	return event.Event{Delete: &event.Delete{
		Target:    event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: tag},
		DeletedAt: at, ReceivedAt: receivedAt,
	}}
}

// TestFormatStays: files in use have this format.
func TestFormatStays(t *testing.T) {
	t.Parallel()
	given := push("latest", noon.Add(1))
	given.Push.GivenName, given.Push.Digest, given.Push.MediaType, given.Push.Size = "app", "", "", event.UnknownSize
	member := event.Event{Membership: &event.Membership{Member: event.Member{Category: "official", Name: reference.Name{Repository: "wash"}}, Removed: true, At: noon}}
	want := []string{
		first,
		`{"push":{"reference":"wasmcloud.azurecr.io/wash:1.0.0","digest":"sha256:abababababababababababababababababababababababababababababababab","mediaType":"application/vnd.oci.image.manifest.v1+json","size":2203,"pushedAt":"2023-07-03T12:00:00Z"}}`,
		`{"push":{"reference":"wasmcloud.azurecr.io/wash:latest","name":"app","pushedAt":"2023-07-03T12:00:00.000000001Z"}}`,
		`{"delete":{"repository":"wasmcloud.azurecr.io/wash","tag":"1.0.0","deletedAt":"2023-07-03T12:00:00Z","receivedAt":"2023-07-03T13:00:00Z"}}`,
		`{"membership":{"category":"official","name":"wash","removed":true,"at":"2023-07-03T12:00:00Z"}}`,
		last,
		"",
	}
	got := written(t, push("1.0.0", noon), given, deleteOf("1.0.0", noon, noon.Add(time.Hour)), member)
	if diff := cmp.Diff(want, strings.Split(got, "\n")); diff != "" {
		t.Errorf("Write: -want +got\n%s", diff)
	}
}

// TestWhatIsWrittenIsRead: an empty store that reads a file equals the exported one,
// whatever the order of the lines and however many times it reads them.
func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		from, err := bolt.OpenTemporary()
		if err != nil {
			rt.Fatal(err)
		}
		defer from.Close()
		into, err := bolt.OpenTemporary()
		if err != nil {
			rt.Fatal(err)
		}
		defer into.Close()
		for _, e := range rapid.SliceOfN(storetest.Large.Event("c-"), 0, 20).Draw(rt, "events") {
			if _, err := store.Apply(rt.Context(), from, e); err != nil {
				rt.Fatal(err)
			}
		}
		events := eventsOf(rt, from)
		file := written(rt, events...)
		for range 2 {
			got, err := readAt(rt, time.Now(), file, into)
			if err != nil || got.Total() != len(events) {
				rt.Fatalf("Read = %+v, %v, want %d events:\n%s", got, err, len(events), file)
			}
			storetest.WantEvents(rt, "events of the other store", events, eventsOf(rt, into))
			lines := strings.Split(strings.TrimSuffix(file, "\n"), "\n")
			lines = slices.Concat(lines[:1], rapid.Permutation(lines[1:len(lines)-1]).Draw(rt, "order"), lines[len(lines)-1:])
			file = strings.Join(lines, "\n")
		}
	})
}

// TestManyBatches: progress is reported, after reading also the total.
func TestManyBatches(t *testing.T) {
	t.Parallel()
	var events []event.Event
	for i := range 2500 {
		events = append(events, push(fmt.Sprint(i), noon))
	}
	var file bytes.Buffer
	var totals []int
	told := func(c archive.Counts) { totals = append(totals, c.Total()) }
	counts, err := archive.Write(&file, all(events...), told)
	if err != nil || counts != (archive.Counts{Pushes: 2500}) || !slices.Equal(totals, []int{1000, 2000}) {
		t.Errorf("Write = %+v, %v, with progress %v, want 2500 pushes and 1000, 2000", counts, err, totals)
	}
	totals = nil
	db := openNew(t)
	counts, err = archive.Read(t.Context(), &file, db, noon, told)
	if err != nil || counts != (archive.Counts{Pushes: 2500}) || !slices.Equal(totals, []int{1000, 2000, 2500}) {
		t.Errorf("Read = %+v, %v, with progress %v, want 2500 pushes and 1000, 2000, 2500", counts, err, totals)
	}
	storetest.WantEvents(t, "events read", events, eventsOf(t, db))
}

// TestBadLines: the lines before a bad line are stored, those behind it are not.
func TestBadLines(t *testing.T) {
	t.Parallel()
	line := func(e event.Event) string { return strings.Split(written(t, e), "\n")[1] }
	one, two := line(push("1", noon)), line(push("2", noon))
	for name, c := range map[string]struct {
		lines []string
		want  string // text of the error
		tags  int    // how many references are stored
	}{
		"no file":               {nil, `line 1: the file ends before its last line, {"end":true}: it was cut off`, 0},
		"another file":          {[]string{"name,tag", one, last}, `line 1: "name,tag" is not the first line of an export, {"format":"ocireffer events","version":1}`, 0},
		"no first line":         {[]string{"", one, two, last}, `line 2: "{\"push\":{\"reference\":\"wasmcloud.azurecr.io/wash:1\",\"digest\":\"sha"… is not the first line of an export, {"format":"ocireffer events","version":1}`, 0},
		"another format":        {[]string{`{"format":"other events","version":1}`, last}, `line 1: "{\"format\":\"other events\",\"version\":1}" is not the first line of an export, {"format":"ocireffer events","version":1}`, 0},
		"no version":            {[]string{`{"format":"ocireffer events"}`, last}, `line 1: "{\"format\":\"ocireffer events\"}" is not the first line of an export, {"format":"ocireffer events","version":1}`, 0},
		"later version":         {[]string{`{"format":"ocireffer events","version":2}`, last}, "line 1: the export has version 2, this release reads 1: use a newer release", 0},
		"no JSON":               {[]string{first, one, "oops", two, last}, `line 3: invalid character 'o' looking for beginning of value, in "oops"`, 1},
		"two on a line":         {[]string{first, one, two + two, last}, `line 3: invalid character '{' after top-level value, in "{\"push\":{\"reference\":\"wasmcloud.azurecr.io/wash:2\",\"digest\":\"sha"…`, 1},
		"no event":              {[]string{first, one, "{}", two, last}, `line 3: want one of push, delete and membership, in "{}"`, 1},
		"no end":                {[]string{first, one, `{"end":false}`, two, last}, `line 3: json: unknown field "end", in "{\"end\":false}"`, 1},
		"wrong field":           {[]string{first, "", " ", one, `{"push":{"reference":"wash"}}`, two, last}, `line 5: push.reference: `, 1},
		"field of a later one":  {[]string{first, one, `{"scan":{}}`, two, last}, `line 3: json: unknown field "scan", in "{\"scan\":{}}"`, 1},
		"first line again":      {[]string{first, one, first, two, last}, `line 3: json: unknown field "format", in "{\"format\":\"ocireffer events\",\"version\":1}"`, 1},
		"error that is long":    {[]string{first, one, `{"\u001b` + strings.Repeat("x", 60_000) + `":1}`, two, last}, `line 3: json: unknown field "\x1b` + strings.Repeat("x", 475) + `…, in "{\"\\u001b` + strings.Repeat("x", 56) + `"…`, 1},
		"line that is too long": {[]string{first, one, `{"push":"` + strings.Repeat("x", 70_000) + `"}`, two, last}, "line 3: it has more than 65536 bytes", 1},
		"cut in a line":         {[]string{first, one, two[:40]}, `line 3: unexpected end of JSON input, in "{\"push\":{\"reference\":\"wasmcloud.azurecr."`, 1},
		"cut behind a line":     {[]string{first, one, two}, `line 4: the file ends before its last line, {"end":true}: it was cut off`, 2},
		"cut in the last line":  {[]string{first, one, two, last[:6]}, `line 4: unexpected end of JSON input, in "{\"end\""`, 2},
		"more behind the end":   {[]string{first, one, last, "", two}, `line 5: it comes after the last line, {"end":true}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openNew(t)
			counts, err := read(t, strings.Join(c.lines, "\n"), db)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || !strings.HasSuffix(c.want, ": ") && err.Error() != c.want {
				t.Errorf("Read: %v, want %s", err, c.want)
			}
			if got := len(eventsOf(t, db)); got != c.tags || counts != (archive.Counts{Pushes: c.tags}) {
				t.Errorf("Read counts %+v and stores %d, want %d", counts, got, c.tags)
			}
		})
	}
}

// TestTimesAheadAreRefused: an event of the far future could never be overruled.
func TestTimesAheadAreRefused(t *testing.T) {
	t.Parallel()
	member := func(at time.Time) event.Event {
		return event.Event{Membership: &event.Membership{Member: event.Member{Category: "official", Name: reference.Name{Repository: "wash"}}, At: at}}
	}
	latest := noon.Add(24 * time.Hour)
	for name, eventAt := range map[string]func(time.Time) event.Event{
		"push":       func(at time.Time) event.Event { return push("1", at) },
		"delete":     func(at time.Time) event.Event { return deleteOf("1", at, noon) },
		"receipt":    func(at time.Time) event.Event { return deleteOf("1", noon, at) },
		"membership": member,
	} {
		db := openNew(t)
		if _, err := read(t, written(t, eventAt(latest)), db); err != nil {
			t.Errorf("%s a day ahead: %v", name, err)
		}
		before := len(eventsOf(t, db))
		_, err := read(t, written(t, eventAt(latest.Add(1))), db)
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: 2023-07-04T12:00:00Z is more than 24h0m0s ahead of the clock, in ") {
			t.Errorf("%s more than a day ahead: %v, want an error", name, err)
		}
		if after := len(eventsOf(t, db)); after != before {
			t.Errorf("%s: %d events are stored, want %d", name, after, before)
		}
	}
}

// TestFileThatIsCutIsNotWhole: a file may be cut off at any byte.
func TestFileThatIsCutIsNotWhole(t *testing.T) {
	t.Parallel()
	file := written(t, push("1", noon), deleteOf("2", noon, noon), push("3", noon))
	whole := strings.TrimSuffix(file, "\n")
	db := openNew(t)
	for n := range len(whole) {
		if _, err := read(t, whole[:n], db); err == nil || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("Read of %d bytes of %d: %v, want the number of a line", n, len(whole), err)
		}
	}
	if _, err := read(t, whole, db); err != nil {
		t.Errorf("Read without the last newline: %v", err)
	}
}

func TestBlankLinesCountForNothing(t *testing.T) {
	t.Parallel()
	e := push("1", noon)
	file := "\n \r\n" + strings.ReplaceAll(written(t, e), "\n", "\r\n\t\r\n\n") + "\n"
	db := openNew(t)
	if counts, err := read(t, file, db); err != nil || counts.Total() != 1 {
		t.Errorf("Read = %+v, %v, want one event", counts, err)
	}
	storetest.WantEvents(t, "events", []event.Event{e}, eventsOf(t, db))
}

// TestOldDeletesLastLongEnough: otherwise a store might forget them before it reads what
// they delete.
func TestOldDeletesLastLongEnough(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		age  time.Duration // time since the receipt
		want time.Duration
	}{
		{age: -time.Minute, want: -time.Minute},
		{age: 0, want: 0},
		{age: 29*day - 1, want: 29*day - 1},
		{age: 29 * day, want: 0},
		{age: 3000 * day, want: 0},
	} {
		db := openNew(t)
		if _, err := read(t, written(t, deleteOf("1", noon.Add(-4000*day), noon.Add(-c.age))), db); err != nil {
			t.Fatal(err)
		}
		want := deleteOf("1", noon.Add(-4000*day), noon.Add(-c.want))
		storetest.WantEvents(t, fmt.Sprintf("a delete received %s ago", c.age), []event.Event{want}, eventsOf(t, db))
	}
}

// A recorder is a store that records its calls. One of them fails.
type recorder struct {
	store.Importer
	failing string

	mu    sync.Mutex
	calls []string
}

var errPlanted = errors.New("planted")

func (r *recorder) note(call string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
	if call == r.failing {
		return errPlanted
	}
	return nil
}

func (r *recorder) PushAll(_ context.Context, pushes []event.Push) error {
	return r.note(fmt.Sprintf("push %d", len(pushes)))
}

func (r *recorder) Delete(context.Context, event.Delete) (store.Deleted, error) {
	return store.Deleted{}, r.note("delete")
}

// TestDeletesOfABatchComeFirst: readers never see a reference that the batch deletes.
func TestDeletesOfABatchComeFirst(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	file := written(t, push("1", noon), push("2", noon), deleteOf("1", noon, noon))
	if counts, err := read(t, file, r); err != nil || counts != (archive.Counts{Pushes: 2, Deletes: 1}) {
		t.Errorf("Read = %+v, %v, want 2 pushes and a delete", counts, err)
	}
	if want := []string{"delete", "push 2"}; !slices.Equal(r.calls, want) {
		t.Errorf("Read calls %q, want %q", r.calls, want)
	}
}

func TestErrorOfTheStoreEndsRead(t *testing.T) {
	t.Parallel()
	var events []event.Event
	for i := range 1500 {
		events = append(events, push(fmt.Sprint(i), noon))
	}
	file := written(t, append(events, deleteOf("1", noon, noon))...)
	for failing, want := range map[string]archive.Counts{"push 1000": {}, "push 500": {Pushes: 1000}, "delete": {Pushes: 1000}} {
		counts, err := read(t, file, &recorder{failing: failing})
		if !errors.Is(err, errPlanted) || counts != want {
			t.Errorf("Read whose %s fails = %+v, %v, want %+v, %v", failing, counts, err, want, errPlanted)
		}
	}
}

// TestErrorOfTheStoreEndsWrite: then the file has no last line.
func TestErrorOfTheStoreEndsWrite(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	counts, err := archive.Write(&file, func(yield func(event.Event, error) bool) {
		_ = yield(push("1", noon), nil) && yield(event.Event{}, errPlanted)
	}, ignore)
	if !errors.Is(err, errPlanted) || counts.Total() != 1 || strings.Contains(file.String(), last) {
		t.Errorf("Write = %+v, %v, and %q, want %v and no end", counts, err, &file, errPlanted)
	}
	if _, err := archive.Write(fullDisk{}, all(push("1", noon)), ignore); !errors.Is(err, errPlanted) {
		t.Errorf("Write to a full disk: %v, want %v", err, errPlanted)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errPlanted }
