package invoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reconcile/invoke"
	"ocireffer/pkg/registry/acrtest"
	"ocireffer/pkg/registry/ocitest"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store/bolt"
)

// settings reads the settings from variables.
func settings(t *testing.T, variables map[string]string) (invoke.Settings, error) {
	t.Helper()
	return invoke.FromEnv(func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
}

func TestSettings(t *testing.T) {
	t.Parallel()
	got, err := settings(t, map[string]string{
		"RECONCILE_REGISTRIES": "wasm.azurecr.io,ghcr.io/acme/app", "RECONCILE_SECRET_ARN": "arn",
		"ALLOWED_REGISTRIES": "ghcr.io,wasm.azurecr.io", "IGNORE_TAGS": "pr-*", "WEBHOOK_TOKEN_SHA256": "not read here",
	})
	if err != nil || len(got.Sources) != 2 || got.SecretARN != "arn" || !got.Writes.Ignores("pr-1") || got.Writes.Ignores("1") {
		t.Errorf("FromEnv = %+v, %v, want two registries, a secret, and pr-* ignored", got, err)
	}
	for _, c := range []struct{ registries, allowed, tags, want string }{
		{registries: "wasm", want: `RECONCILE_REGISTRIES: registry "wasm"`},
		{registries: "a.example", allowed: "b.example", want: "RECONCILE_REGISTRIES: registry a.example is not in ALLOWED_REGISTRIES"},
		{registries: "a.example", allowed: "b", want: "ALLOWED_REGISTRIES"},
		{registries: "a.example", tags: "[", want: "IGNORE_TAGS"},
	} {
		_, err := settings(t, map[string]string{"RECONCILE_REGISTRIES": c.registries, "ALLOWED_REGISTRIES": c.allowed, "IGNORE_TAGS": c.tags})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("FromEnv with %+v: %v, want an error with that", c, err)
		}
	}
}

// A trial is a handler with real parts.
type trial struct {
	handle func(context.Context, invoke.Event) ([]invoke.Outcome, error)
	db     *bolt.DB
	log    *bytes.Buffer
}

func newTrial(t *testing.T, registries string, secret string, errSecret error) trial {
	t.Helper()
	db, err := bolt.OpenTemporary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := settings(t, map[string]string{"RECONCILE_REGISTRIES": registries, "RECONCILE_SECRET_ARN": "arn:secret"})
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	return trial{invoke.Handler(s, db, func(_ context.Context, arn string) (string, error) {
		if arn != "arn:secret" {
			t.Errorf("secret %s was requested", arn)
		}
		return secret, errSecret
	}, requestlog.NewJSON(log)), db, log}
}

