package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRegistryAgrees runs a real CNCF Distribution that notifies the runner, and a real
// client that pushes to it and deletes from it, also while the runner is down. Then both
// have the same tags with the same digests, and no notification is left. .ci/registries
// sets REGISTRY and CRANE to the two programs.
func TestRegistryAgrees(t *testing.T) {
	t.Parallel()
	if os.Getenv("REGISTRY") == "" || os.Getenv("CRANE") == "" {
		t.Skip("needs the programs registry and crane: .ci/registries installs them and runs this test")
	}
	addr := freeAddress(t)
	args := []string{"-addr", addr, "-db", filepath.Join(t.TempDir(), "test.db")}
	p := start(t, []string{tokenEnv}, args...)
	r := startRegistry(t, "http://"+addr+"/api/webhook")

	r.image(t, "wash:0.1.0", "one")
	r.image(t, "wash:latest", "two") // another image: with one digest, both tags would move together
	r.image(t, "team/app:1.0.0", "three")
	r.image(t, "team/app:2.0.0", "four")
	r.crane(t, "tag", r.host+"/team/app:1.0.0", "stable")
	r.index(t, "wash:1.0.0", "five", "six")
	r.wantDelivered(t)
	wantSameTags(t, p, r, map[string][]string{"wash": {"0.1.0", "1.0.0", "latest"}, "team/app": {"1.0.0", "2.0.0", "stable"}})

	// While the runner is down.
	stop(t, p)
	r.crane(t, "tag", r.host+"/team/app:2.0.0", "stable") // moved
	r.image(t, "wash:latest", "seven")                    // moved
	digest := r.crane(t, "digest", r.host+"/team/app:1.0.0")
	r.crane(t, "copy", r.host+"/team/app:1.0.0", r.host+"/third/copy@"+digest) // copied by digest
	r.delete(t, "wash", "0.1.0")                                               // deletes the tag
	r.delete(t, "team/app", digest)                                            // deletes the tag 1.0.0, too
	if m := r.metrics(t); m.Pending == 0 {
		t.Errorf("no notification is pending while the runner is down: %+v", m)
	}
	p = start(t, []string{tokenEnv}, args...)
	r.wantDelivered(t)
	wantSameTags(t, p, r, map[string][]string{"wash": {"1.0.0", "latest"}, "team/app": {"2.0.0", "stable"}, "third/copy": nil})

	// A new push brings back what was deleted.
	r.image(t, "wash:0.1.0", "one")
	r.crane(t, "copy", r.host+"/wash:1.0.0", r.host+"/third/copy:1.0.0")
	r.wantDelivered(t)
	wantSameTags(t, p, r, map[string][]string{"wash": {"0.1.0", "1.0.0", "latest"}, "third/copy": {"1.0.0"}})

	// Ignored events do not block the others.
	stop(t, p)
	start(t, []string{tokenEnv, "ALLOWED_REGISTRIES=other.example.com"}, args...)
	r.image(t, "wash:2.0.0", "eight")
	r.delete(t, "wash", "2.0.0")
	r.wantDelivered(t)
}

// stop stops the runner as a user does.
func stop(t *testing.T, p program) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}

// wantSameTags wants the registry and the runner to have these tags in repositories, with
// the same digests.
func wantSameTags(t *testing.T, p program, r realRegistry, want map[string][]string) {
	t.Helper()
	for repository, tags := range want {
		inRegistry := map[string]string{}
		for _, tag := range r.tags(t, repository) {
			inRegistry[tag] = r.crane(t, "digest", r.host+"/"+repository+":"+tag)
		}
		if got := slices.Sorted(maps.Keys(inRegistry)); !slices.Equal(got, tags) {
			t.Errorf("the registry has the tags %q of %s, want %q", got, repository, tags)
		}
		_, body := p.do(t, "GET", "/api/repositories/"+r.host+"/"+repository, "")
		var answer struct {
			References []struct{ Tag, Digest string }
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		inRunner := map[string]string{}
		for _, reference := range answer.References {
			inRunner[reference.Tag] = reference.Digest
		}
		if diff := cmp.Diff(inRegistry, inRunner); diff != "" {
			t.Errorf("tags and digests of %s: -registry +runner\n%s", repository, diff)
		}
	}
}
