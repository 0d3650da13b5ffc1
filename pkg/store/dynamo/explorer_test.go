package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamomodel"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// A scenario is a table, and two programs that run on it concurrently.
type scenario struct {
	name    string
	table   dynamomodel.Snapshot
	events  []event.Event   // events that led to the table
	pending []dynamo.Change // changes that its stream has not delivered yet
	jobs    [2]job
}

const maxChanges = 8 // changes of different keys in a scenario

// A state is everything that determines the rest of a history.
type state struct {
	table     dynamomodel.Digest
	points    [2]*point         // where each job is; nil: it has ended
	counts    [2]bool           // whether each job has written an item of its event
	died      bool              // a job has died
	records   [maxChanges]uint8 // number of records in the stream, by explorer.changes
	delivered [maxChanges]uint8 // how many times each was delivered
}

// An explorer walks all histories of a scenario. A state that several histories reach is
// explored once.
type explorer struct {
	t       *testing.T
	model   *dynamomodel.Table
	filters dynamotest.Filters
	// check wants the views of model to agree with events. checkNames wants that of the
	// views that do not depend on the stream; it is used if nobody dies.
	check, checkNames func(events []event.Event)

	scenario
	changes []dynamo.Change
	seen    map[state]*big.Int          // how many histories follow each state
	derived map[derivation]derivedTable // results of Derive
	checked map[outcome]bool
	ordered map[state]*big.Int // results of orders
	calls   int                // how many calls were made
	history []step             // steps that led here
}

// A step in a history: a job dies, or makes a call, or both; or a change is delivered.
type step struct {
	job    int
	dies   bool
	call   *openCall
	change *dynamo.Change
}

type derivation struct {
	table  dynamomodel.Digest
	change int
}

type derivedTable struct {
	digest dynamomodel.Digest
	table  dynamomodel.Snapshot
}

type outcome struct {
	table  dynamomodel.Digest
	counts [2]bool
}

// explore returns the number of histories of s.
func (x *explorer) explore(s scenario) *big.Int {
	x.scenario, x.changes, x.history = s, nil, nil
	x.seen, x.derived, x.checked = map[state]*big.Int{}, map[derivation]derivedTable{}, map[outcome]bool{}
	at := state{table: s.table.Digest()}
	for _, c := range s.pending {
		at.records[x.indexOf(c)]++
	}
	for i, j := range s.jobs {
		at.points[i] = j.begin
	}
	return x.from(at, s.table)
}

// indexOf returns the index of a change.
func (x *explorer) indexOf(c dynamo.Change) int {
	i := slices.Index(x.changes, c)
	if i < 0 {
		i = len(x.changes)
		x.changes = append(x.changes, c)
	}
	if i >= maxChanges {
		x.fail(fmt.Errorf("more than %d changes", maxChanges))
	}
	return i
}

// from returns how many histories continue from a state. In each step, an open call of a
// job is made and answered, or the job dies before the call or after it.
func (x *explorer) from(at state, table dynamomodel.Snapshot) *big.Int {
	if n, ok := x.seen[at]; ok {
		return n
	}
	n := new(big.Int)
	switch {
	case at.points != [2]*point{}:
	case at.died:
		n = x.deliver(at, table)
	default:
		if len(x.pending) == 0 {
			x.want(x.checkNames, at.counts, table)
		}
		later := at
		later.died = true // its death no longer matters
		n = x.from(later, table)
	}
	for i, p := range at.points {
		if p == nil {
			continue
		}
		dead := at
		dead.points[i], dead.died = nil, true
		n.Add(n, x.step(step{job: i, dies: true}, dead, table))
		for call := range p.open {
			next, after, a := x.make(at, table, i, call)
			dead := next
			dead.points[i], dead.died = nil, true
			n.Add(n, x.step(step{job: i, call: &p.open[call], dies: true}, dead, after))
			next.points[i] = p.on(call, a)
			if len(next.points[i].open) == 0 {
				x.end(&next, i)
			}
			n.Add(n, x.step(step{job: i, call: &p.open[call]}, next, after))
		}
	}
	x.seen[at] = n
	return n
}

// step continues from the state after a step.
func (x *explorer) step(s step, at state, table dynamomodel.Snapshot) *big.Int {
	x.history = append(x.history, s)
	n := x.from(at, table)
	x.history = x.history[:len(x.history)-1]
	return n
}

// make makes a call of a job.
func (x *explorer) make(at state, table dynamomodel.Snapshot, i, call int) (state, dynamomodel.Snapshot, answer) {
	x.calls++
	x.model.Restore(table)
	made := at.points[i].open[call]
	a, wrote := made.do(x.t.Context(), x.model)
	if !wrote {
		return at, table, a
	}
	if _, put := made.input.(*dynamodb.PutItemInput); put && x.jobs[i].event != nil {
		at.counts[i] = true
	}
	for _, record := range x.model.Records(table.Records()) {
		if x.filters.Match(record) {
			at.records[x.indexOf(recordOf(record).DynamoDB.Keys)]++
		}
	}
	table = x.model.Snapshot()
	at.table = table.Digest()
	return at, table, a
}

