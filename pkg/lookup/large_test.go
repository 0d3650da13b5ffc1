package lookup_test

import (
	"cmp"
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
	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

var (
	repositories = flag.Int("repositories", 0, "repositories of TestManyRepositories; 0: as many as it takes")
	tagsOfEach   = flag.Int("tags", 2, "tags of each of them")
)

// TestManyRepositories: a reader of all pages sees each repository once, in the
// catalogue, in a search, and as JSON. The same holds for references. With -v it logs the
// duration of each answer.
func TestManyRepositories(t *testing.T) {
	t.Parallel()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		n := 2100 // three pages for programs
		if testing.Short() {
			n = 1050
		}
		names := manyNames(cmp.Or(*repositories, n))
		db := open(t)
		fillMany(t, names, db, db)
		testMany(t, names, db, nil)
	})
	t.Run("dynamo", func(t *testing.T) {
		t.Parallel()
		if testing.Short() {
			t.Skip("fills a table")
		}
		names := manyNames(cmp.Or(*repositories, 1050)) // two pages
		table := dynamotest.Table(t)
		fast := &bulk{client: dynamodb.NewFromConfig(dynamolocal.Config(t)), table: table}
		fillMany(t, names, openThrough(t, table, fast), openThrough(t, table, &http.Transport{MaxIdleConnsPerHost: 64}))
		if err := fast.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var meter dynamotest.Meter
		testMany(t, names, openThrough(t, table, &meter), &meter)
	})
}

// pageSize is how many rows a page for people has.
const pageSize = 100

// zoo has references on five pages; no other repository has that many.
const zoo = "zoo"

func manyNames(n int) []string {
	names := []string{zoo}
	for i := range n {
		names = append(names, fmt.Sprintf("team-%d/app-%05d", i%7, i))
	}
	slices.Sort(names)
	return names
}

// tagsOf returns the number of tags of a repository.
func tagsOf(name string) int {
	if name == zoo {
		return 450
	}
	return *tagsOfEach
}

// manyPush returns the push of a repository's tag with this number. The highest number is
// the newest.
func manyPush(name string, tag int) event.Push {
	p := pushOf(fmt.Sprintf("a.azurecr.io/%s:1.%d.0", name, tag), time.Date(2023, 7, 3, 12, 0, 0, tag, time.UTC))
	p.Digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(p.Reference.String())))
	p.MediaType = "application/vnd.oci.image.manifest.v1+json"
	p.Size = 2203
	return p
}

func newestOf(name string) event.Push { return manyPush(name, tagsOf(name)-1) }

// fillMany stores the last reference of each repository through last, and the others
// through others.
func fillMany(t *testing.T, names []string, others, last store.Writer) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
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
	asked := measured{handlerOf(t, db), meter}
	testManyPages(t, asked, names)
	testZooPages(t, asked)
	testManyJSON(t, asked, names)
	testZooJSON(t, asked)
	testManyBadges(t, asked, names[len(names)/2])
}

// measured sends requests to a handler and logs their cost.
type measured struct {
	h     http.Handler
	meter *dynamotest.Meter // nil: only time and bytes are measured
}

func (m measured) get(t *testing.T, target string) string {
	t.Helper()
	if m.meter != nil {
		m.meter.Take()
	}
	begin := time.Now()
	body := get(t, m.h, target)
	line := fmt.Sprintf("%-60.60s %6.1f ms %7d bytes", target, float64(time.Since(begin).Microseconds())/1000, len(body))
	if m.meter != nil {
		cost := m.meter.Take()
		line += fmt.Sprintf(" %5.1f read units in %v", cost.Units["Query"]+cost.Units["BatchGetItem"], cost.Calls)
	}
	t.Log(line)
	return body
}

var nextLink = regexp.MustCompile(`rel="next" href="([^"]+)"`)

