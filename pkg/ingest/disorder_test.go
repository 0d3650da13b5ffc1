package ingest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/storetest"
)

const hub = "registry.example.com"

// A delivery is a webhook. events are the events that it tells of when received at some
// time. A sender that knows no time tells of a different event at each receipt.
type delivery struct {
	body   map[string]any
	events func(received time.Time) []event.Event
}

// A fact is what a sender should report.
type fact struct {
	repository, tag, digest string
	isDelete                bool
	of                      string    // what a delete is of: digest, tag or repository
	at                      time.Time // in whole seconds
}

func (f fact) push(digest string, at time.Time) []event.Event {
	ref := reference.Reference{Registry: hub, Repository: f.repository, Tag: f.tag}
	return []event.Event{{Push: &event.Push{Reference: ref, Digest: digest, Size: event.UnknownSize, PushedAt: at}}}
}

func (f fact) delete(tag, digest string, at time.Time) []event.Event {
	t := event.Target{Registry: hub, Repository: f.repository, Tag: tag, Digest: digest}
	return []event.Event{{Delete: &event.Delete{Target: t, DeletedAt: at, ReceivedAt: at}}}
}

// tellers are senders, named after what they know. Each reports a fact as far as it can.
var tellers = map[string]func(fact) delivery{
	"native": func(f fact) delivery {
		target := map[string]any{"repository": f.repository}
		action := "push"
		if !f.isDelete || f.of == "tag" {
			target["tag"] = f.tag
		}
		if !f.isDelete || f.of == "digest" {
			target["digest"] = f.digest
		}
		events := f.push(f.digest, f.at)
		if f.isDelete {
			action = "delete"
			events = f.delete(f.tag, "", f.at)
			if f.of != "tag" {
				events = f.delete("", digestIf(f), f.at)
			}
		}
		body := map[string]any{"action": action, "timestamp": f.at.Format(time.RFC3339), "target": target}
		return delivery{map[string]any{"events": []any{body}}, func(time.Time) []event.Event { return events }}
	},
	"Harbor": func(f fact) delivery {
		kind, events := "PUSH_ARTIFACT", f.push(f.digest, f.at)
		if f.isDelete {
			kind, events = "DELETE_ARTIFACT", f.delete("", f.digest, f.at)
		}
		return delivery{map[string]any{"type": kind, "occur_at": f.at.Unix(), "event_data": map[string]any{
			"resources":  []any{map[string]any{"tag": f.tag, "digest": f.digest}},
			"repository": map[string]any{"repo_full_name": f.repository},
		}}, func(time.Time) []event.Event { return events }}
	},
	"ECR": func(f fact) delivery {
		action, events := "PUSH", f.push(f.digest, f.at)
		if f.isDelete {
			action, events = "DELETE", f.delete(f.tag, "", f.at)
		}
		return delivery{map[string]any{"source": "aws.ecr", "detail-type": "ECR Image Action", "time": f.at.Format(time.RFC3339), "detail": map[string]any{
			"action-type": action, "result": "SUCCESS", "repository-name": f.repository, "image-tag": f.tag, "image-digest": f.digest,
		}}, func(time.Time) []event.Event { return events }}
	},
	"Docker Hub, without digests": func(f fact) delivery {
		events := f.push("", f.at)
		return delivery{map[string]any{
			"push_data":  map[string]any{"tag": f.tag, "pushed_at": f.at.Unix()},
			"repository": map[string]any{"repo_name": f.repository},
		}, func(time.Time) []event.Event { return events }}
	},
	"Quay, without digests and times": func(f fact) delivery {
		return delivery{map[string]any{"docker_url": "quay.io/" + f.repository, "updated_tags": []string{f.tag}},
			func(received time.Time) []event.Event { return f.push("", received) }}
	},
	"Artifactory, without times": func(f fact) delivery {
		kind := "pushed"
		if f.isDelete {
			kind = "deleted"
		}
		key, image, _ := strings.Cut(f.repository, "/")
		return delivery{map[string]any{"domain": "docker", "event_type": kind, "data": map[string]any{
			"repo_key": key, "path": image + "/" + f.tag + "/manifest.json", "sha256": strings.TrimPrefix(f.digest, "sha256:"),
		}}, func(received time.Time) []event.Event {
			if f.isDelete {
				return f.delete(f.tag, "", received)
			}
			return f.push(f.digest, received)
		}}
	},
	"Gitea, whose deletes have no time": func(f fact) delivery {
		owner, name, _ := strings.Cut(f.repository, "/")
		body := map[string]any{"action": "created", "package": map[string]any{
			"type": "container", "name": name, "version": f.tag, "created_at": f.at.Format(time.RFC3339), "owner": map[string]any{"login": owner},
		}}
		if f.isDelete {
			body["action"] = "deleted"
		}
		return delivery{body, func(received time.Time) []event.Event {
			if f.isDelete {
				return f.delete(f.tag, "", received)
			}
			return f.push("", f.at)
		}}
	},
}

