package dynamotest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A Meter is an http.RoundTripper to DynamoDB that counts calls and the capacity units
// that they consume, by operation. DynamoDB Local charges neither for reads of items that
// do not exist nor for writes whose condition fails; AWS charges at least the smallest
// unit for each: see TakeBill. Its methods may be called concurrently.
type Meter struct {
	mu   sync.Mutex
	cost Cost
	bill Bill
}

// A Cost is the number of calls made and of units consumed, by operation. Neither map
// contains an operation without calls.
type Cost struct {
	Calls map[string]int
	Units map[string]float64
}

// RoundTrip implements http.RoundTripper. It asks DynamoDB to report the units that the
// call consumes.
func (m *Meter) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	// The body is a JSON object with at least one field.
	response, err := send(r, append([]byte(`{"ReturnConsumedCapacity":"TOTAL",`), body[1:]...))
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(answer))
	units, err := consumed(answer)
	if err != nil {
		return nil, err
	}
	bill, err := billed(operation(r), body, answer, units)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bill.Read += bill.Read
	m.bill.Write += bill.Write
	if m.cost.Calls == nil {
		m.cost = Cost{map[string]int{}, map[string]float64{}}
	}
	m.cost.Calls[operation(r)]++
	m.cost.Units[operation(r)] += units
	return response, nil
}

// consumed returns the units that a call consumed, as its answer reports them. The answer
// to a batch has a list.
func consumed(answer []byte) (units float64, err error) {
	type capacity struct{ CapacityUnits float64 }
	var one struct{ ConsumedCapacity capacity }
	if json.Unmarshal(answer, &one) == nil {
		return one.ConsumedCapacity.CapacityUnits, nil
	}
	var many struct{ ConsumedCapacity []capacity }
	if err := json.Unmarshal(answer, &many); err != nil {
		return 0, err
	}
	for _, c := range many.ConsumedCapacity {
		units += c.CapacityUnits
	}
	return units, nil
}

// Take returns the cost since the last Take or Want, and resets it.
func (m *Meter) Take() Cost {
	m.mu.Lock()
	defer m.mu.Unlock()
	cost := Cost{maps.Clone(m.cost.Calls), maps.Clone(m.cost.Units)}
	m.cost = Cost{}
	return cost
}

// Want fails t if the cost since the last Take or Want is not this one, and resets the
// cost. An error begins with what.
func (m *Meter) Want(t testing.TB, what string, calls map[string]int, units map[string]float64) {
	t.Helper()
	got := m.Take()
	if diff := cmp.Diff(calls, got.Calls); diff != "" {
		t.Errorf("%s: calls: -want +got\n%s", what, diff)
	}
	if diff := cmp.Diff(units, got.Units); diff != "" {
		t.Errorf("%s: units: -want +got\n%s", what, diff)
	}
}

// operation returns the operation that r calls, such as PutItem.
func operation(r *http.Request) string {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return operation
}

func readBody(r *http.Request) ([]byte, error) {
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

// send sends r with another body.
func send(r *http.Request, body []byte) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return http.DefaultTransport.RoundTrip(r)
}
