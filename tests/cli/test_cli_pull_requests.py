"""The state of pull requests, read with `gh` replaced by a script that prints what a test wants."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import repos
from typed import Swarm

from tui.cli import json as shapes

URL = "https://github.com/o/r/pull/7"
PROGRAM = """\
#!/bin/sh
printf '%s\\n' "$PWD" "$@" "token=$GH_ENTERPRISE_TOKEN" > {folder}/arguments
echo x >> {folder}/calls
cat {folder}/error >&2
cat {folder}/out
exit $(cat {folder}/code)
"""


class Gh:
    """A `gh` that prints what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "gh").write_text(PROGRAM.format(folder=folder))
        (folder / "gh").chmod(0o755)
        self.prints(URL)

    def prints(self, out: object, error: str = "", code: int = 0) -> None:
        """Print this from now on."""
        text = out if isinstance(out, str) else json.dumps(out)
        for name, content in {"out": text, "error": error, "code": str(code)}.items():
            (self.folder / name).write_text(content)

    @property
    def arguments(self) -> list[str]:
        """The folder and the arguments of the last call."""
        return (self.folder / "arguments").read_text().splitlines()

    @property
    def calls(self) -> int:
        """The number of calls."""
        return len((self.folder / "calls").read_text().splitlines())


def check(name: str, conclusion: str = "SUCCESS", **more: Any) -> dict[str, Any]:
    """A finished check run."""
    return {"name": name, "status": "COMPLETED", "conclusion": conclusion, **more}


def answer(state: str = "OPEN", *checks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer of `gh pr view`."""
    return {"state": state, "isDraft": False, "statusCheckRollup": list(checks), **more}


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gh:
    """A `gh` on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'gh'}:{os.environ['PATH']}")
    return Gh(tmp_path / "gh")


