#!/usr/bin/env python3
"""Runs every sample event through `sam local invoke`, and as an HTTP request
through `sam local start-api`, and compares the answers with events/answers.json.

usage: sam_local.py SAM   (from the project's root, after `sam build`, with a
DynamoDB Local that holds the table on port 8000)
"""
import base64
import concurrent.futures
import gzip
import http.client
import json
import os
import subprocess
import sys
import time

PORT = 3000
SAM = sys.argv[1]
ENV = os.environ | {
    "SAM_CLI_TELEMETRY": "0",
    # Credentials of the host reach the functions; these open nothing.
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_SESSION_TOKEN": "",
    "AWS_REGION": "us-east-1",
}
failures = 0


def compare(how, case, status, headers, body):
    global failures
    headers = {name.lower(): value for name, value in headers.items()}
    wrong = []
    if status != case["status"]:
        wrong.append(f"status {status}, want {case['status']}")
    if "contains" in case:  # a page, in which the ages of references change
        wrong += [f"the body lacks {text!r}" for text in case["contains"] if text not in (body or "")]
    elif body != case["body"]:
        wrong.append(f"body {body!r}, want {case['body']!r}")
    for name, want in case.get("headers", {}).items():
        if headers.get(name.lower()) != want:
            wrong.append(f"{name} {headers.get(name.lower())!r}, want {want!r}")
    failures += bool(wrong)
    print(f"{'FAIL' if wrong else 'ok  '} {how} {case['event']}", *wrong, sep="\n     " if wrong else " ", flush=True)


def text(body, headers):
    """The body as a reader sees it."""
    if "gzip" in (headers.get("Content-Encoding") or headers.get("content-encoding") or ""):
        body = gzip.decompress(body)
    return body.decode()


def invoke(case):
    answer = {"statusCode": None, "headers": {}, "body": None}
    for _ in range(3):  # on a busy machine a container may not start within the function's timeout
        run = subprocess.run(
            [SAM, "local", "invoke", case["function"], "-e", f"events/{case['event']}", "--skip-pull-image"],
            env=ENV, capture_output=True, text=True, timeout=120)
        try:
            answer = json.loads(run.stdout.strip().splitlines()[-1])
            break
        except (IndexError, ValueError):
            print(run.stdout, run.stderr, sep="\n")
    body = answer["body"]
    if answer.get("isBase64Encoded"):
        body = text(base64.b64decode(body), answer["headers"])
    compare("invoke", case, answer["statusCode"], answer["headers"], body)


def request(case):
    with open(f"events/{case['event']}") as f:
        event = json.load(f)
    body = event.get("body")
    if event["isBase64Encoded"]:
        body = base64.b64decode(body)
    elif body is not None:
        body = body.encode()
    headers = {k: v for k, v in event["headers"].items()
               if not k.startswith(("x-amzn-", "x-forwarded-")) and k not in ("host", "content-length")}
    target = event["rawPath"].replace(" ", "%20") + (f"?{event['rawQueryString']}" if event["rawQueryString"] else "")
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request(event["requestContext"]["http"]["method"], target, body, headers)
    answer = connection.getresponse()
    answer_headers = dict(answer.getheaders())
    compare("start-api", case, answer.status, answer_headers, text(answer.read(), answer_headers))


with open("events/answers.json") as f:
    cases = json.load(f)
with concurrent.futures.ThreadPoolExecutor(6) as pool:  # what is read must be written before
    for function in ("IngestFunction", "LookupFunction"):
        list(pool.map(invoke, [case for case in cases if case["function"] == function]))

api = subprocess.Popen([SAM, "local", "start-api", "--port", str(PORT), "--skip-pull-image"], env=ENV,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(120):
        try:
            http.client.HTTPConnection("127.0.0.1", PORT, timeout=60).request("HEAD", "/")
            break
        except ConnectionRefusedError:
            if api.poll() is not None:
                sys.exit(f"sam local start-api ended with {api.returncode}")
            time.sleep(0.5)
    for case in cases:
        request(case)
finally:
    api.terminate()
    api.wait(30)

print(f"{2 * len(cases) - failures} passed, {failures} failed")
sys.exit(failures > 0)
