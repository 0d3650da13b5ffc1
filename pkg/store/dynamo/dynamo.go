// Package dynamo is the DynamoDB backend: one table with four local indexes. Schema and
// template.yaml both describe it.
//
// Every event writes a register: an item with the rank of its newest event, which
// only an event of a greater rank replaces. A push writes an item for its reference
// under each of its names. A delete writes a tombstone under each name of its
// repository and marks the references it covers as deleted, which drops them from
// the read indexes. A category has an item for each member.
//
// There are no locks and no transactions. A push writes its reference, then looks
// for tombstones; a delete writes its tombstone, then looks for references. Both
// look with consistent reads, so whichever runs second sees the other. Every mark
// is a conditional update.
//
// A writer may end between any two calls. Derive, which the table's stream runs,
// completes what it began: it writes the copy or the tombstone that is missing and
// the marks, and computes the catalogue entry of the repository from its references.
//
// That nothing is lost so is proved on dynamomodel, a model of DynamoDB that tests hold
// to DynamoDB Local. TestEveryInterleavingOfTwoEvents and
// TestEveryInterleavingWithDerive go through every order of the calls of two operations
// under one name, every call at which one of them may die, and every order in which the
// stream may deliver; TestRandomHistories tries larger ones. TestDeleteOf10000Tags and
// TestReadersDoNotHinderPushes keep to the limits of DynamoDB's partitions.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"ocireffer/pkg/store"
)

var _ store.Store = (*DB)(nil)

// AttemptTimeout is how long one attempt of a call to DynamoDB may take. A
// caller's own deadline ends a call earlier.
const AttemptTimeout = time.Second

const (
	attempts   = 3 // of a call
	maxBackoff = 200 * time.Millisecond

	patientAttempts = 10
	patientBackoff  = 2 * time.Second

	parallel = 16 // calls at once, of a delete that marks many references and of a read of many entries
)

// Attributes of the table's items.
const (
	attrName        = "name"        // partition key: store.Partition of a name, or a partition below
	attrKey         = "key"         // sort key: a reference, tombstonePrefix and a target, or as the partitions below say
	attrRank        = "rank"        // of the register's newest event; of a catalogue entry: the rank of its newest push
	attrDeletedAt   = "deletedAt"   // event.Stamp; absent on live references
	attrReceivedAt  = "receivedAt"  // of a tombstone: event.Stamp of the delete's receipt
	attrDerived     = "derived"     // on what Derive wrote, so that the stream need not tell of it
	attrExpiresAt   = "expiresAt"   // Unix seconds from which DynamoDB may drop the item; absent on items that count
	attrHighest     = "highest"     // of a catalogue entry: the reference of the highest version; absent if that is the newest, or no tag is one
	attrText        = "text"        // of a catalogue entry: store.Entry.Text, for the filter of a search
	attrRevision    = "revision"    // of a catalogue entry or a state: counts its writes
	attrValue       = "value"       // of a state: its bytes
	attrDataVersion = "dataVersion" // of the item with the version of the data
)

// Partitions besides those of names. No name begins with #.
const (
	ownPrefix  = "#"
	catalogue  = ownPrefix + "catalogue"  // the key of an entry is its repository
	categories = ownPrefix + "category"   // the key of a member is its category, a slash and store.Partition of its name
	meta       = ownPrefix + "meta"       // the key of the version of the data is versionKey
	states     = ownPrefix + "reconcile/" // begins the partition of a registry's states
)

const (
	versionKey      = "version"
	tombstonePrefix = "#deleted/" // begins the key of a tombstone; no reference begins with it
)

// An index is a local index. Its sort key is an attribute that only live references
// have. Published catalogue entries have the attribute of ByPushed, their
// PushedKey.
type index struct{ name, attr string }

// indexes has the index of each order: ByPushed, sorted by the attribute byPushed,
// and so on.
var indexes = func() (all [len(store.Indexes)]index) {
	for _, order := range store.Indexes {
		name := order.String()
		all[order] = index{name, strings.ToLower(name[:1]) + name[1:]}
	}
	return all
}()

// DB is a store in a DynamoDB table.
type DB struct {
	client        client
	table         string
	parallel      int
	withoutStream bool
	now           func() time.Time
}

