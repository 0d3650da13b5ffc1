package functions_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

// BenchmarkCPU measures the processor time of an invocation of a warm function, in
// ms-of-cpu/op, for .github/docs/costs.md:
//
//	go test -run '^$' -bench CPU -benchtime 1000x ./functions
func BenchmarkCPU(b *testing.B) {
	endpoint, err := url.Parse(dynamolocal.Endpoint(b))
	if err != nil {
		b.Fatal(err)
	}
	db := metered(b, endpoint)
	table := "TABLE_NAME=" + dynamotest.StreamTable(b)
	push := sampleRequest(b, "push.json")
	record := func() json.RawMessage {
		return dynamotest.NewStream(b, strings.TrimPrefix(table, "TABLE_NAME=")).Read(b).Records[0]
	}
	for _, c := range []struct {
		function string
		event    func() string
	}{
		{"ingest", func() string { return marshal(b, push) }},
		{"views", func() string { return marshal(b, map[string]any{"Records": []json.RawMessage{record()}}) }},
		{"lookup", func() string { return marshal(b, sampleRequest(b, "badge.json")) }},
	} {
		b.Run(c.function, func(b *testing.B) {
			event := c.event()
			once := invokeTimes(b, 1, binary(b, c.function), event, db, table)
			all := invokeTimes(b, b.N+1, binary(b, c.function), event, db, table)
			if once.exit != nil || all.exit != nil {
				b.Fatalf("%s: %v, %v: %s", c.function, once.exit, all.exit, all.log)
			}
			b.ReportMetric(float64((all.cpu-once.cpu).Microseconds())/1e3/float64(b.N), "ms-of-cpu/op")
		})
	}
}
