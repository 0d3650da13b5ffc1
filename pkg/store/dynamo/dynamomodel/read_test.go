package dynamomodel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestGetReturnsTheProjectedAttributes(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, row("x a", attributes{"name": s("wash"), "n": n("1")}))
	get := func(key attributes, projection *string) attributes {
		t.Helper()
		in := &dynamodb.GetItemInput{TableName: tableName, Key: key, ProjectionExpression: projection}
		if projection != nil {
			in.ExpressionAttributeNames = map[string]string{"#name": "name"}
		}
		got, err := table.GetItem(t.Context(), in)
		if err != nil {
			t.Fatalf("GetItem(%v): %v", describe(key), err)
		}
		return got.Item
	}
	for _, test := range []struct {
		what      string
		got, want attributes
	}{
		{"all", get(key("x a"), nil), row("x a", attributes{"name": s("wash"), "n": n("1")})},
		{"some", get(key("x a"), aws.String("#name, k, nope")), attributes{"name": s("wash"), "k": s("a")}},
		{"nothing stored", get(key("x b"), nil), nil},
		{"nothing stored, projected", get(key("x b"), aws.String("#name")), nil},
	} {
		if diff := cmp.Diff(test.want, test.got, sameAnswer); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.what, diff)
		}
	}
}

func TestBatchGet(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	var keys []attributes
	for i := range 101 {
		keys = append(keys, key(fmt.Sprintf("x %03d", i)))
	}
	put(t, table, keys[:50]...)
	get := func(keys ...attributes) (*dynamodb.BatchGetItemOutput, error) {
		return table.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*tableName: {Keys: keys}}})
	}
	got, err := get(keys[:100]...)
	if err != nil {
		t.Fatal(err)
	}
	found := describeAll(got.Responses[*tableName])
	if slices.IsSorted(found) {
		t.Error("the items of a batch come in the order of their keys, so callers could rely on it")
	}
	slices.Sort(found)
	if diff := cmp.Diff(describeAll(keys[:50]), found); diff != "" {
		t.Errorf("found: -want +got\n%s", diff)
	}
	if len(got.UnprocessedKeys) > 0 {
		t.Errorf("unprocessed: %v", got.UnprocessedKeys)
	}
	for _, test := range []struct {
		name string
		keys []attributes
		want string
	}{
		{"none", []attributes{}, "The list of keys in RequestItems for BatchGetItem is required"},
		{"101", keys, "Too many items requested for the BatchGetItem call"},
		{"twice the same", []attributes{keys[0], keys[1], keys[0]}, "Provided list of item keys contains duplicates"},
		{"no sort key", []attributes{{"p": s("x")}}, "The number of conditions on the keys is invalid"},
	} {
		_, err := get(test.keys...)
		wantInvalid(t, test.name, err, test.want)
	}
}

