package ingest_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/store"
)

func TestReferencesByHand(t *testing.T) {
	db := openBolt(t)
	s := newServer(ingest.Settings{Tokens: []ingest.TokenHash{hash("token")}, AllowedRegistries: []string{"ghcr.io"}}, db)
	want := func(method, target, body string, status int, text string) {
		t.Helper()
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer token")
		if w := s.do(r); w.Code != status || w.Body.String() != text {
			t.Errorf("%s %s %s = %d %q, want %d %q", method, target, body, w.Code, w.Body, status, text)
		}
	}
	pick := func(name, ref string) store.Push {
		t.Helper()
		p, err := db.Pick(t.Context(), store.Query{Name: name})
		if ref == "" && !errors.Is(err, store.ErrNotFound) || ref != "" && p.Reference.String() != ref {
			t.Errorf("Pick(%s) = %s, %v, want %s", name, p.Reference, err, ref)
		}
		return p
	}
	const path = "/api/references/ghcr.io/acme/app:1.2.3"
	const ref = "ghcr.io/acme/app:1.2.3"

	before := time.Now()
	want("PUT", path, "", 200, "Url "+ref+" stored for acme/app")
	if p := pick("acme/app", ref); p.PushedAt.Before(before) || p.PushedAt.After(time.Now()) || p.Digest != "" || p.Size != store.UnknownSize {
		t.Errorf("recorded %+v", p)
	}
	pick("ghcr.io/acme/app", ref)
	want("DELETE", path, "", 200, "Deleted 1 reference of acme/app")
	want("DELETE", path, "", 200, "Deleted 0 references of acme/app")
	pick("acme/app", "")

	want("PUT", path, `{"name":"app","digest":"`+digest+`","pushedAt":"2023-07-03T14:56:52+02:00","other":1}`, 200, "Url "+ref+" stored for app")
	if p := pick("app", ref); p.Digest != digest || !p.PushedAt.Equal(time.Date(2023, 7, 3, 12, 56, 52, 0, time.UTC)) || p.Name != "app" {
		t.Errorf("recorded %+v", p)
	}
	pick("acme/app", "")
	want("DELETE", path, "", 200, "Deleted 0 references of acme/app")
	pick("app", ref)
	want("DELETE", path+"?name=app", "", 200, "Deleted 1 reference of app")
	pick("app", "")

	// A name that it has anyway is none of its own.
	want("PUT", path, `{"name":"acme/app","pushedAt":null}`, 200, "Url "+ref+" stored for acme/app")
	want("DELETE", path+"?name=ghcr.io/acme/app", "", 200, "Deleted 1 reference of acme/app")

	for body, text := range map[string]string{
		"x":                                   "the body is not a JSON object",
		"[]":                                  "the body is not a JSON object",
		" null ":                              "the body is not a JSON object",
		`{"name":1}`:                          "name is not a string",
		`{"name":"A"}`:                        `name: repository "A" is not an OCI name`,
		`{"name":""}`:                         `name: repository "" is not an OCI name`,
		`{"digest":"x"}`:                      `digest: digest "x" is not an OCI digest`,
		`{"pushedAt":"yesterday"}`:            `pushedAt: "yesterday" is not an RFC 3339 time`,
		`{"pushedAt":7}`:                      "pushedAt is not a string",
		`{"pushedAt":"9999-01-01T00:00:00Z"}`: `pushedAt: "9999-01-01T00:00:00Z" is more than 5m0s in the future`,
		strings.Repeat(" ", 1<<20) + `{}`:     "The body is larger than 1048576 bytes",
	} {
		r := httptest.NewRequest("PUT", path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer token")
		if w := s.do(r); w.Code != 400 && w.Code != 413 || !strings.HasPrefix(w.Body.String(), text) {
			t.Errorf("PUT %.60s = %d %q, want %q", body, w.Code, w.Body, text)
		}
	}
	want("PUT", "/api/references/ghcr.io/acme/app", "", 400, `reference "ghcr.io/acme/app" has no tag: want registry/repository:tag`)
	want("PUT", "/api/references/app:1", "", 400, `reference "app:1" has no registry: want registry/repository:tag`)
	want("PUT", "/api/references/evil.io/app:1", "", 403, "Registry evil.io is not allowed")
	want("DELETE", "/api/references/evil.io/app:1", "", 403, "Registry evil.io is not allowed")
	want("POST", path, "", 404, `{"message":"Not Found"}`)
	pick("acme/app", "")

	for _, method := range []string{"PUT", "DELETE"} {
		if w := s.do(httptest.NewRequest(method, path, nil)); w.Code != 401 {
			t.Errorf("%s without a token: %d", method, w.Code)
		}
	}
}

func TestReferencesByHandWithoutStore(t *testing.T) {
	s := newServer(anyone, broken{errors.New("planted")})
	for _, method := range []string{"PUT", "DELETE"} {
		w := s.do(httptest.NewRequest(method, "/api/references/ghcr.io/acme/app:1.2.3", nil))
		if w.Code != 500 || w.Body.String() != "Failed to store url" {
			t.Errorf("%s = %d %q", method, w.Code, w.Body)
		}
	}
	if line := s.lines(t)[0]; line["err"] != "planted" || line["reference"] != "ghcr.io/acme/app:1.2.3" || line["outcome"] != "store_failed" {
		t.Errorf("log = %v", line)
	}
}
