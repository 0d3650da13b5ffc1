package dynamo

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
)

func TestMain(m *testing.M) {
	// A case costs a hundred calls over HTTP. A flag sets a greater number, since tests
	// parse the flags later. The embedded store passes the same suite with rapid's
	// default.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	dynamolocal.Main(m)
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) store.Store { return openNew(t, nil) })
}

// openNew opens a new, empty table, WithoutStream. The transport sees each call.
func openNew(t testing.TB, transport http.RoundTripper) *DB {
	t.Helper()
	return openTable(t, dynamotest.Table(t), transport)
}

// openTable opens a table of DynamoDB Local.
func openTable(t testing.TB, table string, transport http.RoundTripper) *DB {
	t.Helper()
	return openAt(t, dynamolocal.Config(t), table, transport)
}

func openAt(t testing.TB, cfg aws.Config, table string, transport http.RoundTripper) *DB {
	t.Helper()
	if transport != nil {
		cfg.HTTPClient = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	}
	db, err := Open(cfg, table, WithoutStream())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// onStream returns db as the functions open it: its writes derive nothing.
func onStream(db *DB) *DB {
	d := *db
	d.withoutStream = false
	return &d
}

// raw returns the client of db, for calls that a store does not make.
func raw(db *DB) *dynamodb.Client { return db.client.(*dynamodb.Client) }

// put writes an item, whatever is stored.
func put(t testing.TB, db *DB, item attributes) {
	t.Helper()
	_, err := db.client.PutItem(context.WithoutCancel(t.Context()), &dynamodb.PutItemInput{TableName: &db.table, Item: item})
	if err != nil {
		t.Errorf("PutItem(%v): %v", plain(item), err)
	}
}

// changesOf returns the stream's changes after a write: one under each name.
func changesOf(e event.Event) []Change {
	if e.Push != nil {
		return changes(e.Push.Names(), e.Push.Reference.String())
	}
	return changes(e.Delete.Names(), tombstoneKey(e.Delete.Target))
}

func changes(names []reference.Name, key string) (all []Change) {
	for _, partition := range partitionsOf(names) {
		all = append(all, Change{partition, key})
	}
	return all
}

// derive wants Derive to succeed for all changes.
func derive(t testing.TB, db *DB, changes ...Change) {
	t.Helper()
	if err := errors.Join(db.Derive(t.Context(), changes)...); err != nil {
		t.Fatalf("Derive(%v): %v", changes, err)
	}
}

// offline opens a table without a DynamoDB. The transport answers the calls.
func offline(t testing.TB, transport http.RoundTripper) *DB {
	t.Helper()
	cfg := FromEnv(func(name string) string { return "test" })
	cfg.BaseEndpoint = aws.String("http://dynamodb.invalid")
	return openAt(t, cfg, "Table", transport)
}

// A transport is a function that implements http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// before returns a transport to DynamoDB Local that calls do before each call, with its
// operation and body.
func before(do func(operation, body string)) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		do(operation(r), string(body))
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		return http.DefaultTransport.RoundTrip(r)
	})
}

func operation(r *http.Request) string {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return operation
}

// answer returns an answer as DynamoDB sends it.
func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}
}

const registry = "wasmcloud.azurecr.io"

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

// receipt is when deletes are received.
var receipt = noon.Add(time.Hour)

var (
	wash      = reference.Name{Repository: "wash"}
	itsWash   = reference.Name{Registry: registry, Repository: "wash"}
	washNames = []reference.Name{wash, itsWash}
)

func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// washOf returns a push of wash:tag at some seconds after noon.
func washOf(tag string, digestOf, seconds int) event.Push {
	return event.Push{
		Reference: reference.Reference{Registry: registry, Repository: "wash", Tag: tag},
		Digest:    digest(digestOf),
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Size:      2203,
		PushedAt:  noon.Add(time.Duration(seconds) * time.Second),
	}
}

// deleteOf returns a delete of the whole repository wash at some seconds after noon.
func deleteOf(seconds int) event.Delete {
	return event.Delete{
		Target:     event.Target{Registry: registry, Repository: "wash"},
		DeletedAt:  noon.Add(time.Duration(seconds) * time.Second),
		ReceivedAt: receipt,
	}
}

func deleteOfDigest(digestOf, seconds int) event.Delete {
	d := deleteOf(seconds)
	d.Digest = digest(digestOf)
	return d
}

func deleteOfTag(tag string, seconds int) event.Delete {
	d := deleteOf(seconds)
	d.Tag = tag
	return d
}

