"""The run whose agent started the server, where it was not named."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
from mcp_clients import ToolFailed, tools_of
from support import played, script, spec

from engine.config import run_environment
from engine.config.settings import McpSettings
from engine.domain.budget import Budget
from engine.domain.model import Run
from engine.engine import Engine
from tui.cli.mcp.parent_run import find_surrounding, take_environment


async def test_server_started_in_a_workspace_is_that_of_its_run(
    engine: Engine, parent: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    assert find_surrounding(engine.view.runs.values()) is None
    assert parent.workspace
    below = Path(parent.workspace.path) / "deep"
    below.mkdir()
    monkeypatch.chdir(below)
    assert find_surrounding(engine.view.runs.values()) == parent


async def test_server_belongs_to_the_innermost_workspace(
    engine: Engine, parent: Run, monkeypatch: pytest.MonkeyPatch
):
    assert parent.workspace
    outer = replace(parent.workspace, path=str(Path(parent.workspace.path).parent))
    around = replace(parent, id="outer", workspace=outer)
    monkeypatch.chdir(parent.workspace.path)
    assert find_surrounding([around, parent]) == parent
    assert find_surrounding([parent, around]) == parent


async def test_children_get_the_environment_of_their_parent(
    engine: Engine, parent: Run, monkeypatch: pytest.MonkeyPatch
):
    home = os.environ["SWARM_HOME"]
    monkeypatch.setattr(os, "environ", os.environ.copy())
    path = engine.paths.environment(parent.id)
    path.write_bytes(run_environment.encoded({"TOKEN_OF_PARENT": "x", "SWARM_HOME": "/other"}))
    take_environment(engine.paths, parent.id)
    assert (os.environ["TOKEN_OF_PARENT"], os.environ["SWARM_HOME"]) == ("x", home)


async def test_two_starts_at_once_do_not_share_what_is_left_of_a_budget(engine: Engine):
    parent = await engine.start(spec("hang", budget=Budget(1000)))
    async with tools_of(engine, parent.id) as tools:
        starts = [tools.call("start_run", prompt=script("hang"), budget="800") for _ in range(2)]
        done = await asyncio.gather(*starts, return_exceptions=True)
    assert [type(one) for one in done].count(ToolFailed) == 1
    await engine.cancel_all(engine.view.runs, kill=True)


@pytest.mark.parametrize("settings", [McpSettings(others="none")])
async def test_names_of_hidden_runs_are_in_no_error(engine: Engine, parent: Run):
    hidden = [await played(engine, "say hello", title="secret title") for _ in range(2)]
    common = hidden[0].id[:1]
    async with tools_of(engine, parent.id) as tools:
        for name in (common, hidden[0].id[:-1] + "zz"):
            for tool, key in (("show_run", name), ("cancel_runs", [name])):
                arguments = {"run": key} if tool == "show_run" else {"runs": key}
                with pytest.raises(ToolFailed) as caught:
                    await tools.call(tool, **arguments)
                assert caught.value.code in ("RUN_AMBIGUOUS", "RUN_NOT_FOUND")
                assert "secret title" not in str(caught.value)
                assert not any(run.id in str(caught.value) for run in hidden)


@pytest.mark.parametrize(
    ("tool", "more"), [("retry_run", {}), ("resume_run", {"message": script("say more")})]
)
async def test_run_that_goes_on_uses_no_budget_that_others_have_now(
    engine: Engine, tool: str, more: dict[str, str]
):
    parent = await engine.start(spec("hang", budget=Budget(100_000)))
    async with tools_of(engine, parent.id) as tools:
        prompt = script("say hello", "fail no")
        first = (await tools.call("start_run", prompt=prompt))["run"]["id"]
        await tools.call("wait_for_runs", runs=[first])
        second = (await tools.call("start_run", prompt=script("hang")))["run"]["id"]
        with pytest.raises(ToolFailed) as caught:
            await tools.call(tool, run=first, **more)
        assert caught.value.code == "RIGHTS_EXCEEDED"
        await tools.call("cancel_runs", runs=[second], kill=True)
        await tools.call("wait_for_runs", runs=[second])
        assert (await tools.call(tool, run=first, **more))["run"]["id"] == first
    await engine.cancel_all(engine.view.runs, kill=True)
