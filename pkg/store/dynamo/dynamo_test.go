package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/store/storetest"
)

func TestMain(m *testing.M) { dynamotest.Main(m) }

func open(t testing.TB, endpoint, table string, transport http.RoundTripper) *dynamo.DB {
	t.Helper()
	cfg := dynamo.FromEnv(func(name string) string {
		return map[string]string{
			"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_REGION": "us-east-1",
			"AWS_ACCESS_KEY_ID": "dynamotest", "AWS_SECRET_ACCESS_KEY": "dynamotest",
		}[name]
	})
	if transport != nil {
		cfg.HTTPClient = &http.Client{Transport: transport, Timeout: dynamo.AttemptTimeout}
	}
	db, err := dynamo.Open(cfg, table)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// openNew gives an empty table of its own.
func openNew(t testing.TB, transport http.RoundTripper) *dynamo.DB {
	return open(t, dynamotest.Endpoint(t), dynamotest.Table(t), transport)
}

func pushOf(tag string, at time.Time) store.Push {
	return store.Push{
		Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: tag},
		Digest:    "sha256:" + strings.Repeat("0", 64),
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Size:      2203,
		PushedAt:  at,
	}
}

var noon = time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Store { return openNew(t, nil) })
}

func TestSchemaIsTheTemplates(t *testing.T) {
	want, got := dynamotest.TemplateTable(t), dynamo.Schema("x")
	got.TableName = nil
	byName := cmpopts.SortSlices(func(a, b any) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(*want), cmpopts.EquateComparable(), byName, ignoreUnexported); diff != "" {
		t.Errorf("template.yaml and dynamo.Schema differ: -template +code\n%s", diff)
	}
}

// ignoreUnexported leaves out the SDK's markers.
var ignoreUnexported = cmp.FilterPath(func(p cmp.Path) bool {
	field, ok := p.Last().(cmp.StructField)
	return ok && field.Name() == "noSmithyDocumentSerde"
}, cmp.Ignore())

func TestCreateTwice(t *testing.T) {
	db := open(t, dynamotest.Endpoint(t), fmt.Sprintf("TestCreateTwice-%d", time.Now().UnixNano()), nil)
	for range 2 {
		if err := db.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Push(t.Context(), pushOf("1", noon)); err != nil {
		t.Error(err)
	}
}

func TestOpenNeedsATable(t *testing.T) {
	if _, err := dynamo.Open(aws.Config{}, ""); err == nil || !strings.Contains(err.Error(), "TABLE_NAME") {
		t.Errorf("Open without a table: %v", err)
	}
}

func TestPickUnits(t *testing.T) {
	const most = 10_000
	var m dynamotest.Meter
	db := openNew(t, &m)
	pushed := 0
	for _, n := range []int{0, 1, 10, most} {
		if testing.Short() && n == most {
			t.Skip("10,000 references take a while")
		}
		fill(t, db, pushed, n)
		pushed = n
		m.Reset()
		for _, name := range []string{"wash", "wasmcloud.azurecr.io/wash"} {
			for _, order := range []store.Order{store.ByPushed, store.ByRelease, store.ByVersion} {
				_, err := db.Pick(t.Context(), store.Query{Name: name, Order: order})
				if n > 0 && err != nil || n == 0 && !errors.Is(err, store.ErrNotFound) {
					t.Fatal(err)
				}
				units := 0.5
				if n == 0 {
					units = 0 // on AWS 0.5, too: DynamoDB Local charges nothing for what is not there
				}
				m.Want(t, fmt.Sprintf("%s, order %d of %d", name, order, n), map[string]int{"Query": 1}, map[string]float64{"Query": units})
			}
		}
	}
}

// TestGlobUnits: a condition on tags is paid by the page, and no more than ten
// pages are read.
func TestGlobUnits(t *testing.T) {
	var m dynamotest.Meter
	db := openNew(t, &m)
	fill(t, db, 0, store.MaxScan+50)
	for _, c := range []struct {
		what  string
		tag   string
		calls int
		most  float64
	}{
		{"the newest", "1.1048.0", 1, 8},
		{"one of the first page", "1.1000.0", 1, 8},
		{"one of the second page", "build-900", 2, 16},
		{"none", "none", 10, 80},
		{"one beyond a thousand", "1.1.0", 10, 80},
	} {
		m.Reset()
		p, err := db.Pick(t.Context(), store.Query{Name: "wash", Match: func(tag string) bool { return tag == c.tag }})
		if found := c.calls < 10; found != (err == nil && p.Reference.Tag == c.tag) || !found && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %s, %v", c.what, p.Reference, err)
		}
		if m.Calls["Query"] != c.calls || m.Units["Query"] > c.most {
			t.Errorf("%s: %d calls and %v units, want %d and at most %v", c.what, m.Calls["Query"], m.Units["Query"], c.calls, c.most)
		}
		t.Logf("%s: %v units", c.what, m.Units["Query"])
	}
}

