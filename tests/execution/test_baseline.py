"""The baseline of a run: taken before the agent starts, or the agent does not start."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import repos
from earlier_databases import go_back
from support import of_type, played, settled, spec, statuses, supervising, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.events import CheckpointTaken, StatusChanged
from engine.domain.model import Pause, Run, Status, WorkspaceKind, WorkspaceSetup, WorkspaceSpec
from engine.engine import ApplyMode, CleanupFilter, Engine
from engine.execution.stages import checkpoint


class FakeGit:
    """A git first on PATH that fails where a file says so, and else is the real one."""

    def __init__(self, folder: Path) -> None:
        self._left = folder / "left"
        self._spared = folder / "spared"
        self._log = folder / "log"
        real = shutil.which("git")
        path = folder / "git"
        path.write_text(
            "#!/bin/sh\n"
            f'case " $* " in *" commit-tree "*) ;; *) exec {real} "$@";; esac\n'
            f"left=$(cat {self._left} 2>/dev/null || echo 0); echo try >>{self._log}\n"
            f"spared=$(cat {self._spared} 2>/dev/null || echo 0)\n"
            f'if [ "$spared" -gt 0 ]; then echo $((spared - 1)) >{self._spared}; left=0; fi\n'
            f'[ "$left" -gt 0 ] || exec {real} "$@"\n'
            f"echo $((left - 1)) >{self._left}; kill -9 $$\n"
        )
        path.chmod(0o755)

    def fail(self, times: int, spared: int = 0) -> None:
        """Let the next checkpoints fail, but for so many before them."""
        self._spared.write_text(str(spared))
        self._left.write_text(str(times))

    @property
    def tries(self) -> int:
        """Number of checkpoints that were tried."""
        return self._log.read_text().count("try") if self._log.exists() else 0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(checkpoint, "GAP_S", 0.05)
    monkeypatch.setattr(checkpoint, "TRIES", 3)


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGit:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return FakeGit(folder)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "s", {"a.txt": "one\n", ".gitignore": "cache\n"})


async def order(engine: Engine, run: Run) -> list[str]:
    """The first checkpoint and the agent's start, in the order they were stored."""
    found: list[str] = []
    for event in await engine.events(run.id):
        if isinstance(event.body, CheckpointTaken) and event.body.n == 0:
            found.append("baseline")
        if isinstance(event.body, StatusChanged) and event.body.status is Status.RUNNING:
            found.append("running")
    return found


async def is_unknown(engine: Engine, run: Run) -> None:
    """Check that every question about the run's changes is answered with CHANGES_UNKNOWN."""
    spaces = engine.workspaces
    for ask in (
        spaces.changes(run.id),
        spaces.compare(run.id),
        repos.written(partial(spaces.write_diff, run.id)),
        spaces.checkpoints(run.id),
        spaces.restore(run.id, 0),
        spaces.apply(run.id, ApplyMode.EDITS, check=True),
        spaces.apply(run.id, ApplyMode.EDITS),
        spaces.apply(run.id, ApplyMode.PATCH),
        spaces.save_patch(run.id),
    ):
        with pytest.raises(UserError) as caught:
            await ask
        assert caught.value.code == "CHANGES_UNKNOWN", caught.value
    assert not (await engine.find(run.id)).is_applied
    assert (await engine.disk.unsaved(run.id)).words == "the changes of this run are unknown"
    assert (await engine.disk.plan(CleanupFilter())).take == ()


