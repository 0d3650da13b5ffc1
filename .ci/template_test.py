#!/usr/bin/env python3
"""Checks of template.yaml that no linter makes, on the template as SAM expands
it. Where something must agree with the code, a Go test compares the two.

usage: template_test.py   (with aws-sam-translator installed, from the root)
"""
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


class Template(unittest.TestCase):
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
        settings = self.stage["Properties"]["RouteSettings"]
        self.assertIn("POST /api/azurehook", settings)
        for key, value in settings.items():
            self.assertIn(key, self.routes())
            self.assertTrue(value["ThrottlingBurstLimit"] and value["ThrottlingRateLimit"])
        self.assertTrue(self.stage["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"])

    def test_access_log_is_json_without_query(self):
        line = self.stage["Properties"]["AccessLogSettings"]["Format"]
        self.assertEqual(json.loads(line)["path"], "$context.path")
        self.assertNotRegex(line, r"(?i)query|requestOverride|authorizer|\$context\.http\.")

    def test_cors_is_the_functions_own(self):
        self.assertNotIn("CorsConfiguration", self.api["Properties"])
        self.assertNotIn("x-amazon-apigateway-cors", self.api["Properties"]["Body"])

    def test_roles_name_what_they_allow(self):
        roles = of_type("AWS::IAM::Role")
        self.assertEqual(set(roles), {"IngestRole", "LookupRole"})
        for name, role in roles.items():
            self.assertNotIn("ManagedPolicyArns", role["Properties"])
            for policy in role["Properties"]["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    actions, resources = statement["Action"], statement["Resource"]
                    for action in [actions] if isinstance(actions, str) else actions:
                        self.assertRegex(action, r"^(dynamodb|logs):[A-Za-z]+$", name)
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
        self.assertIs(TEMPLATE["Parameters"]["WebhookTokenSha256"]["NoEcho"], True)


if __name__ == "__main__":
    unittest.main()
