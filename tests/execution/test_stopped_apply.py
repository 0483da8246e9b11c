"""An apply, or its undo, that is stopped: no file is changed, or it was too late and all are."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support import played, supervising

from engine.config.paths import Paths
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, Engine
from engine.workspaces.apply.applied_history import AppliedHistory
from engine.workspaces.apply.file_transaction import FileTransaction
from engine.workspaces.service import Workspaces

LIMIT_S = 60
BRINGING = (ApplyMode.EDITS, ApplyMode.MERGE)


@dataclass
class Gate:
    """A place where a thread waits until a test lets it pass."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def wait(self, *_: object) -> None:
        self.reached.set()
        assert self.opened.wait(LIMIT_S)

    async def stopped(self, work: asyncio.Future[object]) -> None:
        """Cancel what waits here, and let it pass."""
        assert await asyncio.to_thread(self.reached.wait, LIMIT_S)
        work.cancel()
        await asyncio.sleep(0)
        self.opened.set()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "Uma"),
        ("config", "user.email", "uma@example.com"),
        ("add", "-A"),
        ("commit", "-qm", "first"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture
async def engine(paths: Paths) -> AsyncIterator[Engine]:
    """An engine that runs what is queued."""
    async with supervising(paths) as opened:
        yield opened


async def changing(engine: Engine, source: Path) -> Run:
    """A run that changed one file, and made another."""
    place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    return await played(engine, "write a.txt two", "write b.txt new", workspace=place)


@pytest.mark.parametrize("how", BRINGING)
async def test_stopped_while_files_are_written_aside_nothing_is_changed(
    engine: Engine, source: Path, how: ApplyMode
) -> None:
    run, gate = await changing(engine, source), Gate()
    applying = asyncio.ensure_future(engine.workspaces.apply(run.id, how, looked=gate.wait))
    await gate.stopped(applying)
    with pytest.raises(asyncio.CancelledError):
        await applying
    assert (source / "a.txt").read_text() == "one\n"
    assert sorted(path.name for path in source.iterdir()) == [".git", "a.txt"]
    assert not (await engine.find(run.id)).applied
    done = await engine.workspaces.apply(run.id, how)
    assert done.files == ("a.txt", "b.txt")
    assert (source / "a.txt").read_text() == "two\n"


@pytest.mark.parametrize("how", BRINGING)
async def test_stopped_when_files_are_in_their_place_it_is_applied_whole_and_recorded(
    engine: Engine, source: Path, how: ApplyMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, gate, place = await changing(engine, source), Gate(), FileTransaction.place

    def slow(moving: FileTransaction, note: str = "") -> None:
        place(moving, note)
        gate.wait()

    monkeypatch.setattr(FileTransaction, "place", slow)
    applying = asyncio.ensure_future(engine.workspaces.apply(run.id, how))
    await gate.stopped(applying)
    assert (await applying).files == ("a.txt", "b.txt")
    assert (source / "a.txt").read_text() == "two\n"
    assert (await engine.find(run.id)).is_applied


async def test_an_undo_that_is_stopped_leaves_what_was_applied(
    engine: Engine, source: Path
) -> None:
    run, gate = await changing(engine, source), Gate()
    await engine.workspaces.apply(run.id, ApplyMode.EDITS)
    undoing = asyncio.ensure_future(engine.workspaces.undo_apply(run.id, gate.wait))
    await gate.stopped(undoing)
    with pytest.raises(asyncio.CancelledError):
        await undoing
    assert (source / "a.txt").read_text() == "two\n"
    assert (await engine.find(run.id)).is_applied
    await engine.workspaces.undo_apply(run.id)
    assert (source / "a.txt").read_text() == "one\n"


async def test_the_files_of_an_apply_are_counted(engine: Engine, source: Path) -> None:
    run, seen = await changing(engine, source), list[tuple[int, int]]()
    await engine.workspaces.apply(
        run.id, ApplyMode.EDITS, looked=lambda done, of: seen.append((done, of))
    )
    assert seen == [(0, 2), (1, 2)]


@pytest.mark.parametrize("step", ["_record_undone", "forget_edits"])
async def test_an_undo_whose_process_ended_can_be_finished(
    engine: Engine, source: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await changing(engine, source)
    await engine.workspaces.apply(run.id, ApplyMode.EDITS)

    async def ended(*_: object) -> None:
        raise ProcessEnded

    with monkeypatch.context() as patch:
        owner = Workspaces if step == "_record_undone" else AppliedHistory
        patch.setattr(owner, step, ended)
        with pytest.raises(ProcessEnded):
            await engine.workspaces.undo_apply(run.id)
    assert (source / "a.txt").read_text() == "one\n"
    if (await engine.find(run.id)).applied:
        done = await engine.workspaces.undo_apply(run.id)
        assert done.files == ("a.txt", "b.txt")
    assert not (await engine.find(run.id)).applied
    assert (await engine.workspaces.apply(run.id, ApplyMode.EDITS)).files == ("a.txt", "b.txt")
    await engine.workspaces.undo_apply(run.id)
    assert (source / "a.txt").read_text() == "one\n"
    assert not (source / "b.txt").exists()
    assert not (await engine.find(run.id)).applied


class ProcessEnded(Exception):
    """The end of a process, after which nothing of it is done."""
