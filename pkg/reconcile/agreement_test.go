package reconcile_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
	"ocireffer/pkg/registry/ocitest"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

var changes = flag.Int("changes", 1000, "how many changes of a registry the tests of agreement make")

func TestMain(m *testing.M) { dynamolocal.Main(m) }

func openBolt(t *testing.T) store.Store {
	t.Helper()
	db, err := bolt.OpenTemporary()
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

func openDynamo(t *testing.T) store.Store {
	t.Helper()
	db, err := dynamo.Open(dynamolocal.Config(t), dynamotest.Table(t), dynamo.WithoutStream(), dynamo.Patient())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestHalfTheEventsAreEnough: after many changes, half of which were never delivered, one
// run makes the store's live references equal to those of the registry.
func TestHalfTheEventsAreEnough(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		open    func(*testing.T) store.Store
		changes int
		seeds   uint64
	}{
		"bolt":   {openBolt, *changes, 5},
		"dynamo": {openDynamo, min(*changes, 150), 1},
	} {
		for seed := range c.seeds {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, 1))
				l := &lab{T: t, clock: acrtest.NewClock(noon), db: c.open(t)}
				l.acr = acrtest.Public(l.clock.Now)
				l.registry = l.open(l.acr)
				var repositories []string
				for i := range 8 {
					repositories = append(repositories, fmt.Sprintf("team/r%d", i))
				}
				deliver := func(e event.Event) {
					if random.IntN(2) == 0 {
						return
					}
					if _, err := store.Apply(t.Context(), l.db, e); err != nil {
						t.Fatal(err)
					}
				}
				for range c.changes {
					l.clock.Advance(time.Duration(random.IntN(60_000)) * time.Millisecond)
					repository := repositories[random.IntN(len(repositories))]
					tag, digest := fmt.Sprintf("1.%d", random.IntN(20)), acrtest.Digest(fmt.Sprint(random.IntN(30)))
					target := event.Target{Registry: host, Repository: repository}
					switch random.IntN(40) {
					default:
						at := l.acr.Push(repository, tag, digest)
						deliver(event.Event{Push: &event.Push{
							Reference: reference.Reference{Registry: host, Repository: repository, Tag: tag},
							Digest:    digest, Size: event.UnknownSize, PushedAt: at,
						}})
					case 0, 1, 2, 3, 4, 5, 6, 7:
						l.acr.Untag(repository, tag)
					case 8, 9, 10, 11:
						target.Digest = digest
						deliver(event.Event{Delete: &event.Delete{Target: target, DeletedAt: l.acr.DeleteManifest(repository, digest), ReceivedAt: l.clock.Now()}})
					case 12:
						deliver(event.Event{Delete: &event.Delete{Target: target, DeletedAt: l.acr.DeleteRepository(repository), ReceivedAt: l.clock.Now()}})
					}
				}
				l.clock.Advance(reconcile.DefaultMargin + time.Second)
				r := l.run(reconcile.Options{Force: true})
				if !r.Complete() || r.Pushed == 0 || r.Deleted == 0 {
					t.Errorf("%+v, want a complete run that pushes and deletes", r)
				}
				l.wantEqual(repositories...)
				r = l.run(reconcile.Options{Full: true})
				if r.Pushed+r.Deleted > 0 {
					t.Errorf("the next run writes: %+v", r)
				}
			})
		}
	}
}

