package lookup

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
)

// minGzip is the least body, in bytes, that is worth being compressed. An HTTP API
// compresses nothing itself, and a page of a thousand repositories has some 400 KB,
// of which a twentieth is left.
const minGzip = 4 << 10

// compress makes body a gzip file, fast rather than small.
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
		panic(err) // the level is one, and a buffer takes all
	}
	return buf.Bytes()
}

// acceptsGzip reports whether a reader that sent these Accept-Encoding headers
// takes gzip: RFC 9110, section 12.5.3.
func acceptsGzip(headers []string) bool {
	accepts := false
	for coding := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		weight, ok := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		wanted := !ok || err == nil && q > 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip":
			return wanted
		case "*":
			accepts = wanted
		}
	}
	return accepts
}
