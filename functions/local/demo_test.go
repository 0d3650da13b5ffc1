package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/bolt"
)

// TestNewestExamplesAreVersionsOfTheGivenAge also checks that latest has the manifest
// of the newest version.
func TestNewestExamplesAreVersionsOfTheGivenAge(t *testing.T) {
	t.Parallel()
	db, err := bolt.OpenTemporary()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := fill(t.Context(), db, now); err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		name, err := reference.ParseName(e.name)
		if err != nil {
			t.Fatal(err)
		}
		tags := strings.Fields(e.tags)
		page, err := db.References(t.Context(), name, nil, store.Span{Limit: 100})
		if err != nil || len(page.Items) != len(tags) {
			t.Fatalf("References(%s) = %d, %v, want %d", name, len(page.Items), err, len(tags))
		}
		newest := page.Items[0]
		if want := now.Add(-e.age); !newest.PushedAt.Equal(want) {
			t.Errorf("the newest push of %s is of %s, want %s", name, newest.PushedAt, want)
		}
		if newest.Reference.Tag == "latest" {
			t.Errorf("the newest push of %s is latest, want a version", name)
		}
		if strings.HasSuffix(e.tags, "latest") && page.Items[1].Digest != newest.Digest {
			t.Errorf("latest of %s has the digest %s, want that of %s, %s", name, page.Items[1].Digest, newest.Reference.Tag, newest.Digest)
		}
	}
	official, err := db.Members(t.Context(), "official")
	if err != nil || len(official) != 7 {
		t.Errorf("Members(official) = %v, %v, want 7", official, err)
	}
	if _, err := db.Pick(t.Context(), store.Query{Name: notPublished.Name}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Pick(%s): %v, want ErrNotFound", notPublished.Name, err)
	}
}

// TestEventsOfTheExamplesCanBeWrittenAndRead checks that each is one that a registry
// could have sent.
func TestEventsOfTheExamplesCanBeWrittenAndRead(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		for _, happened := range e.events(time.Now().UTC()) {
			line, err := happened.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if err := new(event.Event).UnmarshalJSON(line); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
}
