package event_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// lines are events with their JSON. Exports in use contain such lines: a change here
// breaks them.
var lines = []struct {
	name  string
	event event.Event
	line  string
}{
	{
		name: "push",
		event: event.Event{Push: &event.Push{
			Reference: ref("wasmcloud.azurecr.io", "wash", "0.18.1"),
			Digest:    "sha256:" + strings.Repeat("0", 64),
			MediaType: "application/vnd.oci.image.manifest.v1+json",
			Size:      2203,
			PushedAt:  noon.Add(60421800),
		}},
		line: `{"push":{"reference":"wasmcloud.azurecr.io/wash:0.18.1","digest":"sha256:` + strings.Repeat("0", 64) + `","mediaType":"application/vnd.oci.image.manifest.v1+json","size":2203,"pushedAt":"2023-07-03T12:00:00.0604218Z"}}`,
	},
	{
		name:  "push of which nothing is known",
		event: event.Event{Push: &event.Push{Reference: ref("[::1]:5000", "team/app", "latest"), Size: event.UnknownSize, PushedAt: noon}},
		line:  `{"push":{"reference":"[::1]:5000/team/app:latest","pushedAt":"2023-07-03T12:00:00Z"}}`,
	},
	{
		name:  "push under a given name, of size 0",
		event: event.Event{Push: &event.Push{Reference: ref("ghcr.io", "acme/app", "1"), GivenName: "app", PushedAt: noon}},
		line:  `{"push":{"reference":"ghcr.io/acme/app:1","name":"app","size":0,"pushedAt":"2023-07-03T12:00:00Z"}}`,
	},
	{
		name:  "delete of a repository",
		event: event.Event{Delete: &event.Delete{Target: event.Target{Registry: "localhost:5000", Repository: "team/app"}, DeletedAt: noon, ReceivedAt: noon.Add(1)}},
		line:  `{"delete":{"repository":"localhost:5000/team/app","deletedAt":"2023-07-03T12:00:00Z","receivedAt":"2023-07-03T12:00:00.000000001Z"}}`,
	},
	{
		name:  "delete of a tag under a given name",
		event: event.Event{Delete: &event.Delete{Target: event.Target{Registry: "ghcr.io", Repository: "acme/app", GivenName: "app", Tag: "1"}, DeletedAt: noon, ReceivedAt: noon}},
		line:  `{"delete":{"repository":"ghcr.io/acme/app","name":"app","tag":"1","deletedAt":"2023-07-03T12:00:00Z","receivedAt":"2023-07-03T12:00:00Z"}}`,
	},
	{
		name:  "delete of a digest",
		event: event.Event{Delete: &event.Delete{Target: event.Target{Registry: "a.io", Repository: "wash", Digest: "a:b"}, DeletedAt: noon, ReceivedAt: noon}},
		line:  `{"delete":{"repository":"a.io/wash","digest":"a:b","deletedAt":"2023-07-03T12:00:00Z","receivedAt":"2023-07-03T12:00:00Z"}}`,
	},
	{
		name:  "membership of a repository",
		event: event.Event{Membership: &event.Membership{Member: event.Member{Category: "official", Name: reference.Name{Repository: "team/app"}}, At: noon}},
		line:  `{"membership":{"category":"official","name":"team/app","at":"2023-07-03T12:00:00Z"}}`,
	},
	{
		name:  "membership of a registry's repository, removed",
		event: event.Event{Membership: &event.Membership{Member: event.Member{Category: "official", Name: reference.Name{Registry: "a.io", Repository: "wash"}}, Removed: true, At: noon}},
		line:  `{"membership":{"category":"official","name":"a.io/wash","removed":true,"at":"2023-07-03T12:00:00Z"}}`,
	},
}

func TestLinesStay(t *testing.T) {
	t.Parallel()
	for _, test := range lines {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			line, err := json.Marshal(test.event)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.line, string(line)); diff != "" {
				t.Errorf("Marshal(%s): -want +got\n%s", test.event, diff)
			}
			var got event.Event
			if err := json.Unmarshal([]byte(test.line), &got); err != nil {
				t.Fatalf("Unmarshal(%s): %v", test.line, err)
			}
			if diff := cmp.Diff(test.event, got); diff != "" {
				t.Errorf("Unmarshal(%s): -want +got\n%s", test.line, diff)
			}
		})
	}
}

