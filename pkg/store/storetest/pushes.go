package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

func pushIsPicked(t *testing.T, s store.Store) {
	p := pushOf(registry, "wash", "0.18.1", 1, noon.Add(60421800))
	push(t, s, p)
	for _, order := range orders {
		wantPick(t, s, anywhere("wash"), order, p)
		wantPick(t, s, in(registry, "wash"), order, p)
	}
}

func unknownName(t *testing.T, s store.Store) {
	wantNone(t, s, anywhere("wash"), in(registry, "wash"))
	push(t, s, washOf("1", 1, 0))
	wantNone(t, s, anywhere("was"), anywhere("washer"), anywhere("aaa"), anywhere("zzz"), in("other.azurecr.io", "wash"), in(registry, "was"))
}

func latePushLoses(t *testing.T, s store.Store) {
	newer := washOf("2", 2, 0)
	push(t, s, newer, washOf("1", 1, -3600))
	wantNewest(t, s, newer)

	// A reference keeps its newest push, too.
	push(t, s, pushOf(registry, "wash", "2", 3, noon.Add(-time.Nanosecond)))
	wantNewest(t, s, newer)
}

func repeatedPush(t *testing.T, s store.Store) {
	p := washOf("1", 1, 0)
	push(t, s, p, p)
	wantNewest(t, s, p)
}

func newestOfAllRegistries(t *testing.T, s store.Store) {
	newest := pushOf("a.azurecr.io", "wash", "1", 2, noon.Add(time.Second))
	push(t, s,
		pushOf("b.azurecr.io", "wash", "1", 1, noon),
		newest,
		pushOf("c.azurecr.io", "wash", "1", 3, noon.Add(-time.Second)))
	wantPick(t, s, anywhere("wash"), store.ByPushed, newest)
}

func registryAlone(t *testing.T, s store.Store) {
	a := pushOf("a.azurecr.io", "team/app", "1", 1, noon)
	b := pushOf("b.azurecr.io:5000", "team/app", "2", 2, noon.Add(time.Second))
	push(t, s, a, b)
	wantPick(t, s, in("a.azurecr.io", "team/app"), store.ByPushed, a)
	wantPick(t, s, in("b.azurecr.io:5000", "team/app"), store.ByPushed, b)
	wantPick(t, s, anywhere("team/app"), store.ByPushed, b)
	wantNone(t, s, anywhere("app"), in("b.azurecr.io", "team/app"))
}

// pathWithARegistry pushes a repository whose path begins with another registry.
func pathWithARegistry(t *testing.T, s store.Store) {
	const mirror, path = "mirror.azurecr.io", registry + "/wash"
	mirrored := pushOf(mirror, path, "9.0.0", 9, noon.Add(time.Hour))
	push(t, s, mirrored)
	wantNone(t, s, in(registry, "wash"), anywhere("wash"))
	if page, err := s.References(t.Context(), in(registry, "wash"), nil, store.Span{Limit: 10}); err != nil || len(page.Items) > 0 {
		t.Errorf("References(%s) = %v, %v, want none", in(registry, "wash"), page.Items, err)
	}

	own := washOf("1.0.0", 1, 0)
	push(t, s, own)
	for _, order := range orders {
		wantPick(t, s, in(mirror, path), order, mirrored)
		wantPick(t, s, in(registry, "wash"), order, own)
		wantPick(t, s, anywhere("wash"), order, own)
	}
	wantDeleted(t, s, deleteOf("wash", 7200), 1)
	wantNone(t, s, in(registry, "wash"))
	wantPick(t, s, in(mirror, path), store.ByPushed, mirrored)
}

func namesThatBeginAlike(t *testing.T, s store.Store) {
	names := []string{"app", "app-1", "app/sub", "app0", "app_1", "ap"}
	pushed := map[string]event.Push{}
	for i, name := range names {
		pushed[name] = pushOf(registry, name, "1", i, noon.Add(time.Duration(i)*time.Second))
		push(t, s, pushed[name])
	}
	for _, name := range names {
		wantNewest(t, s, pushed[name])
	}
	wantDeleted(t, s, deleteOf("app", 3600), 1)
	wantNone(t, s, anywhere("app"), in(registry, "app"))
	for _, name := range names[1:] {
		wantNewest(t, s, pushed[name])
	}
}

