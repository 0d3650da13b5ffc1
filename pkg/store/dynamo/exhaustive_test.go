package dynamo_test

import (
	"flag"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"testing/synctest"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamomodel"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
)

// The tests in this file are proofs by exhaustion. Two operations run concurrently under
// one name. A history is one order of their calls to DynamoDB, each of which is atomic.
// In a history the process of each operation may die: before a call, or after a call was
// made but not answered. Then the stream delivers its records in some order, each once or
// twice. Nobody repeats an operation. In the end, all views must be what the model of
// package storetest computes from the events that wrote an item. If nobody died, the
// views by name must already be right before the stream delivers.
//
// What an operation does next depends only on the answers that it got, and DynamoDB's
// answers depend only on its items. So histories that reach the same state continue in
// the same ways, and each state is explored once.

// A prover explores scenarios on one model, and counts what it has seen.
type prover struct {
	*explorer
	events    []job // each stores one of the operations
	derives   map[dynamo.Change]job
	tables    []scenario // initial tables, in which everything is derived
	histories *big.Int
	seen      int // scenarios
	scenarios int // that were explored
}

// prove calls test with a prover.
func prove(t *testing.T, test func(*prover)) {
	t.Parallel()
	filters := dynamotest.ReadFilters(t)
	synctest.Test(t, func(t *testing.T) {
		model := dynamo.NewModel(t)
		db := dynamo.OnModel(model)
		p := &prover{histories: new(big.Int), derives: map[dynamo.Change]job{}}
		p.explorer = &explorer{t: t, model: model, filters: filters, ordered: map[state]*big.Int{}}
		p.checkNames = func(events []event.Event) {
			storetest.CheckView(t, db, wash, events)
			storetest.CheckView(t, db, itsWash, events)
		}
		p.check = func(events []event.Event) {
			p.checkNames(events)
			storetest.CheckLists(t, db, "", events)
		}
		for _, e := range operations {
			p.events = append(p.events, storeEvent(e))
		}
		for _, count := range []int{0, 1, len(stored)} {
			events := stored[:count]
			p.tables = append(p.tables, scenario{name: fmt.Sprintf("%d references", count), events: events, table: tableAfter(t, events)})
		}
		test(p)
		t.Logf("%d histories of %d scenarios; %d calls were made", p.histories, p.scenarios, p.calls)
	})
}

// tableAfter returns the table after events and everything derived from them.
func tableAfter(t *testing.T, events []event.Event) dynamomodel.Snapshot {
	model := dynamo.NewModel(t)
	db := dynamo.OnModel(model, dynamo.WithoutStream())
	for _, e := range events {
		if _, err := store.Apply(t.Context(), db, e); err != nil {
			t.Fatal(err)
		}
	}
	return model.Snapshot()
}

var exploreAll = flag.Bool("all", false, "explore all scenarios of the exhaustive tests, not one in four")

// oneIn returns of how many scenarios one is explored.
func oneIn() int {
	switch {
	case *exploreAll:
		return 1
	case testing.Short():
		return 20
	default:
		return 4 // a busy machine would need too long for all
	}
}

// prove explores a scenario with two jobs. If both look for the references that a delete
// covers, they may find at most one: with more, such pairs would take minutes.
func (p *prover) prove(s scenario, references int, first, second job) {
	both := first.findsReferences() && second.findsReferences()
	if references == 1 && !both || references > 1 && both {
		return
	}
	p.seen++
	if p.seen%oneIn() > 0 {
		return
	}
	p.scenarios++
	s.jobs = [2]job{first, second}
	p.histories.Add(p.histories, p.explore(s))
}

// TestEveryInterleavingOfTwoEvents runs each pair of operations concurrently, on an empty
// table and on one with references. With -all it goes through about 1.2e15 histories.
func TestEveryInterleavingOfTwoEvents(t *testing.T) {
	prove(t, func(p *prover) {
		for _, table := range p.tables {
			for i, first := range p.events {
				for _, second := range p.events[:i+1] {
					p.prove(table, len(table.events), first, second)
				}
			}
		}
	})
}

// TestEveryInterleavingWithDerive runs Derive beside each operation, and beside another
// Derive. Derive works on an event whose writer died after it had written the event under
// one or both of its names. If Derive dies, its change comes again. With -all it goes
// through about 6.6e16 histories.
func TestEveryInterleavingWithDerive(t *testing.T) {
	prove(t, func(p *prover) {
		for _, table := range p.tables[1:] {
			for _, e := range p.events {
				for _, half := range p.halves(table, e) {
					for i, change := range half.pending {
						for _, other := range p.events {
							p.prove(half, len(table.events), p.deriveFrom(change), other)
						}
						for _, other := range half.pending[:i+1] {
							p.prove(half, len(table.events), p.deriveFrom(change), p.deriveFrom(other))
						}
					}
				}
			}
		}
	})
}

// halves returns the tables that remain if the writer of an event dies after it has
// written the event under some of its names.
func (p *prover) halves(table scenario, e job) (all []scenario) {
	puts := e.begin.open
	for written := 1; written < 1<<len(puts); written++ {
		half := scenario{name: fmt.Sprintf("%s, and %s, written %b", table.name, e.name, written), events: append(slices.Clone(table.events), *e.event)}
		p.model.Restore(table.table)
		for i, put := range puts {
			if written>>i&1 == 1 {
				put.do(p.t.Context(), p.model)
			}
		}
		for _, record := range p.model.Records(table.table.Records()) {
			if p.filters.Match(record) {
				half.pending = append(half.pending, recordOf(record).DynamoDB.Keys)
			}
		}
		half.table = p.model.Snapshot()
		all = append(all, half)
	}
	return all
}

// deriveFrom returns the job that derives from a change.
func (p *prover) deriveFrom(c dynamo.Change) job {
	if _, ok := p.derives[c]; !ok {
		p.derives[c] = deriveFrom(c)
	}
	return p.derives[c]
}