func TestEventsSurviveALine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, d, m := anyPush.Draw(t, "push"), anyDelete.Draw(t, "delete"), anyMembership.Draw(t, "membership")
		for _, want := range []event.Event{{Push: &p}, {Delete: &d}, {Membership: &m}} {
			line, err := json.Marshal(want)
			if err != nil {
				t.Fatalf("Marshal(%s): %v", want, err)
			}
			if strings.Contains(string(line), "\n") {
				t.Fatalf("Marshal(%s) = %s, want one line", want, line)
			}
			var got event.Event
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatalf("Unmarshal(%s): %v", line, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s: -want +got\n%s", line, diff)
			}
		}
	})
}

func TestReadingPutsIntoOneForm(t *testing.T) {
	t.Parallel()
	line := `{"push":{"reference":"GHCR.io/acme/app:1","name":"acme/app","size":null,"pushedAt":"2023-07-03T14:00:00+02:00"}}`
	want := event.Event{Push: &event.Push{Reference: ref("ghcr.io", "acme/app", "1"), Size: event.UnknownSize, PushedAt: noon}}
	var got event.Event
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Unmarshal(%s): -want +got\n%s", line, diff)
	}
	if at := got.Push.PushedAt; at.Location() != time.UTC {
		t.Errorf("PushedAt is in %s, want UTC", at.Location())
	}
}

func TestErrorsNameTheField(t *testing.T) {
	t.Parallel()
	// Each row replaces one field of a good line.
	good := map[string]map[string]string{
		"push":       {"reference": `"a.io/wash:1"`, "pushedAt": `"2023-07-03T12:00:00Z"`},
		"delete":     {"repository": `"a.io/wash"`, "deletedAt": `"2023-07-03T12:00:00Z"`, "receivedAt": `"2023-07-03T12:00:00Z"`},
		"membership": {"category": `"official"`, "name": `"wash"`, "at": `"2023-07-03T12:00:00Z"`},
	}
	lineOf := func(kind, field, value string) string {
		var fields []string
		for name, v := range good[kind] {
			if name != field {
				fields = append(fields, fmt.Sprintf("%q:%s", name, v))
			}
		}
		if value != "" {
			fields = append(fields, fmt.Sprintf("%q:%s", field, value))
		}
		return fmt.Sprintf(`{%q:{%s}}`, kind, strings.Join(fields, ","))
	}
	for kind := range good {
		if err := json.Unmarshal([]byte(lineOf(kind, "", "")), new(event.Event)); err != nil {
			t.Errorf("%s: %v", lineOf(kind, "", ""), err)
		}
	}
	for _, test := range []struct{ kind, field, value string }{
		{kind: "push", field: "reference", value: ""},
		{kind: "push", field: "reference", value: `"wash:1"`},
		{kind: "push", field: "reference", value: `"a.io/wash"`},
		{kind: "push", field: "reference", value: `"a.io/Wash:1"`},
		{kind: "push", field: "name", value: `"Wash"`},
		{kind: "push", field: "name", value: `"b.io/wash"`},
		{kind: "push", field: "digest", value: `"sha256:0"`},
		{kind: "push", field: "mediaType", value: `"text"`},
		{kind: "push", field: "mediaType", value: `"text/plain; charset=utf-8"`},
		{kind: "push", field: "size", value: `-1`},
		{kind: "push", field: "size", value: `-2`},
		{kind: "push", field: "size", value: `9223372036854775808`},
		{kind: "push", field: "size", value: `1.5`},
		{kind: "push", field: "size", value: `"1"`},
		{kind: "push", field: "pushedAt", value: ""},
		{kind: "push", field: "pushedAt", value: `"0000-01-01T00:00:00+00:01"`},
		{kind: "push", field: "pushedAt", value: `"9999-12-31T23:59:59-00:01"`},
		{kind: "delete", field: "repository", value: ""},
		{kind: "delete", field: "repository", value: `"wash"`},
		{kind: "delete", field: "repository", value: `"team/wash"`},
		{kind: "delete", field: "repository", value: `"a.io/Wash"`},
		{kind: "delete", field: "name", value: `"b.io/wash"`},
		{kind: "delete", field: "name", value: `"Wash"`},
		{kind: "delete", field: "tag", value: `"a b"`},
		{kind: "delete", field: "tag", value: `"1","digest":"a:b"`},
		{kind: "delete", field: "digest", value: `"sha256:0"`},
		{kind: "delete", field: "deletedAt", value: ""},
		{kind: "delete", field: "deletedAt", value: `"9999-12-31T23:59:59-00:01"`},
		{kind: "delete", field: "receivedAt", value: ""},
		{kind: "delete", field: "receivedAt", value: `"0000-01-01T00:00:00+00:01"`},
		{kind: "membership", field: "category", value: ""},
		{kind: "membership", field: "category", value: `"Official"`},
		{kind: "membership", field: "name", value: ""},
		{kind: "membership", field: "name", value: `"Wash"`},
		{kind: "membership", field: "at", value: ""},
		{kind: "membership", field: "at", value: `"9999-12-31T23:59:59-00:01"`},
		{kind: "membership", field: "removed", value: `"yes"`},
	} {
		line := lineOf(test.kind, test.field, test.value)
		err := json.Unmarshal([]byte(line), new(event.Event))
		if want := test.kind + "." + test.field; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Unmarshal(%s): %v, want an error with %s", line, err, want)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("Unmarshal(%s): %v, want one line", line, err)
		}
	}
}