// equalTimes checks each tie-break, with the winner stored first and last.
func equalTimes(t *testing.T, s store.Store) {
	base := washOf("1", 5, 0)
	with := func(change func(*event.Push)) event.Push {
		p := base
		change(&p)
		return p
	}
	for _, test := range []struct {
		name       string
		less, more event.Push
	}{
		{name: "digest", less: base, more: with(func(p *event.Push) { p.Digest, p.Size, p.MediaType = digest(6), 1, "" })},
		{name: "no digest", less: with(func(p *event.Push) { p.Digest, p.Size = "", 9999 }), more: base},
		{name: "size", less: with(func(p *event.Push) { p.Size, p.MediaType = 999, "z/z" }), more: base},
		{name: "no size", less: with(func(p *event.Push) { p.Size, p.MediaType = event.UnknownSize, "z/z" }), more: with(func(p *event.Push) { p.Size = 0 })},
		{name: "large size", less: base, more: with(func(p *event.Push) { p.Size = 1<<63 - 1 })},
		{name: "media type", less: with(func(p *event.Push) { p.MediaType = "application/a" }), more: base},
		{name: "no media type", less: with(func(p *event.Push) { p.MediaType = "" }), more: base},
		{
			name: "nothing known",
			less: with(func(p *event.Push) { p.Digest, p.Size, p.MediaType = "", event.UnknownSize, "" }),
			more: with(func(p *event.Push) { p.Digest, p.Size, p.MediaType = "", event.UnknownSize, "a/b" }),
		},
	} {
		for _, first := range []struct {
			name string
			do   []event.Push
		}{
			{"winner last", []event.Push{test.less, test.more}},
			{"winner first", []event.Push{test.more, test.less}},
		} {
			name := test.name + ", " + first.name
			repository := strings.NewReplacer(" ", "-", ",", "").Replace(name)
			for _, p := range first.do {
				p.Reference.Repository = repository
				push(t, s, p)
			}
			want := test.more
			want.Reference.Repository = repository
			t.Run(name, func(t *testing.T) { wantNewest(t, s, want) })
		}
	}

	// Among references of one time, the greater text is the newer.
	push(t, s, pushOf("b.azurecr.io", "app", "1", 1, noon), pushOf("a.azurecr.io", "app", "2", 2, noon))
	wantPick(t, s, anywhere("app"), store.ByPushed, pushOf("b.azurecr.io", "app", "1", 1, noon))
}

func movedTag(t *testing.T, s store.Store) {
	moved := washOf("latest", 3, 60)
	push(t, s, washOf("latest", 1, 0), washOf("1.0.0", 2, 1), moved)
	wantNewest(t, s, moved)
	page, err := s.References(t.Context(), anywhere("wash"), nil, store.Span{Limit: 10})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("References(wash) = %v, %v, want two", page.Items, err)
	}
}

func versionOrders(t *testing.T, s store.Store) {
	steps := []struct {
		tag                            string
		second                         int
		byPushed, byRelease, byVersion string // the tag that is picked after this step
	}{
		{tag: "latest", second: 10, byPushed: "latest", byRelease: "latest", byVersion: "latest"},
		{tag: "nightly", second: 9, byPushed: "latest", byRelease: "latest", byVersion: "latest"},
		{tag: "1.0.0-rc.1", second: 1, byPushed: "latest", byRelease: "1.0.0-rc.1", byVersion: "1.0.0-rc.1"},
		{tag: "1.0.0-rc.2", second: 0, byPushed: "latest", byRelease: "1.0.0-rc.2", byVersion: "1.0.0-rc.2"},
		{tag: "0.9.0", second: 2, byPushed: "latest", byRelease: "0.9.0", byVersion: "1.0.0-rc.2"},
		{tag: "0.10", second: 3, byPushed: "latest", byRelease: "0.10", byVersion: "1.0.0-rc.2"},
		{tag: "v0.10.0", second: 4, byPushed: "latest", byRelease: "v0.10.0", byVersion: "1.0.0-rc.2"},
		{tag: "0.010.0_build", second: -1, byPushed: "latest", byRelease: "v0.10.0", byVersion: "1.0.0-rc.2"},
		{tag: "20231103", second: 11, byPushed: "20231103", byRelease: "v0.10.0", byVersion: "1.0.0-rc.2"},
	}
	pushed := map[string]event.Push{}
	for i, step := range steps {
		pushed[step.tag] = washOf(step.tag, i, step.second)
		push(t, s, pushed[step.tag])
		t.Run("after "+step.tag, func(t *testing.T) {
			wantPick(t, s, anywhere("wash"), store.ByPushed, pushed[step.byPushed])
			wantPick(t, s, anywhere("wash"), store.ByRelease, pushed[step.byRelease])
			wantPick(t, s, anywhere("wash"), store.ByVersion, pushed[step.byVersion])
		})
	}
}

