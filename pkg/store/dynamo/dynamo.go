// Package dynamo is the DynamoDB backend: one table with four local indexes, of
// which Schema and template.yaml hold the same description.
//
// A reference is one item under each of its names. What a delete leaves is one
// item under each name of the repository; the items of references that it takes
// out are marked, and leave the indexes that readers use by that. There is no
// lock and no transaction. A push writes its reference first and looks for
// deletes then; a delete writes what it leaves first and looks for references
// then; both looks are consistent reads. So whichever comes second sees the
// other, and each mark is made on the condition that it still holds. The
// catalogue has an entry for each repository, derived from its references;
// categories have an item for each member.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

var _ store.Store = (*DB)(nil)

// AttemptTimeout is how long one attempt of a call to DynamoDB may take. A
// caller's own deadline ends a call earlier.
const AttemptTimeout = time.Second

const (
	attempts   = 3 // of a call
	maxBackoff = 200 * time.Millisecond
	parallel   = 16 // calls at once by which a delete marks many references
)

// Attributes of the table's items.
const (
	attrName        = "name"         // partition: a name, or catalog
	attrKey         = "key"          // sort: the reference, or deletedPrefix and a delete's target
	attrDigest      = "digest"       // absent when unknown; sorts ByDigest
	attrMediaType   = "mediaType"    // absent when unknown
	attrSize        = "size"         // bytes; absent when unknown
	attrPushedAt    = "pushedAt"     // store.Stamp
	attrDeletedAt   = "deletedAt"    // store.Stamp; absent on live references
	attrReference   = "reference"    // of a catalogue entry: the newest; absent if none is live
	attrEntryDigest = "newestDigest" // of a catalogue entry, which must not stand in ByDigest
	attrListed      = "listed"       // of a catalogue entry: its key again, as DynamoDB filters by no key
	attrVersion     = "version"      // of a catalogue entry: the highest; absent if no tag is one
	attrRevision    = "revision"     // of a catalogue entry: counts its writes
	attrChangedAt   = "changedAt"    // of a member: store.Stamp of its newest membership
	attrExpiresAt   = "expiresAt"    // Unix seconds from which DynamoDB may drop the item; absent on what is live
)

// attributes are an item, or a part of one.
type attributes = map[string]types.AttributeValue

// deletedPrefix begins the key of what a delete leaves. No reference begins so.
const deletedPrefix = "#deleted/"

// indexes are those that readers use. Each is sorted by an attribute that only
// live references have.
var indexes = map[store.Order]struct{ name, attr string }{
	store.ByPushed:  {"ByPushed", "byPushed"},
	store.ByRelease: {"ByRelease", "byRelease"},
	store.ByVersion: {"ByVersion", "byVersion"},
}

const digestIndex = "ByDigest"

// DB is a store in a DynamoDB table.
type DB struct {
	client   *dynamodb.Client
	table    string
	parallel int
}

// Open prepares access to table. It makes no call. Cfg says where DynamoDB is and
// who calls; how often and how long is tried is decided here, but for the
// client of HTTP if cfg has one.
func Open(cfg aws.Config, table string) (*DB, error) {
	if table == "" {
		return nil, errors.New("open DynamoDB: no table is named (TABLE_NAME)")
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{
			Timeout:   AttemptTimeout,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2 * parallel},
		}
	}
	// What matters comes back as an error. DynamoDB Local gives the SDK cause to
	// warn of each lost condition.
	cfg.Logger = logging.Nop{}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.MaxBackoff = maxBackoff
		})
	}
	return &DB{client: dynamodb.NewFromConfig(cfg), table: table, parallel: parallel}, nil
}

// FromEnv is the configuration that Lambda puts into a function's environment,
// with AWS_ENDPOINT_URL_DYNAMODB if that is not empty. The SDK's own reader of
// configurations knows of much more, and costs a cold start 0.6 ms and 2 MB.
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

