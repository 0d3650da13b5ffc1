package lookup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

var (
	repositories = flag.Int("repositories", 2100, "repositories of TestManyRepositories")
	tagsOfEach   = flag.Int("tags", 3, "tags of each of them")
)

// TestManyRepositories: each is on one page, and found by a search, also beyond
// the first page; the same with references, and with JSON. With -v it says what
// each answer takes.
func TestManyRepositories(t *testing.T) {
	n := *repositories
	if testing.Short() {
		n = min(n, 1050)
	}
	names := []string{zoo}
	for i := range n {
		names = append(names, fmt.Sprintf("team-%d/app-%05d", i%7, i))
	}
	slices.Sort(names)
	t.Run("bolt", func(t *testing.T) {
		db, err := bolt.OpenTemporary()
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		fillMany(t, names, db, db)
		testMany(t, names, db, nil)
	})
	t.Run("dynamo", func(t *testing.T) {
		var meter dynamotest.Meter
		table := dynamotest.Table(t)
		fast := &bulk{client: dynamodb.NewFromConfig(dynamotest.Config(t)), table: table}
		open := func(transport http.RoundTripper) store.Store {
			cfg := dynamotest.Config(t)
			cfg.HTTPClient = &http.Client{Transport: transport}
			db, err := dynamo.Open(cfg, table)
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
		fillMany(t, names, open(fast), open(http.DefaultTransport))
		if err := fast.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		testMany(t, names, open(&meter), &meter)
	})
}

// zoo has references for three pages; no other has.
const zoo = "zoo"

func tagsOf(name string) int {
	if name == zoo {
		return 450
	}
	return *tagsOfEach
}

// manyPush is the push of a name's tag with that number; the last is the newest.
func manyPush(name string, tag int) store.Push {
	ref := reference.Reference{Registry: "a.azurecr.io", Repository: name, Tag: fmt.Sprintf("1.%d.0", tag)}
	return store.Push{
		Reference: ref,
		Digest:    fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(ref.String()))),
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Size:      2203,
		PushedAt:  time.Date(2023, 7, 3, 12, 0, 0, tag, time.UTC),
	}
}