// fill pushes references from to n, many at a time.
func fill(t *testing.T, db *dynamo.DB, from, n int) {
	t.Helper()
	var next atomic.Int64
	next.Store(int64(from))
	var failed atomic.Value
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				tag := fmt.Sprintf("1.%d.0", i)
				if i%3 == 0 {
					tag = fmt.Sprintf("build-%d", i)
				}
				if err := db.Push(t.Context(), pushOf(tag, noon.Add(time.Duration(i)*time.Second))); err != nil {
					failed.Store(err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(err)
	}
}

func TestWriteUnits(t *testing.T) {
	var m dynamotest.Meter
	db := openNew(t, &m)
	push := func(p store.Push) {
		t.Helper()
		if err := db.Push(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	calls := map[string]int{"PutItem": 3, "BatchGetItem": 2, "GetItem": 1, "Query": 2}
	units := func(put, get float64) map[string]float64 {
		return map[string]float64{"PutItem": put, "BatchGetItem": 0, "GetItem": get, "Query": 2}
	}
	// DynamoDB Local charges neither for reads of what is not there, which cost
	// a unit each on AWS, nor for a write whose condition fails, which costs one.
	push(pushOf("1.0.0", noon))
	m.Want(t, "new reference", calls, units(11, 1))
	push(pushOf("1.0.0", noon.Add(time.Second)))
	m.Want(t, "reference pushed again, same digest", calls, units(17, 1))
	p := pushOf("1.0.0", noon.Add(time.Minute))
	p.Digest = "sha256:" + strings.Repeat("1", 64)
	push(p)
	m.Want(t, "moved reference", calls, units(19, 1))
	push(p)
	m.Want(t, "repeat", calls, units(1, 1))
	if _, err := db.Delete(t.Context(), store.Delete{Registry: "wasmcloud.azurecr.io", Repository: "wash", Digest: p.Digest, DeletedAt: noon.Add(time.Hour), ReceivedAt: noon}); err != nil {
		t.Fatal(err)
	}
	m.Want(t, "delete", map[string]int{"PutItem": 3, "GetItem": 1, "Query": 3, "UpdateItem": 2}, map[string]float64{"PutItem": 3, "GetItem": 1, "Query": 2, "UpdateItem": 10})
}

// TestListUnits: a list is paid by the repositories that it has, whatever the
// number of their references, and a category by its members.
func TestListUnits(t *testing.T) {
	const repositories = 100
	var m dynamotest.Meter
	db := openNew(t, &m)
	const each = 0.5 / 4096 // units a byte
	for tags := range 3 {
		for i := range repositories {
			p := pushOf(fmt.Sprintf("1.%d.0", tags), noon)
			p.Reference.Repository = fmt.Sprintf("wash-%d", i)
			if err := db.Push(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		m.Reset()
		entries, _, err := db.Repositories(t.Context(), store.Listing{Limit: repositories})
		if err != nil || len(entries) != repositories {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		if units := m.Units["Query"]; m.Calls["Query"] != 1 || units < repositories*250*each || units > repositories*450*each {
			t.Errorf("with %d tags a page of %d costs %v units in %v calls", tags+1, repositories, units, m.Calls)
		} else {
			t.Logf("a page of %d costs %v units", repositories, units)
		}
		m.Reset()
		if entries, _, err = db.Repositories(t.Context(), store.Listing{Limit: repositories, Words: []string{"wash-7"}}); err != nil || len(entries) != 11 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		if units := m.Units["Query"]; m.Calls["Query"] != 1 || units > repositories*450*each {
			t.Errorf("with %d tags a search costs %v units in %v calls", tags+1, units, m.Calls)
		}
	}
	var names []string
	m.Reset()
	for i := range 10 {
		names = append(names, fmt.Sprintf("wash-%d", i))
		if err := db.Categorize(t.Context(), store.Membership{Member: store.Member{Category: "official", Name: names[i]}, At: noon}); err != nil {
			t.Fatal(err)
		}
	}
	m.Want(t, "ten members", map[string]int{"PutItem": 10}, map[string]float64{"PutItem": 10})
	if _, err := db.Members(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	m.Want(t, "list of members", map[string]int{"Query": 1}, map[string]float64{"Query": 0.5})
	if _, err := db.Entries(t.Context(), names); err != nil {
		t.Fatal(err)
	}
	m.Want(t, "entries of ten names", map[string]int{"BatchGetItem": 1}, map[string]float64{"BatchGetItem": 5})
	if _, err := db.Entries(t.Context(), []string{"wasmcloud.azurecr.io/wash-0"}); err != nil {
		t.Fatal(err)
	}
	m.Want(t, "entry of registry/repository", map[string]int{"BatchGetItem": 1, "Query": 2}, map[string]float64{"BatchGetItem": 0, "Query": 1})
}

// failing answers as DynamoDB does when it is in trouble, or not at all.
type failing struct {
	status int // 0: hangs
	body   string
	calls  atomic.Int32
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	f.calls.Add(1)
	if f.status == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: f.status, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(strings.NewReader(f.body)),
	}, nil
}

// TestFailuresEnd: a DynamoDB in trouble is asked again a few times, not more.
func TestFailuresEnd(t *testing.T) {
	for name, f := range map[string]*failing{
		"internal error": {status: 500, body: `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"planted"}`},
		"throttled":      {status: 400, body: `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"planted"}`},
		"over capacity":  {status: 400, body: `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"planted"}`},
		"no JSON":        {status: 502, body: `<html>`},
		"half an answer": {status: 200, body: `{"Items":[{"name`},
		"hangs":          {},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, "http://127.0.0.1:1", "Table", f)
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			begin := time.Now()
			_, err := db.Pick(ctx, store.Query{Name: "wash"})
			if err == nil || errors.Is(err, store.ErrNotFound) {
				t.Errorf("Pick: %v, want an error", err)
			}
			if n := f.calls.Load(); n < 1 || n > 3 {
				t.Errorf("%d calls, want 1 to 3", n)
			}
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
			if err := db.Push(ctx, pushOf("1", noon)); err == nil {
				t.Error("Push: no error")
			}
			if _, err := db.Delete(ctx, store.Delete{Registry: "a", Repository: "b"}); err == nil {
				t.Error("Delete: no error")
			}
			if err := db.Warm(ctx); err == nil {
				t.Error("Warm: no error")
			}
			if err := db.Categorize(ctx, store.Membership{At: noon}); err == nil {
				t.Error("Categorize: no error")
			}
			if _, err := db.Members(ctx, ""); err == nil {
				t.Error("Members: no error")
			}
			if _, err := db.Entries(ctx, []string{"wash"}); err == nil {
				t.Error("Entries: no error")
			}
		})
	}
}

// half leaves the keys of the first BatchGetItems unprocessed.
type half struct{ times atomic.Int32 }

func (h *half) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") || h.times.Add(-1) < 0 {
		return http.DefaultTransport.RoundTrip(r)
	}
	var call struct{ RequestItems json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(fmt.Sprintf(`{"Responses":{},"UnprocessedKeys":%s}`, call.RequestItems))),
	}, nil
}