func TestBatchGetReturnsAtMost16MB(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	var keys []attributes
	for i := range 45 {
		keys = append(keys, key(fmt.Sprintf("x %02d", i)))
		put(t, table, row(fmt.Sprintf("x %02d", i), attributes{"z": s(strings.Repeat("x", 400<<10-len("pxkz")-2))}))
	}
	request := map[string]types.KeysAndAttributes{*tableName: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	var got []string
	for rounds := 0; len(request) > 0; rounds++ {
		page, err := table.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			t.Fatal(err)
		}
		items := page.Responses[*tableName]
		if want := []int{40, 5}[rounds]; len(items) != want {
			t.Errorf("round %d: %d items, want %d", rounds, len(items), want)
		}
		for _, it := range items {
			got = append(got, keysIn([]attributes{it}))
		}
		request = page.UnprocessedKeys
		if rounds == 0 && !aws.ToBool(request[*tableName].ConsistentRead) {
			t.Error("the rest of a consistent read is not consistent")
		}
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != 45 {
		t.Errorf("found %v", got)
	}
}

// queryOf returns a query of the partition x.
func queryOf(condition string, values attributes) *dynamodb.QueryInput {
	all := attributes{":p": s("x")}
	for name, v := range values {
		all[name] = v
	}
	return &dynamodb.QueryInput{TableName: tableName, KeyConditionExpression: &condition, ExpressionAttributeValues: all}
}

func TestQueriesFindASpanOfSortKeys(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, k := range []string{"b", "a", "d", "c", "ca"} {
		put(t, table, row("x "+k, attributes{"i": s("i" + k), "j": n(fmt.Sprint(len(k) * 10))}), key("w "+k), key("y "+k))
	}
	put(t, table, key("x e")) // is in no index
	for _, test := range []struct {
		index     string
		condition string
		values    attributes
		want      string
	}{
		{"", "p = :p", nil, "a b c ca d e"},
		{"", "p = :p AND k = :k", attributes{":k": s("c")}, "c"},
		{"", "p = :p AND k < :k", attributes{":k": s("c")}, "a b"},
		{"", "p = :p AND k <= :k", attributes{":k": s("c")}, "a b c"},
		{"", "p = :p AND k > :k", attributes{":k": s("c")}, "ca d e"},
		{"", "p = :p AND k >= :k", attributes{":k": s("c")}, "c ca d e"},
		{"", ":k < k AND :p = p", attributes{":k": s("c")}, "ca d e"},
		{"", "k BETWEEN :k AND :l AND p = :p", attributes{":k": s("b"), ":l": s("ca")}, "b c ca"},
		{"", "(p = :p) AND (begins_with(k, :k))", attributes{":k": s("c")}, "c ca"},
		{"", "p = :p AND k = :k", attributes{":k": s("nope")}, ""},
		{"ByI", "p = :p", nil, "a b c ca d"},
		{"ByI", "p = :p AND i > :k", attributes{":k": s("ib")}, "c ca d"},
		{"ByI", "p = :p AND begins_with(i, :k)", attributes{":k": s("ic")}, "c ca"},
		{"ByJ", "p = :p AND j >= :k", attributes{":k": n("11")}, "ca"},
		{"ByJ", "p = :p AND j = :k", attributes{":k": n("2e1")}, "ca"},
	} {
		in := queryOf(test.condition, test.values)
		if test.index != "" {
			in.IndexName = &test.index
		}
		got, err := table.Query(t.Context(), in)
		if err != nil || keysIn(got.Items) != test.want {
			t.Errorf("%s %s: %v, %v, want %s", test.index, test.condition, describeAll(got.Items), err, test.want)
		}
		in.ScanIndexForward = aws.Bool(false)
		backward, err := table.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(backward.Items)
		if keysIn(backward.Items) != test.want {
			t.Errorf("%s %s backward: %v, want %s reversed", test.index, test.condition, describeAll(backward.Items), test.want)
		}
	}
}

func TestMistakesInQueries(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	long := s(strings.Repeat("x", 1025))
	for _, test := range []struct {
		condition string
		values    attributes
		change    func(*dynamodb.QueryInput)
		want      string
	}{
		{condition: "k = :p", want: "Query condition missed key schema element"},
		{condition: "p = :p AND a = :k", values: attributes{":k": s("1")}, want: "Query condition missed key schema element"},
		{condition: "p > :p", want: "Query key condition not supported"},
		{condition: "p = :p OR k = :p", want: "Invalid operator used in KeyConditionExpression: OR"},
		{condition: "NOT p = :p", want: "Invalid operator used in KeyConditionExpression: NOT"},
		{condition: "p = :p AND k <> :p", want: "Invalid operator used in KeyConditionExpression: <>"},
		{condition: "p = :p AND contains(k, :p)", want: "Invalid operator used in KeyConditionExpression: contains"},
		{condition: "p = :p AND k > :k AND k < :l", values: attributes{":k": s("1"), ":l": s("2")}, want: "must only contain one condition per key"},
		{condition: "p = :p AND k = :p AND a = :p", want: "Conditions can be of length 1 or 2 only"},
		{condition: "p = :p AND k = a", want: "Multiple attribute names used in one condition"},
		{condition: "p = :p AND begins_with(:p, k)", want: "begins_with operator must have the key attribute as its first operand"},
		{condition: "p = :p AND k = :k", values: attributes{":k": n("1")}, want: "Condition parameter type does not match schema type"},
		{condition: "p = :k AND k = :p", values: attributes{":k": n("1")}, want: "Condition parameter type does not match schema type"},
		{condition: "p = :p AND k = :k", values: attributes{":k": s("")}, want: "cannot contain an empty string value. Key: k"},
		{condition: "p = :p AND k = :k", values: attributes{":k": long}, want: "exceeded the size limit of 1024 bytes"},
		{condition: "p = :k AND k = :p", values: attributes{":k": s(strings.Repeat("x", 2049))}, want: "maximum size limit of 2048 bytes"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(0) }, want: "Limit must be greater than or equal to 1"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) { in.IndexName = aws.String("ByX") }, want: "The table does not have the specified index: ByX"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) { in.FilterExpression = aws.String("a = :p AND k = :p") }, want: "Filter Expression can only contain non-primary key attributes: Primary key attribute: k"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) {
			in.FilterExpression, in.IndexName = aws.String("attribute_exists(i)"), aws.String("ByI")
		}, want: "Primary key attribute: i"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) {
			in.KeyConditionExpression, in.ExpressionAttributeValues = nil, nil
		}, want: "KeyConditionExpression parameter must be specified"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = attributes{"p": s("x")} }, want: "must have same size as table's key schema"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = attributes{"p": s("x"), "a": s("x")} }, want: "The provided starting key is invalid"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = attributes{"p": s("x"), "k": n("1")} }, want: "Type mismatch for attribute to update"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = key("y a") }, want: "does not match the range key predicate"},
		{condition: "p = :p AND k > :k", values: attributes{":k": s("b")}, change: func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = key("x b") }, want: "does not match the range key predicate"},
		{condition: "p = :p AND k <= :k", values: attributes{":k": s("b")}, change: func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = key("x b") }, want: "does not match the range key predicate"},
		{condition: "p = :p", change: func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey, in.IndexName = key("x a"), aws.String("ByI")
		}, want: "must have same size as table's key schema"},
	} {
		in := queryOf(test.condition, test.values)
		if test.change != nil {
			test.change(in)
		}
		_, err := table.Query(t.Context(), in)
		wantInvalid(t, test.condition, err, test.want)
	}
}

