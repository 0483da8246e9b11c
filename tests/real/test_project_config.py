"""Codex's own settings of a project apply alike in a worktree and in a copy of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from house import NewHouse, ended, happened, task
from loopback import MODEL, LoopbackServer, codex_binary
from repos import repository

from engine.domain.events import Notice
from engine.domain.model import Sandbox, Status, WorkspaceKind, WorkspaceSpec

OWN = 'model = "gpt-5.4"\n'
LEVELS = ("trusted", "untrusted", None)


def _codexes() -> list[str]:
    named = os.environ.get("SWARM_TEST_CODEX")
    return [codex_binary(), *([named] if named else [])]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("codex", _codexes(), ids=["own", "newest"][: len(_codexes())])
async def test_settings_of_a_project_apply_alike(
    codex: str, level: str | None, new_house: NewHouse, server: LoopbackServer, lab: Path
) -> None:
    source = repository(lab / "source", {"a.txt": "x\n", ".codex/config.toml": OWN})
    house = new_house()
    config = house.codex_home / "config.toml"
    if level:
        entry = f'[projects."{source}"]\ntrust_level = "{level}"\n'
        config.write_text(config.read_text() + entry)
    models: set[object] = set()
    noticed: list[bool] = []
    async with house.engine() as engine:
        for kind in (WorkspaceKind.WORKTREE, WorkspaceKind.COPY):
            spec = task("hello", codex_bin=codex, workspace=WorkspaceSpec(kind, str(source)))
            # Read only: Codex 0.163 would write down that it trusts the folder.
            spec = replace(spec, sandbox=Sandbox.READ_ONLY)
            run = await ended(engine, await engine.start(spec))
            assert run.status is Status.SUCCEEDED
            models.add(server.requests[-1].body["model"])
            told = [notice.text for notice in await happened(engine, run, Notice)]
            noticed.append(any(text.startswith("Codex does not apply .codex/") for text in told))
    assert models == {"gpt-5.4" if level == "trusted" else MODEL}
    assert noticed == [level != "trusted"] * 2
