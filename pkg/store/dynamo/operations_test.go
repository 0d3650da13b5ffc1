package dynamo_test

import (
	"fmt"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

const registry = "a.azurecr.io"

var (
	noon    = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)
	wash    = reference.Name{Repository: "wash"}
	itsWash = reference.Name{Registry: registry, Repository: "wash"}
)

func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// at returns a time some seconds after noon.
func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// pushOf returns a push of wash:tag.
func pushOf(tag string, digestOf, seconds int) event.Push {
	return event.Push{
		Reference: reference.Reference{Registry: registry, Repository: "wash", Tag: tag},
		Digest:    digest(digestOf), Size: event.UnknownSize, PushedAt: at(seconds),
	}
}

// given returns a push of a reference whose given name is wash.
func given(p event.Push) event.Push {
	p.Reference.Repository, p.GivenName = "acme/app", "wash"
	return p
}

// deleteOf returns a delete in the repository of p's reference.
func deleteOf(p event.Push, tag, digest string, seconds int) event.Delete {
	target := event.Target{Registry: registry, Repository: p.Reference.Repository, GivenName: p.GivenName, Tag: tag, Digest: digest}
	return event.Delete{Target: target, DeletedAt: at(seconds), ReceivedAt: at(1000)}
}

func pushed(p event.Push) event.Event    { return event.Event{Push: &p} }
func deleted(d event.Delete) event.Event { return event.Event{Delete: &d} }

// A namedEvent is one kind of operation under the name wash.
type namedEvent struct {
	name string
	event.Event
}

// stored are the events behind a table with references. Two of them share a digest.
var stored = []event.Event{
	pushed(pushOf("1.0.0", 1, 0)),
	pushed(pushOf("latest", 1, 1)),
	pushed(given(pushOf("0.9", 1, 2))),
}

// operations are all kinds of events; any two may run concurrently.
var operations = []namedEvent{
	{"push of a new tag", pushed(pushOf("1.1.0-rc.1", 2, 10))},
	{"push of a tag with another digest", pushed(pushOf("1.0.0", 2, 11))},
	{"older push of a tag", pushed(pushOf("1.0.0", 3, -10))},
	{"newer delete by tag", deleted(deleteOf(pushOf("", 0, 0), "1.0.0", "", 20))},
	{"older delete by tag", deleted(deleteOf(pushOf("", 0, 0), "1.0.0", "", 5))},
	{"newer delete by digest", deleted(deleteOf(pushOf("", 0, 0), "", digest(2), 21))},
	{"older delete by digest", deleted(deleteOf(pushOf("", 0, 0), "", digest(1), 5))},
	{"newer delete of the repository", deleted(deleteOf(pushOf("", 0, 0), "", "", 22))},
	{"older delete of the repository", deleted(deleteOf(pushOf("", 0, 0), "", "", 5))},
	{"push by hand under a given name", pushed(given(pushOf("1.0", 2, 12)))},
	{"its delete", deleted(deleteOf(given(pushOf("", 0, 0)), "1.0", "", 23))},
	{"addition to a category", membership(false, 1)},
	{"removal from a category", membership(true, 2)},
}

func membership(removed bool, seconds int) event.Event {
	member := event.Member{Category: "official", Name: wash}
	return event.Event{Membership: &event.Membership{Member: member, Removed: removed, At: at(seconds)}}
}
