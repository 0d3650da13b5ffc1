package reconcile_test

import (
	"context"
	"errors"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/registry"
)

// A fake is the registry of a world.
type fake struct{ *world }

var _ registry.Registry = (*fake)(nil)

var errFails = errors.New("the registry fails")

// call waits for its turn. It returns whether the call fails, or the error of a registry
// that asks for a pause.
func (f *fake) call() (fails bool, err error) {
	f.wait()
	if f.faulty && f.IntN(60) == 0 {
		return true, &registry.BusyError{Host: host}
	}
	return f.faulty && f.IntN(12) == 0, nil
}

func (f *fake) Host() string { return host }

func (f *fake) Calls() int64 { return 0 }

func (f *fake) Repositories(context.Context) (registry.Catalogue, error) {
	fails, err := f.call()
	if err != nil {
		return registry.Catalogue{}, err
	}
	c := registry.Catalogue{Complete: !fails}
	if fails {
		c.Why = errFails
	}
	for i, r := range f.read() {
		if r.exists && !(fails && f.IntN(2) == 0) {
			c.Names = append(c.Names, repositoryName(i))
		}
	}
	return c, nil
}

// moment returns the time of the registry's answer.
func (f *fake) moment() registry.Moment {
	m := registry.Moment{Date: at(f.now + f.skew()), Received: at(f.now + f.own)}
	if !f.faulty {
		return m
	}
	switch f.IntN(30) {
	case 0:
		m.Date = time.Time{}
	case 1:
		m.Aged = true
	case 2:
		m.Date = m.Date.Add(time.Hour)
	}
	return m
}

func index(name string) int { return int(name[len(name)-1] - '0') }

func (f *fake) Repository(_ context.Context, name string) (registry.Repository, error) {
	fails, err := f.call()
	if err != nil {
		return registry.Repository{}, err
	}
	r := registry.Repository{Name: name, Moment: f.moment(), LoginServer: host}
	now := f.read()[index(name)]
	switch {
	case fails:
		r.State, r.Why = registry.Unsure, errFails
		if f.IntN(2) == 0 {
			r.State = registry.Forbidden
		}
	case now.exists:
		r.State, r.Attributes = registry.Found, f.attributes(now)
	case f.mode == noTimes:
		r.State, r.Why = registry.Missing, errFails
	default:
		r.State, r.Why = registry.Gone, errFails
	}
	return r, nil
}

func (f *fake) attributes(r trueRepository) registry.Attributes {
	if f.mode == noTimes {
		return registry.Attributes{}
	}
	return registry.Attributes{LastUpdate: at(r.updated), Tags: r.count(), Manifests: r.others}
}

// Tags reads each tag from a replica, each at another moment.
func (f *fake) Tags(_ context.Context, r registry.Repository) (registry.Listing, error) {
	var l registry.Listing
	for tag := range f.tags {
		fails, err := f.call()
		if err != nil {
			return registry.Listing{}, err
		}
		now := f.read()[index(r.Name)]
		if fails || !now.exists {
			l.Why = errFails
			return l, nil
		}
		if t := now.tags[tag]; t.digest != 0 && !t.hidden {
			l.Tags = append(l.Tags, f.shown(tag, t))
		}
	}
	if f.mode != noTimes {
		again := f.read()[index(r.Name)]
		if !again.exists || f.attributes(again).Equal(r.Attributes) && len(l.Tags) < r.Attributes.Tags {
			l.Why = errFails
			return l, nil
		}
	}
	l.Complete = true
	return l, nil
}

func (f *fake) shown(tag int, t trueTag) registry.Tag {
	s := registry.Tag{Name: tagName(tag), Digest: digestTexts[t.digest], Size: event.UnknownSize}
	if f.mode != noTimes {
		s.PushedAt = at(t.pushed)
	}
	if f.faulty && f.IntN(50) == 0 {
		s.Digest = ""
	}
	return s
}

func (f *fake) Tag(_ context.Context, name, tag string) (registry.TagAnswer, error) {
	fails, err := f.call()
	if err != nil {
		return registry.TagAnswer{}, err
	}
	i := index(tag)
	switch t := f.read()[index(name)].tags[i]; {
	case fails:
		return registry.TagAnswer{Why: errFails}, nil
	case t.digest == 0:
		return registry.TagAnswer{State: registry.Gone, Why: errFails}, nil
	default:
		return registry.TagAnswer{State: registry.Found, Tag: f.shown(i, t)}, nil
	}
}

func (f *fake) Created(_ context.Context, _ string, t registry.Tag) (time.Time, error) {
	if _, err := f.call(); err != nil || f.mode != noTimes {
		return time.Time{}, err
	}
	for d, text := range digestTexts {
		if text == t.Digest && d%2 == 0 {
			return at(f.created[d]), nil
		}
	}
	return time.Time{}, nil
}