// end ends a job that has no open call. A change that Derive has completed counts as
// delivered.
func (x *explorer) end(at *state, i int) {
	if err := at.points[i].err; err != nil {
		x.fail(fmt.Errorf("%s: %w", x.jobs[i].name, err))
	}
	at.points[i] = nil
	if c := x.jobs[i].change; c != nil {
		at.delivered[x.indexOf(*c)]++
	}
}

// deliver returns how many histories continue from a state in which both jobs have ended.
// The stream delivers each of its records once or twice, in any order.
func (x *explorer) deliver(at state, table dynamomodel.Snapshot) *big.Int {
	n := new(big.Int)
	if at.isDelivered() {
		x.wantViews(outcome{at.table, at.counts}, table)
		n.SetInt64(1)
	}
	settled := true
	for i := range x.changes {
		if at.mayDeliver(i) {
			next, _ := x.deliverOne(at, table, i)
			settled = settled && next.table == at.table
		}
	}
	if settled {
		x.wantViews(outcome{at.table, at.counts}, table)
		n = x.orders(at.records, at.delivered)
	} else {
		for i := range x.changes {
			if at.mayDeliver(i) {
				next, after := x.deliverOne(at, table, i)
				n.Add(n, x.step(step{change: &x.changes[i]}, next, after))
			}
		}
	}
	return n
}

// orders returns the number of orders in which the rest of the stream may be delivered.
func (x *explorer) orders(records, delivered [maxChanges]uint8) *big.Int {
	at := state{records: records, delivered: delivered}
	if n, ok := x.ordered[at]; ok {
		return n
	}
	n := new(big.Int)
	if at.isDelivered() {
		n.SetInt64(1)
	}
	for i := range records {
		if at.mayDeliver(i) {
			next := delivered
			next[i]++
			n.Add(n, x.orders(records, next))
		}
	}
	x.ordered[at] = n
	return n
}

// mayDeliver reports whether a change may be delivered once more.
func (at state) mayDeliver(change int) bool { return at.delivered[change] < 2*at.records[change] }

// deliverOne delivers a change.
func (x *explorer) deliverOne(at state, table dynamomodel.Snapshot, change int) (state, dynamomodel.Snapshot) {
	d := x.derive(derivation{at.table, change}, table)
	at.table = d.digest
	at.delivered[change]++
	return at, d.table
}

// isDelivered reports whether each record was delivered.
func (at state) isDelivered() bool {
	for i, records := range at.records {
		if at.delivered[i] < records {
			return false
		}
	}
	return true
}

// derive runs Derive on a table.
func (x *explorer) derive(d derivation, table dynamomodel.Snapshot) derivedTable {
	if to, ok := x.derived[d]; ok {
		return to
	}
	x.model.Restore(table)
	change := x.changes[d.change]
	for _, err := range dynamo.OnModel(x.model).Derive(context.Background(), []dynamo.Change{change}) {
		if err != nil {
			x.fail(err)
		}
	}
	dynamo.ForgetRevisions(x.t, x.model)
	after := x.model.Snapshot()
	x.derived[d] = derivedTable{after.Digest(), after}
	return x.derived[d]
}

// wantViews checks the views of a table after everything is done.
func (x *explorer) wantViews(o outcome, table dynamomodel.Snapshot) {
	if !x.checked[o] {
		x.checked[o] = true
		x.want(x.check, o.counts, table)
	}
}

// want checks a table. counts says which jobs' events count.
func (x *explorer) want(check func([]event.Event), counts [2]bool, table dynamomodel.Snapshot) {
	x.model.Restore(table)
	events := slices.Clone(x.events)
	for i, counts := range counts {
		if counts {
			events = append(events, *x.jobs[i].event)
		}
	}
	defer func() {
		if x.t.Failed() {
			x.fail(errors.New("this is the history"))
		}
	}()
	check(events)
}

// fail fails the test with the history.
func (x *explorer) fail(err error) {
	x.t.Helper()
	text := fmt.Sprintf("%s; %s; %s", x.name, x.jobs[0].name, x.jobs[1].name)
	for _, s := range x.history {
		switch {
		case s.change != nil:
			text += fmt.Sprintf("\nrecord of %s in %s", s.change.Key, s.change.Partition)
		case s.call == nil:
			text += fmt.Sprintf("\n%d dies", s.job)
		case s.dies:
			text += fmt.Sprintf("\n%d calls %s, and dies", s.job, s.call.id)
		default:
			text += fmt.Sprintf("\n%d calls %s", s.job, s.call.id)
		}
	}
	x.t.Fatalf("%s\n%v", text, err)
}
