package dynamotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v3"
)

// A Role is an http.RoundTripper that lets those calls through to DynamoDB that a
// role of template.yaml allows, and answers others as AWS would. It keeps account
// of both, so that a test can hold a role to what is really called.
type Role struct {
	id     string
	mu     sync.Mutex
	grants map[grant]int // how often each was used
	denied map[grant]int
}

// grant is an action on the table, or on one of its indexes.
type grant struct{ action, resource string }

func (g grant) String() string { return g.action + " on " + g.resource }

// NewRole reads the role with this logical id. It fails t for a statement that it
// cannot judge, such as one with a wildcard.
func NewRole(t testing.TB, id string) *Role {
	t.Helper()
	grants, err := parseRole(readTemplate(t), id)
	if err != nil {
		t.Fatalf("template.yaml, %s: %v", id, err)
	}
	return &Role{id: id, grants: grants, denied: map[grant]int{}}
}

// oneOrMany is a value that CloudFormation takes alone or in a list.
type oneOrMany []yaml.Node

func (v *oneOrMany) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]yaml.Node)(v))
	}
	*v = oneOrMany{*n}
	return nil
}

func parseRole(template []byte, id string) (map[grant]int, error) {
	var doc struct {
		Resources map[string]yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(template, &doc); err != nil {
		return nil, err
	}
	var role struct {
		Type       string `yaml:"Type"`
		Properties struct {
			Policies []struct {
				PolicyDocument struct {
					Statement []struct {
						Effect   string    `yaml:"Effect"`
						Action   oneOrMany `yaml:"Action"`
						Resource oneOrMany `yaml:"Resource"`
					} `yaml:"Statement"`
				} `yaml:"PolicyDocument"`
			} `yaml:"Policies"`
			ManagedPolicyArns yaml.Node `yaml:"ManagedPolicyArns"`
		} `yaml:"Properties"`
	}
	node := doc.Resources[id]
	if err := node.Decode(&role); err != nil {
		return nil, err
	}
	if role.Type != "AWS::IAM::Role" || !role.Properties.ManagedPolicyArns.IsZero() {
		return nil, fmt.Errorf("it is no role with policies of its own alone")
	}
	grants := map[grant]int{}
	for _, policy := range role.Properties.Policies {
		for _, statement := range policy.PolicyDocument.Statement {
			for _, action := range statement.Action {
				service, operation, _ := strings.Cut(action.Value, ":")
				if service != "dynamodb" {
					continue
				}
				for _, resource := range statement.Resource {
					name, err := resourceOf(resource)
					if err != nil || statement.Effect != "Allow" || strings.Contains(operation, "*") {
						return nil, fmt.Errorf("cannot judge %s of %s on %s %s: %v", statement.Effect, action.Value, resource.Tag, resource.Value, err)
					}
					grants[grant{operation, name}] = 0
				}
			}
		}
	}
	return grants, nil
}

// resourceOf is "table", or the name of an index.
func resourceOf(n yaml.Node) (string, error) {
	if n.Tag == "!GetAtt" && n.Value == "Table.Arn" {
		return "table", nil
	}
	index, ok := strings.CutPrefix(n.Value, "${Table.Arn}/index/")
	if n.Tag != "!Sub" || !ok || strings.ContainsAny(index, "*?/$") || index == "" {
		return "", fmt.Errorf("it is neither the table nor one index")
	}
	return index, nil
}

// RoundTrip implements http.RoundTripper.
func (r *Role) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	if need := needs(operation, body); !r.allow(need) {
		return &http.Response{
			StatusCode: http.StatusBadRequest, Request: request, ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body: io.NopCloser(strings.NewReader(fmt.Sprintf(
				`{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"%s may not %s"}`, r.id, need))),
		}, nil
	}
	request = request.Clone(request.Context())
	request.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(request)
}

// needs is what a role must be granted for a call. A transaction's parts, which
// have grants of their own, are not known here: such a call is never allowed.
func needs(operation string, body []byte) grant {
	var call struct {
		TableName, IndexName string
		RequestItems         map[string]json.RawMessage
	}
	if json.Unmarshal(body, &call) != nil || call.TableName == "" && len(call.RequestItems) != 1 {
		return grant{operation, "something unknown"}
	}
	if call.IndexName != "" {
		return grant{operation, call.IndexName}
	}
	return grant{operation, "table"}
}

func (r *Role) allow(g grant) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.grants[g]; !ok {
		r.denied[g]++
		return false
	}
	r.grants[g]++
	return true
}

// Check fails t for each call that the role denied and each grant that nobody
// used.
func (r *Role) Check(t testing.TB) {
	t.Helper()
	for _, g := range slices.SortedFunc(maps.Keys(r.denied), func(a, b grant) int { return strings.Compare(a.String(), b.String()) }) {
		t.Errorf("%s does not allow %s, which was called %d times", r.id, g, r.denied[g])
	}
	for g, n := range r.grants {
		if n == 0 {
			t.Errorf("%s allows %s, which was never called", r.id, g)
		}
	}
}
