package dynamomodel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"
)

// TestDigestTellsItemsApart: a digest depends on the items only, not on the calls that
// led to them.
func TestDigestTellsItemsApart(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	empty := table.Snapshot()
	if got := empty.Digest(); got != (Digest{}) {
		t.Errorf("digest of an empty table = %x", got)
	}
	items, digests := map[Digest]string{}, map[string]Digest{}
	rapid.Check(t, func(rt *rapid.T) {
		if rapid.IntRange(0, 9).Draw(rt, "begin anew") == 0 {
			table.Restore(empty)
		}
		k := rapid.SampledFrom([]string{"x a", "x b", "y a"}).Draw(rt, "key")
		value := s(rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "value"))
		var err error
		switch rapid.IntRange(0, 3).Draw(rt, "call") {
		case 0:
			_, err = table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: tableName, Key: key(k)})
		case 1:
			_, err = table.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: tableName, Key: key(k), UpdateExpression: aws.String("SET a = :a"), ExpressionAttributeValues: attributes{":a": value},
			})
		case 2:
			table.Expire(time.Unix(101, 0), "expires")
		default:
			_, err = table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: tableName, Item: row(k, attributes{"b": value, "expires": n("100")})})
		}
		if err != nil {
			rt.Fatal(err)
		}
		digest, text := table.Snapshot().Digest(), strings.Join(describeAll(table.Dump()), "\n")
		if was, ok := items[digest]; ok && was != text {
			rt.Fatalf("digest %x of\n%s\nand of\n%s", digest, was, text)
		}
		if was, ok := digests[text]; ok && was != digest {
			rt.Fatalf("digests %x and %x of\n%s", was, digest, text)
		}
		items[digest], digests[text] = text, digest
	})
}

func TestSnapshotKnowsHowManyRecordsThereAre(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for i := range 3 {
		if got := table.Snapshot().Records(); got != i {
			t.Errorf("Records = %d, want %d", got, i)
		}
		put(t, table, key(fmt.Sprintf("x %d", i)))
	}
}
