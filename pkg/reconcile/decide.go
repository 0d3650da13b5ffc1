package reconcile

import (
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
)

// A moment is what a run may conclude from the time of a registry's answer.
type moment struct {
	// safe is the registry's time less the margin. Everything that the registry shows
	// from now on was true at some moment after safe. It is zero if the registry's clock
	// cannot be trusted.
	safe time.Time
	// bound is safe, or the closest to it that our own clock gives. A lower bound of a
	// push's time must not be later than it.
	bound time.Time
	// latest is the latest time that a push may have.
	latest time.Time
}

func newMoment(m registry.Moment, margin time.Duration) moment {
	n := moment{bound: m.Received.Add(-margin), latest: m.Received.Add(event.ClockSkew)}
	if m.Trusted(event.ClockSkew) {
		n.safe = m.Date.Add(-margin).UTC()
		n.bound = n.safe
	}
	return n
}

// A shown is a tag that a registry shows, as a push of its reference.
type shown struct {
	push event.Push // its PushedAt is the registry's time of the push, or zero
	// notBefore is a lower bound of the time of the push, or zero.
	notBefore time.Time
}

// agrees reports whether h has s: the same digest, live, and pushed no earlier. It does
// not compare the times if the registry gives none.
func (m moment) agrees(s shown, h store.History) bool {
	stored, known := h.Pushes[s.push.Reference.Tag]
	return known && stored.Digest == s.push.Digest && h.Live(stored) && !stored.PushedAt.Before(m.time(s))
}

// time returns the registry's time of s's push, or zero if there is none or it is too far
// in the future.
func (m moment) time(s shown) time.Time {
	if s.push.PushedAt.After(m.latest) {
		return time.Time{}
	}
	return s.push.PushedAt
}

// A verdict is what to do about a listed tag.
type verdict int

const (
	nothing verdict = iota // the store has it
	push                   // a push is missing
	later                  // it changed within the margin; the next run can tell
)

// decide compares a tag that the registry shows with h. If a push is missing in h, it
// returns that push.
//
// A push at the registry's own time is always right. Such a push might lose to what is
// stored. But the registry shows the tag, so the tag must have come back: it was restored
// or moved back, or the stored event had a wrong time. Then the push gets the time safe.
// At that time it wins against everything stored, unless something stored is newer.
func (m moment) decide(s shown, h store.History) (event.Push, verdict) {
	if m.agrees(s, h) {
		return event.Push{}, nothing
	}
	p := s.push
	stored, known := h.Pushes[p.Reference.Tag]
	if known && stored.Digest == p.Digest {
		if p.MediaType == "" {
			p.MediaType = stored.MediaType
		}
		if !p.SizeKnown() {
			p.Size = stored.Size
		}
	}
	p.PushedAt = m.time(s)
	if p.PushedAt.IsZero() {
		p.PushedAt = earlier(s.notBefore, m.bound)
	}
	deleted := h.LastDelete(p)
	if p.PushedAt.After(deleted) && (!known || p.Rank() > stored.Rank()) {
		return p, push
	}
	if !m.safe.IsZero() && !stored.PushedAt.After(m.safe) && deleted.Before(m.safe) {
		p.PushedAt = m.safe
		return p, push
	}
	return event.Push{}, later
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
