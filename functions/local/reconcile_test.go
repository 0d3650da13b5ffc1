package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry/acrtest"
	"ocireffer/pkg/registry/ocitest"
)

// once runs the program with -once, and returns its exit status and its output.
func once(t *testing.T, env []string, args ...string) (status int, stderr string) {
	t.Helper()
	var out bytes.Buffer
	cmd := command(append([]string{"DOCKER_CONFIG=" + t.TempDir()}, env...), append([]string{"-once"}, args...)...)
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		if _, ok := err.(*exec.ExitError); !ok {
			t.Fatal(err)
		}
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// TestOnceFillsTheStore: one command reads an existing registry into the store.
func TestOnceFillsTheStore(t *testing.T) {
	t.Parallel()
	r := ocitest.StartSmall(t, map[string]map[string]string{
		"wash":     {"0.18.0": acrtest.Digest("0"), "0.18.1": acrtest.Digest("1"), "rc-2": acrtest.Digest("2")},
		"team/app": {"1": acrtest.Digest("3")},
	})
	r.Require("reader", "s3cret")
	file := filepath.Join(t.TempDir(), "test.db")
	env := []string{"IGNORE_TAGS=rc-*", `RECONCILE_CREDENTIALS={"` + r.Host + `": {"user": "reader", "password": "s3cret"}}`}
	status, log := once(t, env, "-db", file, "-reconcile", r.Host)
	if want := r.Host + ": 2 of 2 repositories, "; status != 0 || !strings.Contains(log, want) || !strings.Contains(log, "3 pushed, 0 deleted in ") || strings.Count(log, "msg=reconcile outcome=reconciled registry="+r.Host) != 1 {
		t.Errorf("-once: exit %d, %s, want 0, one line in the log, and a summary of 2 repositories and 3 pushes", status, log)
	}
	if strings.Contains(log, "s3cret") {
		t.Errorf("-once wrote a password: %s", log)
	}
	r.Change(func(tags map[string]map[string]string) {
		delete(tags["wash"], "0.18.0")
		tags["wash"]["0.18.2"] = acrtest.Digest("4")
	})
	if status, log := once(t, env, "-db", file, "-reconcile", r.Host); status != 0 || !strings.Contains(log, "1 pushed") {
		t.Errorf("-once, again: exit %d, %s, want 0 and a push", status, log)
	}
	p := start(t, nil, "-db", file)
	_, body := p.do(t, http.MethodGet, "/api/repositories/wash", "")
	if !strings.Contains(body, `"tag":"0.18.2"`) || strings.Contains(body, "rc-2") {
		t.Errorf("GET /api/repositories/wash = %s, want 0.18.2 and no rc-2", body)
	}
	p.want(t, http.MethodGet, "/team/app?format=text", "", http.StatusOK, r.Host+"/team/app:1\n")
}

func TestOnceExits1IfAnythingCouldNotBeRead(t *testing.T) {
	t.Parallel()
	r := ocitest.StartSmall(t, map[string]map[string]string{"wash": {"1": acrtest.Digest("1")}})
	r.Deny()
	file := filepath.Join(t.TempDir(), "test.db")
	status, log := once(t, nil, "-db", file, "-reconcile", r.Host+"/wash")
	if status != 1 || !strings.Contains(log, "1 forbidden") || !strings.Contains(log, "403 DENIED") || !strings.Contains(log, "local: not everything could be read") {
		t.Errorf("a registry that forbids: exit %d, %s, want 1 and why", status, log)
	}
	if status, log := once(t, nil, "-db", file, "-reconcile", "127.0.0.1:1"); status != 1 || !strings.Contains(log, "outcome=incomplete") {
		t.Errorf("a registry that does not answer: exit %d, %s, want 1", status, log)
	}
}

// TestReconcileBesideServing: what a run reads is served without a restart.
func TestReconcileBesideServing(t *testing.T) {
	t.Parallel()
	r := ocitest.StartSmall(t, map[string]map[string]string{"wash": {"1": acrtest.Digest("1")}})
	p, log := startLogged(t, []string{"DOCKER_CONFIG=" + t.TempDir()}, "-db", filepath.Join(t.TempDir(), "test.db"), "-reconcile", r.Host)
	want := r.Host + "/wash:1\n"
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, body := p.do(t, http.MethodGet, "/wash?format=text", ""); body == want {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the registry was not read in 20 s")
		}
	}
	stop(t, p)
	if text := log(); strings.Count(text, "msg=reconcile ") != 1 || !strings.Contains(text, "msg=stopping") {
		t.Errorf("the log is %s, want one run and a stop", text)
	}
}

// TestStopEndsARun: a run does not keep the program from ending.
func TestStopEndsARun(t *testing.T) {
	t.Parallel()
	tags := map[string]map[string]string{}
	for i := range 200 { // 20 s at 10 calls per second
		tags[fmt.Sprintf("r%d", i)] = map[string]string{"1": acrtest.Digest("1")}
	}
	r := ocitest.StartSmall(t, tags)
	p, log := startLogged(t, []string{"DOCKER_CONFIG=" + t.TempDir()}, "-db", filepath.Join(t.TempDir(), "test.db"), "-reconcile", r.Host)
	for {
		if _, body := p.do(t, http.MethodGet, "/r0?format=text", ""); strings.HasSuffix(body, "/r0:1\n") {
			break
		}
	}
	begin := time.Now()
	stop(t, p)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the program ended after %s", took)
	}
	if text := log(); !strings.Contains(text, "outcome=stopped") || !strings.Contains(text, "context canceled") {
		t.Errorf("the log is %s, want a run that was cancelled", text)
	}
}

// TestRealRegistriesAreRead reads each available real registry.
func TestRealRegistriesAreRead(t *testing.T) {
	t.Parallel()
	for _, kind := range ocitest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := ocitest.Start(t, kind)
			r.Blob(t, "wash", []byte("{}"))
			for i := range 5 {
				r.Push(t, "wash", fmt.Sprintf("0.%d.0", i), fmt.Sprint(i))
			}
			file := filepath.Join(t.TempDir(), "test.db")
			if status, log := once(t, nil, "-db", file, "-reconcile", r.Host); status != 0 || !strings.Contains(log, "5 pushed") {
				t.Errorf("-once: exit %d, %s, want 0 and 5 pushes", status, log)
			}
			start(t, nil, "-db", file).want(t, http.MethodGet, "/wash?format=text&sort=semver", "", http.StatusOK, r.Host+"/wash:0.4.0\n")
		})
	}
}

// TestProgressIsTheLastLine: log lines appear above it, whole.
func TestProgressIsTheLastLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newScreen(&out)
	s.line.terminal = true
	s.progress(reconcile.Report{Registry: "a.example", Repositories: 5000, Done: 12, Calls: 61, Pushed: 200, Deleted: 3, Skipped: 4})
	fmt.Fprintln(s, "a line of the log")
	s.progress(reconcile.Report{Registry: "a.example", Repositories: 5000, Done: 13})
	s.clear()
	want := clearLine + "a.example: 12 of 5000 repositories, 61 calls, 200 pushed, 3 deleted, 4 unchanged" +
		clearLine + "a line of the log\n" +
		clearLine + "a.example: 13 of 5000 repositories, 0 calls, 0 pushed, 0 deleted" + clearLine
	if out.String() != want {
		t.Errorf("the terminal got %q, want %q", &out, want)
	}
}
