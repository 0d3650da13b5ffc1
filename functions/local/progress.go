package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"ocireffer/pkg/reconcile"
)

// A progress shows progress in one line on a terminal. If the output is not a terminal,
// it shows nothing.
type progress struct {
	out      io.Writer
	terminal bool
	shown    time.Time // when the line was last written; zero: the line is empty
}

// progressEvery is the shortest time between two changes of the line.
const progressEvery = 200 * time.Millisecond

func newProgress(out io.Writer) *progress {
	f, ok := out.(*os.File)
	return &progress{out: out, terminal: ok && isTerminal(f)}
}

// isTerminal reports whether f is a device other than the null device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// clearLine moves to the beginning of a terminal's line and erases it.
const clearLine = "\r\x1b[K"

// show replaces the line, unless it was just written.
func (p *progress) show(format string, values ...any) {
	if !p.terminal || time.Since(p.shown) < progressEvery {
		return
	}
	p.shown = time.Now()
	fmt.Fprint(p.out, clearLine+fmt.Sprintf(format, values...))
}

// clear erases the line, to make room for other output.
func (p *progress) clear() {
	if !p.shown.IsZero() {
		p.shown = time.Time{}
		fmt.Fprint(p.out, clearLine)
	}
}

// A screen is a terminal whose last line shows progress while other lines are written
// above it. If the output is not a terminal, it is an ordinary writer.
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
