"""Codex's session files of runs here: whose they are, and only those of no use ever go."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from disk_runs import done, folder
from support import settled, supervising

from engine.config.paths import Paths
from engine.engine import CleanupFilter, DiskUsage, Engine, LocationKind

SESSIONS = CleanupFilter(sessions=True)


def session(home: Path, cwd: str, *, day: str = "2026/11/02") -> Path:
    """Write a session as Codex does."""
    path = home / "sessions" / day / f"rollout-2026-11-02T10-00-00-{uuid.uuid4()}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "session_meta", "payload": {"cwd": cwd}}) + "\n")
    return path


async def whys(engine: Engine) -> dict[str, str]:
    """Return why each session stays or goes, by its run."""
    plan = await engine.disk.plan(SESSIONS)
    return {item.run: item.why.partition(",")[0] for item in (*plan.take, *plan.keep)}


async def test_one_that_a_run_may_be_resumed_from_stays(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "say done")
        assert await whys(engine) == {run.id: "can be resumed"}
        await engine.disk.delete(run.id)
        assert await whys(engine) == {run.id: "can be resumed"}  # undo brings it back
        assert (await engine.disk.plan(SESSIONS)).take == ()
        await engine.disk.empty(await engine.disk.trash())
        plan = await engine.disk.plan(SESSIONS)
        assert [item.run for item in plan.take] == [run.id]
        report = await engine.disk.clean(plan, SESSIONS)
        assert [one.failure for one in report.cleaned] == [None]
        assert not Path(plan.take[0].path).exists()
        assert "removed a session" in engine.view.runs[run.id].notice
        assert await whys(engine) == {}


async def test_an_earlier_thread_goes_and_the_last_one_stays(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "say first")
        await engine.retry(run.id, fresh=True)
        await settled(engine)
        plan = await engine.disk.plan(SESSIONS)
        assert [item.why.partition(",")[0] for item in plan.take] == ["of an earlier thread"]
        assert [item.why.partition(",")[0] for item in plan.keep] == ["can be resumed"]
        thread = engine.view.runs[run.id].thread_id
        assert thread
        assert thread in plan.keep[0].path


async def test_what_the_user_went_on_with_stays(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "say done")
        await engine.disk.delete(run.id)
        await engine.disk.empty(await engine.disk.trash())
        plan = await engine.disk.plan(SESSIONS)
        path = Path(plan.take[0].path)
        later = path.stat().st_mtime + 3600
        os.utime(path, (later, later))
        (cleaned,) = (await engine.disk.clean(plan, SESSIONS)).cleaned
        assert cleaned.failure
        assert "gone on with by hand" in cleaned.failure.message
        assert path.exists()


async def test_nothing_else_in_codex_home_is_ever_named(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "codex"
    monkeypatch.setenv("CODEX_HOME", str(home))
    orphan = session(home, str(paths.workspaces / "web" / "1abc"))
    (paths.workspaces / "web" / "there").mkdir(parents=True)
    standing = session(home, str(paths.workspaces / "web" / "there"))
    others = [
        session(home, "/somewhere/else"),
        session(home, str(paths.workspaces / "web" / ".." / "x")),
        session(home, str(paths.home)),
    ]
    aside = tmp_path / "aside"
    hidden = session(aside, str(paths.workspaces / "web" / "2abc"), day="2026/11/03")
    (home / "sessions" / "2026" / "11" / "03").symlink_to(hidden.parent)
    linked = orphan.with_name(f"rollout-x-{uuid.uuid4()}.jsonl")
    linked.symlink_to(hidden)
    odd = orphan.with_name(f"rollout-y-{uuid.uuid4()}.jsonl")
    odd.write_bytes(b'{"payload": {"cwd": 7}}\n\xff')
    os.mkfifo(orphan.with_name(f"rollout-z-{uuid.uuid4()}.jsonl"))
    for name in ("auth.json", "config.toml"):
        (home / name).write_text("mine")
    async with supervising(paths) as engine:
        found: list[DiskUsage] = []
        await engine.disk.measure(found.append)
        ours = {u.place.path: u.place.state for u in found if u.place.kind is LocationKind.ROLLOUT}
        assert ours == {orphan: "of no run that is known", standing: "its workspace is there"}
        plan = await engine.disk.plan(SESSIONS)
        assert [item.path for item in plan.take] == [str(orphan)]
        await engine.disk.clean(plan, SESSIONS)
    assert not orphan.exists()
    for path in (*others, standing, hidden, linked, odd, home / "auth.json", home / "config.toml"):
        assert path.exists()


async def test_a_folder_that_is_there_again_keeps_its_session(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "say done")
        entry = await engine.disk.delete(run.id)
        await engine.disk.empty([entry])
        plan = await engine.disk.plan(SESSIONS)
        folder(run).mkdir(parents=True)
        (cleaned,) = (await engine.disk.clean(plan, SESSIONS)).cleaned
        assert cleaned.failure
        assert Path(plan.take[0].path).exists()


async def test_sessions_of_sub_agents_archived_and_compressed_ones_are_the_run_s(
    paths: Paths,
) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "say done")
        (kept,) = (await engine.disk.plan(SESSIONS)).keep
        own = Path(kept.path)
        agent = session(paths.agent_home("simulated"), "/elsewhere")
        payload = {"cwd": "/elsewhere", "session_id": engine.view.runs[run.id].thread_id}
        agent.write_text(json.dumps({"type": "session_meta", "payload": payload}) + "\n")
        archive = paths.agent_home("simulated") / "archived_sessions"
        archive.mkdir()
        compressed = own.rename(archive / f"{own.name}.zst")
        plan = await engine.disk.plan(SESSIONS)
        assert plan.take == ()
        found = {item.path: item.run for item in plan.keep}
        assert found == {str(agent): run.id, str(compressed): run.id}
        if program := shutil.which("zstd"):  # whose a compressed one is, its first line says
            await asyncio.to_thread(subprocess.run, [program, "-q", "--rm", agent], check=True)
            plan = await engine.disk.plan(SESSIONS)
            found = {item.path: item.run for item in plan.keep}
            assert found == {f"{agent}.zst": run.id, str(compressed): run.id}
