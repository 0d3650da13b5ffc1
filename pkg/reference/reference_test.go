package reference_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
)

func TestCheckRepository(t *testing.T) {
	for _, s := range []string{"a", "wash", "team/app", "a.b", "a_b", "a__b", "a-b", "a---b", "0", "a/b/c/d", "a-b_c.d/e__f--g", strings.Repeat("a", 255)} {
		if err := reference.CheckRepository(s); err != nil {
			t.Errorf("CheckRepository(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", "/", "/a", "a/", "a//b", ".a", "a.", "a..b", "_a", "a_", "a___b", "-a", "a-", "a._b", "a_-b", "a-_b", "A", "aB", "a b", "a:b", "a@b", "é", "a\n", "a\x00", strings.Repeat("a", 256)} {
		if err := reference.CheckRepository(s); err == nil {
			t.Errorf("CheckRepository(%q): no error", s)
		}
	}
}

func TestCheckTag(t *testing.T) {
	for _, s := range []string{"a", "A", "0", "_", "latest", "v1.2.3", "a.", "a-", "_-.", "1.2.3_build", strings.Repeat("x", 128)} {
		if err := reference.CheckTag(s); err != nil {
			t.Errorf("CheckTag(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", ".", "-", ".a", "-a", "a b", "a/b", "a:b", "a+b", "é", "a\n", strings.Repeat("x", 129)} {
		if err := reference.CheckTag(s); err == nil {
			t.Errorf("CheckTag(%q): no error", s)
		}
	}
}

func TestCheckDigest(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 8)
	for _, s := range []string{"sha256:" + hex[:64], "sha512:" + hex, "blake3:" + hex[:64], "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", "a:b"} {
		if err := reference.CheckDigest(s); err != nil {
			t.Errorf("CheckDigest(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", ":", "sha256", "sha256:", ":" + hex, "sha256:" + hex[:63], "sha256:" + hex[:64] + "0", "sha256:" + strings.ToUpper(hex[:64]), "sha512:" + hex[:64], "sha512:" + hex + "0", "sha512:" + strings.ToUpper(hex), "sha256:" + hex[:63] + "g", "SHA256:" + hex[:64], "a++b:c", "+a:b", "a+:b", "a:b:c", "a:é", "a: b", "a:" + strings.Repeat("b", 254)} {
		if err := reference.CheckDigest(s); err == nil {
			t.Errorf("CheckDigest(%q): no error", s)
		}
	}
}

func TestRegistry(t *testing.T) {
	for s, want := range map[string]string{
		"wasmcloud.azurecr.io": "wasmcloud.azurecr.io", "WasmCloud.AzureCR.IO": "wasmcloud.azurecr.io", "localhost": "localhost",
		"localhost:5000": "localhost:5000", "a-b.c": "a-b.c", "192.0.2.1:80": "192.0.2.1:80", "[2001:DB8::1]": "[2001:db8::1]", "[::1]:5000": "[::1]:5000",
	} {
		if got, err := reference.Registry(s); err != nil || got != want {
			t.Errorf("Registry(%q) = %q, %v, want %q", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b", "a b", "a/b", "a:", "a:b", "a:5:6", ":5", "[::1", "[]", "[::1]5", "[::1]:", "[g]", "é", "a\n", "a@b", strings.Repeat("a", 256)} {
		if got, err := reference.Registry(s); err == nil {
			t.Errorf("Registry(%q) = %q, want an error", s, got)
		}
	}
}

func TestName(t *testing.T) {
	for s, want := range map[string]string{
		"wash": "wash", "team/app": "team/app", "wasmcloud.azurecr.io/wash": "wasmcloud.azurecr.io/wash", "localhost:5000/app": "localhost:5000/app",
		"WasmCloud.azurecr.io/team/app": "wasmcloud.azurecr.io/team/app", "[::1]:5000/app": "[::1]:5000/app", "a--b/c": "a--b/c",
	} {
		if got, err := reference.Name(s); err != nil || got != want {
			t.Errorf("Name(%q) = %q, %v, want %q", s, got, err, want)
		}
	}
	for _, s := range []string{"", "/", "Wash", "wash:1", "wash/", "/wash", "host/Wash", "host:5000", "host:5000/", "../wash", "a b/c", "a@sha256:b", strings.Repeat("a/", 300) + "a"} {
		if got, err := reference.Name(s); err == nil {
			t.Errorf("Name(%q) = %q, want an error", s, got)
		}
	}
}

func TestParse(t *testing.T) {
	want := reference.Reference{Registry: "host.example:5000", Repository: "team/app", Tag: "1.0"}
	got, err := reference.Parse("Host.example:5000/team/app:1.0")
	if err != nil || got != want || got.String() != "host.example:5000/team/app:1.0" || got.Name() != "host.example:5000/team/app" {
		t.Errorf("Parse = %+v, %v", got, err)
	}
	for s, part := range map[string]string{"": "registry", "wash:1": "registry", "host/wash": "tag", "host/wash:": "tag", "ho st/wash:1": "registry", "host/Wash:1": "repository", "host/wash:1:2": "tag", "host/wash:a b": "tag", "host/:1": "repository", "/wash:1": "registry"} {
		if _, err := reference.Parse(s); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Parse(%q): %v, want an error about the %s", s, err, part)
		}
	}
}

func TestErrorsShowTheValueShortenedOnOneLine(t *testing.T) {
	errs := func(s string) []error {
		_, registry := reference.Registry(s)
		_, name := reference.Name(s)
		_, noRegistry := reference.Parse(s)
		_, noTag := reference.Parse("host/" + s)
		_, parts := reference.New("host", s, s)
		return []error{registry, name, noRegistry, noTag, parts, reference.CheckRepository(s), reference.CheckTag(s), reference.CheckDigest(s)}
	}
	for s, shown := range map[string]string{
		"A b": `"A b"`, "": `""`, "\n": `"\n"`,
		strings.Repeat("é\n", 100): `é\n`, strings.Repeat("\x00", 1000): `\x00"…`, strings.Repeat("\xff", 1000): `""…`,
	} {
		for i, err := range errs(s) {
			if err == nil {
				t.Errorf("%q, error %d: none", s, i)
				continue
			}
			if text := err.Error(); len(text) > 450 || strings.ContainsAny(text, "\n\x00") || !strings.Contains(text, strings.Trim(shown, `"`)) {
				t.Errorf("%q, error %d: %s, want a short line with %s", s, i, text, shown)
			}
		}
	}
}

// TestAgreesWithTheLibrary compares the grammar with an independent one.
func TestAgreesWithTheLibrary(t *testing.T) {
	// Both sides of each limit, by repeating what was drawn.
	stretched := func(t *rapid.T, s string, limit int) string {
		if s == "" || !rapid.Bool().Draw(t, "stretched") {
			return s
		}
		n := limit + rapid.IntRange(-2, 2).Draw(t, "over")
		return strings.Repeat(s, n/len(s)+1)[:n]
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a-bA0._:@/ -]{0,12}|[a-z0-9]+([._/-]{1,3}[a-z0-9]+){0,4}`).Draw(t, "s")
		repository := stretched(t, s, 255)
		if got, want := reference.CheckRepository(repository) == nil, libraryTakesRepository(repository); got != want {
			t.Errorf("CheckRepository(%q) is %v, the library's is %v", repository, got, want)
		}
		tag := stretched(t, s, 128)
		if got, want := reference.CheckTag(tag) == nil, libraryTakesTag(tag); got != want {
			t.Errorf("CheckTag(%q) is %v, the library's is %v", tag, got, want)
		}
		host := rapid.StringMatching(`[a-bA0.:\[\]-]{0,10}|\[[0-9a-fA-F:]{0,8}\](:[0-9]{0,3})?`).Draw(t, "host")
		if _, err := reference.Registry(host); (err == nil) != libraryTakesRegistry(host) {
			t.Errorf("Registry(%q) is %v, the library's is %v", host, err == nil, libraryTakesRegistry(host))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"wasmcloud.azurecr.io/wash:0.18.1", "[::1]:5000/team/app:latest", "A/b:c", "a/b@sha256:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := reference.Parse(s)
		if err != nil {
			return
		}
		again, err := reference.Parse(ref.String())
		if err != nil || again != ref {
			t.Errorf("Parse(%q) = %v, printed and parsed again %v, %v", s, ref, again, err)
		}
		for _, name := range []string{ref.Repository, ref.Name()} {
			if got, err := reference.Name(name); err != nil || got != name {
				t.Errorf("Name(%q) = %q, %v", name, got, err)
			}
		}
	})
}

func FuzzName(f *testing.F) {
	f.Add("wash")
	f.Add("Host:5000/team/app")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := reference.Name(s)
		if err != nil {
			return
		}
		if again, err := reference.Name(name); err != nil || again != name {
			t.Errorf("Name(%q) = %q, and of that %q, %v", s, name, again, err)
		}
		if registry, repository, _ := strings.Cut(name, "/"); reference.CheckRepository(name) != nil {
			if host, err := reference.Registry(registry); err != nil || host != registry || reference.CheckRepository(repository) != nil {
				t.Errorf("Name(%q) = %q is neither a repository nor registry/repository", s, name)
			}
		}
		if strings.ToLower(s) != name {
			t.Errorf("Name(%q) = %q differs in more than case", s, name)
		}
	})
}

func BenchmarkName(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := reference.Name("wasmcloud.azurecr.io/wash"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := reference.Parse("wasmcloud.azurecr.io/wash:0.18.1"); err != nil {
			b.Fatal(err)
		}
	}
}
