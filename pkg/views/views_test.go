package views

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
)

func TestMain(m *testing.M) { dynamolocal.Main(m) }

// A deriver is a function that implements Deriver.
type deriver func(context.Context, []dynamo.Change) []error

func (f deriver) Derive(ctx context.Context, changes []dynamo.Change) []error { return f(ctx, changes) }

// invoke calls the function with a batch as Lambda does, and returns its answer and its
// log.
func invoke(ctx context.Context, t testing.TB, d Deriver, batch string) (answer, log string, err error) {
	t.Helper()
	var lines bytes.Buffer
	b, err := lambda.NewHandler(Handler(d, requestlog.NewJSON(&lines))).Invoke(ctx, []byte(batch))
	return string(b), lines.String(), err
}

// batchOf returns a batch of changes of keys in the partition wash. Their sequence
// numbers are 101, 102 and so on.
func batchOf(keys ...string) string {
	type text struct{ S string }
	type record struct {
		EventName string `json:"eventName"`
		DynamoDB  any    `json:"dynamodb"`
	}
	var records []record
	for i, key := range keys {
		records = append(records, record{"INSERT", map[string]any{
			"Keys":           map[string]text{"name": {"wash"}, "key": {key}},
			"SequenceNumber": fmt.Sprint(101 + i),
		}})
	}
	b, _ := json.Marshal(map[string]any{"Records": records})
	return string(b)
}

// failOn returns a deriver that fails for the changes of some keys.
func failOn(failing map[string]error) deriver {
	return func(_ context.Context, changes []dynamo.Change) (errs []error) {
		for _, c := range changes {
			errs = append(errs, failing[c.Key])
		}
		return errs
	}
}

func TestFailedRecordsComeAgain(t *testing.T) {
	t.Parallel()
	planted := errors.New("planted")
	for _, c := range []struct {
		name    string
		failing map[string]error
		answer  string
	}{
		{name: "none", answer: `{"batchItemFailures":null}`},
		{name: "one", failing: map[string]error{"b": planted}, answer: `{"batchItemFailures":[{"itemIdentifier":"102"}]}`},
		{name: "two", failing: map[string]error{"c": planted, "a": planted}, answer: `{"batchItemFailures":[{"itemIdentifier":"101"},{"itemIdentifier":"103"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			answer, _, err := invoke(t.Context(), t, failOn(c.failing), batchOf("a", "b", "c"))
			if err != nil || answer != c.answer {
				t.Errorf("answer = %s, %v, want %s", answer, err, c.answer)
			}
		})
	}
}

func TestChangesAreThoseOfTheRecords(t *testing.T) {
	t.Parallel()
	var got []dynamo.Change
	d := deriver(func(_ context.Context, changes []dynamo.Change) []error {
		got = changes
		return make([]error, len(changes))
	})
	if _, _, err := invoke(t.Context(), t, d, batchOf("b", "a")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]dynamo.Change{{Partition: "wash", Key: "b"}, {Partition: "wash", Key: "a"}}, got); diff != "" {
		t.Errorf("changes: -want +got\n%s", diff)
	}
}

func TestRecordWithoutKeysIsRefused(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{`{}`, `{"name":{"S":"wash"}}`, `{"key":{"S":"a"}}`, `{"name":{"N":"1"},"key":{"S":"a"}}`, `[]`} {
		batch := `{"Records":[{"dynamodb":{"SequenceNumber":"1","Keys":` + keys + `}}]}`
		if answer, _, err := invoke(t.Context(), t, failOn(nil), batch); err == nil {
			t.Errorf("batch %s: answer %s, want an error", batch, answer)
		}
	}
}

// TestDeriveStopsInTimeToAnswer: it stops 1 s before the function's timeout.
func TestDeriveStopsInTimeToAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := deriver(func(ctx context.Context, changes []dynamo.Change) []error {
			<-ctx.Done()
			return []error{ctx.Err()}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begin := time.Now()
		answer, _, err := invoke(ctx, t, hang, batchOf("a"))
		if want := `{"batchItemFailures":[{"itemIdentifier":"101"}]}`; err != nil || answer != want {
			t.Errorf("answer = %s, %v, want %s", answer, err, want)
		}
		if took := time.Since(begin); took != 9*time.Second {
			t.Errorf("the answer took %s, want 9s", took)
		}
	})
}

// TestBatchIsLoggedInALine: the line has the outcome and each error.
func TestBatchIsLoggedInALine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		failing map[string]error
		want    map[string]any
	}{
		{name: "derived", want: map[string]any{"level": "INFO", "msg": "batch", "outcome": "derived", "records": 2.0}},
		{
			name:    "failed",
			failing: map[string]error{"a": errors.New("no a"), "b": errors.New("no b")},
			want:    map[string]any{"level": "ERROR", "msg": "batch", "outcome": "derive_failed", "records": 2.0, "err": "no a\nno b"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, log, err := invoke(t.Context(), t, failOn(c.failing), batchOf("a", "b"))
			if err != nil {
				t.Fatal(err)
			}
			var line map[string]any
			if err := json.Unmarshal([]byte(log), &line); err != nil {
				t.Fatalf("log %q: %v", log, err)
			}
			if took, ok := line["durationMs"].(float64); !ok || took < 0 {
				t.Errorf("durationMs = %v, want a number", line["durationMs"])
			}
			delete(line, "durationMs")
			delete(line, "timestamp")
			if diff := cmp.Diff(c.want, line); diff != "" {
				t.Errorf("line: -want +got\n%s", diff)
			}
		})
	}
}
