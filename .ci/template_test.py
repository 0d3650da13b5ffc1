#!/usr/bin/env python3
"""Checks of template.yaml that no linter makes, on the template as SAM expands
it. Where something must agree with the code, a Go test compares the two.

usage: template_test.py   (with aws-sam-translator installed, from the root)
"""
import json
import re
import unittest

from alarms_test import Alarms  # noqa: F401 (so that unittest.main runs them)
from expanded_template import SOURCE, TEMPLATE, of_type
from samtranslator.yaml_helper import yaml_parse

# What CloudFormation replaces the table for, by its documentation: a new table is
# empty, and the old one is an orphan. So no line of this may ever change. Global
# indexes and their attributes can be added.
FROZEN_ATTRIBUTES = {"name": "S", "key": "S", "byPushed": "S", "byRelease": "S", "byVersion": "S", "byDigest": "S"}
FROZEN_KEYS = "name HASH, key RANGE"
FROZEN_INDEXES = [
    "ByPushed: name HASH, byPushed RANGE; ALL",
    "ByRelease: name HASH, byRelease RANGE; ALL",
    "ByVersion: name HASH, byVersion RANGE; ALL",
    "ByDigest: name HASH, byDigest RANGE; ALL",
]


def keys(schema):
    """A key schema as text."""
    return ", ".join(f"{each['AttributeName']} {each['KeyType']}" for each in schema)


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

    def test_nothing_replaces_the_table(self):
        properties = self.table["Properties"]
        self.assertEqual(list(of_type("AWS::DynamoDB::Table")), ["Table"])  # another logical id is another table
        self.assertNotIn("TableName", properties)
        self.assertEqual(keys(properties["KeySchema"]), FROZEN_KEYS)
        self.assertEqual([f"{index['IndexName']}: {keys(index['KeySchema'])}; {index['Projection']['ProjectionType']}"
                          for index in properties["LocalSecondaryIndexes"]], FROZEN_INDEXES)
        for index in properties["LocalSecondaryIndexes"]:
            self.assertEqual(set(index), {"IndexName", "KeySchema", "Projection"})
            self.assertEqual(set(index["Projection"]), {"ProjectionType"})
        attributes = {each["AttributeName"]: each["AttributeType"] for each in properties["AttributeDefinitions"]}
        self.assertEqual({name: attributes.get(name) for name in FROZEN_ATTRIBUTES}, FROZEN_ATTRIBUTES)

    def test_nothing_replaces_the_api(self):
        """Its id is in each badge's address."""
        self.assertEqual(list(of_type("AWS::ApiGatewayV2::Api")), ["HttpApi"])
        self.assertEqual(set(self.api["Properties"]), {"Body", "FailOnWarnings"})  # ProtocolType would replace it
        self.assertNotIn("Condition", self.api)
        self.assertEqual(self.stage["Properties"]["StageName"], "$default")  # another is a part of the path

    def test_domain_is_optional(self):
        for kind, condition in (("AWS::ApiGatewayV2::DomainName", "HasDomainName"),
                                ("AWS::ApiGatewayV2::ApiMapping", "HasDomainName"),
                                ("AWS::Route53::RecordSet", "HasHostedZoneId")):
            ((name, resource),) = of_type(kind).items()
            self.assertEqual(resource["Condition"], condition, name)
        ((_, mapping),) = of_type("AWS::ApiGatewayV2::ApiMapping").items()
        self.assertNotIn("ApiMappingKey", mapping["Properties"])  # the functions would see it in the path

    def test_outputs_have_the_domain(self):
        for name in ("WebhookUrl", "CatalogUrl", "BadgeUrl", "BadgeMarkdown"):
            condition, own, default = TEMPLATE["Outputs"][name]["Value"]["Fn::If"]
            self.assertEqual(condition, "HasDomainName", name)
            self.assertEqual(own["Fn::Sub"].replace("${DomainName}", "${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"),
                             default["Fn::Sub"], name)
            self.assertNotIn("HttpApi", own["Fn::Sub"], name)

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

    def test_reconcile_is_optional(self):
        """Without registries to read there is nothing of it."""
        for name, resource in TEMPLATE["Resources"].items():
            belongs = name.startswith("Reconcile") or name == "BrakedMetric"
            self.assertEqual(resource.get("Condition") in ("HasReconcile", "HasReconcileSecret"), belongs, name)
        ((_, policy),) = of_type("AWS::IAM::Policy").items()
        self.assertEqual((policy["Condition"], policy["Properties"]["Roles"]), ("HasReconcileSecret", [{"Ref": "ReconcileRole"}]))
        self.assertEqual(policy["Properties"]["PolicyDocument"]["Statement"],
                         [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "ReconcileSecretArn"}}])
        self.assertEqual(TEMPLATE["Outputs"]["ReconcileFunctionName"]["Condition"], "HasReconcile")
        self.assertEqual(TEMPLATE["Parameters"]["ReconcileRegistries"]["Default"], "")

    def test_reconcile_runs_on_its_schedule_once(self):
        function = TEMPLATE["Resources"]["ReconcileFunction"]["Properties"]
        self.assertEqual(function["Timeout"], 900)
        ((_, rule),) = of_type("AWS::Events::Rule").items()
        (target,) = rule["Properties"]["Targets"]
        self.assertEqual(rule["Properties"]["ScheduleExpression"], {"Ref": "ReconcileSchedule"})
        self.assertEqual(target["Input"], "{}")
        self.assertEqual(target["RetryPolicy"], {"MaximumRetryAttempts": 0})
        ((_, config),) = of_type("AWS::Lambda::EventInvokeConfig").items()
        self.assertEqual(config["Properties"]["MaximumRetryAttempts"], 0)

    def test_maxima_are_optional(self):
        self.assertEqual(self.table["Properties"]["OnDemandThroughput"]["Fn::If"][0], "HasMaxUnits")
        self.assertEqual(self.table["Properties"]["OnDemandThroughput"]["Fn::If"][2], {"Ref": "AWS::NoValue"})
        for name in ("MaxReadUnits", "MaxWriteUnits", "SilenceDays"):
            self.assertEqual(TEMPLATE["Parameters"][name]["Default"], 0)

    def test_access_log_is_json_without_query(self):
        settings = self.stage["Properties"]["AccessLogSettings"]
        self.assertEqual(settings["DestinationArn"], {"Fn::GetAtt": ["AccessLogGroup", "Arn"]})
        line, variables = settings["Format"]["Fn::Sub"]
        self.assertEqual(json.loads(line)["path"], "$context.path")
        self.assertNotRegex(line, r"(?i)query|requestOverride|authorizer|\$context\.http\.")
        self.assertNotIn("identity", line)
        self.assertEqual(variables, {"SourceIp": {"Fn::If": ["HasSourceAddresses", "$context.identity.sourceIp", "-"]}})

    def test_guided_deployment_asks_about_no_route(self):
        """`sam deploy --guided` asks for each event of an API that says nothing of its
        authentication, and Enter ends it."""
        (api,) = [r for r in yaml_parse(SOURCE)["Resources"].values() if r["Type"] == "AWS::Serverless::HttpApi"]
        self.assertEqual(api["Properties"]["Auth"], {"EnableIamAuthorizer": False})

    def test_cors_is_the_functions_own(self):
        self.assertNotIn("CorsConfiguration", self.api["Properties"])
        self.assertNotIn("x-amazon-apigateway-cors", self.api["Properties"]["Body"])

    def test_roles_name_what_they_allow(self):
        roles = of_type("AWS::IAM::Role")
        self.assertEqual(set(roles), {"IngestRole", "LookupRole", "ViewsRole", "ReconcileRole"})
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
            self.assertEqual(logging["SystemLogLevel"], "WARN")  # else half of what is paid for are Lambda's own lines
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

    def test_application_can_be_published(self):
        # docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-template-publishing-applications-metadata-properties.html
        about = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
        self.assertRegex(about["Name"], r"^[a-zA-Z0-9-]{1,140}$")
        self.assertRegex(about["Author"], r"^[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?$")
        self.assertRegex(about["Description"], r"^.{1,256}$")
        self.assertLessEqual(len(about["Labels"]), 10)
        for label in about["Labels"]:
            self.assertRegex(label, r"^[a-zA-Z0-9+\-_:/@]{1,127}$")
        # A release adds its version, and the files that lie beside its template: what
        # sam build leaves could else be deployed only in a folder that has them.
        for added in ("SemanticVersion", "LicenseUrl", "ReadmeUrl"):
            self.assertNotIn(added, about)


if __name__ == "__main__":
    unittest.main()
