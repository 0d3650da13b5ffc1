package dynamomodel

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// record is a change in the stream: of an item that existed before, after, or both. It
// never changes.
type record struct {
	previous      *record // or nil for the first
	number        int     // 1 for the first
	before, after *item
	at            time.Time
	expired       bool // by TTL
}

// record appends a change to the stream. The caller locks the table.
func (t *Table) record(before, after *item, expired bool) {
	now := time.Now
	if t.Now != nil {
		now = t.Now
	}
	last := t.state.last
	t.state.last = &record{last, last.count() + 1, before, after, now(), expired}
}

// count returns the number of records up to r, which may be nil.
func (r *record) count() int {
	if r == nil {
		return 0
	}
	return r.number
}

// Records returns the records of the table's stream in order, without the first after.
// They contain new and old images. A write that changes nothing has no record.
func (t *Table) Records(after int) []events.DynamoDBEventRecord {
	t.mu.Lock()
	last := t.state.last
	t.mu.Unlock()
	var all []events.DynamoDBEventRecord
	for r := last; r.count() > after; r = r.previous {
		all = append(all, t.event(r))
	}
	slices.Reverse(all)
	return all
}

// event converts r to the type in Lambda's events.
func (t *Table) event(r *record) events.DynamoDBEventRecord {
	name, any := events.DynamoDBOperationTypeModify, r.after
	switch {
	case r.before == nil:
		name = events.DynamoDBOperationTypeInsert
	case r.after == nil:
		name, any = events.DynamoDBOperationTypeRemove, r.before
	}
	key := newItem(t.keyAttributes(t.keyOf(any)))
	e := events.DynamoDBEventRecord{
		AWSRegion:      "us-east-1",
		EventID:        fmt.Sprintf("%032x", r.number),
		EventName:      string(name),
		EventSource:    "aws:dynamodb",
		EventVersion:   "1.1",
		EventSourceArn: "arn:aws:dynamodb:us-east-1:123456789012:table/" + t.name + "/stream/2026-01-01T00:00:00.000",
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{Time: r.at.Truncate(time.Second)},
			Keys:                        key.event(),
			NewImage:                    r.after.event(),
			OldImage:                    r.before.event(),
			SequenceNumber:              fmt.Sprintf("%021d", r.number),
			SizeBytes:                   int64(key.size + r.before.bytes() + r.after.bytes()),
			StreamViewType:              string(events.DynamoDBStreamViewTypeNewAndOldImages),
		},
	}
	if r.expired {
		e.UserIdentity = &events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	}
	return e
}

// event converts it to the type in Lambda's events. The result for a nil item is nil.
func (it *item) event() map[string]events.DynamoDBAttributeValue {
	if it == nil {
		return nil
	}
	to := make(map[string]events.DynamoDBAttributeValue, len(it.attributes))
	for _, a := range it.attributes {
		to[a.name] = a.event()
	}
	return to
}

func (v value) event() events.DynamoDBAttributeValue {
	switch v.kind {
	case kindS:
		return events.NewStringAttribute(v.text)
	case kindN:
		return events.NewNumberAttribute(v.text)
	case kindB:
		return events.NewBinaryAttribute([]byte(v.text))
	case kindBool:
		return events.NewBooleanAttribute(v.text == "true")
	default:
		return events.NewNullAttribute()
	}
}

// maxOverdue is how long after its time TTL still removes an item.
const maxOverdue = 5 * 365 * 24 * time.Hour

// Expire removes the items whose attribute, a number of Unix seconds, is before now, in
// the order of their keys, as TTL does sooner or later. It returns their number. The
// stream attributes the removals to DynamoDB itself; they cost no units.
func (t *Table) Expire(now time.Time, attribute string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var expired []*item
	t.state.items.root.ascend(func(position) int { return 0 }, func(n *treeNode) bool {
		if v, ok := n.item.get(attribute); ok && isPast(v, now) {
			expired = append(expired, n.item)
		}
		return true
	})
	for _, it := range expired {
		key := t.keyOf(it)
		for i := range t.indexes {
			t.replaceEntry(i, t.entry(key), it, nil)
		}
		t.setItem(key, nil)
		t.record(it, nil, true)
	}
	return len(expired)
}

// isPast reports whether TTL removes an item with this value.
func isPast(v value, now time.Time) bool {
	if v.kind != kindN {
		return false
	}
	seconds, err := strconv.ParseFloat(v.text, 64)
	return err == nil && seconds < float64(now.Unix()) && seconds > float64(now.Add(-maxOverdue).Unix())
}
