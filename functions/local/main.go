// Local serves the routes of both Lambda functions on localhost, as the deployed API
// does, from a store in one file, from a DynamoDB table, or with examples. It also
// reconciles registries, and exports and imports stores.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/route"
)

// version is the build's version. The linker's flag -X main.version=v1.2.3 sets it.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.LookupEnv, os.Stderr)
	stop()
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "local:", strings.ReplaceAll(err.Error(), "\n", "; "))
	if _, ok := errors.AsType[usageError](err); ok {
		os.Exit(2)
	}
	os.Exit(1)
}

// A usageError is the error of a wrong flag or environment variable.
type usageError struct{ error }

// environment returns a variable's value, and whether it is set.
type environment = func(name string) (string, bool)

// run serves until ctx ends or the store turns out to be damaged, then finishes the
// running requests. With -export, -import or -once it does that instead.
func run(ctx context.Context, args []string, env environment, stderr io.Writer) (err error) {
	options, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	if options.version {
		_, err := fmt.Println("ocireffer", version)
		return err
	}
	if options.moves() {
		return move(ctx, options, env, stderr)
	}
	write, errWrite := ingest.FromEnv(env)
	read, errRead := lookup.FromEnv(env)
	if err := errors.Join(errWrite, errRead); err != nil {
		return usageError{err}
	}
	if options.table != "" && !write.HasTokens() && !isLoopback(endpoint(env)) {
		return usageError{errors.New("-dynamodb needs WEBHOOK_TOKEN_SHA256, because the table is not on this machine: AWS_ENDPOINT_URL_DYNAMODB is not a loopback address")}
	}
	read.Version, read.Instance = version, options.storeName()
	db, err := openStore(ctx, options, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	screen := newScreen(stderr)
	log := slog.New(slog.NewTextHandler(screen, nil))
	job, err := newJob(options, write, env, db, screen, log)
	if err != nil {
		return err
	}
	if options.reconcile.once {
		return runOnce(ctx, job, screen)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", options.addr)
	if err != nil {
		return err
	}
	// Only users of this machine can reach a loopback address.
	write.WithoutToken = listener.Addr().(*net.TCPAddr).IP.IsLoopback()

	log.Info("listening", "url", "http://"+listener.Addr().String(), "store", options.storeName(), "writes", writers(write), "version", version)
	var h http.Handler = route.Join(ingest.New(write, db, log), lookup.New(read, db))
	if !write.NeedsToken() {
		h = guard(h)
	}
	if job != nil {
		ctx, cancel := context.WithCancel(ctx)
		var runs sync.WaitGroup
		runs.Go(func() { repeat(ctx, job, options.reconcile.every) })
		defer runs.Wait()
		defer cancel()
	}
	return serve(ctx, listener, log, h, db.Damaged())
}
