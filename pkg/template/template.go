// Package template reads the project's template.yaml for tests that compare it with the
// code. It reads only what those tests need.
//
// It reads a CloudFormation function as its argument: !Ref BadgeLabel as "BadgeLabel",
// !GetAtt Table.Arn as "Table.Arn".
package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"gopkg.in/yaml.v3"
)

// A Template is a parsed template. The keys of its maps are logical IDs.
type Template struct {
	Parameters    map[string]Parameter
	Functions     map[string]Function
	Roles         map[string]Role
	MetricFilters map[string]MetricFilter
	Alarms        map[string]Alarm
	Table         Table // the resource Table

	SystemLogLevel  string  // the lowest level of Lambda's own lines that functions log
	RouteRate       float64 // requests per second on a route of the HTTP API without its own throttle
	AccessLogFormat string  // of the HTTP API: a line with API Gateway's variables, such as $context.path, and !Sub's
}

// A Parameter is a parameter that a user of the template may set.
type Parameter struct {
	Default        string `yaml:"Default"` // a number is text here, too
	Description    string `yaml:"Description"`
	AllowedPattern string `yaml:"AllowedPattern"`
}

// A Function is a Lambda function.
type Function struct {
	Timeout   int               // in seconds; Lambda stops the function then
	Variables map[string]string // in its own environment, not in Globals; a value is the name that it refers to
	Routes    map[string]Route  // by the name of the event
	Filters   []string          // patterns of the stream's records that reach it; a record must match at least one
}

// A Route is a route of the HTTP API.
type Route struct {
	Method string `yaml:"Method"`
	Path   string `yaml:"Path"`
}

// String returns METHOD /path, the key of a route.
func (r Route) String() string { return r.Method + " " + r.Path }

// A Role is an IAM role.
type Role struct {
	Grants []Grant // for DynamoDB
}

// A Grant allows one action on the table, on one of its indexes or on its stream.
type Grant struct {
	Action   string // without dynamodb:
	Resource string // "table", the name of an index, or "stream"
}

func (g Grant) String() string { return g.Action + " on " + g.Resource }

// A MetricFilter counts log lines.
type MetricFilter struct {
	LogGroup string // logical ID
	Pattern  string
	Metric   string // name of the metric that it feeds

	Condition string // without it the stack does not have the filter; empty: it always has
}

// An Alarm watches metrics.
type Alarm struct {
	Metrics   []Metric
	Condition string // as of a MetricFilter
}

// A Metric is a metric of CloudWatch.
type Metric struct {
	Namespace string `yaml:"Namespace"`
	Name      string `yaml:"MetricName"`
}

// A Table is the DynamoDB table.
type Table struct {
	// Schema has the keys, indexes, billing mode and stream, but no name. The rest has no
	// effect in DynamoDB Local, or would hinder a test, as deletion protection would.
	Schema *dynamodb.CreateTableInput
	// ExpiryAttribute is the attribute with the time after which DynamoDB may drop the
	// item. If it is empty, DynamoDB drops none.
	ExpiryAttribute string
}

// Read reads template.yaml in the module's root. A failure fails t.
func Read(t testing.TB) Template {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(text)
	if err != nil {
		t.Fatalf("template.yaml: %v", err)
	}
	return parsed
}

func moduleRoot() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in %s or above", wd)
		}
	}
}