func TestOtherLinesAreRefused(t *testing.T) {
	t.Parallel()
	const push = `"push":{"reference":"a.io/wash:1","pushedAt":"2023-07-03T12:00:00Z"`
	const del = `"delete":{"repository":"a.io/wash","deletedAt":"2023-07-03T12:00:00Z","receivedAt":"2023-07-03T12:00:00Z"}`
	const membership = `"membership":{"category":"official","name":"wash","at":"2023-07-03T12:00:00Z"}`
	for _, test := range []struct{ name, line, want string }{
		{name: "nothing", line: `{}`, want: "want one of push, delete and membership"},
		{name: "null", line: `null`, want: "want one of push, delete and membership"},
		{name: "push and delete", line: `{` + push + `},` + del + `}`, want: "want one of push, delete and membership"},
		{name: "push and membership", line: `{` + push + `},` + membership + `}`, want: "want one of push, delete and membership"},
		{name: "delete and membership", line: `{` + del + `,` + membership + `}`, want: "want one of push, delete and membership"},
		{name: "all three", line: `{` + push + `},` + del + `,` + membership + `}`, want: "want one of push, delete and membership"},
		{name: "unknown kind", line: `{"pull":{}}`, want: "pull"},
		{name: "unknown kind beside a push", line: `{` + push + `},"pull":{}}`, want: "pull"},
		{name: "unknown field", line: `{` + push + `,"annotations":{}}}`, want: "annotations"},
		{name: "other type", line: `[]`, want: "array"},
		{name: "no JSON", line: `push`, want: "invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := json.Unmarshal([]byte(test.line), new(event.Event))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Unmarshal(%s): %v, want an error with %q", test.line, err, test.want)
			}
		})
	}
}

func TestNothingIsNoLine(t *testing.T) {
	t.Parallel()
	if line, err := json.Marshal(event.Event{}); err == nil {
		t.Errorf("Marshal(nothing) = %s, want an error", line)
	}
}

// FuzzEventJSON parses a line, writes its event, and parses that again.
func FuzzEventJSON(f *testing.F) {
	for _, test := range lines {
		f.Add(test.line)
	}
	f.Add(`{"push":{"reference":"A.io/wash:1","name":"wash","size":-1,"pushedAt":"0001-01-01T00:00:00.5+00:01"}}`)
	f.Add(`{"push":{"reference":"localhost/a:1","mediaType":"a/b&c","pushedAt":"9999-12-31T23:59:59Z"}}`)
	f.Fuzz(func(t *testing.T, line string) {
		var first event.Event
		if json.Unmarshal([]byte(line), &first) != nil {
			return
		}
		written, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("Unmarshal(%q) = %s, which cannot be written: %v", line, first, err)
		}
		var second event.Event
		if err := json.Unmarshal(written, &second); err != nil {
			t.Fatalf("Unmarshal(%q) = %s, written %s: %v", line, first, written, err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("%q written %s: -first +second\n%s", line, written, diff)
		}
	})
}
