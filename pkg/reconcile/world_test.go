package reconcile_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry/acrtest"
	"ocireffer/pkg/store"
)

const host = "wasm.azurecr.io"

// Time in the simulation is counted in ticks.
const (
	tick   = 30 * time.Second
	skew   = 3  // greatest error of a clock, in ticks, either way
	lagMax = 10 // greatest lag of a replica, in ticks
	margin = 2*skew + lagMax + 2
	grain  = 2 // ticks after a push during which a repository's time may not change

	mostRepositories = 4
	mostTags         = 6
	digests          = 3
)

// epoch is tick 0.
var epoch = time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)

func at(t int) time.Time { return epoch.Add(time.Duration(t) * tick) }

// The contents of the registry.
type (
	trueTag struct {
		digest, pushed int // digest 0: no tag; pushed is the registry's time
		hidden         bool
		told           bool // the last change is a push whose event was sent
	}
	trueRepository struct {
		exists  bool
		updated int
		others  int // manifests without a tag that were pushed or deleted
		tags    [mostTags]trueTag
	}
	truth [mostRepositories]trueRepository
)

// count returns the number of tags.
func (r trueRepository) count() (n int) {
	for _, t := range r.tags {
		if t.digest != 0 && !t.hidden {
			n++
		}
	}
	return n
}

// A mode tells what times the registry gives.
type mode int

const (
	oneClock mode = iota // all its times come from one clock, which may be wrong
	skewed               // each time comes from one of several clocks
	noTimes              // it gives neither times nor attributes
)

func (m mode) String() string { return [...]string{"one clock", "skewed clocks", "no times"}[m] }

// delivery is an event on its way.
type delivery struct {
	due   int
	event event.Event
}

// A world is a registry, the events that it sends, and two stores that receive them. Only
// one of them is reconciled.
type world struct {
	*rand.Rand
	mode               mode
	repositories, tags int
	now                int
	quiet              bool
	offset, own        int // errors of the registry's clock and of ours
	created            [digests + 1]int
	cur                truth
	past               []truth // by tick
	onTheWay           []delivery
	with, without      *memory
	before             map[string]store.History // the histories of with a tick ago
	delivered          map[string]int           // when an event came last, by repository
	compared           map[string]int           // when a run last read the history from with
	silent             map[string][]int         // when changes happened that may show only in the number of tags
	faulty             bool                     // calls fail
	paused             chan bool                // gets false when a run waits for its turn, true when it has ended
	running            *turn
}

func newWorld(seed uint64, m mode) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, uint64(m))), mode: m, repositories: 2, tags: 3, now: 100, with: newMemory(), without: newMemory(), paused: make(chan bool)}
	if seed%8 == 0 { // enough for the brake to hold
		w.repositories, w.tags = mostRepositories, mostTags
	}
	w.offset, w.own = w.skew(), w.skew()
	for d := range w.created {
		w.created[d] = w.IntN(100)
	}
	w.past = make([]truth, w.now+1, 500)
	w.delivered, w.compared, w.silent = map[string]int{}, map[string]int{}, map[string][]int{}
	w.with.fail, w.with.behind = w.fail, w.behind
	w.with.read = func(repository string) { w.compared[repository] = w.now }
	return w
}

// unseen reports whether changes in a repository since it was compared may have left its
// attributes unchanged: an event came that does not show in the attributes, or one tag
// was hidden, untagged or restored and another one the other way round.
func (w *world) unseen(repository string) bool {
	since, n := w.compared[repository], 0
	for _, t := range w.silent[repository] {
		if t >= since-2*lagMax {
			n++
		}
	}
	return w.delivered[repository] >= since || n >= 2
}

func (w *world) skew() int { return w.IntN(2*skew+1) - skew }

// stamp returns the registry's time in an event.
func (w *world) stamp() int {
	if w.mode == oneClock {
		return w.now + w.offset
	}
	return w.now + w.skew()
}

func repositoryName(i int) string { return fmt.Sprintf("team/r%d", i) }
func tagName(i int) string        { return fmt.Sprintf("1.%d", i) }

var digestTexts = [...]string{"", acrtest.Digest("1"), acrtest.Digest("2"), acrtest.Digest("3")}

func (w *world) ref(repository, tag int) reference.Reference {
	return reference.Reference{Registry: host, Repository: repositoryName(repository), Tag: tagName(tag)}
}