// versionTies: of equal precedence, the version with more numbers wins, then the later
// push, then the greater text.
func versionTies(t *testing.T, s store.Store) {
	for _, test := range []struct {
		name string
		less event.Push
		more event.Push
	}{
		{name: "numbers", less: washOf("1.0", 1, 60), more: washOf("1.0.0", 2, 0)},
		{name: "numbers of a prerelease", less: washOf("1.0-a", 1, 60), more: washOf("1.0.0-a", 2, 0)},
		{name: "later", less: washOf("v1.0.0", 1, 0), more: washOf("1.0.0", 2, 1)},
		{name: "greater text", less: washOf("1.0.0_a", 1, 0), more: washOf("1.0.0_b", 2, 0)},
	} {
		repository := strings.ReplaceAll(test.name, " ", "-")
		test.less.Reference.Repository, test.more.Reference.Repository = repository, repository
		push(t, s, test.more, test.less)
		t.Run(test.name, func(t *testing.T) {
			wantPick(t, s, anywhere(repository), store.ByRelease, test.more)
			wantPick(t, s, anywhere(repository), store.ByVersion, test.more)
		})
	}
}

func optionalFields(t *testing.T, s store.Store) {
	p := washOf("1", 1, 0)
	p.Digest, p.MediaType, p.Size = "", "", event.UnknownSize
	push(t, s, p)
	wantNewest(t, s, p)
}

// longestReference pushes a reference whose every part has the greatest length that
// package reference allows.
func longestReference(t *testing.T, s store.Store) {
	registry := strings.Repeat("r", 251) + ":443"
	repository := strings.Repeat("n", 255)
	var want []event.Push
	for i, tag := range []string{strings.Repeat("x", 128), "1." + strings.Repeat("2", 126), "1.2.3-" + strings.Repeat("4", 122)} {
		p := pushOf(registry, repository, tag, 1, noon.Add(time.Duration(i)*time.Second))
		p.MediaType = strings.Repeat("a", 127) + "/" + strings.Repeat("b", 127)
		push(t, s, p)
		wantNewest(t, s, p)
		want = append([]event.Push{p}, want...)
	}
	for _, name := range []reference.Name{anywhere(repository), in(registry, repository)} {
		wantReferences(t, s, name, 1, want, nothing)
	}
	push(t, s, pushOf(registry, strings.Repeat("n", 254)+"o", "1", 1, noon))
	got := pages(t, 1, func(span store.Span) (store.Page[store.Entry], error) {
		return s.Repositories(t.Context(), store.Listing{Span: span})
	}, nothing)
	if len(got) != 2 {
		t.Errorf("Repositories list %d names, want 2", len(got))
	}
}