// fillMany stores the last reference of each repository through last, and the
// others through others.
func fillMany(t *testing.T, names []string, others, last store.Writer) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(64)
	for _, name := range names {
		for tag := range tagsOf(name) {
			db := others
			if tag == tagsOf(name)-1 {
				db = last
			}
			group.Go(func() error { return db.Push(ctx, manyPush(name, tag)) })
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func testMany(t *testing.T, names []string, db store.Reader, meter *dynamotest.Meter) {
	h := lookup.New(defaults(t), db)
	get := func(target string) *bytes.Buffer {
		t.Helper()
		if meter != nil {
			meter.Reset()
		}
		begin := time.Now()
		w := do(h, "GET", target)
		took := time.Since(begin)
		if w.Code != 200 {
			t.Fatalf("GET %s = %d %s", target, w.Code, w.Body)
		}
		line := fmt.Sprintf("%-60.60s %6.1f ms %7d bytes", target, float64(took.Microseconds())/1000, w.Body.Len())
		if meter != nil {
			line += fmt.Sprintf(" %5.1f read units in %v", meter.Units["Query"]+meter.Units["BatchGetItem"], meter.Calls)
		}
		t.Log(line)
		return w.Body
	}
	// pages reads a page and all that follow it.
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`)
	pages := func(target string, item *regexp.Regexp) (n int, found []string) {
		for target != "" {
			body := get(strings.ReplaceAll(target, "&amp;", "&")).Bytes()
			n++
			for _, m := range item.FindAllSubmatch(body, -1) {
				found = append(found, string(m[1]))
			}
			target = ""
			if m := next.FindSubmatch(body); m != nil {
				target = string(m[1])
			}
		}
		return n, found
	}
	want := func(what string, n int, found []string, wantPages int, want []string) {
		t.Helper()
		if n != wantPages || !slices.Equal(found, want) {
			t.Errorf("%s: %d in %d pages, want %d in %d", what, len(found), n, len(want), wantPages)
		}
	}

	var ofTeam, app42 []string
	for _, name := range names {
		if strings.Contains(name, "team-3/") {
			ofTeam = append(ofTeam, name)
		}
		if strings.Contains(name, "app-00042") {
			app42 = append(app42, name)
		}
	}
	pagesOf := func(n, page int) int { return max(1, (n+page-1)/page) }
	row := regexp.MustCompile(`<tr><th><a [^>]*>([^<]+)<`)
	n, found := pages("/", row)
	want("/", n, found, pagesOf(len(names), 1000), names)
	n, found = pages("/?q=team-3/", row)
	want("search of a team", n, found, pagesOf(len(ofTeam), 1000), ofTeam)
	n, found = pages("/?q=00042+app", row)
	want("search of one", n, found, 1, app42)
	n, found = pages("/?q=zo", row)
	want("search of the last", n, found, 1, []string{zoo})
	n, found = pages("/?q=nothing", row)
	want("search of nothing", n, found, 1, nil)

	var zooReferences []string
	for tag := tagsOf(zoo) - 1; tag >= 0; tag-- {
		zooReferences = append(zooReferences, manyPush(zoo, tag).Reference.String())
	}
	n, found = pages("/zoo?format=html", regexp.MustCompile(`<tr><th scope="row"><code>(a\.azurecr\.io/zoo:[^<]+)<`))
	want("/zoo", n, found, 3, zooReferences)

	var listed []string
	limit := min(1000, len(names)/3)
	for after := ""; ; {
		var page struct {
			Repositories []struct{ Name, Reference, Version string }
			Next         string
		}
		if err := json.Unmarshal(get(fmt.Sprintf("/api/repositories?limit=%d&next=%s", limit, url.QueryEscape(after))).Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Repositories {
			listed = append(listed, r.Name)
			if newest := manyPush(r.Name, tagsOf(r.Name)-1); r.Version != newest.Version() || r.Reference != newest.Reference.String() {
				t.Fatalf("%+v, want %s", r, newest.Reference)
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	want("/api/repositories", 1, listed, 1, names)

	var references []string
	for after := ""; ; {
		var page struct {
			References []struct{ Reference string }
			Next       string
		}
		if err := json.Unmarshal(get("/api/repositories/zoo?next="+url.QueryEscape(after)).Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.References {
			references = append(references, r.Reference)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	want("/api/repositories/zoo", 1, references, 1, zooReferences)

	middle := manyPush(names[len(names)/2], *tagsOfEach-1).Reference
	for _, query := range []string{"", "&sort=semver", "&sort=semver&include_prereleases"} {
		if got := get("/" + middle.Repository + "?format=text" + query).String(); got != middle.String()+"\n" {
			t.Errorf("newest of %s%s = %s", middle.Repository, query, got)
		}
	}
}

// bulk is a transport that gathers the items which a store puts and writes 25 of
// them in one call: one by one a million takes an hour. Any other call finds
// nothing, so what is pushed through it is stored, but not listed.
type bulk struct {
	client *dynamodb.Client
	table  string
	mu     sync.Mutex
	items  []types.WriteRequest
}

func (b *bulk) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutItem") {
		var call struct {
			Item map[string]struct{ S, N string }
		}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			return nil, err
		}
		if call.Item["name"].S != "#catalog" {
			item := map[string]types.AttributeValue{}
			for name, value := range call.Item {
				item[name] = &types.AttributeValueMemberS{Value: value.S}
				if value.N != "" {
					item[name] = &types.AttributeValueMemberN{Value: value.N}
				}
			}
			if err := b.put(r.Context(), item); err != nil {
				return nil, err
			}
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Request: r, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func (b *bulk) put(ctx context.Context, item map[string]types.AttributeValue) error {
	b.mu.Lock()
	b.items = append(b.items, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
	var full []types.WriteRequest
	if len(b.items) == 25 {
		full, b.items = b.items, nil
	}
	b.mu.Unlock()
	return b.write(ctx, full)
}

func (b *bulk) flush(ctx context.Context) error { return b.write(ctx, b.items) }

func (b *bulk) write(ctx context.Context, items []types.WriteRequest) error {
	if len(items) == 0 {
		return nil
	}
	out, err := b.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{b.table: items}})
	if err == nil && len(out.UnprocessedItems) > 0 {
		err = errors.New("items are unprocessed")
	}
	return err
}
