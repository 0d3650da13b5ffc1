// Local serves both Lambda functions' handlers on localhost, as the deployed
// API does, over a store in one file, a DynamoDB table, or examples in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"ocireffer/pkg/gateway"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.LookupEnv, os.Stderr)
	stop()
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "local:", oneLine(err))
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "local:", oneLine(err))
		os.Exit(1)
	}
}

// usageError is a wrong flag or variable: the caller's to mend.
type usageError struct{ error }

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// run serves until ctx ends, then finishes what is being answered.
func run(ctx context.Context, args []string, env environment, stderr io.Writer) error {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addr := flags.String("addr", "localhost:8080", "`host:port` to listen on")
	file := flags.String("db", "ocireffer.db", "`file` of the embedded store")
	table := flags.String("dynamodb", "", "DynamoDB `table` to use instead, by the ordinary AWS configuration and AWS_ENDPOINT_URL_DYNAMODB; made if it is missing and the endpoint is a loopback address")
	demo := flags.Bool("demo", false, "use an in-memory store instead, filled with examples")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stderr)
		flags.Usage()
		return err
	} else if err != nil {
		return usageError{err}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q: see -h", flags.Arg(0))}
	}
	set := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if *demo && (set["db"] || set["dynamodb"]) {
		return usageError{errors.New("-demo has a store of its own: leave out -db and -dynamodb")}
	}
	write, errWrite := ingest.FromEnv(env)
	read, errRead := lookup.FromEnv(env)
	if err := errors.Join(errWrite, errRead); err != nil {
		return usageError{err}
	}
	if _, err := net.ResolveTCPAddr("tcp", *addr); err != nil {
		return usageError{fmt.Errorf("-addr: %w", err)}
	}

	openStore, name := openFile, *file
	switch {
	case *demo:
		openStore, name = openDemo, "examples, in memory"
	case *table != "":
		openStore, name = openTable, *table
	}
	db, closeDB, err := openStore(ctx, name, env)
	if err != nil {
		return err
	}
	defer closeDB()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	write.WithoutToken = listener.Addr().(*net.TCPAddr).IP.IsLoopback()

	log := slog.New(slog.NewTextHandler(stderr, nil))
	routes := ingest.New(write, db, log)
	maps.Copy(routes, lookup.New(read, db))
	server := &http.Server{
		Handler:           requestlog.Handler(log, gateway.RequestIDHeader, routes),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
	}
	log.Info("listening", "url", "http://"+listener.Addr().String(), "store", name,
		"writes", writers(write))

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	finish, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(finish)
}

// environment gives a variable's value, and whether it is set.
type environment = func(name string) (string, bool)

func openFile(_ context.Context, file string, _ environment) (store.Store, func() error, error) {
	db, err := bolt.Open(file)
	if err != nil {
		return nil, nil, err
	}
	return db, db.Close, nil
}

func openDemo(ctx context.Context, _ string, _ environment) (store.Store, func() error, error) {
	db, err := bolt.OpenTemporary()
	if err != nil {
		return nil, nil, err
	}
	if err := fill(ctx, db, time.Now().UTC()); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, db.Close, nil
}

func openTable(ctx context.Context, table string, env environment) (store.Store, func() error, error) {
	// A client of the SDK's own kind: no other can take in AWS_CA_BUNDLE.
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(dynamo.AttemptTimeout)))
	if err != nil {
		return nil, nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	db, err := dynamo.Open(cfg, table)
	if err != nil {
		return nil, nil, err
	}
	if endpoint, _ := env("AWS_ENDPOINT_URL_DYNAMODB"); isLoopback(endpoint) {
		if err := db.Create(ctx); err != nil {
			return nil, nil, err
		}
	}
	return db, func() error { return nil }, nil
}

// isLoopback reports whether endpoint is the URL of this machine itself.
func isLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// writers says who may write.
func writers(s ingest.Settings) string {
	switch {
	case len(s.Tokens) > 0:
		return "with a token"
	case s.WithoutToken:
		return "without a token"
	default:
		return "refused: not a loopback address, and no WEBHOOK_TOKEN_SHA256"
	}
}
