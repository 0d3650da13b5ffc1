package main

import (
	"fmt"
	"io"
	"os"
	"time"
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