// Parse parses a template. It refuses a role that it cannot judge, such as one with a
// wildcard in a DynamoDB action, and a function with a variable that is not a !Ref.
func Parse(text []byte) (Template, error) {
	var doc struct {
		Parameters map[string]Parameter `yaml:"Parameters"`
		Globals    struct {
			Function struct {
				LoggingConfig struct {
					SystemLogLevel string `yaml:"SystemLogLevel"`
				} `yaml:"LoggingConfig"`
			} `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Condition  string    `yaml:"Condition"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return Template{}, err
	}
	t := Template{
		Parameters:     doc.Parameters,
		SystemLogLevel: doc.Globals.Function.LoggingConfig.SystemLogLevel,
		Functions:      map[string]Function{},
		Roles:          map[string]Role{},
		MetricFilters:  map[string]MetricFilter{},
		Alarms:         map[string]Alarm{},
	}
	for id, resource := range doc.Resources {
		var err error
		switch resource.Type {
		case "AWS::Serverless::Function":
			t.Functions[id], err = parseFunction(resource.Properties)
		case "AWS::Serverless::HttpApi":
			t.AccessLogFormat, t.RouteRate, err = parseAPI(resource.Properties)
		case "AWS::IAM::Role":
			t.Roles[id], err = parseRole(resource.Properties)
		case "AWS::Logs::MetricFilter":
			t.MetricFilters[id], err = parseMetricFilter(resource.Properties, resource.Condition)
		case "AWS::CloudWatch::Alarm":
			t.Alarms[id], err = parseAlarm(resource.Properties, resource.Condition)
		case "AWS::DynamoDB::Table":
			if id != "Table" {
				return Template{}, fmt.Errorf("the table is %s, want Table", id)
			}
			t.Table, err = parseTable(resource.Properties)
		}
		if err != nil {
			return Template{}, fmt.Errorf("%s: %w", id, err)
		}
	}
	return t, nil
}

func parseFunction(node yaml.Node) (Function, error) {
	var properties struct {
		Timeout     int `yaml:"Timeout"`
		Environment struct {
			Variables map[string]yaml.Node `yaml:"Variables"`
		} `yaml:"Environment"`
		Events map[string]struct {
			Type       string `yaml:"Type"`
			Properties struct {
				Route          `yaml:",inline"`
				FilterCriteria struct {
					Filters []struct {
						Pattern string `yaml:"Pattern"`
					} `yaml:"Filters"`
				} `yaml:"FilterCriteria"`
			} `yaml:"Properties"`
		} `yaml:"Events"`
	}
	if err := node.Decode(&properties); err != nil {
		return Function{}, err
	}
	f := Function{Timeout: properties.Timeout, Variables: map[string]string{}, Routes: map[string]Route{}}
	for name, value := range properties.Environment.Variables {
		if value.Tag != "!Ref" {
			return Function{}, fmt.Errorf("cannot judge the variable %s: %s is not a !Ref", name, value.Value)
		}
		f.Variables[name] = value.Value
	}
	for name, event := range properties.Events {
		switch event.Type {
		case "HttpApi":
			f.Routes[name] = event.Properties.Route
		case "DynamoDB":
			for _, filter := range event.Properties.FilterCriteria.Filters {
				f.Filters = append(f.Filters, filter.Pattern)
			}
		}
	}
	return f, nil
}

// oneOrMany is a value that CloudFormation accepts alone or in a list.
type oneOrMany []yaml.Node

func (v *oneOrMany) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]yaml.Node)(v))
	}
	*v = oneOrMany{*n}
	return nil
}

type statement struct {
	Effect   string    `yaml:"Effect"`
	Action   oneOrMany `yaml:"Action"`
	Resource oneOrMany `yaml:"Resource"`
}

func parseRole(node yaml.Node) (Role, error) {
	var properties struct {
		Policies []struct {
			PolicyDocument struct {
				Statement []statement `yaml:"Statement"`
			} `yaml:"PolicyDocument"`
		} `yaml:"Policies"`
		ManagedPolicyArns yaml.Node `yaml:"ManagedPolicyArns"`
	}
	if err := node.Decode(&properties); err != nil {
		return Role{}, err
	}
	if !properties.ManagedPolicyArns.IsZero() {
		return Role{}, errors.New("cannot judge a role with managed policies")
	}
	var role Role
	for _, policy := range properties.Policies {
		for _, s := range policy.PolicyDocument.Statement {
			grants, err := s.grants()
			if err != nil {
				return Role{}, err
			}
			role.Grants = append(role.Grants, grants...)
		}
	}
	return role, nil
}

// grants returns the DynamoDB grants in s.
func (s statement) grants() (grants []Grant, err error) {
	for _, action := range s.Action {
		operation, ok := strings.CutPrefix(action.Value, "dynamodb:")
		if !ok && !strings.Contains(action.Value, "*") {
			continue // an action of another service
		}
		for _, resource := range s.Resource {
			name, ok := resourceOf(resource)
			if !ok || s.Effect != "Allow" || strings.Contains(action.Value, "*") {
				return nil, fmt.Errorf("cannot judge %s of %s on %s %s", s.Effect, action.Value, resource.Tag, resource.Value)
			}
			grants = append(grants, Grant{operation, name})
		}
	}
	return grants, nil
}

