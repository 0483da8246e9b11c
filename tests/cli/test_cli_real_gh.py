"""Pull requests with the real `gh`, where it is installed; its server is faked on loopback.

`gh` speaks plain HTTP to the host `github.localhost`, which it reaches by way of a proxy.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import repos
from typed import Swarm

SCRIPT = "sim: write new.txt work"
URL = "https://github.localhost/o/r/pull/7"


class GitHub(ThreadingHTTPServer):
    """A server that answers the queries of `gh` about one pull request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.queries: list[dict[str, Any]] = []
        self.request_state: dict[str, Any] = {}

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the data for a query."""
        query = asked["query"]
        self.queries.append(asked)
        if "createPullRequest" in query:
            return {"createPullRequest": {"pullRequest": {"id": "P", "url": URL}}}
        if "PullRequestByNumber" in query:
            return {"repository": {"pullRequest": self.request_state}}
        if "PullRequestForBranch" in query:
            return {"repository": {"pullRequests": {"nodes": []}}}
        repository = {"id": "R", "name": "r", "owner": {"login": "o"}, "viewerPermission": "ADMIN"}
        main = {"defaultBranchRef": {"name": "main"}, "hasIssuesEnabled": True}
        return {"repository": repository | main, "viewer": {"login": "o"}}


class Handler(BaseHTTPRequestHandler):
    """The HTTP of it; a proxy is asked with whole addresses."""

    def do_POST(self) -> None:
        """Answer a query."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "http://api.github.localhost/graphql"
        assert isinstance(self.server, GitHub)
        self._send({"data": self.server.answer(asked)})

    def do_GET(self) -> None:
        """Answer requests other than queries."""
        self._send({})

    def _send(self, data: object) -> None:
        content = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """A faked GitHub that `gh` reaches."""
    if shutil.which("gh") is None:
        pytest.skip("gh is not installed")
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("GH_TOKEN", "x")
        monkeypatch.setenv("GH_CONFIG_DIR", str(tmp_path / "gh"))
        monkeypatch.delenv("GH_HOST", raising=False)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def run_id(swarm: Swarm, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a run whose remote is a repository of that GitHub."""
    here.rmdir()
    repos.repository(here)
    bare = tmp_path / "bare.git"
    repos.git(tmp_path, "init", "-q", "--bare", str(bare))
    remote = "https://github.localhost/o/r.git"
    repos.git(here, "remote", "add", "origin", remote)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{bare}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", remote)
    return swarm("run", "--agent", "simulated", "--json", SCRIPT).events[0]["run"]


def test_the_real_gh_opens_a_pull_request_and_reads_it(
    inside: Swarm, github: GitHub, run_id: str
) -> None:
    pushed = inside("push", run_id, "--pr", "--draft", "--base", "main", "--json")
    assert (pushed.code, pushed.err) == (0, "")
    assert pushed.json["pull_request"] == URL
    (made,) = [one for one in github.queries if "createPullRequest" in one["query"]]
    wanted = made["variables"]["input"]
    assert (wanted["headRefName"], wanted["draft"]) == (f"swarm/{run_id}", True)
    assert wanted["title"] == SCRIPT
    lint = {"name": "lint", "status": "COMPLETED", "conclusion": "FAILURE"}
    runs = [{"__typename": "CheckRun", **lint}]
    runs.append({"__typename": "StatusContext", "context": "ci", "state": "SUCCESS"})
    rollup = {"contexts": {"nodes": runs, "pageInfo": {"hasNextPage": False}}}
    commit: dict[str, Any] = {"oid": pushed.json["commit"], "authors": {"nodes": []}}
    github.request_state = {
        "number": 7,
        "url": URL,
        "state": "OPEN",
        "isDraft": True,
        "reviewDecision": "APPROVED",
        "headRefOid": pushed.json["commit"],
        "statusCheckRollup": {"nodes": [{"commit": {"statusCheckRollup": rollup}}]},
        "commits": {"nodes": [{"commit": commit}]},
    }
    shown = inside("pr", run_id)
    assert (shown.code, shown.err) == (0, "")
    assert "#7 draft · approved · 1/2 checks pass, 1 failing" in shown.out
    assert "failing: lint" in shown.out
    github.request_state |= {"state": "MERGED", "isDraft": False}
    stored = inside("pr", run_id, "--json").json[0]["pull_request"]
    assert (stored["state"], stored["commit"]) == ("merged", pushed.json["commit"])
    assert os.environ["GH_TOKEN"] not in [str(one) for one in stored.values()]


def test_the_real_gh_without_a_login_is_one_clear_error(
    inside: Swarm, github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from engine.domain.errors import UserError
    from engine.workspaces.git import gh, pull_request_state

    monkeypatch.delenv("GH_TOKEN")
    with pytest.raises(UserError, match="could not be read: To get started") as failed:
        asyncio.run(pull_request_state.read(gh.program() or "", URL, "", tmp_path))
    assert failed.value.code == "PULL_REQUEST_UNREADABLE"
    assert not github.queries
