package dynamo

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/template"
)

var update = flag.Bool("update", false, "write the golden files anew")

// items returns all items in db's table, keyed by partition, a blank and key.
func items(t testing.TB, db *DB) map[string]attributes {
	t.Helper()
	all := map[string]attributes{}
	for pages := dynamodb.NewScanPaginator(raw(db), &dynamodb.ScanInput{TableName: &db.table}); pages.HasMorePages(); {
		page, err := pages.NextPage(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			all[text(item, attrName)+" "+text(item, attrKey)] = item
		}
	}
	return all
}

// plain converts item to strings and json.Numbers.
func plain(item attributes) map[string]any {
	p := map[string]any{}
	for attr, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			p[attr] = v.Value
		case *types.AttributeValueMemberN:
			p[attr] = json.Number(v.Value)
		case *types.AttributeValueMemberBOOL:
			p[attr] = v.Value
		case *types.AttributeValueMemberB:
			p[attr] = v.Value
		default:
			p[attr] = v
		}
	}
	return p
}

func diffItem(want, got attributes) string { return cmp.Diff(plain(want), plain(got)) }

func TestSchemaIsTheTemplates(t *testing.T) {
	t.Parallel()
	want, got := template.Read(t).Table, Schema("Table")
	got.TableName = nil
	if want.Schema.StreamSpecification == nil {
		t.Error("the template's table has no stream")
	}
	want.Schema.StreamSpecification = nil // a local table does not need one
	isMarker := cmp.FilterPath(func(p cmp.Path) bool {
		field, ok := p.Last().(cmp.StructField)
		return ok && field.Name() == "noSmithyDocumentSerde"
	}, cmp.Ignore())
	if diff := cmp.Diff(want.Schema, got, cmpopts.IgnoreUnexported(*got), isMarker); diff != "" {
		t.Errorf("table: -template.yaml +Schema\n%s", diff)
	}
	if want.ExpiryAttribute != attrExpiresAt {
		t.Errorf("DynamoDB drops items by %q, want %q", want.ExpiryAttribute, attrExpiresAt)
	}
}

func TestCreateMakesTheTableOnce(t *testing.T) {
	t.Parallel()
	db := openTable(t, "TestCreate-"+fmt.Sprint(time.Now().UnixNano()), nil)
	t.Cleanup(func() {
		if _, err := raw(db).DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &db.table}); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		if err := Create(t.Context(), dynamolocal.Config(t), db.table); err != nil {
			t.Fatalf("Create: %v", err)
		}
	}
	p := washOf("1", 1, 0)
	push(t, db, p)
	wantPicked(t, db, &p)
}

// history is a list of events that leaves every kind of item.
func history() []event.Event {
	at := func(p event.Push, registry, repository string) event.Event {
		p.Reference.Registry, p.Reference.Repository = registry, repository
		return event.Event{Push: &p}
	}
	unknown := washOf("latest", 0, 1)
	unknown.Digest, unknown.MediaType, unknown.Size = "", "", event.UnknownSize
	given := washOf("2.0.0", 3, 2)
	given.GivenName = "app"
	ofGiven := deleteOfTag("1.0.0", 10)
	ofGiven.Registry, ofGiven.Repository, ofGiven.GivenName = "ghcr.io", "acme/app", "app"
	emptied := deleteOf(10)
	emptied.Repository = "emptied"
	member := func(name reference.Name, removed bool) event.Event {
		return event.Event{Membership: &event.Membership{Member: event.Member{Category: "official", Name: name}, Removed: removed, At: noon}}
	}
	return []event.Event{
		pushed(washOf("0.18.1", 1, 0)),
		pushed(unknown),
		pushed(washOf("v1.0-rc.1_build", 2, 3)),
		pushed(washOf("gone", 4, 4)), deleted(deleteOfDigest(4, 10)),
		deleted(deleteOfTag("late", 10)), pushed(washOf("late", 5, 5)),
		pushed(washOf("moved", 4, 20)),
		at(given, "ghcr.io", "acme/app"), deleted(ofGiven),
		at(washOf("1.2.3", 6, 6), "localhost:5000", "team/app"),
		at(washOf("9.9.9", 7, 7), "evil.example", "wasmcloud.azurecr.io/wash"),
		at(washOf("1", 8, 8), registry, "emptied"), deleted(emptied),
		member(wash, false), member(itsWash, false), member(reference.Name{Repository: "removed"}, true),
	}
}

// TestStoredDataStays compares the table with a golden file. Tables in use keep such
// items for ever.
func TestStoredDataStays(t *testing.T) {
	t.Parallel()
	db := openNew(t, nil)
	db.now = func() time.Time { return noon.Add(2 * time.Hour) }
	if err := db.StartWriter(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range history() {
		if _, err := store.Apply(t.Context(), db, e); err != nil {
			t.Fatalf("%s: %v", e, err)
		}
	}
	if written, err := db.PutState(t.Context(), registry, store.State{Key: "wash", Value: []byte("seen")}); err != nil || !written {
		t.Fatalf("PutState: %t, %v", written, err)
	}
	half, halfDeleted := pushed(washOf("half", 9, 9)), deleted(deleteOfTag("half", 1))
	derive(t, db, putHalf(t, db, 0, half), putHalf(t, db, 1, halfDeleted))
	got := golden(t, db)
	file := filepath.Join("testdata", "data.golden")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("a change here is a new DataVersion, unless no release has version %d yet (then: go test -run %s -update): -want +got\n%s", store.DataVersion, t.Name(), diff)
	}
}

