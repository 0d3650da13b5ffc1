package lookup

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
)

// minGzip is the size in bytes from which compressing a body is worth it. An HTTP API
// does not compress answers itself. A page of a thousand repositories has about 400 KB,
// and compressed a twentieth of that.
const minGzip = 4 << 10

// compress returns body as a gzip file. It prefers speed to size.
func compress(body []byte) []byte {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // the level is valid, and a buffer never fails
	}
	return buf.Bytes()
}

// acceptsGzip reports whether a reader with these Accept-Encoding headers accepts gzip
// (RFC 9110, section 12.5.3). What they say of gzip overrides what they say of *, any
// other coding.
func acceptsGzip(headers []string) bool {
	accepted := false
	for coding := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip":
			return hasWeight(parameters)
		case "*":
			accepted = hasWeight(parameters)
		}
	}
	return accepted
}

// hasWeight reports whether a coding with these parameters is accepted: q is absent or
// above 0.
func hasWeight(parameters string) bool {
	weight, given := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
	if !given {
		return true
	}
	q, err := strconv.ParseFloat(weight, 64)
	return err == nil && q > 0
}
