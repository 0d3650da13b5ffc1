package dynamotest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Bill is the number of request units that AWS charges for calls.
type Bill struct{ Read, Write float64 }

// TakeBill returns the bill of the calls since the last TakeBill, and resets it.
func (m *Meter) TakeBill() Bill {
	m.mu.Lock()
	defer m.mu.Unlock()
	bill := m.bill
	m.bill = Bill{}
	return bill
}

// A read is the part of a request that says how to read an item, or several.
type read struct {
	ConsistentRead bool
	Keys           []any
}

// least returns the units of the smallest read.
func (r read) least() float64 {
	if r.ConsistentRead {
		return 1
	}
	return 0.5
}

// billed returns the bill of a call for which DynamoDB Local reports units. AWS also
// charges half a unit, or 1 if it is consistent, for a read of a key without an item and
// for a query that finds nothing, and 1 for a write whose condition fails.
//
// See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
func billed(operation string, request, answer []byte, units float64) (Bill, error) {
	var in struct {
		read
		RequestItems map[string]read // of a BatchGetItem
	}
	var out struct {
		Type      string `json:"__type"`
		Items     []any
		Responses map[string][]any // of a BatchGetItem
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return Bill{}, err
	}
	switch operation {
	case "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem":
		if strings.HasSuffix(out.Type, "#ConditionalCheckFailedException") {
			units = max(units, 1)
		}
		return Bill{Write: units}, nil
	case "GetItem", "Query", "Scan", "BatchGetItem":
	default:
		return Bill{}, fmt.Errorf("no bill for the operation %s", operation)
	}
	if err := json.Unmarshal(request, &in); err != nil {
		return Bill{}, err
	}
	if operation != "BatchGetItem" {
		return Bill{Read: max(units, in.least())}, nil
	}
	for table, batch := range in.RequestItems {
		units += float64(len(batch.Keys)-len(out.Responses[table])) * batch.least()
	}
	return Bill{Read: units}, nil
}