func pushed(p event.Push) event.Event { return event.Event{Push: &p} }

func deleted(d event.Delete) event.Event { return event.Event{Delete: &d} }

func push(t testing.TB, db *DB, pushes ...event.Push) {
	t.Helper()
	for _, p := range pushes {
		if err := db.Push(t.Context(), p); err != nil {
			t.Fatalf("Push(%s): %v", p.Reference, err)
		}
	}
}

func wantDeleted(t *testing.T, db *DB, d event.Delete, want int) {
	t.Helper()
	got, err := db.Delete(t.Context(), d)
	if err != nil {
		t.Fatalf("Delete(%s): %v", d.Target, err)
	}
	if want := (store.Deleted{References: want}); got != want {
		t.Errorf("Delete(%s) = %+v, want %+v", d.Target, got, want)
	}
}

// wantPicked wants p to be the newest push under both names of wash. If p is nil, there
// must be none.
func wantPicked(t *testing.T, db *DB, p *event.Push) {
	t.Helper()
	for _, name := range washNames {
		got, err := db.Pick(t.Context(), store.Query{Name: name})
		switch {
		case p == nil && !errors.Is(err, store.ErrNotFound):
			t.Errorf("Pick(%s) = %s, %v, want ErrNotFound", name, got.Reference, err)
		case p != nil && err != nil:
			t.Errorf("Pick(%s): %v, want %s", name, err, p.Reference)
		case p != nil:
			if diff := cmp.Diff(*p, got); diff != "" {
				t.Errorf("Pick(%s): -want +got\n%s", name, diff)
			}
		}
	}
}

func TestOpenNeedsATable(t *testing.T) {
	t.Parallel()
	if _, err := Open(aws.Config{}, ""); err == nil || !strings.Contains(err.Error(), "TABLE_NAME") {
		t.Errorf("Open without a table: %v, want an error that names TABLE_NAME", err)
	}
}

func TestFromEnvIsLambdasConfiguration(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
	}
	cfg := FromEnv(func(name string) string { return env[name] })
	if cfg.Region != "eu-west-1" {
		t.Errorf("Region = %q, want eu-west-1", cfg.Region)
	}
	if cfg.BaseEndpoint != nil {
		t.Errorf("BaseEndpoint = %q, want none", *cfg.BaseEndpoint)
	}
	got, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "session"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Credentials: -want +got\n%s", diff)
	}
	env["AWS_ENDPOINT_URL_DYNAMODB"] = "http://localhost:8000"
	if cfg = FromEnv(func(name string) string { return env[name] }); aws.ToString(cfg.BaseEndpoint) != "http://localhost:8000" {
		t.Errorf("BaseEndpoint = %v, want http://localhost:8000", cfg.BaseEndpoint)
	}
}

// errorOf returns the body of a DynamoDB error.
func errorOf(code string) string {
	return fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"planted"}`, code)
}

func TestFailingCallIsTriedThreeTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		calls  int
	}{
		{"internal error", 500, errorOf("InternalServerError"), 3},
		{"throttled", 400, errorOf("ThrottlingException"), 3},
		{"over capacity", 400, errorOf("ProvisionedThroughputExceededException"), 3},
		{"no JSON", 502, "<html>", 3},
		{"half an answer", 200, `{"Items":[{"name`, 1}, // the SDK does not retry it
		{"not allowed", 400, errorOf("AccessDeniedException"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				db := offline(t, transport(func(r *http.Request) (*http.Response, error) {
					calls++
					return answer(r, c.status, c.body), nil
				}))
				_, err := db.Pick(t.Context(), store.Query{Name: wash})
				if err == nil || errors.Is(err, store.ErrNotFound) {
					t.Errorf("Pick: %v, want an error", err)
				}
				if calls != c.calls {
					t.Errorf("Pick made %d calls, want %d", calls, c.calls)
				}
			})
		})
	}
}

// TestPatientTriesTenTimes: a patient caller has minutes, and waits at most 2 s before
// each retry.
func TestPatientTriesTenTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		cfg := FromEnv(func(string) string { return "test" })
		cfg.BaseEndpoint = aws.String("http://dynamodb.invalid")
		cfg.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			calls++
			return answer(r, 400, errorOf("ThrottlingException")), nil
		})}
		db, err := Open(cfg, "Table", Patient())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := db.StartReader(t.Context()); err == nil {
			t.Error("StartReader with a DynamoDB that throttles: no error")
		}
		if calls != 10 {
			t.Errorf("StartReader made %d calls, want 10", calls)
		}
		if took := time.Since(begin); took > 9*2*time.Second {
			t.Errorf("StartReader took %s, want at most 18s", took)
		}
	})
}

