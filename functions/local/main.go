// Local serves the routes of both Lambda functions on localhost, as the deployed
// API does, over a store in one file, a DynamoDB table, or examples. It also moves what
// one store has to another.
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
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/route"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
)

// version is that of the build, which go build sets by -ldflags "-X main.version=v1.2.3".
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

// A usageError is about a wrong flag or environment variable.
type usageError struct{ error }

// environment returns a variable's value, and whether it is set.
type environment = func(name string) (string, bool)

// run serves until ctx ends, or the store turns out to be damaged, then finishes the
// requests that are being answered. With -export or -import it does that instead.
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
		return usageError{errors.New("-dynamodb needs WEBHOOK_TOKEN_SHA256, as the table is not on this machine: AWS_ENDPOINT_URL_DYNAMODB is not a loopback address")}
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
	listener, err := net.Listen("tcp", options.addr)
	if err != nil {
		return err
	}
	// Nobody but the users of this machine can reach a loopback address.
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

// options are the values of the flags.
type options struct {
	addr  string
	file  string
	table string // in place of file; empty: none
	demo  bool   // in place of both

	version bool // prints it, and does nothing else

	exportTo, importFrom string // files; at most one is set

	reconcile reconciling
}

// moves reports whether the program exports or imports, and does not serve.
func (o options) moves() bool { return o.exportTo != "" || o.importFrom != "" }

// storeName returns the name of the store in the log.
func (o options) storeName() string {
	switch {
	case o.demo:
		return "examples"
	case o.table != "":
		return o.table
	default:
		return o.file
	}
}

// parseFlags reads the command line. The text of -h goes to help, and the error is
// flag.ErrHelp then; any other is a usageError.
func parseFlags(args []string, help io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` to listen on")
	flags.StringVar(&o.file, "db", "ocireffer.db", "`file` of the embedded store")
	flags.StringVar(&o.table, "dynamodb", "", "DynamoDB `table` to use instead, by the ordinary AWS configuration and AWS_ENDPOINT_URL_DYNAMODB; made if it is missing and the endpoint is a loopback address; otherwise WEBHOOK_TOKEN_SHA256 must be set")
	flags.BoolVar(&o.demo, "demo", false, "use a temporary store instead, filled with examples")
	flags.StringVar(&o.exportTo, "export", "", "write all that the store has to a `file` of JSON lines, and end; -: to standard output")
	flags.StringVar(&o.importFrom, "import", "", "merge such a `file` into the store, and end; -: from standard input")
	flags.BoolVar(&o.version, "version", false, "print the version, and end")
	o.reconcile.addFlags(flags)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(help)
		flags.Usage()
		return o, err
	}
	if err != nil {
		return o, usageError{err}
	}
	if flags.NArg() > 0 {
		return o, usageError{fmt.Errorf("unexpected argument %q: see -h", flags.Arg(0))}
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if err := o.check(given); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// check checks the flags of which given says that they are given.
func (o options) check(given map[string]bool) error {
	switch {
	case o.demo && (given["db"] || given["dynamodb"]):
		return errors.New("-demo has a store of its own: leave out -db and -dynamodb")
	case given["export"] && given["import"]:
		return errors.New("-export and -import: want one of them")
	case given["export"] && o.exportTo == "":
		return errors.New("-export names no file")
	case given["import"] && o.importFrom == "":
		return errors.New("-import names no file")
	case o.moves() && given["reconcile"]:
		return errors.New("-reconcile: leave out -export and -import")
	case o.moves() && given["addr"]:
		return errors.New("-export and -import do not serve: leave out -addr")
	case o.demo && given["import"]:
		return errors.New("-demo forgets what is imported: leave out one of the two")
	}
	if _, err := net.ResolveTCPAddr("tcp", o.addr); err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	return o.reconcile.check(given)
}

// A closingStore is a store that must be closed after use.
type closingStore interface {
	store.Store
	io.Closer
	Damaged() <-chan error // gets an error if the store can no longer be used
}

func openStore(ctx context.Context, o options, env environment) (closingStore, error) {
	switch {
	case o.demo:
		return openDemo(ctx)
	case o.table != "":
		return openTable(ctx, o, env)
	default:
		return openFile(o)
	}
}

// openFile opens the embedded store, which must exist to be exported.
func openFile(o options) (closingStore, error) {
	if o.exportTo != "" {
		if _, err := os.Stat(o.file); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
	}
	return bolt.Open(o.file)
}

func openDemo(ctx context.Context) (closingStore, error) {
	db, err := bolt.OpenTemporary()
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, db, time.Now().UTC()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// A table is a store in DynamoDB, which keeps nothing open.
type table struct{ *dynamo.DB }

func (table) Close() error { return nil }

func (table) Damaged() <-chan error { return nil }

// maxIdleConns is how many connections to DynamoDB are kept. An import makes 16 calls
// at once, and connections are slow to open.
const maxIdleConns = 32

// openTable opens a table. One that is exported is only read, and must exist.
func openTable(ctx context.Context, o options, env environment) (closingStore, error) {
	// LoadDefaultConfig can apply AWS_CA_BUNDLE only to the SDK's own type of client.
	client := awshttp.NewBuildableClient().WithTimeout(dynamo.AttemptTimeout).
		WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = maxIdleConns })
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	var options []dynamo.Option
	if endpoint(env) != "" {
		options = append(options, dynamo.WithoutStream())
	}
	if o.moves() || o.reconcile.once {
		options = append(options, dynamo.Patient())
	}
	if isLoopback(endpoint(env)) && o.exportTo == "" {
		if err := dynamo.Create(ctx, cfg, o.table); err != nil {
			return nil, err
		}
	}
	db, err := dynamo.Open(cfg, o.table, options...)
	if err != nil {
		return nil, err
	}
	begin := db.StartWriter
	if o.exportTo != "" {
		begin = db.StartReader
	}
	if err := begin(ctx); err != nil {
		return nil, err
	}
	return table{db}, nil
}

// endpoint returns the URL of DynamoDB, empty for AWS's own.
func endpoint(env environment) string {
	url, _ := env("AWS_ENDPOINT_URL_DYNAMODB")
	return url
}

// isLoopback reports whether endpoint is a URL of this machine itself.
func isLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// writers returns who may write, for the log.
func writers(s ingest.Settings) string {
	switch {
	case len(s.Tokens) > 0 && len(s.Secrets) > 0:
		return "with a token or a signature"
	case len(s.Tokens) > 0:
		return "with a token"
	case len(s.Secrets) > 0:
		return "with a signature"
	case s.WithoutToken:
		return "without a token"
	default:
		return "refused: not a loopback address, and no WEBHOOK_TOKEN_SHA256"
	}
}

const (
	// A request has 30 s to come, and 3 s more to be answered.
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute

	maxHeader = 64 << 10 // bytes

	finishTimeout = 10 * time.Second
)

// serve answers requests until ctx ends, or damaged has an error, and then those that
// have begun.
func serve(ctx context.Context, listener net.Listener, log *slog.Logger, h http.Handler, damaged <-chan error) (err error) {
	server := &http.Server{
		Handler:           requestlog.Handler(log, h),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case err = <-damaged:
	case <-ctx.Done():
	}
	log.Info("stopping")
	return errors.Join(err, finish(server, log, finishTimeout))
}

// finish waits for the requests that are being answered, and closes the connections of
// those that take longer than timeout.
func finish(server *http.Server, log *slog.Logger, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("closing the connections of slow clients")
		return server.Close()
	}
	return err
}