@pytest.mark.parametrize("kind", ["worktree", "copy", "in-place", "empty"])
async def test_first_checkpoint_fails_once(
    paths: Paths, git: FakeGit, source: Path, kind: str
) -> None:
    wanted = WorkspaceKind(kind)
    where = WorkspaceSpec(wanted, None if wanted is WorkspaceKind.EMPTY else str(source))
    git.fail(1)
    async with supervising(paths) as engine:
        run = await played(engine, "write work.txt work", workspace=where)
        assert run.status is Status.SUCCEEDED
        assert await order(engine, run) == ["baseline", "running"]
        notices = [one.text for one in of_type(await engine.events(run.id), "notice")]
        assert any("first checkpoint" in text for text in notices)
        changed = await engine.workspaces.changes(run.id)
        assert [file.path for file in changed.files] == ["work.txt"]
        if wanted is WorkspaceKind.WORKTREE:
            assert (await engine.disk.plan(CleanupFilter())).take == ()
            assert (await engine.workspaces.apply(run.id, ApplyMode.EDITS)).files == ("work.txt",)
            assert (source / "work.txt").read_text() == "work\n"


async def test_first_checkpoint_always_fails(paths: Paths, git: FakeGit, source: Path) -> None:
    git.fail(100)
    where = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    async with supervising(paths) as engine:
        run = await played(engine, "write work.txt work", workspace=where)
        assert (run.status, run.error and run.error.code) == (Status.FAILED, "GIT_KILLED")
        assert await order(engine, run) == []
        assert run.workspace
        assert not Path(run.workspace.path, "work.txt").exists(), "the agent did not start"
        assert git.tries == 3
        await is_unknown(engine, run)
        git.fail(0)
        await engine.retry(run.id)
        await settled(engine)
        run = engine.view.runs[run.id]
        assert await order(engine, run) == ["baseline", "running"]
        changed = await engine.workspaces.changes(run.id)
        assert [file.path for file in changed.files] == ["work.txt"]
        git.fail(1)
        await engine.retry(run.id, fresh=True)
        await settled(engine)
        run = engine.view.runs[run.id]
        assert await order(engine, run) == ["baseline", "running"] * 2
        assert run.changes.files == 1


