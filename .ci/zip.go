// Zip writes an archive whose bytes depend only on its files: all of them get the given
// time, in seconds since 1970, and the mode 0644 or 0755. The zip programs of Debian and
// Python compress differently with different versions of zlib.
//
// usage: zip ARCHIVE TIME FILE...
package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: zip ARCHIVE TIME FILE...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "zip:", err)
		os.Exit(1)
	}
}

func run(archive, seconds string, files []string) (err error) {
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return err
	}
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := zip.NewWriter(out)
	for _, file := range files {
		if err := add(w, file, time.Unix(unix, 0).UTC()); err != nil {
			return err
		}
	}
	return w.Close()
}

func add(w *zip.Writer, file string, modified time.Time) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	header := zip.FileHeader{Name: file, Method: zip.Deflate, Modified: modified}
	header.SetMode(0o644)
	if info.Mode()&0o100 != 0 {
		header.SetMode(0o755)
	}
	entry, err := w.CreateHeader(&header)
	if err != nil {
		return err
	}
	_, err = io.Copy(entry, in)
	return err
}
