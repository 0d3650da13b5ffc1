package dynamo

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
)

// An event is stored by a chain of calls under each of its names, and each of its changes
// makes Derive run another chain. Here a few workers cut their chains into single calls.
// Chance decides whose call is next and what happens to it, so that every window between
// two calls is tried.

// fate is what happens to a call.
type fate int

const (
	done       fate = iota // it is made
	lostBefore             // it never arrives
	lostAfter              // it is made, but its answer does not come back
)

var errAbandoned = errors.New("the case is abandoned")

// gate is the transport of one worker. Each call waits there until it is let through or
// the case ends.
type gate struct {
	arrived chan struct{}
	pass    chan fate
	passed  chan []Change // the stream's changes from the call
	closed  chan struct{}
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case g.arrived <- struct{}{}:
	case <-g.closed:
		return nil, errAbandoned
	}
	select {
	case f := <-g.pass:
		response, changes, err := call(r, f)
		g.passed <- changes
		return response, err
	case <-g.closed:
		return nil, errAbandoned
	}
}

func call(r *http.Request, f fate) (response *http.Response, changes []Change, err error) {
	if f != lostBefore {
		response, changes, err = streamed(r)
		if err != nil || f == done {
			return response, changes, err
		}
		response.Body.Close()
	}
	return answer(r, http.StatusBadRequest, errorOf("AccessDeniedException")), changes, nil
}

// A job is an event to store, or a change to derive from.
type job struct {
	event  int // index in the list of events
	change *Change
}

// A worker does jobs one after the other.
type worker struct {
	*gate
	db       *DB
	finished chan error
	busy     bool
	job      job // valid while it is busy
	failing  bool
}

// small is a world in which nearly all events collide.
var small = storetest.World{
	Registries: []string{"a.azurecr.io"}, Repositories: []string{"wash"}, Tags: []string{"1.0.0", "latest"}, ByHand: []string{""},
	Digests: 2, Seconds: 4,
}

// TestEveryInterleaving: an event that fails may never come again. It counts if one of
// its items was written.
func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	table, cfg := dynamotest.Table(t), dynamolocal.Config(t)
	open := func(transport http.RoundTripper) *DB {
		db := onStream(openAt(t, cfg, table, nil))
		db.parallel = 1
		db.client = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
			o.Retryer = aws.NopRetryer{}
			o.HTTPClient = &http.Client{Transport: transport}
		})
		return db
	}
	reader := open(http.DefaultTransport)
	var cases, calls atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		base := fmt.Sprintf("c%d-", cases.Add(1))
		events := rapid.SliceOfN(small.Event(base), 2, 6).Draw(t, "events")
		// Rapid may abandon the case at any draw. Then no worker may keep waiting at its
		// gate.
		closed := make(chan struct{})
		defer close(closed)
		play := &interleaving{events: events, counted: make([]bool, len(events))}
		for range 3 {
			g := &gate{make(chan struct{}), make(chan fate), make(chan []Change), closed}
			play.workers = append(play.workers, &worker{gate: g, db: open(g), finished: make(chan error, 1)})
		}
		calls.Add(int64(play.run(t)))
		var counted []event.Event
		for i, e := range events {
			if play.counted[i] {
				counted = append(counted, e)
			}
		}
		listed := reference.Name{Repository: base + "wash"}
		storetest.CheckName(t, reader, listed, counted)
		storetest.CheckName(t, reader, reference.Name{Registry: "a.azurecr.io", Repository: base + "wash"}, counted)
		storetest.CheckEntry(t, reader, listed, counted)
	})
	t.Logf("%d cases, %d calls", cases.Load(), calls.Load())
}

// An interleaving is the state of one case: what was done and what is still to do.
type interleaving struct {
	events  []event.Event
	counted []bool // by event: whether an item of it was written
	workers []*worker
	queue   []job
}

// run makes the workers do all jobs, call by call, in a random order, and returns how
// many calls they made. Some events and changes come twice. Some failed events come
// again, and all failed changes do.
func (in *interleaving) run(t *rapid.T) (calls int) {
	for i := range in.events {
		in.add(t, job{event: i})
	}
	in.queue = rapid.Permutation(in.queue).Draw(t, "order")
	failures := rapid.IntRange(0, 4).Draw(t, "failures")
	for {
		w := in.next(t)
		if w == nil {
			return calls
		}
		if !w.busy {
			w.busy, w.failing, w.job, in.queue = true, false, in.queue[0], in.queue[1:]
			go func() { w.finished <- in.do(t, w.db, w.job) }()
			in.settle(t, w)
			continue
		}
		f := done
		if failures > 0 {
			f = rapid.SampledFrom([]fate{done, done, done, lostBefore, lostAfter}).Draw(t, "fate")
		}
		if f != done {
			failures--
			w.failing = true
		}
		calls++
		w.pass <- f
		for _, change := range <-w.passed {
			in.counted[w.job.event] = true
			in.add(t, job{change: &change})
		}
		in.settle(t, w)
	}
}

// add puts a job into the queue at a random place, usually once.
func (in *interleaving) add(t *rapid.T, j job) {
	for range rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "times") {
		in.queue = slices.Insert(in.queue, rapid.IntRange(0, len(in.queue)).Draw(t, "place"), j)
	}
}

// next returns a worker that is busy or can start a job. It returns nil when all is done.
func (in *interleaving) next(t *rapid.T) *worker {
	var ready []*worker
	for _, w := range in.workers {
		if w.busy || len(in.queue) > 0 {
			ready = append(ready, w)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	return ready[rapid.IntRange(0, len(ready)-1).Draw(t, "worker")]
}

// settle waits until w has a call at its gate or has ended its job.
func (in *interleaving) settle(t *rapid.T, w *worker) {
	select {
	case <-w.arrived:
	case err := <-w.finished:
		w.busy = false
		if err != nil && !w.failing {
			t.Fatalf("%+v: %v, although none of its calls failed", w.job, err)
		}
		if err != nil && (w.job.change != nil || rapid.Bool().Draw(t, "again")) {
			in.queue = append(in.queue, w.job)
		}
	}
}

func (in *interleaving) do(t *rapid.T, db *DB, j job) error {
	if j.change != nil {
		return errors.Join(db.Derive(t.Context(), []Change{*j.change})...)
	}
	e := in.events[j.event]
	if e.Push != nil && j.event%2 == 0 {
		return db.PushAll(t.Context(), []event.Push{*e.Push})
	}
	_, err := store.Apply(t.Context(), db, e)
	return err
}
