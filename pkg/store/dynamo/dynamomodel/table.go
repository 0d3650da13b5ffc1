package dynamomodel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table is a table of the model. It has those methods of a *dynamodb.Client that read and
// write items. They may be called concurrently; each is atomic. The fields are optional
// and must not change during a call.
type Table struct {
	// Before is called before each call of op, such as PutItem. partition is the text of
	// the partition key. It is empty if the call is invalid or is a batch with several
	// partitions. If Before returns an error, the call does not happen, and the caller
	// gets that error. Before may wait and may use the table; so may After and Throttle.
	Before func(op, partition string, input any) error
	// After is called with the answer of each call that Before let through. If it returns
	// an error, the caller gets that error and no output.
	After func(op, partition string, input, output any, err error) error
	// Throttle may refuse a call, or parts of a batch.
	Throttle Throttle
	// Now returns the time of stream records; nil means time.Now. The table is locked
	// during the call.
	Now func() time.Time

	name        string
	keys        keySchema
	indexes     []index
	expressions *sync.Map // *expression by parameterText
	// tieOf sorts the entries of an index that have the same sort key. Tests set the
	// order of DynamoDB Local.
	tieOf func(sortKey value) uint64

	mu    sync.Mutex
	state state
	units map[string]Units
}

// Throttle limits the units that a partition may consume. Limiter is one.
type Throttle interface {
	// Allow reports whether a partition may be read or written once more.
	Allow(partition string, write bool) bool
	// Consume is called with the units of each call, including calls whose condition
	// failed.
	Consume(partition string, used Units)
}

// Units are read and write units.
type Units struct{ Read, Write float64 }

// state is all that a snapshot keeps.
type state struct {
	items   tree
	indexes []tree  // as Table.indexes
	last    *record // the last of the stream
}

type keySchema struct{ partition, sort column }

// column is a key attribute and its type. If a table has no sort key, that column's name
// is empty.
type column struct {
	name string
	kind kind
}

type index struct {
	name string
	sort column
}

// New makes an empty table with the name, the keys and the local indexes in schema. It
// ignores the rest of schema. It refuses global indexes, and local indexes that do not
// project all attributes.
func New(schema *dynamodb.CreateTableInput) (*Table, error) {
	kinds := map[string]kind{}
	for _, d := range schema.AttributeDefinitions {
		kinds[aws.ToString(d.AttributeName)] = kind(d.AttributeType)
	}
	t := &Table{
		name:        aws.ToString(schema.TableName),
		expressions: &sync.Map{},
		tieOf:       scatter,
		units:       map[string]Units{},
	}
	if t.name == "" || len(schema.GlobalSecondaryIndexes) > 0 {
		return nil, errors.New("dynamomodel: a table must have a name and no global index")
	}
	var err error
	if t.keys, err = keysOf(schema.KeySchema, kinds); err != nil {
		return nil, fmt.Errorf("dynamomodel: table %s: %w", t.name, err)
	}
	for _, i := range schema.LocalSecondaryIndexes {
		keys, err := keysOf(i.KeySchema, kinds)
		if err == nil && keys.partition != t.keys.partition {
			err = errors.New("its partition key is not the table's")
		}
		if err == nil && (i.Projection == nil || i.Projection.ProjectionType != types.ProjectionTypeAll) {
			err = errors.New("it does not project all attributes")
		}
		if err != nil {
			return nil, fmt.Errorf("dynamomodel: index %s: %w", aws.ToString(i.IndexName), err)
		}
		t.indexes = append(t.indexes, index{aws.ToString(i.IndexName), keys.sort})
	}
	t.state.indexes = make([]tree, len(t.indexes))
	return t, nil
}

func keysOf(schema []types.KeySchemaElement, kinds map[string]kind) (keys keySchema, err error) {
	for _, element := range schema {
		c := column{aws.ToString(element.AttributeName), kinds[aws.ToString(element.AttributeName)]}
		if !(value{kind: c.kind}).ordered() {
			return keys, fmt.Errorf("key attribute %s has type %q", c.name, c.kind)
		}
		if element.KeyType == types.KeyTypeHash {
			keys.partition = c
		} else {
			keys.sort = c
		}
	}
	if keys.partition.name == "" {
		return keys, errors.New("no partition key")
	}
	return keys, nil
}

// columns returns the key attributes.
func (k keySchema) columns() []column {
	if k.sort.name == "" {
		return []column{k.partition}
	}
	return []column{k.partition, k.sort}
}

func (k keySchema) has(name string) bool { return name == k.partition.name || name == k.sort.name }

