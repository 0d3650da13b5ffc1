#!/usr/bin/env python3
"""Checks of template.yaml that no linter makes, on the template as SAM expands
it. Where something must agree with the code, a Go test compares the two.

usage: template_test.py   (with aws-sam-translator installed, from the root)
"""
import copy
import json
import os
import re
import unittest

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the translator wants one

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

with open("template.yaml") as f:
    SOURCE = f.read()


class NoManagedPolicies:
    def load(self):
        return {}


def expand():
    """The template as CloudFormation gets it."""
    template = yaml_parse(SOURCE)
    for resource in template["Resources"].values():
        resource.get("Properties", {}).pop("CodeUri", None)
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, NoManagedPolicies())


TEMPLATE = expand()


def of_type(kind):
    return {name: r for name, r in TEMPLATE["Resources"].items() if r["Type"] == kind}


OWN_NAMESPACE = {"Fn::Sub": "ocireffer/${AWS::StackName}"}
OPERATORS = {"GreaterThanOrEqualToThreshold": ">=", "GreaterThanThreshold": ">", "LessThanThreshold": "<"}

# What sets off each alarm, as condition() writes it: the statistic of the metric in
# each period, the limit, in how many periods, and what a period without data means.
ALARMS = {
    "StoreFailedAlarm": "Sum own/StoreFailed 300 s >= 1, periods 1, notBreaching",
    "RefusedAlarm": "Sum own/Refused 300 s >= 5, periods 1, notBreaching",
    "WrongTokenAlarm": "Sum own/WrongToken 3600 s >= 1, periods 1, notBreaching",
    "SilenceAlarm": "Sum own/Usable 86400 s < 1, periods SilenceDays, breaching",
    "AllWebhooksFailAlarm": "IF(FILL(usable, 0) == 0, FILL(unusable, 0), 0)"
                            " of usable: Sum own/Usable 3600 s; unusable: Sum own/Unusable 3600 s"
                            " >= 2, periods 1, notBreaching",
    "WebhookThrottledAlarm": "Sum own/WebhookThrottled 300 s >= 1, periods 1, notBreaching",
    "FunctionErrorsAlarm": "SUM(METRICS())"
                           " of ingestErrors: Sum AWS/Lambda/Errors IngestFunction 300 s"
                           "; ingestThrottles: Sum AWS/Lambda/Throttles IngestFunction 300 s"
                           "; lookupErrors: Sum AWS/Lambda/Errors LookupFunction 300 s"
                           "; lookupThrottles: Sum AWS/Lambda/Throttles LookupFunction 300 s"
                           "; viewsErrors: Sum AWS/Lambda/Errors ViewsFunction 300 s"
                           "; viewsThrottles: Sum AWS/Lambda/Throttles ViewsFunction 300 s"
                           " >= 1, periods 1, notBreaching",
    "ViewsLateAlarm": "Maximum AWS/Lambda/IteratorAge ViewsFunction 60 s > 120000, periods 5, notBreaching",
    "ViewsFailedAlarm": "Maximum AWS/SQS/ApproximateNumberOfMessagesVisible ViewsFailedQueue.QueueName 300 s"
                        " >= 1, periods 1, notBreaching",
    "ServerErrorsAlarm": "IF(requests > 0, 100 * errors / requests, 0)"
                         " of errors: Sum AWS/ApiGateway/5xx HttpApi 300 s; requests: Sum AWS/ApiGateway/Count HttpApi 300 s"
                         " > 5, periods 2, notBreaching",
    "SlowAnswersAlarm": "p99 AWS/ApiGateway/Latency HttpApi 300 s > 2500, periods 3, notBreaching",
    "TableThrottledAlarm": "SUM(METRICS())"
                           " of reads: Sum AWS/DynamoDB/ReadThrottleEvents Table 300 s"
                           "; writes: Sum AWS/DynamoDB/WriteThrottleEvents Table 300 s"
                           " >= 1, periods 1, notBreaching",
}

# The one dimension of each namespace.
DIMENSIONS = {"AWS/Lambda": "FunctionName", "AWS/SQS": "QueueName", "AWS/ApiGateway": "ApiId", "AWS/DynamoDB": "TableName"}


def named(value):
    """What !Ref or !GetAtt names, or else the value."""
    if isinstance(value, dict) and len(value) == 1:
        ((function, argument),) = value.items()
        return {"Ref": lambda: argument, "Fn::GetAtt": lambda: ".".join(argument)}[function]()
    return value


def statistic(metric, name, period):
    """One metric of an alarm as text. It empties metric, so that a test sees what is left."""
    namespace = metric.pop("Namespace")
    text = f"{name} {'own' if namespace == OWN_NAMESPACE else namespace}/{metric.pop('MetricName')} "
    if namespace != OWN_NAMESPACE:
        (dimension,) = metric.pop("Dimensions")
        assert dimension["Name"] == DIMENSIONS[namespace], dimension
        text += f"{named(dimension['Value'])} "
    return f"{text}{period} s"


