package ingest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/store"
)

func TestOnlyAcceptedTokensMayWrite(t *testing.T) {
	t.Parallel()
	settings := ingest.Settings{Tokens: []ingest.TokenHash{hash("old-secret"), hash("new-secret")}}
	for name, c := range map[string]struct {
		settings      ingest.Settings
		query, header string
		refused       string // outcome; empty: accepted
	}{
		"none":                         {settings: settings, refused: "no_token"},
		"wrong":                        {settings: settings, header: "Bearer third-secret", refused: "wrong_token"},
		"wrong in the query":           {settings: settings, query: "?token=third-secret", refused: "wrong_token"},
		"beginning of one":             {settings: settings, header: "Bearer new-secre", refused: "wrong_token"},
		"hash in place of a token":     {settings: settings, header: fmt.Sprintf("Bearer %x", hash("new-secret")), refused: "wrong_token"},
		"empty":                        {settings: settings, query: "?token=", header: "Bearer ", refused: "no_token"},
		"of another scheme":            {settings: settings, header: "Basic new-secret", refused: "no_token"},
		"without a scheme":             {settings: settings, header: "new-secret", refused: "no_token"},
		"first":                        {settings: settings, header: "Bearer old-secret"},
		"second":                       {settings: settings, header: "Bearer new-secret"},
		"scheme in lower case":         {settings: settings, header: "bearer new-secret"},
		"blanks around it":             {settings: settings, header: "Bearer  new-secret "},
		"in the query":                 {settings: settings, query: "?token=new-secret"},
		"in the query, basic beside":   {settings: settings, query: "?token=new-secret", header: "Basic x"},
		"wrong query, basic beside":    {settings: settings, query: "?token=third-secret", header: "Basic x", refused: "wrong_token"},
		"right query, wrong header":    {settings: settings, query: "?token=new-secret", header: "Bearer third-secret", refused: "wrong_token"},
		"none configured":              {settings: ingest.Settings{}, header: "Bearer new-secret", refused: "wrong_token"},
		"none configured, none given":  {settings: ingest.Settings{}, refused: "no_token"},
		"none configured, empty given": {settings: ingest.Settings{}, query: "?token=", refused: "no_token"},
		"empty one configured":         {settings: ingest.Settings{Tokens: []ingest.TokenHash{hash("")}}, query: "?token=%20", refused: "no_token"},
		"none needed":                  {settings: anyone},
		"none needed, one given":       {settings: anyone, header: "Bearer new-secret"},
		"none needed but configured":   {settings: ingest.Settings{Tokens: settings.Tokens, WithoutToken: true}, refused: "no_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openBolt(t)
			s := newServer(c.settings, db)
			// The token is looked at before the body.
			for _, body := range []string{push, "not JSON", strings.Repeat(" ", 2<<20)} {
				r := httptest.NewRequest("POST", "/api/azurehook"+c.query, strings.NewReader(body))
				if c.header != "" {
					r.Header.Set("Authorization", c.header)
				}
				w := s.serve(r)
				if c.refused == "" && w.Code == 401 {
					t.Errorf("status 401 for the body %.20q, want another", body)
				}
				if c.refused != "" {
					wantAnswer(t, fmt.Sprintf("POST %.20q", body), w, 401, "Unauthorized")
				}
			}
			if _, err := pick(t, db, "wash"); (err == nil) != (c.refused == "") {
				t.Errorf("Pick(wash): %v, want that it is stored: %t", err, c.refused == "")
			}
			for _, line := range s.lines(t, "request") {
				if got := line["outcome"]; c.refused != "" && got != c.refused {
					t.Errorf("outcome = %v, want %s", got, c.refused)
				}
			}
			if strings.Contains(s.log.String(), "secre") {
				t.Errorf("the token is in the log: %s", s.log)
			}
		})
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

func TestEveryWriteNeedsATokenBeforeItsBodyIsRead(t *testing.T) {
	t.Parallel()
	for route, c := range writes {
		method, _, _ := strings.Cut(route, " ")
		db := &recorder{}
		s := newServer(ingest.Settings{Tokens: []ingest.TokenHash{hash("token")}}, db)
		wantAnswer(t, route+" without a token", s.serve(httptest.NewRequest(method, c.target, unread{t})), 401, "Unauthorized")
		if len(db.events) > 0 {
			t.Errorf("%s without a token stored %v", route, db.events)
		}
		r := httptest.NewRequest(method, c.target, strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer token")
		if w := s.serve(r); w.Code >= 300 || len(db.events) != 1 {
			t.Errorf("%s with a token = %d %q and %d events stored, want 1", route, w.Code, w.Body, len(db.events))
		}
	}
}

// TestOnlyAllowedRegistriesMayBeWritten holds for pushes and deletes alike: a
// sender with a token could empty another registry's repositories.
func TestOnlyAllowedRegistriesMayBeWritten(t *testing.T) {
	t.Parallel()
	settings := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"a.azurecr.io", "wasmcloud.azurecr.io"}}
	const refused = "Registry evil.azurecr.io is not allowed"
	wholeRepository := deletion(`,"digest":"`+digest+`"`, "", "wasmcloud", "evil")
	for name, c := range map[string]struct {
		method, target, body string
		text                 string
	}{
		"push":                   {method: "POST", target: "/api/azurehook", body: change("wasmcloud", "Evil"), text: refused},
		"delete of a digest":     {method: "POST", target: "/api/azurehook", body: deletion("wasmcloud", "evil"), text: refused},
		"delete of a tag":        {method: "POST", target: "/api/azurehook", body: change(`"push"`, `"delete"`, `,"digest":"`+digest+`"`, "", "wasmcloud", "evil"), text: refused},
		"delete of a repository": {method: "POST", target: "/api/azurehook", body: wholeRepository, text: refused},
		"batch":                  {method: "POST", target: "/api/azurehook", body: batch(change("wasmcloud", "evil"), wholeRepository), text: refused + "\n" + refused},
		"push by hand":           {method: "PUT", target: "/api/references/evil.azurecr.io/wash:0.18.1", text: refused},
		"push by hand, port":     {method: "PUT", target: "/api/references/wasmcloud.azurecr.io:443/wash:0.18.1", text: "Registry wasmcloud.azurecr.io:443 is not allowed"},
		"delete by hand":         {method: "DELETE", target: "/api/references/evil.azurecr.io/wash:0.18.1", text: refused},
		"delete under a name":    {method: "DELETE", target: "/api/references/evil.azurecr.io/wash:0.18.1?name=wash", text: refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := &recorder{}
			wantAnswer(t, c.method+" "+c.body, newServer(settings, db).do(c.method, c.target, c.body), 403, c.text)
			if len(db.events) > 0 {
				t.Errorf("stored %v, want nothing", db.events)
			}
		})
	}

	t.Run("good events beside bad ones", func(t *testing.T) {
		t.Parallel()
		db := openBolt(t)
		newServer(anyone, db).post(batch(change("wasmcloud", "evil"), push))
		w := newServer(settings, db).post(batch(wholeRepository, change("0.18.1", "0.18.2", "14:56", "15:56")))
		wantAnswer(t, "the batch", w, 200, refused+"\nUrl wasmcloud.azurecr.io/wash:0.18.2 stored for wash")
		wantPick(t, db, "evil.azurecr.io/wash", "evil.azurecr.io/wash:0.18.1")
		wantPick(t, db, "wash", "wasmcloud.azurecr.io/wash:0.18.2")
	})
	t.Run("allowed", func(t *testing.T) {
		t.Parallel()
		db := openBolt(t)
		s := newServer(settings, db)
		wantAnswer(t, "a push", s.post(change("wasmcloud", "WASMCLOUD")), 200, pushed)
		wantAnswer(t, "a delete", s.post(deletion("wasmcloud", "WASMCLOUD")), 200, "Deleted 1 reference of wash")
		if _, err := pick(t, db, "wash"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Pick(wash): %v, want that it is deleted", err)
		}
	})
	t.Run("a category is of any registry", func(t *testing.T) {
		t.Parallel()
		w := newServer(settings, &recorder{}).do("PUT", "/api/categories/official/evil.azurecr.io/wash", "")
		wantAnswer(t, "PUT", w, 204, "")
	})
}