func TestFilterComesAfterTheLimit(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for i, k := range []string{"a", "b", "c", "d"} {
		put(t, table, row("x "+k, attributes{"n": n(fmt.Sprint(i % 2))}))
	}
	in := queryOf("p = :p", attributes{":n": n("1")})
	in.FilterExpression, in.Limit = aws.String("n = :n"), aws.Int32(3)
	got, err := table.Query(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if keysIn(got.Items) != "b" || got.Count != 1 || got.ScannedCount != 3 {
		t.Errorf("found %v, Count %d, ScannedCount %d, want b, 1, 3", keysIn(got.Items), got.Count, got.ScannedCount)
	}
	if diff := cmp.Diff(key("x c"), got.LastEvaluatedKey, sameAnswer); diff != "" {
		t.Errorf("LastEvaluatedKey: -want +got\n%s", diff)
	}
}

// Pages of any size contain all items, once and in order. That includes entries of an
// index with the same sort key, and pages whose last item has been deleted since.
func TestPagesHaveAllItems(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		table := newTable(t)
		for i := range rapid.IntRange(0, 20).Draw(rt, "items") {
			put(t, table, row(fmt.Sprintf("x %02d", i), attributes{"i": s(rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "i"))}))
		}
		in := queryOf("p = :p", nil)
		if rapid.Bool().Draw(rt, "index") {
			in.IndexName = aws.String("ByI")
		}
		in.ScanIndexForward = aws.Bool(rapid.Bool().Draw(rt, "forward"))
		all, err := table.Query(t.Context(), in)
		if err != nil {
			rt.Fatal(err)
		}
		in.Limit = aws.Int32(rapid.Int32Range(1, 7).Draw(rt, "limit"))
		var paged []attributes
		for pages := dynamodb.NewQueryPaginator(table, in); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				rt.Fatal(err)
			}
			if int32(len(page.Items)) > *in.Limit {
				rt.Fatalf("%d items on a page of %d", len(page.Items), *in.Limit)
			}
			paged = append(paged, page.Items...)
			if last := page.LastEvaluatedKey; last != nil && rapid.Bool().Draw(rt, "delete") {
				_, err := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: attributes{"p": last["p"], "k": last["k"]}})
				if err != nil {
					rt.Fatal(err)
				}
			}
		}
		if diff := cmp.Diff(describeAll(all.Items), describeAll(paged)); diff != "" {
			rt.Fatalf("pages: -want +got\n%s", diff)
		}
	})
}

