package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// runs runs the program. It returns what the program writes to standard output and to
// standard error.
func runs(t *testing.T, env []string, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := command(env, args...)
	var out, log bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, &log)
	}
	return out.String(), log.String()
}

// TestExportIsImported exports and imports with files and with pipes.
func TestExportIsImported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, db, other := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
	if _, log := runs(t, nil, "", "-demo", "-export", file); !strings.HasPrefix(log, "exported 87 references, 0 deletes and 22 entries of categories in ") {
		t.Errorf("-export writes %q, want a summary", log)
	}
	for range 2 {
		if _, log := runs(t, nil, "", "-db", db, "-import", file); !strings.HasPrefix(log, "imported 87 references, 0 deletes and 22 entries of categories in ") {
			t.Errorf("-import writes %q, want a summary", log)
		}
	}
	piped, _ := runs(t, nil, "", "-db", db, "-export", "-")
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if piped != string(want) {
		t.Errorf("-export - writes other lines than the -export that was imported: %d bytes, want %d", len(piped), len(want))
	}
	runs(t, nil, piped, "-db", other, "-import", "-")
	if again, _ := runs(t, nil, "", "-db", other, "-export", "-"); again != piped {
		t.Errorf("-export of what was piped: %d bytes, want %d", len(again), len(piped))
	}
	start(t, nil, "-db", other).want(t, "GET", "/wash?format=text", "", 200, "wasmcloud.azurecr.io/wash:0.20.0\n")
}

func TestMovingRefusesOtherFlags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"-export and -import: use only one of them":        {"-export", "a", "-import", "b"},
		"-export names no file":                            {"-export", ""},
		"-import names no file":                            {"-import", ""},
		"-export and -import do not serve: leave out":      {"-export", "a", "-addr", "localhost:1"},
		"-demo forgets what is imported: leave out one of": {"-demo", "-import", "a"},
	} {
		wantExit(t, command(nil, args...), 2, want)
	}
}

// TestBadImportIsExit1: the error names the line.
func TestBadImportIsExit1(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, db := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "a.db")
	export, _ := runs(t, nil, "", "-demo", "-export", "-")
	if err := os.WriteFile(file, []byte(export[:5000]), 0o600); err != nil {
		t.Fatal(err)
	}
	wantExit(t, command(nil, "-db", db, "-import", file), 1, "import "+file+": line 34: unexpected end of JSON input, in ")
	cmd := command(nil, "-db", db, "-import", "-")
	cmd.Stdin = strings.NewReader("\n")
	wantExit(t, cmd, 1, "import standard input: line 2: the file ends before its last line")
	wantExit(t, command(nil, "-db", db, "-import", filepath.Join(dir, "none.jsonl")), 1, "none.jsonl: no such file")
	if out, _ := runs(t, nil, "", "-db", db, "-export", "-"); strings.Count(out, "\n") != 32+2 {
		t.Errorf("the store has %d lines, want the 32 before the bad one, and 2", strings.Count(out, "\n"))
	}
}

// TestExportNeedsAStore: an export does not create one.
func TestExportNeedsAStore(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "none.db")
	wantExit(t, command(nil, "-db", db, "-export", "-"), 1, "none.db: no such file")
	if _, err := os.Stat(db); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after -export of no store: %v, want none", err)
	}
	for range 2 {
		wantExit(t, command(dynamoEnv(t), "-dynamodb", "TestExportNeedsAStore", "-export", "-"), 1, "ResourceNotFoundException")
	}
}

// TestInterruptedImportEnds: it ends although its input does not.
func TestInterruptedImportEnds(t *testing.T) {
	t.Parallel()
	export, _ := runs(t, nil, "", "-demo", "-export", "-")
	db := filepath.Join(t.TempDir(), "a.db")
	cmd := command(nil, "-db", db, "-import", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	// Once these blank lines fit into the pipe, it has read the lines before them.
	if _, err := io.WriteString(in, strings.TrimSuffix(export, "{\"end\":true}\n")+strings.Repeat("\n", 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got := log.String(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(got, "local: interrupted with ") {
		t.Errorf("%v: %q, want exit 1, interrupted", cmd.ProcessState, got)
	}
}

// TestFileIsReplacedWhole: the old file stays until the new one is complete, and after an
// error.
func TestFileIsReplacedWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "link.jsonl")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	content := func() string {
		b, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(b)
	}
	planted := errors.New("planted")
	for i, name := range []string{file, link} {
		before := content()
		text := fmt.Sprint("text ", i)
		write := func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			if got := content(); got != before {
				t.Errorf("%s has %q while it is written, want %q", name, got, before)
			}
			return err
		}
		if err := replaceFile(name, func(w io.Writer) error { return errors.Join(write(w), planted) }); !errors.Is(err, planted) {
			t.Errorf("replaceFile(%s): %v, want %v", name, err, planted)
		}
		if got := content(); got != before {
			t.Errorf("%s has %q after an error, want %q", name, got, before)
		}
		if err := replaceFile(name, write); err != nil || content() != text {
			t.Errorf("replaceFile(%s): %v, and it contains %q, want %q", name, err, content(), text)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("%q is left, %v, want the file and the link", left, err)
	}
	err := replaceFile(filepath.Join(dir, "none", "a.jsonl"), func(io.Writer) error { return nil })
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("replaceFile in no folder: %v, want that it does not exist", err)
	}
	if err := replaceFile(dir, func(io.Writer) error { return nil }); err == nil {
		t.Error("replaceFile of a folder: no error")
	}
}

// TestPipeIsWrittenAsItIs: replacing a device or a pipe would remove it.
func TestPipeIsWrittenAsItIs(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- replaceFile(pipe, func(w io.Writer) error { _, err := io.WriteString(w, "text"); return err })
	}()
	got, err := os.ReadFile(pipe)
	if err := errors.Join(err, <-done); err != nil || string(got) != "text" {
		t.Errorf("the pipe has %q, %v, want text", got, err)
	}
	if info, err := os.Stat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe is %v, %v, want a pipe", info, err)
	}
}

func TestProgressIsOneLineOfATerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &progress{out: &out, terminal: true}
		p.clear()
		for i := range 10 {
			p.show("%d events", i)
			time.Sleep(150 * time.Millisecond)
		}
		p.clear()
		p.clear()
		const want = "\r\x1b[K0 events\r\x1b[K2 events\r\x1b[K4 events\r\x1b[K6 events\r\x1b[K8 events\r\x1b[K"
		if got := out.String(); got != want {
			t.Errorf("a terminal gets %q, want %q", got, want)
		}
	})
}

func TestProgressShowsNothingElsewhere(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, out := range []io.Writer{file, null, new(bytes.Buffer)} {
		p := newProgress(out)
		p.show("1 event")
		p.clear()
		if p.terminal {
			t.Errorf("%T counts as a terminal", out)
		}
	}
	if info, err := file.Stat(); err != nil || info.Size() > 0 {
		t.Errorf("a file gets %d bytes of progress, %v, want none", info.Size(), err)
	}
	if pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		defer pty.Close()
		if !newProgress(pty).terminal {
			t.Error("a pseudo-terminal does not count as a terminal")
		}
	}
}
