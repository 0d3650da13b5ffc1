package registry_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/ocitest"
)

// real runs a test with each real registry.
func real(t *testing.T, test func(*testing.T, *ocitest.Registry, registry.Registry)) {
	t.Parallel()
	for _, kind := range ocitest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := ocitest.Start(t, kind)
			test(t, server, open(t, server.Host, nil))
		})
	}
}

// A page has 100 entries, so these lists end in the middle of a page, at its end, and
// just behind it.
func TestRealListings(t *testing.T) {
	real(t, func(t *testing.T, server *ocitest.Registry, r registry.Registry) {
		var repositories []string
		for _, n := range []int{1, 99, 100, 101, 250} {
			name := fmt.Sprintf("team/r%d", n)
			repositories = append(repositories, name)
			server.Blob(t, name, []byte("{}")) // without a blob, Distribution 2 does not list the repository
			digests := map[string]string{}
			tags := numbered(n)
			rand.Shuffle(n, func(i, k int) { tags[i], tags[k] = tags[k], tags[i] })
			for _, tag := range tags {
				digests[tag] = server.Push(t, name, tag, tag)
			}
			l := list(t, r, name)
			wantComplete(t, l, numbered(n)...)
			for _, got := range l.Tags {
				if got.Digest != digests[got.Name] || got.MediaType != ocitest.IndexType || got.Size < 50 || !got.PushedAt.IsZero() {
					t.Errorf("listed %+v, want %s, an index", got, digests[got.Name])
				}
			}
			if got := tag(t, r, name, "000"); got.State != registry.Found || got.Tag != l.Tags[0] {
				t.Errorf("Tag(%s, 000) = %+v, want %+v", name, got, l.Tags[0])
			}
		}
		slices.Sort(repositories)
		if got := catalogue(t, r); !got.Complete || !slices.Equal(got.Names, repositories) {
			t.Errorf("catalogue is %+v, want %s", got, repositories)
		}
	})
}

func TestRealDeletes(t *testing.T) {
	real(t, func(t *testing.T, server *ocitest.Registry, r registry.Registry) {
		for _, name := range []string{"1", "2", "3"} {
			server.Push(t, "wash", name, name)
		}
		server.Push(t, "wash", "1", "moved")
		server.Untag(t, "wash", "2", server.Push(t, "wash", "2", "2"))
		l := list(t, r, "wash")
		wantComplete(t, l, "1", "3")
		got := tag(t, r, "wash", "2")
		wantState(t, "wash:2", got.State, got.Why, registry.Gone)
		got = tag(t, r, "wash", "1")
		if got.Tag != l.Tags[0] {
			t.Errorf("Tag(wash, 1) = %+v, want %+v", got.Tag, l.Tags[0])
		}
		none := repository(t, r, "none")
		wantState(t, "none", none.State, none.Why, registry.Missing)
		got = tag(t, r, "none", "1")
		wantState(t, "none:1", got.State, got.Why, registry.Gone)
	})
}

// A repository that lost its last tag is still listed, without tags.
func TestRealRepositoryWithoutTags(t *testing.T) {
	real(t, func(t *testing.T, server *ocitest.Registry, r registry.Registry) {
		server.Blob(t, "wash", []byte("{}"))
		server.Untag(t, "wash", "1", server.Push(t, "wash", "1", "1"))
		if got := catalogue(t, r); !slices.Equal(got.Names, []string{"wash"}) || !got.Complete {
			t.Errorf("catalogue is %+v, want wash", got)
		}
		got := repository(t, r, "wash")
		wantState(t, "wash", got.State, got.Why, registry.Found)
		wantComplete(t, list(t, r, "wash"))
	})
}

// image puts a tag on an image, and returns its manifest.
func image(t *testing.T, server *ocitest.Registry, tag string) (manifest, digest string) {
	t.Helper()
	config := []byte(`{"created":"2023-07-03T14:56:52Z","architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}`)
	blob := server.Blob(t, "wash", config)
	manifest = fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`, ocitest.ManifestType, blob, len(config))
	return manifest, server.Put(t, "wash", tag, ocitest.ManifestType, []byte(manifest))
}

// Distribution answers 404 for an existing manifest if Accept lacks its kind.
func TestRealManifestAskedForWithoutItsKind(t *testing.T) {
	t.Parallel()
	for _, kind := range []ocitest.Kind{ocitest.Distribution3, ocitest.Distribution2} {
		server := ocitest.Start(t, kind)
		image(t, server, "1")
		req, err := http.NewRequest(http.MethodGet, "http://"+server.Host+"/v2/wash/manifests/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "*/*")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if res.Body.Close(); err != nil || res.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "MANIFEST_UNKNOWN") {
			t.Errorf("%s for any kind: %d %s, %v, want 404 MANIFEST_UNKNOWN", kind, res.StatusCode, body, err)
		}
		got := tag(t, open(t, server.Host, nil), "wash", "1")
		wantState(t, string(kind)+": wash:1", got.State, got.Why, registry.Found)
	}
}

// Distribution 3 does not list a tag named index, since one of its own folders has that
// name. Only a request for the tag itself finds it.
func TestRealTagThatIsNotListed(t *testing.T) {
	t.Parallel()
	server := ocitest.Start(t, ocitest.Distribution3)
	server.Push(t, "wash", "1", "1")
	digest := server.Push(t, "wash", "index", "index")
	r := open(t, server.Host, nil)
	wantComplete(t, list(t, r, "wash"), "1")
	got := tag(t, r, "wash", "index")
	wantState(t, "wash:index", got.State, got.Why, registry.Found)
	if got.Tag.Digest != digest {
		t.Errorf("Tag(wash, index) = %+v, want %s", got.Tag, digest)
	}
}

func TestRealCreated(t *testing.T) {
	real(t, func(t *testing.T, server *ocitest.Registry, r registry.Registry) {
		manifest, digest := image(t, server, "image")
		server.Put(t, "wash", "multi", ocitest.IndexType, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d,"platform":{"architecture":"amd64","os":"linux"}}]}`, ocitest.IndexType, ocitest.ManifestType, digest, len(manifest)))
		l := list(t, r, "wash")
		wantComplete(t, l, "image", "multi")
		for _, tag := range l.Tags {
			at, err := r.Created(t.Context(), "wash", tag)
			if want := time.Date(2023, 7, 3, 14, 56, 52, 0, time.UTC); err != nil || !at.Equal(want) {
				t.Errorf("Created(%s) = %s, %v, want %s", tag.Name, at, err, want)
			}
		}
	})
}

// Every complete listing contains the tags that do not change meanwhile.
func TestRealListingsWhileTagsComeAndGo(t *testing.T) {
	real(t, func(t *testing.T, server *ocitest.Registry, r registry.Registry) {
		want := numbered(120)
		for _, tag := range want {
			server.Push(t, "wash", tag, tag)
		}
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("%03d-x", i%120)
				server.Untag(t, "wash", name, server.Push(t, "wash", name, "x"+fmt.Sprint(i)))
			}
		})
		complete := 0
		for range 10 {
			l := list(t, r, "wash")
			if !l.Complete {
				continue
			}
			complete++
			listed := map[string]bool{}
			for _, tag := range l.Tags {
				listed[tag.Name] = true
			}
			for _, name := range want {
				if !listed[name] {
					t.Errorf("a complete listing lacks %s", name)
				}
			}
		}
		close(stop)
		writer.Wait()
		if complete == 0 {
			t.Error("no listing was complete")
		}
	})
}
