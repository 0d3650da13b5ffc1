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

// An event is stored under each name by a chain of calls. Here a few writers have
// their chains cut into single calls, and chance says whose call is next and what
// becomes of it: so every window between two writes is visited.

// fate is what becomes of a call.
type fate int

const (
	done       fate = iota // it is made
	lostBefore             // it never arrives
	lostAfter              // it is made, but its answer does not come back
)

var errAbandoned = errors.New("the case is abandoned")

// gate is the transport of one writer. Each call waits there to be let through,
// until the case ends.
type gate struct {
	arrived chan struct{}
	pass    chan fate
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
		return g.call(r, f)
	case <-g.closed:
		return nil, errAbandoned
	}
}

func (g *gate) call(r *http.Request, f fate) (*http.Response, error) {
	if f != lostBefore {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil || f == done {
			return response, err
		}
		response.Body.Close()
	}
	return answer(r, http.StatusBadRequest, errorOf("AccessDeniedException")), nil
}

// A writer works through events one after the other, under one name.
type writer struct {
	*gate
	db       *DB
	finished chan error
	busy     bool
	event    int // the one that it stores while it is busy
	failing  bool
}

// small is a world in which nearly all events meet.
var small = storetest.World{
	Registries: []string{"a.azurecr.io"}, Repositories: []string{"wash"}, Tags: []string{"1.0.0", "latest"}, ByHand: []string{""},
	Digests: 2, Seconds: 4,
}

func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	table, cfg := dynamotest.Table(t), dynamolocal.Config(t)
	open := func(transport http.RoundTripper) *DB {
		db := openAt(t, cfg, table, nil)
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
		events := rapid.SliceOfN(small.Event(base), 2, 10).Draw(t, "events")
		name := reference.Name{Repository: base + "wash"}
		// Rapid may abandon the case at any draw. No writer may wait at its gate then.
		closed := make(chan struct{})
		defer close(closed)
		var writers [3]*writer
		for i := range writers {
			g := &gate{make(chan struct{}), make(chan fate), closed}
			writers[i] = &writer{gate: g, db: open(g), finished: make(chan error, 1)}
		}
		calls.Add(int64(interleave(t, writers[:], name, events)))
		storetest.CheckName(t, reader, name, events)
		storetest.CheckEntry(t, reader, name, events)
	})
	t.Logf("%d cases, %d calls", cases.Load(), calls.Load())
}

// interleave has writers store events under a name, in an order of chance, and
// returns how many calls they made. Some events come twice; one that fails comes
// again.
func interleave(t *rapid.T, writers []*writer, name reference.Name, events []event.Event) (calls int) {
	var queue []int
	for i := range events {
		queue = append(queue, slices.Repeat([]int{i}, rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "times"))...)
	}
	queue = rapid.Permutation(queue).Draw(t, "order")
	failures := rapid.IntRange(0, 4).Draw(t, "failures")
	// settle waits until w has a call at its gate or is through.
	settle := func(w *writer) {
		select {
		case <-w.arrived:
		case err := <-w.finished:
			w.busy = false
			if err != nil && !w.failing {
				t.Fatalf("%s: %v, though none of its calls failed", events[w.event], err)
			}
			if err != nil {
				queue = append(queue, w.event)
			}
		}
	}
	for {
		ready := slices.Collect(func(yield func(*writer) bool) {
			for _, w := range writers {
				if (w.busy || len(queue) > 0) && !yield(w) {
					return
				}
			}
		})
		if len(ready) == 0 {
			return calls
		}
		w := ready[rapid.IntRange(0, len(ready)-1).Draw(t, "writer")]
		if !w.busy {
			w.busy, w.failing, w.event, queue = true, false, queue[0], queue[1:]
			t.Logf("a writer begins: %s", events[w.event])
			go func() { w.finished <- storeUnder(t, w.db, name, events[w.event]) }()
			settle(w)
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
		settle(w)
	}
}

// storeUnder makes the chain of calls of one event under one name.
func storeUnder(t *rapid.T, db *DB, name reference.Name, e event.Event) error {
	partition := store.Partition(name)
	var err error
	if e.Push != nil {
		err = db.pushUnder(t.Context(), partition, *e.Push, marshalPush(*e.Push))
	} else {
		_, err = db.deleteUnder(t.Context(), partition, *e.Delete)
	}
	if err != nil {
		return err
	}
	return db.refreshEntry(t.Context(), name)
}