// A client makes calls to DynamoDB: *dynamodb.Client, or a model of it in tests.
type client interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// An Option is how a DB differs from that of a function that answers requests.
type Option func(*DB, *aws.Config)

// WithoutStream is for a table without a stream, as a local DynamoDB has it: each
// write is followed by what Derive would do.
func WithoutStream() Option { return func(db *DB, _ *aws.Config) { db.withoutStream = true } }

// Patient is for a function that nobody waits for: DynamoDB is asked many times when
// it throttles.
func Patient() Option {
	return func(_ *DB, cfg *aws.Config) { cfg.Retryer = retryer(patientAttempts, patientBackoff) }
}

func retryer(attempts int, maxBackoff time.Duration) func() aws.Retryer {
	return func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.MaxBackoff = maxBackoff
		})
	}
}

// Open prepares access to table. It makes no call. cfg has DynamoDB's address and the
// credentials. Open sets the number of attempts, and their timeout unless cfg has an
// HTTP client.
func Open(cfg aws.Config, table string, options ...Option) (*DB, error) {
	if table == "" {
		return nil, errors.New("open DynamoDB: no table is named (TABLE_NAME)")
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{
			Timeout:   AttemptTimeout,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2 * parallel},
		}
	}
	// Errors are returned, so the SDK need not log them. With DynamoDB Local it would
	// warn of each condition that failed.
	cfg.Logger = logging.Nop{}
	cfg.Retryer = retryer(attempts, maxBackoff)
	db := &DB{table: table, parallel: parallel, now: time.Now}
	for _, option := range options {
		option(db, &cfg)
	}
	db.client = dynamodb.NewFromConfig(cfg)
	return db, nil
}

// FromEnv returns the configuration that Lambda puts into a function's environment,
// with AWS_ENDPOINT_URL_DYNAMODB if that is not empty. The SDK's own
// config.LoadDefaultConfig reads many more sources, and costs a cold start 0.6 ms and
// 2 MB.
func FromEnv(getenv func(string) string) aws.Config {
	cfg := aws.Config{
		Region: getenv("AWS_REGION"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
				SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
				SessionToken:    getenv("AWS_SESSION_TOKEN"),
			}, nil
		}),
	}
	if endpoint := getenv("AWS_ENDPOINT_URL_DYNAMODB"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return cfg
}

// StartReader checks the version of the table's data. It is the first read of a
// cold start and so also opens the connection: the TLS handshake is most of what a
// cold start costs, and Lambda has more processor time for it before the first
// event. The error is a store.ErrDataVersion if this build cannot use the data; any
// other means only that the check failed. It costs 1 read unit.
func (db *DB) StartReader(ctx context.Context) error {
	_, err := db.checkDataVersion(ctx)
	return err
}

// StartWriter is StartReader for a writer: it also writes the version if the table
// has none yet. That costs 1 write unit, once.
func (db *DB) StartWriter(ctx context.Context) error {
	found, err := db.checkDataVersion(ctx)
	if err != nil || found {
		return err
	}
	item := keyOf(meta, versionKey)
	item[attrDataVersion] = num(store.DataVersion)
	written, stored, err := db.putIf(ctx, item, "attribute_not_exists(#key)", map[string]string{"#key": attrKey}, nil)
	if err != nil {
		return fmt.Errorf("write the data version of table %s: %w", db.table, err)
	}
	if !written { // another writer was first
		return db.checkVersionItem(stored)
	}
	return nil
}

// checkDataVersion checks the version of the data if the table has one. It uses
// BatchGetItem, since lookup's role does not allow GetItem.
func (db *DB) checkDataVersion(ctx context.Context) (found bool, err error) {
	items, err := db.batchGet(ctx, []attributes{keyOf(meta, versionKey)}, true)
	if err != nil {
		return false, fmt.Errorf("read the data version of table %s: %w", db.table, err)
	}
	if len(items) == 0 {
		return false, nil
	}
	return true, db.checkVersionItem(items[0])
}

func (db *DB) checkVersionItem(item attributes) error {
	version, err := number(item, attrDataVersion)
	if err != nil {
		return fmt.Errorf("table %s: %w: %w", db.table, store.ErrDataVersion, err)
	}
	if err := store.CheckDataVersion(int(version)); err != nil {
		return fmt.Errorf("table %s: %w", db.table, err)
	}
	return nil
}