// pages reads a page and all that follow, and returns the items on each.
func (m measured) pages(t *testing.T, target string, item *regexp.Regexp) [][]string {
	t.Helper()
	var pages [][]string
	for target != "" {
		body := m.get(t, target)
		var items []string
		for _, match := range item.FindAllStringSubmatch(body, -1) {
			items = append(items, match[1])
		}
		pages = append(pages, items)
		target = ""
		if next := nextLink.FindStringSubmatch(body); next != nil {
			target = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	return pages
}

// wantPages wants items in order. All pages but the last must be full.
func wantPages(t *testing.T, what string, got [][]string, items []string, size int) {
	t.Helper()
	want := slices.Collect(slices.Chunk(items, size))
	if len(items) == 0 {
		want = [][]string{nil}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s: pages -want +got\n%s", what, diff)
	}
}

// having returns the names that contain text.
func having(names []string, text string) (found []string) {
	for _, name := range names {
		if strings.Contains(name, text) {
			found = append(found, name)
		}
	}
	return found
}

func testManyPages(t *testing.T, asked measured, names []string) {
	t.Helper()
	row := regexp.MustCompile(`<tr><th><a [^>]*>([^<]+)<`)
	for target, want := range map[string][]string{
		"/":             names,
		"/?q=team":      having(names, "team"),
		"/?q=team-3/":   having(names, "team-3/"),
		"/?q=00042+app": having(names, "app-00042"),
		"/?q=zo":        {zoo},
		"/?q=no+such":   nil,
	} {
		wantPages(t, target, asked.pages(t, target, row), want, pageSize)
	}
}

// zooReferences returns the references of zoo, newest first.
func zooReferences() (all []string) {
	for tag := tagsOf(zoo) - 1; tag >= 0; tag-- {
		all = append(all, manyPush(zoo, tag).Reference.String())
	}
	return all
}

func testZooPages(t *testing.T, asked measured) {
	t.Helper()
	row := regexp.MustCompile(`<tr><th scope="row" class="copy">(a\.azurecr\.io/zoo:[^<]+)<`)
	wantPages(t, "/zoo", asked.pages(t, "/zoo?format=html", row), zooReferences(), pageSize)
}

// jsonPage is a page of repositories or of references.
type jsonPage struct {
	Repositories []struct{ Name, Reference, Version string }
	References   []struct{ Reference string }
	Next         string
}

// jsonPages reads a page of JSON and all that follow.
func (m measured) jsonPages(t *testing.T, target string) (pages []jsonPage) {
	t.Helper()
	for next := ""; ; {
		var page jsonPage
		if err := json.Unmarshal([]byte(m.get(t, target+"&next="+url.QueryEscape(next))), &page); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
		if next = page.Next; next == "" {
			return pages
		}
	}
}

func testManyJSON(t *testing.T, asked measured, names []string) {
	t.Helper()
	limit := min(1000, len(names)/3)
	target := fmt.Sprintf("/api/repositories?limit=%d", limit)
	var pages [][]string
	for _, page := range asked.jsonPages(t, target) {
		var listed []string
		for _, r := range page.Repositories {
			listed = append(listed, r.Name)
			newest := newestOf(r.Name)
			if want := newest.Reference.String(); r.Reference != want {
				t.Errorf("the newest of %s is %s, want %s", r.Name, r.Reference, want)
			}
			if want := newest.Version(); r.Version != want {
				t.Errorf("the highest version of %s is %s, want %s", r.Name, r.Version, want)
			}
		}
		pages = append(pages, listed)
	}
	wantPages(t, target, pages, names, limit)
}

func testZooJSON(t *testing.T, asked measured) {
	t.Helper()
	var pages [][]string
	for _, page := range asked.jsonPages(t, "/api/repositories/zoo?x") {
		var references []string
		for _, r := range page.References {
			references = append(references, r.Reference)
		}
		pages = append(pages, references)
	}
	wantPages(t, "/api/repositories/zoo", pages, zooReferences(), 100)
}

func testManyBadges(t *testing.T, asked measured, name string) {
	t.Helper()
	want := newestOf(name).Reference.String() + "\n"
	for _, query := range []string{"", "&sort=semver", "&sort=semver&include_prereleases"} {
		if got := asked.get(t, "/"+name+"?format=text"+query); got != want {
			t.Errorf("newest of %s%s = %s, want %s", name, query, got, want)
		}
	}
}

// bulk is a transport that gathers the items that a store puts and writes 25 of them in
// one call: one by one, a million would take an hour. Other calls find nothing, so a push
// through it is stored, but not listed.
type bulk struct {
	client *dynamodb.Client
	table  string
	mu     sync.Mutex
	items  []types.WriteRequest
}

func (b *bulk) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutItem") {
		if err := b.putItem(r); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Request: r, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// putItem gathers the item in a call, unless it is an entry of the catalogue.
func (b *bulk) putItem(r *http.Request) error {
	var call struct {
		Item map[string]struct{ S, N string }
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		return err
	}
	if call.Item["name"].S == "#catalogue" {
		return nil
	}
	item := map[string]types.AttributeValue{}
	for name, value := range call.Item {
		item[name] = &types.AttributeValueMemberS{Value: value.S}
		if value.N != "" {
			item[name] = &types.AttributeValueMemberN{Value: value.N}
		}
	}
	return b.put(r.Context(), item)
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
