package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
)

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

// openFile opens the embedded store. It must exist if it is exported.
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

// A table is a store in DynamoDB, which needs no closing.
type table struct{ *dynamo.DB }

func (table) Close() error { return nil }

func (table) Damaged() <-chan error { return nil }

// maxIdleConns is how many connections to DynamoDB are kept open. An import makes 16
// calls at once, and connections open slowly.
const maxIdleConns = 32

// openTable opens a table. If it is exported, it must exist and is only read.
func openTable(ctx context.Context, o options, env environment) (closingStore, error) {
	// LoadDefaultConfig can apply AWS_CA_BUNDLE only to a client of the SDK's own type.
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
	db, err := dynamo.Open(cfg, o.table, options...)
	if err != nil {
		return nil, err
	}
	switch {
	case o.exportTo != "":
		err = db.StartReader(ctx)
	case isLoopback(endpoint(env)):
		cfg.HTTPClient = client.WithTimeout(time.Minute)
		err = createTable(ctx, cfg, o.table)
	default:
		err = db.StartWriter(ctx)
	}
	if err != nil {
		return nil, err
	}
	return table{db}, nil
}

// createTable creates a table in a local DynamoDB, unless it exists, and starts its writer.
// A DynamoDB that has just started may need several seconds for the table, and again for
// its first item, so the HTTP client of cfg must wait that long.
func createTable(ctx context.Context, cfg aws.Config, name string) error {
	if err := dynamo.Create(ctx, cfg, name); err != nil {
		return err
	}
	db, err := dynamo.Open(cfg, name)
	if err != nil {
		return err
	}
	return db.StartWriter(ctx)
}

// endpoint returns the URL of DynamoDB, or "" for AWS's own.
func endpoint(env environment) string {
	url, _ := env("AWS_ENDPOINT_URL_DYNAMODB")
	return url
}

// isLoopback reports whether endpoint is a URL on this machine.
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
