package acrtest_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
)

var noon = time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)

// open returns a client of s that uses its clock and has no limits.
func open(t testing.TB, s *acrtest.Server, clock *acrtest.Clock) registry.Registry {
	t.Helper()
	r, err := registry.Open("wasm.azurecr.io", registry.Options{Transport: s, Clock: clock, Rate: math.Inf(1)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tags returns the tags that r lists in a repository, as tag@minute of the time.
func tags(t testing.TB, r registry.Registry, name string) string {
	t.Helper()
	repository, err := r.Repository(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.Tags(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, tag := range l.Tags {
		all = append(all, fmt.Sprintf("%s@%.0f", tag.Name, tag.PushedAt.Sub(noon).Minutes()))
	}
	return strings.Join(all, ",")
}

func TestEachChange(t *testing.T) {
	t.Parallel()
	clock := acrtest.NewClock(noon)
	s := acrtest.Public(clock.Now)
	r := open(t, s, clock)
	a, b := acrtest.Digest("a"), acrtest.Digest("b")
	for i, step := range []struct {
		change func()
		want   string
	}{
		{func() { s.Push("wash", "1", a) }, "1@0"},
		{func() { s.Push("wash", "2", a) }, "1@0,2@1"},
		{func() { s.Push("wash", "1", b) }, "1@2,2@1"},
		{func() { s.Untag("wash", "2") }, "1@2"},
		{func() { s.Restore("wash", "2", a, noon.Add(time.Minute)) }, "1@2,2@1"},
		{func() { s.SetListEnabled("wash", "1", false) }, "2@1"},
		{func() { s.SetListEnabled("wash", "1", true) }, "1@2,2@1"},
		{func() { s.DeleteManifest("wash", a) }, "1@2"},
		{func() { s.DeleteRepository("wash") }, ""},
		{func() { s.Push("wash", "3", b) }, "3@9"},
	} {
		step.change()
		if got := tags(t, r, "wash"); got != step.want {
			t.Errorf("after step %d: %s, want %s", i, got, step.want)
		}
		clock.Advance(time.Minute)
	}
}

func TestAnswersLag(t *testing.T) {
	t.Parallel()
	clock := acrtest.NewClock(noon)
	s := acrtest.Public(clock.Now)
	s.Push("wash", "1", acrtest.Digest("1"))
	lag := 5 * time.Minute
	s.Set(func(r *acrtest.Rules) { r.Lag = func() time.Duration { return lag } })
	clock.Advance(10 * time.Minute)
	s.Push("wash", "2", acrtest.Digest("2"))
	s.Push("new", "1", acrtest.Digest("1"))
	s.Untag("wash", "1")
	r := open(t, s, clock)
	want := func(wash, new, names string) {
		t.Helper()
		catalogue, err := r.Repositories(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(catalogue.Names); tags(t, r, "wash") != wash || tags(t, r, "new") != new || got != names {
			t.Errorf("listed %s, %s in %s, want %s, %s in %s", tags(t, r, "wash"), tags(t, r, "new"), got, wash, new, names)
		}
	}
	want("1@0", "", "[wash]")
	clock.Advance(lag)
	want("2@10", "1@10", "[new wash]")
	s.DeleteRepository("new")
	want("2@10", "1@10", "[new wash]")
	lag = 0
	want("2@10", "", "[wash]")
}

func TestFill(t *testing.T) {
	t.Parallel()
	clock := acrtest.NewClock(noon)
	s := acrtest.Public(clock.Now)
	s.Fill(120, 101)
	r := open(t, s, clock)
	catalogue, err := r.Repositories(t.Context())
	if err != nil || len(catalogue.Names) != 120 {
		t.Fatalf("catalogue is %v, %v, want 120 names", catalogue, err)
	}
	got := tags(t, r, catalogue.Names[7])
	if !strings.HasPrefix(got, "1.0000.0@-100,1.0001.0@-99,") || !strings.HasSuffix(got, ",1.0100.0@0") {
		t.Errorf("%s has %s", catalogue.Names[7], got)
	}
	if len(s.Tags(catalogue.Names[7])) != 101 || len(s.Repositories()) != 120 {
		t.Errorf("there are %d tags and %d repositories, want 101 and 120", len(s.Tags(catalogue.Names[7])), len(s.Repositories()))
	}
}

// BenchmarkRead reads a large registry as fast as the machine allows.
func BenchmarkRead(b *testing.B) {
	clock := acrtest.NewClock(noon)
	s := acrtest.Public(clock.Now)
	s.Fill(5000, 200)
	for b.Loop() {
		r := open(b, s, clock)
		catalogue, err := r.Repositories(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for _, name := range catalogue.Names {
			repository, err := r.Repository(context.Background(), name)
			if err != nil {
				b.Fatal(err)
			}
			l, err := r.Tags(context.Background(), repository)
			if err != nil || !l.Complete {
				b.Fatalf("tags of %s: %v, %v", name, l.Why, err)
			}
			n += len(l.Tags)
		}
		s.Requests()
		b.ReportMetric(float64(r.Calls()), "calls")
		b.ReportMetric(float64(n), "tags")
	}
}
