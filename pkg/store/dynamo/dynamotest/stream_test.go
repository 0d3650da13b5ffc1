package dynamotest

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

func TestStreamDeliversWhatTheFiltersLetThrough(t *testing.T) {
	t.Parallel()
	table := StreamTable(t)
	db, s := client(t, nil), NewStream(t, table)
	write := func(key string, attrs ...string) {
		i := item(key)
		for _, attr := range attrs {
			i[attr] = &types.AttributeValueMemberS{Value: "x"}
		}
		if key == "derived" {
			i["derived"] = &types.AttributeValueMemberBOOL{Value: true}
		}
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: i}); err != nil {
			t.Fatal(err)
		}
	}
	write("push", "byRelease")
	write("derived", "byRelease")
	write("delete", "receivedAt")
	write("other")
	if _, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: item("push")}); err != nil {
		t.Fatal(err)
	}
	got := s.Read(t)
	if diff := cmp.Diff([]string{"n derived", "n other", "n push"}, got.Dropped); diff != "" {
		t.Errorf("Dropped: -want +got\n%s", diff)
	}
	var keys []string
	for _, text := range got.Records {
		var record struct {
			EventName string
			DynamoDB  struct {
				Keys           struct{ Key struct{ S string } }
				SequenceNumber string
			}
		}
		if err := json.Unmarshal(text, &record); err != nil {
			t.Fatal(err)
		}
		if record.EventName != "INSERT" || record.DynamoDB.SequenceNumber == "" {
			t.Errorf("record %s, want an INSERT with a sequence number", text)
		}
		keys = append(keys, record.DynamoDB.Keys.Key.S)
	}
	if diff := cmp.Diff([]string{"push", "delete"}, keys); diff != "" {
		t.Errorf("keys of Records: -want +got\n%s", diff)
	}
	write("later", "byRelease")
	if got := s.Read(t); len(got.Records) != 1 || len(got.Dropped) != 0 {
		t.Errorf("Read again = %d records and %d dropped, want 1 and 0", len(got.Records), len(got.Dropped))
	}
}

func TestFilterIsJudged(t *testing.T) {
	t.Parallel()
	const record = `{"dynamodb":{"NewImage":{"a":{"S":"x"},"b":{"BOOL":true}}}}`
	for _, c := range []struct {
		pattern string
		matches bool
	}{
		{pattern: `{"dynamodb":{"NewImage":{"a":{"S":[{"exists":true}]}}}}`, matches: true},
		{pattern: `{"dynamodb":{"NewImage":{"a":{"N":[{"exists":true}]}}}}`, matches: false},
		{pattern: `{"dynamodb":{"NewImage":{"c":{"S":[{"exists":false}]}}}}`, matches: true},
		{pattern: `{"dynamodb":{"NewImage":{"b":{"BOOL":[{"exists":false}]}}}}`, matches: false},
		{pattern: `{"dynamodb":{"NewImage":{"a":{"S":[{"exists":true}]},"b":{"BOOL":[{"exists":false}]}}}}`, matches: false},
		{pattern: `{"dynamodb":{"OldImage":{"a":{"S":[{"exists":true}]}}}}`, matches: false},
		{pattern: `{}`, matches: true},
	} {
		f, err := parseFilter(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(record), &fields); err != nil {
			t.Fatal(err)
		}
		if got := f.matches(fields); got != c.matches {
			t.Errorf("%s matches = %t, want %t", c.pattern, got, c.matches)
		}
	}
}

func TestUnknownFiltersAreRefused(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		`{"a":["x"]}`, `{"a":[{"prefix":"x"}]}`, `{"a":[{"exists":true},{"exists":false}]}`, `{"a":[{"exists":"x"}]}`,
		`{"a":[{"exists":true,"prefix":"x"}]}`, `{"a":[]}`, `{"a":"x"}`, `{"a":{"b":1}}`, `{`,
	} {
		if f, err := parseFilter(pattern); err == nil {
			t.Errorf("parseFilter(%s) = %v, want an error", pattern, f)
		}
	}
}
