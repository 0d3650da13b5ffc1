package store

import (
	"context"
	"errors"
	"iter"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// A Scan says which live references of a name to read: those whose key in an index begins
// with Prefix or is less than Below. At most one of the two is set.
type Scan struct {
	Name   reference.Name
	Order  Order  // whose index is read
	Prefix string // of the keys to read; empty: any
	Below  string // read only keys less than this; empty: all
	AtOnce int    // how many to read with one call; at least 1
}

// A Scanner is a backend's way to read references, from the greatest key down. It stops
// after an error. Once its context has ended, it yields the context's error. Its methods
// implement the reads that are the same for all backends.
type Scanner func(context.Context, Scan) iter.Seq2[event.Push, error]

// pageSize is how many references to read at once when few of them may be wanted. Eleven
// pages contain MaxScan references and the one that shows that more follow.
const pageSize = (MaxScan + 1) / 11

// sameDigest returns the scan of the references in p's repository that have p's digest.
// The tag of the first says most.
func sameDigest(name reference.Name, p event.Push, atOnce int) Scan {
	prefix := digestPrefix(p.Reference.Registry, p.Reference.Repository, p.Digest)
	return Scan{Name: name, Order: ByDigest, Prefix: prefix, AtOnce: atOnce}
}

// Versioned is Reader.Versioned.
func (scan Scanner) Versioned(ctx context.Context, name reference.Name, p event.Push) (event.Push, error) {
	if p.Digest == "" {
		return event.Push{}, ErrNotFound
	}
	for best, err := range scan(ctx, sameDigest(name, p, 1)) {
		if err != nil {
			return event.Push{}, err
		}
		if best.Version() == "" {
			break
		}
		return best, nil
	}
	return event.Push{}, ErrNotFound
}

// Entry returns the entry of a name. It is not published if the name has no live
// reference.
func (scan Scanner) Entry(ctx context.Context, name reference.Name) (Entry, error) {
	newest, err := scan.Pick(ctx, Query{Name: name})
	if err != nil {
		return unlessNotFound(name, err)
	}
	highest, _, err := scan.first(ctx, Query{Name: name, Order: ByRelease})
	if err != nil { // the last reference may have been deleted meanwhile
		return unlessNotFound(name, err)
	}
	e := Entry{Name: name, Newest: newest}
	if highest.Version() != "" {
		e.Highest = highest.Reference
	}
	return e, nil
}

func unlessNotFound(name reference.Name, err error) (Entry, error) {
	if errors.Is(err, ErrNotFound) {
		return Entry{Name: name}, nil
	}
	return Entry{}, err
}

// References is Reader.References.
func (scan Scanner) References(ctx context.Context, name reference.Name, match func(tag string) bool, s Span) (page Page[event.Push], err error) {
	all := Scan{Name: name, Order: ByPushed, Below: s.After, AtOnce: s.Limit + 1}
	if match != nil {
		all.AtOnce = pageSize
	}
	looked, last := 0, ""
	for p, err := range scan(ctx, all) {
		if err != nil {
			return Page[event.Push]{}, err
		}
		matches := match == nil || match(p.Reference.Tag)
		if matches && len(page.Items) == s.Limit || match != nil && looked == MaxScan {
			page.Next = last
			break
		}
		if matches {
			page.Items = append(page.Items, p)
		}
		looked++
		last = pushedKey(p)
	}
	return page, nil
}
