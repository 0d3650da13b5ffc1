package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
)

// A record is what a run saw of a repository, as it is stored. The zero record belongs to
// a repository of which nothing needs to be remembered.
type record struct {
	// Updated, Tags and Manifests are the registry's attributes of the repository.
	Updated   time.Time `json:"updated,omitzero"`
	Tags      int       `json:"tags,omitempty"`
	Manifests int       `json:"manifests,omitempty"`
	// Listed is the safe time of the last list that settled everything. Zero: the
	// repository must be listed again.
	Listed time.Time `json:"listed,omitzero"`
	// Live is how many references the store has.
	Live int `json:"live,omitempty"`
	// Gone are tags to delete as of GoneAt when the pass is over. If Whole is set, the
	// whole repository is deleted.
	Gone   []string  `json:"gone,omitempty"`
	More   int       `json:"more,omitempty"` // number of further tags that are gone, but do not fit into Gone
	Whole  bool      `json:"whole,omitempty"`
	GoneAt time.Time `json:"goneAt,omitzero"`

	revision int64
	stored   []byte
}

// maxGone is the total size of Gone, in bytes. A state may have 300 KB.
const maxGone = 250_000

// unchanged reports whether a repository with attributes a is as it was when everything
// was settled.
//
// A push may leave Updated unchanged if another one came seconds before (1.4 s were seen
// in ACR). So Updated tells something only if it was long past. It cannot tell that a
// late event changed the store. So a repository that was listed soon after it changed is
// listed once more.
func (r record) unchanged(a registry.Attributes, now time.Time) bool {
	valid := relist
	if r.Listed.Sub(r.Updated) < lateEvents {
		valid = lateEvents
	}
	return a.Known() && a.Equal(registry.Attributes{LastUpdate: r.Updated, Tags: r.Tags, Manifests: r.Manifests}) &&
		r.Updated.Before(r.Listed) && now.Sub(r.Listed) < valid && r.going() == 0
}

// going returns the number of references to delete.
func (r record) going() int {
	if r.Whole {
		return r.Live
	}
	return len(r.Gone) + r.More
}

// loadSeen reads the records of earlier runs.
func (w *run) loadSeen(ctx context.Context) error {
	for s, err := range w.db.States(ctx, w.host) {
		if err != nil {
			return err
		}
		if s.Key == passKey {
			continue
		}
		r := record{revision: s.Revision, stored: s.Value}
		if err := json.Unmarshal(s.Value, &r); err != nil {
			return fmt.Errorf("state %s of %s: %w", s.Key, w.host, err)
		}
		w.seen[s.Key] = r
	}
	return nil
}

// last returns the record of a repository.
func (w *run) last(name string) record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[name]
}

// record stores what was seen of a repository, if that is new. If another run has stored
// a record meanwhile, that one stays, since it is just as right.
func (w *run) record(ctx context.Context, name string, r record) error {
	old := w.last(name)
	r.revision, r.stored = old.revision, old.stored
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if r.stored == nil && string(value) == "{}" {
		return nil
	}
	if !bytes.Equal(value, r.stored) {
		written, err := w.db.PutState(ctx, w.host, store.State{Key: name, Value: value, Revision: r.revision})
		if err != nil {
			return err
		}
		if written {
			r.revision, r.stored = r.revision+1, value
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[name] = r
	return nil
}
