package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamomodel"
)

// A program is an operation of a DB, such as a push. All its effects are calls to
// DynamoDB, and all its input is their answers. So it is an automaton: its next calls
// depend only on the answers that it got, in whatever order they came.
type program struct {
	name   string
	run    func(context.Context, *dynamo.DB) error
	points map[string]*point // keyed by their answers
	begin  *point
}

// A point is where a program waits for the answers of its open calls, which run
// concurrently. The program has ended if there are none.
type point struct {
	program *program
	had     []answered // sorted by id
	open    []openCall // sorted by id
	err     error      // the error with which it has ended
	next    map[reply]*point
}

// An openCall has no answer yet.
type openCall struct {
	id    string
	input any
}

// An answer is what a call returns.
type answer struct {
	output any
	err    error
	text   string // equal for equal answers
}

type answered struct {
	id string
	answer
}

type reply struct {
	call int // index in a point's open calls
	text string
}

// newProgram runs in a synctest bubble, as all methods of points do.
func newProgram(name string, run func(context.Context, *dynamo.DB) error) *program {
	p := &program{name: name, run: run, points: map[string]*point{}}
	p.begin = p.after(nil)
	return p
}

// on returns the point that follows p when one of its open calls gets an answer.
func (p *point) on(call int, a answer) *point {
	r := reply{call, a.text}
	if next, ok := p.next[r]; ok {
		return next
	}
	had := append(slices.Clone(p.had), answered{p.open[call].id, a})
	slices.SortFunc(had, func(a, b answered) int { return strings.Compare(a.id, b.id) })
	p.next[r] = p.program.after(had)
	return p.next[r]
}

// after returns the point that answers lead to. It runs the program from the beginning
// and repeats these answers.
func (p *program) after(had []answered) *point {
	var key strings.Builder
	for _, a := range had {
		fmt.Fprintf(&key, "%s\n%s\n", a.id, a.text)
	}
	if at, ok := p.points[key.String()]; ok {
		return at
	}
	at := &point{program: p, had: had, next: map[reply]*point{}}
	player := &player{answers: map[string]answer{}, made: map[string]int{}, abandoned: make(chan struct{})}
	for _, a := range had {
		player.answers[a.id] = a.answer
	}
	ended := make(chan error, 1)
	go func() { ended <- p.run(context.Background(), dynamo.OnModel(player)) }()
	synctest.Wait()
	at.open = player.open
	slices.SortFunc(at.open, func(a, b openCall) int { return strings.Compare(a.id, b.id) })
	close(player.abandoned)
	if err := <-ended; len(at.open) == 0 {
		at.err = err
	}
	p.points[key.String()] = at
	return at
}

// A player is a client that repeats answers. Calls without an answer wait until the run
// is abandoned.
type player struct {
	answers   map[string]answer
	abandoned chan struct{}

	mu   sync.Mutex
	made map[string]int
	open []openCall
}

var errAbandoned = errors.New("the run is abandoned")

// play answers a call. A call's ID is its text, and how many times the same text came
// before.
func play[O any](p *player, op string, input any) (*O, error) {
	text, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	id := op + string(text)
	p.made[id]++
	id += fmt.Sprint(p.made[id])
	a, ok := p.answers[id]
	if !ok {
		p.open = append(p.open, openCall{id, input})
	}
	p.mu.Unlock()
	if !ok {
		<-p.abandoned
		return nil, errAbandoned
	}
	output, _ := a.output.(*O)
	return output, a.err
}

func (p *player) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return play[dynamodb.PutItemOutput](p, "PutItem", in)
}

func (p *player) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return play[dynamodb.UpdateItemOutput](p, "UpdateItem", in)
}

func (p *player) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return play[dynamodb.GetItemOutput](p, "GetItem", in)
}

func (p *player) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return play[dynamodb.BatchGetItemOutput](p, "BatchGetItem", in)
}

func (p *player) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return play[dynamodb.QueryOutput](p, "Query", in)
}

func (p *player) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return play[dynamodb.ScanOutput](p, "Scan", in)
}

// do makes an open call. wrote reports whether the call changed an item, or may have.
func (c openCall) do(ctx context.Context, model *dynamomodel.Table) (a answer, wrote bool) {
	var items []attributes // items in the answer
	switch in := c.input.(type) {
	case *dynamodb.PutItemInput:
		a.output, a.err = made(model.PutItem(ctx, in))
		wrote = a.err == nil
	case *dynamodb.UpdateItemInput:
		a.output, a.err = made(model.UpdateItem(ctx, in))
		wrote = a.err == nil
	case *dynamodb.GetItemInput:
		out, err := model.GetItem(ctx, in)
		a.output, a.err = made(out, err)
		items = append(items, out.Item)
	case *dynamodb.BatchGetItemInput:
		out, err := model.BatchGetItem(ctx, in)
		a.output, a.err = made(out, err)
		for _, found := range out.Responses {
			items = append(items, found...)
		}
	case *dynamodb.QueryInput:
		out, err := model.Query(ctx, in)
		a.output, a.err = made(out, err)
		items = append(out.Items, out.LastEvaluatedKey)
	case *dynamodb.ScanInput:
		out, err := model.Scan(ctx, in)
		a.output, a.err = made(out, err)
		items = append(out.Items, out.LastEvaluatedKey)
	}
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](a.err); ok {
		items = append(items, failed.Item)
	} else if a.err != nil {
		panic(a.err) // the model should not refuse any other call
	}
	a.text = textOf(a.err != nil, items)
	return a, wrote
}

// made returns a call's output, or nil if err is set.
func made[O any](output *O, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return output, nil
}

// attributes are an item or part of one.
type attributes = map[string]types.AttributeValue

// textOf returns a text. Equal answers have equal texts.
func textOf(failed bool, items []attributes) string {
	text := strconv.AppendBool(nil, failed)
	for _, item := range items {
		text = append(text, '\n')
		for _, name := range slices.Sorted(maps.Keys(item)) {
			text = append(append(text, name...), '=')
			switch v := item[name].(type) {
			case *types.AttributeValueMemberS:
				text = strconv.AppendQuote(text, v.Value)
			case *types.AttributeValueMemberN:
				text = append(text, v.Value...)
			case *types.AttributeValueMemberBOOL:
				text = strconv.AppendBool(text, v.Value)
			}
		}
	}
	return string(text)
}
