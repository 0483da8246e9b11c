"""Start a run for each task, wait for all, and print their results.

Usage: TOKEN=... [AGENT=codex] python3 api_runs.py ADDRESS REPOSITORY TASK...
"""

import json
import os
import sys
from urllib.request import Request, urlopen

address, repository, *tasks = sys.argv[1:]
headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}


def call(path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{address}/v1{path}", data, headers)) as answer:
        return json.load(answer)


common = {"worktree": repository, "agent": os.environ.get("AGENT", "codex")}
runs = [call("/runs", {**common, "prompt": task})["id"] for task in tasks]
for run in runs:
    while (state := call(f"/runs/{run}/wait?timeout_s=60"))["finished_at"] is None:
        print(f"{run} {state['status']} {state['activity']}", file=sys.stderr)
    print(f"{run} {state['status']} +{state['changes']['insertions']} {state['title']}")
