package template

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const small = `
Globals:
  Function:
    LoggingConfig: {LogFormat: JSON, SystemLogLevel: WARN}
    Environment:
      Variables:
        TABLE_NAME: !Ref Table
Parameters:
  CacheSeconds: {Type: Number, Default: 60, Description: How long.}
Conditions:
  Kept: !Not [!Equals [!Ref Keep, ""]]
Resources:
  HttpApi:
    Type: AWS::Serverless::HttpApi
    Properties: {DefaultRouteSettings: {ThrottlingRateLimit: 500}, AccessLogSettings: {DestinationArn: !GetAtt AccessLogGroup.Arn, Format: !Sub ['{"path":"$context.path","ip":"${Ip}"}', {Ip: x}]}}
  LookupFunction:
    Type: AWS::Serverless::Function
    Properties:
      Role: !GetAtt LookupRole.Arn
      Timeout: 5
      Environment:
        Variables:
          CACHE_SECONDS: !Ref CacheSeconds
      Events:
        Badge: {Type: HttpApi, Properties: {ApiId: !Ref HttpApi, Method: GET, Path: "/{name+}"}}
        Stream: {Type: DynamoDB, Properties: {Stream: !GetAtt Table.StreamArn, FilterCriteria: {Filters: [{Pattern: '{"a":1}'}, {Pattern: '{"b":2}'}]}}}
        Daily: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day)}}
  LookupRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - Effect: Allow
                Action: dynamodb:Query
                Resource: [!GetAtt Table.Arn, !Sub "${Table.Arn}/index/ByPushed"]
              - {Effect: Allow, Action: [dynamodb:GetRecords], Resource: !GetAtt Table.StreamArn}
              - {Effect: Allow, Action: [logs:PutLogEvents], Resource: "*"}
  UsableMetric:
    Type: AWS::Logs::MetricFilter
    Condition: Kept
    Properties:
      LogGroupName: !Ref IngestLogGroup
      FilterPattern: '{ $.outcome = "stored" }'
      MetricTransformations:
        - {MetricNamespace: !Sub "x/${AWS::StackName}", MetricName: Usable, MetricValue: "1", DefaultValue: 0}
  OneAlarm:
    Type: AWS::CloudWatch::Alarm
    Condition: Kept
    Properties: {AlarmDescription: One., Namespace: AWS/ApiGateway, MetricName: Latency}
  ManyAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: Many.
      Metrics:
        - {Id: all, Expression: SUM(METRICS())}
        - {Id: a, MetricStat: {Metric: {Namespace: N, MetricName: A}, Stat: Sum}}
        - {Id: b, MetricStat: {Metric: {Namespace: N, MetricName: B}, Stat: Sum}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: !If [Kept, true, !Ref AWS::NoValue]
      TableName: !Sub "${AWS::StackName}-x"
      StreamSpecification: {StreamViewType: KEYS_ONLY}
      TimeToLiveSpecification: {Enabled: true, AttributeName: expiresAt}
      AttributeDefinitions:
        - {AttributeName: name, AttributeType: S}
      KeySchema:
        - {AttributeName: name, KeyType: HASH}
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := json.Marshal(got.Table.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"AttributeDefinitions":[{"AttributeName":"name","AttributeType":"S"}]`,
		`"KeySchema":[{"AttributeName":"name","KeyType":"HASH"}]`,
		`"BillingMode":"PAY_PER_REQUEST"`,
		`"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}`,
		`"TableName":null`,
		`"DeletionProtectionEnabled":null`,
	} {
		if !strings.Contains(string(schema), want) {
			t.Errorf("Table.Schema = %s, want %s in it", schema, want)
		}
	}
	got.Table.Schema = nil
	want := Template{
		Parameters: map[string]Parameter{"CacheSeconds": {Default: "60", Description: "How long."}},
		Functions: map[string]Function{"LookupFunction": {
			Timeout:   5,
			Variables: map[string]string{"CACHE_SECONDS": "CacheSeconds"},
			Routes:    map[string]Route{"Badge": {"GET", "/{name+}"}},
			Filters:   []string{`{"a":1}`, `{"b":2}`},
		}},
		Roles:         map[string]Role{"LookupRole": {Grants: []Grant{{"Query", "table"}, {"Query", "ByPushed"}, {"GetRecords", "stream"}}}},
		MetricFilters: map[string]MetricFilter{"UsableMetric": {"IngestLogGroup", `{ $.outcome = "stored" }`, "Usable", "Kept"}},
		Alarms: map[string]Alarm{
			"OneAlarm":  {[]Metric{{"AWS/ApiGateway", "Latency"}}, "Kept"},
			"ManyAlarm": {[]Metric{{"N", "A"}, {"N", "B"}}, ""},
		},
		Table:           Table{ExpiryAttribute: "expiresAt"},
		SystemLogLevel:  "WARN",
		RouteRate:       500,
		AccessLogFormat: `{"path":"$context.path","ip":"${Ip}"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse: -want +got\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{"a wildcard in an action", "dynamodb:Query", "dynamodb:*", "dynamodb:*"},
		{"every action", "dynamodb:Query", `"*"`, "cannot judge Allow of *"},
		{"every index", "index/ByPushed", "index/*", "index/*"},
		{"a resource that is not the table", "!GetAtt Table.Arn,", "!GetAtt Other.Arn,", "Other.Arn"},
		{"an index that is not a reference to the table", `!Sub "${Table.Arn}/index/ByPushed"`, `"${Table.Arn}/index/ByPushed"`, "ByPushed"},
		{"a denial", "Effect: Allow\n", "Effect: Deny\n", "Deny"},
		{"managed policies", "      Policies:", "      ManagedPolicyArns: [x]\n      Policies:", "managed"},
		{"a filter that feeds two metrics", "MetricTransformations:\n", "MetricTransformations:\n        - {MetricName: Other}\n", "2 metrics"},
		{"an API without an access log", "DestinationArn: !GetAtt AccessLogGroup.Arn, Format", "Other", "access log"},
		{"a table of another name", "  Table:\n    Type", "  Other:\n    Type", "Other"},
		{"a variable that refers to nothing", "CACHE_SECONDS: !Ref CacheSeconds", "CACHE_SECONDS: CacheSeconds", "CACHE_SECONDS"},
		{"bad YAML", "Globals:", "Globals: [", "yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(small, c.old, c.new, 1)
			if text == small {
				t.Fatalf("the template has no %q", c.old)
			}
			if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse: %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestReadFindsTheProjectsTemplate(t *testing.T) {
	t.Parallel()
	got := Read(t)
	for _, c := range []struct {
		what string
		n    int
	}{
		{"parameters", len(got.Parameters)},
		{"routes of IngestFunction", len(got.Functions["IngestFunction"].Routes)},
		{"routes of LookupFunction", len(got.Functions["LookupFunction"].Routes)},
		{"filters of ViewsFunction", len(got.Functions["ViewsFunction"].Filters)},
		{"grants of IngestRole", len(got.Roles["IngestRole"].Grants)},
		{"grants of LookupRole", len(got.Roles["LookupRole"].Grants)},
		{"metric filters", len(got.MetricFilters)},
		{"alarms", len(got.Alarms)},
		{"access log format", len(got.AccessLogFormat)},
		{"indexes", len(got.Table.Schema.LocalSecondaryIndexes)},
	} {
		if c.n == 0 {
			t.Errorf("Read: no %s", c.what)
		}
	}
}
