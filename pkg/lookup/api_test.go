package lookup_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/openapi"
	"ocireffer/pkg/store"
)

const unknownJSON = `{"error":"Provider not yet published"}`

func TestRepositoriesJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := handlerOf(t, db)
		wantAnswer(t, h, "/api/repositories", 200, typeJSON, `{"repositories":[]}`)
		full := pushOf("a.azurecr.io/wash:v1.0", time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC))
		full.Digest = "sha256:" + fmt.Sprintf("%064d", 1)
		push(t, db,
			pushOf("b.azurecr.io/wash:latest", time.Date(2023, 7, 2, 0, 0, 0, 0, time.UTC)), full,
			pushOf("a.azurecr.io/team/app:x", time.Date(2023, 7, 4, 0, 0, 0, 0, time.UTC)))
		app := `{"name":"team/app","registry":"a.azurecr.io","reference":"a.azurecr.io/team/app:x","tag":"x","pushedAt":"2023-07-04T00:00:00Z"}`
		wash := `{"name":"wash","registry":"a.azurecr.io","reference":"a.azurecr.io/wash:v1.0","tag":"v1.0",` +
			`"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000001","pushedAt":"2023-07-03T14:56:52.0604218Z","version":"1.0","highest":"a.azurecr.io/wash:v1.0"}`
		wantAnswer(t, h, "/api/repositories", 200, typeJSON, `{"repositories":[`+app+`,`+wash+`]}`)
		wantAnswer(t, h, "/api/repositories?limit=&next=", 200, typeJSON, `{"repositories":[`+app+`,`+wash+`]}`)
		first := `{"repositories":[` + app + `],"next":"`
		if got := get(t, h, "/api/repositories?limit=&limit=1&limit=x"); !strings.HasPrefix(got, first) {
			t.Errorf("GET /api/repositories?limit=&limit=1&limit=x = %s, want %s…", got, first)
		}
	})
}

func TestReferencesJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := handlerOf(t, db)
		wantAnswer(t, h, "/api/repositories/wash", 404, typeJSON, unknownJSON)
		full := pushOf("a.azurecr.io/wash:v1.0", time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC))
		full.Digest, full.MediaType, full.Size = "sha256:"+fmt.Sprintf("%064d", 1), "application/vnd.a&b+json", 0
		push(t, db, full, pushOf("b.azurecr.io/wash:latest", time.Date(2023, 7, 4, 0, 0, 0, 0, time.UTC)))
		latest := `{"reference":"b.azurecr.io/wash:latest","registry":"b.azurecr.io","tag":"latest","pushedAt":"2023-07-04T00:00:00Z"}`
		v1 := `{"reference":"a.azurecr.io/wash:v1.0","registry":"a.azurecr.io","tag":"v1.0","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000001",` +
			`"mediaType":"application/vnd.a&b+json","size":0,"pushedAt":"2023-07-03T14:56:52.0604218Z","version":"1.0"}`
		wantAnswer(t, h, "/api/repositories/wash", 200, typeJSON, `{"name":"wash","references":[`+latest+`,`+v1+`]}`)
		wantAnswer(t, h, "/api/repositories/B.azurecr.io/wash/", 200, typeJSON, `{"name":"b.azurecr.io/wash","references":[`+latest+`]}`)
		wantAnswer(t, h, "/api/repositories/c.azurecr.io/wash", 404, typeJSON, unknownJSON)
		wantAnswer(t, h, "/api/repositories/Not%20a%20name", 404, typeJSON, unknownJSON)
		first := `{"name":"wash","references":[` + latest + `],"next":"`
		if got := get(t, h, "/api/repositories/wash?limit=1"); !strings.HasPrefix(got, first) {
			t.Errorf("GET /api/repositories/wash?limit=1 = %s, want %s…", got, first)
		}
	})
}

// TestListOfReferencesIsOneRead, also for a name that has none. A page needs one more for
// the curated lists, which are not held here. A name whose references all fail the filter
// needs one more, too, to show that it exists.
func TestListOfReferencesIsOneRead(t *testing.T) {
	t.Parallel()
	db := open(t, "a.azurecr.io/wash:1")
	for target, want := range map[string]int{
		"/api/repositories/wash":                  1,
		"/api/repositories/nothing":               1,
		"/api/repositories/wash?tag=1":            1,
		"/api/repositories/wash?tag=2":            2,
		"/wash?format=atom":                       1,
		"/nothing?format=atom":                    1,
		"/wash?format=atom&tag=2":                 2,
		"/wash?format=html":                       2,
		"/wash?format=html&sort=semver&tag=*":     2,
		"/wash?format=html&tag=2":                 2,
		"/nothing?format=html":                    1,
		"/nothing?format=html&tag=2":              2,
		"/wash?format=html&next=" + tokenOf("19"): 1,
	} {
		spy := &spy{Reader: db}
		do(handlerOf(t, spy), "GET", target)
		if spy.reads != want {
			t.Errorf("GET %s reads the store %d times, want %d", target, spy.reads, want)
		}
	}
}

