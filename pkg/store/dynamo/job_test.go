package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
)

// A job is the program that stores an event, or that derives from a change.
type job struct {
	*program
	event  *event.Event
	change *dynamo.Change
}

func storeEvent(e namedEvent) job {
	return job{event: &e.Event, program: newProgram(e.name, func(ctx context.Context, db *dynamo.DB) error {
		_, err := store.Apply(ctx, db, e.Event)
		return err
	})}
}

func deriveFrom(c dynamo.Change) job {
	name := fmt.Sprintf("Derive from %s in %s", c.Key, c.Partition)
	return job{change: &c, program: newProgram(name, func(ctx context.Context, db *dynamo.DB) error {
		return errors.Join(db.Derive(ctx, []dynamo.Change{c})...)
	})}
}

// findsReferences reports whether a job queries for the references that a delete covers.
func (j job) findsReferences() bool {
	if j.change != nil {
		target, isTombstone := strings.CutPrefix(j.change.Key, "#deleted/")
		return isTombstone && (strings.Contains(target, "@") || !strings.Contains(target, ":"))
	}
	return j.event.Delete != nil && j.event.Delete.Tag == ""
}
