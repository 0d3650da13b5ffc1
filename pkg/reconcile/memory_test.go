package reconcile_test

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// A memory is a store for one registry that has only the registers of package event. It
// must not be used concurrently.
type memory struct {
	store.Store // methods that a run does not call
	histories   map[string]store.History
	states      map[string]store.State
	whole       int // number of deletes of a whole repository
	// fail returns an error to return before a call, or after it. nil: calls do not fail.
	fail func(call string) (before, after error)
	// read is called for each read of a history, unless it is nil.
	read func(repository string)
	// behind returns a slightly older history of a repository to return instead, if there
	// is one. nil: there is none.
	behind func(repository string) (store.History, bool)
}

func newMemory() *memory {
	return &memory{histories: map[string]store.History{}, states: map[string]store.State{}}
}

func (m *memory) failing(call string, do func()) error {
	if m.fail == nil {
		do()
		return nil
	}
	before, after := m.fail(call)
	if before != nil {
		return before
	}
	do()
	return after
}

func (m *memory) history(repository string) store.History {
	h, ok := m.histories[repository]
	if !ok {
		h = store.History{Pushes: map[string]event.Push{}, Deletes: map[event.Target]event.Delete{}}
		m.histories[repository] = h
	}
	return h
}

// live returns the digest of a tag, or "" if the tag is not live.
func (m *memory) live(repository, tag string) string {
	h := m.histories[repository]
	if p, ok := h.Pushes[tag]; ok && h.Live(p) {
		return p.Digest
	}
	return ""
}

// apply stores e.
func (m *memory) apply(e event.Event) {
	switch {
	case e.Push != nil:
		h, tag := m.history(e.Push.Reference.Repository), e.Push.Reference.Tag
		if old, ok := h.Pushes[tag]; !ok || old.PushedAt.Before(e.Push.PushedAt) || e.Push.Rank() > old.Rank() {
			h.Pushes[tag] = *e.Push
		}
	case e.Delete != nil:
		h := m.history(e.Delete.Repository)
		if old, ok := h.Deletes[e.Delete.Target]; !ok || e.Delete.DeletedAt.After(old.DeletedAt) {
			h.Deletes[e.Delete.Target] = *e.Delete
		}
	}
}

func (m *memory) PushAll(_ context.Context, pushes []event.Push) error {
	return m.failing("PushAll", func() {
		for _, p := range pushes {
			m.apply(event.Event{Push: &p})
		}
	})
}

func (m *memory) Delete(_ context.Context, d event.Delete) (deleted store.Deleted, err error) {
	return deleted, m.failing("Delete", func() {
		if d.Tag == "" && d.Digest == "" {
			m.whole++
		}
		before := m.liveOf(d.Repository)
		m.apply(event.Event{Delete: &d})
		deleted.References = before - m.liveOf(d.Repository)
	})
}

func (m *memory) liveOf(repository string) (n int) {
	h := m.histories[repository]
	for _, p := range h.Pushes {
		if h.Live(p) {
			n++
		}
	}
	return n
}

func (m *memory) History(_ context.Context, _, repository string) (h store.History, err error) {
	return h, m.failing("History", func() {
		h = m.history(repository)
		if m.read != nil {
			m.read(repository)
		}
		if m.behind != nil {
			if old, ok := m.behind(repository); ok {
				h = old
			}
		}
		h = cloneHistory(h)
	})
}

func cloneHistory(h store.History) store.History {
	return store.History{Pushes: maps.Clone(h.Pushes), Deletes: maps.Clone(h.Deletes)}
}

func (m *memory) Repositories(_ context.Context, l store.Listing) (store.Page[store.Entry], error) {
	var page store.Page[store.Entry]
	for _, repository := range slices.Sorted(maps.Keys(m.histories)) {
		if repository <= l.After || m.liveOf(repository) == 0 {
			continue
		}
		if len(page.Items) == l.Limit {
			page.Next = page.Items[l.Limit-1].Name.Repository
			break
		}
		page.Items = append(page.Items, store.Entry{
			Name:   reference.Name{Repository: repository},
			Newest: event.Push{Reference: reference.Reference{Registry: host, Repository: repository, Tag: "any"}},
		})
	}
	return page, nil
}

func (m *memory) State(_ context.Context, _, key string) (s store.State, err error) {
	return s, m.failing("State", func() { s = m.states[key]; s.Key = key })
}

func (m *memory) PutState(_ context.Context, _ string, s store.State) (written bool, err error) {
	return written, m.failing("PutState", func() {
		old := m.states[s.Key]
		switch {
		case old.Revision == s.Revision:
			s.Revision++
			m.states[s.Key] = s
			written = true
		case old.Revision == s.Revision+1:
			written = bytes.Equal(old.Value, s.Value)
		}
	})
}

func (m *memory) States(ctx context.Context, registry string) iter.Seq2[store.State, error] {
	return func(yield func(store.State, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(m.states)) {
			if s, err := m.State(ctx, registry, key); !yield(s, err) {
				return
			}
		}
	}
}