// TestOnlyWithoutStreamDerives: the functions leave that to the stream.
func TestOnlyWithoutStreamDerives(t *testing.T) {
	t.Parallel()
	cfg := dynamolocal.Config(t)
	for name, c := range map[string]struct {
		options []Option
		entries int
	}{"function": {}, "local": {options: []Option{WithoutStream()}, entries: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := Open(cfg, dynamotest.Table(t), c.options...)
			if err != nil {
				t.Fatal(err)
			}
			push(t, db, washOf("1", 1, 0))
			page, err := db.Repositories(t.Context(), store.Listing{Span: store.Span{Limit: 10}})
			if err != nil || len(page.Items) != c.entries {
				t.Errorf("Repositories = %+v, %v, want %d entries", page.Items, err, c.entries)
			}
		})
	}
}

// hang is a DynamoDB that never answers.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestHangingCallIsGivenUp: an attempt ends after 1 s, and the call after three attempts
// and two short pauses.
func TestHangingCallIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := offline(t, nil)
		client, ok := raw(db).Options().HTTPClient.(*http.Client)
		if !ok {
			t.Fatalf("HTTPClient is a %T, want *http.Client", raw(db).Options().HTTPClient)
		}
		var attempts []time.Duration
		client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			began := time.Now()
			defer func() { attempts = append(attempts, time.Since(began)) }()
			return hang(r)
		})
		for range 10 { // the length of a pause is random
			attempts = nil
			begin := time.Now()
			if _, err := db.Pick(t.Context(), store.Query{Name: wash}); err == nil {
				t.Error("Pick with a DynamoDB that hangs: no error")
			}
			if diff := cmp.Diff([]time.Duration{time.Second, time.Second, time.Second}, attempts); diff != "" {
				t.Errorf("duration of attempts: -want +got\n%s", diff)
			}
			if took := time.Since(begin); took > 3400*time.Millisecond {
				t.Errorf("Pick took %s, want at most 3.4s", took)
			}
		}
	})
}

// TestConnectionsAreKept: a delete makes 16 concurrent calls under each of two names.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	client := raw(offline(t, nil)).Options().HTTPClient.(*http.Client)
	transport := client.Transport.(*http.Transport)
	if transport.MaxIdleConnsPerHost != 32 {
		t.Errorf("MaxIdleConnsPerHost = %d, want 32", transport.MaxIdleConnsPerHost)
	}
	if transport.Proxy == nil {
		t.Error("Proxy = nil, want that of the environment")
	}
}

func TestHangingCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := offline(t, transport(hang))
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := db.Pick(ctx, store.Query{Name: wash})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Pick: %v, want context.DeadlineExceeded", err)
		}
		if took := time.Since(begin); took != 1500*time.Millisecond {
			t.Errorf("Pick took %s, want 1.5s", took)
		}
	})
}

// lastError returns the error with which a sequence ends.
func lastError[T any](all iter.Seq2[T, error]) (err error) {
	for _, err = range all {
	}
	return err
}