// TestHalfTheEventsOfRealRegistries is TestHalfTheEventsAreEnough with registries that
// have no times.
func TestHalfTheEventsOfRealRegistries(t *testing.T) {
	t.Parallel()
	for _, kind := range ocitest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := ocitest.Start(t, kind)
			db := openBolt(t)
			random := rand.New(rand.NewPCG(7, 7))
			repositories := []string{"wash", "team/app", "team/web"}
			for _, name := range repositories {
				server.Blob(t, name, []byte("{}"))
			}
			tags := map[string]map[string]string{"wash": {}, "team/app": {}, "team/web": {}} // with the digests, which Untag needs
			n := min(*changes, 1000)
			begin := time.Now().Add(-time.Hour)
			for i := range n {
				repository, tag := repositories[random.IntN(3)], fmt.Sprintf("1.%d", random.IntN(40))
				at := begin.Add(time.Duration(i) * time.Second).UTC()
				digest, exists := tags[repository][tag]
				if exists && random.IntN(3) == 0 {
					delete(tags[repository], tag)
					if random.IntN(2) == 0 {
						server.Untag(t, repository, tag, digest) // without an event
						continue
					}
					server.Delete(t, repository, digest)
					if random.IntN(2) == 0 {
						continue
					}
					d := event.Delete{Target: event.Target{Registry: server.Host, Repository: repository, Digest: digest}, DeletedAt: at, ReceivedAt: at}
					if _, err := db.Delete(t.Context(), d); err != nil {
						t.Fatal(err)
					}
					continue
				}
				// Each digest has one tag, since Distribution 2 can only delete digests.
				digest = server.Push(t, repository, tag, fmt.Sprint(i))
				tags[repository][tag] = digest
				if random.IntN(2) == 0 {
					continue
				}
				p := event.Push{
					Reference: reference.Reference{Registry: server.Host, Repository: repository, Tag: tag},
					Digest:    digest, Size: event.UnknownSize, PushedAt: at,
				}
				if err := db.Push(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			r, err := registry.Open(server.Host, registry.Options{Rate: math.Inf(1)})
			if err != nil {
				t.Fatal(err)
			}
			report, err := reconcile.Run(t.Context(), r, db, reconcile.Options{Force: true})
			if err != nil || !report.Complete() || report.Pushed == 0 || report.Deleted == 0 {
				t.Errorf("%+v, %v, want a complete run that pushes and deletes", report, err)
			}
			for _, name := range repositories {
				if diff := cmp.Diff(tagsOf(t, server.Host, name), live(t, db, server.Host, name)); diff != "" {
					t.Errorf("live references of %s: -registry +store\n%s", name, diff)
				}
			}
		})
	}
}

// tagsOf reads the tags of a repository with their digests, without using the client
// under test.
func tagsOf(t *testing.T, host, repository string) map[string]string {
	t.Helper()
	get := func(method, path string) (*http.Response, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+host+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", ocitest.IndexType)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, body
	}
	_, body := get(http.MethodGet, "/v2/"+repository+"/tags/list?n=1000")
	var list struct{ Tags []string }
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range list.Tags {
		if res, _ := get(http.MethodHead, "/v2/"+repository+"/manifests/"+tag); res.StatusCode == http.StatusOK {
			tags[tag] = res.Header.Get("Docker-Content-Digest")
		}
	}
	return tags
}

// TestRunsLoseNoPushOfEightWriters: runs read replicas that lag, while writers push.
// Delivered pushes stay.
func TestRunsLoseNoPushOfEightWriters(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	var lag sync.Mutex
	lags := rand.New(rand.NewPCG(3, 3))
	l.acr.Set(func(r *acrtest.Rules) {
		r.Lag = func() time.Duration {
			lag.Lock()
			defer lag.Unlock()
			return time.Duration(lags.IntN(600)) * time.Second
		}
	})
	const rounds = 60
	want := make([]map[string]string, 8) // the last pushed digests, by repository and tag
	var writers, runs sync.WaitGroup
	stop := make(chan struct{})
	var done atomic.Int64 // number of finished runs
	runs.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := l.try(reconcile.Options{Full: done.Load()%2 == 0, Force: true}); err != nil {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		}
	})
	for w := range want {
		want[w] = map[string]string{}
		writers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 8))
			for round := 0; round < rounds || done.Load() < 10 && !t.Failed(); round++ {
				repository, tag := fmt.Sprintf("r%d", random.IntN(4)), fmt.Sprintf("%d.%d", w, random.IntN(4))
				l.clock.Advance(time.Duration(random.IntN(90)) * time.Second)
				if random.IntN(4) == 0 {
					l.acr.Untag(repository, tag)
					delete(want[w], repository+":"+tag)
					continue
				}
				seed := fmt.Sprintf("%d %d", w, round)
				at := l.acr.Push(repository, tag, acrtest.Digest(seed))
				want[w][repository+":"+tag] = acrtest.Digest(seed)
				l.clock.Advance(time.Duration(random.IntN(90)) * time.Second)
				p := event.Push{
					Reference: reference.Reference{Registry: host, Repository: repository, Tag: tag},
					Digest:    acrtest.Digest(seed), Size: event.UnknownSize, PushedAt: at,
				}
				if err := l.db.Push(t.Context(), p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	runs.Wait()
	stored := map[string]map[string]string{}
	for i := range 4 {
		name := fmt.Sprintf("r%d", i)
		stored[name] = live(t, l.db, host, name)
	}
	for _, tags := range want {
		for reference, digest := range tags {
			repository, tag := reference[:2], reference[3:]
			if got := stored[repository][tag]; got != digest {
				t.Errorf("%s is %q, want the push that was delivered last, %s", reference, got, digest)
			}
		}
	}
	l.acr.Set(func(r *acrtest.Rules) { r.Lag = nil })
	l.clock.Advance(time.Hour)
	l.run(reconcile.Options{Force: true})
	l.wantEqual("r0", "r1", "r2", "r3")
}
