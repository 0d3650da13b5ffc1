// Package ocitest runs real registries for tests: Distribution 3, Distribution 2 from
// Debian, and the registry in go-containerregistry (ggcr). Each has quirks that no
// stand-in would have invented. .ci/registries installs them.
package ocitest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// A Kind is a registry program, named after its file in the folder OCI_REGISTRIES.
type Kind string

const (
	Distribution3 Kind = "distribution-3"
	// Distribution2 ignores n and last in a list of tags, sorts nothing, and deletes only
	// by digest.
	Distribution2 Kind = "distribution-2"
	// GGCR cuts lists at n without a Link, and keeps the tags of a deleted digest.
	GGCR Kind = "ggcr"
)

// Kinds are all kinds.
var Kinds = []Kind{Distribution3, Distribution2, GGCR}

const folderEnv = "OCI_REGISTRIES"

// A Registry is a running registry on this machine. It starts empty.
type Registry struct {
	Host string // localhost:PORT
	kind Kind
}

// configuration configures both versions of Distribution.
const configuration = `version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {inmemory: {}, delete: {enabled: true}}
http: {addr: "localhost:0"}
`

// keep runs a command until standard input ends. That happens when the process at its
// other end dies, for whatever reason.
const keep = `"$@" & read -r _; kill $!; wait $!`

// listening matches the log line that says that a registry is ready.
var listening = regexp.MustCompile(`(?:listening on \S+:|serving on port )(\d+)`)

// Start runs a registry until the test ends. It skips the test if OCI_REGISTRIES is not
// set.
func Start(t testing.TB, kind Kind) *Registry {
	t.Helper()
	folder := os.Getenv(folderEnv)
	if folder == "" {
		tellOnce()
		t.Skip(howTo)
	}
	command := []string{filepath.Join(folder, string(kind))}
	if kind == GGCR {
		command = append(command, "-port", "0")
	} else {
		file := filepath.Join(t.TempDir(), "config.yml")
		if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
			t.Fatal(err)
		}
		command = append(command, "serve", file)
	}
	cmd := exec.Command("sh", append([]string{"-c", keep, "sh"}, command...)...)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	life, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	port := make(chan string, 1)
	read := make(chan struct{})
	var printed bytes.Buffer
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if m := listening.FindSubmatch(lines.Bytes()); m != nil && len(port) == 0 {
				port <- string(m[1])
			}
			printed.Write(append(lines.Bytes(), '\n'))
		}
	}()
	t.Cleanup(func() {
		life.Close()
		<-read
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", kind, &printed)
		}
	})
	select {
	case p := <-port:
		return &Registry{Host: "localhost:" + p, kind: kind}
	case <-time.After(time.Minute):
		t.Fatalf("%v did not start within a minute", command)
		return nil
	}
}

const howTo = "real registries are not tested, as " + folderEnv + " is not set: run .ci/registries"

// tellOnce writes howTo to the standard error of go test, the parent process, since go
// test discards the output of a passing package.
var tellOnce = sync.OnceFunc(func() {
	out, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/2", os.Getppid()), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		out = os.Stderr
	}
	fmt.Fprintf(out, "ocitest: SKIPPED: %s\n", howTo)
})

// The media types that Put uses.
const (
	IndexType    = "application/vnd.oci.image.index.v1+json"
	ManifestType = "application/vnd.oci.image.manifest.v1+json"
)

// Push puts a tag on an empty index, a different one for each seed, and returns its
// digest. The index needs no blob, so one request is enough.
func (r *Registry) Push(t testing.TB, repository, tag, seed string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": IndexType, "manifests": []any{}, "annotations": map[string]string{"seed": seed},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Put(t, repository, tag, IndexType, body)
}

// Put puts a tag on a manifest, and returns its digest.
func (r *Registry) Put(t testing.TB, repository, tag, mediaType string, manifest []byte) string {
	t.Helper()
	if status, body := r.do(t, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, mediaType, manifest); status != http.StatusCreated {
		t.Fatalf("%s: PUT of %s:%s: %d %s", r.kind, repository, tag, status, body)
	}
	return digest(manifest)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Blob uploads a blob, and returns its digest.
func (r *Registry) Blob(t testing.TB, repository string, blob []byte) string {
	t.Helper()
	d := digest(blob)
	req, err := http.NewRequest(http.MethodPost, "http://"+r.Host+"/v2/"+repository+"/blobs/uploads/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	at, err := res.Location()
	if err != nil {
		t.Fatalf("%s: upload to %s: %d, %v", r.kind, repository, res.StatusCode, err)
	}
	query := at.Query()
	query.Set("digest", d)
	at.RawQuery = query.Encode()
	if status, body := r.do(t, http.MethodPut, at.RequestURI(), "application/octet-stream", blob); status != http.StatusCreated {
		t.Fatalf("%s: PUT of a blob of %s: %d %s", r.kind, repository, status, body)
	}
	return d
}

// Delete deletes a tag, or a digest with all its tags.
func (r *Registry) Delete(t testing.TB, repository, tagOrDigest string) {
	t.Helper()
	if status, body := r.do(t, http.MethodDelete, "/v2/"+repository+"/manifests/"+tagOrDigest, "", nil); status != http.StatusAccepted {
		t.Fatalf("%s: DELETE of %s of %s: %d %s", r.kind, tagOrDigest, repository, status, body)
	}
}

// Untag deletes a tag that points to digest. Distribution2 cannot do that: it deletes the
// digest with all its tags.
func (r *Registry) Untag(t testing.TB, repository, tag, digest string) {
	t.Helper()
	if r.kind == Distribution2 {
		tag = digest
	}
	r.Delete(t, repository, tag)
}

func (r *Registry) do(t testing.TB, method, path, mediaType string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+r.Host+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}
