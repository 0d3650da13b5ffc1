package dynamomodel

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// bindings are the names and values of a call's placeholders.
type bindings struct {
	names       map[string]string
	values      []boundValue
	expressions []*expression
}

type boundValue struct {
	placeholder string
	value       value
}

// bound returns the value of a placeholder.
func (b *bindings) bound(placeholder string) (value, bool) {
	for i := range b.values {
		if b.values[i].placeholder == placeholder {
			return b.values[i].value, true
		}
	}
	return value{}, false
}

// written is an expression in a call: the parameter that contains it, and its text.
type written struct {
	parameter string
	text      *string
}

// placeholders are the names and values in a call, and the expressions that use them.
type placeholders struct {
	names       map[string]string
	values      map[string]types.AttributeValue
	expressions []written
}

// bind parses the expressions of a call and checks them against the call's names and
// values. An expression without a text becomes nil.
func (t *Table) bind(p placeholders) (*bindings, error) {
	if err := p.checkNames(); err != nil {
		return nil, err
	}
	values, err := p.bindValues()
	if err != nil {
		return nil, err
	}
	b := &bindings{names: p.names, values: values}
	for _, w := range p.expressions {
		e, err := t.parsed(w)
		if err != nil {
			return nil, err
		}
		if err := b.check(e); err != nil {
			return nil, withText(err, "Invalid "+w.parameter+": ", "")
		}
		b.expressions = append(b.expressions, e)
	}
	return b, b.checkUnused()
}

// parsed returns the expression with this text, or nil if the text is empty. It parses
// each text once.
func (t *Table) parsed(w written) (*expression, error) {
	if w.text == nil {
		return nil, nil
	}
	key := parameterText{w.parameter, *w.text}
	if e, ok := t.expressions.Load(key); ok {
		return e.(*expression), nil
	}
	e, err := parse(w.parameter, *w.text)
	if err == nil {
		t.expressions.Store(key, e)
	}
	return e, err
}

type parameterText struct{ parameter, text string }

