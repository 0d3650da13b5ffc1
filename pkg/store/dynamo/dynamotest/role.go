package dynamotest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"ocireffer/pkg/template"
)

// A Role is an http.RoundTripper to DynamoDB that sends only the calls that a role of
// template.yaml allows, and answers others as AWS would. It counts both, so that a test
// can compare the role with the calls.
type Role struct {
	id     string
	mu     sync.Mutex
	used   map[template.Grant]int // how many times each of the role's grants was used
	denied map[template.Grant]int
}

// NewRole returns the role of template.yaml with this logical ID.
func NewRole(t testing.TB, id string) *Role {
	t.Helper()
	parsed, ok := template.Read(t).Roles[id]
	if !ok {
		t.Fatalf("template.yaml has no role %s", id)
	}
	return newRole(id, parsed)
}

func newRole(id string, parsed template.Role) *Role {
	role := &Role{id: id, used: map[template.Grant]int{}, denied: map[template.Grant]int{}}
	for _, grant := range parsed.Grants {
		if grant.Resource != "stream" { // Lambda reads the stream, not the function
			role.used[grant] = 0
		}
	}
	return role
}

// RoundTrip implements http.RoundTripper.
func (r *Role) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := readBody(request)
	if err != nil {
		return nil, err
	}
	if need := needed(operation(request), body); !r.allow(need) {
		return &http.Response{
			StatusCode: http.StatusBadRequest, Request: request, ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body: io.NopCloser(strings.NewReader(fmt.Sprintf(
				`{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"%s may not %s"}`, r.id, need))),
		}, nil
	}
	return send(request, body)
}

// needed returns the grant that a call needs. A transaction is never allowed: each part
// of it would need its own grant, which needed does not support.
func needed(operation string, body []byte) template.Grant {
	var call struct {
		TableName, IndexName string
		RequestItems         map[string]json.RawMessage
	}
	switch {
	case json.Unmarshal(body, &call) != nil, call.TableName == "" && len(call.RequestItems) != 1:
		return template.Grant{Action: operation, Resource: "something unknown"}
	case call.IndexName != "":
		return template.Grant{Action: operation, Resource: call.IndexName}
	default:
		return template.Grant{Action: operation, Resource: "table"}
	}
}

func (r *Role) allow(g template.Grant) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.used[g]; !ok {
		r.denied[g]++
		return false
	}
	r.used[g]++
	return true
}

// Check fails t for each call that the role denied and for each grant that no call used.
func (r *Role) Check(t testing.TB) {
	t.Helper()
	for _, problem := range r.problems() {
		t.Error(problem)
	}
}

func (r *Role) problems() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for grant, calls := range r.denied {
		all = append(all, fmt.Sprintf("%s does not allow %s, which was called %d times", r.id, grant, calls))
	}
	for grant, calls := range r.used {
		if calls == 0 {
			all = append(all, fmt.Sprintf("%s allows %s, which was never called", r.id, grant))
		}
	}
	slices.Sort(all)
	return all
}