async def test_cancelled_while_it_waits_for_the_first_checkpoint(
    paths: Paths, git: FakeGit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FIRST_DELAY_S", 60.0)
    monkeypatch.setattr(checkpoint, "LONGEST_DELAY_S", 60.0)
    git.fail(100)
    async with supervising(paths) as engine:
        run = await engine.start(spec("write work.txt work"))
        await until(engine, lambda: "tries again" in engine.view.runs[run.id].notice)
        await engine.cancel(run.id)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.CANCELLED
        assert Status.RUNNING not in statuses(await engine.events(run.id))


async def test_checkpoint_that_was_never_reported_is_taken_again(
    paths: Paths, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(source))
    taken = asyncio.Event()
    real = checkpoint.Checkpointer._taken  # pyright: ignore[reportPrivateUsage]  what no port shows

    async def cut_short(self: checkpoint.Checkpointer, run: Run) -> list[object]:
        await real(self, run)
        taken.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(checkpoint.Checkpointer, "_taken", cut_short)
    async with supervising(paths) as engine:
        run = await engine.start(spec("write work.txt work", workspace=where))
        await taken.wait()
    monkeypatch.setattr(checkpoint.Checkpointer, "_taken", real)
    (source / "mine.txt").write_text("written by the user in between")
    async with supervising(paths) as engine:
        await settled(engine)
        assert await order(engine, run) == ["baseline", "running"]
        changed = await engine.workspaces.changes(run.id)
        assert [file.path for file in changed.files] == ["work.txt"]


async def test_later_checkpoint_that_fails_is_repeated(paths: Paths, git: FakeGit) -> None:
    async with supervising(paths) as engine:
        git.fail(1, spared=1)
        run = await engine.start(spec("write a.txt 1", "wait 60"))
        await until(engine, lambda: "repeated later" in engine.view.runs[run.id].notice)
        await until(engine, lambda: engine.view.runs[run.id].checkpoint == 1)
        assert engine.view.runs[run.id].status is Status.RUNNING
        await engine.cancel(run.id, kill=True)
        await settled(engine)
        assert engine.view.runs[run.id].changes.files == 1


async def test_store_that_may_not_be_written_is_named_and_the_checkpoint_repeated(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, is_refusing = os.open, False

    def refused(path: Any, *given: Any, **named: Any) -> int:
        if is_refusing and str(path).endswith("swarm.lock"):  # as of an immutable folder
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
        return real(path, *given, **named)

    monkeypatch.setattr("engine.config.locks.os.open", refused)
    async with supervising(paths) as engine:
        run = await engine.start(spec("say ready", "wait 0.2", "write a.txt 1", "wait 60"))
        await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
        is_refusing = True
        await until(engine, lambda: "repeated later" in engine.view.runs[run.id].notice)
        assert "swarm.lock: Operation not permitted" in engine.view.runs[run.id].notice
        is_refusing = False
        await until(engine, lambda: engine.view.runs[run.id].checkpoint == 1)
        await engine.cancel(run.id, kill=True)
        await settled(engine)
        assert engine.view.runs[run.id].changes.files == 1


async def test_last_checkpoint_fails(paths: Paths, git: FakeGit, source: Path) -> None:
    where = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    async with supervising(paths) as engine:
        run = await played(engine, "write a.txt 1", workspace=where)
        await engine.workspaces.apply(run.id, ApplyMode.EDITS)
        assert engine.view.runs[run.id].is_applied
        git.fail(100)  # nothing has changed since: the next attempt starts without a new one
        await engine.resume(run.id, "sim: write b.txt 2")
        await settled(engine)
        run = engine.view.runs[run.id]
        assert run.status is Status.SUCCEEDED
        assert "the work after the last checkpoint is in no checkpoint" in run.notice
        assert not run.is_applied
        git.fail(0)
        assert (await engine.disk.unsaved(run.id)).words == "1 changed file not applied"
        await engine.workspaces.apply(run.id, ApplyMode.EDITS)
        assert engine.view.runs[run.id].is_applied
        assert (source / "b.txt").read_text() == "2\n"


def lose_baseline(store: Path) -> None:
    """Damage a store, and all that says which commit its baseline was."""
    (store / "refs/swarm/checkpoints/0").unlink()
    store.with_suffix(".points.json").unlink()
    (store / "swarm-points").unlink(missing_ok=True)


async def test_store_that_is_damaged_before_the_next_attempt(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, "write work.txt work")
        assert run.workspace
        folder = Path(run.workspace.path)
        await engine.set_pause(Pause("for a test"))
        await engine.resume(run.id, "sim: write more.txt more")
        lose_baseline(paths.checkpoints(run.id, run.workspace.path))
        await engine.set_pause(None)
        await settled(engine)
        run = engine.view.runs[run.id]
        assert (run.status, run.error and run.error.code) == (Status.FAILED, "CHANGES_UNKNOWN")
        assert not (folder / "more.txt").exists()


async def test_fresh_start_in_place_gets_a_new_baseline_where_the_old_one_is_lost(
    paths: Paths, source: Path
) -> None:
    where = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(source))
    async with supervising(paths) as engine:
        run = await played(engine, "write work.txt work", workspace=where)
        await engine.retry(run.id, fresh=True)
        await settled(engine)
        assert engine.view.runs[run.id].changes.files == 1, "the first baseline still counts"
        shutil.rmtree(paths.checkpoints(run.id, str(source)))
        with pytest.raises(UserError) as caught:
            await engine.workspaces.changes(run.id)
        assert caught.value.code == "CHANGES_UNKNOWN"
        await engine.retry(run.id, prompt="sim: write more.txt more", fresh=True)
        await settled(engine)
        run = engine.view.runs[run.id]
        assert run.status is Status.SUCCEEDED
        changed = await engine.workspaces.changes(run.id)
        assert [file.path for file in changed.files] == ["more.txt"]


async def test_baseline_comes_after_the_set_up(paths: Paths, git: FakeGit, source: Path) -> None:
    where = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    setup = WorkspaceSetup(setup=("echo made >made.txt",))
    git.fail(1)
    async with supervising(paths) as engine:
        run = await played(engine, "write work.txt work", workspace=where, preparation=setup)
        assert await order(engine, run) == ["baseline", "running"]
        changed = await engine.workspaces.changes(run.id)
        assert [file.path for file in changed.files] == ["work.txt"]
        again = WorkspaceSpec(WorkspaceKind.FROM_RUN, run.id)
        git.fail(1)
        later = await played(engine, "write more.txt more", workspace=again)
        assert await order(engine, later) == ["baseline", "running"]
        changed = await engine.workspaces.changes(later.id)
        assert [file.path for file in changed.files] == ["more.txt"]


@pytest.mark.parametrize("damage", ["baseline", "cut", "objects", "store"])
async def test_damaged_store_is_not_begun_again(paths: Paths, source: Path, damage: str) -> None:
    where = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    async with supervising(paths) as engine:
        run = await played(engine, "write work.txt work", workspace=where)
        assert run.workspace
        store = paths.checkpoints(run.id, run.workspace.path)
        if damage == "baseline":
            lose_baseline(store)
        elif damage == "cut":
            lose_baseline(store)
            (store / "refs/swarm/checkpoints/0").write_text("")
        elif damage == "objects":
            for part in (store / "objects").iterdir():
                if part.name != "info":
                    shutil.rmtree(part)
        else:
            shutil.rmtree(store)
        await is_unknown(engine, run)
        with pytest.raises(UserError) as caught:
            await engine.disk.delete(run.id, including_unsaved=False)
        assert caught.value.code == "WORK_UNSAVED"
        for ask in (engine.resume(run.id, "sim: write more.txt more"), engine.retry(run.id)):
            with pytest.raises(UserError) as caught:
                await ask
            assert caught.value.code == "CHANGES_UNKNOWN"
        await engine.retry(run.id, fresh=True)
        await settled(engine)
        run = engine.view.runs[run.id]
        assert run.status is Status.SUCCEEDED
        assert [file.path for file in (await engine.workspaces.changes(run.id)).files] == [
            "work.txt"
        ]
        plan = await engine.disk.plan(CleanupFilter())
        assert sorted(item.why for item in plan.keep) == [
            "1 changed file not applied",
            "the changes of this run are unknown",
        ]


async def test_run_of_an_older_version_without_a_baseline(paths: Paths, source: Path) -> None:
    where = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    async with supervising(paths) as engine:
        good = await played(engine, "write work.txt work", workspace=where)
        late = await played(engine, "write late.txt late", workspace=where)
        bare = await played(engine, "write bare.txt bare", workspace=where)
        cut = await engine.start(spec(workspace=WorkspaceSpec(WorkspaceKind.EMPTY)))
        await settled(engine)
    with closing(sqlite3.connect(paths.database)) as db, db:
        db.execute("UPDATE runs SET state = json_remove(state, '$.baseline')")
        of = "run = (SELECT key FROM runs WHERE id = ?)"
        # The first checkpoint of `late` came after the agent had started, that of `bare` never.
        (last,) = db.execute(f"SELECT max(seq) FROM events WHERE {of}", (late.id,)).fetchone()
        db.execute(
            f"UPDATE events SET seq = ? WHERE {of} AND type = 'checkpoint'"
            " AND json_extract(data, '$.n') = 0",
            (last + 1, late.id),
        )
        db.execute(f"DELETE FROM events WHERE {of} AND type = 'checkpoint'", (bare.id,))
        go_back(db, BEFORE_BASELINES)
    async with supervising(paths) as engine:
        assert (await engine.find(good.id)).baseline is True
        assert (await engine.find(cut.id)).baseline is True
        assert [file.path for file in (await engine.workspaces.changes(good.id)).files] == [
            "work.txt"
        ]
        for run in (late, bare):
            found = await engine.find(run.id)
            assert found.has_unknown_changes
            with pytest.raises(UserError) as caught:
                await engine.workspaces.apply(run.id, ApplyMode.EDITS)
            assert caught.value.code == "CHANGES_UNKNOWN"
            assert (await engine.disk.unsaved(run.id)).words


BEFORE_BASELINES = 5
"""The version of databases that did not know whether a baseline was taken."""
