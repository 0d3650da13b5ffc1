package lookup_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/lookup"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// wantJSON gives a function that asks h and wants an answer.
func wantJSON(t *testing.T, h http.Handler) func(target string, status int, body string) {
	return func(target string, status int, body string) {
		t.Helper()
		w := do(h, "GET", target)
		if w.Code != status || w.Body.String() != body || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("GET %s = %d %s, want %d %s", target, w.Code, w.Body, status, body)
		}
	}
}

func TestRepositoriesJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := lookup.New(defaults(t), db)
		want := wantJSON(t, h)
		want("/api/repositories", 200, `{"repositories":[]}`)
		want("/api/repositories/wash", 404, `{"error":"Provider not yet published"}`)
		pushAll(t, db, []store.Push{
			{Reference: reference.Reference{Registry: "a.azurecr.io", Repository: "wash", Tag: "v1.0"}, Digest: "sha256:" + fmt.Sprintf("%064d", 1),
				MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 0, PushedAt: time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC)},
			{Reference: reference.Reference{Registry: "b.azurecr.io", Repository: "wash", Tag: "latest"}, Size: store.UnknownSize, PushedAt: time.Date(2023, 7, 4, 0, 0, 0, 0, time.UTC)},
			{Reference: reference.Reference{Registry: "a.azurecr.io", Repository: "team/app", Tag: "x"}, Size: store.UnknownSize, PushedAt: time.Date(2023, 7, 4, 0, 0, 0, 0, time.UTC)},
		})
		app := `{"name":"team/app","registry":"a.azurecr.io","reference":"a.azurecr.io/team/app:x","tag":"x","pushedAt":"2023-07-04T00:00:00Z"}`
		wash := `{"name":"wash","registry":"b.azurecr.io","reference":"b.azurecr.io/wash:latest","tag":"latest","pushedAt":"2023-07-04T00:00:00Z","version":"1.0.0"}`
		want("/api/repositories", 200, `{"repositories":[`+app+`,`+wash+`]}`)
		want("/api/repositories/wash", 200, `{"name":"wash","references":[`+
			`{"reference":"b.azurecr.io/wash:latest","registry":"b.azurecr.io","tag":"latest","pushedAt":"2023-07-04T00:00:00Z"},`+
			`{"reference":"a.azurecr.io/wash:v1.0","registry":"a.azurecr.io","tag":"v1.0","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000001",`+
			`"mediaType":"application/vnd.oci.image.manifest.v1+json","size":0,"pushedAt":"2023-07-03T14:56:52.0604218Z","version":"1.0.0"}]}`)
		want("/api/repositories/b.azurecr.io/wash/", 200, `{"name":"b.azurecr.io/wash","references":[`+
			`{"reference":"b.azurecr.io/wash:latest","registry":"b.azurecr.io","tag":"latest","pushedAt":"2023-07-04T00:00:00Z"}]}`)
		want("/api/repositories/Not%20a%20name", 404, `{"error":"Provider not yet published"}`)
		for _, query := range []string{"limit=0", "limit=1001", "limit=-1", "limit=x", "limit=1.5"} {
			want("/api/repositories?"+query, 400, `{"error":"invalid query parameter: limit"}`)
			want("/api/repositories/wash?"+query, 400, `{"error":"invalid query parameter: limit"}`)
		}
		for _, query := range []string{"next=x", "next=%00", "next=MQ", "next=MQo", "next=&next=x"} {
			want("/api/repositories?"+query, 400, `{"error":"invalid query parameter: next"}`)
			want("/api/repositories/wash?"+query, 400, `{"error":"invalid query parameter: next"}`)
		}
		// An empty parameter is none, and the first of several counts.
		want("/api/repositories?limit=&next=", 200, `{"repositories":[`+app+`,`+wash+`]}`)
		want("/api/repositories?limit=&limit=1&limit=x", 200, `{"repositories":[`+app+`],"next":"MXRlYW0vYXBw"}`)

		// What followed a page may be gone when it is asked for.
		var page struct{ Next string }
		if err := json.Unmarshal(do(h, "GET", "/api/repositories/wash?limit=1").Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		remove := func(tag string) {
			d := store.Delete{Registry: map[string]string{"v1.0": "a.azurecr.io", "latest": "b.azurecr.io"}[tag], Repository: "wash", Tag: tag, DeletedAt: time.Now(), ReceivedAt: time.Now()}
			if _, err := db.Delete(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		remove("v1.0")
		want("/api/repositories/wash?next="+page.Next, 200, `{"name":"wash","references":[]}`)
		if w := do(h, "GET", "/wash?format=html&next="+page.Next); w.Code != 200 || !strings.Contains(w.Body.String(), "None is older.") {
			t.Errorf("a later page without references = %d %s", w.Code, w.Body)
		}
		remove("latest")
		want("/api/repositories/wash?next="+page.Next, 404, `{"error":"Provider not yet published"}`)
	})
}

func TestCategoriesJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		want := wantJSON(t, lookup.New(defaults(t), db))
		want("/api/categories", 200, `{"categories":[]}`)
		want("/api/categories/official", 404, `{"error":"No such category"}`)
		want("/api/categories/Official", 404, `{"error":"No such category"}`)
		at := time.Date(2023, 7, 4, 0, 0, 0, 0, time.UTC)
		pushAll(t, db, []store.Push{
			{Reference: reference.Reference{Registry: "a.azurecr.io", Repository: "wash", Tag: "v1.0"}, Size: store.UnknownSize, PushedAt: at},
			{Reference: reference.Reference{Registry: "b.azurecr.io", Repository: "wash", Tag: "latest"}, Size: store.UnknownSize, PushedAt: at.Add(1)},
		})
		for _, m := range []store.Member{{Category: "official", Name: "wash"}, {Category: "official", Name: "a.azurecr.io/wash"}, {Category: "official", Name: "soon"}, {Category: "apps", Name: "soon"}} {
			if err := db.Categorize(t.Context(), store.Membership{Member: m, At: at}); err != nil {
				t.Fatal(err)
			}
		}
		want("/api/categories", 200, `{"categories":["apps","official"]}`)
		want("/api/categories/official", 200, `{"category":"official","repositories":[`+
			`{"name":"a.azurecr.io/wash","registry":"a.azurecr.io","reference":"a.azurecr.io/wash:v1.0","tag":"v1.0","pushedAt":"2023-07-04T00:00:00Z","version":"1.0.0"},`+
			`{"name":"soon"},`+
			`{"name":"wash","registry":"b.azurecr.io","reference":"b.azurecr.io/wash:latest","tag":"latest","pushedAt":"2023-07-04T00:00:00.000000001Z","version":"1.0.0"}]}`)
		want("/api/categories/apps", 200, `{"category":"apps","repositories":[{"name":"soon"}]}`)
		if err := db.Categorize(t.Context(), store.Membership{Member: store.Member{Category: "apps", Name: "soon"}, Out: true, At: at.Add(1)}); err != nil {
			t.Fatal(err)
		}
		want("/api/categories", 200, `{"categories":["official"]}`)
		want("/api/categories/apps", 404, `{"error":"No such category"}`)
		want("/api/categories/apps/", 200, `{"schemaVersion":1,"label":"","message":"Provider not yet published","color":"lightgrey","isError":true}`)
	})
}

// TestPagesAreStableWhilePushesArrive: whoever reads page after page sees each
// repository once that was there from the beginning.
func TestPagesAreStableWhilePushesArrive(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		push := func(name, tag string, second int) {
			pushAll(t, db, []store.Push{{Reference: reference.Reference{Registry: "a.azurecr.io", Repository: name, Tag: tag}, Size: store.UnknownSize, PushedAt: time.Unix(int64(second), 0)}})
		}
		var want []string
		for i := range 10 {
			name := fmt.Sprintf("r%d", i)
			want = append(want, name)
			push(name, "1", i)
			push("many", fmt.Sprint(i), i)
		}
		want = append([]string{"many"}, want...)
		h := lookup.New(defaults(t), db)

		var names []string
		for next, page := "", 0; page == 0 || next != ""; page++ {
			var got struct {
				Repositories []struct{ Name string }
				Next         string
			}
			w := do(h, "GET", "/api/repositories?limit=3&next="+next)
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
				t.Fatalf("%d %s: %v", w.Code, w.Body, err)
			}
			for _, r := range got.Repositories {
				names = append(names, r.Name)
			}
			next = got.Next
			push("a-new-one", "1", 100+page) // before what was read
			push("r9", fmt.Sprint("new", page), 100+page)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("repositories: -want +got\n%s", diff)
		}

		var tags []string
		for next, page := "", 0; page == 0 || next != ""; page++ {
			var got struct {
				References []struct{ Tag string }
				Next       string
			}
			w := do(h, "GET", "/api/repositories/many?limit=4&next="+next)
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
				t.Fatalf("%d %s: %v", w.Code, w.Body, err)
			}
			for _, r := range got.References {
				tags = append(tags, r.Tag)
			}
			next = got.Next
			push("many", fmt.Sprint("new", page), 100+page)
		}
		if diff := cmp.Diff([]string{"9", "8", "7", "6", "5", "4", "3", "2", "1", "0"}, tags); diff != "" {
			t.Errorf("references: -want +got\n%s", diff)
		}
	})
}
