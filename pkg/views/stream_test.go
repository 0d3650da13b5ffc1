package views

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// A table has two clients, as on AWS: ingest writes, and the views function reads the
// stream.
type table struct {
	name   string
	ingest *dynamo.DB
	views  *dynamo.DB
	stream *dynamotest.Stream
	fails  func(operation, body string) bool // reports which of ingest's calls fail; nil: none
}

func newTable(t *testing.T) *table {
	t.Helper()
	tab := &table{name: dynamotest.StreamTable(t)}
	tab.stream = dynamotest.NewStream(t, tab.name)
	cfg := dynamolocal.Config(t)
	cfg.HTTPClient = http.DefaultClient // without a timeout: on a busy machine 60 marks at once take long
	var err error
	if tab.views, err = dynamo.Open(cfg, tab.name, dynamo.Patient()); err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = &http.Client{Transport: tab}
	if tab.ingest, err = dynamo.Open(cfg, tab.name); err != nil {
		t.Fatal(err)
	}
	return tab
}

// RoundTrip implements http.RoundTripper for ingest.
func (tab *table) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if tab.fails != nil && tab.fails(operation, string(body)) {
		return &http.Response{StatusCode: 400, Request: r, Body: io.NopCloser(strings.NewReader(`{"__type":"AccessDeniedException"}`))}, nil
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// follow runs the views function on the stream until nothing more comes. It returns how
// many records the function got, and the keys of those that the filters dropped.
func (tab *table) follow(t *testing.T) (records int, dropped []string) {
	t.Helper()
	for {
		got := tab.stream.Read(t)
		records, dropped = records+len(got.Records), append(dropped, got.Dropped...)
		if len(got.Records) == 0 {
			slices.Sort(dropped)
			return records, dropped
		}
		batch, err := json.Marshal(map[string]any{"Records": got.Records})
		if err != nil {
			t.Fatal(err)
		}
		answer, log, err := invoke(t.Context(), t, tab.views, string(batch))
		if want := `{"batchItemFailures":null}`; err != nil || answer != want {
			t.Fatalf("views answers %s, %v, want %s; its log: %s", answer, err, want, log)
		}
	}
}

const registry = "wasmcloud.azurecr.io"

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

func washOf(tag string, seconds int) event.Push {
	return event.Push{
		Reference: reference.Reference{Registry: registry, Repository: "wash", Tag: tag},
		Size:      event.UnknownSize,
		PushedAt:  noon.Add(time.Duration(seconds) * time.Second),
	}
}

func deleteOf(tag string, seconds int) event.Delete {
	return event.Delete{
		Target:     event.Target{Registry: registry, Repository: "wash", Tag: tag},
		DeletedAt:  noon.Add(time.Duration(seconds) * time.Second),
		ReceivedAt: time.Now().UTC(),
	}
}

func (tab *table) push(t *testing.T, p event.Push) {
	t.Helper()
	if err := tab.ingest.Push(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// wantViews wants p to be the newest push of wash under both names and in the catalogue.
// If p is nil, there must be none.
func (tab *table) wantViews(t *testing.T, p *event.Push) {
	t.Helper()
	var want event.Push
	var entries []store.Entry
	if p != nil {
		want = *p
		entries = []store.Entry{{Name: p.ListedAs(), Newest: *p, Highest: p.Reference}}
	}
	for _, name := range washOf("1", 0).Names() {
		got, err := tab.views.Pick(t.Context(), store.Query{Name: name})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Pick(%s): -want +got\n%s", name, diff)
		}
	}
	page, err := tab.views.Repositories(t.Context(), store.Listing{Span: store.Span{Limit: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entries, page.Items); diff != "" {
		t.Errorf("Repositories: -want +got\n%s", diff)
	}
}

func wantFollowed(t *testing.T, records, wantRecords int, dropped, wantDropped []string) {
	t.Helper()
	if records != wantRecords {
		t.Errorf("views was called with %d records, want %d", records, wantRecords)
	}
	if diff := cmp.Diff(wantDropped, dropped); diff != "" {
		t.Errorf("records that the filters dropped: -want +got\n%s", diff)
	}
}

func TestCatalogueFollowsThePushes(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	older, newer := washOf("1.0.0", 0), washOf("1.1.0", 1)
	tab.push(t, newer)
	tab.push(t, older)
	records, dropped := tab.follow(t)
	wantFollowed(t, records, 4, dropped, []string{"#catalogue wash"})
	tab.wantViews(t, &newer)
}

func TestSecondNameFollowsADeadPush(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	tab.fails = func(operation, body string) bool {
		return operation == "PutItem" && strings.Contains(body, `{"S":"@`+registry)
	}
	p := washOf("1.0.0", 0)
	if err := tab.ingest.Push(t.Context(), p); err == nil {
		t.Fatal("Push whose second copy failed: no error")
	}
	records, dropped := tab.follow(t)
	wantFollowed(t, records, 1, dropped, []string{"#catalogue wash", "@" + registry + "/wash " + registry + "/wash:1.0.0"})
	tab.wantViews(t, &p)
}

// TestLongDeleteIsFollowed: ingest marks none of 60 references, so views does.
func TestLongDeleteIsFollowed(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	const many = 60
	for i := range many {
		tab.push(t, washOf(fmt.Sprintf("1.%d.0", i), i))
	}
	if records, _ := tab.follow(t); records != 2*many {
		t.Errorf("views was called with %d records of pushes, want %d", records, 2*many)
	}
	tab.fails = func(operation, _ string) bool { return operation == "UpdateItem" }
	got, err := tab.ingest.Delete(t.Context(), deleteOf("", many))
	if err != nil || got.References != 0 || !got.More {
		t.Errorf("Delete = %+v, %v, want no reference, and more", got, err)
	}
	records, dropped := tab.follow(t)
	if records != 2 {
		t.Errorf("views was called with %d records of a delete, want 2", records)
	}
	if want := 2*many + 1; len(dropped) != want { // a mark of each copy, and the entry
		t.Errorf("the filters dropped %d records, want %d", len(dropped), want)
	}
	tab.wantViews(t, nil)
}

func TestSecondTombstoneFollowsADeadDelete(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	tab.push(t, washOf("1.0.0", 0))
	tab.follow(t)
	tab.fails = func(operation, body string) bool {
		return operation == "PutItem" && !strings.Contains(body, `{"S":"@`+registry)
	}
	if _, err := tab.ingest.Delete(t.Context(), deleteOf("1.0.0", 10)); err == nil {
		t.Fatal("Delete whose second tombstone failed: no error")
	}
	records, dropped := tab.follow(t)
	wantFollowed(t, records, 1, dropped, []string{
		"#catalogue wash",
		"@" + registry + "/wash " + registry + "/wash:1.0.0",
		"wash #deleted/" + registry + "/wash:1.0.0",
		"wash " + registry + "/wash:1.0.0",
	})
	tab.wantViews(t, nil)
	tab.fails = nil
	late := washOf("1.0.0", 5)
	tab.push(t, late)
	tab.follow(t)
	tab.wantViews(t, nil)
}

// TestOtherWritesCallNothing: that includes the data version, the members of categories,
// and expired items that DynamoDB drops.
func TestOtherWritesCallNothing(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	if err := tab.ingest.StartWriter(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := event.Membership{Member: event.Member{Category: "official", Name: reference.Name{Repository: "wash"}}, At: noon}
	if err := tab.ingest.Categorize(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	p := washOf("1.0.0", 0)
	tab.push(t, p)
	tab.follow(t)
	client := dynamodb.NewFromConfig(dynamolocal.Config(t))
	_, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &tab.name, Key: map[string]types.AttributeValue{
		"name": &types.AttributeValueMemberS{Value: "wash"}, "key": &types.AttributeValueMemberS{Value: p.Reference.String()},
	}})
	if err != nil {
		t.Fatal(err)
	}
	m.Removed = true
	if err := tab.ingest.Categorize(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	records, dropped := tab.follow(t)
	wantFollowed(t, records, 0, dropped, []string{"#category official/wash", "wash " + p.Reference.String()})
}
