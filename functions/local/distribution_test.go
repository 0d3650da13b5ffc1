package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// freeAddress returns an address on this machine where nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A realRegistry is a running CNCF Distribution.
type realRegistry struct{ host, debug string }

// startRegistry starts a registry that allows deletes of tags, and sends all kinds of
// notifications to hook.
func startRegistry(t *testing.T, hook string) realRegistry {
	t.Helper()
	r := realRegistry{freeAddress(t), freeAddress(t)}
	dir := t.TempDir()
	config := fmt.Sprintf(`version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}
http: {addr: %q, debug: {addr: %q}}
notifications:
  endpoints:
    - name: ocireffer
      url: %s
      headers: {Authorization: [Bearer test2]}
      timeout: 5s
      threshold: 3
      backoff: 200ms
`, dir, r.host, r.debug, hook)
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(os.Getenv("REGISTRY"), "serve", file)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the registry's log: %s", &log)
		}
	})
	eventually(t, func() error {
		_, err := r.get("/v2/")
		return err
	})
	return r
}

// eventually calls check until it returns no error, for at most half a minute.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	end, again := time.After(30*time.Second), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-end:
			t.Fatal(err)
		case <-again.C:
		}
	}
}

// get returns the body of an answer with status 200.
func (r realRegistry) get(path string) ([]byte, error) { return get("http://" + r.host + path) }

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s = %s: %s", url, response.Status, b)
	}
	return b, err
}

// tags returns the tags that the registry lists. Without tags, the registry does not know
// a repository.
func (r realRegistry) tags(t *testing.T, repository string) []string {
	t.Helper()
	b, err := r.get("/v2/" + repository + "/tags/list")
	if err != nil && strings.Contains(err.Error(), "NAME_UNKNOWN") {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Tags []string }
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	return list.Tags
}

// crane runs the client and returns its output.
func (r realRegistry) crane(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(os.Getenv("CRANE"), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// image pushes an image with one file that has this content.
func (r realRegistry) image(t *testing.T, reference, content string) {
	t.Helper()
	layer := filepath.Join(t.TempDir(), "layer.tar")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(content))})
	if err == nil {
		_, err = io.WriteString(w, content)
	}
	if err := errors.Join(err, w.Close(), os.WriteFile(layer, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	r.crane(t, "append", "--oci-empty-base", "--new_layer", layer, "--new_tag", r.host+"/"+reference)
}

// index pushes an image of several platforms. Their manifests have no tag.
func (r realRegistry) index(t *testing.T, reference string, contents ...string) {
	t.Helper()
	args := []string{"index", "append", "--tag", r.host + "/" + reference}
	for i, content := range contents {
		platform := fmt.Sprintf("platforms/image%d:1", i)
		r.image(t, platform, content)
		args = append(args, "--manifest", r.host+"/"+platform)
	}
	r.crane(t, args...)
}

// delete deletes a tag, or a digest with all its tags.
func (r realRegistry) delete(t *testing.T, repository, reference string) {
	t.Helper()
	request, err := http.NewRequest("DELETE", "http://"+r.host+"/v2/"+repository+"/manifests/"+reference, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("DELETE %s %s = %s", repository, reference, response.Status)
	}
}

// metrics are those of the registry's only notification endpoint.
type metrics struct{ Pending, Events, Successes, Failures, Errors int }

func (r realRegistry) metrics(t *testing.T) metrics {
	t.Helper()
	b, err := get("http://" + r.debug + "/debug/vars")
	if err != nil {
		t.Fatal(err)
	}
	var vars struct {
		Registry struct {
			Notifications struct{ Endpoints []struct{ Metrics metrics } }
		}
	}
	if err := json.Unmarshal(b, &vars); err != nil || len(vars.Registry.Notifications.Endpoints) != 1 {
		t.Fatalf("/debug/vars = %s, %v, want one endpoint", b, err)
	}
	return vars.Registry.Notifications.Endpoints[0].Metrics
}

// wantDelivered waits until no notification is pending, and wants none to be refused.
func (r realRegistry) wantDelivered(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		if m := r.metrics(t); m.Pending > 0 || m.Successes < m.Events {
			return fmt.Errorf("notifications are pending: %+v", m)
		}
		return nil
	})
	if m := r.metrics(t); m.Failures > 0 || m.Events == 0 {
		t.Errorf("notifications: %+v, want some and none refused", m)
	}
}
