package ingest_test

import (
	"strings"
	"testing"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
)

// notified returns the envelope in which CNCF Distribution sends native events.
func notified(events ...string) string { return `{"events":` + batch(events...) + `}` }

// TestPathDecidesFirstWordsAlone: both paths have the same handler. Only the first words
// of an error differ.
func TestPathDecidesFirstWordsAlone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		push, deletion(), batch(push, "{}"), notified(push), `{"action":"ping"}`, validation, "{}", "[]", "x",
		change(`"repository":"wash",`, ""), change("wasmcloud", "evil"), strings.Repeat(" ", 2<<20),
	} {
		settings := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"wasmcloud.azurecr.io"}}
		azure := newServer(settings, openBolt(t)).do("POST", "/api/azurehook", body)
		want := strings.ReplaceAll(azure.Body.String(), required, "Webhook payload did not contain required fields")
		wantAnswer(t, "POST /api/webhook "+body[:min(60, len(body))], newServer(settings, openBolt(t)).do("POST", "/api/webhook", body), azure.Code, want)
	}
}

// TestURLMayNameTheRegistry: some senders name no registry, or one that nobody can reach.
func TestURLMayNameTheRegistry(t *testing.T) {
	t.Parallel()
	settings := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"wasmcloud.azurecr.io", "registry.example.com:5000"}}
	for name, c := range map[string]struct {
		query, body string
		status      int
		text        string
	}{
		"in place of the event's":  {query: "?registry=Registry.example.com:5000", body: push, status: 200, text: "Url registry.example.com:5000/wash:0.18.1 stored for wash"},
		"where the event has none": {query: "?registry=registry.example.com:5000", body: change(`"host":"wasmcloud.azurecr.io"`, ""), status: 200, text: "Url registry.example.com:5000/wash:0.18.1 stored for wash"},
		"for all of a batch": {query: "?registry=registry.example.com:5000", body: batch(push, deletion()), status: 200,
			text: "Url registry.example.com:5000/wash:0.18.1 stored for wash\nDeleted 0 references of wash"},
		"regional endpoint": {query: "?registry=wasmcloud.eastus.geo.azurecr.io", body: change("wasmcloud.azurecr.io", "a.io"), status: 200, text: pushed},
		"empty":             {query: "?registry=", body: push, status: 200, text: pushed},
		"the first counts":  {query: "?registry=registry.example.com:5000&registry=demo", body: push, status: 200, text: "Url registry.example.com:5000/wash:0.18.1 stored for wash"},
		"not allowed":       {query: "?registry=evil.azurecr.io", body: push, status: 403, text: "Registry evil.azurecr.io is not allowed"},
		"a single word":     {query: "?registry=demo", body: push, status: 400, text: `registry behind the webhook's URL: registry "demo" has neither a dot nor a port: want a host such as demo.azurecr.io or docker.io`},
		"a URL": {query: "?registry=https://a.io", body: notified(push), status: 400,
			text: `registry behind the webhook's URL: registry "https://a.io" is not a host with an optional port, of at most 255 characters`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(settings, &recorder{})
			wantAnswer(t, "POST "+c.query, s.do("POST", "/api/webhook"+c.query, c.body), c.status, c.text)
		})
	}
}

// TestLogNamesTheRegistryOfTheURL: without it, the event could not be sent again.
func TestLogNamesTheRegistryOfTheURL(t *testing.T) {
	t.Parallel()
	s := newServer(anyone, broken)
	s.do("POST", "/api/webhook?registry=A.example.com&token=geheim", push)
	for _, msg := range []string{"event", "event not stored"} {
		if lines := s.lines(t, msg); len(lines) != 1 || lines[0]["registry"] != "a.example.com" {
			t.Errorf("lines %q = %v, want one with the registry a.example.com", msg, lines)
		}
	}
	s = newServer(anyone, broken)
	s.do("POST", "/api/webhook", push)
	if lines := s.lines(t, "event not stored"); len(lines) != 1 || lines[0]["registry"] != nil {
		t.Errorf("lost events = %v, want one without a registry beside it", lines)
	}
}

// TestInsistentSendersHearNoRefusal: CNCF Distribution repeats a refused event for ever,
// and sends nothing else. The log has the real outcome.
func TestInsistentSendersHearNoRefusal(t *testing.T) {
	t.Parallel()
	evil := change("wasmcloud", "evil")
	settings := ingest.Settings{WithoutToken: true, AllowedRegistries: []string{"wasmcloud.azurecr.io"}}
	for name, c := range map[string]struct {
		body, text, outcome string
	}{
		"no events":              {body: notified(), text: "Ignored: the envelope has no events", outcome: "ignored"},
		"no repository":          {body: notified(change(`"repository":"wash",`, "")), text: "Ignored: target.repository is missing", outcome: "bad_request"},
		"no event":               {body: notified("7"), text: "Ignored: the event is not an object", outcome: "bad_request"},
		"no host":                {body: notified(change("wasmcloud.azurecr.io", "registry")), text: `Ignored: request.host: registry "registry" has neither a dot nor a port: want a host such as registry.azurecr.io or docker.io`, outcome: "bad_request"},
		"delete, empty digest":   {body: notified(deletion(digest, "")), text: "Ignored: target.digest is empty", outcome: "bad_request"},
		"not allowed":            {body: notified(evil), text: "Ignored: Registry evil.azurecr.io is not allowed", outcome: "forbidden"},
		"bad beside not allowed": {body: notified(evil, "{}"), text: "Ignored: Registry evil.azurecr.io is not allowed\nIgnored: action and target are missing", outcome: "bad_request"},
		"bad beside good":        {body: notified(evil, push, "{}"), text: "Ignored: Registry evil.azurecr.io is not allowed\n" + pushed + "\nIgnored: action and target are missing", outcome: "stored"},
		"too many":               {body: notified(strings.Split(strings.Repeat("{},", 5000)+"{}", ",")...), text: "Ignored: the body has more than 5000 events", outcome: "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(settings, &recorder{})
			wantAnswer(t, "the answer", s.do("POST", "/api/webhook", c.body), 200, c.text)
			if got := s.request(t)["outcome"]; got != c.outcome {
				t.Errorf("outcome = %v, want %s", got, c.outcome)
			}
		})
	}
	s := newServer(settings, broken)
	wantAnswer(t, "an event that is not stored", s.do("POST", "/api/webhook", notified(push)), 500, notStored)
}

// TestEventsOfAnEnvelopeAreNativeOnes: that includes the delete of a repository.
func TestEventsOfAnEnvelopeAreNativeOnes(t *testing.T) {
	t.Parallel()
	db := &recorder{}
	whole := change(`"push"`, `"delete"`, `"tag":"0.18.1","digest":"`+digest+`"`, `"x":1`)
	s := newServer(anyone, db)
	wantAnswer(t, "the answer", s.do("POST", "/api/webhook", notified(whole)), 200, "Deleted 0 references of wash")
	want := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash"}
	if len(db.events) != 1 || db.events[0].Delete == nil || db.events[0].Delete.Target != want {
		t.Errorf("stored %v, want a delete of %v", db.events, want)
	}
}
