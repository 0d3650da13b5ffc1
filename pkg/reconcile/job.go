package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ocireffer/pkg/registry"
)

// A Job reconciles registries with one store, and logs a line for each.
type Job struct {
	Sources []Source
	DB      Store
	Log     *slog.Logger
	Options Options
	// Credential returns what a registry is read with.
	Credential func(ctx context.Context, host string) (registry.Credential, error)
	UserAgent  string // empty: the client's own
}

// Run reconciles all sources at once, as each is as fast as its registry bears. The
// reports are in the order of Sources. An error is one of Run's, or of Credential; it
// does not keep the other sources from being reconciled.
func (j Job) Run(ctx context.Context) ([]Report, error) {
	reports, errs := make([]Report, len(j.Sources)), make([]error, len(j.Sources))
	var runs sync.WaitGroup
	for i, s := range j.Sources {
		runs.Go(func() {
			begin := time.Now()
			reports[i], errs[i] = j.one(ctx, s)
			j.log(ctx, reports[i], errs[i], time.Since(begin))
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
	r, err := registry.Open(s.Host, registry.Options{Credential: credential, Repositories: s.Repositories, UserAgent: j.UserAgent})
	if err != nil {
		return failed, err
	}
	return Run(ctx, r, j.DB, j.Options)
}

// log writes the line of a run. Its outcome is reconciled; incomplete, if something
// could not be read or was held back; stopped, if the next run goes on; running, if
// another run is at it; or failed.
func (j Job) log(ctx context.Context, r Report, err error, took time.Duration) {
	level, outcome := slog.LevelInfo, "reconciled"
	switch {
	case errors.Is(err, ErrRunning):
		level, outcome = slog.LevelWarn, "running"
	case errors.Is(err, context.Canceled), err == nil && !r.Finished:
		outcome = "stopped"
	case err != nil:
		level, outcome = slog.LevelError, "failed"
	case !r.Complete():
		level, outcome = slog.LevelWarn, "incomplete"
	}
	attrs := []slog.Attr{
		slog.String("outcome", outcome), slog.String("registry", r.Registry),
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
	j.Log.LogAttrs(ctx, level, "reconcile", attrs...)
}