// golden returns the table's keys and indexes, then its items, one on each line.
func golden(t *testing.T, db *DB) []byte {
	t.Helper()
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	write := func(v any) {
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	table := Schema("Table")
	keys := func(schema []types.KeySchemaElement) (attrs []string) {
		for _, key := range schema {
			attrs = append(attrs, aws.ToString(key.AttributeName))
		}
		return attrs
	}
	write(map[string]any{"table": keys(table.KeySchema)})
	for _, index := range table.LocalSecondaryIndexes {
		write(map[string]any{"index": index.IndexName, "keys": keys(index.KeySchema), "projection": index.Projection.ProjectionType})
	}
	all := items(t, db)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		write(plain(all[key]))
	}
	return lines.Bytes()
}

// TestExpiry: DynamoDB may drop an item 30 days after its event was received, if only
// late events would miss it. Nothing else expires.
func TestExpiry(t *testing.T) {
	t.Parallel()
	const days30 = 2_592_000 // seconds
	db := openNew(t, nil)
	now := receipt.Add(-time.Minute)
	db.now = func() time.Time { return now }
	if err := db.StartWriter(t.Context()); err != nil {
		t.Fatal(err)
	}
	received := func(d event.Delete, minutes int) event.Delete {
		d.ReceivedAt = receipt.Add(time.Duration(minutes) * time.Minute)
		return d
	}
	emptied := event.Push{Reference: reference.Reference{Registry: registry, Repository: "emptied", Tag: "1"}, Size: event.UnknownSize, PushedAt: noon}
	push(t, db, washOf("live", 1, 0), washOf("marked", 2, 0), washOf("back", 3, 0), emptied)
	wantDeleted(t, db, received(deleteOfDigest(2, 10), 1), 1)
	wantDeleted(t, db, received(deleteOfTag("back", 10), 2), 1)
	push(t, db, washOf("back", 3, 20))
	wantDeleted(t, db, received(deleteOfTag("late", 10), 3), 0)
	push(t, db, washOf("late", 4, 0))
	ofEmptied := event.Delete{Target: event.Target{Registry: registry, Repository: "emptied"}, DeletedAt: noon, ReceivedAt: receipt.Add(4 * time.Minute)}
	wantDeleted(t, db, ofEmptied, 1)
	for name, removed := range map[string]bool{"member": false, "removed": true} {
		m := event.Membership{Member: event.Member{Category: "official", Name: reference.Name{Repository: name}}, Removed: removed, At: receipt.Add(5 * time.Minute)}
		if err := db.Categorize(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}

	want := map[string]int64{} // from how many minutes after receipt the 30 days count
	for _, name := range washNames {
		partition := store.Partition(name)
		want[partition+" wasmcloud.azurecr.io/wash:marked"] = 1
		want[partition+" #deleted/wasmcloud.azurecr.io/wash@"+digest(2)] = 1
		want[partition+" #deleted/wasmcloud.azurecr.io/wash:back"] = 2
		want[partition+" #deleted/wasmcloud.azurecr.io/wash:late"] = 3
		want[partition+" wasmcloud.azurecr.io/wash:late"] = 3
	}
	for _, partition := range []string{"emptied", "@wasmcloud.azurecr.io/emptied"} {
		want[partition+" wasmcloud.azurecr.io/emptied:1"] = 4
		want[partition+" #deleted/wasmcloud.azurecr.io/emptied"] = 4
	}
	want["#catalogue emptied"] = -1
	want["#category official/removed"] = 5
	for key, item := range items(t, db) {
		expiresAt, err := number(item, "expiresAt")
		if err != nil {
			t.Fatal(err)
		}
		minutes, expires := want[key]
		delete(want, key)
		switch {
		case !expires && item["expiresAt"] != nil:
			t.Errorf("%s has expiresAt %d, want none", key, expiresAt)
		case expires && expiresAt != receipt.Unix()+60*minutes+days30:
			t.Errorf("%s has expiresAt %d, want %d: 30 days and %d minutes after receipt", key, expiresAt, receipt.Unix()+60*minutes+days30, minutes)
		}
	}
	for key := range want {
		t.Errorf("no item %s", key)
	}
}

// TestItemsAreReadBack: reading an item returns what was written, whichever fields are
// unknown.
func TestItemsAreReadBack(t *testing.T) {
	t.Parallel()
	d := deleteOfTag("1", 10)
	got, err := unmarshalTombstone(inPartition("wash", marshalTombstone(d)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("tombstone: -want +got\n%s", diff)
	}
	for _, name := range []reference.Name{wash, itsWash, {Repository: "wasmcloud.azurecr.io/wash"}, {Registry: "[::1]:5000", Repository: "a/b"}} {
		m := event.Member{Category: "official", Name: name}
		if got := unmarshalMember(marshalMembership(event.Membership{Member: m, At: noon})); got != m {
			t.Errorf("member: %+v, want %+v", got, m)
		}
	}
}

// TestWriterUsesTheClock: expiry is counted from now.
func TestWriterUsesTheClock(t *testing.T) {
	t.Parallel()
	db := offline(t, nil)
	if since := time.Since(db.now()); since < 0 || since > time.Minute {
		t.Errorf("now() is %s ago", since)
	}
}