// Push implements store.Writer. Each of the two names costs one conditional
// write and one consistent read of at most three items: 5 write units for a new
// reference, up to 9 for one that is there (the item and its four index
// entries, of which a changed one counts twice), and 3 read units. The catalogue
// entry costs 1 write unit and 3 read units.
func (db *DB) Push(ctx context.Context, p store.Push) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range p.Names() {
		group.Go(func() error {
			err := db.push(ctx, name, p)
			if i == 0 && err == nil {
				err = db.list(ctx, name)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("push %s: %w", p.Reference, err)
	}
	return nil
}

func (db *DB) push(ctx context.Context, name string, p store.Push) error {
	standing, deleted, err := db.putIfNewer(ctx, name, p)
	if err != nil || deleted {
		return err
	}
	d, err := db.reaching(ctx, name, standing)
	if err != nil || d == nil {
		return err
	}
	_, err = db.mark(ctx, name, p.Reference.String(), *d)
	return err
}

// putIfNewer writes p under name unless an equal or newer push of its reference
// stands there. It gives the push that stands afterwards and whether that one is
// marked as deleted.
func (db *DB) putIfNewer(ctx context.Context, name string, p store.Push) (standing store.Push, deleted bool, err error) {
	item := itemOf(name, p)
	isNewer, names, values := newer(item)
	_, err = db.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           &db.table,
		Item:                                item,
		ConditionExpression:                 &isNewer,
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var lost *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &lost):
		standing, err = pushOf(lost.Item)
		_, deleted = lost.Item[attrDeletedAt]
		return standing, deleted, err
	case err != nil:
		return p, false, err
	}
	return p, false, nil
}

// reaching finds a stored delete that reaches p, nil if there is none.
func (db *DB) reaching(ctx context.Context, name string, p store.Push) (*tombstone, error) {
	var keys []attributes
	threats := map[string]store.Delete{}
	for _, d := range p.Threats() {
		key := deletedPrefix + d.Target()
		threats[key] = d
		keys = append(keys, keyOf(name, key))
	}
	items, err := db.batchGet(ctx, keys, true)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		d := threats[text(item, attrKey)]
		if d.DeletedAt, err = store.ParseStamp(text(item, attrDeletedAt)); err != nil {
			return nil, fmt.Errorf("read what the delete of %s left: %w", d.Target(), err)
		}
		if d.Reaches(p) {
			return &tombstone{d, item[attrExpiresAt]}, nil
		}
	}
	return nil, nil
}

// batchGet reads items, at most maxBatchGet. DynamoDB may leave some out when it is
// busy; those are asked for again, as often as a failed call would be.
func (db *DB) batchGet(ctx context.Context, keys []attributes, consistent bool) (items []attributes, err error) {
	request := map[string]types.KeysAndAttributes{db.table: {Keys: keys, ConsistentRead: &consistent}}
	for range attempts {
		out, err := db.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, err
		}
		items = append(items, out.Responses[db.table]...)
		if request = out.UnprocessedKeys; len(request) == 0 {
			return items, nil
		}
	}
	return nil, errors.New("DynamoDB left keys unprocessed")
}

// tombstone is what a delete leaves.
type tombstone struct {
	store.Delete
	expiresAt types.AttributeValue
}

// mark takes the reference key under name out for d, if d still reaches what
// stands there. It reports whether it was live until then.
func (db *DB) mark(ctx context.Context, name, key string, d tombstone) (bool, error) {
	condition := "#pushedAt <= :deletedAt AND attribute_not_exists(#deletedAt)"
	names := map[string]string{"#pushedAt": attrPushedAt, "#deletedAt": attrDeletedAt, "#expiresAt": attrExpiresAt}
	values := attributes{":deletedAt": str(store.Stamp(d.DeletedAt)), ":expiresAt": d.expiresAt}
	if d.Digest != "" {
		condition += " AND #digest = :digest"
		names["#digest"] = attrDigest
		values[":digest"] = str(d.Digest)
	}
	_, err := db.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 &db.table,
		Key:                       keyOf(name, key),
		UpdateExpression:          aws.String("SET #deletedAt = :deletedAt, #expiresAt = :expiresAt REMOVE byPushed, byRelease, byVersion"),
		ConditionExpression:       &condition,
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: values,
	})
	var lost *types.ConditionalCheckFailedException
	if errors.As(err, &lost) {
		return false, nil
	}
	return err == nil, err
}

