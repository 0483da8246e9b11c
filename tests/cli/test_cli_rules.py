"""Answers in bulk and approval rules on the command line, with a simulated agent that asks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import msgspec
import pytest
from pseudo import Opener
from typed import Result, Swarm

from engine.config.paths import Paths
from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.interaction import Decision, RequestKind
from engine.execution.supervisor_status import read_holder
from tui.cli import json as shapes
from tui.cli import main
from tui.cli.commands import rules
from tui.cli.support.new_rules import rule_json

ASKS = 75
Start = Callable[..., str]


def script(*lines: str) -> str:
    return "\n".join(f"sim: {line}" for line in lines)


@pytest.fixture
def start(swarm: Swarm) -> Iterator[Start]:
    """Start interactive runs, each of which waits until it asks for something."""
    started: list[str] = []
    assert swarm("slots", "8").code == 0  # a run that asks holds its slot

    def begin(*lines: str, project: str = "shop") -> str:
        words = ("--interactive", "--detach", "--empty", "--agent", "simulated", "--json")
        done = swarm("run", *words, "--project", project, script(*lines))
        assert done.code == 0, done.err
        run = str(done.json["id"])
        started.append(run)
        assert swarm("wait", run, "--needs-input").code == ASKS
        return run

    yield begin
    for run in started:
        swarm("cancel", run, "--kill")
    if started:
        swarm("wait", *started)


def decisions(swarm: Swarm, run: str) -> list[tuple[str, str]]:
    """Return the answers of a run: the decision, and by what it was decided."""
    events = swarm("logs", run, "--json").events
    requests = [event for event in events if event["type"] == "input_request"]
    return [(it["decision"], it["decided_by"]) for it in requests if it["phase"] == "answered"]


def rule_of(done: Result) -> str:
    """Return the id of the rule that was added."""
    assert done.code == 0, done.err
    return done.out.split("rule ")[-1].split()[0]


def test_bulk_answer_is_of_equal_requests_and_says_no_in_a_pipe(swarm: Swarm, start: Start) -> None:
    runs = [start("ask 'npm ci' reason=please") for _ in range(2)]
    other = start("ask 'npm ci; evil'")
    refused = swarm("approve", "--all")
    assert refused.code == 3
    assert "Cannot ask without a terminal" in refused.err
    assert refused.out.count("×") == 2
    assert "×2 in 2 runs · command" in refused.out
    assert "reason given by the agent: please" in refused.out
    assert swarm("approve", "--all", "--yes").code == 2
    assert len(swarm("inbox", "--json").json) == 3
    done = swarm("approve", "--all", "--matching", "npm ci", "--yes")
    assert done.code == 0, done.err
    assert done.out.count(" approved") == 2
    assert swarm("wait", *runs).code == 0
    assert [request["run"] for request in swarm("inbox", "--json").json] == [other]
    assert all(decisions(swarm, run) == [("approve", "user")] for run in runs)
    nothing = swarm("approve", "--all", "--matching", "npm", "--yes", "--json")
    assert (nothing.code, nothing.json) == (0, [])


def test_terminal_asks_before_it_answers_all(swarm: Swarm, start: Start, terminal: Opener) -> None:
    run = start("ask 'npm ci; npm test'")
    for key, code in ((b"n\r", 130), (b"y\r", 0)):
        shown = terminal("approve", "--all")
        shown.until("/bin/bash -lc 'npm ci; npm test'", "Approve this request? [y/N]")
        shown.type(key)
        assert shown.end() == code
    assert swarm("wait", run).code == 0
    assert decisions(swarm, run) == [("approve", "user")]


def test_odd_request_is_not_approved_unseen(swarm: Swarm, start: Start) -> None:
    odd = start("ask 'touch\tx'")
    plain = start("ask 'touch x'")
    done = swarm("approve", "--all", "--kind", "command", "--yes", "--json")
    assert [run["id"] for run in done.json] == [plain]
    assert f"{odd}:1:0 left open: several lines" in done.err
    msgspec.convert(done.json, shapes.DOCUMENTS["approve"])
    assert "/bin/bash -lc 'touch\\tx'" in swarm("approve", "--all").out
    denied = swarm("deny", "--all", "--kind", "command", "--yes", "one line each")
    assert (denied.code, denied.err) == (0, "")
    assert swarm("wait", odd, plain).code == 0
    assert decisions(swarm, odd) == [("deny", "user")]


def test_rule_of_a_request_answers_it_and_later_ones(swarm: Swarm, start: Start) -> None:
    run = start("ask 'npm run a'", "ask 'npm run b -- --x'", "ask 'npm run c; evil'")
    asked = swarm("approve", f"{run}:1:0", "--always", "--prefix")
    assert (asked.code, "Cannot ask" in asked.err) == (3, True)
    assert "Approve each simple command that begins with `npm run`" in asked.out
    assert swarm("rules").out == "there are no rules\n"
    done = swarm("approve", f"{run}:1:0", "--always", "--prefix", "--for", "project", "--yes")
    rule = rule_of(done)
    assert "in project shop, until you remove the rule." in done.out
    assert swarm("wait", run, "--needs-input").code == ASKS
    assert decisions(swarm, run) == [("approve", "user"), ("approve", f"rule:{rule}")]
    (listed,) = swarm("rules", "--json").json
    msgspec.convert([listed], shapes.DOCUMENTS["rules"])
    assert (listed["id"], listed["uses"], listed["scope_id"]) == (rule, 1, "shop")
    assert f"{rule}  Approve each simple command" in swarm("rules").out
    assert "(used 1×, last" in swarm("rules").out
    typo = swarm("rules", "remove", rule[:-1])
    assert (typo.code, f"Did you mean `{rule}`?" in typo.err) == (3, True)
    assert swarm("rules", "remove", rule).out == f"rule {rule} removed\n"
    assert swarm("rules", "--json").json == []


def test_always_takes_one_request_and_no_selection(swarm: Swarm) -> None:
    for words in (("--matching", "ls"), ("--all",), ("--all", "--kind", "command"), ()):
        done = swarm("approve", *words, "--always")
        assert done.code == 2
        assert "--always takes one REQUEST, without --all, --kind" in " ".join(done.err.split())


def test_denied_always(swarm: Swarm, start: Start) -> None:
    run = start("ask 'git push'", "ask 'git -C x push && true'", "say done")
    done = swarm("deny", f"{run}:1:0", "--always", "--yes", "--json")
    msgspec.convert(done.json, shapes.DOCUMENTS["deny --always"])
    assert "Deny each command that contains the words `git push`" in done.err
    assert "until the run ends" in done.err
    assert swarm("wait", run).code == 0
    rule = f"rule:{done.json['id']}"
    assert decisions(swarm, run) == [("deny", "user"), ("deny", rule)]
    assert swarm("rules", "--json").json == []


def test_new_rule_answers_open_requests_of_its_project_only(swarm: Swarm, start: Start) -> None:
    mine, other = start("ask 'npm ci'"), start("ask 'npm ci'", project="garden")
    done = swarm("rules", "add", "npm ci", "--project", "shop", "--yes", "--json")
    msgspec.convert(done.json, shapes.DOCUMENTS["rules add"])
    assert swarm("wait", mine).code == 0
    assert decisions(swarm, mine) == [("approve", f"rule:{done.json['id']}")]
    assert [request["run"] for request in swarm("inbox", "--json").json] == [other]


def test_rule_survives_the_end_of_the_supervisor_and_answers_once(
    swarm: Swarm, start: Start, paths: Paths
) -> None:
    run = start("ask 'npm ci'", "ask 'npm ci'", "say done")
    holder = read_holder(paths.lock)
    assert holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    rule = rule_of(swarm("rules", "add", "npm ci", "--run", run, "--yes"))
    assert swarm("wait", run).code == 0
    assert decisions(swarm, run) == [("approve", f"rule:{rule}")] * 2


def test_request_that_no_rule_may_approve(swarm: Swarm, start: Start) -> None:
    rights, odd, two = (start(f"ask{line}") for line in ("-rights network", " 'a\tb'", " 'a; b'"))
    for run, options, message in (
        (rights, (), "No rule can answer"),
        (odd, (), "No rule can answer"),
        (two, ("--prefix",), "not a simple one"),
        (two, ("--for", "batch"), "not part of a batch"),
    ):
        refused = swarm("approve", f"{run}:1:0", "--always", *options, "--yes")
        assert (refused.code, message in refused.err) == (3, True)
    assert len(swarm("inbox", "--json").json) == 3


@pytest.mark.parametrize(
    "words",
    [
        ("approve",),
        ("approve", "x:1:0", "--all"),
        ("approve", "x:1:0", "--kind", "command"),
        ("approve", "--all", "--always"),
        ("approve", "x:1:0", "--prefix"),
        ("approve", "x:1:0", "y:1:0", "--always"),
        ("approve", "--all", "--yes", "--project", "shop"),
        ("deny",),
        ("deny", "x:1:0", "words", "--always"),
        ("rules", "add", "npm ci"),
        ("rules", "add", "npm", "ci", "--project", "shop"),
        ("rules", "add", "--project", "shop"),
        ("rules", "add", "x", "--project", "shop", "--batch", "b"),
        ("rules", "remove"),
        ("rules", "list", "x"),
        ("rules", "ad"),
    ],
)
def test_options_that_do_not_fit_each_other(words: tuple[str, ...]) -> None:
    assert main.run(words) == 2


def test_rule_that_cannot_be(swarm: Swarm) -> None:
    for words in (("npm ci; x", "--prefix"), (".git", "--kind", "patch", "--prefix")):
        refused = swarm("rules", "add", *words, "--project", "shop", "--yes")
        assert (refused.code, "INPUT_INVALID" in refused.err) == (3, True)
    assert swarm("rules", "--json").json == []


def test_stored_rule_that_is_refused_now_answers_nothing() -> None:
    scope = (RuleScope.PROJECT, "shop")
    stored = ApprovalRule(RequestKind.COMMAND, ("uv", "run"), *scope, Decision.APPROVE, True)
    (line,) = rules._lines([stored], 0.0)
    assert "Answers nothing: Commands that begin with `uv run` can run any program." in line
    assert rule_json(stored)["problem"] == "Commands that begin with `uv run` can run any program."


def test_file_name_with_a_tab_is_not_approved_unseen(swarm: Swarm, start: Start) -> None:
    run = start("ask-patch 'a\tb' text")
    done = swarm("approve", "--all", "--kind", "patch", "--yes")
    assert f"{run}:1:0 left open: several lines or hidden characters" in done.err
    assert swarm("deny", f"{run}:1:0").code == 0
    assert swarm("wait", run).code == 0
