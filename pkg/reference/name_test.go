package reference_test

import (
	"slices"
	"strings"
	"testing"

	library "github.com/distribution/reference"
	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]reference.Name{
		"wash":           {Repository: "wash"},
		"team/app":       {Repository: "team/app"},
		"team/sub/app":   {Repository: "team/sub/app"},
		"a.b":            {Repository: "a.b"}, // a single segment is a repository
		"localhost":      {Repository: "localhost"},
		"a--b/c":         {Repository: "a--b/c"},
		"host/c":         {Repository: "host/c"},
		"team/a.b":       {Repository: "team/a.b"},
		"team/a.b/c":     {Repository: "team/a.b/c"},
		"localhosts/c":   {Repository: "localhosts/c"},
		"a.b/c":          {Registry: "a.b", Repository: "c"},
		"a.b/c/d":        {Registry: "a.b", Repository: "c/d"},
		"a.b/c.d/e":      {Registry: "a.b", Repository: "c.d/e"},
		"a.b/localhost":  {Registry: "a.b", Repository: "localhost"},
		"a:5/c":          {Registry: "a:5", Repository: "c"},
		"A:5/c":          {Registry: "a:5", Repository: "c"},
		"A.B/c":          {Registry: "a.b", Repository: "c"},
		"localhost/c":    {Registry: "localhost", Repository: "c"},
		"LOCALHOST/c":    {Registry: "localhost", Repository: "c"},
		"localhost:5/c":  {Registry: "localhost:5", Repository: "c"},
		"[::1]/c":        {Registry: "[::1]", Repository: "c"},
		"[::1]:5/c":      {Registry: "[::1]:5", Repository: "c"},
		"[2001:DB8::]/c": {Registry: "[2001:db8::]", Repository: "c"},
		"192.0.2.1/c":    {Registry: "192.0.2.1", Repository: "c"},
		strings.Repeat("r", 252) + ".io/" + strings.Repeat("n", 255): {Registry: strings.Repeat("r", 252) + ".io", Repository: strings.Repeat("n", 255)},
	} {
		if got, err := reference.ParseName(s); err != nil || got != want {
			t.Errorf("ParseName(%q) = %+v, %v, want %+v", s, got, err, want)
		}
	}
	for s, part := range map[string]string{
		"": "repository", "/": "repository", "Wash": "repository", "wash:1": "repository", "wash/": "repository", "/wash": "repository",
		"host/Wash": "repository", "Team/wash": "repository", "host:5000": "repository", "[::1]": "repository", "a b/c": "repository",
		"host:5000/": "repository", "a.b/": "repository", "a.b/C": "repository", "a.b//c": "repository", "a.b/c:1": "repository", "wash@sha256:0": "repository",
		"../wash": "registry", "./wash": "registry", "a..b/c": "registry", "-a.b/c": "registry", "a:b/c": "registry", "a@b:5/c": "registry", "[::1/c": "registry",
		strings.Repeat("a/", 300) + "a": "repository",
	} {
		if got, err := reference.ParseName(s); err == nil || !strings.HasPrefix(err.Error(), part) {
			t.Errorf("ParseName(%q) = %+v, %v, want an error about the %s", s, got, err, part)
		}
	}
}

func TestParseRepository(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"wash", "team/app", "a.b", "team/a.b/c"} {
		if got, err := reference.ParseRepository(s); err != nil || got != (reference.Name{Repository: s}) {
			t.Errorf("ParseRepository(%q) = %+v, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		"a.b/c":         `begins with a registry: want a name such as "c"`,
		"localhost/c/d": `begins with a registry: want a name such as "c/d"`,
		"Wash":          "is not an OCI name",
		"":              "is not an OCI name",
		"a..b/c":        "registry",
	} {
		got, err := reference.ParseRepository(s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRepository(%q) = %+v, %v, want an error with %q", s, got, err, want)
		}
		if got != (reference.Name{}) {
			t.Errorf("ParseRepository(%q) = %+v with an error, want no name", s, got)
		}
	}
}

func TestNamesSortByTheirText(t *testing.T) {
	t.Parallel()
	names := []reference.Name{
		{Registry: "a.io", Repository: "wash"},
		{Repository: "app"},
		{Repository: "app-1"},
		{Repository: "b.io/app"},
		{Registry: "b.io", Repository: "app"}, // the same text with a registry
		{Repository: "zoo"},
	}
	for i, m := range names {
		for j, n := range names {
			if got, want := m.Compare(n), min(max(i-j, -1), 1); got != want {
				t.Errorf("%#v.Compare(%#v) = %d, want %d", m, n, got, want)
			}
		}
	}
	if !slices.IsSortedFunc(names, func(m, n reference.Name) int { return strings.Compare(m.String(), n.String()) }) {
		t.Errorf("%v are not in the order of their text", names)
	}
}

// TestNamesFollowDockersRule compares ParseName with Docker's own code, which assumes
// docker.io, and library for Docker's own images.
func TestNamesFollowDockersRule(t *testing.T) {
	t.Parallel()
	segment := rapid.SampledFrom([]string{"wash", "app", "a.b", "a.b:5", "a:5", "A.b", "localhost", "localhost:5", "LOCALHOST:5", "[::1]", "[::1]:5", "a--b", "a_b", "a..b", "docker.io.example"})
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "segments"), "/")
		got, err := reference.ParseName(s)
		named, libraryErr := library.ParseNormalizedNamed(s)
		if !strings.Contains(s, "/") && strings.Contains(s, ":") {
			libraryErr = err // a port without a path, which the library takes for a tag
		} else if named != nil && !library.IsNameOnly(named) {
			libraryErr = err // likewise, after the last slash
			named = nil
		}
		if (err == nil) != (libraryErr == nil) {
			t.Fatalf("ParseName(%q) = %+v, %v, the library: %v, %v", s, got, err, named, libraryErr)
		}
		if err != nil || named == nil {
			return
		}
		want := reference.Name{Registry: strings.ToLower(library.Domain(named)), Repository: library.Path(named)}
		if want.Registry == "docker.io" {
			want = reference.Name{Repository: strings.TrimPrefix(want.Repository, "library/")}
		}
		if got != want {
			t.Fatalf("ParseName(%q) = %+v, the library says %+v", s, got, want)
		}
	})
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"wash", "Host:5000/team/app", "a.b", "LOCALHOST/a.b/c", "[::1]/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := reference.ParseName(s)
		if err != nil {
			return
		}
		if again, err := reference.ParseName(name.String()); err != nil || again != name {
			t.Errorf("ParseName(%q) = %+v, printed and parsed again %+v, %v", s, name, again, err)
		}
		if reference.CheckRepository(name.Repository) != nil {
			t.Errorf("ParseName(%q) = %+v, whose repository is invalid", s, name)
		}
		if name.Registry != "" {
			if registry, err := reference.ParseRegistry(name.Registry); err != nil || registry != name.Registry {
				t.Errorf("ParseName(%q) = %+v, whose registry is %q, %v", s, name, registry, err)
			}
		}
		if strings.ToLower(s) != name.String() {
			t.Errorf("ParseName(%q) = %+v differs in more than case", s, name)
		}
	})
}

func BenchmarkParseName(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := reference.ParseName("wasmcloud.azurecr.io/wash"); err != nil {
			b.Fatal(err)
		}
	}
}
