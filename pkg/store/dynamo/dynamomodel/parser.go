package dynamomodel

import (
	"slices"
	"strings"
)

// expression is a parsed expression. It never changes, and is cached under its text.
type expression struct {
	placeholders []string // each once

	condition *condition // if it is a condition, a filter or a key condition
	update    *update
	paths     []path // if it is a projection
}

// path is an attribute in an expression: its name, or a placeholder for the name.
type path string

// condition is true or false for an item. It is AND, OR or NOT with parts, or a
// comparison or function with operands.
type condition struct {
	operator string
	parts    []*condition
	operands []operand
}

// operand is one of these, in a comparison, a function or an assignment.
type operand struct {
	path  path
	value string // a placeholder
	call  *funcCall
}

// funcCall is a call of if_not_exists.
type funcCall struct {
	function  string
	arguments []operand
}

// update has the parts of an update expression.
type update struct {
	set    []assignment
	remove []path
	paths  []path // of both, in the order of the text
}

// assignment is path = left, or path = left operator right.
type assignment struct {
	path          path
	left          operand
	operator      string // +, - or empty
	right         operand
	parenthesized bool
}

// The functions of DynamoDB's expressions, and their numbers of operands. The model does
// not know those with 0.
var (
	conditionFunctions = map[string]int{
		"attribute_exists": 1, "attribute_not_exists": 1, "begins_with": 2, "contains": 2,
		"attribute_type": 0, "size": 0,
	}
	updateFunctions = map[string]int{"if_not_exists": 2, "list_append": 0}
)

const maxExpression = 4096 // bytes

// parse parses the expression in a parameter of a call.
func parse(parameter, text string) (*expression, error) {
	p := &parser{text: text, tokens: tokens(text), expression: &expression{}}
	switch {
	case text == "":
		p.fail(invalid("The expression can not be empty;"))
	case len(text) > maxExpression:
		p.fail(invalid("Expression size has exceeded the maximum allowed size; expression size: %d", len(text)))
	case parameter == "UpdateExpression":
		p.expression.update = p.updates()
	case parameter == "ProjectionExpression":
		p.expression.paths = p.pathList()
	default:
		p.expression.condition = p.needCondition(p.or())
	}
	if p.peek().kind != tokenEnd {
		p.unexpected()
	}
	for _, err := range []error{p.err, p.misuse, p.repeated} {
		if err != nil {
			return nil, withText(err, "Invalid "+parameter+": ", "")
		}
	}
	return p.expression, nil
}