func TestHalfABatchIsAskedForAgain(t *testing.T) {
	var h half
	db := openNew(t, &h)
	d := store.Delete{Registry: "wasmcloud.azurecr.io", Repository: "wash", DeletedAt: noon, ReceivedAt: noon}
	if _, err := db.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	h.times.Store(2) // one for each name
	if err := db.Push(t.Context(), pushOf("1", noon.Add(-time.Second))); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Pick(t.Context(), store.Query{Name: "wash"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Pick = %+v, %v, want ErrNotFound: the delete is newer", got, err)
	}
	h.times.Store(100)
	if err := db.Push(t.Context(), pushOf("2", noon.Add(-time.Second))); err == nil {
		t.Error("Push, with keys left unprocessed for good: no error")
	}
}

func BenchmarkPick(b *testing.B) {
	db := openNew(b, nil)
	if err := db.Push(b.Context(), pushOf("1.0.0", noon)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.Pick(b.Context(), store.Query{Name: "wash"}); err != nil {
			b.Fatal(err)
		}
	}
}

// before runs hook once, before the first call of an operation is sent.
type before struct {
	operation string
	once      sync.Once
	hook      func()
}

func (b *before) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+b.operation) {
		b.once.Do(b.hook)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestDeleteMarksWhatItFoundAlone: a tag that moves to another digest, or is
// pushed again, after a delete found it and before that marks it, stays.
func TestDeleteMarksWhatItFoundAlone(t *testing.T) {
	for name, moved := range map[string]store.Push{
		"another digest, older than the delete": func() store.Push {
			p := pushOf("1", noon.Add(time.Second))
			p.Digest = "sha256:" + strings.Repeat("1", 64)
			return p
		}(),
		"same digest, newer than the delete": pushOf("1", noon.Add(time.Hour)),
	} {
		t.Run(name, func(t *testing.T) {
			hook := &before{operation: "UpdateItem"}
			db := openNew(t, hook)
			push := func(p store.Push) {
				t.Helper()
				if err := db.Push(context.Background(), p); err != nil {
					t.Error(err)
				}
			}
			hook.hook = func() { push(moved) }
			push(pushOf("1", noon))
			d := store.Delete{Registry: "wasmcloud.azurecr.io", Repository: "wash", Digest: pushOf("1", noon).Digest, DeletedAt: noon.Add(time.Minute), ReceivedAt: noon}
			if n, err := db.Delete(t.Context(), d); err != nil || n > 1 {
				t.Errorf("Delete = %d, %v", n, err)
			}
			for _, name := range []string{"wash", "wasmcloud.azurecr.io/wash"} {
				if got, err := db.Pick(t.Context(), store.Query{Name: name}); err != nil || got != moved {
					t.Errorf("Pick(%s) = %+v, %v, want %+v", name, got, err, moved)
				}
			}
		})
	}
}
