package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/store/dynamo"
)

// A fate is what happens to a call.
type fate int

const (
	done       fate = iota // it is made and answered
	lostBefore             // it is not made
	lostAfter              // it is made, but not answered
)

func (f fate) String() string { return [...]string{"done", "lost before", "lost after"}[f] }

// A gate holds the calls of all processes until each is let through.
type gate struct {
	mu   sync.Mutex
	open []*call
}

// A call waits at the gate.
type call struct {
	*process
	what   string
	do     func() // makes the call
	passed chan fate
}

// pass lets a call through. It runs on the caller's goroutine: a new goroutine of the
// process would have to grow its stack each time.
func (c *call) pass(f fate) {
	if f != lostBefore {
		c.do()
	}
	c.passed <- f
}

// sort sorts the open calls, so that their order does not depend on which goroutine of a
// process was faster.
func (g *gate) sort() {
	slices.SortFunc(g.open, func(a, b *call) int {
		if a.number != b.number {
			return a.number - b.number
		}
		return strings.Compare(a.what, b.what)
	})
}

// take removes a call from the gate.
func (g *gate) take(i int) *call {
	c := g.open[i]
	g.open = slices.Delete(g.open, i, i+1)
	return c
}

// takeOf removes a call of a process from the gate. It returns nil if there is none.
func (g *gate) takeOf(p *process) *call {
	g.sort()
	i := slices.IndexFunc(g.open, func(c *call) bool { return c.process == p })
	if i < 0 {
		return nil
	}
	return g.take(i)
}

// A client makes the calls of a process.
type client struct{ *process }

var (
	errDead = errors.New("the process is dead")
	errLost = errors.New("the answer is lost")
)

// pass makes a call once it is let through.
func pass[I, O any](ctx context.Context, c *client, what string, in *I, do func(context.Context, *I, ...func(*dynamodb.Options)) (*O, error)) (*O, error) {
	if c.dead {
		return nil, errDead
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out *O
	var err error
	// A call may land even after its caller has stopped waiting.
	waiting := &call{c.process, what, func() { out, err = do(context.WithoutCancel(ctx), in) }, make(chan fate)}
	c.gate.mu.Lock()
	c.gate.open = append(c.gate.open, waiting)
	c.gate.mu.Unlock()
	if f := <-waiting.passed; f != done {
		return nil, errLost
	}
	return out, err
}

// key returns the text of an item's key.
func key(item map[string]types.AttributeValue) string {
	return item["name"].(*types.AttributeValueMemberS).Value + " " + item["key"].(*types.AttributeValueMemberS).Value
}

func (c *client) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return pass(ctx, c, "PutItem "+key(in.Item), in, func(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
		out, err := c.model.PutItem(ctx, in)
		if err == nil && c.event >= 0 {
			c.counts[c.event] = true
		}
		return out, err
	})
}

func (c *client) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return pass(ctx, c, "UpdateItem "+key(in.Key)+valuesOf(in.ExpressionAttributeValues), in, c.model.UpdateItem)
}

func (c *client) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return pass(ctx, c, "GetItem "+key(in.Key), in, c.model.GetItem)
}

func (c *client) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	keys := in.RequestItems[dynamo.ModelTable].Keys
	what := fmt.Sprintf("BatchGetItem %s and %d more", key(keys[0]), len(keys)-1)
	return pass(ctx, c, what, in, c.model.BatchGetItem)
}

func (c *client) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	what := "Query"
	if in.IndexName != nil {
		what += " of " + *in.IndexName
	}
	return pass(ctx, c, what+valuesOf(in.ExpressionAttributeValues), in, c.model.Query)
}

func (c *client) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return pass(ctx, c, "Scan", in, c.model.Scan)
}

// valuesOf returns the texts in the values of an expression.
func valuesOf(values map[string]types.AttributeValue) (text string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if v, ok := values[name].(*types.AttributeValueMemberS); ok {
			text += " " + v.Value
		}
	}
	return text
}