// digestIf returns the digest of a delete, unless it is of the repository.
func digestIf(f fact) string {
	if f.of == "digest" {
		return f.digest
	}
	return ""
}

// TestDisorderOfAllSenders makes senders report about one repository in any order and
// with repeats, and compares the store with the model. An event with its own time counts
// once, and its order does not matter. An event without a time is a new event at each
// receipt, but no more than that: it takes no digest from an older push, and its deletes
// remove no other tag.
func TestDisorderOfAllSenders(t *testing.T) {
	t.Parallel()
	db := openBolt(t)
	cases := 0
	rapid.Check(t, func(rt *rapid.T) {
		cases++
		repository := fmt.Sprintf("c%d/widget", cases)
		begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		var all []delivery
		for range rapid.IntRange(1, 12).Draw(rt, "facts") {
			f := fact{
				repository: repository,
				tag:        rapid.SampledFrom(storetest.Large.Tags).Draw(rt, "tag"),
				digest:     fmt.Sprintf("sha256:%064x", rapid.IntRange(1, 3).Draw(rt, "digest")),
				isDelete:   rapid.IntRange(0, 2).Draw(rt, "delete") == 0,
				of:         rapid.SampledFrom([]string{"digest", "tag", "tag", "repository"}).Draw(rt, "of"),
				at:         begin.Add(time.Duration(rapid.IntRange(-3, 20).Draw(rt, "second")) * time.Second),
			}
			all = append(all, tellers[rapid.SampledFrom(tellerNames).Draw(rt, "sender")](f))
		}
		all = append(all, all[:rapid.IntRange(0, len(all)).Draw(rt, "repeats")]...)
		told, err := deliver(t, db, begin, rapid.Permutation(all).Draw(rt, "order"))
		if err != nil {
			rt.Fatal(err)
		}
		storetest.CheckName(rt, db, reference.Name{Repository: repository}, told)
		storetest.CheckName(rt, db, reference.Name{Registry: hub, Repository: repository}, told)
	})
}

// deliver sends webhooks, one per second from begin on, and returns the events that they
// told of.
func deliver(t *testing.T, db store.Store, begin time.Time, all []delivery) (told []event.Event, err error) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		time.Sleep(time.Until(begin))
		s := newServer(anyone, db)
		for _, d := range all {
			var body []byte
			if body, err = json.Marshal(d.body); err != nil {
				return
			}
			if w := s.do("POST", "/api/webhook?registry="+hub, string(body)); w.Code != 200 {
				err = fmt.Errorf("%s = %d %q", body, w.Code, w.Body)
				return
			}
			told = append(told, d.events(time.Now().UTC())...)
			time.Sleep(time.Second)
		}
	})
	return told, err
}

var tellerNames = slices.Sorted(maps.Keys(tellers))
