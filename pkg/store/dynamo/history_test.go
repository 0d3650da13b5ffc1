package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing/synctest"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamomodel"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/views"
)

// A history is what happens to one table. Events come in any order, some more than once,
// and so do the records of the stream. A few processes handle them concurrently. Chance
// decides which process makes its next call to DynamoDB, and whether the call fails or
// its process dies.
type history struct {
	chance  *rand.Rand
	model   *dynamomodel.Table
	filters dynamotest.Filters

	events    []event.Event
	counts    []bool          // by event: whether an item of it was written
	todo      []int           // events still to come
	stream    []dynamo.Change // records still to come
	read      int             // how many records of the stream have been read
	processes []*process
	gate      gate
	faults    float64 // share of calls that fail
	steps     []moment
}

// A moment in a history: a process begins a task, or makes a call.
type moment struct {
	process int
	event   *event.Event
	batch   []dynamo.Change
	call    string
	fate    fate
	dead    bool
}

// String describes a moment.
func (m moment) String() string {
	switch {
	case m.event != nil:
		return fmt.Sprintf("%d begins: %s", m.process, m.event)
	case m.batch != nil:
		return fmt.Sprintf("%d begins: records %v", m.process, m.batch)
	case m.dead:
		return fmt.Sprintf("%d calls %s: %s, and dies", m.process, m.call, m.fate)
	default:
		return fmt.Sprintf("%d calls %s: %s", m.process, m.call, m.fate)
	}
}

// A process handles an event or a batch of records, and then the next.
type process struct {
	*history
	number int
	busy   bool
	event  int             // the event that it handles, or -1
	batch  []dynamo.Change // the records that it handles, if it handles no event
	faulty bool            // one of its calls failed
	dead   bool
	ended  bool
	err    error // the error with which it ended
	failed int   // for a batch: the first record to deliver again
}

// run makes the processes handle all events and then the rest of the stream. It runs in a
// synctest bubble.
func (h *history) run() error {
	for {
		var idle []*process
		for _, p := range h.processes {
			if !p.busy {
				idle = append(idle, p)
			}
		}
		jobs := len(h.todo) > 0 || len(h.stream) > 0
		switch open := len(h.gate.open); {
		case open == 0 && len(idle) < len(h.processes):
			return errors.New("a process waits for nothing")
		case open == 0 && !jobs:
			return nil
		case len(idle) > 0 && jobs && h.chance.IntN(open+len(idle)) >= open:
			h.begin(idle[h.chance.IntN(len(idle))])
		case open > 0:
			h.let(h.gate.take(h.chance.IntN(open)))
		default:
			continue // chance chose an idle process, and there is nothing to do
		}
		if err := h.settle(); err != nil {
			return err
		}
	}
}

// begin gives a process a task.
func (h *history) begin(p *process) {
	*p = process{history: h, number: p.number, busy: true, event: -1}
	db := dynamo.OnModel(&client{p})
	if n := len(h.todo); h.chance.IntN(n+len(h.stream)) < n {
		p.event, h.todo = h.todo[0], h.todo[1:]
		h.steps = append(h.steps, moment{process: p.number, event: &h.events[p.event]})
		go func() {
			_, err := store.Apply(context.Background(), db, h.events[p.event])
			p.err, p.ended = err, true
		}()
	} else {
		size := min(1+h.chance.IntN(4), len(h.stream))
		p.batch, h.stream = slices.Clone(h.stream[:size]), h.stream[size:]
		h.steps = append(h.steps, moment{process: p.number, batch: p.batch})
		go func() {
			p.failed, p.err = deliver(db, p.batch)
			p.ended = true
		}()
	}
	synctest.Wait()
}

// deliver calls the views function with a batch. It returns the first record to deliver
// again.
func deliver(db *dynamo.DB, batch []dynamo.Change) (failed int, err error) {
	b := views.Batch{Records: make([]views.Record, len(batch))}
	for i, change := range batch {
		b.Records[i].DynamoDB.Keys = change
		b.Records[i].DynamoDB.SequenceNumber = strconv.Itoa(i)
	}
	response, err := views.Handler(db, slog.New(slog.DiscardHandler))(context.Background(), b)
	failed = len(batch)
	for _, failure := range response.BatchItemFailures {
		i, err := strconv.Atoi(failure.ItemIdentifier)
		if err != nil {
			return 0, err
		}
		failed = min(failed, i)
	}
	return failed, err
}

// let lets a call through. It may fail, before or after it is made, or its process may
// die. Then the process's other calls may still land.
func (h *history) let(c *call) {
	f := done
	if h.chance.Float64() < h.faults {
		f = h.lost()
		c.faulty = true
		c.dead = h.chance.IntN(2) == 0
	}
	h.resume(c, f)
	for c.dead {
		other := h.gate.takeOf(c.process)
		if other == nil {
			break
		}
		h.resume(other, h.lost())
	}
}

func (h *history) lost() fate { return []fate{lostBefore, lostAfter}[h.chance.IntN(2)] }

// resume lets a call through, and waits until its process has reacted.
func (h *history) resume(c *call, f fate) {
	h.steps = append(h.steps, moment{process: c.number, call: c.what, fate: f, dead: c.dead})
	c.pass(f)
	synctest.Wait()
}

// abandon ends all processes.
func (h *history) abandon() {
	for _, p := range h.processes {
		p.dead = true
	}
	for len(h.gate.open) > 0 {
		h.resume(h.gate.take(0), lostBefore)
	}
}

// settle reads the stream, and notes which processes have ended.
func (h *history) settle() error {
	h.gate.sort()
	for _, record := range h.model.Records(h.read) {
		h.read++
		if h.filters.Match(record) {
			h.come(recordOf(record).DynamoDB.Keys)
		}
	}
	for _, p := range h.processes {
		if !p.busy || !p.ended {
			continue
		}
		p.busy = false
		if p.event >= 0 {
			if p.err != nil && !p.faulty {
				return fmt.Errorf("%s: %w, although none of its calls failed", h.events[p.event], p.err)
			}
			if p.faulty && h.chance.IntN(2) == 0 {
				h.todo = append(h.todo, p.event)
			}
			continue
		}
		if (p.failed < len(p.batch) || p.err != nil) && !p.faulty {
			return fmt.Errorf("%v: %w from record %d on, although no call failed", p.batch, p.err, p.failed)
		}
		if p.dead || h.chance.IntN(8) == 0 {
			p.failed = 0
		}
		for _, change := range p.batch[p.failed:] {
			h.come(change)
		}
	}
	return nil
}

// come schedules a record at a random time.
func (h *history) come(c dynamo.Change) {
	h.stream = slices.Insert(h.stream, h.chance.IntN(len(h.stream)+1), c)
}

// counted returns the events that wrote an item.
func (h *history) counted() (all []event.Event) {
	for i, e := range h.events {
		if h.counts[i] {
			all = append(all, e)
		}
	}
	return all
}