// TestEveryMethodReturnsTheError: the error also says what was being done.
func TestEveryMethodReturnsTheError(t *testing.T) {
	t.Parallel()
	db := offline(t, transport(func(r *http.Request) (*http.Response, error) {
		return answer(r, 400, errorOf("AccessDeniedException")), nil
	}))
	ctx := t.Context()
	for _, c := range []struct {
		method string
		call   func() error
		says   string
	}{
		{"Push", func() error { return db.Push(ctx, washOf("1", 1, 0)) }, "push wasmcloud.azurecr.io/wash:1: "},
		{"Delete", func() error { _, err := db.Delete(ctx, deleteOfTag("1", 0)); return err }, "delete wasmcloud.azurecr.io/wash:1: "},
		{"Categorize", func() error {
			return db.Categorize(ctx, event.Membership{Member: event.Member{Category: "official", Name: wash}, At: noon})
		}, "categorize official/wash: "},
		{"Pick", func() error { _, err := db.Pick(ctx, store.Query{Name: itsWash}); return err }, "pick wasmcloud.azurecr.io/wash: "},
		{"Versioned", func() error { _, err := db.Versioned(ctx, wash, washOf("1", 1, 0)); return err }, "find the version of wasmcloud.azurecr.io/wash:1 in wash: "},
		{"Repositories", func() error { _, err := db.Repositories(ctx, store.Listing{Span: store.Span{Limit: 1}}); return err }, "list repositories: "},
		{"References", func() error { _, err := db.References(ctx, wash, nil, store.Span{Limit: 1}); return err }, "list references of wash: "},
		{"Entries of a repository", func() error { _, err := db.Entries(ctx, []reference.Name{wash}); return err }, "read entries: "},
		{"Entries of a registry's repository", func() error { _, err := db.Entries(ctx, []reference.Name{itsWash}); return err }, "read entries: "},
		{"Members", func() error { _, err := db.Members(ctx, ""); return err }, "list members: "},
		{"PushedAt", func() error { _, err := db.PushedAt(ctx, deleteOfTag("1", 0).Target); return err }, "read when wasmcloud.azurecr.io/wash:1 was pushed: "},
		{"PushAll", func() error { return db.PushAll(ctx, []event.Push{washOf("1", 1, 0), washOf("2", 1, 0)}) }, "push 2 references: "},
		{"Events", func() error { return lastError(db.Events(ctx)) }, "read all events: "},
		{"History", func() error { _, err := db.History(ctx, registry, "wash"); return err }, "read the history of wasmcloud.azurecr.io/wash: "},
		{"State", func() error { _, err := db.State(ctx, registry, "wash"); return err }, "read the state wash of wasmcloud.azurecr.io: "},
		{"PutState", func() error { _, err := db.PutState(ctx, registry, store.State{Key: "wash"}); return err }, "write the state wash of wasmcloud.azurecr.io: "},
		{"States", func() error { return lastError(db.States(ctx, registry)) }, "list the states of wasmcloud.azurecr.io: "},
		{"Derive from a push", func() error { return errors.Join(db.Derive(ctx, changesOf(pushed(washOf("1", 1, 0)))[:1])...) }, "derive from wasmcloud.azurecr.io/wash:1 of wash: "},
		{"Derive from a delete", func() error { return errors.Join(db.Derive(ctx, changesOf(deleted(deleteOf(0)))[:1])...) }, "derive from #deleted/wasmcloud.azurecr.io/wash of wash: "},
		{"StartReader", func() error { return db.StartReader(ctx) }, "table Table: "},
		{"StartWriter", func() error { return db.StartWriter(ctx) }, "table Table: "},
	} {
		err := c.call()
		if err == nil {
			t.Errorf("%s: no error", c.method)
			continue
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %q, want %q in it", c.method, err, c.says)
		}
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDataVersion) {
			t.Errorf("%s: error %q is one of package store's", c.method, err)
		}
	}
}

// TestUnreadableItemsAreErrors: an item that this package would not write leads to an
// error, not to an empty result.
func TestUnreadableItemsAreErrors(t *testing.T) {
	t.Parallel()
	const (
		noRank      = `{"name":{"S":"wash"},"key":{"S":"a.io/wash:1"},"byPushed":{"S":"2023-07-03T12:00:00.000000000Z a.io/wash:1 wash"},"rank":{"S":"x"}}`
		noReference = `{"name":{"S":"wash"},"key":{"S":"wash"},"byPushed":{"S":"2023-07-03T12:00:00.000000000Z wash wash"},"rank":{"S":"2023-07-03T12:00:00.000000000Z  0000000000000000000 "}}`
	)
	for _, item := range []string{noRank, noReference} {
		db := offline(t, transport(func(r *http.Request) (*http.Response, error) {
			if operation(r) == "BatchGetItem" {
				return answer(r, 200, `{"Responses":{"Table":[`+item+`]},"UnprocessedKeys":{}}`), nil
			}
			return answer(r, 200, `{"Count":1,"Items":[`+item+`]}`), nil
		}))
		ctx := t.Context()
		for method, call := range map[string]func() error{
			"Pick":         func() error { _, err := db.Pick(ctx, store.Query{Name: wash}); return err },
			"Versioned":    func() error { _, err := db.Versioned(ctx, wash, washOf("1", 1, 0)); return err },
			"Repositories": func() error { _, err := db.Repositories(ctx, store.Listing{Span: store.Span{Limit: 1}}); return err },
			"References":   func() error { _, err := db.References(ctx, wash, nil, store.Span{Limit: 1}); return err },
			"Entries":      func() error { _, err := db.Entries(ctx, []reference.Name{wash}); return err },
			"Events":       func() error { return lastError(db.Events(ctx)) },
			"History":      func() error { _, err := db.History(ctx, registry, "wash"); return err },
		} {
			if err := call(); err == nil || errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s with the item %s: %v, want an error", method, item, err)
			}
		}
	}
}

