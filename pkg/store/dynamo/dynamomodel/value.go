package dynamomodel

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Limits of DynamoDB, in bytes.
const (
	maxPartitionKey  = 2048
	maxSortKey       = 1024
	maxItem          = 400 << 10 // with its entries in all indexes
	maxAttributeName = 65535
)

// kind is the type of a value, as DynamoDB names it.
type kind string

const (
	kindS    kind = "S"
	kindN    kind = "N"
	kindB    kind = "B"
	kindBool kind = "BOOL"
	kindNull kind = "NULL"
)

// value is the value of an attribute. It never changes.
type value struct {
	kind kind
	text string // of N, as number.String returns it; of BOOL, true or false
}

// valueOf converts a value of the SDK.
func valueOf(v types.AttributeValue) (value, error) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return value{kindS, v.Value}, nil
	case *types.AttributeValueMemberB:
		return value{kindB, string(v.Value)}, nil
	case *types.AttributeValueMemberN:
		n, err := parseNumber(v.Value)
		return value{kindN, n.String()}, err
	case *types.AttributeValueMemberBOOL:
		if v.Value {
			return value{kindBool, "true"}, nil
		}
		return value{kindBool, "false"}, nil
	case *types.AttributeValueMemberNULL:
		if !v.Value {
			return value{}, invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		return value{kind: kindNull}, nil
	case nil:
		return value{}, invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	default:
		return value{}, notModeled("attribute value of type %T", v)
	}
}

// sdk converts v to the SDK's type.
func (v value) sdk() types.AttributeValue {
	switch v.kind {
	case kindS:
		return &types.AttributeValueMemberS{Value: v.text}
	case kindN:
		return &types.AttributeValueMemberN{Value: v.text}
	case kindB:
		return &types.AttributeValueMemberB{Value: []byte(v.text)}
	case kindBool:
		return &types.AttributeValueMemberBOOL{Value: v.text == "true"}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

// number returns the number of an N.
func (v value) number() number {
	n, err := parseNumber(v.text)
	if err != nil {
		panic("dynamomodel: a stored number does not parse: " + v.text)
	}
	return n
}

// size returns how many bytes v occupies in an item.
func (v value) size() int {
	switch v.kind {
	case kindS, kindB:
		return len(v.text)
	case kindN:
		return v.number().size()
	default:
		return 1
	}
}

// ordered reports whether values of v's type have an order.
func (v value) ordered() bool { return v.kind == kindS || v.kind == kindN || v.kind == kindB }

// compare returns a negative number if v < w, 0 if they are equal, and a positive
// number if v > w. Both have the same ordered type.
func (v value) compare(w value) int {
	if v.kind == kindN {
		return v.number().compare(w.number())
	}
	return strings.Compare(v.text, w.text)
}

// order returns a text that sorts as v does among values of its type.
func (v value) order() string {
	if v.kind == kindN {
		return v.number().order()
	}
	return v.text
}

// attribute is a named value of an item.
type attribute struct {
	name string
	value
}

// item is an item of the table. It never changes, so that images and snapshots
// share it.
type item struct {
	attributes []attribute            // sorted by name
	size       int                    // in bytes
	digest     atomic.Pointer[Digest] // set by the first call of digestOf
}

// itemOf converts an item of the SDK.
func itemOf(from map[string]types.AttributeValue) (*item, error) {
	attributes := make([]attribute, 0, len(from))
	for name, v := range from {
		switch {
		case name == "":
			return nil, invalid("Empty attribute name")
		case len(name) > maxAttributeName:
			return nil, invalid("Attribute name is too large, must be less than 65536 bytes")
		}
		value, err := valueOf(v)
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, attribute{name, value})
	}
	slices.SortFunc(attributes, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	return newItem(attributes), nil
}

// newItem returns an item with these attributes, which are sorted by name.
func newItem(attributes []attribute) *item {
	it := &item{attributes: attributes}
	for _, a := range attributes {
		it.size += len(a.name) + a.value.size()
	}
	return it
}

// get returns the attribute called name. A nil item has none.
func (it *item) get(name string) (value, bool) {
	if it == nil {
		return value{}, false
	}
	for i := range it.attributes {
		if it.attributes[i].name == name {
			return it.attributes[i].value, true
		}
	}
	return value{}, false
}

// bytes returns the size of it, or 0 for a nil item.
func (it *item) bytes() int {
	if it == nil {
		return 0
	}
	return it.size
}

// equal reports whether two items have the same attributes. Either may be nil.
func (it *item) equal(other *item) bool {
	if it == nil || other == nil {
		return it == other
	}
	return it == other || slices.Equal(it.attributes, other.attributes)
}

// text returns a text that only an equal item has.
func (it *item) text() string {
	text := make([]byte, 0, 128)
	for _, a := range it.attributes {
		for _, part := range []string{a.name, string(a.kind), a.value.text} {
			text = strconv.AppendInt(text, int64(len(part)), 10)
			text = append(append(text, ' '), part...)
		}
	}
	return string(text)
}

// sdk converts a copy of it to the SDK's type. The result for a nil item is nil.
func (it *item) sdk() map[string]types.AttributeValue {
	if it == nil {
		return nil
	}
	to := make(map[string]types.AttributeValue, len(it.attributes))
	for _, a := range it.attributes {
		to[a.name] = a.sdk()
	}
	return to
}

// project returns a copy of the attributes called names, or of all if names is nil.
func (it *item) project(names []string) map[string]types.AttributeValue {
	if it == nil || names == nil {
		return it.sdk()
	}
	to := map[string]types.AttributeValue{}
	for _, name := range names {
		if v, ok := it.get(name); ok {
			to[name] = v.sdk()
		}
	}
	return to
}

// with returns it with the attributes of set added or replaced, and those called
// removed left out. A nil item has no attributes.
func (it *item) with(set []attribute, removed []string) *item {
	var attributes []attribute
	if it != nil {
		attributes = slices.Grow(slices.Clone(it.attributes), len(set))
	}
	for _, a := range set {
		i, found := find(attributes, a.name)
		if found {
			attributes[i] = a
		} else {
			attributes = slices.Insert(attributes, i, a)
		}
	}
	for _, name := range removed {
		if i, found := find(attributes, name); found {
			attributes = slices.Delete(attributes, i, i+1)
		}
	}
	return newItem(attributes)
}

// find returns the index of the attribute name, or where it would be inserted.
func find(attributes []attribute, name string) (int, bool) {
	return slices.BinarySearchFunc(attributes, name, func(a attribute, name string) int {
		return strings.Compare(a.name, name)
	})
}
