package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
)

// referencesEnv is how many references TestMovingThereAndBack moves.
const referencesEnv = "MOVING_REFERENCES"

// dynamoEnv is the environment for the program to use DynamoDB Local.
func dynamoEnv(t *testing.T) []string {
	t.Helper()
	return []string{"AWS_ENDPOINT_URL_DYNAMODB=" + dynamolocal.Endpoint(t), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=dynamolocal", "AWS_SECRET_ACCESS_KEY=dynamolocal"}
}

// TestMovingThereAndBack moves a store from a file to DynamoDB Local and from there into
// another file. Each import is killed half-way and run again. Afterwards all three stores
// give the same answers. To move 100,000 references, and to see how long each step takes:
//
//	MOVING_REFERENCES=100000 go test ./functions/local -run MovingThereAndBack -v -timeout 1h
func TestMovingThereAndBack(t *testing.T) {
	t.Parallel()
	n := 300
	if text := os.Getenv(referencesEnv); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", referencesEnv, err)
		}
	}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
	there, back := filepath.Join(dir, "there.jsonl"), filepath.Join(dir, "back.jsonl")
	table, env := fmt.Sprint("moving-", time.Now().UnixNano()), dynamoEnv(t)
	names := fillFile(t, from, n)

	timed := func(what string, do func()) {
		begun := time.Now()
		do()
		t.Logf("%d references: %s: %s", n, what, time.Since(begun).Round(time.Millisecond))
	}
	timed("export from the file", func() { runs(t, env, "", "-db", from, "-export", there) })
	half := names[len(names)/6*3].Repository          // there are three names for each repository
	every := time.Duration(n) * 10 * time.Microsecond // a fraction of an import's duration
	timed("import into DynamoDB, killed", func() {
		db := openDynamo(t, table)
		kill(t, env, every, func() bool {
			h, err := db.History(t.Context(), movedRegistry, half)
			return err == nil && len(h.Pushes) > 0 // the table may not exist yet
		}, "-dynamodb", table, "-import", there)
	})
	timed("import into DynamoDB", func() { runs(t, env, "", "-dynamodb", table, "-import", there) })
	timed("import into DynamoDB again", func() { runs(t, env, "", "-dynamodb", table, "-import", there) })
	timed("export from DynamoDB", func() { runs(t, env, "", "-dynamodb", table, "-export", back) })
	timed("import into the file, killed", func() {
		// No other process can open the file.
		kill(t, env, every, func() bool { return true }, "-db", to, "-import", back)
	})
	timed("import into the file", func() { runs(t, env, "", "-db", to, "-import", back) })

	var want answers
	for what, s := range map[string]store.Store{"the file": openBolt(t, from), "DynamoDB": openDynamo(t, table), "the other file": openBolt(t, to)} {
		var got answers
		timed("read all answers of "+what, func() { got = answersOf(t, s, names) })
		if want.names == nil {
			want = got
		} else if diff := cmp.Diff(want, got, cmp.AllowUnexported(answers{})); diff != "" {
			t.Errorf("answers differ: -one +%s\n%s", what, diff)
		}
	}
	if got := len(want.entries); got == 0 || got == len(names) {
		t.Errorf("%d of %d names are listed, want some, but not all", got, len(names))
	}
}

// kill starts the program, and kills it once it has done part of its work. It checks that
// at intervals.
func kill(t *testing.T, env []string, every time.Duration, done func() bool, args ...string) {
	t.Helper()
	cmd := command(env, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			t.Logf("%v ended before it was killed: %v", args, err)
			return
		case <-look.C:
			if done() {
				cmd.Process.Kill()
				<-ended
				return
			}
		}
	}
}

const movedRegistry = "wasmcloud.azurecr.io"

// fillFile makes a file with this many references, a hundred in each repository, with
// deletes of each kind, given names and a category. It returns all names.
func fillFile(t *testing.T, file string, references int) (names []reference.Name) {
	t.Helper()
	db := openBolt(t, file)
	const tags = 100
	at := time.Date(2023, 7, 3, 12, 0, 0, 0, time.UTC)
	received := time.Now().UTC().Truncate(time.Second)
	apply := func(e event.Event) {
		t.Helper()
		if _, err := store.Apply(t.Context(), db, e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range references / tags {
		own := reference.Name{Registry: movedRegistry, Repository: fmt.Sprintf("team-%d/app-%05d", i%7, i)}
		names = append(names, own, reference.Name{Repository: own.Repository})
		var pushes []event.Push
		for j := range tags {
			p := event.Push{
				Reference: reference.Reference{Registry: own.Registry, Repository: own.Repository, Tag: fmt.Sprintf("%d.%d.0", j/10, j%10)},
				Digest:    fmt.Sprintf("sha256:%064x", i*tags+j/2), MediaType: "application/vnd.oci.image.manifest.v1+json", Size: int64(1000 + j),
				PushedAt: at.Add(time.Duration(i*tags+j) * time.Second),
			}
			if j == 99 {
				p.Reference.Tag = "latest"
			}
			if j == 50 {
				p.GivenName = fmt.Sprintf("given-%d", i%50)
				names = append(names, p.ListedAs())
			}
			pushes = append(pushes, p)
		}
		if err := db.PushAll(t.Context(), pushes); err != nil {
			t.Fatal(err)
		}
		target := event.Target{Registry: own.Registry, Repository: own.Repository}
		byTag, byDigest := target, target
		byTag.Tag, byDigest.Digest = "1.0.0", pushes[20].Digest
		for _, target := range []event.Target{byTag, byDigest} {
			apply(event.Event{Delete: &event.Delete{Target: target, DeletedAt: at.Add(1000 * time.Hour), ReceivedAt: received}})
		}
		if i%10 == 1 {
			apply(event.Event{Delete: &event.Delete{Target: target, DeletedAt: at.Add(1000 * time.Hour), ReceivedAt: received}})
		}
		apply(event.Event{Membership: &event.Membership{Member: event.Member{Category: "official", Name: own}, Removed: i%3 == 0, At: received}})
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return names
}

func openBolt(t *testing.T, file string) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openDynamo(t *testing.T, table string) *dynamo.DB {
	t.Helper()
	db, err := dynamo.Open(dynamolocal.Config(t), table, dynamo.WithoutStream(), dynamo.Patient())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// answers are everything that a store answers about some names.
type answers struct {
	entries []store.Entry
	members []event.Member
	names   map[string]nameAnswers
}

type nameAnswers struct {
	References []event.Push
	Picks      [len(store.Orders)]event.Push
}

func answersOf(t *testing.T, s store.Store, names []reference.Name) answers {
	t.Helper()
	all := answers{names: map[string]nameAnswers{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, newest := range []bool{false, true} {
		l := store.Listing{Span: store.Span{Limit: 100}, Newest: newest}
		for more := true; more; more = l.After != "" {
			page, err := s.Repositories(t.Context(), l)
			must(err)
			all.entries = append(all.entries, page.Items...)
			l.After = page.Next
		}
	}
	var err error
	all.members, err = s.Members(t.Context(), "")
	must(err)
	for _, name := range names {
		var of nameAnswers
		for span := (store.Span{Limit: 1000}); ; {
			page, err := s.References(t.Context(), name, nil, span)
			must(err)
			of.References = append(of.References, page.Items...)
			if span.After = page.Next; span.After == "" {
				break
			}
		}
		for i, order := range store.Orders {
			of.Picks[i], err = s.Pick(t.Context(), store.Query{Name: name, Order: order})
			if len(of.References) > 0 {
				must(err)
			}
		}
		all.names[store.Partition(name)] = of
	}
	return all
}