func TestLimitThatIsReachedHasAKeyToGoOnWith(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	put(t, table, row("x a", attributes{"i": s("1")}), row("x b", attributes{"i": s("b")}))
	for _, test := range []struct {
		condition string
		values    attributes
		index     string
		backward  bool
		limit     int32
		want      bool
	}{
		{condition: "p = :p", limit: 1, want: true},
		{condition: "p = :p", limit: 2, want: true}, // although there is nothing more
		{condition: "p = :p", limit: 3, want: false},
		{condition: "p = :p AND k = :k", values: attributes{":k": s("b")}, limit: 1, want: true},
		// Nothing can follow the end of these ranges.
		{condition: "p = :p AND k <= :k", values: attributes{":k": s("b")}, limit: 2, want: false},
		{condition: "p = :p AND k <= :k", values: attributes{":k": s("c")}, limit: 2, want: true},
		{condition: "p = :p AND k >= :k", values: attributes{":k": s("a")}, limit: 2, want: true},
		{condition: "p = :p AND k >= :k", values: attributes{":k": s("a")}, limit: 2, backward: true, want: false},
		// In an index, another entry with the same sort key can follow.
		{condition: "p = :p AND i <= :k", values: attributes{":k": s("b")}, index: "ByI", limit: 2, want: true},
	} {
		in := queryOf(test.condition, test.values)
		in.Limit, in.ScanIndexForward = &test.limit, aws.Bool(!test.backward)
		if test.index != "" {
			in.IndexName = &test.index
		}
		got, err := table.Query(t.Context(), in)
		if err != nil || (got.LastEvaluatedKey != nil) != test.want {
			t.Errorf("%s, limit %d: LastEvaluatedKey %v, %v, want one: %t", test.condition, test.limit, describe(got.LastEvaluatedKey), err, test.want)
		}
	}
}

func TestPageEndsAt1MB(t *testing.T) {
	t.Parallel()
	const quarter = 1 << 18
	for _, test := range []struct {
		name        string
		items, size int
		want        []int // number of items on each page
	}{
		{"just below", 6, quarter - 1, []int{5, 1}},
		{"exactly", 6, quarter, []int{4, 2}},
		{"exactly, and nothing more", 4, quarter, []int{4}},
		{"above", 6, quarter + 1, []int{4, 2}},
	} {
		table := newTable(t)
		for i := range test.items {
			put(t, table, row(fmt.Sprintf("x %d", i), attributes{"z": s(strings.Repeat("x", test.size-len("pxk0z")))}))
		}
		in := queryOf("p = :p", attributes{":z": s("x")})
		in.FilterExpression = aws.String("begins_with(z, :z)")
		var got []int
		for pages := dynamodb.NewQueryPaginator(table, in); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, len(page.Items))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: pages of %v items, want %v", test.name, got, test.want)
		}
	}
}

func TestIndexHasTheItemsWithItsKey(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	in := queryOf("p = :p", nil)
	in.IndexName = aws.String("ByI")
	wantKeys := func(when, want string) {
		t.Helper()
		got, err := table.Query(t.Context(), in)
		if err != nil || keysIn(got.Items) != want {
			t.Errorf("%s: index has %q, %v, want %q", when, keysIn(got.Items), err, want)
		}
	}
	put(t, table, key("x a"), row("x b", attributes{"i": s("2")}), row("x c", attributes{"i": s("1")}))
	wantKeys("after puts", "c b")
	put(t, table, row("x b", attributes{"i": s("0")}))
	wantKeys("after a put with another key", "b c")
	if _, err := table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: tableName, Key: key("x c"), UpdateExpression: aws.String("REMOVE i")}); err != nil {
		t.Fatal(err)
	}
	wantKeys("after an update without the key", "b")
	if _, err := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: key("x b")}); err != nil {
		t.Fatal(err)
	}
	wantKeys("after a delete", "")
}

func TestTiesOfAnIndexAreScatteredButTheSameEachTime(t *testing.T) {
	t.Parallel()
	var want string
	for _, order := range []string{"abcdefgh", "hgfedcba"} {
		table := newTable(t)
		for _, k := range order {
			put(t, table, row("x "+string(k), attributes{"i": s("1")}))
		}
		in := queryOf("p = :p", nil)
		in.IndexName = aws.String("ByI")
		got, err := table.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		keys := keysIn(got.Items)
		if want == "" {
			want = keys
		}
		if keys != want || keys == "a b c d e f g h" {
			t.Errorf("written as %s: %s, want %s, and not sorted", order, keys, want)
		}
	}
}
