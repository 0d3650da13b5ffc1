package dynamomodel

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"
)

// TestScanHasAllItemsOnItsPages compares all pages of a scan together.
func TestScanHasAllItemsOnItsPages(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	name, model, drop := l.create(t, schemas[0])
	defer drop()
	const items = 20
	for i := range items {
		item := row(fmt.Sprintf("%c %d", "wxyz"[i%4], i), attributes{"a": n(fmt.Sprint(i))})
		for _, c := range []client{l, model} {
			if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: item}); err != nil {
				t.Fatal(err)
			}
		}
	}
	scan := func(c client, limit int32) (found []attributes, scanned int32) {
		for pages := dynamodb.NewScanPaginator(c, &dynamodb.ScanInput{
			TableName: &name, Limit: &limit, FilterExpression: aws.String("p <> :x AND a > :a"),
			ExpressionAttributeValues: attributes{":x": s("x"), ":a": n("3")},
		}); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, page.Items...)
			scanned += page.ScannedCount
		}
		return inOrder(found), scanned
	}
	for _, limit := range []int32{1, 7, items, items + 1} {
		want, wantScanned := scan(l, limit)
		got, scanned := scan(model, limit)
		if diff := cmp.Diff(want, got, sameAnswer); diff != "" || scanned != items || wantScanned != items {
			t.Errorf("Scan in pages of %d: %d looked at, DynamoDB Local %d; -DynamoDB Local +model\n%s", limit, scanned, wantScanned, diff)
		}
	}
}

func TestScanRefusesAKeyThatIsNone(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	name, model, drop := l.create(t, schemas[0])
	defer drop()
	for _, from := range []attributes{{"p": s("x")}, row("x a", attributes{"a": n("1")}), {"p": s("x"), "k": n("1")}, {"a": s("x"), "k": s("1")}} {
		for what, c := range map[string]client{"DynamoDB Local": l, "model": model} {
			_, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: &name, ExclusiveStartKey: from})
			wantInvalid(t, fmt.Sprintf("%s: Scan from %s", what, describe(from)), err, "")
		}
	}
}
