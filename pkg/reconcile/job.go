package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ocireffer/pkg/registry"
)

// A Job reconciles registries with one store and logs a line for each.
type Job struct {
	Sources []Source     // the registries, each reconciled by itself
	DB      Store        // for all of them
	Log     *slog.Logger // gets one line for each run
	Options Options      // for all runs
	// Credential returns the credential for reading a registry.
	Credential func(ctx context.Context, host string) (registry.Credential, error)
}

// Run reconciles all sources at once: each goes as fast as its registry allows. The
// reports are in the order of Sources. The error joins those of all sources; one that
// fails does not stop the others.
func (j Job) Run(ctx context.Context) ([]Report, error) {
	reports, errs := make([]Report, len(j.Sources)), make([]error, len(j.Sources))
	var runs sync.WaitGroup
	for i, s := range j.Sources {
		runs.Go(func() {
			begin := time.Now()
			reports[i], errs[i] = j.one(ctx, s)
			reports[i].Outcome = outcomeOf(reports[i], errs[i])
			reports[i].Log(ctx, j.Log, errs[i], time.Since(begin))
		})
	}
	runs.Wait()
	return reports, errors.Join(errs...)
}

func (j Job) one(ctx context.Context, s Source) (Report, error) {
	failed := Report{Registry: s.Host}
	credential, err := j.Credential(ctx, s.Host)
	if err != nil {
		return failed, err
	}
	r, err := registry.Open(s.Host, registry.Options{Credential: credential, Repositories: s.Repositories})
	if err != nil {
		return failed, err
	}
	return Run(ctx, r, j.DB, j.Options)
}

// An Outcome tells in a word how a run ended.
type Outcome string

const (
	Reconciled Outcome = "reconciled" // the store has what the registry has
	Incomplete Outcome = "incomplete" // something could not be read, or was not deleted
	Stopped    Outcome = "stopped"    // the next run continues
	Running    Outcome = "running"    // another run is reading the registry
	Failed     Outcome = "failed"     // it ended with an error
)

func outcomeOf(r Report, err error) Outcome {
	switch {
	case errors.Is(err, ErrRunning):
		return Running
	case errors.Is(err, context.Canceled), err == nil && !r.Finished:
		return Stopped
	case err != nil:
		return Failed
	case !r.Complete():
		return Incomplete
	default:
		return Reconciled
	}
}

// Log writes the log line of a run. err is the error with which it ended, or nil.
func (r Report) Log(ctx context.Context, log *slog.Logger, err error, took time.Duration) {
	level := slog.LevelInfo
	switch r.Outcome {
	case Running, Incomplete:
		level = slog.LevelWarn
	case Failed:
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("outcome", string(r.Outcome)), slog.String("registry", r.Registry),
		slog.Int("repositories", r.Repositories), slog.Int("done", r.Done),
		slog.Int("listed", r.Listed), slog.Int("skipped", r.Skipped),
		slog.Int("pushed", r.Pushed), slog.Int("deleted", r.Deleted), slog.Int("later", r.Later),
		slog.Int("incomplete", r.Incomplete), slog.Int("forbidden", r.Forbidden), slog.Int("missing", r.Missing),
		slog.Int("unsure", r.Unsure+r.UnsureTags), slog.Int("braked", r.Braked),
		slog.Int64("calls", r.Calls), slog.Float64("durationMs", float64(took.Microseconds())/1e3),
	}
	if len(r.Problems) > 0 {
		attrs = append(attrs, slog.Any("problems", r.Problems))
	}
	if err := errors.Join(r.Stopped, err); err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	log.LogAttrs(ctx, level, "reconcile", attrs...)
}
