// Package invoke is the Lambda function that reconciles registries: its settings, and its
// handler for the events of a schedule and for manual invocations. What a run does is in
// package reconcile.
package invoke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry"
)

// Settings of the function.
type Settings struct {
	Sources   []reconcile.Source // RECONCILE_REGISTRIES: the registries to read; none: no run can start
	SecretARN string             // RECONCILE_SECRET_ARN: the secret with the registries' credentials; empty: reads are anonymous
	Writes    ingest.Settings    // ALLOWED_REGISTRIES and IGNORE_TAGS, which also apply to what a run writes
}

// FromEnv reads the settings from environment variables. lookup returns a variable's
// value and whether it is set, as os.LookupEnv does. An error names every wrong variable.
func FromEnv(lookup func(name string) (string, bool)) (Settings, error) {
	var s Settings
	var errSources, errWrites error
	if list, _ := lookup("RECONCILE_REGISTRIES"); list != "" {
		if s.Sources, errSources = reconcile.ParseSources(list); errSources != nil {
			errSources = fmt.Errorf("RECONCILE_REGISTRIES: %w", errSources)
		}
	}
	s.SecretARN, _ = lookup("RECONCILE_SECRET_ARN")
	s.Writes, errWrites = ingest.FromEnv(func(name string) (string, bool) {
		if name != "ALLOWED_REGISTRIES" && name != "IGNORE_TAGS" {
			return "", false // this function accepts no HTTP writes
		}
		return lookup(name)
	})
	for _, source := range s.Sources {
		if errWrites == nil && !s.Writes.Allows(source.Host) {
			errSources = errors.Join(errSources, fmt.Errorf("RECONCILE_REGISTRIES: registry %s is not in ALLOWED_REGISTRIES", source.Host))
		}
	}
	return s, errors.Join(errSources, errWrites)
}

// An Event asks for a run. The schedule sends the zero Event.
type Event struct {
	Registry string `json:"registry"` // the only one to read; empty: all configured ones
	Full     bool   `json:"full"`     // see reconcile.Options
	Force    bool   `json:"force"`    // see reconcile.Options
}

// UnmarshalJSON refuses unknown fields, so that a misspelled force is an error.
func (e *Event) UnmarshalJSON(text []byte) error {
	type plain Event // has no UnmarshalJSON
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode((*plain)(e)); err != nil {
		return fmt.Errorf(`event is not like {"registry": "wasmcloud.azurecr.io", "full": true, "force": false}: %w`, err)
	}
	return nil
}

// An Outcome is the outcome of one registry's run, with the fields of its log line.
type Outcome struct {
	Registry string `json:"registry"`
	Outcome  string `json:"outcome"`
	Pushed   int    `json:"pushed"`
	Deleted  int    `json:"deleted"`
}

// Handler returns the function that Lambda calls. secret returns the text of the secret
// with an ARN. Its error is about the event or the secret, or joins the errors of runs
// that failed.
func Handler(s Settings, db reconcile.Store, secret func(ctx context.Context, arn string) (string, error), log *slog.Logger) func(context.Context, Event) ([]Outcome, error) {
	return func(ctx context.Context, e Event) ([]Outcome, error) {
		sources, err := s.chosen(e)
		if err != nil {
			return nil, err
		}
		credentials := reconcile.Credentials{}
		if s.SecretARN != "" {
			text, err := secret(ctx, s.SecretARN)
			if err != nil {
				return nil, fmt.Errorf("secret %s: %w", s.SecretARN, err)
			}
			if credentials, err = reconcile.ParseCredentials(text); err != nil {
				return nil, fmt.Errorf("secret %s: %w", s.SecretARN, err)
			}
		}
		job := reconcile.Job{
			Sources: sources, DB: db, Log: log,
			Options: reconcile.Options{Full: e.Full, Force: e.Force, Ignored: s.Writes.Ignores},
			Credential: func(_ context.Context, host string) (registry.Credential, error) {
				return credentials[host], nil
			},
		}
		reports, err := job.Run(ctx)
		var outcomes []Outcome
		for _, r := range reports {
			outcomes = append(outcomes, Outcome{r.Registry, string(r.Outcome), r.Pushed, r.Deleted})
		}
		return outcomes, err
	}
}

// chosen returns the sources that e names.
func (s Settings) chosen(e Event) ([]reconcile.Source, error) {
	if len(s.Sources) == 0 {
		return nil, errors.New("no registry is configured: set RECONCILE_REGISTRIES")
	}
	if e.Registry == "" {
		return s.Sources, nil
	}
	i := slices.IndexFunc(s.Sources, func(source reconcile.Source) bool { return source.Host == e.Registry })
	if i < 0 {
		return nil, fmt.Errorf("registry %q is not in RECONCILE_REGISTRIES", e.Registry)
	}
	return s.Sources[i : i+1], nil
}
