package dynamomodel

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const maxPage = 1 << 20 // bytes, before the filter

// Query is as in the SDK's client.
func (t *Table) Query(ctx context.Context, input *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return call(ctx, t, "Query", input, t.prepareQuery)
}

func (t *Table) prepareQuery(in *dynamodb.QueryInput) (p plan[dynamodb.QueryOutput], err error) {
	if err := needs("QueryInput", given{"TableName", in.TableName != nil}); err != nil {
		return p, err
	}
	err = refuses(given{"AttributesToGet", in.AttributesToGet != nil}, given{"ConditionalOperator", in.ConditionalOperator != ""}, given{"KeyConditions", in.KeyConditions != nil},
		given{"QueryFilter", in.QueryFilter != nil}, given{"Select", in.Select != ""}, capacityGiven(in.ReturnConsumedCapacity))
	if err != nil {
		return p, err
	}
	if err := t.checkTable(*in.TableName); err != nil {
		return p, err
	}
	q, err := t.checkQuery(in)
	if err != nil {
		return p, err
	}
	p.partition = q.partition.text
	p.run = func(b *bill) (*dynamodb.QueryOutput, error) {
		if !t.admits(q.partition, false) {
			return nil, throttled(false)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		page := t.read(q)
		b.add(q.partition, readUnits(page.bytes, in.ConsistentRead))
		return &dynamodb.QueryOutput{
			Items: page.items, Count: int32(len(page.items)), ScannedCount: int32(page.scanned),
			LastEvaluatedKey: page.last, ConsumedCapacity: b.capacity(in.ReturnConsumedCapacity),
		}, nil
	}
	return p, nil
}

// query is a checked Query.
type query struct {
	index          int  // in Table.indexes, or -1 for the table
	all            bool // for a scan, which reads all partitions
	keys           keySchema
	partition      value
	partitionOrder string
	span           span
	limit          int
	backward       bool
	start          *position // or nil
	filter         *condition
	projection     []string // or nil for all
	*bindings
}

// span is a condition on the sort key. Its operator is empty if there is none.
type span struct {
	operator            string
	low, high           value // only BETWEEN has high
	lowOrder, highOrder string
}

func newSpan(t term) span {
	low, high := t.values[0], t.values[len(t.values)-1]
	return span{t.operator, low, high, low.order(), high.order()}
}

// side says where a sort key lies: before the span (-1), in it (0) or after it (1).
func (s span) side(sort string) int {
	low := cmp.Compare(sort, s.lowOrder)
	switch s.operator {
	case "":
		return 0
	case "=":
		return low
	case "<":
		return sideIf(low < 0, 1)
	case "<=":
		return sideIf(low <= 0, 1)
	case ">":
		return sideIf(low > 0, -1)
	case ">=":
		return sideIf(low >= 0, -1)
	case "BETWEEN":
		if low < 0 {
			return low
		}
		return sideIf(sort <= s.highOrder, 1)
	default: // begins_with
		return sideIf(strings.HasPrefix(sort, s.lowOrder), low)
	}
}

func sideIf(inside bool, outside int) int {
	if inside {
		return 0
	}
	return outside
}

// last reports whether a sort key is the last that a query can find: the end of a span
// that includes its end.
func (s span) last(sort value, backward bool) bool {
	switch s.operator {
	case "<=":
		return !backward && sort == s.low
	case ">=":
		return backward && sort == s.low
	case "BETWEEN":
		return backward && sort == s.low || !backward && sort == s.high
	default:
		return false
	}
}

// side says where a position lies: before the entries that q reads (-1), among them (0)
// or after them (1).
func (q *query) side(at position) int {
	if order := cmp.Compare(at.partition, q.partitionOrder); order != 0 && !q.all {
		return order
	}
	if q.start != nil {
		order := at.compare(*q.start)
		switch {
		case !q.backward && order <= 0:
			return -1
		case q.backward && order >= 0:
			return 1
		}
	}
	return q.span.side(at.sort)
}

// page is the result of a query.
type page struct {
	items          []map[string]types.AttributeValue
	scanned, bytes int
	last           map[string]types.AttributeValue // nil on the last page
}

// read reads one page. The caller locks the table.
func (t *Table) read(q *query) page {
	p := page{items: []map[string]types.AttributeValue{}}
	var last *item // set once the page is full
	visit := func(n *treeNode) bool {
		if last != nil && p.bytes >= maxPage { // and there is more
			p.last = t.startKey(q, last)
			return false
		}
		p.scanned++
		p.bytes += n.item.size
		if q.filter == nil || q.holds(q.filter, n.item) {
			p.items = append(p.items, n.item.project(q.projection))
		}
		if p.bytes >= maxPage {
			last = n.item
		}
		if p.scanned == q.limit {
			if q.index >= 0 || !q.span.last(t.keyOf(n.item).sort, q.backward) {
				p.last = t.startKey(q, n.item)
			}
			return false
		}
		return true
	}
	from := t.state.items
	if q.index >= 0 {
		from = t.state.indexes[q.index]
	}
	if q.backward {
		from.root.descend(q.side, visit)
	} else {
		from.root.ascend(q.side, visit)
	}
	return p
}

// startKey returns the key with which a query continues behind it.
func (t *Table) startKey(q *query, it *item) map[string]types.AttributeValue {
	names := []string{t.keys.partition.name}
	for _, c := range []column{t.keys.sort, q.keys.sort} {
		if c.name != "" {
			names = append(names, c.name)
		}
	}
	return it.project(names)
}

func (t *Table) checkQuery(in *dynamodb.QueryInput) (*query, error) {
	q := &query{index: -1, keys: t.keys, backward: in.ScanIndexForward != nil && !*in.ScanIndexForward}
	if in.Limit != nil {
		if q.limit = int(*in.Limit); q.limit < 1 {
			return nil, invalid("Limit must be greater than or equal to 1")
		}
	}
	if in.IndexName != nil {
		q.index = slices.IndexFunc(t.indexes, func(i index) bool { return i.name == *in.IndexName })
		if q.index < 0 {
			return nil, invalid("The table does not have the specified index: %s", *in.IndexName)
		}
		q.keys.sort = t.indexes[q.index].sort
	}
	expressions := placeholders{in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		[]written{{"FilterExpression", in.FilterExpression}, {"ProjectionExpression", in.ProjectionExpression}, {"KeyConditionExpression", in.KeyConditionExpression}}}
	if err := expressions.checkUse(); err != nil {
		return nil, err
	}
	var err error
	if q.bindings, err = t.bind(expressions); err != nil {
		return nil, err
	}
	if in.KeyConditionExpression == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	if e := q.expressions[1]; e != nil {
		q.projection = q.projected(e)
	}
	if err := q.checkKeyCondition(t, q.expressions[2].condition); err != nil {
		return nil, err
	}
	if err := t.checkStart(q, in.ExclusiveStartKey); err != nil {
		return nil, err
	}
	if e := q.expressions[0]; e != nil {
		q.filter = e.condition
		return q, q.checkFilter(q.filter)
	}
	return q, nil
}

// checkFilter makes sure that a filter has no key attributes.
func (q *query) checkFilter(c *condition) error {
	for _, part := range c.parts {
		if err := q.checkFilter(part); err != nil {
			return err
		}
	}
	for _, o := range c.operands {
		if o.path != "" && q.keys.has(q.name(o.path)) {
			return invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", q.name(o.path))
		}
	}
	return nil
}

// term is one comparison of a key condition: name operator values.
type term struct {
	name     string
	operator string
	values   []value
}

// checkKeyCondition finds the partition and the span in a key condition.
func (q *query) checkKeyCondition(t *Table, c *condition) error {
	terms, err := q.terms(c, nil)
	if err != nil {
		return err
	}
	seen := map[string]term{}
	for _, term := range terms {
		if _, ok := seen[term.name]; ok {
			return invalid("KeyConditionExpressions must only contain one condition per key")
		}
		seen[term.name] = term
	}
	if len(terms) > 2 {
		return invalid("Conditions can be of length 1 or 2 only")
	}
	partition, ok := seen[q.keys.partition.name]
	sort, ok2 := seen[q.keys.sort.name]
	switch {
	case !ok || len(terms) == 2 && !ok2:
		return invalid("Query condition missed key schema element")
	case partition.operator != "=":
		return invalid("Query key condition not supported")
	}
	q.partition = partition.values[0]
	q.partitionOrder = q.partition.order()
	if ok2 {
		q.span = newSpan(sort)
	}
	return q.checkKeyValues(t)
}

// checkKeyValues checks the types and sizes of the values of a key condition.
func (q *query) checkKeyValues(t *Table) error {
	if max(len(q.span.low.text), len(q.span.high.text)) > maxSortKey {
		return invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	ranged := q.span.operator != ""
	switch {
	case q.partition.kind != q.keys.partition.kind || ranged && q.span.low.kind != q.keys.sort.kind:
		return invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
	case q.partition.text == "":
		return t.emptyQueryKey(q, q.keys.partition.name, q.partition)
	case ranged && (q.span.low.text == "" || q.span.high.text == ""):
		return t.emptyQueryKey(q, q.keys.sort.name, q.span.low)
	case len(q.partition.text) > maxPartitionKey:
		return invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of 2048 bytes")
	}
	return nil
}

// emptyQueryKey returns the error for an empty value of the key attribute name.
func (t *Table) emptyQueryKey(q *query, name string, v value) error {
	if q.index >= 0 && q.keys.has(name) {
		return emptyIndexKey(t.indexes[q.index].name, name, v)
	}
	return emptyKey("One or more parameter values are not valid. ", v, " Key: "+name)
}

// flipped maps each comparison to the one with swapped operands.
var flipped = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// terms appends the comparisons of a key condition to all.
func (q *query) terms(c *condition, all []term) ([]term, error) {
	if c.operator == "AND" {
		all, err := q.terms(c.parts[0], all)
		if err != nil {
			return nil, err
		}
		return q.terms(c.parts[1], all)
	}
	if flipped[c.operator] == "" && c.operator != "BETWEEN" && c.operator != "begins_with" {
		return nil, invalid("Invalid operator used in KeyConditionExpression: %s", c.operator)
	}
	operands, operator := c.operands, c.operator
	if operands[0].path == "" && flipped[operator] == "" {
		return nil, invalid("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", operator)
	}
	if operands[0].path == "" {
		operands, operator = []operand{operands[1], operands[0]}, flipped[operator]
	}
	if operands[0].path == "" {
		return nil, invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	n := term{name: q.name(operands[0].path), operator: operator}
	for _, o := range operands[1:] {
		if o.path != "" {
			return nil, invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		}
		v, _ := q.bound(o.value)
		n.values = append(n.values, v)
	}
	return append(all, n), nil
}

// checkStart checks the key behind which a query starts.
func (t *Table) checkStart(q *query, from map[string]types.AttributeValue) error {
	if len(from) == 0 {
		return nil
	}
	it, err := itemOf(from)
	if err != nil {
		return err
	}
	columns := t.keys.columns()
	if q.index >= 0 {
		columns = append(columns, q.keys.sort)
	}
	if len(it.attributes) != len(columns) {
		return invalid("Exclusive Start Key must have same size as table's key schema")
	}
	for _, c := range columns {
		switch v, ok := it.get(c.name); {
		case !ok:
			return invalid("The provided starting key is invalid")
		case v.kind != c.kind:
			return invalid("Type mismatch for attribute to update")
		case v.text == "" && c == t.keys.partition:
			return emptyKey("The query can return at most one row and cannot be restarted. The provided starting key is invalid: One or more parameter values are not valid. ", v, " Key: "+c.name)
		case v.text == "":
			return withText(t.emptyQueryKey(q, c.name, v), "The provided starting key is invalid: ", "")
		}
	}
	key := t.keyOf(it)
	sort, _ := it.get(q.keys.sort.name)
	if key.partition != q.partition || q.span.side(sort.order()) != 0 || q.index < 0 && q.span.last(sort, q.backward) {
		return invalid("The provided starting key does not match the range key predicate")
	}
	start := key.position()
	if q.index >= 0 {
		start = t.entry(key)
		start.sort = sort.order()
	}
	q.start = &start
	return nil
}
