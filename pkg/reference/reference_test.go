package reference_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ocireffer/pkg/reference"
)

func TestCheckRepository(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

func TestParseRegistry(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"wasmcloud.azurecr.io": "wasmcloud.azurecr.io", "WasmCloud.AzureCR.IO": "wasmcloud.azurecr.io", "a-b.c": "a-b.c",
		"localhost": "localhost", "LocalHost": "localhost", "localhost:5000": "localhost:5000", "host:5": "host:5", "HOST:5": "host:5",
		"192.0.2.1:80": "192.0.2.1:80", "[2001:DB8::1]": "[2001:db8::1]", "[::1]:5000": "[::1]:5000",
		strings.Repeat("a", 252) + ".io": strings.Repeat("a", 252) + ".io", // 255 bytes
		"Demo.EastUS2.geo.azurecr.io":    "demo.azurecr.io", "a.b.c.geo.azurecr.io": "a.b.c.geo.azurecr.io", "demo.geo.azurecr.io": "demo.geo.azurecr.io",
		"demo.eastus.data.azurecr.io": "demo.eastus.data.azurecr.io", "demo.eastus.geo.azurecr.io.example": "demo.eastus.geo.azurecr.io.example",
	} {
		if got, err := reference.ParseRegistry(s); err != nil || got != want {
			t.Errorf("ParseRegistry(%q) = %q, %v, want %q", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a.-b", "a_b.c", "a b.c", "a/b", "a:", "a:b", "a:5:6", ":5", "[::1", "[]", "[::1]5", "[::1]:", "[g]", "é.io", "a.b\n", "a@b.c", strings.Repeat("a", 253) + ".io"} {
		if got, err := reference.ParseRegistry(s); err == nil {
			t.Errorf("ParseRegistry(%q) = %q, want an error", s, got)
		}
	}
}

func TestParseRegistryRefusesASingleWordAndSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"wasmcloud": `registry "wasmcloud" has neither a dot nor a port: want a host such as wasmcloud.azurecr.io or docker.io`,
		"WasmCloud": `registry "WasmCloud" has neither a dot nor a port: want a host such as wasmcloud.azurecr.io or docker.io`,
	} {
		if got, err := reference.ParseRegistry(s); err == nil || err.Error() != want {
			t.Errorf("ParseRegistry(%q) = %q, %v, want the error %s", s, got, err, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const s, printed = "Host.example:5000/team/app:1.0", "host.example:5000/team/app:1.0"
	want := reference.Reference{Registry: "host.example:5000", Repository: "team/app", Tag: "1.0"}
	got, err := reference.Parse(s)
	if err != nil || got != want {
		t.Errorf("Parse(%q) = %+v, %v, want %+v", s, got, err, want)
	}
	if got.String() != printed {
		t.Errorf("String() = %q, want %q", got.String(), printed)
	}
	if name := (reference.Name{Registry: "host.example:5000", Repository: "team/app"}); got.Name() != name {
		t.Errorf("Name() = %+v, want %+v", got.Name(), name)
	}
}

func TestParseNamesTheBadPart(t *testing.T) {
	t.Parallel()
	for s, part := range map[string]string{
		"": "no registry", "wash:1": "no registry",
		"ho st.io/wash:1": "registry", "/wash:1": "registry", "a_b.io/wash:1": "registry",
		"host.io/Wash:1": "repository", "host.io/:1": "repository",
		"host.io/wash": "no tag", "host.io/wash:": "tag", "host.io/wash:1:2": "tag", "host.io/wash:a b": "tag",
		"host.io/wash@sha256:0": "repository",
	} {
		if got, err := reference.Parse(s); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Parse(%q) = %+v, %v, want an error about the %s", s, got, err, part)
		}
	}
}

func TestParseSaysHowToWriteDockerHub(t *testing.T) {
	t.Parallel()
	for s, hint := range map[string]string{"team/app:1": `"docker.io/team/app:1"`, "Team/app:1": `"docker.io/Team/app:1"`} {
		if got, err := reference.Parse(s); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("Parse(%q) = %+v, %v, want the hint %s", s, got, err, hint)
		}
	}
}

func TestSplitIsTheReverseOfString(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := reference.Reference{
			Registry:   rapid.SampledFrom([]string{"a.io", "localhost", "b.io:5000", "[::1]", "[::1]:5000"}).Draw(t, "registry"),
			Repository: rapid.SampledFrom([]string{"wash", "team/app", "a.io/wash", "a.io", "localhost/a"}).Draw(t, "repository"),
			Tag:        rapid.SampledFrom([]string{"1", "_", "v1.2.3-a_b", "latest"}).Draw(t, "tag"),
		}
		if got, ok := reference.Split(want.String()); !ok || got != want {
			t.Fatalf("Split(%q) = %+v, %t, want %+v", want, got, ok, want)
		}
		if got, err := reference.Parse(want.String()); err != nil || got != want {
			t.Fatalf("Parse(%q) = %+v, %v, want %+v", want, got, err, want)
		}
	})
}

