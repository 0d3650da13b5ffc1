// Package dynamo is the DynamoDB backend: one table with four local indexes. Both Schema
// and template.yaml describe the table.
//
// Every event writes a register: an item with the rank of its newest event, which only an
// event with a greater rank replaces. A push writes an item for its reference under each
// of its names. A delete writes a tombstone under each name of its repository and marks
// the references that it covers as deleted, which drops them from the read indexes. A
// category has an item for each member.
//
// There are no locks and no transactions. A push writes its reference, then looks
// for tombstones; a delete writes its tombstone, then looks for references. Both
// look with consistent reads, so whichever runs second sees the other. Every mark
// is a conditional update.
//
// A writer may stop between any two calls. Derive, which runs on the table's stream,
// completes what the writer began: it writes the missing copy, tombstone and marks, and
// computes the repository's catalogue entry from its references.
//
// The tests prove that this loses nothing, on dynamomodel: a model of DynamoDB that its
// own tests compare with DynamoDB Local. TestEveryInterleavingOfTwoEvents and
// TestEveryInterleavingWithDerive try every order of the calls of two operations under
// one name, every call at which one of them may die, and every order in which the stream
// may deliver: for one pair of operations in four, or with -all, as in CI, for each pair.
// TestRandomHistories tries longer histories. TestDeleteOf10000Tags and
// TestReadersDoNotHinderPushes check that the store stays within the limits of a DynamoDB
// partition.
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

// AttemptTimeout is how long one attempt of a call to DynamoDB may take. The caller's
// deadline may end it earlier.
const AttemptTimeout = time.Second

const (
	attempts   = 3 // how many times a call is tried
	maxBackoff = 200 * time.Millisecond

	patientAttempts = 10
	patientBackoff  = 2 * time.Second

	parallel = 16 // concurrent calls of a delete that marks many references, and of a read of many entries
)

// Attributes of the table's items.
const (
	attrName        = "name"        // partition key: store.Partition of a name, or a partition below
	attrKey         = "key"         // sort key: a reference, tombstonePrefix and a target, or as the partitions below say
	attrRank        = "rank"        // rank of the register's newest event; in a catalogue entry, of its newest push
	attrDeletedAt   = "deletedAt"   // event.Stamp; absent on live references
	attrReceivedAt  = "receivedAt"  // in a tombstone: event.Stamp of the delete's receipt
	attrDerived     = "derived"     // set by Derive, so that the stream's filter can skip the write
	attrExpiresAt   = "expiresAt"   // Unix seconds from which DynamoDB may drop the item; absent on items that must stay
	attrHighest     = "highest"     // in a catalogue entry: the reference of the highest version; absent if that is the newest, or no tag is a version
	attrText        = "text"        // in a catalogue entry: store.Entry.Text, for the filter of a search
	attrRevision    = "revision"    // in a catalogue entry or a state: counts its writes
	attrValue       = "value"       // in a state: its bytes
	attrDataVersion = "dataVersion" // only in the item with the data version
)

// Partitions besides those of names. No name begins with #.
const (
	ownPrefix  = "#"
	catalogue  = ownPrefix + "catalogue"  // the key of an entry is its repository
	categories = ownPrefix + "category"   // the key of a member is its category, a slash and store.Partition of its name
	meta       = ownPrefix + "meta"       // the key of the data version is versionKey
	states     = ownPrefix + "reconcile/" // begins the partition of a registry's states
)

const (
	versionKey      = "version"
	tombstonePrefix = "#deleted/" // begins the key of a tombstone; no reference begins with it
)

// An index is a local index. Its sort key is an attribute that only live references have.
// Published catalogue entries also have the attribute of ByPushed, which contains their
// PushedKey.
type index struct{ name, attr string }

// indexes contains the index of each order: ByPushed, sorted by the attribute byPushed,
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

// A client makes calls to DynamoDB: *dynamodb.Client, or a model in tests.
type client interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// An Option changes a DB from the default, which suits a function that answers requests.
type Option func(*DB, *aws.Config)

// WithoutStream is for a table without a stream, such as one in a local DynamoDB. After
// each write, the DB does what Derive would do.
func WithoutStream() Option { return func(db *DB, _ *aws.Config) { db.withoutStream = true } }

// Patient is for a function that nobody waits for: it retries many times when DynamoDB
// throttles.
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

// Open prepares access to table. It makes no call. cfg contains DynamoDB's address and
// the credentials. Open sets the number of attempts, and their timeout unless cfg has an
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
	// Errors are returned, so the SDK need not log them. With DynamoDB Local it would log
	// a warning for each failed condition.
	cfg.Logger = logging.Nop{}
	cfg.Retryer = retryer(attempts, maxBackoff)
	db := &DB{table: table, parallel: parallel, now: time.Now}
	for _, option := range options {
		option(db, &cfg)
	}
	db.client = dynamodb.NewFromConfig(cfg)
	return db, nil
}

// FromEnv returns the configuration that Lambda puts into a function's environment, with
// AWS_ENDPOINT_URL_DYNAMODB if that is not empty. The SDK's own config.LoadDefaultConfig
// reads many more sources, which adds 0.6 ms to a cold start and 2 MB to the binary.
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

// StartReader checks the version of the table's data. It is the first read of a cold
// start and so also opens the connection. The TLS handshake is most of the cost of a cold
// start, and Lambda grants more processor time before the first event than after it. The
// error is a store.ErrDataVersion if this build cannot use the data; any other error
// means only that the check failed. It costs 1 read unit.
func (db *DB) StartReader(ctx context.Context) error {
	_, err := db.checkDataVersion(ctx)
	return err
}

// StartWriter is StartReader for a writer. It also writes the version if the table has
// none yet, which costs 1 write unit, once.
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

// checkDataVersion checks the data version if the table has one. It uses BatchGetItem,
// since lookup's role does not allow GetItem.
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
