package reconcile

import (
	"context"
	"fmt"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
)

// repository reads one repository, writes the pushes that the store lacks, and records
// what it saw. An error ends the whole run.
func (w *run) repository(ctx context.Context, name string) error {
	r, err := w.registry.Repository(ctx, name)
	if err != nil {
		return err
	}
	if r.LoginServer != "" && r.LoginServer != w.host {
		return &AliasError{w.host, r.LoginServer}
	}
	switch {
	case r.State == registry.Found:
		return w.found(ctx, r)
	case r.State == registry.Gone, r.State == registry.Missing && w.pass.Force:
		return w.gone(ctx, r)
	case r.State == registry.Missing && w.catalogued[name]:
		// A registry may list a repository that has only blobs, as after a failed push,
		// and then not know it.
		h, err := w.db.History(ctx, w.host, name)
		if err != nil {
			return err
		}
		if countLive(h) == 0 {
			w.tell(func(report *Report) {
				report.Done++
				report.Listed++
			})
			return nil
		}
	}
	w.tell(func(report *Report) {
		report.Done++
		switch r.State {
		case registry.Forbidden:
			report.Forbidden++
		case registry.Missing:
			report.Missing++
		default:
			report.Unsure++
		}
		report.addProblem("%s: %v", name, r.Why)
	})
	return nil
}

// found compares the store with a repository that the registry has.
func (w *run) found(ctx context.Context, r registry.Repository) error {
	if !w.pass.Full && w.last(r.Name).unchanged(r.Attributes, w.options.Now()) {
		w.tell(func(report *Report) {
			report.Done++
			report.Skipped++
		})
		return nil
	}
	list, err := w.registry.Tags(ctx, r)
	if err != nil {
		return err
	}
	h, err := w.db.History(ctx, w.host, r.Name)
	if err != nil {
		return err
	}
	c := comparison{run: w, name: r.Name, moment: newMoment(r.Moment, w.options.Margin), history: h}
	if err := c.compare(ctx, list); err != nil {
		return err
	}
	if len(c.pushes) > 0 {
		if err := w.db.PushAll(ctx, c.pushes); err != nil {
			return err
		}
	}
	// A listing whose number of tags differs from the attributes comes from another
	// replica, or hides some tags: the attributes do not describe it.
	belongs := len(list.Tags) == r.Attributes.Tags
	if err := w.record(ctx, r.Name, c.record(r.Attributes, belongs)); err != nil {
		return err
	}
	w.tell(func(report *Report) {
		report.Done++
		report.Listed++
		report.Pushed += len(c.pushes)
		report.Later += c.later
		report.UnsureTags += c.unsure
		if c.why != nil {
			report.Incomplete++
			report.addProblem("%s: %v", r.Name, c.why)
		}
	})
	return nil
}

// gone notes that the registry has no such repository.
func (w *run) gone(ctx context.Context, r registry.Repository) error {
	m := newMoment(r.Moment, w.options.Margin)
	h, err := w.db.History(ctx, w.host, r.Name)
	if err != nil {
		return err
	}
	noted := record{}
	kept := 0 // number of references that are too new to tell
	for _, p := range h.Pushes {
		switch {
		case !h.Live(p):
		case m.safe.IsZero() || p.PushedAt.After(m.safe):
			kept++
		default:
			noted.Live++
		}
	}
	if noted.Live > 0 {
		noted.Whole, noted.GoneAt = true, m.safe
	}
	if err := w.record(ctx, r.Name, noted); err != nil {
		return err
	}
	w.tell(func(report *Report) {
		report.Done++
		report.Listed++
		report.Later += kept
		if m.safe.IsZero() && kept > 0 {
			report.Later -= kept
			report.Incomplete++
			report.addProblem("%s: %v", r.Name, fmt.Errorf("it is gone: %w", errNoDate))
		}
	})
	return nil
}

func countLive(h store.History) (n int) {
	for _, p := range h.Pushes {
		if h.Live(p) {
			n++
		}
	}
	return n
}
