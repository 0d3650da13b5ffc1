package dynamomodel

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// benchTable returns a table with four indexes, like the project's, and items in one
// partition.
func benchTable(b *testing.B, items int) *Table {
	sc := schema{partition: kindS, sort: kindS, indexes: map[string]kind{"g": kindS, "h": kindS, "i": kindS, "j": kindS}}
	in := sc.input("bench")
	t, err := New(in)
	if err != nil {
		b.Fatal(err)
	}
	for i := range items {
		if _, err := t.PutItem(b.Context(), &dynamodb.PutItemInput{TableName: aws.String("bench"), Item: benchItem(i)}); err != nil {
			b.Fatal(err)
		}
	}
	return t
}

func benchItem(i int) map[string]types.AttributeValue {
	text := fmt.Sprintf("2026-11-26T03:%09d", i)
	return map[string]types.AttributeValue{
		"p": s("wash"), "k": s(fmt.Sprintf("wasmcloud.azurecr.io/wash:0.18.%d", i)),
		"g": s(text), "h": s("1" + text), "i": s("2" + text), "j": s("sha256:" + text),
		"rank": s(text + " sha256:0123456789abcdef"), "mediaType": s("application/vnd.oci.image.manifest.v1+json"), "size": n("123456"),
	}
}

func benchmark(b *testing.B, items int, call func(*Table, int) error) {
	t := benchTable(b, items)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := call(t, i); err != nil {
			b.Fatal(err)
		}
		i++
		if i%10000 == 0 {
			t.state.last = nil // otherwise the stream would grow for ever
		}
	}
}

var sizes = []int{10, 10000}

func each(b *testing.B, call func(*Table, int) error) {
	for _, items := range sizes {
		b.Run(fmt.Sprintf("items=%d", items), func(b *testing.B) { benchmark(b, items, call) })
	}
}

func BenchmarkPutItem(b *testing.B) {
	each(b, func(t *Table, i int) error {
		item := benchItem(i % 10)
		item["rank"] = s(fmt.Sprintf("2027 %09d", i))
		_, err := t.PutItem(b.Context(), &dynamodb.PutItemInput{
			TableName: &t.name, Item: item,
			ConditionExpression:                 aws.String("attribute_not_exists(#rank) OR #rank < :rank"),
			ExpressionAttributeNames:            map[string]string{"#rank": "rank"},
			ExpressionAttributeValues:           map[string]types.AttributeValue{":rank": item["rank"]},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
}

func benchKey(i int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"p": s("wash"), "k": s(fmt.Sprintf("wasmcloud.azurecr.io/wash:0.18.%d", i))}
}

func BenchmarkUpdateItem(b *testing.B) {
	each(b, func(t *Table, i int) error {
		_, err := t.UpdateItem(b.Context(), &dynamodb.UpdateItemInput{
			TableName: &t.name, Key: benchKey(i % 10),
			UpdateExpression:          aws.String("SET #deletedAt = :deletedAt, #expiresAt = :expiresAt REMOVE g, h, i"),
			ConditionExpression:       aws.String("attribute_exists(#rank) AND #rank < :covered"),
			ExpressionAttributeNames:  map[string]string{"#rank": "rank", "#deletedAt": "deletedAt", "#expiresAt": "expiresAt"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":deletedAt": s("2027"), ":expiresAt": n("1795664083"), ":covered": s("3")},
		})
		return err
	})
}

func BenchmarkDeleteItem(b *testing.B) {
	each(b, func(t *Table, i int) error {
		_, err := t.DeleteItem(b.Context(), &dynamodb.DeleteItemInput{TableName: &t.name, Key: benchKey(i)})
		return err
	})
}

func BenchmarkGetItem(b *testing.B) {
	each(b, func(t *Table, i int) error {
		_, err := t.GetItem(b.Context(), &dynamodb.GetItemInput{TableName: &t.name, Key: benchKey(i % 10)})
		return err
	})
}

func BenchmarkBatchGetItem(b *testing.B) {
	each(b, func(t *Table, i int) error {
		_, err := t.BatchGetItem(b.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			t.name: {Keys: []map[string]types.AttributeValue{benchKey(-1), benchKey(-2), benchKey(-3)}, ConsistentRead: aws.Bool(true)},
		}})
		return err
	})
}

func BenchmarkBatchWriteItem(b *testing.B) {
	each(b, func(t *Table, i int) error {
		_, err := t.BatchWriteItem(b.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
			t.name: {{PutRequest: &types.PutRequest{Item: benchItem(i % 10)}}, {DeleteRequest: &types.DeleteRequest{Key: benchKey(-1)}}},
		}})
		return err
	})
}

func BenchmarkQuery(b *testing.B) {
	each(b, func(t *Table, i int) error {
		_, err := t.Query(b.Context(), &dynamodb.QueryInput{
			TableName: &t.name, IndexName: aws.String("ByI"), Limit: aws.Int32(1), ScanIndexForward: aws.Bool(false),
			KeyConditionExpression:    aws.String("#name = :name"),
			ExpressionAttributeNames:  map[string]string{"#name": "p"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":name": s("wash")},
		})
		return err
	})
}

func BenchmarkSnapshotAndRestore(b *testing.B) {
	each(b, func(t *Table, i int) error {
		snapshot := t.Snapshot()
		if _, err := t.DeleteItem(b.Context(), &dynamodb.DeleteItemInput{TableName: &t.name, Key: benchKey(1)}); err != nil {
			return err
		}
		t.Restore(snapshot)
		return nil
	})
}