// resourceOf returns the Resource of a Grant; ok is false if arn is not the ARN of the
// table, of one index or of the stream.
func resourceOf(arn yaml.Node) (name string, ok bool) {
	if arn.Tag == "!GetAtt" && arn.Value == "Table.Arn" {
		return "table", true
	}
	if arn.Tag == "!GetAtt" && arn.Value == "Table.StreamArn" {
		return "stream", true
	}
	index, ok := strings.CutPrefix(arn.Value, "${Table.Arn}/index/")
	return index, ok && arn.Tag == "!Sub" && index != "" && !strings.ContainsAny(index, "*?/$")
}

func parseAPI(node yaml.Node) (accessLogFormat string, routeRate float64, err error) {
	var properties struct {
		DefaultRouteSettings struct {
			ThrottlingRateLimit float64 `yaml:"ThrottlingRateLimit"`
		} `yaml:"DefaultRouteSettings"`
		AccessLogSettings struct {
			Format oneOrMany `yaml:"Format"` // a text, or the text and the variables of a !Sub
		} `yaml:"AccessLogSettings"`
	}
	if err := node.Decode(&properties); err != nil {
		return "", 0, err
	}
	format := properties.AccessLogSettings.Format
	if len(format) == 0 {
		return "", 0, errors.New("it has no access log")
	}
	return format[0].Value, properties.DefaultRouteSettings.ThrottlingRateLimit, nil
}

func parseMetricFilter(node yaml.Node, condition string) (MetricFilter, error) {
	var properties struct {
		LogGroupName          string   `yaml:"LogGroupName"`
		FilterPattern         string   `yaml:"FilterPattern"`
		MetricTransformations []Metric `yaml:"MetricTransformations"`
	}
	if err := node.Decode(&properties); err != nil {
		return MetricFilter{}, err
	}
	if n := len(properties.MetricTransformations); n != 1 {
		return MetricFilter{}, fmt.Errorf("it feeds %d metrics, want 1", n)
	}
	return MetricFilter{properties.LogGroupName, properties.FilterPattern, properties.MetricTransformations[0].Name, condition}, nil
}

func parseAlarm(node yaml.Node, condition string) (Alarm, error) {
	var properties struct {
		Metric  `yaml:",inline"`
		Metrics []struct {
			MetricStat struct {
				Metric Metric `yaml:"Metric"`
			} `yaml:"MetricStat"`
		} `yaml:"Metrics"`
	}
	if err := node.Decode(&properties); err != nil {
		return Alarm{}, err
	}
	alarm := Alarm{Condition: condition}
	if properties.Name != "" {
		alarm.Metrics = append(alarm.Metrics, properties.Metric)
	}
	for _, m := range properties.Metrics {
		if m.MetricStat.Metric.Name != "" { // empty for an expression
			alarm.Metrics = append(alarm.Metrics, m.MetricStat.Metric)
		}
	}
	return alarm, nil
}

// parseTable converts YAML to the SDK's type through JSON, since CloudFormation and the
// SDK name most fields alike.
func parseTable(node yaml.Node) (Table, error) {
	var properties map[string]any
	if err := node.Decode(&properties); err != nil {
		return Table{}, err
	}
	var unlike struct { // fields that CloudFormation and the SDK name differently
		TimeToLiveSpecification struct {
			Enabled       bool   `yaml:"Enabled"`
			AttributeName string `yaml:"AttributeName"`
		} `yaml:"TimeToLiveSpecification"`
		StreamSpecification struct {
			StreamViewType types.StreamViewType `yaml:"StreamViewType"`
		} `yaml:"StreamSpecification"`
	}
	if err := node.Decode(&unlike); err != nil {
		return Table{}, err
	}
	table := Table{Schema: new(dynamodb.CreateTableInput)}
	if unlike.TimeToLiveSpecification.Enabled {
		table.ExpiryAttribute = unlike.TimeToLiveSpecification.AttributeName
	}
	if view := unlike.StreamSpecification.StreamViewType; view != "" {
		table.Schema.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: view}
	}
	schema := map[string]any{}
	for _, field := range []string{"AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode"} {
		schema[field] = properties[field]
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return Table{}, err
	}
	if err := json.Unmarshal(text, table.Schema); err != nil {
		return Table{}, err
	}
	return table, nil
}
