package ingest_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/store"
	"ocireffer/pkg/webhook/webhooktest"
)

func TestOnlyAcceptedTokensMayWrite(t *testing.T) {
	t.Parallel()
	settings := ingest.Settings{Tokens: []ingest.TokenHash{hash("old-secret"), hash("new-secret")}}
	for name, c := range map[string]struct {
		settings      ingest.Settings
		query, header string
		signature     string
		refused       string // wanted outcome; empty: accepted
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
		"right query, wrong header":    {settings: settings, query: "?token=new-secret", header: "Bearer third-secret"},
		"right header, wrong query":    {settings: settings, query: "?token=third-secret", header: "Bearer new-secret"},
		"both wrong":                   {settings: settings, query: "?token=third-secret", header: "Bearer fourth-secret", refused: "wrong_token"},
		"password":                     {settings: settings, header: basic("x:new-secret")},
		"password of nobody":           {settings: settings, header: basic(":old-secret")},
		"password, scheme in capitals": {settings: settings, header: strings.Replace(basic("x:new-secret"), "Basic", "BASIC", 1)},
		"wrong password":               {settings: settings, header: basic("x:third-secret"), refused: "wrong_token"},
		"no password":                  {settings: settings, header: basic("new-secret"), refused: "no_token"},
		"empty password":               {settings: settings, header: basic("new-secret:"), refused: "no_token"},
		"user name":                    {settings: settings, header: basic("new-secret:x"), refused: "wrong_token"},
		"password that has a colon":    {settings: settings, header: basic("x:y:new-secret"), refused: "wrong_token"},
		"right query, wrong password":  {settings: settings, query: "?token=new-secret", header: basic("x:third-secret")},
		"token as a signature's key":   {settings: settings, signature: signature(push, "new-secret"), refused: "no_token"},
		"hash as a signature's key":    {settings: settings, signature: signature(push, fmt.Sprintf("%x", hash("new-secret"))), refused: "no_token"},
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
			// The token is checked before the body.
			for _, body := range []string{push, "not JSON", strings.Repeat(" ", 2<<20)} {
				r := httptest.NewRequest("POST", "/api/azurehook"+c.query, strings.NewReader(body))
				if c.header != "" {
					r.Header.Set("Authorization", c.header)
				}
				if c.signature != "" {
					r.Header.Set("X-Hub-Signature-256", c.signature)
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
				t.Errorf("Pick(wash): %v, want it stored: %t", err, c.refused == "")
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

// basic returns a header with Basic authentication.
func basic(userAndPassword string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userAndPassword))
}

// signature returns the header that GitHub sends as the signature of a body.
func signature(body, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return fmt.Sprintf("sha256=%x", mac.Sum(nil))
}

// TestSignaturesOfOthersAreAccepted: one is from GitHub's documentation, others were made
// with openssl.
func TestSignaturesOfOthersAreAccepted(t *testing.T) {
	t.Parallel()
	settings := ingest.Settings{Secrets: []string{"other", "It's a Secret to Everybody", webhooktest.Secret}}
	send := func(body, signature string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/api/webhook", strings.NewReader(body))
		r.Header.Set("X-Hub-Signature-256", signature)
		return newServer(settings, &recorder{}).serve(r)
	}
	const documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	wantAnswer(t, "GitHub's example", send("Hello, World!", documented), 400, "Webhook payload did not contain required fields: the body is not JSON")
	wantAnswer(t, "another body", send("Hello, World?", documented), 401, "Unauthorized")
	signed := 0
	for _, s := range webhooktest.Samples(t) {
		if s.Signature == "" {
			continue
		}
		signed++
		if w := send(string(s.Body), s.Signature); w.Code != s.Status {
			t.Errorf("%s = %d %q, want %d", s.File, w.Code, w.Body, s.Status)
		}
		wantAnswer(t, s.File+" with a blank more", send(string(s.Body)+" ", s.Signature), 401, "Unauthorized")
	}
	if signed < 10 {
		t.Errorf("%d samples are signed, want those of GitHub and Gitea", signed)
	}
}

func TestOnlySignedBodiesMayWrite(t *testing.T) {
	t.Parallel()
	both := ingest.Settings{Tokens: []ingest.TokenHash{hash("token")}, Secrets: []string{"old", "new"}}
	const large = 1<<20 + 1
	for name, c := range map[string]struct {
		settings         ingest.Settings
		header, body     string
		signature, token string
		refused          string // wanted outcome; empty: accepted
	}{
		"by the first secret":   {settings: both, signature: signature(push, "old")},
		"by the second secret":  {settings: both, signature: signature(push, "new")},
		"by secrets alone":      {settings: ingest.Settings{Secrets: []string{"new"}}, signature: signature(push, "new")},
		"digits in capitals":    {settings: both, signature: "sha256=" + strings.ToUpper(signature(push, "new")[7:])},
		"beside a right token":  {settings: both, token: "token", signature: "sha256=00"},
		"beside a wrong token":  {settings: both, token: "third", signature: signature(push, "new")},
		"on a loopback address": {settings: ingest.Settings{Secrets: []string{"new"}, WithoutToken: true}, refused: "no_token"},
		"signed there":          {settings: ingest.Settings{Secrets: []string{"new"}, WithoutToken: true}, signature: signature(push, "new")},
		"by another secret":     {settings: both, signature: signature(push, "third"), refused: "wrong_token"},
		"of another body":       {settings: both, signature: signature("x", "new"), refused: "wrong_token"},
		"shortened":             {settings: both, signature: signature(push, "new")[:70], refused: "wrong_token"},
		"without its algorithm": {settings: both, signature: signature(push, "new")[7:], refused: "wrong_token"},
		"by another algorithm":  {settings: both, signature: "sha1=" + signature(push, "new")[7:], refused: "wrong_token"},
		"no digits":             {settings: both, signature: "sha256=xyz", refused: "wrong_token"},
		"empty sum":             {settings: both, signature: "sha256=", refused: "wrong_token"},
		"empty":                 {settings: both, refused: "no_token"},
		"in another header":     {settings: both, header: "X-Hub-Signature", signature: signature(push, "new"), refused: "no_token"},
		"of a body over 1 MiB":  {settings: both, body: strings.Repeat(" ", large), signature: signature(strings.Repeat(" ", large), "new"), refused: "wrong_token"},
		"no secret configured":  {settings: ingest.Settings{Tokens: both.Tokens}, signature: signature(push, "new"), refused: "no_token"},
		"nothing configured":    {settings: ingest.Settings{}, signature: signature(push, ""), refused: "no_token"},
		"secret as a token":     {settings: both, token: "new", refused: "wrong_token"},
		"token as a secret":     {settings: both, signature: signature(push, "token"), refused: "wrong_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := &recorder{}
			s := newServer(c.settings, db)
			r := httptest.NewRequest("POST", "/api/webhook", strings.NewReader(cmp.Or(c.body, push)))
			if c.signature != "" {
				r.Header.Set(cmp.Or(c.header, "X-Hub-Signature-256"), c.signature)
			}
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			w := s.serve(r)
			if c.refused == "" {
				wantAnswer(t, "POST", w, 200, pushed)
				return
			}
			wantAnswer(t, "POST", w, 401, "Unauthorized")
			if got := s.request(t)["outcome"]; got != c.refused || len(db.events) > 0 {
				t.Errorf("outcome = %v and %d events stored, want %s and none", got, len(db.events), c.refused)
			}
		})
	}
}

// TestSignatureAdmitsWebhooksAlone: a signature covers only the body, but a write by hand
// is in the method and path. Otherwise anyone who sees a signed webhook could write
// anything with its signature.
func TestSignatureAdmitsWebhooksAlone(t *testing.T) {
	t.Parallel()
	for route, c := range writes {
		method, _, _ := strings.Cut(route, " ")
		db := &recorder{}
		r := httptest.NewRequest(method, c.target, strings.NewReader(c.body))
		r.Header.Set("X-Hub-Signature-256", signature(c.body, "new"))
		w := newServer(ingest.Settings{Secrets: []string{"new"}}, db).serve(r)
		if method == "POST" && (w.Code != 200 || len(db.events) != 1) {
			t.Errorf("%s, signed = %d %q, want it stored", route, w.Code, w.Body)
		}
		if method != "POST" && (w.Code != 401 || len(db.events) > 0) {
			t.Errorf("%s, signed = %d %q, want 401", route, w.Code, w.Body)
		}
	}
}

// TestBodyIsReadForItsSignatureAlone: without a token, only a signed body is read, and no
// more than 1 MiB of it.
func TestBodyIsReadForItsSignatureAlone(t *testing.T) {
	t.Parallel()
	for _, settings := range []ingest.Settings{{}, {Tokens: []ingest.TokenHash{hash("token")}}} {
		r := httptest.NewRequest("POST", "/api/webhook", unread{t})
		r.Header.Set("X-Hub-Signature-256", signature(push, "x"))
		wantAnswer(t, "signed, without secrets", newServer(settings, broken).serve(r), 401, "Unauthorized")
	}
	body := &endless{}
	r := httptest.NewRequest("POST", "/api/webhook", body)
	r.Header.Set("X-Hub-Signature-256", signature(push, "x"))
	wantAnswer(t, "an endless body", newServer(ingest.Settings{Secrets: []string{"new"}}, broken).serve(r), 401, "Unauthorized")
	if body.read > 2<<20 {
		t.Errorf("%d bytes of the body were read, want little more than 1 MiB", body.read)
	}
}

// endless is a body that never ends.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	e.read += len(b)
	return len(b), nil
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
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

// TestOnlyAllowedRegistriesMayBeWritten: that applies to deletes, too. Otherwise a sender
// with a token could empty another registry's repositories.
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
			t.Errorf("Pick(wash): %v, want it deleted", err)
		}
	})
	t.Run("a category is of any registry", func(t *testing.T) {
		t.Parallel()
		w := newServer(settings, &recorder{}).do("PUT", "/api/categories/official/evil.azurecr.io/wash", "")
		wantAnswer(t, "PUT", w, 204, "")
	})
}
