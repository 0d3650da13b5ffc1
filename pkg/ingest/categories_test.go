package ingest_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/store"
)

func members(t *testing.T, db store.Reader) (all []string) {
	t.Helper()
	found, err := db.Members(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range found {
		all = append(all, m.Category+"/"+m.Name.String())
	}
	return all
}

// TestCategoriesHoldTheNamesPutIntoThem makes a list of changes in turn.
func TestCategoriesHoldTheNamesPutIntoThem(t *testing.T) {
	t.Parallel()
	db := openBolt(t)
	s := newServer(anyone, db)
	longest := strings.Repeat("a", 63)
	for _, c := range []struct {
		method, path string
		members      []string // members after the change
	}{
		{method: "PUT", path: "official/wash", members: []string{"official/wash"}},
		{method: "PUT", path: "official/wash", members: []string{"official/wash"}},
		{method: "PUT", path: "official/Acme.azurecr.io:443/team/app", members: []string{"official/acme.azurecr.io:443/team/app", "official/wash"}},
		{method: "DELETE", path: "official/acme.azurecr.io:443/team/app", members: []string{"official/wash"}},
		{method: "DELETE", path: "official/never-there", members: []string{"official/wash"}},
		{method: "DELETE", path: "official/wash", members: nil},
		{method: "PUT", path: "official/wash", members: []string{"official/wash"}},
		{method: "PUT", path: longest + "/a", members: []string{longest + "/a", "official/wash"}},
		{method: "DELETE", path: longest + "/a", members: []string{"official/wash"}},
	} {
		wantAnswer(t, c.method+" "+c.path, s.do(c.method, "/api/categories/"+c.path, ""), 204, "")
		if diff := cmp.Diff(c.members, members(t, db)); diff != "" {
			t.Errorf("members after %s %s: -want +got\n%s", c.method, c.path, diff)
		}
	}
}

func TestBadCategoriesAndNamesAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path string
		status       int
		text         string // beginning of the answer
	}{
		"too long":              {method: "PUT", path: strings.Repeat("a", 64) + "/a", status: 400, text: `category "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is not 1 to 63 lower-case letters, digits and hyphens`},
		"in upper case":         {method: "PUT", path: "Official/wash", status: 400, text: `category "Official" is not 1 to 63`},
		"delete from malformed": {method: "DELETE", path: "a_b/wash", status: 400, text: `category "a_b" is not 1 to 63`},
		"reference":             {method: "PUT", path: "official/wash:1", status: 400, text: `repository "wash:1" is not an OCI name`},
		"malformed name":        {method: "DELETE", path: "official/Not%20a%20name", status: 400, text: `repository "Not a name" is not an OCI name`},
		"malformed registry":    {method: "PUT", path: "official/-.io/wash", status: 400, text: `registry "-.io" is not a host`},
		"no name":               {method: "PUT", path: "official", status: 404, text: `{"message":"Not Found"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := &recorder{}
			w := newServer(anyone, db).do(c.method, "/api/categories/"+c.path, "")
			if w.Code != c.status || !strings.HasPrefix(w.Body.String(), c.text) {
				t.Errorf("%s %s = %d %q, want %d %q", c.method, c.path, w.Code, w.Body, c.status, c.text)
			}
			if len(db.events) > 0 {
				t.Errorf("stored %v, want nothing", db.events)
			}
		})
	}
}

func TestFailureToStoreAMemberNamesIt(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{
		"PUT":    "Failed to store acme.azurecr.io/wash in official",
		"DELETE": "Failed to remove acme.azurecr.io/wash from official",
	} {
		w := newServer(anyone, broken).do(method, "/api/categories/official/acme.azurecr.io/wash", "")
		wantAnswer(t, method, w, 500, want)
	}
}

func TestBodyOfAMemberIsIgnored(t *testing.T) {
	t.Parallel()
	s := newServer(ingest.Settings{WithoutToken: true}, &recorder{})
	wantAnswer(t, "PUT", s.serve(httptest.NewRequest("PUT", official, strings.NewReader("not JSON"))), 204, "")
}
