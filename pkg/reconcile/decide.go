package reconcile

import (
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/store"
)

// A moment is what the time of a registry's answer allows to conclude.
type moment struct {
	// safe is a time after which everything was true at some moment that the registry
	// shows from here on. It is zero where the registry's clock cannot be relied on.
	safe time.Time
	// bound is safe, or what is closest to it by our clock. No lower bound of a push's
	// time is taken that is above it.
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

// A shown is a tag as a registry shows it, as a push of its reference.
type shown struct {
	push event.Push // its PushedAt is the registry's time of the push, or zero
	// notBefore is a lower bound of that time, or zero.
	notBefore time.Time
}

// agrees reports whether h has s: the same digest, live, and pushed no earlier. Whether
// it was pushed earlier is not asked where the registry has no time.
func (m moment) agrees(s shown, h store.History) bool {
	stored, known := h.Pushes[s.push.Reference.Tag]
	return known && stored.Digest == s.push.Digest && h.Live(stored) && !stored.PushedAt.Before(m.time(s))
}

// time returns the registry's time of s's push, or zero if it has none that can be.
func (m moment) time(s shown) time.Time {
	if s.push.PushedAt.After(m.latest) {
		return time.Time{}
	}
	return s.push.PushedAt
}

// A verdict is what is to be done about a tag that is listed.
type verdict int

const (
	nothing verdict = iota // the store has it
	push                   // a push is missing
	later                  // it changed within the margin, so that the next run can tell
)

// decide says what is missing in h of a tag that is shown, and returns the push.
//
// A push at the registry's own time is right in any case. Where that would lose to what
// is stored, the registry shows the tag nevertheless, so that it must have come back: it
// was restored, moved back, or what is stored had a wrong time. Then the push has the
// time safe, at which it wins against all that is stored, if that is not newer.
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