// checkUse makes sure that a call with names or values has expressions that may use them.
func (p placeholders) checkUse() error {
	if len(p.names) > 0 && !p.any() {
		return invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if len(p.values) == 0 {
		return nil
	}
	if absent := p.absent(); absent != "" {
		return invalid("ExpressionAttributeValues can only be specified when using expressions: %s", absent)
	}
	return nil
}

// any reports whether there is an expression.
func (p placeholders) any() bool {
	return slices.ContainsFunc(p.expressions, func(w written) bool { return w.text != nil })
}

// absent says that a call has none of the expressions that accept values. It is empty if
// the call has one.
func (p placeholders) absent() string {
	var absent []string
	for _, w := range p.expressions {
		switch {
		case w.parameter == "ProjectionExpression":
		case w.text != nil:
			return ""
		default:
			absent = append(absent, w.parameter)
		}
	}
	if len(absent) == 1 {
		return absent[0] + " is null"
	}
	return strings.Join(absent, " and ") + " are null"
}

func (p placeholders) checkNames() error {
	if p.names != nil && len(p.names) == 0 && p.any() {
		return invalid("ExpressionAttributeNames must not be empty")
	}
	for placeholder, name := range p.names {
		switch {
		case !isPlaceholder(placeholder, '#'):
			return invalid("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", placeholder)
		case name == "":
			return invalid("ExpressionAttributeNames contains invalid value: Empty attribute name for key %s", placeholder)
		case len(name) > maxAttributeName:
			return invalid("ExpressionAttributeNames contains invalid value: Attribute name is too large, must be less than 65536 bytes for key %s", placeholder)
		}
	}
	return nil
}

func isPlaceholder(text string, sign byte) bool {
	return len(text) > 1 && text[0] == sign && wordLength(text[1:]) == len(text)-1
}

func (p placeholders) bindValues() ([]boundValue, error) {
	if p.values != nil && len(p.values) == 0 && p.absent() == "" {
		return nil, invalid("ExpressionAttributeValues must not be empty")
	}
	bound := make([]boundValue, 0, len(p.values))
	for placeholder, v := range p.values {
		if !isPlaceholder(placeholder, ':') {
			return nil, invalid("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", placeholder)
		}
		value, err := valueOf(v)
		if err != nil {
			return nil, withText(err, "ExpressionAttributeValues contains invalid value: ", " for key "+placeholder)
		}
		bound = append(bound, boundValue{placeholder, value})
	}
	return bound, nil
}

// checkUnused looks for names and values that no expression uses.
func (b *bindings) checkUnused() error {
	var names, values []string
	for name := range b.names {
		if !b.uses(name) {
			names = append(names, name)
		}
	}
	for i := range b.values {
		if !b.uses(b.values[i].placeholder) {
			values = append(values, b.values[i].placeholder)
		}
	}
	slices.Sort(names)
	slices.Sort(values)
	switch {
	case names != nil:
		return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", strings.Join(names, ", "))
	case values != nil:
		return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", strings.Join(values, ", "))
	}
	return nil
}

func (b *bindings) uses(placeholder string) bool {
	return slices.ContainsFunc(b.expressions, func(e *expression) bool { return e != nil && slices.Contains(e.placeholders, placeholder) })
}

// check returns the first mistake in e, which may be nil, given these names and values.
func (b *bindings) check(e *expression) error {
	switch {
	case e == nil:
		return nil
	case e.condition != nil:
		return b.checkCondition(e.condition)
	case e.update != nil:
		return b.checkUpdate(e.update)
	default:
		return b.checkPaths(e.paths)
	}
}

// checkName makes sure that p has a name.
func (b *bindings) checkName(p path) error {
	if _, ok := b.names[string(p)]; !ok && p[0] == '#' {
		return invalid("An expression attribute name used in the document path is not defined; attribute name: %s", p)
	}
	return nil
}

// checkDefined makes sure that the placeholders of o are defined.
func (b *bindings) checkDefined(o operand) error {
	switch {
	case o.path != "":
		return b.checkName(o.path)
	case o.value != "":
		if _, ok := b.bound(o.value); !ok {
			return invalid("An expression attribute value used in expression is not defined; attribute value: %s", o.value)
		}
	}
	return nil
}

func (b *bindings) checkCondition(c *condition) error {
	for _, part := range c.parts {
		if err := b.checkCondition(part); err != nil {
			return err
		}
	}
	for _, o := range c.operands {
		if err := b.checkDefined(o); err != nil {
			return err
		}
	}
	if arity, ok := conditionFunctions[c.operator]; ok {
		if err := checkArguments(c.operator, c.operands, arity, arity == 1); err != nil {
			return err
		}
	}
	for _, o := range c.operands {
		if v, ok := b.bound(o.value); ok && !fits(c.operator, v) {
			return invalid("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", c.operator, v.kind)
		}
	}
	for _, o := range c.operands[min(1, len(c.operands)):] {
		if err := b.checkDistinct(c.operator, c.operands[0].path, o.path); err != nil {
			return err
		}
	}
	if c.operator == "BETWEEN" {
		return b.checkBounds(c.operands[1], c.operands[2])
	}
	return nil
}

// checkArguments checks the number of operands of a function, and that the first is a
// path if it must be.
func checkArguments(function string, operands []operand, arity int, pathFirst bool) error {
	if len(operands) != arity {
		return invalid("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", function, len(operands))
	}
	if pathFirst && operands[0].path == "" {
		return invalid("Operator or function requires a document path; operator or function: %s", function)
	}
	return nil
}

// checkDistinct checks that two operands differ if both are paths.
func (b *bindings) checkDistinct(operator string, first, other path) error {
	if first == "" || other == "" || b.name(first) != b.name(other) {
		return nil
	}
	return invalid("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: [%s]", operator, b.name(first))
}

// fits reports whether an operator accepts v's type.
func fits(operator string, v value) bool {
	switch operator {
	case "<", "<=", ">", ">=", "BETWEEN":
		return v.ordered()
	case "begins_with":
		return v.kind == kindS || v.kind == kindB
	}
	return true
}

// checkBounds checks the bounds of a BETWEEN that are values.
func (b *bindings) checkBounds(low, high operand) error {
	l, ok := b.bound(low.value)
	h, ok2 := b.bound(high.value)
	switch {
	case !ok || !ok2:
		return nil
	case l.kind != h.kind:
		return invalid("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {%s:%s}, upper bound operand: AttributeValue: {%s:%s}", l.kind, l.text, h.kind, h.text)
	case l.compare(h) > 0:
		return invalid("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {%s:%s}, upper bound operand: AttributeValue: {%s:%s}", l.kind, l.text, h.kind, h.text)
	}
	return nil
}

func (b *bindings) checkUpdate(u *update) error {
	if err := b.checkPaths(u.paths); err != nil {
		return err
	}
	for _, a := range slices.Backward(u.set) { // as DynamoDB Local does
		if err := b.checkAssignment(a); err != nil {
			return err
		}
	}
	return nil
}

func (b *bindings) checkAssignment(a assignment) error {
	for _, o := range []operand{a.left, a.right} {
		if err := b.checkAssigned(o); err != nil {
			return err
		}
	}
	if a.operator == "" {
		return nil
	}
	for _, o := range []operand{a.left, a.right} {
		if v, ok := b.bound(o.value); ok && v.kind != kindN {
			return invalid("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", a.operator, v.kind)
		}
	}
	return nil
}

// checkAssigned checks an operand of an update.
func (b *bindings) checkAssigned(o operand) error {
	if o.call == nil {
		return b.checkDefined(o)
	}
	for _, argument := range o.call.arguments {
		if err := b.checkAssigned(argument); err != nil {
			return err
		}
	}
	if err := checkArguments(o.call.function, o.call.arguments, updateFunctions[o.call.function], true); err != nil {
		return err
	}
	return b.checkDistinct(o.call.function, o.call.arguments[0].path, o.call.arguments[1].path)
}

// checkPaths makes sure that paths have names and that none occurs twice.
func (b *bindings) checkPaths(paths []path) error {
	for i, p := range slices.Backward(paths) { // as DynamoDB Local does
		if err := b.checkName(p); err != nil {
			return err
		}
		for _, q := range paths[i+1:] {
			if b.name(p) == b.name(q) {
				return invalid("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [%s], path two: [%s]", b.name(p), b.name(q))
			}
		}
	}
	return nil
}

// name returns the name of the attribute p.
func (b *bindings) name(p path) string {
	if p[0] == '#' {
		return b.names[string(p)]
	}
	return string(p)
}

// value returns o's value for an item, which may be nil.
func (b *bindings) value(o operand, it *item) (value, bool) {
	switch {
	case o.value != "":
		return b.bound(o.value)
	case o.call != nil: // if_not_exists: its second operand must always exist
		second, ok := b.value(o.call.arguments[1], it)
		if first, ok2 := b.value(o.call.arguments[0], it); ok && ok2 {
			return first, true
		}
		return second, ok
	default:
		return it.get(b.name(o.path))
	}
}

// holds reports whether c is true for an item, which may be nil.
func (b *bindings) holds(c *condition, it *item) bool {
	switch c.operator {
	case "AND":
		return b.holds(c.parts[0], it) && b.holds(c.parts[1], it)
	case "OR":
		return b.holds(c.parts[0], it) || b.holds(c.parts[1], it)
	case "NOT":
		return !b.holds(c.parts[0], it)
	}
	first, ok := b.value(c.operands[0], it)
	switch c.operator {
	case "attribute_exists":
		return ok
	case "attribute_not_exists":
		return !ok
	}
	second, ok2 := b.value(c.operands[1], it)
	if !ok || !ok2 || first.kind != second.kind {
		return c.operator == "<>"
	}
	if c.operator == "BETWEEN" {
		third, ok := b.value(c.operands[2], it)
		return ok && third.kind == first.kind && compares(first, ">=", second) && compares(first, "<=", third)
	}
	return compares(first, c.operator, second)
}

// compares reports whether an operator holds for two values of one type.
func compares(v value, operator string, w value) bool {
	switch operator {
	case "=":
		return v == w
	case "<>":
		return v != w
	case "begins_with":
		return (v.kind == kindS || v.kind == kindB) && strings.HasPrefix(v.text, w.text)
	case "contains":
		return (v.kind == kindS || v.kind == kindB) && strings.Contains(v.text, w.text)
	}
	if !v.ordered() {
		return false
	}
	order := v.compare(w)
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default: // >=
		return order >= 0
	}
}

