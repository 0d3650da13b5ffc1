package dynamomodel

import (
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

// placeholderValues and placeholderNames are defined if an expression contains them.
// Others, such as :no and #no, are never defined.
var (
	placeholderValues = attributes{":s": s("abc"), ":a": s("a"), ":b": s("b"), ":n": n("5"), ":x": s("x"), ":one": n("1"), ":t": yes(true), ":u": null()}
	placeholderNames  = map[string]string{"#s": "s", "#name": "name"}
	placeholderSyntax = regexp.MustCompile(`[:#]\w+`)
)

// define returns the names and values of the placeholders in an expression.
func define(expression string) (names map[string]string, values attributes) {
	for _, placeholder := range placeholderSyntax.FindAllString(expression, -1) {
		if name, ok := placeholderNames[placeholder]; ok {
			if names == nil {
				names = map[string]string{}
			}
			names[placeholder] = name
		}
		if v, ok := placeholderValues[placeholder]; ok {
			if values == nil {
				values = attributes{}
			}
			values[placeholder] = v
		}
	}
	return names, values
}

// conditions are valid expressions and expressions with every kind of mistake, one on
// each line.
const conditions = `
s
s =
s = :s
s=:s
s = :s :s
s == :s
s != :s
s<>:s
s< >:s
s > :a > :a
s = :s AND
s = :s and n = :n
s = :s AnD s = :a OR n=:n
s = :a OR s = :s AND n = :one
(s = :a OR s = :s) AND n = :one
NOT s = :s
not s=:s
NOT NOT s = :s
NOT (NOT s = :s)
(NOT (s = :s))
NOT s
NOT
(s = :s)
((s = :s))
(((s = :s)) AND s=:s)
((s = :s) AND s = :s)
(((s = :s) AND (s = :s)))
NOT ((s = :s))
(s = :s
((s = :s)
(((s = :s))
((s = :s)) AND
((s = :s)) = :s
s = :s)
()
(s) = :s
s = (:s)
((s)) = :s
s = ((:s))
(s = :s) = :s
s = (s = :s)
:s = s
:s = :s
:s < :s
:t < :t
s = s
s = #s
#s = #name
s = n
s < s
s BETWEEN s AND n
s BETWEEN n AND s
s BETWEEN n AND n
s BETWEEN :a AND :s
s between :a and :b
s BETWEEN :b AND :a
s BETWEEN :a AND :n
s BETWEEN :t AND n
s BETWEEN :t AND :t
s BETWEEN :a
s BETWEEN :a AND
s BETWEEN :a OR :b
:s BETWEEN :s AND :s
:n BETWEEN :one AND n
NOT s BETWEEN :a AND :b
s BETWEEN :a AND :b AND n = :n
nope = nope2
nope <> nope2
nope <> s
s < :t
:u >= s
s < :n
foo(s)
foo(:no)
foo(foo(s))
foo(s) = s
contains(foo(s), n)
Attribute_Exists(s)
attribute_exists (s)
attribute_exists(s) AND attribute_not_exists(nope)
attribute_not_exists(s)OR s=:s
attribute_exists(:s)
attribute_exists(:no)
attribute_exists(s, n)
attribute_exists()
attribute_exists(s
attribute_exists s
attribute_exists(s) = :s
(attribute_exists(s)) = n
s = attribute_exists(s)
s = (attribute_exists(s))
begins_with(attribute_exists(s), :s)
begins_with(s)
begins_with(s, s)
begins_with(s, #s)
begins_with(s, :a)
begins_with((s), :a)
begins_with((s = n), n)
begins_with(NOT s, n)
begins_with(s, n s)
begins_with(s,)
begins_with(s n)
begins_with(:s, s)
begins_with(:a,:a)
begins_with(s, :n)
begins_with(:t, #no)
begins_with(:t, name)
begins_with(n, s)
contains(s, s)
contains(s, :b)
contains(:s, s)
contains(s, :n)
contains(:t, s)
contains(:s,:a)
contains(s)
if_not_exists(s, n)
if_not_exists(s, n) = n
list_append(s, n)
name = :s
NAME = :s
#name = :s
key = n
#no = :s
s = :no
s = :S
s = :no AND #no = n
#no = n AND s = :no
name = n AND #no = n
#no = n AND name = n
s = :no AND name = n
foo(s) AND #no = n
foo(s) AND name = n
name = n AND foo(s)
foo(s) AND s = :no
((s = n)) AND foo(s)
foo(s) AND ((s = n))
((s = n)) AND name = n
((s = n)) AND #no = n
attribute_exists(s, n) AND #no = n
#no = n AND attribute_exists(:no)
attribute_exists(s) = n AND foo(n)
foo(n) AND attribute_exists(s) = n
attribute_exists(s) = n AND #no = n
attribute_exists(s) = n AND name = n
name = n AND attribute_exists(s) = n
s = s AND n = :no
n = :no AND s = s
s < :t AND n = :no
n = :no AND s < :t
s = s AND n < :t
n < :t AND s = s
s BETWEEN :b AND :a AND n < :t
n < :t AND s BETWEEN :b AND :a
1s = :s
_s = :s
s-t = :s
s = 'x'
s = 5
s = 55
$ = :s
é = :s
s = :
s = #
s = :s,
s = :s;
s = :sAND n = :n
s = :s AND(n = :n)
AND = :s
set = :s
remove = :s
between = :s
s = remove
`

const updates = `
SET
SET s
SET s =
SET s = :s
set s = :s
SET s = :s,
SET s = :s n = :n
SET s = :s, n = :n
SET s = :s, s = :a
SET s = :s, #s = :a
SET s = :s SET n = :n
SET s = :s SET
SET s = :s REMOVE n
REMOVE n SET s = :s
REMOVE s, n
REMOVE s n
REMOVE s REMOVE n
REMOVE s, s
REMOVE
REMOVE :s
REMOVE nope
REMOVE s = n
SET s = :s REMOVE s
SET s = :s REMOVE
SET :s = s
SET s : :s
SET s = :s; REMOVE n
SET s = :s AND n = :n
DROP n
s = :s
SET n = n + :one
SET n = n - :one
SET n = :one + n
SET n = n+:one
SET n=:n-:one
SET n = n + n
SET n = n + :one + :one
SET n = n * :one
SET n = - :one
SET n = (n + :one)
SET n = ((n + :one))
SET n = (n)
SET n = ((n))
SET n = (n) + :one
SET n = (n + :one) + :one
SET n = n + (n + :one)
SET n = n + (:one)
SET n = s + :one
SET n = n + s
SET n = t + :one
SET n = nope
SET n = nope + :one
SET n = n + nope
SET n = n + :s
SET n = :t - n
SET n = n = :one
SET n = s, s = n
SET n = if_not_exists(n, :one)
SET n = if_not_exists(nope, :one)
SET n = if_not_exists(nope, n)
SET n = if_not_exists(n, nope)
SET n = if_not_exists(nope, nope2)
SET n = if_not_exists(n, n)
SET s = if_not_exists(s, #s)
SET n = if_not_exists(nope, :one) + :one
SET n = if_not_exists(nope, :s) + :one
SET n = if_not_exists(:one, n)
SET n = if_not_exists(n)
SET n = if_not_exists(n, :one, :one)
SET n = if_not_exists()
SET n = if_not_exists(n,
SET n = if_not_exists((n), :one)
SET n = if_not_exists(n, if_not_exists(nope, :one))
SET n = if_not_exists(if_not_exists(n, nope), :one)
SET n = if_not_exists(n, n + n)
SET n = if_not_exists(n, :t)
SET n = IF_NOT_EXISTS(n, :one)
SET n = foo(n)
SET n = foo(:no)
SET n = attribute_exists(n)
SET n = contains(n, :one)
SET name = :s
SET #name = :s
SET n = name
REMOVE name
SET #no = n
SET n = #no
SET n = :no
SET s = n, s = :no
SET s = n, s = n REMOVE #no
SET s = :t + n, s = n
SET s = :t + n, n = :no
SET s = :no, n = :t + n
SET s = if_not_exists(n, n), s = n
SET s = if_not_exists(n, n), z = :no
SET z = :no, s = if_not_exists(n, n)
SET s = if_not_exists(n, n), z = #no
SET s = if_not_exists(n, n), z = :t + n
SET z = :t + n, s = if_not_exists(n, n)
SET s = n SET name = n
SET s = n SET s = n
SET s = n SET z = foo(n)
SET s = foo(n), s = n
SET s = foo(n), name = n
SET name = n, s = foo(n)
SET s = if_not_exists(n), name = n
SET s = if_not_exists(n), z = #no
SET s = if_not_exists(n), z = foo(n)
SET s = n, #no = n, s = n
REMOVE #no, s SET s = n
REMOVE s, #no SET s = n
SET s = n REMOVE s, #no
SET s = n REMOVE #no, s
SET s = #no REMOVE s
SET s = :no REMOVE s
SET p = :s
SET k = :s
REMOVE k
SET s = n REMOVE p
SET set = :s
`

const keyConditions = `
p = :x
p=:x AND k = :a
p=:x AND k < :b
p=:x AND k <= :b
p=:x AND k > :a
p=:x AND k >= :a
p=:x AND k <> :a
p=:x AND begins_with(k,:a)
p=:x AND begins_with(k,:n)
p=:x AND contains(k,:a)
p=:x AND k BETWEEN :a AND :b
p=:x AND k BETWEEN :b AND :a
p=:x AND k BETWEEN :a AND p
p=:x AND k BETWEEN :a AND :n
k = :a AND p = :x
(p=:x) AND (k = :a)
(p=:x AND k = :a)
((p=:x) AND k = :a)
((p=:x AND k = :a))
p=:x AND NOT k = :a
p=:x OR k = :a
p=:x AND k = :a OR k = :b
p > :x AND k = :a
p BETWEEN :a AND :b AND k = :x
begins_with(p, :x) AND k = :a
p = :x AND p = :a
p = :x AND p = :x AND k = :a
p=:x AND k > :a AND k < :b
p=:x AND k >= :a AND k <= :b
p = :x AND k = :a AND s = :b
p=:x AND s = :a
p=:x AND i = :a
p=:x AND k = s
p = p AND k = :a
k = :a
s = :a
:x = p
p = :x AND :a = k
p = :x AND :a < k
p = :x AND :a >= k
p = :x AND :a BETWEEN k AND :b
p = :x AND :a = :b
p = :x AND attribute_exists(k)
p=:x AND begins_with(:a, k)
p=:x AND begins_with(:a, :b)
p=:x AND k
p=:x AND
NOT p = :x
P = :x
p=:x AND k = :n
p=:n
p=:t
p=:x AND k < :t
p=:x AND k = :t
p=:x AND k = :no
#no=:x
name=:x
foo(p)
p=:x AND if_not_exists(k, :a)
p=:x AND k = foo(k)
`

const projections = `
p
p,k
p, s ,n
p,
,p
p k
p p
:s
#s
#no
s, #s
s, s
name
#name
s, s, #no
#no, s, s
s, #no, s
(p)
foo(p)
nope
P
p + k
set
`

// TestExpressionsAreReadAsByDynamoDBLocal sends expressions to the model and to
// DynamoDB Local, one at a time.
func TestExpressionsAreReadAsByDynamoDBLocal(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	table, model, drop := l.create(t, schemas[0])
	defer drop()
	stored := row("x a", attributes{"s": s("abc"), "n": n("5"), "t": yes(true), "name": s("wash")})
	for _, list := range []struct {
		lines string
		input func(line string) any
	}{
		{conditions, func(line string) any {
			names, values := define(line)
			return &dynamodb.DeleteItemInput{TableName: &table, Key: key("x a"), ConditionExpression: &line, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
				ReturnValues: types.ReturnValueAllOld, ReturnConsumedCapacity: total}
		}},
		{conditions, func(line string) any { // there is no item
			names, values := define(line)
			return &dynamodb.UpdateItemInput{TableName: &table, Key: key("x none"), ConditionExpression: &line, ExpressionAttributeNames: names, ExpressionAttributeValues: values}
		}},
		{conditions, func(line string) any {
			names, values := define(line + " :x")
			return &dynamodb.QueryInput{TableName: &table, KeyConditionExpression: aws.String("p = :x"), FilterExpression: &line, ExpressionAttributeNames: names, ExpressionAttributeValues: values}
		}},
		{updates, func(line string) any {
			names, values := define(line)
			return &dynamodb.UpdateItemInput{TableName: &table, Key: key("x a"), UpdateExpression: &line, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
				ReturnValues: types.ReturnValueAllNew, ReturnConsumedCapacity: total}
		}},
		{keyConditions, func(line string) any {
			names, values := define(line)
			return &dynamodb.QueryInput{TableName: &table, KeyConditionExpression: &line, ExpressionAttributeNames: names, ExpressionAttributeValues: values}
		}},
		{projections, func(line string) any {
			names, _ := define(line)
			return &dynamodb.GetItemInput{TableName: &table, Key: key("x a"), ProjectionExpression: &line, ExpressionAttributeNames: names}
		}},
	} {
		for line := range strings.Lines(strings.TrimPrefix(list.lines, "\n")) {
			line = strings.TrimSuffix(line, "\n")
			for _, c := range []client{l, model} {
				for _, restore := range []any{
					&dynamodb.PutItemInput{TableName: &table, Item: stored},
					&dynamodb.DeleteItemInput{TableName: &table, Key: key("x none")},
				} {
					if _, err := send(t.Context(), c, restore); err != nil {
						t.Fatal(err)
					}
				}
			}
			input := list.input(line)
			want, got := answerOf(send(t.Context(), l, input)), answerOf(send(t.Context(), model, input))
			if diff := cmp.Diff(want, got, sameAnswer); diff != "" {
				t.Errorf("%T %s: -DynamoDB Local +model\n%s", input, line, diff)
			}
		}
	}
}
