package dynamomodel

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// holds reports whether a condition holds for an item of each type.
func holds(t testing.TB, condition string, values attributes) (bool, error) {
	t.Helper()
	table := newTable(t)
	put(t, table, row("x a", attributes{"s": s("abc"), "n": n("5"), "b": b("abc"), "t": yes(true), "u": null()}))
	_, err := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: tableName, Key: key("x a"), ConditionExpression: &condition, ExpressionAttributeValues: values,
	})
	if _, failed := errors.AsType[*types.ConditionalCheckFailedException](err); failed {
		return false, nil
	}
	return true, err
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		condition string
		v         types.AttributeValue // value of :v
		want      bool
	}{
		{"s = :v", s("abc"), true},
		{"s = :v", s("ab"), false},
		{"s <> :v", s("ab"), true},
		{"s < :v", s("abd"), true},
		{"s < :v", s("abc"), false},
		{"s <= :v", s("abc"), true},
		{"s > :v", s("abb"), true},
		{"s > :v", s("abc"), false},
		{"s >= :v", s("abc"), true},
		{":v = s", s("abc"), true},
		{":v < s", s("abb"), true},

		{"n = :v", n("5.0"), true},
		{"n < :v", n("10"), true}, // not compared as text
		{"n > :v", n("-10"), true},
		{"b < :v", b("abd"), true},
		{"t = :v", yes(true), true},
		{"t = :v", yes(false), false},
		{"u = :v", null(), true},

		// Values of different types are unequal, and have no order.
		{"s = :v", b("abc"), false},
		{"s <> :v", b("abc"), true},
		{"n = :v", s("5"), false},
		{"n < :v", s("9"), false},
		{"n >= :v", s("0"), false},
		{"t < :v", s("a"), false},
		// A value and a missing attribute are unequal, too.
		{"nope = :v", s("abc"), false},
		{"nope <> :v", s("abc"), true},
		{"nope < :v", s("abc"), false},
		{"nope >= :v", s("abc"), false},

		{"begins_with(s, :v)", s("ab"), true},
		{"begins_with(s, :v)", s("bc"), false},
		{"begins_with(s, :v)", s(""), true},
		{"begins_with(s, :v)", b("ab"), false},
		{"begins_with(b, :v)", b("ab"), true},
		{"begins_with(nope, :v)", s("ab"), false},
		{"contains(s, :v)", s("bc"), true},
		{"contains(s, :v)", s("bd"), false},
		{"contains(n, :v)", n("5"), false},
		{"contains(s, :v)", n("5"), false},
		{"s BETWEEN :v AND :v", s("abc"), true},
		{"s BETWEEN :v AND :v", s("abb"), false},

		{"s = :v AND attribute_exists(n)", s("abc"), true},
		{"s = :v AND attribute_exists(nope)", s("abc"), false},
		{"s = :v OR attribute_exists(n)", s("x"), true},
		{"s = :v OR attribute_exists(nope)", s("x"), false},
		{"NOT s = :v", s("abc"), false},
		{"NOT s = :v AND NOT s = :v", s("x"), true},
		{"NOT NOT s = :v", s("abc"), true},
		{"attribute_not_exists(nope) AND s = :v", s("abc"), true},
		{"attribute_not_exists(s) OR s = :v", s("x"), false},
		// AND binds more tightly than OR.
		{"s = :v OR s = :v AND attribute_exists(nope)", s("abc"), true},
		{"(s = :v OR s = :v) AND attribute_exists(nope)", s("abc"), false},
		{"NOT (s = :v OR attribute_exists(nope))", s("abc"), false},
		{"s=:v and(s=:v)", s("abc"), true},
	} {
		got, err := holds(t, test.condition, attributes{":v": test.v})
		if err != nil || got != test.want {
			t.Errorf("%s with %v: %t, %v, want %t", test.condition, describe(attributes{":v": test.v}), got, err, test.want)
		}
	}
}

