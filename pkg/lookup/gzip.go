package lookup

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
)

// minGzip is the smallest body, in bytes, that is worth compressing. An HTTP API
// does not compress answers itself, and a page of a thousand repositories has some
// 400 KB, of which a twentieth is left.
const minGzip = 4 << 10

// compress returns body as a gzip file, fast rather than small.
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

// acceptsGzip reports whether a reader with these Accept-Encoding headers takes
// gzip: RFC 9110, section 12.5.3. What it says of gzip counts before what it says of
// any other coding, which is *.
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

// hasWeight reports whether a coding with these parameters is accepted: q is above
// 0, or not given.
func hasWeight(parameters string) bool {
	weight, given := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
	if !given {
		return true
	}
	q, err := strconv.ParseFloat(weight, 64)
	return err == nil && q > 0
}