// scatter returns a number that sorts keys unlike their values do.
func scatter(v value) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(v.text) {
		h = (h ^ uint64(v.text[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd // and MurmurHash3's last step, for the high bits
	return h ^ h>>33
}

// primaryKey is the key of an item.
type primaryKey struct{ partition, sort value }

func (k primaryKey) position() position {
	return position{partition: k.partition.order(), sort: k.sort.order()}
}

// keyOf returns the key of a valid item.
func (t *Table) keyOf(it *item) primaryKey {
	partition, _ := it.get(t.keys.partition.name)
	sort, _ := it.get(t.keys.sort.name)
	return primaryKey{partition, sort}
}

// keyAttributes returns k's attributes, sorted by name.
func (t *Table) keyAttributes(k primaryKey) []attribute {
	all := []attribute{{t.keys.partition.name, k.partition}}
	if t.keys.sort.name != "" {
		all = append(all, attribute{t.keys.sort.name, k.sort})
	}
	slices.SortFunc(all, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	return all
}

// entry returns the position of an item with this key in the indexes, without its sort
// key there.
func (t *Table) entry(k primaryKey) position {
	return position{partition: k.partition.order(), tie: t.tieOf(k.sort), primary: k.sort.order()}
}

// entryIn returns the position of an item in an index; ok is false if the index does not
// contain it. at is its entry.
func (i index) entryIn(at position, it *item) (_ position, ok bool) {
	v, ok := it.get(i.sort.name)
	at.sort = v.order()
	return at, ok
}

// plan is a checked call.
type plan[O any] struct {
	partition string // for the hooks
	run       func(*bill) (*O, error)
}

// call runs one call of the API: the plan that prepare returns, between the hooks.
func call[I, O any](ctx context.Context, t *Table, op string, input *I, prepare func(*I) (plan[O], error)) (*O, error) {
	if err := ctx.Err(); err != nil {
		return nil, operationError(op, &aws.RequestCanceledError{Err: err})
	}
	if input == nil {
		input = new(I)
	}
	p, err := prepare(input)
	if t.Before != nil {
		if err := t.Before(op, p.partition, input); err != nil {
			return nil, err
		}
	}
	var output *O
	if err == nil {
		b := &bill{table: t}
		output, err = p.run(b)
		b.settle()
	}
	err = operationError(op, err)
	if t.After != nil {
		if lost := t.After(op, p.partition, input, output, err); lost != nil {
			return nil, lost
		}
	}
	return output, err
}

// bill counts the units that a call consumes.
type bill struct {
	table   *Table
	total   float64
	charges []charge // for the throttle
}

type charge struct {
	partition string
	used      Units
}

// add charges a partition. The caller locks the table.
func (b *bill) add(partition value, used Units) {
	b.total += used.Read + used.Write
	sum := b.table.units[partition.text]
	sum.Read += used.Read
	sum.Write += used.Write
	b.table.units[partition.text] = sum
	if b.table.Throttle != nil {
		b.charges = append(b.charges, charge{partition.text, used})
	}
}

// settle reports the charges to the throttle.
func (b *bill) settle() {
	for _, c := range b.charges {
		b.table.Throttle.Consume(c.partition, c.used)
	}
}

// capacity returns the sum of units if the caller asked for it.
func (b *bill) capacity(asked types.ReturnConsumedCapacity) *types.ConsumedCapacity {
	if asked != types.ReturnConsumedCapacityTotal {
		return nil
	}
	return &types.ConsumedCapacity{TableName: aws.String(b.table.name), CapacityUnits: aws.Float64(b.total)}
}

// capacities is capacity for a batch.
func (b *bill) capacities(asked types.ReturnConsumedCapacity) []types.ConsumedCapacity {
	if c := b.capacity(asked); c != nil {
		return []types.ConsumedCapacity{*c}
	}
	return nil
}

// admits reports whether the throttle lets a call through.
func (t *Table) admits(partition value, write bool) bool {
	return t.Throttle == nil || t.Throttle.Allow(partition.text, write)
}

// blocks returns how many blocks of a size some bytes fill, and at least 1.
func blocks(bytes, size int) float64 { return float64(max(1, (bytes+size-1)/size)) }

// Units returns the units that a partition has consumed, including those of failed
// conditions.
func (t *Table) Units(partition string) Units {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.units[partition]
}

// Dump returns all items, sorted by key.
func (t *Table) Dump() []map[string]types.AttributeValue {
	t.mu.Lock()
	items := t.state.items
	t.mu.Unlock()
	var all []map[string]types.AttributeValue
	items.root.ascend(func(position) int { return 0 }, func(n *treeNode) bool {
		all = append(all, n.item.sdk())
		return true
	})
	return all
}