func TestMistakesInExpressions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		condition string
		values    attributes
		want      string
	}{
		{"", nil, "Invalid ConditionExpression: The expression can not be empty;"},
		{" ", nil, `Invalid ConditionExpression: Syntax error; token: "<EOF>", near: " "`},
		{"s", nil, `Syntax error; token: "<EOF>", near: "s"`},
		{"s = ", nil, `Syntax error; token: "<EOF>", near: "= "`},
		{"s == s", nil, `Syntax error; token: "=", near: "== s"`},
		{"s != s", nil, `Syntax error; token: "!", near: "s !="`},
		{"s = s s", nil, `Syntax error; token: "s", near: "s s"`},
		{"(s = s", nil, `Syntax error; token: "<EOF>", near: "s"`},
		{"é = s", nil, `Syntax error; token: "é", near: "é ="`},
		{"_s = s", nil, `Syntax error; token: "_", near: "_s"`},
		{"s = attribute_exists()", nil, `Syntax error; token: ")", near: "()"`},
		{"s = (s = n)", nil, `Syntax error; token: "=", near: "s = n"`},
		{"((s = n))", nil, "The expression has redundant parentheses;"},
		{"foo(s)", nil, "Invalid function name; function: foo"},
		{"Contains(s, n)", nil, "Invalid function name; function: Contains"},
		{"if_not_exists(s, n)", nil, "The function is not allowed in a condition expression; function: if_not_exists"},
		{"attribute_exists(s) = n", nil, "The function is not allowed to be used this way in an expression; function: attribute_exists"},
		{"attribute_exists(s, n)", nil, "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
		{"contains(s)", nil, "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 1"},
		{"attribute_exists(:v)", attributes{":v": s("")}, "Operator or function requires a document path; operator or function: attribute_exists"},
		{"name = n", nil, "Attribute name is a reserved keyword; reserved keyword: name"},
		{"Size = n", nil, "Attribute name is a reserved keyword; reserved keyword: Size"},
		{"#s = n", nil, "An expression attribute name used in the document path is not defined; attribute name: #s"},
		{"s = :v", nil, "An expression attribute value used in expression is not defined; attribute value: :v"},
		{"s = n", attributes{":v": s("")}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"},
		{"s = n", attributes{}, "ExpressionAttributeValues must not be empty"},
		{"s = n", attributes{"v": s("")}, `ExpressionAttributeValues contains invalid key: Syntax error; key: "v"`},
		{"s = :v", attributes{":v": n("x")}, "ExpressionAttributeValues contains invalid value: A value provided cannot be converted into a number for key :v"},
		{"s < :v", attributes{":v": yes(true)}, "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
		{":v >= s", attributes{":v": null()}, "Incorrect operand type for operator or function; operator or function: >=, operand type: NULL"},
		{"begins_with(s, :v)", attributes{":v": n("1")}, "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
		{"s = s", nil, "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
		{"s BETWEEN :v AND :w", attributes{":v": s("b"), ":w": s("a")}, "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"},
		{"s BETWEEN :v AND :w", attributes{":v": s("b"), ":w": n("1")}, "The BETWEEN operator requires same data type"},
		{strings.Repeat("s = n OR ", 500) + "s = n", nil, "Expression size has exceeded the maximum allowed size"},
	} {
		_, err := holds(t, test.condition, test.values)
		wantInvalid(t, test.condition, err, test.want)
	}
}

func TestNamesStandForAttributes(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, row("x a", attributes{"name": s("wash")}))
	del := func(condition *string, names map[string]string) error {
		_, err := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
			TableName: tableName, Key: key("x a"), ConditionExpression: condition, ExpressionAttributeNames: names,
		})
		return err
	}
	wantInvalid(t, "unused", del(aws.String("attribute_exists(#a)"), map[string]string{"#a": "a", "#c": "c"}), "ExpressionAttributeNames unused in expressions: keys: {#c}")
	wantInvalid(t, "empty", del(aws.String("attribute_exists(a)"), map[string]string{}), "ExpressionAttributeNames must not be empty")
	wantInvalid(t, "without an expression", del(nil, map[string]string{"#a": "a"}), "ExpressionAttributeNames can only be specified when using expressions")
	wantInvalid(t, "no placeholder", del(aws.String("attribute_exists(a)"), map[string]string{"a": "a"}), `contains invalid key: Syntax error; key: "a"`)
	wantInvalid(t, "no name", del(aws.String("attribute_exists(#a)"), map[string]string{"#a": ""}), "Empty attribute name for key #a")
	wantInvalid(t, "twice the same", del(aws.String("#a = #b"), map[string]string{"#a": "name", "#b": "name"}), "must be distinct")
	if err := del(nil, map[string]string{}); err != nil {
		t.Errorf("no names and no expression: %v", err)
	}
	put(t, table, row("x a", attributes{"name": s("wash")}))
	if err := del(aws.String("attribute_exists(#a)"), map[string]string{"#a": "name"}); err != nil {
		t.Errorf("attribute_exists(#a): %v", err)
	}
}

func TestUpdates(t *testing.T) {
	t.Parallel()
	stored := row("x a", attributes{"s": s("abc"), "n": n("5"), "m": n("-3")})
	for _, test := range []struct {
		update string
		values attributes
		want   attributes // changes to the stored ones; nil removes one
	}{
		{"SET s = :v", attributes{":v": s("x")}, attributes{"s": s("x")}},
		{"SET s = :v, z = :w", attributes{":v": s("x"), ":w": n("1.0")}, attributes{"s": s("x"), "z": n("1")}},
		{"SET n = n + :v", attributes{":v": n("1.5")}, attributes{"n": n("6.5")}},
		{"SET n = n - :v", attributes{":v": n("10")}, attributes{"n": n("-5")}},
		{"SET n = :v + m", attributes{":v": n("10")}, attributes{"n": n("7")}},
		{"SET n = (n + n)", nil, attributes{"n": n("10")}},
		{"SET n = m, m = n", nil, attributes{"n": n("-3"), "m": n("5")}}, // all assignments see the old item
		{"SET z = if_not_exists(n, :v)", attributes{":v": n("1")}, attributes{"z": n("5")}},
		{"SET z = if_not_exists(z, :v)", attributes{":v": n("1")}, attributes{"z": n("1")}},
		{"SET z = if_not_exists(z, :v) + :v", attributes{":v": n("1")}, attributes{"z": n("2")}},
		{"REMOVE s, nope", nil, attributes{"s": nil}},
		{"REMOVE n SET z = n", nil, attributes{"n": nil, "z": n("5")}},
		{"set z = s remove s", nil, attributes{"z": s("abc"), "s": nil}},
	} {
		table := newTable(t)
		put(t, table, stored)
		want := row("x a", nil)
		for _, from := range []attributes{stored, test.want} {
			for name, v := range from {
				want[name] = v
				if v == nil {
					delete(want, name)
				}
			}
		}
		_, err := table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: tableName, Key: key("x a"), UpdateExpression: &test.update, ExpressionAttributeValues: test.values,
		})
		if err != nil {
			t.Errorf("%s: %v", test.update, err)
		}
		wantItems(t, table, want)
	}
}