// apply returns it as changed by u. it may be nil: key contains the attributes that a new
// item begins with.
func (b *bindings) apply(u *update, it *item, key []attribute) (*item, error) {
	if it == nil {
		it = newItem(key)
	}
	if u == nil {
		return it, nil
	}
	set := make([]attribute, len(u.set))
	for i, a := range u.set {
		v, err := b.assigned(a, it)
		if err != nil {
			return nil, err
		}
		set[i] = attribute{b.name(a.path), v}
	}
	removed := make([]string, 0, len(u.remove))
	for _, p := range u.remove {
		removed = append(removed, b.name(p))
	}
	return it.with(set, removed), nil
}

// assigned returns the value of an assignment.
func (b *bindings) assigned(a assignment, it *item) (value, error) {
	left, ok := b.value(a.left, it)
	if !ok {
		return value{}, errNoAttribute
	}
	if a.operator == "" {
		return left, nil
	}
	if left.kind != kindN {
		return value{}, errNoNumber
	}
	right, ok := b.value(a.right, it)
	switch {
	case !ok:
		return value{}, errNoAttribute
	case right.kind != kindN:
		return value{}, errNoNumber
	}
	n := right.number()
	if a.operator == "-" {
		n = n.negate()
	}
	sum, err := left.number().add(n)
	return value{kindN, sum.String()}, err
}

var (
	errNoAttribute = invalid("The provided expression refers to an attribute that does not exist in the item")
	errNoNumber    = invalid("An operand in the update expression has an incorrect data type")
)