// versionStored returns the item with the data version, or nil if there is none.
func versionStored(t *testing.T, db *DB) attributes {
	t.Helper()
	return items(t, db)[meta+" "+versionKey]
}

func putVersion(t *testing.T, db *DB, version int64) {
	t.Helper()
	item := keyOf(meta, versionKey)
	item[attrDataVersion] = num(version)
	put(t, db, item)
}

func TestStartReaderReadsOnce(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	if err := db.StartReader(t.Context()); err != nil {
		t.Errorf("StartReader of an empty table: %v", err)
	}
	m.Want(t, "StartReader of an empty table", map[string]int{"BatchGetItem": 1}, map[string]float64{"BatchGetItem": 0})
	putVersion(t, db, 1)
	m.Take()
	if err := db.StartReader(t.Context()); err != nil {
		t.Errorf("StartReader of version 1: %v", err)
	}
	m.Want(t, "StartReader of version 1", map[string]int{"BatchGetItem": 1}, map[string]float64{"BatchGetItem": 1})
}

func TestStartWriterWritesTheVersionOnce(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	if err := db.StartWriter(t.Context()); err != nil {
		t.Errorf("StartWriter of an empty table: %v", err)
	}
	m.Want(t, "StartWriter of an empty table", map[string]int{"BatchGetItem": 1, "PutItem": 1}, map[string]float64{"BatchGetItem": 0, "PutItem": 1})
	want := attributes{"name": str("#meta"), "key": str("version"), "dataVersion": num(1)}
	if diff := diffItem(want, versionStored(t, db)); diff != "" {
		t.Errorf("version of the data: -want +got\n%s", diff)
	}
	m.Take()
	if err := db.StartWriter(t.Context()); err != nil {
		t.Errorf("StartWriter again: %v", err)
	}
	m.Want(t, "StartWriter again", map[string]int{"BatchGetItem": 1}, map[string]float64{"BatchGetItem": 1})
}

func TestStartRefusesAnotherVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		version attributes
		says    string
	}{
		{"newer", attributes{attrDataVersion: num(2)}, "run a newer release"},
		{"older", attributes{attrDataVersion: num(0)}, "begin with a new store"},
		{"no number", attributes{attrDataVersion: str("1")}, "begin with a new store"},
		{"no integer", attributes{attrDataVersion: &types.AttributeValueMemberN{Value: "1.5"}}, "1.5"},
		{"without a version", attributes{}, "begin with a new store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := openNew(t, nil)
			item := keyOf(meta, versionKey)
			for attr, value := range c.version {
				item[attr] = value
			}
			put(t, db, item)
			for method, start := range map[string]func(context.Context) error{
				"StartReader": db.StartReader, "StartWriter": db.StartWriter,
			} {
				err := start(t.Context())
				if !errors.Is(err, store.ErrDataVersion) {
					t.Errorf("%s: %v, want ErrDataVersion", method, err)
					continue
				}
				if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "table "+db.table+": ") {
					t.Errorf("%s: %q, want %q and the table's name in it", method, err, c.says)
				}
			}
			if diff := diffItem(item, versionStored(t, db)); diff != "" {
				t.Errorf("version of the data after the start: -want +got\n%s", diff)
			}
		})
	}
}

func TestStartWriterThatIsSecondChecksTheFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		version int64
		refused bool
	}{
		{"same version", 1, false},
		{"newer version", 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := dynamotest.Table(t)
			other := openTable(t, table, nil)
			db := openTable(t, table, before(func(operation, _ string) {
				if operation == "PutItem" {
					putVersion(t, other, c.version)
				}
			}))
			err := db.StartWriter(t.Context())
			if refused := errors.Is(err, store.ErrDataVersion); refused != c.refused || !refused && err != nil {
				t.Errorf("StartWriter after another wrote version %d: %v, want it refused: %t", c.version, err, c.refused)
			}
			want := attributes{"name": str("#meta"), "key": str("version"), "dataVersion": num(c.version)}
			if diff := diffItem(want, versionStored(t, other)); diff != "" {
				t.Errorf("version of the data: -want +got\n%s", diff)
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	db := openNew(b, nil)
	push(b, db, washOf("1.0.0", 1, 0))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.Pick(b.Context(), store.Query{Name: wash}); err != nil {
			b.Fatal(err)
		}
	}
}
