package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// An Event is a push or a delete.
type Event struct {
	Push   *store.Push
	Delete *store.Delete
}

func (e Event) String() string {
	if e.Push != nil {
		return fmt.Sprintf("push %s@%s at %s", e.Push.Reference, e.Push.Digest, store.Stamp(e.Push.PushedAt))
	}
	return fmt.Sprintf("delete %s at %s", e.Delete.Target(), store.Stamp(e.Delete.DeletedAt))
}

func (e Event) store(ctx context.Context, s store.Writer) error {
	if e.Push != nil {
		return s.Push(ctx, *e.Push)
	}
	_, err := s.Delete(ctx, *e.Delete)
	return err
}

// A World is what events are made of: few values each, so that they meet.
type World struct {
	Registries, Repositories, Tags []string
	Digests, Seconds               int // how many digests and times there are, beside none and noon
}

// Large is the world of the suite.
var Large = World{
	Registries:   []string{"a.azurecr.io", "b.azurecr.io"},
	Repositories: []string{"wash", "app", "app/sub"},
	Tags:         []string{"1.0.0", "v1.0.0", "1.1.0-rc.1", "0.9", "latest", "nightly"},
	Digests:      6,
	Seconds:      8,
}

// Event draws an event of a repository whose name begins with base.
func (w World) Event(base string) *rapid.Generator[Event] {
	return rapid.Custom(func(t *rapid.T) Event {
		registry := rapid.SampledFrom(w.Registries).Draw(t, "registry")
		repository := base + rapid.SampledFrom(w.Repositories).Draw(t, "repository")
		tag := rapid.SampledFrom(w.Tags).Draw(t, "tag")
		digestOf := rapid.IntRange(0, w.Digests).Draw(t, "digest")
		at := noon.Add(time.Duration(rapid.IntRange(0, w.Seconds).Draw(t, "second")) * time.Second)
		d := store.Delete{Registry: registry, Repository: repository, DeletedAt: at, ReceivedAt: time.Now()}
		switch rapid.SampledFrom([]string{"push", "push", "push", "digest", "tag", "repository"}).Draw(t, "kind") {
		case "digest":
			d.Digest = digest(max(digestOf, 1))
		case "tag":
			d.Tag = tag
		case "repository":
		default:
			p := pushOf(registry, repository, tag, digestOf, at)
			if digestOf == 0 {
				p.Digest = ""
			}
			p.Size = int64(rapid.IntRange(store.UnknownSize, 1).Draw(t, "size"))
			return Event{Push: &p}
		}
		return Event{Delete: &d}
	})
}

// pick is the model: what a store must answer after events, however they came.
func pick(events []Event, q store.Query) (best store.Push, found bool) {
	newest := map[reference.Reference]store.Push{}
	for _, e := range events {
		if e.Push == nil {
			continue
		}
		if old, ok := newest[e.Push.Reference]; !ok || e.Push.Compare(old) > 0 {
			newest[e.Push.Reference] = *e.Push
		}
	}
	for _, p := range newest {
		counts := (q.Name == p.Reference.Repository || q.Name == p.Reference.Name()) && (q.Match == nil || q.Match(p.Reference.Tag))
		for _, e := range events {
			counts = counts && (e.Delete == nil || !e.Delete.Reaches(p))
		}
		if counts && (!found || compare(q.Order, p, best) > 0) {
			best, found = p, true
		}
	}
	return best, found
}

// compare says which of two references an order prefers.
func compare(order store.Order, p, q store.Push) int {
	byVersion := 0
	if order != store.ByPushed {
		pClass, pKey := class(order, p)
		qClass, qKey := class(order, q)
		byVersion = cmp.Or(cmp.Compare(pClass, qClass), cmp.Compare(pKey, qKey))
	}
	return cmp.Or(byVersion, p.PushedAt.Compare(q.PushedAt), cmp.Compare(p.Reference.String(), q.Reference.String()))
}

func class(order store.Order, p store.Push) (class int, key string) {
	v, ok := reference.ParseVersion(p.Reference.Tag)
	switch {
	case !ok:
		return 0, ""
	case v.Prerelease() && order == store.ByRelease:
		return 1, v.Key()
	default:
		return 2, v.Key()
	}
}

// check wants s to answer as the model for every name.
func check(t *rapid.T, s store.Reader, base string, events []Event) {
	for _, repository := range Large.Repositories {
		CheckName(t, s, base+repository, events)
		for _, registry := range Large.Registries {
			CheckName(t, s, registry+"/"+base+repository, events)
		}
	}
}

// CheckName wants s to answer as the model for one name, in every order, of all
// tags and of some, after events.
func CheckName(t *rapid.T, s store.Reader, name string, events []Event) {
	for _, order := range orders {
		for what, match := range map[string]func(string) bool{"all": nil, "without .": func(tag string) bool { return !strings.Contains(tag, ".") }} {
			q := store.Query{Name: name, Order: order, Match: match}
			want, found := pick(events, q)
			got, err := s.Pick(t.Context(), q)
			switch {
			case err != nil && !errors.Is(err, store.ErrNotFound):
				t.Fatalf("Pick(%s, order %d, %s tags): %v", name, order, what, err)
			case !found && err == nil:
				t.Fatalf("Pick(%s, order %d, %s tags) = %s, want ErrNotFound", name, order, what, got.Reference)
			case found:
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Fatalf("Pick(%s, order %d, %s tags): %v; -want +got\n%s", name, order, what, err, diff)
				}
			}
		}
	}
}
