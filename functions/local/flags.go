package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
)

// options are the values of the flags.
type options struct {
	addr  string
	file  string
	table string // instead of file; empty: none
	demo  bool   // instead of both

	version bool // print the version, then exit

	exportTo, importFrom string // files; at most one is set

	reconcile reconciling
}

// moves reports whether the program exports or imports instead of serving.
func (o options) moves() bool { return o.exportTo != "" || o.importFrom != "" }

// storeName returns the store's name for the log.
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

// parseFlags parses the command line. For -h it writes the text to help and returns
// flag.ErrHelp; any other error is a usageError.
func parseFlags(args []string, help io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` to listen on")
	flags.StringVar(&o.file, "db", "ocireffer.db", "`file` of the embedded store")
	flags.StringVar(&o.table, "dynamodb", "", "DynamoDB `table` to use instead, with the usual AWS configuration. If AWS_ENDPOINT_URL_DYNAMODB is a loopback address, a missing table is created; otherwise WEBHOOK_TOKEN_SHA256 must be set")
	flags.BoolVar(&o.demo, "demo", false, "use a temporary store instead, filled with examples")
	flags.StringVar(&o.exportTo, "export", "", "write everything in the store to a `file` of JSON lines, then exit; - is standard output")
	flags.StringVar(&o.importFrom, "import", "", "merge a `file` that -export wrote into the store, then exit; - is standard input")
	flags.BoolVar(&o.version, "version", false, "print the version, then exit")
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

// check checks the flags. given contains those that were set.
func (o options) check(given map[string]bool) error {
	switch {
	case o.demo && (given["db"] || given["dynamodb"]):
		return errors.New("-demo has its own store: leave out -db and -dynamodb")
	case given["export"] && given["import"]:
		return errors.New("-export and -import: use only one of them")
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
