package dynamo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// attributes are an item, or a part of one.
type attributes = map[string]types.AttributeValue

// marshalPush returns the item of p's reference, without its partition.
func marshalPush(p event.Push) attributes {
	item := attributes{attrKey: str(p.Reference.String()), attrRank: str(p.Rank())}
	for order, key := range store.KeysOf(p) {
		item[indexes[order].attr] = str(key)
	}
	if p.Digest != "" {
		item[attrDigest] = str(p.Digest)
	}
	return item
}

func unmarshalPush(item attributes) (event.Push, error) {
	return pushOf(text(item, attrName), text(item, attrKey), text(item, attrRank))
}

// pushOf returns the push of a reference from its rank. The partition says whether
// it has a given name.
func pushOf(partition, ref, rank string) (event.Push, error) {
	r, ok := reference.Split(ref)
	if !ok {
		return event.Push{}, fmt.Errorf("item of %s: %q is not a reference", partition, ref)
	}
	p := event.Push{Reference: r, GivenName: store.GivenNameIn(partition, r)}
	if err := p.SetRank(rank); err != nil {
		return event.Push{}, fmt.Errorf("item of %s: %w", ref, err)
	}
	return p, nil
}

// tombstoneKey returns the key of the tombstone of a delete of t.
func tombstoneKey(t event.Target) string { return tombstonePrefix + t.String() }

func marshalTombstone(partition string, d event.Delete) attributes {
	item := keyOf(partition, tombstoneKey(d.Target))
	item[attrRank] = str(d.Rank())
	item[attrExpiresAt] = expiry(d.ReceivedAt)
	return item
}

// unmarshalTombstone returns the delete of target that wrote item. Its ReceivedAt is
// exact to the second.
func unmarshalTombstone(item attributes, target event.Target) (event.Delete, error) {
	deletedAt, err := event.ParseStamp(text(item, attrRank))
	if err != nil {
		return event.Delete{}, fmt.Errorf("tombstone of %s: %w", target, err)
	}
	expiresAt, err := number(item, attrExpiresAt)
	if err != nil {
		return event.Delete{}, fmt.Errorf("tombstone of %s: %w", target, err)
	}
	receivedAt := time.Unix(expiresAt, 0).UTC().Add(-store.TombstoneTTL)
	return event.Delete{Target: target, DeletedAt: deletedAt, ReceivedAt: receivedAt}, nil
}

// marshalEntry returns the item of an entry. An unpublished one expires.
func marshalEntry(e store.Entry, revision int64, now time.Time) attributes {
	listed := store.Partition(e.Name)
	item := keyOf(catalogue, listed)
	item[attrRevision] = num(revision)
	if !e.Published() {
		item[attrExpiresAt] = expiry(now)
		return item
	}
	item[attrListed] = str(listed)
	item[attrReference] = str(e.Newest.Reference.String())
	item[attrRank] = str(e.Newest.Rank())
	item[indexes[store.ByPushed].attr] = str(store.KeysOf(e.Newest)[store.ByPushed])
	if e.Version != "" {
		item[attrVersion] = str(e.Version)
	}
	return item
}

func unmarshalEntry(item attributes) (store.Entry, error) {
	listed := text(item, attrKey)
	name := store.NameOf(listed)
	if item[attrReference] == nil {
		return store.Entry{Name: name}, nil
	}
	newest, err := pushOf(listed, text(item, attrReference), text(item, attrRank))
	if err != nil {
		return store.Entry{}, err
	}
	return store.Entry{Name: name, Newest: newest, Version: text(item, attrVersion)}, nil
}

// marshalMembership returns the item of a member. A removed one expires.
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

// expiry returns the attrExpiresAt of an item whose event was received at received.
func expiry(received time.Time) types.AttributeValue {
	return num(received.Add(store.TombstoneTTL).Unix())
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