func TestMistakesInUpdates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		update string
		values attributes
		want   string
	}{
		{"", nil, "Invalid UpdateExpression: The expression can not be empty;"},
		{"SET s", nil, `Syntax error; token: "<EOF>", near: "s"`},
		{"SET s = n,", nil, `Syntax error; token: "<EOF>", near: ","`},
		{"SET s = n + n + n", nil, `Syntax error; token: "+", near: "n + n"`},
		{"SET s = (n + n) + n", nil, `Syntax error; token: "+", near: ") + n"`},
		{"SET s = ((n))", nil, "The expression has redundant parentheses;"},
		{"REMOVE :v", attributes{":v": s("")}, `Syntax error; token: ":v", near: "REMOVE :v"`},
		{"DROP s", nil, `Syntax error; token: "DROP", near: "DROP s"`},
		{"SET s = n SET n = s", nil, `The "SET" section can only be used once in an update expression;`},
		{"SET s = n REMOVE s", nil, "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [s], path two: [s]"},
		{"SET s = contains(s, n)", nil, "The function is not allowed in an update expression; function: contains"},
		{"SET s = if_not_exists(s)", nil, "Incorrect number of operands"},
		{"SET s = if_not_exists(:v, n)", attributes{":v": s("")}, "Operator or function requires a document path; operator or function: if_not_exists"},
		{"SET s = if_not_exists(s, s)", nil, "must be distinct"},
		{"SET s = n + :v", attributes{":v": s("1")}, "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
		{"SET s = s + n", nil, "An operand in the update expression has an incorrect data type"},
		{"SET s = nope", nil, "The provided expression refers to an attribute that does not exist in the item"},
		{"SET s = nope + n", nil, "The provided expression refers to an attribute that does not exist in the item"},
		{"SET n = n + :v", attributes{":v": n("1e100")}, "precision"},
		{"SET p = s", nil, "Cannot update attribute p. This attribute is part of the key"},
		{"REMOVE k", nil, "Cannot update attribute k. This attribute is part of the key"},
	} {
		table := newTable(t)
		stored := row("x a", attributes{"s": s("abc"), "n": n("5")})
		put(t, table, stored)
		_, err := table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: tableName, Key: key("x a"), UpdateExpression: &test.update, ExpressionAttributeValues: test.values,
		})
		wantInvalid(t, test.update, err, test.want)
		wantItems(t, table, stored)
	}
}

func TestUnknownExpressionsAreNotModeled(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, condition := range []string{"s IN (:v)", "size(s) = :v", "attribute_type(s, :v)", "s.a = :v", "s[0] = :v"} {
		if _, err := holds(t, condition, attributes{":v": s("a")}); !errors.Is(err, ErrNotModeled) {
			t.Errorf("%s: %v, want ErrNotModeled", condition, err)
		}
	}
	for _, update := range []string{"ADD s :v", "DELETE s :v", "SET s = list_append(s, :v)", "SET s.a = :v"} {
		_, err := table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: tableName, Key: key("x a"), UpdateExpression: &update, ExpressionAttributeValues: attributes{":v": s("a")},
		})
		if !errors.Is(err, ErrNotModeled) {
			t.Errorf("%s: %v, want ErrNotModeled", update, err)
		}
	}
	list := row("x a", attributes{"list": &types.AttributeValueMemberL{}})
	if _, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: list}); !errors.Is(err, ErrNotModeled) {
		t.Errorf("put a list: %v, want ErrNotModeled", err)
	}
}