// matchReadsAThousand pushes one reference more than a query with Match may read.
func matchReadsAThousand(t *testing.T, s store.Store) {
	if testing.Short() {
		t.Skip("pushes 1,001 references")
	}
	const workers, references = 8, 1001
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < references && errs[w] == nil; i += workers {
				p := washOf(fmt.Sprintf("0.%d", i+1), i, i)
				p.GivenName = "many"
				errs[w] = s.Push(t.Context(), p)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, order := range orders {
		pick := func(tag string) (event.Push, error) {
			return s.Pick(t.Context(), store.Query{Name: anywhere("many"), Order: order, Match: func(s string) bool { return s == tag }})
		}
		if got, err := pick("0.2"); err != nil || got.Reference.Tag != "0.2" {
			t.Errorf("Pick the 1,000th, %s = %s, %v", order, got.Reference, err)
		}
		got, err := pick("0.1")
		if noMatch, ok := errors.AsType[*store.NoMatchError](err); !ok || *noMatch != (store.NoMatchError{Read: 1000, More: true}) {
			t.Errorf("Pick the 1,001st, %s = %s, %v, want a NoMatchError after 1,000", order, got.Reference, err)
		}
	}
}

// namesGivenByHand: a reference with a given name is found only under that name, beside
// references that a registry pushes there. No delete of a registry covers it.
func namesGivenByHand(t *testing.T, s store.Store) {
	byHand := pushOf("ghcr.io", "acme/app", "1.2.3", 1, noon)
	byHand.GivenName = "app"
	push(t, s, byHand)
	wantPick(t, s, anywhere("app"), store.ByPushed, byHand)
	wantNone(t, s, anywhere("acme/app"), in("ghcr.io", "acme/app"), in("ghcr.io", "app"))
	pushed := pushOf(registry, "app", "1.0.0", 2, noon.Add(time.Second))
	push(t, s, pushed)
	wantPick(t, s, anywhere("app"), store.ByPushed, pushed)
	wantPick(t, s, anywhere("app"), store.ByRelease, byHand)

	own := byHand
	own.GivenName = ""
	push(t, s, own)
	wantNewest(t, s, own)
	ownTarget := event.Target{Registry: "ghcr.io", Repository: "acme/app"}
	wantDeleted(t, s, event.Delete{Target: ownTarget, DeletedAt: noon.Add(time.Hour), ReceivedAt: receipt}, 1)
	wantNone(t, s, anywhere("acme/app"), in("ghcr.io", "acme/app"))
	wantPick(t, s, anywhere("app"), store.ByRelease, byHand)

	given := event.Target{Registry: "ghcr.io", Repository: "acme/app", Tag: "1.2.3", GivenName: "app"}
	wantDeleted(t, s, event.Delete{Target: given, DeletedAt: noon.Add(time.Hour), ReceivedAt: receipt}, 1)
	wantPick(t, s, anywhere("app"), store.ByRelease, pushed)
}

func cancelledContext(t *testing.T, s store.Store) {
	push(t, s, washOf("1", 1, 0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	member := event.Member{Category: "official", Name: anywhere("wash")}
	for name, call := range map[string]func() error{
		"Push":       func() error { return s.Push(ctx, washOf("2", 2, 1)) },
		"Delete":     func() error { _, err := s.Delete(ctx, deleteOf("wash", 2)); return err },
		"Categorize": func() error { return s.Categorize(ctx, event.Membership{Member: member, At: receipt}) },
		"PushedAt":   func() error { _, err := s.PushedAt(ctx, deleteOfTag("wash", "1", 0).Target); return err },
		"Pick":       func() error { _, err := s.Pick(ctx, store.Query{Name: anywhere("wash")}); return err },
		"Versioned":  func() error { _, err := s.Versioned(ctx, anywhere("wash"), washOf("1", 1, 0)); return err },
		"Repositories": func() error {
			_, err := s.Repositories(ctx, store.Listing{Span: store.Span{Limit: 1}})
			return err
		},
		"References": func() error { _, err := s.References(ctx, anywhere("wash"), nil, store.Span{Limit: 1}); return err },
		"Entries":    func() error { _, err := s.Entries(ctx, []reference.Name{anywhere("wash")}); return err },
		"Members":    func() error { _, err := s.Members(ctx, "official"); return err },
		"PushAll":    func() error { return s.PushAll(ctx, []event.Push{washOf("2", 2, 1)}) },
		"Events":     func() error { return errorOf(s.Events(ctx)) },
		"History":    func() error { _, err := s.History(ctx, registry, "wash"); return err },
		"State":      func() error { _, err := s.State(ctx, registry, "wash"); return err },
		"PutState":   func() error { _, err := s.PutState(ctx, registry, store.State{Key: "wash"}); return err },
		"States":     func() error { return errorOf(s.States(ctx, registry)) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v, want context.Canceled", name, err)
		}
	}
	wantNewest(t, s, washOf("1", 1, 0))
}

// errorOf returns the error with which a sequence ends.
func errorOf[T any](all iter.Seq2[T, error]) (err error) {
	for _, err = range all {
	}
	return err
}