// TestReferencesMayEndEarly: the references behind a page may be deleted before a reader
// asks for them. Only a name without any references is unknown.
func TestReferencesMayEndEarly(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		push(t, db, pushOf("a.azurecr.io/wash:1", time.Unix(1, 0)), pushOf("a.azurecr.io/wash:2", time.Unix(2, 0)))
		h := handlerOf(t, db)
		var page struct{ Next string }
		if err := json.Unmarshal([]byte(get(t, h, "/api/repositories/wash?limit=1")), &page); err != nil {
			t.Fatal(err)
		}
		api, html := "/api/repositories/wash?next="+page.Next, "/wash?format=html&next="+page.Next

		deleteTag(t, db, "a.azurecr.io/wash:1")
		wantAnswer(t, h, api, 200, typeJSON, `{"name":"wash","references":[]}`)
		wantTexts(t, h, html, 200, "There are no older ones.")

		deleteTag(t, db, "a.azurecr.io/wash:2")
		wantAnswer(t, h, api, 404, typeJSON, unknownJSON)
		wantTexts(t, h, html, 404, "Repository not found")
	})
}

func TestCategoriesJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := handlerOf(t, db)
		const none = `{"error":"No such category"}`
		wantAnswer(t, h, "/api/categories", 200, typeJSON, `{"categories":[]}`)
		wantAnswer(t, h, "/api/categories/official", 404, typeJSON, none)
		wantAnswer(t, h, "/api/categories/Official", 404, typeJSON, none)

		push(t, db, pushOf("a.azurecr.io/wash:v1.0", time.Unix(0, 0)), pushOf("b.azurecr.io/wash:latest", time.Unix(0, 1)))
		categorize(t, db, "official", "wash", "a.azurecr.io/wash", "soon")
		categorize(t, db, "apps", "soon")
		wantAnswer(t, h, "/api/categories", 200, typeJSON, `{"categories":["apps","official"]}`)
		wantAnswer(t, h, "/api/categories/official", 200, typeJSON, `{"category":"official","repositories":[`+
			`{"name":"a.azurecr.io/wash","registry":"a.azurecr.io","reference":"a.azurecr.io/wash:v1.0","tag":"v1.0","pushedAt":"1970-01-01T00:00:00Z","version":"1.0","highest":"a.azurecr.io/wash:v1.0"},`+
			`{"name":"soon"},`+
			`{"name":"wash","registry":"b.azurecr.io","reference":"b.azurecr.io/wash:latest","tag":"latest","pushedAt":"1970-01-01T00:00:00.000000001Z","version":"1.0","highest":"a.azurecr.io/wash:v1.0"}]}`)
		wantAnswer(t, h, "/api/categories/apps", 200, typeJSON, `{"category":"apps","repositories":[{"name":"soon"}]}`)

		removed := event.Membership{Member: event.Member{Category: "apps", Name: parseName("soon")}, Removed: true, At: time.Unix(1, 0).UTC()}
		if err := db.Categorize(t.Context(), removed); err != nil {
			t.Fatal(err)
		}
		wantAnswer(t, h, "/api/categories", 200, typeJSON, `{"categories":["official"]}`)
		wantAnswer(t, h, "/api/categories/apps", 404, typeJSON, none)
		// With a final slash, it is a name.
		wantAnswer(t, h, "/api/categories/apps/", 200, typeJSON, unknown)
	})
}

// TestBadCategoryIsNotFoundWithoutARead: no category can have such a name.
func TestBadCategoryIsNotFoundWithoutARead(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/api/categories/Official", "/?category=Official"} {
		spy := &spy{Reader: stub{}}
		if w := do(handlerOf(t, spy), "GET", target); w.Code != 404 {
			t.Errorf("GET %s: status %d, want 404", target, w.Code)
		}
		if spy.reads > 0 {
			t.Errorf("GET %s reads the store", target)
		}
	}
}

func TestDescriptionIsSentAsItIs(t *testing.T) {
	t.Parallel()
	wantAnswer(t, handlerOf(t, stub{}), "/api/openapi.json", 200, typeJSON, openapi.Document)
}

// TestPagesAreStableWhilePushesArrive: a reader of all pages sees every item that existed
// from the beginning once.
func TestPagesAreStableWhilePushesArrive(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		pushTag := func(name string, tag any, second int) {
			push(t, db, pushOf(fmt.Sprintf("a.azurecr.io/%s:%v", name, tag), time.Unix(int64(second), 0)))
		}
		want := []string{"many"}
		for i := range 10 {
			name := fmt.Sprintf("r%d", i)
			want = append(want, name)
			pushTag(name, 1, i)
			pushTag("many", i, i)
		}
		h := handlerOf(t, db)

		names := readAll(t, h, "/api/repositories?limit=3", func(page int) {
			pushTag("a-new-one", 1, 100+page) // before the pages that were read
			pushTag("r9", fmt.Sprint("new", page), 100+page)
		})
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("repositories: -want +got\n%s", diff)
		}

		tags := readAll(t, h, "/api/repositories/many?limit=4", func(page int) {
			pushTag("many", fmt.Sprint("new", page), 100+page)
		})
		if diff := cmp.Diff([]string{"9", "8", "7", "6", "5", "4", "3", "2", "1", "0"}, tags); diff != "" {
			t.Errorf("references: -want +got\n%s", diff)
		}
	})
}
