package dynamo

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"pgregory.net/rapid"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
)

// Each name of a reference is written for itself, by a chain of calls. Here a few
// writers have their chains cut into single calls, and chance says whose call is
// next and what becomes of it: so every window between two writes is visited.

// fate is what becomes of a call.
type fate int

const (
	done       fate = iota // it is made
	lostBefore             // it never arrives
	lostAfter              // it is made, but its answer does not come back
)

// gate is the transport of one writer. Each call waits there to be let through.
type gate struct {
	arrived chan struct{}
	pass    chan fate
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.arrived <- struct{}{}
	what := <-g.pass
	if what != lostBefore {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil || what == done {
			return response, err
		}
		response.Body.Close()
	}
	// An error that the SDK does not repeat: the writer is gone.
	return &http.Response{StatusCode: http.StatusBadRequest, Request: r, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"planted"}`))}, nil
}

// small is a world in which nearly all events meet.
var small = storetest.World{
	Registries: []string{"a.azurecr.io"}, Repositories: []string{"wash"}, Tags: []string{"1.0.0", "latest"}, ByHand: []string{""},
	Digests: 2, Seconds: 4,
}

// writer works through events one after the other, under one name.
type writer struct {
	*gate
	finished chan error
	busy     bool
	event    int
}

func TestEveryInterleaving(t *testing.T) {
	const writers = 3
	table, cfg := dynamotest.Table(t), dynamotest.Config(t)
	newDB := func(transport http.RoundTripper) *DB {
		return &DB{table: table, parallel: 1, client: dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
			o.Retryer = aws.NopRetryer{}
			o.HTTPClient = &http.Client{Transport: transport}
		})}
	}
	var dbs [writers]*DB
	var gates [writers]*gate
	for i := range writers {
		gates[i] = &gate{make(chan struct{}), make(chan fate)}
		dbs[i] = newDB(gates[i])
	}
	reader := newDB(http.DefaultTransport)

	var cases, calls atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		base := fmt.Sprintf("c%d-", cases.Add(1))
		events := rapid.SliceOfN(small.Event(base), 2, 10).Draw(t, "events")
		name := base + "wash"
		// Some events come twice; one that fails comes again later.
		var queue []int
		for i := range events {
			queue = append(queue, slices.Repeat([]int{i}, rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "times"))...)
		}
		queue = rapid.Permutation(queue).Draw(t, "order")
		failures := rapid.IntRange(0, 4).Draw(t, "failures")

		var all [writers]*writer
		for i := range all {
			all[i] = &writer{gate: gates[i], finished: make(chan error, 1)}
		}
		// settle waits until w has a call at its gate or is through.
		settle := func(w *writer) {
			select {
			case <-w.arrived:
			case err := <-w.finished:
				w.busy = false
				if err != nil {
					queue = append(queue, w.event)
				}
			}
		}
		for {
			var choices []int
			for i, w := range all {
				if w.busy || len(queue) > 0 {
					choices = append(choices, i)
				}
			}
			if len(choices) == 0 {
				break
			}
			i := rapid.SampledFrom(choices).Draw(t, "writer")
			w := all[i]
			if !w.busy {
				w.busy, w.event, queue = true, queue[0], queue[1:]
				go func() { w.finished <- apply(t, dbs[i], name, events[w.event]) }()
				settle(w)
				continue
			}
			what := done
			if failures > 0 {
				what = rapid.SampledFrom([]fate{done, done, done, lostBefore, lostAfter}).Draw(t, "fate")
				if what != done {
					failures--
				}
			}
			calls.Add(1)
			w.pass <- what
			settle(w)
		}
		storetest.CheckName(t, reader, name, events)
		storetest.CheckEntry(t, reader, name, events)
	})
	t.Logf("%d cases, %d calls", cases.Load(), calls.Load())
}

// apply is one event's chain of calls under one name.
func apply(t *rapid.T, db *DB, name string, e storetest.Event) error {
	var err error
	if e.Push != nil {
		err = db.push(t.Context(), name, *e.Push)
	} else {
		_, err = db.remove(t.Context(), name, tombstone{*e.Delete, num(time.Now().Add(store.Tombstone).Unix())})
	}
	if err != nil {
		return err
	}
	return db.list(t.Context(), name)
}
