package ingest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
)

func TestReferenceIsRecordedAndDeletedByHand(t *testing.T) {
	t.Parallel()
	const ref = "ghcr.io/acme/app:1.2.3"
	db := openBolt(t)
	s := newServer(anyone, db)

	wantAnswer(t, "PUT", s.do("PUT", byHand, ""), 200, "Url "+ref+" stored for acme/app")
	wantPick(t, db, "acme/app", ref)
	wantPick(t, db, "ghcr.io/acme/app", ref)
	wantAnswer(t, "DELETE", s.do("DELETE", byHand, ""), 200, "Deleted 1 reference of acme/app")
	wantAnswer(t, "DELETE again", s.do("DELETE", byHand, ""), 200, "Deleted 0 references of acme/app")
	wantPick(t, db, "acme/app", "")
	wantPick(t, db, "ghcr.io/acme/app", "")
}

func TestGivenNameReplacesTheOwnNames(t *testing.T) {
	t.Parallel()
	const ref = "ghcr.io/acme/app:1.2.3"
	db := openBolt(t)
	s := newServer(anyone, db)

	wantAnswer(t, "PUT", s.do("PUT", byHand, `{"name":"app"}`), 200, "Url "+ref+" stored for app")
	wantPick(t, db, "app", ref)
	wantPick(t, db, "acme/app", "")
	wantPick(t, db, "ghcr.io/acme/app", "")
	wantAnswer(t, "DELETE without the name", s.do("DELETE", byHand, ""), 200, "Deleted 0 references of acme/app")
	wantPick(t, db, "app", ref)
	wantAnswer(t, "DELETE with it", s.do("DELETE", byHand+"?name=app", ""), 200, "Deleted 1 reference of app")
	wantPick(t, db, "app", "")
}

func TestRepositoryAsGivenNameChangesNothing(t *testing.T) {
	t.Parallel()
	const ref = "ghcr.io/acme/app:1.2.3"
	db := openBolt(t)
	s := newServer(anyone, db)

	wantAnswer(t, "PUT", s.do("PUT", byHand, `{"name":"acme/app","pushedAt":null}`), 200, "Url "+ref+" stored for acme/app")
	wantPick(t, db, "ghcr.io/acme/app", ref)
	wantAnswer(t, "DELETE with an empty name", s.do("DELETE", byHand+"?name=", ""), 200, "Deleted 1 reference of acme/app")
	s.do("PUT", byHand, "")
	wantAnswer(t, "DELETE", s.do("DELETE", byHand+"?name=acme/app", ""), 200, "Deleted 1 reference of acme/app")
}

// TestDeleteByHandRemovesWhatIsDatedAhead: an event's time may be some minutes ahead of
// the clock, and the caller of the delete can see that event. A push after that time is
// shown again.
func TestDeleteByHandRemovesWhatIsDatedAhead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, query, listed string }{
		"own names":  {body: `{"pushedAt":"2026-01-02T03:08:05Z"}`, listed: "acme/app"},
		"given name": {body: `{"pushedAt":"2026-01-02T03:08:05Z","name":"app"}`, query: "?name=app", listed: "app"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at2026(t, func(t *testing.T, _ time.Time) {
				const ref = "ghcr.io/acme/app:1.2.3"
				db := openBolt(t)
				s := newServer(anyone, db)
				wantAnswer(t, "PUT, 4 minutes ahead", s.do("PUT", byHand, c.body), 200, "Url "+ref+" stored for "+c.listed)
				wantAnswer(t, "DELETE", s.do("DELETE", byHand+c.query, ""), 200, "Deleted 1 reference of "+c.listed)
				wantPick(t, db, c.listed, "")
				wantAnswer(t, "the same PUT, late", s.do("PUT", byHand, c.body), 200, "Url "+ref+" stored for "+c.listed)
				wantPick(t, db, c.listed, "")
				time.Sleep(4 * time.Minute)
				s.do("PUT", byHand, strings.Replace(c.body, "03:08:05", "03:08:06", 1))
				wantPick(t, db, c.listed, ref)
			})
		})
	}
}

