package dynamotest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Meter is a transport that has DynamoDB say what each call consumes, and counts
// by operation. DynamoDB Local charges neither for reads of what is not there nor
// for writes whose condition fails; AWS charges at least the least unit of each.
type Meter struct {
	mu    sync.Mutex
	Calls map[string]int
	Units map[string]float64
}

// RoundTrip implements http.RoundTripper.
func (m *Meter) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	body = append([]byte(`{"ReturnConsumedCapacity":"TOTAL",`), body[1:]...)
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(answer))
	type capacity struct{ CapacityUnits float64 }
	var one struct{ ConsumedCapacity capacity }
	var many struct{ ConsumedCapacity []capacity }
	if json.Unmarshal(answer, &one) != nil {
		if err := json.Unmarshal(answer, &many); err != nil {
			return nil, err
		}
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Calls == nil {
		m.Calls, m.Units = map[string]int{}, map[string]float64{}
	}
	m.Calls[operation]++
	for _, c := range append(many.ConsumedCapacity, one.ConsumedCapacity) {
		m.Units[operation] += c.CapacityUnits
	}
	return response, nil
}

// Reset begins to count anew.
func (m *Meter) Reset() { m.Calls, m.Units = nil, nil }

// Want compares what was counted, and begins to count anew.
func (m *Meter) Want(t *testing.T, what string, calls map[string]int, units map[string]float64) {
	t.Helper()
	if diff := cmp.Diff(calls, m.Calls); diff != "" {
		t.Errorf("%s: calls: -want +got\n%s", what, diff)
	}
	if diff := cmp.Diff(units, m.Units); diff != "" {
		t.Errorf("%s: units: -want +got\n%s", what, diff)
	}
	m.Reset()
}
