package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"ocireffer/pkg/reconcile"
)

// A progress shows on one line of a terminal how far something is. Elsewhere it shows
// nothing.
type progress struct {
	out      io.Writer
	terminal bool
	shown    time.Time // when the line was last written; zero: it is empty
}

// progressEvery is how often the line changes at most.
const progressEvery = 200 * time.Millisecond

func newProgress(out io.Writer) *progress {
	f, ok := out.(*os.File)
	return &progress{out: out, terminal: ok && isTerminal(f)}
}

// isTerminal reports whether f is a device other than the one that forgets all.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// clearLine goes to the beginning of a terminal's line and empties it.
const clearLine = "\r\x1b[K"

// show replaces the line, unless that has been a moment ago.
func (p *progress) show(format string, values ...any) {
	if !p.terminal || time.Since(p.shown) < progressEvery {
		return
	}
	p.shown = time.Now()
	fmt.Fprint(p.out, clearLine+fmt.Sprintf(format, values...))
}

// clear removes the line, for what is written next.
func (p *progress) clear() {
	if !p.shown.IsZero() {
		p.shown = time.Time{}
		fmt.Fprint(p.out, clearLine)
	}
}

// A screen is a terminal whose last line shows progress while others write above it.
// Elsewhere it is a writer.
type screen struct {
	mu   sync.Mutex
	out  io.Writer
	line *progress
}

func newScreen(out io.Writer) *screen { return &screen{out: out, line: newProgress(out)} }

// Write implements io.Writer.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line.clear()
	return s.out.Write(b)
}

func (s *screen) progress(r reconcile.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line.show("%s", summary(r))
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line.clear()
}
