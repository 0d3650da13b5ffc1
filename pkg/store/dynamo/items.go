package dynamo

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// attributes are an item or part of one.
type attributes = map[string]types.AttributeValue

// marshalPush returns the item of p's reference, without its partition.
func marshalPush(p event.Push) attributes {
	item := attributes{attrKey: str(p.Reference.String()), attrRank: str(p.Rank())}
	for order, key := range store.KeysOf(p) {
		if key != "" {
			item[indexes[order].attr] = str(key)
		}
	}
	return item
}

func unmarshalPush(item attributes) (event.Push, error) {
	partition, key := text(item, attrName), text(item, attrKey)
	ref, ok := reference.Split(key)
	if !ok {
		return event.Push{}, fmt.Errorf("item of %s: %q is not a reference", partition, key)
	}
	return pushOf(partition, ref, text(item, attrRank))
}

// pushOf returns the push in the rank of a reference. The partition tells whether it has
// a given name.
func pushOf(partition string, ref reference.Reference, rank string) (event.Push, error) {
	p := event.Push{Reference: ref, GivenName: store.GivenNameIn(partition, ref)}
	if err := p.SetRank(rank); err != nil {
		return event.Push{}, fmt.Errorf("item of %s: %w", ref, err)
	}
	return p, nil
}

// tombstoneKey returns the key of the tombstone of a delete of t.
func tombstoneKey(t event.Target) string { return tombstonePrefix + t.String() }

// marshalTombstone returns the item of d's tombstone, without its partition.
func marshalTombstone(d event.Delete) attributes {
	item := attributes{attrKey: str(tombstoneKey(d.Target)), attrRank: str(d.Rank())}
	item[attrReceivedAt] = str(event.Stamp(d.ReceivedAt))
	item[attrExpiresAt] = expiry(d.ReceivedAt)
	return item
}

// targetOf returns the target of a delete whose tombstone has this key.
func targetOf(partition, key string) (event.Target, error) {
	target, ok := event.ParseTarget(strings.TrimPrefix(key, tombstonePrefix))
	if !ok {
		return event.Target{}, fmt.Errorf("tombstone %s of %s: it has no target", key, partition)
	}
	target.GivenName = store.GivenNameIn(partition, reference.Reference{Registry: target.Registry, Repository: target.Repository})
	return target, nil
}

// unmarshalTombstone returns the delete that wrote a tombstone.
func unmarshalTombstone(item attributes) (event.Delete, error) {
	target, err := targetOf(text(item, attrName), text(item, attrKey))
	if err != nil {
		return event.Delete{}, err
	}
	deletedAt, err := event.ParseStamp(text(item, attrRank))
	if err != nil {
		return event.Delete{}, fmt.Errorf("tombstone of %s: %w", target, err)
	}
	receivedAt, err := event.ParseStamp(text(item, attrReceivedAt))
	if err != nil {
		return event.Delete{}, fmt.Errorf("tombstone of %s: %w", target, err)
	}
	return event.Delete{Target: target, DeletedAt: deletedAt, ReceivedAt: receivedAt}, nil
}

// marshalEntry returns the item of an entry, without its revision. The item of an
// unpublished entry expires.
func marshalEntry(e store.Entry, now time.Time) attributes {
	item := keyOf(catalogue, store.Partition(e.Name))
	if !e.Published() {
		item[attrExpiresAt] = expiry(now)
		return item
	}
	item[attrText] = str(e.Text())
	item[attrRank] = str(e.Newest.Rank())
	item[indexes[store.ByPushed].attr] = str(e.PushedKey())
	if e.Highest != (reference.Reference{}) && e.Highest != e.Newest.Reference {
		item[attrHighest] = str(e.Highest.String())
	}
	return item
}

func unmarshalEntry(item attributes) (store.Entry, error) {
	partition, pushed := text(item, attrKey), text(item, indexes[store.ByPushed].attr)
	e := store.Entry{Name: store.NameOf(partition)}
	if pushed == "" {
		return e, nil
	}
	ref, ok := store.SplitPushedKey(pushed)
	if !ok {
		return store.Entry{}, fmt.Errorf("entry of %s: %q has no reference", partition, pushed)
	}
	var err error
	if e.Newest, err = pushOf(partition, ref, text(item, attrRank)); err != nil {
		return store.Entry{}, err
	}
	switch highest, ok := reference.Split(text(item, attrHighest)); {
	case ok:
		e.Highest = highest
	case e.Newest.Version() != "": // without attrHighest, the newest is also the highest
		e.Highest = ref
	}
	return e, nil
}

// marshalMembership returns the item of a member. The item of a removed member expires.
func marshalMembership(m event.Membership) attributes {
	item := keyOf(categories, m.Category+"/"+store.Partition(m.Name))
	item[attrRank] = str(m.Rank())
	if m.Removed {
		item[attrExpiresAt] = expiry(m.At)
	}
	return item
}

func unmarshalMember(item attributes) event.Member {
	category, partition, _ := strings.Cut(text(item, attrKey), "/")
	return event.Member{Category: category, Name: store.NameOf(partition)}
}

// expiry returns the attrExpiresAt of an item whose event was received at this time.
func expiry(received time.Time) types.AttributeValue {
	return num(received.Add(store.TombstoneTTL).Unix())
}

// inPartition returns a copy of item in a partition.
func inPartition(partition string, item attributes) attributes {
	item = maps.Clone(item)
	item[attrName] = str(partition)
	return item
}

// asDerived returns item with the mark of Derive.
func asDerived(item attributes) attributes {
	item = maps.Clone(item)
	item[attrDerived] = &types.AttributeValueMemberBOOL{Value: true}
	return item
}

func keyOf(partition, key string) attributes {
	return attributes{attrName: str(partition), attrKey: str(key)}
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// text returns a string attribute, or "" if item does not have it.
func text(item attributes, attr string) string {
	if s, ok := item[attr].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// number returns an integer attribute, or 0 if item does not have it.
func number(item attributes, attr string) (int64, error) {
	n, ok := item[attr].(*types.AttributeValueMemberN)
	if !ok {
		return 0, nil
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("attribute %s: %w", attr, err)
	}
	return i, nil
}
