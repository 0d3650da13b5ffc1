// Package webhooktest has sample webhooks: a body of each known kind from every sender,
// with the expected answer. Their names, hosts and digests are made up. A real CNCF
// Distribution 3.1.2 sent those whose name begins with captured.
package webhooktest

import (
	"embed"
	"encoding/json"
	"testing"
	"time"

	"ocireffer/pkg/event"
)

// A Sample is a webhook with the expected result.
type Sample struct {
	File      string            // name of its file, which is also the sample's name
	Registry  string            // in the URL; empty: none
	Header    map[string]string // CloudEvents in binary mode have some
	Signature string            // of the body with Secret; empty: the sender does not sign
	Received  time.Time         // when it is received, if a test may choose
	There     []string          // references already in the store, as registry/repository:tag@digest, pushed long before
	Status    int
	Answer    string   // at /api/webhook
	Left      []string // references in the store afterwards
	Events    []event.Event
	Body      []byte
}

// Secret is the key of the samples' signatures, which were made with openssl.
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
