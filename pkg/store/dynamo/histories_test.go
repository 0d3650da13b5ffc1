package dynamo_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamomodel"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
)

var (
	histories = flag.Int("histories", 4_000, "how many random histories to try")
	seed      = flag.Uint64("seed", 0, "of the histories, of which some nine in ten come again with it; 0: any")
)

// TestRandomHistories runs random histories: see history. In the end, all views agree
// with the events that wrote an item.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	filters := dynamotest.ReadFilters(t)
	number, seed := *histories, *seed
	if testing.Short() {
		number /= 4
	}
	if seed == 0 {
		seed = rand.Uint64()
	}
	synctest.Test(t, func(t *testing.T) {
		model := dynamo.NewModel(t)
		empty := model.Snapshot()
		reader := dynamo.OnModel(model)
		calls, events := 0, 0
		for n := range number {
			model.Restore(empty)
			h := newHistory(rand.New(rand.NewPCG(seed, uint64(n))))
			h.model, h.filters = model, filters
			wantRight(t, h, reader)
			calls, events = calls+len(h.steps), events+len(h.events)
		}
		t.Logf("%d histories of -seed %d, with %d events in %d steps", number, seed, events, calls)
	})
}

// wantRight wants the views after a history to be right. Otherwise it prints the history.
func wantRight(t *testing.T, h *history, reader *dynamo.DB) {
	defer func() {
		if !t.Failed() {
			return
		}
		for _, m := range h.steps {
			t.Log(m)
		}
		h.abandon()
	}()
	if err := h.run(); err != nil {
		t.Fatal(err)
	}
	storetest.CheckViews(t, reader, "", h.counted())
	wantTombstones(t, h.model, h.counted())
}

// newHistory returns a history of up to 30 events. They have few different values, so
// that they collide.
func newHistory(chance *rand.Rand) *history {
	h := &history{chance: chance}
	world := storetest.Large
	world.Registries = some(chance, world.Registries)
	world.Repositories = some(chance, world.Repositories)
	world.Tags = some(chance, world.Tags)
	world.Digests = 1 + chance.IntN(world.Digests)
	world.Seconds = 1 + chance.IntN(world.Seconds)
	for range 1 + min(chance.IntN(30), chance.IntN(30), chance.IntN(30)) { // small numbers are the most likely
		h.events = append(h.events, anyEvent(chance, world))
	}
	h.counts = make([]bool, len(h.events))
	for i := range h.events {
		h.todo = append(h.todo, i)
		if chance.IntN(4) == 0 {
			h.todo = append(h.todo, i)
		}
	}
	chance.Shuffle(len(h.todo), func(i, j int) { h.todo[i], h.todo[j] = h.todo[j], h.todo[i] })
	for i := range 1 + chance.IntN(4) {
		h.processes = append(h.processes, &process{number: i})
	}
	h.faults = one(chance, 0, 0.01, 0.03, 0.1)
	return h
}

// some returns a selection of all, at least one.
func some[T any](chance *rand.Rand, all []T) []T {
	all = slices.Clone(all)
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+chance.IntN(len(all))]
}

func one[T any](chance *rand.Rand, of ...T) T { return of[chance.IntN(len(of))] }

func anyEvent(chance *rand.Rand, world storetest.World) event.Event {
	r := reference.Reference{Registry: one(chance, world.Registries...), Repository: one(chance, world.Repositories...), Tag: one(chance, world.Tags...)}
	name := event.GivenName(one(chance, world.ByHand...), r)
	if chance.IntN(2) == 0 {
		name = ""
	}
	seconds := chance.IntN(1 + world.Seconds)
	target := event.Target{Registry: r.Registry, Repository: r.Repository, GivenName: name}
	switch chance.IntN(12) {
	case 0:
		names := []reference.Name{{Repository: "wash"}, {Repository: "other"}, {Registry: r.Registry, Repository: r.Repository}}
		member := event.Member{Category: one(chance, world.Categories...), Name: one(chance, names...)}
		return event.Event{Membership: &event.Membership{Member: member, Removed: chance.IntN(2) == 0, At: at(seconds)}}
	case 1, 2:
		target.Digest = digest(1 + chance.IntN(world.Digests))
	case 3, 4:
		target.Tag = r.Tag
	case 5:
	default:
		p := event.Push{Reference: r, GivenName: name, Size: int64(chance.IntN(3) - 1), MediaType: one(chance, "", "a/a", "a/b"), PushedAt: at(seconds)}
		if n := chance.IntN(1 + world.Digests); n > 0 {
			p.Digest = digest(n)
		}
		return pushed(p)
	}
	return deleted(event.Delete{Target: target, DeletedAt: at(seconds), ReceivedAt: noon.Add(time.Duration(chance.IntN(40)) * 24 * time.Hour)})
}

// wantTombstones wants a tombstone under each name of each delete. It must be at least as
// new as the delete, and received at least as late.
func wantTombstones(t *testing.T, model *dynamomodel.Table, events []event.Event) {
	t.Helper()
	items := map[string]map[string]types.AttributeValue{}
	for _, item := range model.Dump() {
		items[key(item)] = item
	}
	for _, e := range events {
		if e.Delete == nil {
			continue
		}
		for _, name := range e.Delete.Names() {
			item := items[store.Partition(name)+" #deleted/"+e.Delete.Target.String()]
			for attr, least := range map[string]time.Time{"rank": e.Delete.DeletedAt, "receivedAt": e.Delete.ReceivedAt} {
				got, ok := item[attr].(*types.AttributeValueMemberS)
				if !ok || got.Value < event.Stamp(least) {
					t.Fatalf("%s, received %s: tombstone of %s has %s %v", e, e.Delete.ReceivedAt, name, attr, item[attr])
				}
			}
		}
	}
}