// TestDeleteByHandIsDatedNowOrAsItsPush: an older push must not make the delete older.
func TestDeleteByHandIsDatedNowOrAsItsPush(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{
		"pushed before":   -time.Minute,
		"pushed just now": 0,
		"dated ahead":     4 * time.Minute,
		"dated in a year": 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at2026(t, func(t *testing.T, now time.Time) {
				db := &recorder{pushedAt: now.Add(ahead)}
				newServer(anyone, db).do("DELETE", byHand, "")
				target := event.Target{Registry: "ghcr.io", Repository: "acme/app", Tag: "1.2.3"}
				want := []event.Event{{Delete: &event.Delete{Target: target, DeletedAt: now.Add(max(ahead, 0)), ReceivedAt: now}}}
				if diff := cmp.Diff(want, db.events); diff != "" {
					t.Errorf("stored events: -want +got\n%s", diff)
				}
			})
		})
	}
}

// unreadable is a store that cannot tell when a reference was pushed.
type unreadable struct{ *recorder }

func (unreadable) PushedAt(context.Context, event.Target) (time.Time, error) {
	return time.Time{}, errors.New("planted")
}

func TestDeleteByHandNeedsToKnowThePush(t *testing.T) {
	t.Parallel()
	db := unreadable{&recorder{}}
	s := newServer(anyone, db)
	wantAnswer(t, "DELETE", s.do("DELETE", byHand, ""), 500, notStored)
	if line := s.request(t); line["err"] != "planted" || line["outcome"] != "store_failed" {
		t.Errorf("err %v, outcome %v, want planted, store_failed", line["err"], line["outcome"])
	}
	if len(db.events) > 0 {
		t.Errorf("stored %v, want nothing", db.events)
	}
	elsewhere := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"wasmcloud.azurecr.io"}}
	w := newServer(elsewhere, db).do("DELETE", byHand, "")
	wantAnswer(t, "DELETE of a registry that is not allowed, without a read", w, 403, "Registry ghcr.io is not allowed")
}

