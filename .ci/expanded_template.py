"""The template as SAM expands it for CloudFormation, for tests. They run in the
project's root, with aws-sam-translator installed."""
import os

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