// Delete implements store.Writer. Each of the two names costs a write unit, a
// consistent query for what it reaches, and some 5 write units for each
// reference taken out, and the catalogue entry 1 write unit and 3 read units.
func (db *DB) Delete(ctx context.Context, d store.Delete) (int, error) {
	t := tombstone{d, num(d.ReceivedAt.Add(store.Tombstone).Unix())}
	names := d.Names()
	gone := make([][]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() (err error) {
			gone[i], err = db.remove(ctx, name, t)
			if i == 0 && err == nil {
				err = db.list(ctx, name)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, fmt.Errorf("delete %s: %w", d.Target(), err)
	}
	all := map[string]bool{}
	for _, key := range slices.Concat(gone...) {
		all[key] = true
	}
	return len(all), nil
}

// remove stores d under name and gives the references that it took out there.
func (db *DB) remove(ctx context.Context, name string, d tombstone) ([]string, error) {
	if err := db.leave(ctx, name, d); err != nil {
		return nil, err
	}
	keys, err := db.reached(ctx, name, d.Delete)
	if err != nil {
		return nil, err
	}
	marked := make([]bool, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(db.parallel)
	for i, key := range keys {
		group.Go(func() (err error) {
			marked[i], err = db.mark(ctx, name, key, d)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var gone []string
	for i, key := range keys {
		if marked[i] {
			gone = append(gone, key)
		}
	}
	return gone, nil
}

// leave writes what d leaves under name, unless a newer delete of the same
// target left its own.
func (db *DB) leave(ctx context.Context, name string, d tombstone) error {
	item := keyOf(name, deletedPrefix+d.Target())
	item[attrDeletedAt] = str(store.Stamp(d.DeletedAt))
	item[attrExpiresAt] = d.expiresAt
	_, err := db.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                 &db.table,
		Item:                      item,
		ConditionExpression:       aws.String("attribute_not_exists(#deletedAt) OR #deletedAt < :deletedAt"),
		ExpressionAttributeNames:  map[string]string{"#deletedAt": attrDeletedAt},
		ExpressionAttributeValues: attributes{":deletedAt": item[attrDeletedAt]},
	})
	var lost *types.ConditionalCheckFailedException
	if errors.As(err, &lost) {
		return nil
	}
	return err
}

// reached finds the live references under name that d may reach, consistently.
// Those of a digest are found without reading the rest.
func (db *DB) reached(ctx context.Context, name string, d store.Delete) (keys []string, err error) {
	repository := d.Registry + "/" + d.Repository + ":"
	if d.Digest == "" && d.Tag != "" {
		return []string{repository + d.Tag}, nil
	}
	query := &dynamodb.QueryInput{
		TableName:                 &db.table,
		ConsistentRead:            aws.Bool(true),
		KeyConditionExpression:    aws.String("#name = :name AND begins_with(#key, :repository)"),
		FilterExpression:          aws.String("attribute_not_exists(#deletedAt)"),
		ExpressionAttributeNames:  map[string]string{"#name": attrName, "#key": attrKey, "#deletedAt": attrDeletedAt},
		ExpressionAttributeValues: attributes{":name": str(name), ":repository": str(repository)},
	}
	if d.Digest != "" {
		query.IndexName = aws.String(digestIndex)
		query.KeyConditionExpression = aws.String("#name = :name AND #digest = :digest")
		query.FilterExpression = aws.String("attribute_not_exists(#deletedAt) AND begins_with(#key, :repository)")
		query.ExpressionAttributeNames["#digest"] = attrDigest
		query.ExpressionAttributeValues[":digest"] = str(d.Digest)
	}
	for pages := dynamodb.NewQueryPaginator(db.client, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			keys = append(keys, text(item, attrKey))
		}
	}
	return keys, nil
}

// pageSize is how many references a lookup with a condition on tags reads at once.
const pageSize = 100

// Pick implements store.Reader. It costs 0.5 read units, or with q.Match some 0.06
// for each reference that it reads: about 6 for a page, at most 60 with references of usual length.
func (db *DB) Pick(ctx context.Context, q store.Query) (store.Push, error) {
	p, err := db.pick(ctx, q, false)
	if err != nil {
		return p, fmt.Errorf("pick %s: %w", q.Name, err)
	}
	return p, nil
}

func (db *DB) pick(ctx context.Context, q store.Query, consistent bool) (store.Push, error) {
	index := indexes[q.Order]
	limit := int32(1)
	if q.Match != nil {
		limit = pageSize
	}
	query := &dynamodb.QueryInput{
		TableName:                 &db.table,
		IndexName:                 &index.name,
		KeyConditionExpression:    aws.String("#name = :name"),
		ExpressionAttributeNames:  map[string]string{"#name": attrName},
		ExpressionAttributeValues: attributes{":name": str(q.Name)},
		ConsistentRead:            &consistent,
		ScanIndexForward:          aws.Bool(false),
		Limit:                     &limit,
	}
	for read := 0; read < store.MaxScan; {
		page, err := db.client.Query(ctx, query)
		if err != nil {
			return store.Push{}, err
		}
		for _, item := range page.Items {
			p, err := pushOf(item)
			if err != nil || q.Match == nil || q.Match(p.Reference.Tag) {
				return p, err
			}
		}
		read += len(page.Items)
		if query.ExclusiveStartKey = page.LastEvaluatedKey; query.ExclusiveStartKey == nil {
			break
		}
	}
	return store.Push{}, store.ErrNotFound
}

// References implements store.Reader. It costs 0.5 read units for each 4 KB of
// references, of which each has some 500 bytes.
func (db *DB) References(ctx context.Context, name, after string, limit int) (pushes []store.Push, more bool, err error) {
	index := indexes[store.ByPushed]
	query := &dynamodb.QueryInput{
		TableName:                 &db.table,
		IndexName:                 &index.name,
		KeyConditionExpression:    aws.String("#name = :name"),
		ExpressionAttributeNames:  map[string]string{"#name": attrName},
		ExpressionAttributeValues: attributes{":name": str(name)},
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(int32(limit) + 1),
	}
	if after != "" {
		query.KeyConditionExpression = aws.String("#name = :name AND #pushed < :after")
		query.ExpressionAttributeNames["#pushed"] = index.attr
		query.ExpressionAttributeValues[":after"] = str(after)
	}
	for pages := dynamodb.NewQueryPaginator(db.client, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("list references of %s: %w", name, err)
		}
		for _, item := range page.Items {
			if len(pushes) == limit {
				return pushes, true, nil
			}
			p, err := pushOf(item)
			if err != nil {
				return nil, false, fmt.Errorf("list references of %s: %w", name, err)
			}
			pushes = append(pushes, p)
		}
	}
	return pushes, false, nil
}

// Warm makes a read that a writer may make, of an item that nobody writes, so
// that the connection is there before it is needed: the handshake of TLS is most
// of what a cold start costs.
func (db *DB) Warm(ctx context.Context) error {
	if _, err := db.batchGet(ctx, []attributes{keyOf("#warm", "#warm")}, true); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	return nil
}

// itemOf is p as it is stored under name, live.
func itemOf(name string, p store.Push) attributes {
	keys := p.Keys()
	item := keyOf(name, p.Reference.String())
	item[attrPushedAt] = str(store.Stamp(p.PushedAt))
	item[indexes[store.ByPushed].attr] = str(keys.Pushed)
	item[indexes[store.ByRelease].attr] = str(keys.Release)
	item[indexes[store.ByVersion].attr] = str(keys.Version)
	if p.Digest != "" {
		item[attrDigest] = str(p.Digest)
	}
	if p.MediaType != "" {
		item[attrMediaType] = str(p.MediaType)
	}
	if p.Size >= 0 {
		item[attrSize] = num(p.Size)
	}
	return item
}

// pushOf is the reverse of itemOf.
func pushOf(item attributes) (store.Push, error) {
	p := store.Push{Digest: text(item, attrDigest), MediaType: text(item, attrMediaType), Size: store.UnknownSize}
	var err error
	if p.Reference, err = reference.Parse(text(item, attrKey)); err != nil {
		return p, fmt.Errorf("read an item: %w", err)
	}
	p.Name = store.NameByHand(text(item, attrName), p.Reference)
	if p.PushedAt, err = store.ParseStamp(text(item, attrPushedAt)); err != nil {
		return p, fmt.Errorf("read the item of %s: %w", p.Reference, err)
	}
	if n, ok := item[attrSize].(*types.AttributeValueMemberN); ok {
		if p.Size, err = strconv.ParseInt(n.Value, 10, 64); err != nil {
			return p, fmt.Errorf("read the item of %s: %w", p.Reference, err)
		}
	}
	return p, nil
}

func keyOf(name, key string) attributes {
	return attributes{attrName: str(name), attrKey: str(key)}
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func text(item attributes, attr string) string {
	if s, ok := item[attr].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// newer is the condition that no push stands under item's key, or one that is
// less than item's by store.Push.Compare. What is absent is less than all that
// is there.
func newer(item attributes) (expression string, names map[string]string, values attributes) {
	names = map[string]string{"#key": attrKey}
	values = attributes{}
	less := "" // the stored push is less by what is compared so far; empty: it is not
	for _, attr := range []string{attrMediaType, attrSize, attrDigest, attrPushedAt} {
		value, known := item[attr]
		if !known && less == "" {
			continue
		}
		stored, given := "#"+attr, ":"+attr
		names[stored] = attr
		if !known {
			less = fmt.Sprintf("attribute_not_exists(%s) AND (%s)", stored, less)
			continue
		}
		values[given] = value
		if less != "" {
			less = fmt.Sprintf(" OR %s = %s AND (%s)", stored, given, less)
		}
		less = fmt.Sprintf("attribute_not_exists(%s) OR %s < %s%s", stored, stored, given, less)
	}
	return "attribute_not_exists(#key) OR " + less, names, values
}
