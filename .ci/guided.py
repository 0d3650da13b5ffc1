#!/usr/bin/env python3
"""Runs `sam deploy --guided` in a terminal and answers each question with Enter, but
the two whose answers are hidden, which must not be empty: the hash, and a blank for
no secrets.

usage: guided.py HASH
"""
import os
import pty
import re
import sys

child, terminal = pty.fork()
if child == 0:
    os.execvp("sam", ["sam", "deploy", "--guided"])

answers = {"WebhookTokenSha256": sys.argv[1], "WebhookSecrets": " "}
said, last = "", ""
while True:
    try:
        said += os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # the end of a terminal's other side
        break
    # A question is an unfinished line that ends in a colon and a blank.
    if re.search(r"[^\r\n]: \Z", said):
        question = said.splitlines()[-1]
        answer = next((answer for parameter, answer in answers.items() if parameter in question), "")
        if question == last:
            sys.exit(f"Enter does not answer {question}")
        os.write(terminal, answer.encode() + b"\n")
        print(said, end="")
        said, last = "", question
print(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
