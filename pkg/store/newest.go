package store

import (
	"context"
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Pick is Reader.Pick: the rule of what is newest. It scans q's order for the first
// reference. If that one's tag says little, it scans ByDigest for the tag that says most.
func (scan Scanner) Pick(ctx context.Context, q Query) (event.Push, error) {
	first, looked, err := scan.first(ctx, q)
	if err != nil {
		return event.Push{}, err
	}
	version, ok := versionOf(first.Reference.Tag, q.cut())
	if ok && (q.Order != ByPushed || version.Full()) || first.Digest == "" || looked == MaxScan {
		return first, nil
	}
	for p, err := range scan(ctx, sameDigest(q.Name, first, q.atOnce(MaxScan-looked))) {
		if err != nil {
			return event.Push{}, err
		}
		if looked++; q.matches(p) {
			return p, nil
		}
		if looked == MaxScan {
			break
		}
	}
	return first, nil // the others were just deleted, or there are too many
}

// first returns the first reference in q's order, and how many references it looked at.
func (scan Scanner) first(ctx context.Context, q Query) (best event.Push, looked int, err error) {
	cut := q.cut()
	bestKey, more := "", false
	for p, err := range scan(ctx, Scan{Name: q.Name, Order: q.Order, AtOnce: q.atOnce(pageSize)}) {
		if err != nil {
			return event.Push{}, 0, err
		}
		if more = looked == MaxScan; more {
			break
		}
		if looked++; !q.matches(p) {
			continue
		}
		if cut == "" {
			return p, looked, nil
		}
		version, ok := versionOf(p.Reference.Tag, cut)
		if key := keysAs(p, version, ok)[q.Order]; key > bestKey {
			best, bestKey = p, key
		}
	}
	switch {
	case bestKey != "":
		return best, looked, nil
	case looked == 0:
		return event.Push{}, 0, ErrNotFound
	default:
		return event.Push{}, 0, &NoMatchError{Read: looked, More: more}
	}
}

func (q Query) matches(p event.Push) bool { return q.Match == nil || q.Match(p.Reference.Tag) }

// atOnce returns the Scan.AtOnce of q. Without Match the first reference is the answer.
func (q Query) atOnce(most int) int {
	if q.Match == nil {
		return 1
	}
	return min(most, pageSize)
}

// cut returns the text that q strips from tags to find versions that no index has. It is
// empty if a version may begin with Prefix, as with v or 1. does: then the matching tags
// are versions as they are, and the orders of versions list them first.
func (q Query) cut() string {
	if _, begins := reference.ParseVersion(q.Prefix + "1.1"); begins || q.Order == ByPushed || q.Match == nil {
		return ""
	}
	return q.Prefix
}

// versionOf returns the version of a tag, else the version of the tag without cut.
func versionOf(tag, cut string) (v reference.Version, ok bool) {
	if v, ok := reference.ParseVersion(tag); ok || cut == "" {
		return v, ok
	}
	rest, found := strings.CutPrefix(tag, cut)
	v, ok = reference.ParseVersion(rest)
	return v, ok && found
}
