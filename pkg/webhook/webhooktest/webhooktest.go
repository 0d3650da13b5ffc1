// Package webhooktest has a webhook's body of each kind that is known, of every sender,
// with the answer that is due. Names, hosts and digests in them are made up; those whose
// name begins with captured were sent by a CNCF Distribution 3.1.2.
package webhooktest

import (
	"embed"
	"encoding/json"
	"testing"
	"time"

	"ocireffer/pkg/event"
)

// A Sample is a webhook with what is due.
type Sample struct {
	File      string            // the name of its file, which is that of the sample
	Registry  string            // in the URL; empty: none
	Header    map[string]string // CloudEvents in binary mode have some
	Signature string            // of the body by Secret; empty: the sender does not sign
	Received  time.Time         // when it is received, if a test may choose
	There     []string          // references in the store, as in registry/repository:tag@digest, pushed long before
	Status    int
	Answer    string   // at /api/webhook
	Left      []string // references that are in the store then
	Events    []event.Event
	Body      []byte
}

// Secret is the key of the samples' signatures, which openssl has made.
const Secret = "example-secret"

//go:embed answers.json payloads
var files embed.FS

// Samples returns all samples, by name.
func Samples(t testing.TB) (all []Sample) {
	t.Helper()
	if err := json.Unmarshal(read(t, "answers.json"), &all); err != nil {
		t.Fatalf("answers.json: %v", err)
	}
	known := map[string]bool{}
	for i, s := range all {
		all[i].Body = read(t, "payloads/"+s.File)
		known[s.File] = true
	}
	payloads, err := files.ReadDir("payloads")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range payloads {
		if !known[f.Name()] {
			t.Fatalf("answers.json says nothing of %s", f.Name())
		}
	}
	return all
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
