// Package archive writes all events of a store to a file, and merges such a file into a
// store. Newer events win, wherever they come from. So the order of the lines does not
// matter, nor does reading them twice.
// A file consists of lines of JSON. The first identifies the format:
//
//	{"format":"ocireffer events","version":1}
//
// Each following line is an event, as package event writes it. The last line says that
// the file is complete:
//
//	{"end":true}
//
// Blank lines are ignored. A reconciler's states are not events and not in the file.
package archive

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"ocireffer/pkg/event"
)

// formatName and version are in the first line. version must change when an older release
// would not understand the file.
const (
	formatName = "ocireffer events"
	version    = 1
)

// begin is the first line of a file.
type begin struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

// end is the last line of a file.
type end struct {
	End bool `json:"end"`
}

// Counts says how many events were written or read, by kind.
type Counts struct{ Pushes, Deletes, Memberships int }

// Total returns the number of all events.
func (c Counts) Total() int { return c.Pushes + c.Deletes + c.Memberships }

func (c *Counts) add(e event.Event) {
	switch {
	case e.Push != nil:
		c.Pushes++
	case e.Delete != nil:
		c.Deletes++
	default:
		c.Memberships++
	}
}

// batchSize is how many events are read at once, and how often progress is called.
const batchSize = 1000

// Write writes events to w and returns how many it wrote. It calls progress for every
// thousand of them.
func Write(w io.Writer, events iter.Seq2[event.Event, error], progress func(Counts)) (Counts, error) {
	var written Counts
	buffered := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(buffered)
	if err := lines.Encode(begin{formatName, version}); err != nil {
		return written, err
	}
	for e, err := range events {
		if err != nil {
			return written, err
		}
		if err := lines.Encode(e); err != nil {
			return written, fmt.Errorf("write %s: %w", e, err)
		}
		if written.add(e); written.Total()%batchSize == 0 {
			progress(written)
		}
	}
	if err := lines.Encode(end{true}); err != nil {
		return written, err
	}
	return written, buffered.Flush()
}
