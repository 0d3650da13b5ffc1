package ingest_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/ingest"
)

func TestCategories(t *testing.T) {
	db := openBolt(t)
	s := newServer(ingest.Settings{Tokens: []ingest.TokenHash{hash("token")}}, db)
	longest := strings.Repeat("a", 63)
	for _, c := range []struct {
		method, path string
		status       int
		text         string
		members      []string // afterwards
	}{
		{"PUT", "official/wash", 204, "", []string{"official/wash"}},
		{"PUT", "official/wash", 204, "", []string{"official/wash"}},
		{"PUT", "official/Acme.azurecr.io:443/team/app", 204, "", []string{"official/acme.azurecr.io:443/team/app", "official/wash"}},
		{"DELETE", "official/acme.azurecr.io:443/team/app", 204, "", []string{"official/wash"}},
		{"DELETE", "official/never-there", 204, "", []string{"official/wash"}},
		{"DELETE", "official/wash", 204, "", nil},
		{"PUT", "official/wash", 204, "", []string{"official/wash"}},
		{"PUT", longest + "/a", 204, "", []string{longest + "/a", "official/wash"}},
		{"DELETE", longest + "/a", 204, "", []string{"official/wash"}},
		{"PUT", longest + "a/a", 400, `category "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is not 1 to 63 lower-case letters, digits and hyphens`, []string{"official/wash"}},
		{"PUT", "Official/wash", 400, `category "Official" is not 1 to 63 lower-case letters, digits and hyphens`, []string{"official/wash"}},
		{"DELETE", "a_b/wash", 400, `category "a_b" is not 1 to 63 lower-case letters, digits and hyphens`, []string{"official/wash"}},
		{"PUT", "official/wash:1", 400, "", []string{"official/wash"}},
		{"DELETE", "official/Not%20a%20name", 400, "", []string{"official/wash"}},
		{"PUT", "official", 404, "", []string{"official/wash"}},
	} {
		r := httptest.NewRequest(c.method, "/api/categories/"+c.path, nil)
		r.Header.Set("Authorization", "Bearer token")
		w := s.do(r)
		if w.Code != c.status || c.text != "" && w.Body.String() != c.text || c.status == 400 && w.Body.Len() == 0 {
			t.Errorf("%s %s = %d %q, want %d %q", c.method, c.path, w.Code, w.Body, c.status, c.text)
		}
		if c.status == 204 && (w.Body.Len() > 0 || w.Header().Get("Content-Type") != "") {
			t.Errorf("%s %s: 204 with %q of type %q", c.method, c.path, w.Body, w.Header().Get("Content-Type"))
		}
		members, err := db.Members(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range members {
			got = append(got, m.Category+"/"+m.Name)
		}
		if diff := cmp.Diff(c.members, got); diff != "" {
			t.Errorf("members after %s %s: -want +got\n%s", c.method, c.path, diff)
		}
	}
	for _, method := range []string{"PUT", "DELETE"} {
		if w := s.do(httptest.NewRequest(method, "/api/categories/official/other", nil)); w.Code != 401 {
			t.Errorf("%s without a token: %d", method, w.Code)
		}
	}
	s = newServer(ingest.Settings{WithoutToken: true}, broken{errors.New("planted")})
	if w := s.do(httptest.NewRequest("PUT", "/api/categories/official/wash", nil)); w.Code != 500 || w.Body.String() != "Failed to store wash in official" {
		t.Errorf("with a failing store: %d %q", w.Code, w.Body)
	}
}