// parser is a recursive descent parser. After the first syntax error it sees only the end
// of the text, so each of its functions ends.
type parser struct {
	text       string
	tokens     []token
	at         int
	expression *expression

	// The first error of each kind, in the order in which DynamoDB looks for them.
	err      error // a syntax error
	misuse   error // a misused reserved word or function
	repeated error // a repeated section
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.peek()
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// accept moves past a sign or keyword if it comes next.
func (p *parser) accept(text string) bool {
	t := p.peek()
	if t.kind != tokenSign && t.kind != tokenKeyword || !strings.EqualFold(t.text, text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.unexpected()
	}
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.at = len(p.tokens) - 1
}

// unexpected fails at the next token. DynamoDB shows the token with its neighbors.
func (p *parser) unexpected() {
	t := p.peek()
	from, to := t.start, t.end
	if p.at > 0 {
		from = p.tokens[p.at-1].start
	}
	if t.kind == tokenEnd && p.at == 0 {
		from = 0
	}
	if p.at+1 < len(p.tokens) && p.tokens[p.at+1].kind != tokenEnd {
		to = p.tokens[p.at+1].end
	}
	p.fail(invalid("Syntax error; token: %q, near: %q", t.text, p.text[from:to]))
}

// note keeps the first error of a kind.
func note(first *error, err error) {
	if *first == nil {
		*first = err
	}
}

// parentheses fails if another pair encloses the same expression.
func (p *parser) parentheses(inner bool) {
	if inner {
		p.fail(invalid("The expression has redundant parentheses;"))
	}
}

// node is a condition, or an operand that may be part of a condition.
type node struct {
	condition     *condition
	operand       *operand
	function      string // set if the condition is a function call
	parenthesized bool
}

// needCondition returns n's condition, or fails at the next token if n has none.
func (p *parser) needCondition(n node) *condition {
	if n.condition == nil {
		p.unexpected()
		return &condition{}
	}
	return n.condition
}

// needOperand is needCondition for an operand.
func (p *parser) needOperand(n node) operand {
	if n.function != "" {
		note(&p.misuse, invalid("The function is not allowed to be used this way in an expression; function: %s", n.function))
		return operand{}
	}
	if n.operand == nil {
		p.unexpected()
		return operand{}
	}
	return *n.operand
}

func (p *parser) or() node  { return p.binary("OR", p.and) }
func (p *parser) and() node { return p.binary("AND", p.not) }

func (p *parser) binary(operator string, part func() node) node {
	left := part()
	for p.peek().kind == tokenKeyword && strings.EqualFold(p.peek().text, operator) {
		first := p.needCondition(left)
		p.next()
		second := p.needCondition(part())
		left = node{condition: &condition{operator: operator, parts: []*condition{first, second}}}
	}
	return left
}

func (p *parser) not() node {
	if !p.accept("NOT") {
		return p.comparison()
	}
	return node{condition: &condition{operator: "NOT", parts: []*condition{p.needCondition(p.not())}}}
}

var comparators = []string{"=", "<>", "<", "<=", ">", ">="}

func (p *parser) comparison() node {
	left := p.primary()
	t := p.peek()
	switch {
	case t.kind == tokenSign && slices.Contains(comparators, t.text):
		first := p.needOperand(left)
		p.next()
		return node{condition: &condition{operator: t.text, operands: []operand{first, p.operand()}}}
	case t.kind == tokenKeyword && strings.EqualFold(t.text, "BETWEEN"):
		first := p.needOperand(left)
		p.next()
		low := p.operand()
		p.expect("AND")
		return node{condition: &condition{operator: "BETWEEN", operands: []operand{first, low, p.operand()}}}
	case t.kind == tokenKeyword && strings.EqualFold(t.text, "IN"):
		p.fail(notModeled("IN"))
	}
	return left
}

// primary reads an operand, a function, or a condition in parentheses.
func (p *parser) primary() node { return p.primaryOr(p.or) }

// operand reads an operand of a condition.
func (p *parser) operand() operand { return p.needOperand(p.operandNode()) }

// operandNode reads what may be an operand: there is no condition in its parentheses.
func (p *parser) operandNode() node { return p.primaryOr(p.operandNode) }

// primaryOr reads an operand, a function, or in parentheses what inParentheses reads.
func (p *parser) primaryOr(inParentheses func() node) node {
	switch {
	case p.accept("("):
		inner := inParentheses()
		p.expect(")")
		p.parentheses(inner.parenthesized)
		inner.parenthesized = true
		return inner
	case p.isFunction():
		return p.function()
	default:
		return node{operand: new(p.simpleOperand())}
	}
}

func (p *parser) isFunction() bool {
	return p.peek().kind == tokenWord && p.tokens[p.at+1].text == "("
}

// function reads a call of a function in a condition.
func (p *parser) function() node {
	name := p.next().text
	_, elsewhere := updateFunctions[name]
	switch arity, known := conditionFunctions[name]; {
	case elsewhere:
		note(&p.misuse, invalid("The function is not allowed in a condition expression; function: %s", name))
	case !known:
		note(&p.misuse, invalid("Invalid function name; function: %s", name))
	case arity == 0:
		note(&p.misuse, notModeled("function %s", name))
	}
	return node{condition: &condition{operator: name, operands: p.arguments(p.operand)}, function: name}
}

// arguments reads a list in parentheses.
func (p *parser) arguments(read func() operand) []operand {
	p.expect("(")
	all := []operand{read()}
	for p.accept(",") {
		all = append(all, read())
	}
	p.expect(")")
	return all
}

// simpleOperand reads a path or a value.
func (p *parser) simpleOperand() operand {
	if t := p.peek(); t.kind == tokenValue {
		p.next()
		p.use(t.text)
		return operand{value: t.text}
	}
	return operand{path: p.path()}
}

func (p *parser) use(placeholder string) {
	if e := p.expression; !slices.Contains(e.placeholders, placeholder) {
		e.placeholders = append(e.placeholders, placeholder)
	}
}

// path reads the name of an attribute, or a placeholder for it.
func (p *parser) path() path {
	t := p.peek()
	switch t.kind {
	case tokenName:
		p.use(t.text)
	case tokenWord:
		if reserved[strings.ToUpper(t.text)] {
			note(&p.misuse, invalid("Attribute name is a reserved keyword; reserved keyword: %s", t.text))
		}
	default:
		p.unexpected()
		return ""
	}
	p.next()
	if sign := p.peek().text; sign == "." || sign == "[" {
		p.fail(notModeled("a path into an attribute: %s", p.text))
	}
	return path(t.text)
}

func (p *parser) pathList() []path {
	all := []path{p.path()}
	for p.accept(",") {
		all = append(all, p.path())
	}
	return all
}

// updates reads the sections of an update expression.
func (p *parser) updates() *update {
	u := &update{}
	seen := map[string]bool{}
	for first := true; first || p.peek().kind != tokenEnd; first = false {
		section := strings.ToUpper(p.peek().text)
		if p.peek().kind != tokenKeyword || !slices.Contains([]string{"SET", "REMOVE", "ADD", "DELETE"}, section) {
			p.unexpected()
			return u
		}
		if seen[section] {
			note(&p.repeated, invalid("The %q section can only be used once in an update expression;", section))
		}
		seen[section] = true
		p.next()
		switch section {
		case "SET":
			for _, a := range p.assignments() {
				u.set = append(u.set, a)
				u.paths = append(u.paths, a.path)
			}
		case "REMOVE":
			removed := p.pathList()
			u.remove = append(u.remove, removed...)
			u.paths = append(u.paths, removed...)
		default:
			p.fail(notModeled("%s in an update", section))
		}
	}
	return u
}

func (p *parser) assignments() []assignment {
	all := []assignment{p.assignment()}
	for p.accept(",") {
		all = append(all, p.assignment())
	}
	return all
}

func (p *parser) assignment() assignment {
	to := p.path()
	p.expect("=")
	a := p.assigned()
	a.path = to
	return a
}

// assigned reads an operand, or the sum or difference of two.
func (p *parser) assigned() assignment {
	a := assignment{}
	if p.accept("(") {
		a = p.assigned()
		p.expect(")")
		p.parentheses(a.parenthesized)
		a.parenthesized = true
	} else {
		a.left = p.updateOperand()
	}
	for _, operator := range []string{"+", "-"} {
		if a.operator == "" && p.accept(operator) {
			return assignment{left: a.left, operator: operator, right: p.updateOperand()}
		}
	}
	return a
}

// updateOperand reads a path, a value or a function in an update.
func (p *parser) updateOperand() operand {
	if p.accept("(") {
		inner := p.updateOperand()
		p.expect(")")
		return inner
	}
	if !p.isFunction() {
		return p.simpleOperand()
	}
	name := p.next().text
	_, elsewhere := conditionFunctions[name]
	switch arity, known := updateFunctions[name]; {
	case elsewhere:
		note(&p.misuse, invalid("The function is not allowed in an update expression; function: %s", name))
	case !known:
		note(&p.misuse, invalid("Invalid function name; function: %s", name))
	case arity == 0:
		note(&p.misuse, notModeled("function %s", name))
	}
	return operand{call: &funcCall{name, p.arguments(p.updateOperand)}}
}
