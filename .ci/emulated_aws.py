"""An AWS on this machine for `sam deploy`: MiniStack, and what the template needs
beyond it. It listens on 127.0.0.1 alone: at PORT for the AWS CLIs, and at PORT+1
with TLS for the hosts of the API. Functions run as processes of this machine, with
the rights of their roles alone.

usage: emulated_aws.py PORT CERTIFICATE KEY
"""
import asyncio
import importlib.metadata
import inspect
import os
import sys

VERSION = "1.5.33"  # of MiniStack, whose private functions are changed here
PORT, CERTIFICATE, KEY = int(sys.argv[1]), sys.argv[2], sys.argv[3]

if (found := importlib.metadata.version("ministack")) != VERSION:
    sys.exit(f"this is MiniStack {found}, and emulated_aws.py was written for {VERSION}")

os.environ.update({
    "AUTH": "true",  # signatures are checked, and the policies of roles
    "BIND_HOST": "127.0.0.1",
    "GATEWAY_PORT": str(PORT),
    "MINISTACK_HOST": "us-east-1.amazonaws.com",  # hosts are ID.execute-api.us-east-1.amazonaws.com
    "MINISTACK_REGION": "us-east-1",
    "LAMBDA_EXECUTOR": "local",
    "IOT_MTLS_ENABLED": "0",  # two services that listen on ports of their own
    "SFTP_ENABLED": "0",
    "LOG_LEVEL": "WARNING",
})

from hypercorn.asyncio import serve  # noqa: E402 (MiniStack reads the environment when it is imported)
from hypercorn.config import Config  # noqa: E402
from ministack import app  # noqa: E402
from ministack.core import lambda_runtime  # noqa: E402
from ministack.services import apigateway, lambda_svc  # noqa: E402
from ministack.services.cloudformation import provisioners  # noqa: E402


def rewrite(module, name, old, new):
    """Puts new in place of old in the source of a function."""
    source = inspect.getsource(getattr(module, name))
    if source.count(old) != 1:
        sys.exit(f"{name} of MiniStack has not once: {old}")
    exec(compile(source.replace(old, new), f"{name}, rewritten", "exec"), module.__dict__)


# It answers each OPTIONS itself. API Gateway does so for an API with CORS alone.
rewrite(apigateway, "_handle_execute_in_scope", 'if method == "OPTIONS":', 'if method == "OPTIONS" and cors_cfg:')

# It knows one greedy variable, {proxy+}. They may have any name.
rewrite(apigateway, "_route_specificity", 's == "{proxy+}"', 's.endswith("+}")')

# A filter {"exists": false} also lets a record through that has not even the object
# around the field.
rewrite(lambda_svc, "_match_esm_filter", "if not isinstance(rec_val, dict) or not _match_esm_filter(rec_val, pat):",
        "if not _match_esm_filter(rec_val if isinstance(rec_val, dict) else {}, pat):")

# A table that was imported keeps its name. It would get one made of the stack's.
rewrite(provisioners, "_ddb_update", 'new_props.get("TableName") or _physical_name(\n        stack_name, logical_id or physical_id, max_len=255\n    )',
        'new_props.get("TableName") or physical_id')


# The SAM CLI makes an API with an OpenAPI body, of which MiniStack takes the title
# alone. The routes of the body are made one by one.
handlers = provisioners._RESOURCE_HANDLERS
api = handlers["AWS::ApiGatewayV2::Api"]
create_api, update_api = api["create"], api["update"]


def without_body(props):
    return {"Name": props["Body"]["info"]["title"], **props}


def make_routes(api_id, body):
    apigateway._routes[api_id], apigateway._integrations[api_id] = {}, {}
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            integration = operation["x-amazon-apigateway-integration"]
            made, _ = handlers["AWS::ApiGatewayV2::Integration"]["create"]("", {
                "ApiId": api_id, "IntegrationType": integration["type"].upper(), "IntegrationUri": integration["uri"],
                "PayloadFormatVersion": integration["payloadFormatVersion"]}, "")
            handlers["AWS::ApiGatewayV2::Route"]["create"]("", {
                "ApiId": api_id, "RouteKey": f"{method.upper()} {path}", "Target": f"integrations/{made}"}, "")


def create_api_with_body(logical_id, props, stack_name):
    api_id, attributes = create_api(logical_id, without_body(props), stack_name)
    make_routes(api_id, props["Body"])
    return api_id, attributes


def update_api_with_body(physical_id, old, new, stack_name, logical_id=None):
    api_id, attributes = update_api(physical_id, without_body(old), without_body(new), stack_name, logical_id)
    make_routes(api_id, new["Body"])
    return api_id, attributes


api.update(create=create_api_with_body, update=update_api_with_body)

# It refuses an alarm that computes with metrics. Such an alarm is kept, and never
# goes off.
alarm_record = provisioners._cw_metric_alarm_record


def alarm_record_of_metrics(name, props):
    if "Metrics" in props:
        props = {key: value for key, value in props.items() if key != "Metrics"} | {"Namespace": "-", "MetricName": "-"}
    return alarm_record(name, props)


provisioners._cw_metric_alarm_record = alarm_record_of_metrics

# Functions find DynamoDB at its host, which is here. They get the environment that
# Lambda gives them, not also that of this process.
function_env = lambda_svc._provided_worker_env


def lambda_env(config, *args):
    env = function_env(config, *args)
    if not env.get("AWS_ENDPOINT_URL_DYNAMODB"):
        env["AWS_ENDPOINT_URL_DYNAMODB"] = f"http://127.0.0.1:{PORT}"
    own = set(config["Environment"]["Variables"])
    return {name: value for name, value in env.items() if name in own or name.startswith(("AWS_", "LAMBDA_", "_HANDLER"))}


lambda_svc._provided_worker_env = lambda_env

config = Config()
config.bind = [f"127.0.0.1:{PORT + 1}"]
config.insecure_bind = [f"127.0.0.1:{PORT}"]
config.certfile, config.keyfile = CERTIFICATE, KEY
config.loglevel = "WARNING"
asyncio.run(serve(app.app, config))
lambda_runtime.reset()  # ends the functions
