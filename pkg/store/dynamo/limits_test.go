package dynamo_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamomodel"
)

// inCloud runs test in a synctest bubble at a time in 2026.
func inCloud(t *testing.T, test func(t *testing.T)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		test(t)
	})
}

// post sends a body to ingest's webhook route.
func post(h http.Handler, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/api/azurehook", strings.NewReader(body)))
	return w
}

func ingestOf(c *cloud) http.Handler {
	return ingest.New(ingest.Settings{WithoutToken: true}, c.open(), slog.New(slog.DiscardHandler))
}

// TestDeleteOf10000Tags: the answer comes in time, and everything is deleted within a
// minute afterwards. A partition has 1,000 write units a second, and a mark costs 5.
func TestDeleteOf10000Tags(t *testing.T) {
	if testing.Short() {
		t.Skip("pushes 10,000 references")
	}
	inCloud(t, func(t *testing.T) {
		const tags = 10_000
		model := dynamo.NewModel(t)
		db := dynamo.OnModel(model)
		for i := range tags {
			if err := db.Push(t.Context(), pushOf(fmt.Sprintf("1.%d.0", i), i, i)); err != nil {
				t.Fatal(err)
			}
		}
		derived := dynamo.OnModel(model, dynamo.WithoutStream())
		if err := derived.Push(t.Context(), pushOf("1.0.0", 0, 0)); err != nil {
			t.Fatal(err)
		}
		before := writeUnits(model)
		c := newCloud(model)
		ctx, cancel := context.WithCancel(t.Context())
		running := c.runViews(ctx, t)

		begin := time.Now()
		w := post(ingestOf(c), fmt.Sprintf(`{"action":"delete","timestamp":%q,"target":{"repository":"wash"},"request":{"host":%q}}`, begin.Format(time.RFC3339Nano), registry))
		took := time.Since(begin)
		if w.Code != 200 || !strings.HasSuffix(w.Body.String(), " references of wash, more follow") || took > ingest.Deadline {
			t.Errorf("the answer after %s is %d %q, want it to say that more follow, within %s", took, w.Code, w.Body, ingest.Deadline)
		}
		answered := time.Now()
		for !isGone(t, dynamo.OnModel(model.Clone())) { // reads of a clone cost nothing

			if time.Since(answered) > 2*time.Minute {
				t.Fatal("not all is gone after 2 minutes")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(answered); took > time.Minute {
			t.Errorf("all is gone %s after the answer, want a minute at most", took)
		}
		cancel()
		running.Wait()
		t.Logf("%s after %s; all is gone %s after that; views failed %d times", w.Body, took, time.Since(answered), c.failures.Load())
		for partition, units := range writeUnits(model) {
			used := units - before[partition]
			t.Logf("%s took %g write units", partition, used)
			if used > 5.5*tags {
				t.Errorf("%s took %g write units, want about 5 for each of %d references", partition, used, tags)
			}
		}
	})
}

// writeUnits returns the write units that the partitions of wash have consumed.
func writeUnits(model *dynamomodel.Table) map[string]float64 {
	units := map[string]float64{}
	for _, name := range []reference.Name{wash, itsWash} {
		units[store.Partition(name)] = model.Units(store.Partition(name)).Write
	}
	return units
}

// isGone reports whether no view shows wash any more.
func isGone(t *testing.T, db *dynamo.DB) bool {
	t.Helper()
	for _, name := range []reference.Name{wash, itsWash} {
		page, err := db.References(t.Context(), name, nil, store.Span{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > 0 {
			return false
		}
	}
	entries, err := db.Entries(t.Context(), []reference.Name{wash})
	if err != nil {
		t.Fatal(err)
	}
	return !entries[0].Published()
}

// TestReadersDoNotHinderPushes: while strangers search 50,000 repositories 100 times a
// second, no push fails, and all pushes are in the catalogue within a minute.
func TestReadersDoNotHinderPushes(t *testing.T) {
	if testing.Short() {
		t.Skip("searches in 50,000 repositories")
	}
	for _, c := range []struct {
		name    string
		bytes   int // how much of the catalogue the lookup functions hold
		seconds int
	}{
		{name: "held in memory", bytes: lookup.CatalogueBytes("128"), seconds: 4},
		{name: "read each time", bytes: 0, seconds: 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCloud(t, func(t *testing.T) { searchAndPush(t, c.bytes, c.seconds) })
		})
	}
}

func searchAndPush(t *testing.T, catalogueBytes, seconds int) {
	const repositories, functions, searches, pushes = 50_000, 2, 100, 4 // the last two per second
	model := dynamo.NewModel(t)
	entries := make([]store.Entry, repositories)
	for i := range entries {
		p := pushOf("1.0.0", i, i)
		p.Reference.Repository = fmt.Sprintf("team-%d/app-%d", i%100, i)
		entries[i] = store.Entry{Name: p.ListedAs(), Newest: p, Highest: p.Reference}
	}
	dynamo.PutEntries(t, model, entries)
	c := newCloud(model)
	ctx, cancel := context.WithCancel(t.Context())
	running := c.runViews(ctx, t)
	var lookups []http.Handler
	for range functions {
		lookups = append(lookups, lookup.New(lookup.Settings{CacheSeconds: 60, CatalogueBytes: catalogueBytes}, c.open()))
	}
	var mu sync.Mutex
	statuses := map[string]map[int]int{"search": {}, "push": {}}
	count := func(what string, w *httptest.ResponseRecorder) {
		mu.Lock()
		defer mu.Unlock()
		statuses[what][w.Code]++
	}
	var requests sync.WaitGroup
	requests.Go(func() {
		for i := range seconds * searches {
			requests.Go(func() {
				w := httptest.NewRecorder()
				lookups[i%functions].ServeHTTP(w, httptest.NewRequest("GET", "/?q=nothing", nil))
				count("search", w)
			})
			time.Sleep(time.Second / searches)
		}
	})
	requests.Go(func() {
		handler := ingestOf(c)
		for i := range seconds * pushes {
			requests.Go(func() {
				count("push", post(handler, fmt.Sprintf(`{"action":"push","timestamp":%q,"target":{"repository":"team-%d/app-%d","tag":"1.1.0"},"request":{"host":%q}}`,
					time.Now().Format(time.RFC3339Nano), i%100, i, registry)))
			})
			time.Sleep(time.Second / pushes)
		}
	})
	requests.Wait()
	if pushed := statuses["push"]; pushed[200] != seconds*pushes {
		t.Errorf("answers to pushes: %v, want only 200", pushed)
	}
	ended := time.Now()
	for i := range seconds * pushes {
		for !isListed(t, dynamo.OnModel(model.Clone()), i) {
			if time.Since(ended) > time.Minute {
				t.Fatalf("push %d is not in the catalogue after a minute", i)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	t.Logf("answers to pushes: %v, to searches: %v; all are in the catalogue after %s; %d calls were throttled",
		statuses["push"], statuses["search"], time.Since(ended), c.limiter.Refused())
	cancel()
	running.Wait()
}

// isListed reports whether the catalogue shows the push of repository i.
func isListed(t *testing.T, db *dynamo.DB, i int) bool {
	t.Helper()
	name := reference.Name{Repository: fmt.Sprintf("team-%d/app-%d", i%100, i)}
	entries, err := db.Entries(t.Context(), []reference.Name{name})
	if err != nil {
		t.Fatal(err)
	}
	return entries[0].Newest.Reference.Tag == "1.1.0"
}

// TestLongestLookups: 9 KB of globs cost no read. The most expensive permitted lookup is
// answered in time, with 1,000 references that have the longest possible tags.
func TestLongestLookups(t *testing.T) {
	t.Parallel()
	model := dynamo.NewModel(t)
	db := dynamo.OnModel(model)
	for i := range store.MaxScan {
		if err := db.Push(t.Context(), pushOf(fmt.Sprintf("%0128d", i), i, i)); err != nil {
			t.Fatal(err)
		}
	}
	handler := lookup.New(lookup.Settings{CacheSeconds: 60}, db)
	for _, c := range []struct {
		name  string
		globs string
		read  bool
	}{
		{name: "9 KB", globs: strings.Repeat("*z,", 3000) + "*z"},
		{name: "as much as is allowed", globs: strings.Repeat("*0*0*0*0*0*0*0*0*0*0*0*z,", 19) + "*z", read: true},
	} {
		before := model.Units("wash").Read
		begin := time.Now()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/wash?tag="+c.globs, nil))
		took, read := time.Since(begin), model.Units("wash").Read-before
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"isError":true`) || took > lookup.Deadline || (read > 0) != c.read {
			t.Errorf("%s: %d %s after %s and %g read units, want a badge of an error within %s, units: %t", c.name, w.Code, w.Body, took, read, lookup.Deadline, c.read)
		}
		t.Logf("%s: %s after %s, %g read units", c.name, w.Body, took, read)
	}
}