def condition(properties):
    """What sets off an alarm, as text. It empties properties, so that a test sees what is left."""
    operator = OPERATORS[properties.pop("ComparisonOperator")]
    limit = (f" {operator} {properties.pop('Threshold')}, periods {named(properties.pop('EvaluationPeriods'))}"
             f", {properties.pop('TreatMissingData')}")
    if "Metrics" not in properties:
        name = properties.pop("ExtendedStatistic", None) or properties.pop("Statistic")
        return statistic(properties, name, properties.pop("Period")) + limit
    expression, *metrics = properties.pop("Metrics")
    assert set(expression) == {"Id", "Expression", "Label"}, expression
    inputs = []
    for each in metrics:
        assert each["ReturnData"] is False, each
        stat = each["MetricStat"]
        inputs.append(f"{each['Id']}: {statistic(stat['Metric'], stat['Stat'], stat['Period'])}")
    return f"{expression['Expression']} of {'; '.join(inputs)}{limit}"


class Template(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        (self.api,) = of_type("AWS::ApiGatewayV2::Api").values()
        (self.stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
        (self.table,) = of_type("AWS::DynamoDB::Table").values()

    def routes(self):
        return {f"{method.upper()} {path}" for path, methods in self.api["Properties"]["Body"]["paths"].items()
                for method in methods}

    def test_table_outlives_mistakes(self):
        properties = self.table["Properties"]
        self.assertEqual(self.table["DeletionPolicy"], "Retain")
        self.assertEqual(self.table["UpdateReplacePolicy"], "Retain")
        self.assertIs(properties["DeletionProtectionEnabled"], True)
        self.assertIs(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], True)
        self.assertEqual(properties["BillingMode"], "PAY_PER_REQUEST")
        self.assertNotIn("TableName", properties)

    def test_table_drops_what_expired(self):
        self.assertEqual(self.table["Properties"]["TimeToLiveSpecification"],
                         {"AttributeName": "expiresAt", "Enabled": True})

    def test_routes_are_explicit(self):
        for route in self.routes():
            self.assertRegex(route, r"^(GET|HEAD|POST|PUT|DELETE|OPTIONS) /")

    def test_stage_settings_are_of_routes(self):
        def limits(kind):
            return {"ThrottlingBurstLimit": {"Ref": f"{kind}Burst"}, "ThrottlingRateLimit": {"Ref": f"{kind}Rate"}}

        want = {"POST /api/webhook": limits("Webhook"), "POST /api/azurehook": limits("Webhook")}
        for path in ("/", "/api/repositories", "/api/repositories/{name+}", "/api/categories", "/api/categories/{category}"):
            want |= {f"GET {path}": limits("Read"), f"HEAD {path}": limits("Read")}
        self.assertEqual(self.stage["Properties"]["RouteSettings"], want)
        self.assertLessEqual(set(want), self.routes())

    def test_throttles_differ_by_far(self):
        default = self.stage["Properties"]["DefaultRouteSettings"]
        for limit, kind in (("ThrottlingBurstLimit", "Burst"), ("ThrottlingRateLimit", "Rate")):
            read, webhook = (TEMPLATE["Parameters"][name + kind]["Default"] for name in ("Read", "Webhook"))
            self.assertLessEqual(read * 10, default[limit])
            self.assertGreaterEqual(webhook, default[limit])

    def test_stream_reaches_views(self):
        ((name, mapping),) = of_type("AWS::Lambda::EventSourceMapping").items()
        mapping = mapping["Properties"]
        self.assertEqual(mapping["FunctionName"], {"Ref": "ViewsFunction"}, name)
        self.assertEqual(mapping["EventSourceArn"], {"Fn::GetAtt": ["Table", "StreamArn"]})
        self.assertEqual(mapping["StartingPosition"], "TRIM_HORIZON")
        self.assertEqual(mapping["FunctionResponseTypes"], ["ReportBatchItemFailures"])
        self.assertIs(mapping["BisectBatchOnFunctionError"], True)
        self.assertNotIn("MaximumRetryAttempts", mapping)  # it is the record's age that ends it
        # The stream keeps a record for a day. What is dropped must reach the queue before.
        self.assertLess(20 * 3600, mapping["MaximumRecordAgeInSeconds"])
        self.assertLess(mapping["MaximumRecordAgeInSeconds"], 24 * 3600)
        self.assertEqual(mapping["DestinationConfig"]["OnFailure"]["Destination"], {"Fn::GetAtt": ["ViewsFailedQueue", "Arn"]})
        self.assertEqual(self.table["Properties"]["StreamSpecification"], {"StreamViewType": "NEW_IMAGE"})

    def test_stream_filters_are_json(self):
        ((_, mapping),) = of_type("AWS::Lambda::EventSourceMapping").items()
        filters = mapping["Properties"]["FilterCriteria"]["Filters"]
        self.assertEqual(len(filters), 2)
        for each in filters:
            self.assertEqual(set(json.loads(each["Pattern"])), {"dynamodb"})

    def test_failed_records_are_kept_and_alarm(self):
        ((queue, properties),) = of_type("AWS::SQS::Queue").items()
        self.assertEqual(properties["Properties"]["MessageRetentionPeriod"], 14 * 24 * 3600)
        alarms = of_type("AWS::CloudWatch::Alarm")
        self.assertEqual(alarms["ViewsFailedAlarm"]["Properties"]["Dimensions"],
                         [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}])
        self.assertEqual(alarms["ViewsLateAlarm"]["Properties"]["MetricName"], "IteratorAge")

    def test_alarms_go_off_at_their_limits(self):
        got = {}
        for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
            properties = copy.deepcopy(alarm["Properties"])
            del properties["AlarmDescription"]
            self.assertEqual(properties.pop("AlarmActions", None),
                             {"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}, name)
            got[name] = condition(properties)
            self.assertEqual(properties, {}, name)
            self.assertEqual(alarm.get("Condition"), "HasSilenceDays" if name == "SilenceAlarm" else None, name)
        self.assertEqual(got, ALARMS)

    def test_alarms_reach_the_address(self):
        ((name, topic),) = of_type("AWS::SNS::Topic").items()
        self.assertEqual((name, topic["Condition"]), ("AlarmTopic", "HasAlarmEmail"))
        self.assertEqual(topic["Properties"], {"Subscription": [{"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}]})
        self.assertEqual(TEMPLATE["Conditions"]["HasAlarmEmail"], {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}]})

    def test_metric_filters_count_lines(self):
        for name, metric_filter in of_type("AWS::Logs::MetricFilter").items():
            (metric,) = metric_filter["Properties"]["MetricTransformations"]
            self.assertEqual(metric, {"MetricNamespace": OWN_NAMESPACE, "MetricName": name.removesuffix("Metric"),
                                      "MetricValue": "1", "DefaultValue": 0}, name)

    def test_alarms_look_back_a_week_at_most(self):
        for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
            properties = alarm["Properties"]
            periods, seconds = properties["EvaluationPeriods"], properties.get("Period", 3600)
            if periods == {"Ref": "SilenceDays"}:
                periods = TEMPLATE["Parameters"]["SilenceDays"]["MaxValue"]
            self.assertLessEqual(periods * seconds, 7 * 24 * 3600, name)

    def test_maxima_are_optional(self):
        self.assertEqual(self.table["Properties"]["OnDemandThroughput"]["Fn::If"][0], "HasMaxUnits")
        self.assertEqual(self.table["Properties"]["OnDemandThroughput"]["Fn::If"][2], {"Ref": "AWS::NoValue"})
        for name in ("MaxReadUnits", "MaxWriteUnits", "SilenceDays"):
            self.assertEqual(TEMPLATE["Parameters"][name]["Default"], 0)

    def test_access_log_is_json_without_query(self):
        line = self.stage["Properties"]["AccessLogSettings"]["Format"]
        self.assertEqual(json.loads(line)["path"], "$context.path")
        self.assertEqual(self.stage["Properties"]["AccessLogSettings"]["DestinationArn"], {"Fn::GetAtt": ["AccessLogGroup", "Arn"]})
        self.assertNotRegex(line, r"(?i)query|requestOverride|authorizer|\$context\.http\.")

    def test_cors_is_the_functions_own(self):
        self.assertNotIn("CorsConfiguration", self.api["Properties"])
        self.assertNotIn("x-amazon-apigateway-cors", self.api["Properties"]["Body"])

    def test_roles_name_what_they_allow(self):
        roles = of_type("AWS::IAM::Role")
        self.assertEqual(set(roles), {"IngestRole", "LookupRole", "ViewsRole"})
        for name, role in roles.items():
            self.assertNotIn("ManagedPolicyArns", role["Properties"])
            for policy in role["Properties"]["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    actions, resources = statement["Action"], statement["Resource"]
                    for action in [actions] if isinstance(actions, str) else actions:
                        self.assertRegex(action, r"^(dynamodb|logs|sqs):[A-Za-z]+$", name)
                    for resource in resources if isinstance(resources, list) else [resources]:
                        self.assertNotIn("*", json.dumps(resource), name)

    def test_functions_log_to_groups_that_end(self):
        groups = of_type("AWS::Logs::LogGroup")
        for group in groups.values():
            self.assertIn("RetentionInDays", group["Properties"])
        for function in of_type("AWS::Lambda::Function").values():
            logging = function["Properties"]["LoggingConfig"]
            self.assertEqual(logging["LogFormat"], "JSON")
            self.assertIn(logging["LogGroup"]["Ref"], groups)

    def test_parameters_explain_themselves(self):
        for name, parameter in TEMPLATE["Parameters"].items():
            self.assertRegex(parameter["Description"], r"\w{3}.*\.$", name)
            self.assertIn("ConstraintDescription", parameter, name)
            self.assertTrue({"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter), name)
            default, pattern = str(parameter["Default"]), parameter.get("AllowedPattern")
            if pattern:
                self.assertTrue(re.search(pattern, default), name)
        for secret in ("WebhookTokenSha256", "WebhookSecrets"):
            self.assertIs(TEMPLATE["Parameters"][secret]["NoEcho"], True)


if __name__ == "__main__":
    unittest.main()
