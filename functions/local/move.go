package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"ocireffer/pkg/archive"
)

// standard is the file name of standard input and output.
const standard = "-"

// nameOf returns a file's name for an error message.
func nameOf(file, ifStandard string) string {
	if file == standard {
		return ifStandard
	}
	return file
}

// move exports or imports the store. It reports its progress and the result on stderr.
func move(ctx context.Context, o options, env environment, stderr io.Writer) (err error) {
	db, err := openStore(ctx, o, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	begun := time.Now()
	line := newProgress(stderr)
	do, file, done := importFile, o.importFrom, "imported"
	if o.exportTo != "" {
		do, file, done = exportFile, o.exportTo, "exported"
	}
	counts, err := do(ctx, db, file, line)
	line.clear()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted with %d events %s: run it again to complete it", counts.Total(), done)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%s %d references, %d deletes and %d entries of categories in %s\n",
		done, counts.Pushes, counts.Deletes, counts.Memberships, time.Since(begun).Round(10*time.Millisecond))
	return nil
}

// exportFile writes all events of db to a file.
func exportFile(ctx context.Context, db closingStore, name string, line *progress) (counts archive.Counts, err error) {
	write := func(w io.Writer) (err error) {
		counts, err = archive.Write(w, db.Events(ctx), func(c archive.Counts) { line.show("exported %d events", c.Total()) })
		return err
	}
	if name == standard {
		err = write(os.Stdout)
	} else {
		err = replaceFile(name, write)
	}
	if err != nil {
		return counts, fmt.Errorf("export to %s: %w", nameOf(name, "standard output"), err)
	}
	return counts, nil
}

// replaceFile calls write to make a new file, which gets its name only once it is
// complete and on the disk. If name is not an ordinary file, such as a named pipe, it is
// written directly.
func replaceFile(name string, write func(io.Writer) error) (err error) {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return writeTo(name, os.O_WRONLY, func(f *os.File) error { return write(f) })
	}
	partial := fmt.Sprintf("%s.%s.partial", name, rand.Text()[:8])
	err = writeTo(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, func(f *os.File) error {
		if err := write(f); err != nil {
			return err
		}
		return f.Sync()
	})
	if err == nil {
		err = os.Rename(partial, name)
	}
	if err != nil {
		os.Remove(partial) // if it does not exist, err says why
	}
	return err
}

// writeTo opens a file, calls write, and closes the file.
func writeTo(name string, flag int, write func(*os.File) error) error {
	f, err := os.OpenFile(name, flag, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// importFile merges a file into db.
func importFile(ctx context.Context, db closingStore, name string, line *progress) (archive.Counts, error) {
	var size int64 // 0: unknown
	var in io.Reader = os.Stdin
	if name != standard {
		f, err := os.Open(name)
		if err != nil {
			return archive.Counts{}, fmt.Errorf("import: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		in = f
	}
	read := &counter{r: interruptible(ctx, in)}
	counts, err := archive.Read(ctx, read, db, time.Now().UTC(), func(c archive.Counts) {
		if size == 0 {
			line.show("imported %d events", c.Total())
			return
		}
		line.show("imported %d events, %d%% of the file", c.Total(), 100*read.bytes.Load()/size)
	})
	if err != nil {
		return counts, fmt.Errorf("import %s: %w", nameOf(name, "standard input"), err)
	}
	return counts, nil
}

// interruptible returns a reader that ends with ctx, even while a read of r, such as
// standard input, blocks for ever.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	return out
}

// A counter counts the bytes read through it.
type counter struct {
	r     io.Reader
	bytes atomic.Int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.bytes.Add(int64(n))
	return n, err
}
