"""The command line that the form shows means the very run that the form starts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from engine.domain.model import Agent, Sandbox, WorkspaceKind
from tui.cli.commands.run import make_spec, run
from tui.cli.support import options
from tui.cli.support.workspace_options import workspace_of
from tui.models.draft import FIELDS, Draft

NOW = 1_900_000_000.0
TYPED = {
    "title": 'It\'s a "title"',
    "project": "-shop",
    "model": "gpt-x",
    "timeout": "1.5h",
    "retries": "3",
    "budget": "200k",
    "at": "+30m",
}

PLACED = {
    "base": "origin/main",
    "fetch": "yes",
    "cwd": "packages/a b",
    "env": "CI=1 'NAME=a b'",
    "output-schema": "answer.json",
    "image": "/a.png 'b c.png'",
    "add-dir": "/usr",
}


@pytest.mark.parametrize(
    "draft",
    [
        {"prompt": "Fix it"},
        {"prompt": "-v is broken\n\n$(rm -rf ~) `x` 'y' \\", "agent": Agent.SIMULATED},
        {"prompt": "x" * 200, "kind": WorkspaceKind.WORKTREE, "include_uncommitted": True},
        {"prompt": "Copy", "kind": WorkspaceKind.COPY, "include_uncommitted": True},
        {"prompt": "Here", "kind": WorkspaceKind.IN_PLACE, "sandbox": Sandbox.READ_ONLY},
        {"prompt": "More", "kind": WorkspaceKind.FROM_RUN, "earlier": "@last"},
        {"prompt": "All", "typed": TYPED},
        {"prompt": "Tree", "kind": WorkspaceKind.WORKTREE, "typed": PLACED},
        {"prompt": "No tree", "typed": {**PLACED, "cwd": ""}},
    ],
    ids=lambda draft: draft["prompt"][:8],
)
def test_the_form_and_its_command_line_mean_the_same(
    draft: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options.time, "time", lambda: NOW)
    folder = tmp_path.resolve() / "a b'c"
    folder.mkdir()
    written = Draft(folder=str(folder), **draft)
    assert not dict(written.problems(NOW))
    words = shlex.split(written.command_line())
    assert words[:2] == ["swarm-tui", "run"]
    with run.make_context("run", words[2:]) as context:
        asked = dict(context.params)
    asked["workspace"] = workspace_of(asked)
    prompt = asked.pop("prompt")
    sandbox = Sandbox(asked["sandbox"] or Sandbox.WORKSPACE_WRITE)
    assert make_spec(prompt, asked, sandbox) == written.spec(Sandbox.WORKSPACE_WRITE, NOW)


def test_every_field_of_the_form_has_its_flag() -> None:
    flags = {flag for parameter in run.params for flag in parameter.opts}
    assert {field.flag for field in FIELDS} <= flags