func TestSplitMissesAPart(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "wash", "wash:1", "a.io/wash", "a.io"} {
		if got, ok := reference.Split(s); ok {
			t.Errorf("Split(%q) = %+v, want none", s, got)
		}
	}
}

func TestErrorsShowTheValueShortenedOnOneLine(t *testing.T) {
	t.Parallel()
	errs := func(s string) []error {
		_, registry := reference.ParseRegistry(s)
		_, name := reference.ParseName(s)
		_, repository := reference.ParseRepository(s)
		_, noRegistry := reference.Parse(s)
		_, noTag := reference.Parse("host.io/" + s)
		_, parts := reference.Parse("host.io/" + s + ":" + s)
		return []error{registry, name, repository, noRegistry, noTag, parts, reference.CheckRepository(s), reference.CheckTag(s), reference.CheckDigest(s), reference.CheckCategory(s)}
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
	t.Parallel()
	// Repeating the drawn text reaches both sides of each limit.
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
			t.Errorf("CheckRepository(%q) is %t, the library's is %t", repository, got, want)
		}
		tag := stretched(t, s, 128)
		if got, want := reference.CheckTag(tag) == nil, libraryTakesTag(tag); got != want {
			t.Errorf("CheckTag(%q) is %t, the library's is %t", tag, got, want)
		}
		// The library accepts a single word as a host, too. Docker's rule is in another
		// part of it: see TestNamesFollowDockersRule.
		host := rapid.StringMatching(`[a-bA0.:\[\]-]{0,10}|\[[0-9a-fA-F:]{0,8}\](:[0-9]{0,3})?`).Draw(t, "host")
		want := libraryTakesRegistry(host) && strings.ContainsAny(host, ".:")
		if _, err := reference.ParseRegistry(host); (err == nil) != want {
			t.Errorf("ParseRegistry(%q) is %t, the library's is %t", host, err == nil, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"wasmcloud.azurecr.io/wash:0.18.1", "[::1]:5000/team/app:latest", "A.io/b:c", "a/b:c", "a.io/b@sha256:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := reference.Parse(s)
		if err != nil {
			return
		}
		if again, err := reference.Parse(ref.String()); err != nil || again != ref {
			t.Errorf("Parse(%q) = %v, printed and parsed again %v, %v", s, ref, again, err)
		}
		if again, ok := reference.Split(ref.String()); !ok || again != ref {
			t.Errorf("Parse(%q) = %v, printed and split %v, %t", s, ref, again, ok)
		}
		if got, err := reference.ParseName(ref.Name().String()); err != nil || got != ref.Name() {
			t.Errorf("ParseName(%q) = %+v, %v, want %+v", ref.Name(), got, err, ref.Name())
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := reference.Parse("wasmcloud.azurecr.io/wash:0.18.1"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"push a.io/b:1: no “room”", "push a.io/b:1: no “room”"},
		{"a\nb\tc\x1b[31m", "a\uFFFDb\uFFFDc\uFFFD[31m"},
		{"\u202e\u0085\xff", "\uFFFD\uFFFD\uFFFD"},
		{strings.Repeat("x", 500), strings.Repeat("x", 500)},
		{strings.Repeat("x", 501), strings.Repeat("x", 500) + "…"},
		{"x" + strings.Repeat("é", 250), "x" + strings.Repeat("é", 249) + "…"},
	} {
		if got := reference.Line(c.text); got != c.want {
			t.Errorf("Line(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}