func TestBadRequestsByHandChangeNothing(t *testing.T) {
	t.Parallel()
	const notAnObject = "the body is not a JSON object"
	for name, c := range map[string]struct {
		method, target, body string
		status               int
		text                 string // beginning of the answer
	}{
		"not JSON":                   {method: "PUT", target: byHand, body: "x", status: 400, text: notAnObject},
		"array":                      {method: "PUT", target: byHand, body: "[]", status: 400, text: notAnObject},
		"null":                       {method: "PUT", target: byHand, body: " null ", status: 400, text: notAnObject},
		"two objects":                {method: "PUT", target: byHand, body: "{}{}", status: 400, text: notAnObject},
		"name of another type":       {method: "PUT", target: byHand, body: `{"name":1}`, status: 400, text: "name is not a string"},
		"malformed name":             {method: "PUT", target: byHand, body: `{"name":"A"}`, status: 400, text: `name: repository "A" is not an OCI name`},
		"empty name":                 {method: "PUT", target: byHand, body: `{"name":""}`, status: 400, text: `name: repository "" is not an OCI name`},
		"name with a registry":       {method: "PUT", target: byHand, body: `{"name":"ghcr.io/app"}`, status: 400, text: `name: repository "ghcr.io/app" begins with a registry: want a name such as "app"`},
		"malformed digest":           {method: "PUT", target: byHand, body: `{"digest":"x"}`, status: 400, text: `digest: digest "x" is not an OCI digest`},
		"empty digest":               {method: "PUT", target: byHand, body: `{"digest":""}`, status: 400, text: `digest: digest "" is not an OCI digest`},
		"digest of another type":     {method: "PUT", target: byHand, body: `{"digest":{}}`, status: 400, text: "digest is not a string"},
		"time in words":              {method: "PUT", target: byHand, body: `{"pushedAt":"yesterday"}`, status: 400, text: `pushedAt: "yesterday" is not an RFC 3339 time`},
		"time of another type":       {method: "PUT", target: byHand, body: `{"pushedAt":7}`, status: 400, text: "pushedAt is not a string"},
		"time in the future":         {method: "PUT", target: byHand, body: `{"pushedAt":"9999-01-01T00:00:00Z"}`, status: 400, text: `pushedAt: "9999-01-01T00:00:00Z" is more than 5m0s in the future`},
		"time before 2013":           {method: "PUT", target: byHand, body: `{"pushedAt":"0001-01-01T00:00:00Z"}`, status: 400, text: `pushedAt: "0001-01-01T00:00:00Z" is before 2013`},
		"malformed media type":       {method: "PUT", target: byHand, body: `{"mediaType":"<script>"}`, status: 400, text: `mediaType: "<script>" is not a media type`},
		"empty media type":           {method: "PUT", target: byHand, body: `{"mediaType":""}`, status: 400, text: `mediaType: "" is not a media type`},
		"media type of another type": {method: "PUT", target: byHand, body: `{"mediaType":[]}`, status: 400, text: "mediaType is not a string"},
		"size below 0":               {method: "PUT", target: byHand, body: `{"size":-1}`, status: 400, text: "size: -1 is below 0"},
		"size above int64":           {method: "PUT", target: byHand, body: `{"size":9223372036854775808}`, status: 400, text: "size is not a whole number of bytes below 2^63"},
		"size with a fraction":       {method: "PUT", target: byHand, body: `{"size":1.5}`, status: 400, text: "size is not a whole number of bytes below 2^63"},
		"size as text":               {method: "PUT", target: byHand, body: `{"size":"7"}`, status: 400, text: "size is not a whole number of bytes below 2^63"},
		"body over 1 MiB":            {method: "PUT", target: byHand, body: strings.Repeat(" ", 1<<20-1) + `{}`, status: 413, text: "The body is larger than 1048576 bytes"},

		"no tag":                  {method: "PUT", target: "/api/references/ghcr.io/acme/app", status: 400, text: `reference "ghcr.io/acme/app" has no tag: want registry/repository:tag`},
		"no registry":             {method: "PUT", target: "/api/references/app:1", status: 400, text: `reference "app:1" has no registry: want registry/repository:tag`},
		"no registry but a path":  {method: "PUT", target: "/api/references/team/app:1", status: 400, text: `reference "team/app:1" does not begin with a registry: for Docker Hub write "docker.io/team/app:1"`},
		"delete of no registry":   {method: "DELETE", target: "/api/references/team/app:1", status: 400, text: `reference "team/app:1" does not begin with a registry: for Docker Hub write "docker.io/team/app:1"`},
		"delete without a tag":    {method: "DELETE", target: "/api/references/ghcr.io/acme/app", status: 400, text: `reference "ghcr.io/acme/app" has no tag`},
		"delete, malformed name":  {method: "DELETE", target: byHand + "?name=A", status: 400, text: `name: repository "A" is not an OCI name`},
		"delete, registry's name": {method: "DELETE", target: byHand + "?name=ghcr.io/acme/app", status: 400, text: `name: repository "ghcr.io/acme/app" begins with a registry: want a name such as "acme/app"`},

		"other method": {method: "POST", target: byHand, status: 404, text: `{"message":"Not Found"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := &recorder{}
			w := newServer(anyone, db).do(c.method, c.target, c.body)
			if w.Code != c.status {
				t.Errorf("%s %s %.60s = %d, want %d", c.method, c.target, c.body, w.Code, c.status)
			}
			if !strings.HasPrefix(w.Body.String(), c.text) {
				t.Errorf("%s %s %.60s = %q, want %q", c.method, c.target, c.body, w.Body, c.text)
			}
			if len(db.events) > 0 {
				t.Errorf("stored %v, want nothing", db.events)
			}
		})
	}
}

func TestBodyByHandMayHave1MiB(t *testing.T) {
	t.Parallel()
	w := newServer(anyone, &recorder{}).do("PUT", byHand, strings.Repeat(" ", 1<<20-2)+"{}")
	wantAnswer(t, "PUT of 1 MiB", w, 200, "Url ghcr.io/acme/app:1.2.3 stored for acme/app")
}

// FuzzPutReference: any body is stored or refused.
func FuzzPutReference(f *testing.F) {
	f.Add([]byte(`{"name":"app","digest":"` + digest + `","pushedAt":"2023-07-03T14:56:52+02:00"}`))
	f.Add([]byte(`{"NAME":null,"digest":7}`))
	f.Add([]byte(`{"mediaType":"a/b","size":9223372036854775807}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		db := &recorder{}
		w := newServer(ingest.Settings{WithoutToken: true}, db).do("PUT", byHand, string(body))
		stored := 0
		if w.Code == 200 {
			stored = 1
		}
		if w.Code != 200 && w.Code != 400 && w.Code != 413 {
			t.Errorf("status %d, want 200, 400 or 413", w.Code)
		}
		if len(db.events) != stored {
			t.Errorf("status %d and %d events stored, want %d", w.Code, len(db.events), stored)
		}
		if strings.ContainsAny(w.Body.String(), "\n\r") {
			t.Errorf("answer of more than one line: %q", w.Body)
		}
	})
}