// lines returns the lines in the log.
func (tr trial) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(tr.log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestScheduleReadsAllRegistries(t *testing.T) {
	t.Parallel()
	a := ocitest.StartSmall(t, map[string]map[string]string{"wash": {"1": acrtest.Digest("1"), "2": acrtest.Digest("2")}})
	b := ocitest.StartSmall(t, map[string]map[string]string{"app": {"1": acrtest.Digest("3")}})
	a.Require("reader", "s3cret")
	tr := newTrial(t, a.Host+","+b.Host, `{"`+a.Host+`": {"user": "reader", "password": "s3cret"}}`, nil)
	got, err := tr.handle(t.Context(), invoke.Event{})
	if err != nil || len(got) != 2 || got[0] != (invoke.Outcome{Registry: a.Host, Outcome: "reconciled", Pushed: 2}) || got[1] != (invoke.Outcome{Registry: b.Host, Outcome: "reconciled", Pushed: 1}) {
		t.Errorf("the schedule's run = %+v, %v, want two registries with 2 and 1 pushes", got, err)
	}
	lines := tr.lines(t)
	if len(lines) != 2 || lines[0]["msg"] != "reconcile" || lines[0]["outcome"] != "reconciled" || lines[0]["level"] != "INFO" {
		t.Errorf("the log is %v, want a line for each registry", lines)
	}
	if strings.Contains(tr.log.String(), "s3cret") {
		t.Errorf("the log has a password: %s", tr.log)
	}
}

func TestOneRegistryOnDemand(t *testing.T) {
	t.Parallel()
	a := ocitest.StartSmall(t, map[string]map[string]string{"wash": {"1": acrtest.Digest("1")}})
	tr := newTrial(t, a.Host+",127.0.0.1:1", "{}", nil)
	got, err := tr.handle(t.Context(), invoke.Event{Registry: a.Host, Full: true})
	if err != nil || len(got) != 1 || got[0].Registry != a.Host {
		t.Errorf("a run of %s = %+v, %v, want only that", a.Host, got, err)
	}
	if got, err := tr.handle(t.Context(), invoke.Event{Registry: "other.example"}); err == nil || len(got) > 0 {
		t.Errorf("a run of another registry = %+v, %v, want an error", got, err)
	}
}

// TestForceReleasesTheBrake: an operator can force a big clean-up.
func TestForceReleasesTheBrake(t *testing.T) {
	t.Parallel()
	a := ocitest.StartSmall(t, map[string]map[string]string{"wash": {"1": acrtest.Digest("1")}})
	tr := newTrial(t, a.Host, "{}", nil)
	for i := range 12 {
		p := event.Push{Digest: acrtest.Digest("x"), Size: event.UnknownSize, PushedAt: time.Now().Add(-time.Hour).UTC()}
		p.Reference.Registry, p.Reference.Repository, p.Reference.Tag = a.Host, "wash", string(rune('a'+i))
		if err := tr.db.Push(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	got, err := tr.handle(t.Context(), invoke.Event{})
	if err != nil || got[0].Outcome != "incomplete" || got[0].Deleted != 0 {
		t.Errorf("the schedule's run = %+v, %v, want nothing deleted", got, err)
	}
	if line := tr.lines(t)[0]; line["braked"] != 12.0 || line["level"] != "WARN" {
		t.Errorf("the log has %v, want 12 references that were kept", line)
	}
	got, err = tr.handle(t.Context(), invoke.Event{Force: true})
	if err != nil || got[0].Outcome != "reconciled" || got[0].Deleted != 12 {
		t.Errorf("a forced run = %+v, %v, want 12 deletes", got, err)
	}
}

func TestSecretsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	a := ocitest.StartSmall(t, map[string]map[string]string{"wash": {"1": acrtest.Digest("1")}})
	errDenied := errors.New("denied")
	if _, err := newTrial(t, a.Host, "", errDenied).handle(t.Context(), invoke.Event{}); !errors.Is(err, errDenied) {
		t.Errorf("a secret that may not be read: %v, want %v", err, errDenied)
	}
	if _, err := newTrial(t, a.Host, "s3cret", nil).handle(t.Context(), invoke.Event{}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a secret that is not JSON: %v, want an error that does not show it", err)
	}
}

// TestFailedRunIsAnError: Lambda then counts it as failed.
func TestFailedRunIsAnError(t *testing.T) {
	t.Parallel()
	a := ocitest.StartSmall(t, map[string]map[string]string{"wash": {"1": acrtest.Digest("1")}})
	tr := newTrial(t, a.Host, "{}", nil)
	tr.db.Close()
	got, err := tr.handle(t.Context(), invoke.Event{})
	if err == nil || len(got) != 1 || got[0].Outcome != "failed" || tr.lines(t)[0]["level"] != "ERROR" {
		t.Errorf("a run without a store = %+v, %v, want an error", got, err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]invoke.Event{
		`{}`: {},
		`{"registry":"a.example","full":true,"force":true}`: {Registry: "a.example", Full: true, Force: true},
	} {
		var got invoke.Event
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("event %s = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{`{"forced":true}`, `{"full":"yes"}`, `[]`, `"a.example"`} {
		var got invoke.Event
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("event %s = %+v, want an error", text, got)
		}
	}
}
