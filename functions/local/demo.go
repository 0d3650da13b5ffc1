package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// An example is a repository in the demonstration.
type example struct {
	name       string        // registry/repository
	age        time.Duration // age of the last push
	every      time.Duration // time from one push to the next
	tags       string        // oldest first, separated by blanks; a final "latest" is a second tag of the newest
	categories string        // separated by blanks
	platforms  bool          // each manifest is an index of several platforms
}

const (
	hour = time.Hour
	day  = 24 * hour
)

var examples = []example{
	{"wasmcloud.azurecr.io/wash", 3 * hour, 16 * day, "0.17.0 0.17.1 0.18.0-rc.1 0.18.0 0.18.1 0.19.0 0.20.0-rc.1 0.20.0 latest", "official", true},
	{"wasmcloud.azurecr.io/wasmcloud", 2 * day, 21 * day, "0.63.0 0.63.1 0.63.2 0.78.0-rc.7 0.78.0 latest", "official", true},
	{"wasmcloud.azurecr.io/wadm", 11 * day, 30 * day, "v0.3.0 v0.4.0 v0.5.0 v0.5.1 latest", "official", true},
	{"wasmcloud.azurecr.io/httpserver", 27 * hour, 40 * day, "0.16.3 0.17.0 0.18.1 0.18.2 0.19.0", "official capability-providers", false},
	{"wasmcloud.azurecr.io/httpclient", 34 * day, 52 * day, "0.5.3 0.6.0 0.7.0 0.8.0", "official capability-providers", false},
	{"wasmcloud.azurecr.io/kvredis", 6 * day, 45 * day, "0.17.0 0.18.0 0.19.0 0.20.0 0.21.0 0.22.0", "official capability-providers", false},
	{"wasmcloud.azurecr.io/kvvault", 70 * day, 66 * day, "0.3.1 0.3.2 0.4.0 0.6.0", "capability-providers", false},
	{"wasmcloud.azurecr.io/nats_messaging", 19 * day, 50 * day, "0.14.5 0.15.0 0.16.0 0.17.0 0.17.2 0.18.0-alpha.2", "official capability-providers", false},
	{"wasmcloud.azurecr.io/blobstore_s3", 48 * day, 61 * day, "0.1.1 0.2.0 0.3.0 0.4.0", "capability-providers", false},
	{"wasmcloud.azurecr.io/blobstore_fs", 95 * day, 80 * day, "0.2.0 0.3.1 0.4.0", "capability-providers", false},
	{"wasmcloud.azurecr.io/sqldb-postgres", 130 * day, 71 * day, "0.2.2 0.3.0 0.4.0 0.5.0", "capability-providers", false},
	{"wasmcloud.azurecr.io/lattice-controller", 210 * day, 44 * day, "0.8.0 0.9.0 0.11.0", "capability-providers", false},
	{"wasmcloud.azurecr.io/logging", 8 * day, 14 * day, "build-118 build-121 build-127", "", false},
	{"wasmcloud.azurecr.io/echo", 55 * day, 90 * day, "0.3.1 0.3.4 0.3.5 0.3.7 0.3.8", "examples", false},
	{"wasmcloud.azurecr.io/kvcounter", 140 * day, 75 * day, "0.3.2 0.4.0 0.4.1", "examples", false},
	{"wasmcloud.azurecr.io/petclinic/clinicapi", 41 * day, 33 * day, "0.1.0 0.2.0 0.3.0", "examples", false},
	{"wasmcloud.azurecr.io/petclinic/customers", 41 * day, 33 * day, "0.1.0 0.2.0 0.3.1", "examples", false},
	{"wasmcloud.azurecr.io/petclinic/ui", 40 * day, 33 * day, "0.1.0 0.2.0 0.3.2", "examples", false},
	{"ghcr.io/acme/storefront", 25 * time.Minute, 2 * day, "2026.44.0 2026.45.0 2026.46.0-beta.1 2026.46.0 2026.47.0-beta.3", "", true},
	{"ghcr.io/acme/storefront-worker", 31 * time.Minute, 9 * day, "1.9.0 1.10.0 1.10.1", "", false},
}

// notPublished is in a category, but has no push yet.
var notPublished = event.Member{Category: "capability-providers", Name: reference.Name{Repository: "kvnats"}}

// fill puts the examples into db, with times relative to now.
func fill(ctx context.Context, db store.Writer, now time.Time) error {
	events := []event.Event{{Membership: &event.Membership{Member: notPublished, At: now}}}
	for _, example := range examples {
		events = append(events, example.events(now)...)
	}
	for _, e := range events {
		if _, err := store.Apply(ctx, db, e); err != nil {
			return fmt.Errorf("store an example: %w", err)
		}
	}
	return nil
}

// events returns the pushes and the memberships of e.
func (e example) events(now time.Time) (events []event.Event) {
	registry, repository, _ := strings.Cut(e.name, "/")
	mediaType := "application/vnd.oci.image.manifest.v1+json"
	if e.platforms {
		mediaType = "application/vnd.oci.image.index.v1+json"
	}
	push := func(tag, manifest string, at time.Time) {
		sum := sha256.Sum256([]byte(e.name + ":" + manifest)) // made up
		events = append(events, event.Event{Push: &event.Push{
			Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
			Digest:    fmt.Sprintf("sha256:%x", sum),
			MediaType: mediaType,
			Size:      800 + int64(sum[0])*9,
			PushedAt:  at,
		}})
	}
	releases, latest := strings.CutSuffix(e.tags, " latest")
	tags := strings.Fields(releases)
	last := len(tags) - 1
	for i, tag := range tags {
		push(tag, tag, now.Add(-e.age-time.Duration(last-i)*e.every))
	}
	if latest {
		push("latest", tags[last], now.Add(-e.age-time.Second))
	}
	for category := range strings.FieldsSeq(e.categories) {
		member := event.Member{Category: category, Name: reference.Name{Repository: repository}}
		events = append(events, event.Event{Membership: &event.Membership{Member: member, At: now}})
	}
	return events
}
