package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

const (
	maxLine  = 64 << 10 // bytes; the longest event has about 3,000
	parallel = 16       // concurrent writes

	// maxAhead is how far ahead of the clock an event's time may be. Stores accept at most
	// event.ClockSkew, by clocks that may differ from this one. A delete of the year 9999
	// would hide a repository for ever, and nothing could undo it.
	maxAhead = 24 * time.Hour
)

// Read merges the file that r reads into a store, and returns how many events it stored.
// It calls progress for every thousand of them. An error in the file begins with the
// number of its line; the lines before it are stored. After an error of the store, the
// counted events are stored, and perhaps more. Reading the file again completes the
// merge.
//
// A store keeps a tombstone for a limited time, counted from the receipt of the delete.
// If less than a day would be left, Read changes the receipt to now: the tombstone must
// outlast the reading of the file.
func Read(ctx context.Context, r io.Reader, into store.Importer, now time.Time, progress func(Counts)) (Counts, error) {
	f := &file{lines: bufio.NewScanner(r), latest: now.Add(maxAhead)}
	f.lines.Buffer(nil, maxLine)
	var stored Counts
	for {
		batch, errFile := f.readBatch()
		if err := storeBatch(ctx, into, batch, now); err != nil {
			return stored, err
		}
		for _, e := range batch {
			stored.add(e)
		}
		progress(stored)
		if errors.Is(errFile, io.EOF) {
			return stored, nil
		}
		if errFile != nil {
			return stored, errFile
		}
	}
}

// A file is read line by line.
type file struct {
	lines  *bufio.Scanner
	latest time.Time // the latest time that an event may have
	number int       // number of the last line that was read
	begun  bool      // the first line was read
	ended  bool      // the last line was read
}

// readBatch returns the next events. If there are fewer than batchSize, the error is
// io.EOF at the end of the file, or that of the next line.
func (f *file) readBatch() (batch []event.Event, err error) {
	for len(batch) < batchSize && f.lines.Scan() {
		f.number++
		line := bytes.TrimSpace(f.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		e, err := f.parse(line)
		if err != nil {
			return batch, fmt.Errorf("line %d: %w", f.number, err)
		}
		if !e.IsZero() {
			batch = append(batch, e)
		}
	}
	if len(batch) == batchSize {
		return batch, nil
	}
	return batch, f.atEnd()
}

// atEnd returns io.EOF if the file ends as it should.
func (f *file) atEnd() error {
	err := f.lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: it has more than %d bytes", f.number+1, maxLine)
	case err != nil:
		return fmt.Errorf("line %d: %w", f.number+1, err)
	case !f.ended:
		return fmt.Errorf(`line %d: the file ends before its last line, {"end":true}: it was cut off`, f.number+1)
	default:
		return io.EOF
	}
}

// parse returns the event in a line that is not blank. The first and the last line
// contain none.
func (f *file) parse(line []byte) (e event.Event, err error) {
	switch {
	case f.ended:
		return e, errors.New(`it comes after the last line, {"end":true}`)
	case !f.begun:
		f.begun = true
		return e, checkBegin(line)
	}
	err = json.Unmarshal(line, &e)
	if err == nil {
		err = f.checkTime(e)
	}
	if err == nil {
		return e, nil
	}
	if f.ended = isEnd(line); f.ended {
		return event.Event{}, nil
	}
	return event.Event{}, fmt.Errorf("%s, in %s", reference.Line(err.Error()), reference.Quote(string(line)))
}

// checkTime refuses an event with a time that is too far ahead.
func (f *file) checkTime(e event.Event) error {
	var times []time.Time
	switch {
	case e.Push != nil:
		times = []time.Time{e.Push.PushedAt}
	case e.Delete != nil:
		times = []time.Time{e.Delete.DeletedAt, e.Delete.ReceivedAt}
	default:
		times = []time.Time{e.Membership.At}
	}
	for _, t := range times {
		if t.After(f.latest) {
			return fmt.Errorf("%s is more than %s ahead of the clock", t.Format(time.RFC3339), maxAhead)
		}
	}
	return nil
}

// checkBegin checks the first line.
func checkBegin(line []byte) error {
	var b begin
	if err := json.Unmarshal(line, &b); err != nil || b.Format != formatName || b.Version < version {
		return fmt.Errorf(`%s is not the first line of an export, {"format":"%s","version":%d}`, reference.Quote(string(line)), formatName, version)
	}
	if b.Version > version {
		return fmt.Errorf("the export has version %d, this release reads %d: use a newer release", b.Version, version)
	}
	return nil
}

// isEnd reports whether line is the last line.
func isEnd(line []byte) bool {
	var e end
	return json.Unmarshal(line, &e) == nil && e.End
}

// storeBatch stores events. Pushes come last, so that readers never see a reference that
// a delete in the same batch covers.
func storeBatch(ctx context.Context, into store.Importer, batch []event.Event, now time.Time) error {
	var pushes []event.Push
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, e := range batch {
		if e.Push != nil {
			pushes = append(pushes, *e.Push)
			continue
		}
		group.Go(func() error {
			_, err := store.Apply(groupCtx, into, lasting(e, now))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(pushes) == 0 {
		return nil
	}
	return into.PushAll(ctx, pushes)
}

// lasting returns e. If e is a delete that a store might forget within a day, its receipt
// becomes now.
func lasting(e event.Event, now time.Time) event.Event {
	if e.Delete == nil || now.Sub(e.Delete.ReceivedAt) < store.TombstoneTTL-24*time.Hour {
		return e
	}
	d := *e.Delete
	d.ReceivedAt = now
	return event.Event{Delete: &d}
}
