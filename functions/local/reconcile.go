package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/store"
)

// reconciling contains the values of the flags about reading registries.
type reconciling struct {
	list  string        // registries to read; empty: none
	every time.Duration // 0: only at the start
	once  bool          // exit after the first run
	full  bool
	force bool
}

func (r *reconciling) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&r.list, "reconcile", "", "`registries` to read at the start, so that the store agrees with them, separated by commas, such as wasmcloud.azurecr.io. If a registry has no catalogue, name its repositories, such as ghcr.io/acme/app. The credentials are those of docker login, az acr login, or "+credentialsEnv)
	flags.DurationVar(&r.every, "reconcile-every", 0, "with -reconcile: read the registries again after this `time`, such as 1h")
	flags.BoolVar(&r.once, "once", false, "with -reconcile: exit after reading, without serving; the exit status is 1 if anything could not be read")
	flags.BoolVar(&r.full, "full", false, "with -reconcile: also read the repositories that seem unchanged")
	flags.BoolVar(&r.force, "force", false, "with -reconcile: delete what is gone, even if that is more than a fifth of a registry, or a whole repository")
}

// check checks the flags. given contains those that were set.
func (r reconciling) check(given map[string]bool) error {
	if !given["reconcile"] {
		for _, name := range []string{"reconcile-every", "once", "full", "force"} {
			if given[name] {
				return fmt.Errorf("-%s needs -reconcile", name)
			}
		}
		return nil
	}
	switch {
	case given["reconcile-every"] && r.every < time.Minute:
		return fmt.Errorf("-reconcile-every %s: want a minute or more", r.every)
	case r.once && given["reconcile-every"]:
		return errors.New("-once and -reconcile-every: use only one of them")
	case r.once && given["addr"]:
		return errors.New("-once does not serve: leave out -addr")
	}
	if _, err := reconcile.ParseSources(r.list); err != nil {
		return fmt.Errorf("-reconcile: %w", err)
	}
	return nil
}

// newJob returns the job that the flags ask for, or nil if they ask for none. The error
// is about the configuration.
func newJob(o options, write ingest.Settings, env environment, db store.Store, screen *screen, log *slog.Logger) (*reconcile.Job, error) {
	if o.reconcile.list == "" {
		return nil, nil
	}
	sources, err := reconcile.ParseSources(o.reconcile.list)
	if err != nil {
		return nil, usageError{err}
	}
	for _, s := range sources {
		if !write.Allows(s.Host) {
			return nil, usageError{fmt.Errorf("-reconcile: registry %s is not in ALLOWED_REGISTRIES", s.Host)}
		}
	}
	keys, err := newKeyring(env)
	if err != nil {
		return nil, err
	}
	job := &reconcile.Job{
		Sources: sources, DB: db, Log: log, Credential: keys.of,
		Options: reconcile.Options{Full: o.reconcile.full, Force: o.reconcile.force, Ignored: write.Ignores, Progress: screen.progress},
	}
	if o.table == "" {
		job.Options.Owner = "local" // no other process can open the file
	}
	return job, nil
}

// errIncomplete ends the program with status 1. The details have been printed before.
var errIncomplete = errors.New("not everything could be read")

// runOnce runs a job and prints what it did.
func runOnce(ctx context.Context, job *reconcile.Job, screen *screen) error {
	begin := time.Now()
	reports, err := job.Run(ctx)
	screen.clear()
	for _, r := range reports {
		fmt.Fprintln(screen, summary(r), "in", time.Since(begin).Round(10*time.Millisecond))
		for _, problem := range r.Problems {
			fmt.Fprintln(screen, " ", problem)
		}
		if r.Stopped != nil {
			fmt.Fprintln(screen, " ", r.Stopped)
		}
		if !r.Complete() && err == nil {
			err = errIncomplete
		}
	}
	return err
}

// summary describes a run in one line.
func summary(r reconcile.Report) string {
	parts := []string{
		fmt.Sprintf("%d of %d repositories", r.Done, r.Repositories),
		fmt.Sprintf("%d calls", r.Calls),
		fmt.Sprintf("%d pushed", r.Pushed),
		fmt.Sprintf("%d deleted", r.Deleted),
	}
	for _, c := range []struct {
		n    int
		what string
	}{
		{r.Skipped, "unchanged"}, {r.Forbidden, "forbidden"}, {r.Missing, "unknown to the registry"},
		{r.Incomplete + r.Unsure, "unsure"}, {r.UnsureTags, "tags unsure"}, {r.Braked, "gone, but kept"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return r.Registry + ": " + strings.Join(parts, ", ")
}

// repeat runs a job once, and then again whenever every has passed since the start of the
// last run, until ctx ends. If every is 0, it runs the job only once.
func repeat(ctx context.Context, job *reconcile.Job, every time.Duration) {
	var again <-chan time.Time // never
	if every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		again = ticker.C
	}
	for {
		// Job.Run has logged the outcome.
		_, _ = job.Run(ctx)
		job.Options.Full, job.Options.Force = false, false
		select {
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}