@pytest.fixture
def run_id(
    swarm: Swarm,
    inside: Swarm,
    here: Path,
    tmp_path: Path,
    gh: Gh,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The id of a run whose pull request was opened."""
    here.rmdir()
    repos.repository(here)
    bare = tmp_path / "bare.git"
    repos.git(tmp_path, "init", "-q", "--bare", str(bare))
    repos.git(here, "remote", "add", "origin", "git@github.com:o/r.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{bare}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "git@github.com:o/r.git")
    script = "sim: write new.txt work"
    run = swarm("run", "--agent", "simulated", "--json", script).events[0]["run"]
    assert inside("push", run, "--pr").code == 0
    return run


def test_state_checks_and_review_are_shown_everywhere(inside: Swarm, gh: Gh, run_id: str) -> None:
    assert "#7 ?" in inside("ls").out
    checks = [check("build"), check("lint", "FAILURE"), {"context": "ci", "state": "PENDING"}]
    gh.prints(answer("OPEN", *checks, reviewDecision="CHANGES_REQUESTED"))
    done = inside("pr", run_id, "--json")
    (shown,) = msgspec.convert(done.json, list[shapes.RunJson])
    assert shown.pull_request
    assert (shown.pull_request.number, shown.pull_request.state) == (7, "open")
    assert (shown.pull_request.checks.failing, shown.pull_request.checks.names) == (1, ["lint"])
    assert shown.pull_request.review == "changes_requested"
    assert "#7 ✗ lint" in inside("ls").out
    text = inside("show", run_id).out
    assert "#7 open · changes requested · 1/3 checks pass, 1 failing, 1 pending" in text
    assert "failing: lint" in text
    assert text.count(URL) == 1
    for term in ("pr:open", "pr:failing", "pr:changes-requested"):
        assert inside("ls", "-q", term).out.split() == [run_id]
    assert inside("ls", "-q", "pr:merged").out == ""
    assert "unknown value opne" in inside("ls", "pr:opne").err


def test_gh_runs_outside_of_the_repository_with_the_address_alone(
    inside: Swarm, here: Path, gh: Gh, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", "secret")
    gh.prints(answer())
    assert inside("pr", run_id).code == 0
    folder, *words, token = gh.arguments
    assert not Path(folder).is_relative_to(here)
    assert words[:3] == ["pr", "view", URL]
    assert token == "token="  # of the user, but for another host
    monkeypatch.setenv("GH_HOST", "github.com")
    assert inside("pr", run_id).code == 0
    assert gh.arguments[-1] == "token=secret"


def test_only_a_change_is_stored(inside: Swarm, gh: Gh, run_id: str) -> None:
    for _ in range(2):
        gh.prints(answer("OPEN", check("a")))
        assert inside("pr").out.splitlines()[0] == f"{run_id} #7 open · 1/1 checks pass"
    gh.prints(answer("CLOSED"))
    assert inside("pr", run_id).code == 0
    events = inside("logs", run_id, "--json").events
    states = [one["state"] for one in events if one["type"] == "pull_request"]
    assert states == ["open", "closed"]
    assert "No run has an open pull request." in inside("pr").err


def test_a_failure_is_noted_once_and_the_last_state_stays(
    inside: Swarm, gh: Gh, run_id: str
) -> None:
    gh.prints(answer("OPEN", check("a")))
    assert inside("pr", run_id).code == 0
    for text in ("error connecting to api.github.com\nusage", "To get started: gh auth login"):
        gh.prints("", text, 1)
        failed = inside("pr", run_id)
        assert (failed.code, "PULL_REQUEST_UNREADABLE" in failed.err) == (3, True)
    events = inside("logs", run_id, "--json").events
    assert [bool(one["problem"]) for one in events if one["type"] == "pull_request"] == [
        False,
        True,
    ]
    assert "not current: The pull request could not be read: error connecting" in (
        inside("show", run_id).out
    )
    assert "#7 ✓ 1/1" in inside("ls").out
    gh.prints(answer("OPEN", check("a")))
    assert inside("pr", run_id).code == 0
    assert "not current" not in inside("show", run_id).out


@pytest.mark.parametrize(
    "out",
    ["", "[]", "{", "[" * 100_000, '{"state": 7}', '{"state": "ODD"}', "x" * 5_000_000],
    ids=["nothing", "list", "cut", "deep", "number", "odd", "long"],
)
def test_output_that_is_no_answer_is_refused(inside: Swarm, gh: Gh, run_id: str, out: str) -> None:
    gh.prints(out)
    failed = inside("pr", run_id)
    assert (failed.code, "PULL_REQUEST_UNREADABLE" in failed.err) == (3, True)


def test_names_of_checks_cannot_change_the_screen(inside: Swarm, gh: Gh, run_id: str) -> None:
    names = [f"{n}\x1b[2J[bold]\n{'x' * 500}" for n in range(50)]
    gh.prints(answer("OPEN", *[check(name, "FAILURE") for name in names]))
    assert inside("pr", run_id).code == 0
    stored = inside("show", run_id, "--json").json["pull_request"]["checks"]
    assert (stored["failing"], len(stored["names"])) == (50, 10)
    assert max(map(len, stored["names"])) <= 80
    assert "\x1b[2J" not in inside("show", run_id).out + inside("ls").out


def test_the_last_run_of_a_check_counts(inside: Swarm, gh: Gh, run_id: str) -> None:
    again = [
        check("lint", "FAILURE", startedAt="2026-01-01T00:00:00Z", workflowName="ci"),
        check("lint", "SUCCESS", startedAt="2026-01-01T00:05:00Z", workflowName="ci"),
        check("lint", "SKIPPED", startedAt="2026-01-01T00:00:00Z", workflowName="other"),
    ]
    gh.prints(answer("OPEN", *again))
    assert "2/2 checks pass" in inside("pr", run_id).out


def test_a_merged_one_has_the_pushed_commit_only_if_gh_lists_it(
    inside: Swarm, gh: Gh, run_id: str
) -> None:
    commit = inside("show", run_id, "--json").json["push"]["commit"]
    for commits, has in (([], ""), ([{"oid": commit}], commit)):
        gh.prints(answer("MERGED", headRefOid="f" * 40, commits=commits))
        done = inside("pr", run_id, "--json").json[0]["pull_request"]
        assert (done["state"], done["commit"]) == ("merged", has)
    assert inside("ls", "-q", "pr:merged").out.split() == [run_id]
    assert inside("ls", "-q", "pr:open").out == ""


def test_a_push_after_the_merge_opens_another(
    inside: Swarm, swarm: Swarm, gh: Gh, run_id: str
) -> None:
    commit = inside("show", run_id, "--json").json["push"]["commit"]
    gh.prints(answer("MERGED", headRefOid=commit))
    assert inside("pr", run_id).code == 0
    assert swarm("resume", run_id, "sim: write more.txt more").code == 0
    gh.prints("https://github.com/o/r/pull/8")
    assert inside("push", run_id, "--pr", "--json").json["pull_request"].endswith("/8")
    assert "#8 ?" in inside("ls").out


def test_the_pull_request_of_a_branch_pushed_without_one_is_found(
    inside: Swarm, gh: Gh, run_id: str
) -> None:
    gh.prints([{"url": URL, "isCrossRepository": True}])
    assert inside("push", run_id, "--branch", "other").code == 0
    failed = inside("pr", run_id)
    assert (failed.code, "has no pull request" in failed.err) == (3, True)
    gh.prints([{"url": "https://github.com/o/r/pull/9", "isCrossRepository": False}])
    failed = inside("pr", run_id)
    assert (failed.code, "PULL_REQUEST_UNREADABLE" in failed.err) == (3, True)
    assert "#9" in inside("ls").out


def test_without_gh_and_without_a_push_the_error_says_what_to_do(
    inside: Swarm, swarm: Swarm, gh: Gh, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.workspaces.git.gh.program", lambda: None)
    failed = inside("pr", run_id)
    assert (failed.code, "gh is not installed" in failed.err) == (3, True)
    other = swarm("run", "--agent", "simulated", "--json", "sim: say hi").events[0]["run"]
    failed = inside("pr", other)
    assert (failed.code, "push" in failed.err) == (3, True)