// send sends an event, unless it gets lost.
func (w *world) send(e event.Event) (told bool) {
	if w.IntN(4) == 0 {
		return false
	}
	w.onTheWay = append(w.onTheWay, delivery{w.now + w.IntN(30), e})
	return true
}

func (w *world) sendDelete(t event.Target) {
	t.Registry = host
	w.send(event.Event{Delete: &event.Delete{Target: t, DeletedAt: at(w.now + w.skew()), ReceivedAt: at(w.now)}})
}

// push changes a repository as a push does.
func (w *world) push(r *trueRepository, tag, digest, pushed int) {
	r.exists = true
	if w.now-r.updated > grain {
		r.updated = w.now
	}
	r.tags[tag] = trueTag{digest: digest, pushed: pushed}
}

// change changes something in the registry.
func (w *world) change() {
	i := w.IntN(w.repositories)
	r := &w.cur[i]
	tag, digest := w.IntN(w.tags), 1+w.IntN(digests)
	t := &r.tags[tag]
	what := w.IntN(18)
	if what >= 8 {
		w.silent[repositoryName(i)] = append(w.silent[repositoryName(i)], w.now)
	}
	switch what {
	default: // a push
		pushed := w.stamp()
		w.push(r, tag, digest, pushed)
		if w.mode == skewed {
			pushed = w.stamp()
		}
		t.told = w.send(event.Event{Push: &event.Push{Reference: w.ref(i, tag), Digest: digestTexts[digest], Size: event.UnknownSize, PushedAt: at(pushed)}})
	case 8, 9: // an untag, without an event
		*t = trueTag{}
	case 10, 11: // a delete of a digest
		for k := range r.tags {
			if r.tags[k].digest == digest {
				r.tags[k] = trueTag{}
			}
		}
		r.others++
		w.sendDelete(event.Target{Repository: repositoryName(i), Digest: digestTexts[digest]})
	case 12, 13: // a restore with the old time, without an event
		if t.digest == 0 && r.exists {
			w.push(r, tag, digest, max(1, w.now-w.IntN(60)))
		}
	case 14, 15: // a lock or unlock, which changes no time
		t.hidden = !t.hidden && t.digest != 0
	case 16:
		r.others++
	case 17: // a delete of the repository
		if r.exists {
			*r = trueRepository{}
			w.sendDelete(event.Target{Repository: repositoryName(i)})
		}
	}
}

// cleanUp may empty most repositories of a large registry, without events.
func (w *world) cleanUp() {
	if w.repositories < mostRepositories || w.IntN(2) == 0 {
		return
	}
	for i := 1; i < w.repositories; i++ {
		w.cur[i].tags = [mostTags]trueTag{}
		if w.mode != noTimes {
			w.cur[i].exists = false
		}
	}
}

// tick advances the world by a tick.
func (w *world) tick() {
	w.now++
	w.before = nil
	if !w.quiet && w.IntN(4) == 0 {
		w.change()
	}
	w.past = append(w.past, w.cur)
	rest := w.onTheWay[:0]
	for _, d := range w.onTheWay {
		if d.due > w.now {
			rest = append(rest, d)
			continue
		}
		for range 1 + w.IntN(2) { // events may be repeated
			w.remember(d.event)
			w.with.apply(d.event)
			w.without.apply(d.event)
		}
	}
	w.onTheWay = rest
}

func (w *world) ticks(n int) {
	for range n {
		w.tick()
	}
}

// remember keeps the history that e is about to change, for a read that lags.
func (w *world) remember(e event.Event) {
	repository := ""
	if e.Push != nil {
		repository = e.Push.Reference.Repository
	} else {
		repository = e.Delete.Repository
	}
	w.delivered[repository] = w.now
	if _, ok := w.before[repository]; ok || w.IntN(4) > 0 {
		return
	}
	if w.before == nil {
		w.before = map[string]store.History{}
	}
	w.before[repository] = cloneHistory(w.with.history(repository))
}

func (w *world) behind(repository string) (store.History, bool) {
	h, ok := w.before[repository]
	return h, ok
}

var errStore = errors.New("the store fails")

// fail waits for the turn of the run that calls the store, and returns whether the call
// fails.
func (w *world) fail(string) (before, after error) {
	w.wait()
	if w.faulty && w.IntN(200) == 0 {
		if w.IntN(2) == 0 {
			return errStore, nil
		}
		return nil, errStore
	}
	return nil, nil
}

// read returns the registry as seen by a replica.
func (w *world) read() *truth {
	return &w.past[max(0, len(w.past)-1-w.IntN(lagMax+1))]
}
