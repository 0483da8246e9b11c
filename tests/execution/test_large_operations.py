"""Operations on many runs: stopped in the middle, and with costs that grow with the runs only."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import repos
from support import played, quick, spec, supervising

from engine.config.paths import Paths
from engine.disk.trash import Trash
from engine.domain.activity import Steps
from engine.domain.model import Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import BatchRequest, CleanupFilter, Engine
from engine.runs import forgetting, requests
from engine.system import child


async def waiting(engine: Engine, count: int, one: RunSpec) -> list[Run]:
    """Queue runs that nobody starts."""
    plan = await engine.swarms.plan(BatchRequest(one, count=count))
    return (await engine.swarms.start(plan))[1]


@contextmanager
def programs() -> Generator[list[str]]:
    """Yield the git commands that are started."""
    found = list[str]()

    def start(words: Sequence[str | bytes], **options: Any) -> Popen[bytes]:
        found.append(" ".join(map(str, words)))
        return Popen(words, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "Popen", start)
        yield found


async def test_a_stopped_cancel_leaves_the_rest_in_the_queue(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "AT_ONCE", 4)
    told: list[tuple[int, int]] = []
    async with Engine.open(paths, quick()) as engine:
        ids = [run.id for run in await waiting(engine, 10, spec())]

        def looked(done: int, of: int) -> None:
            told.append((done, of))

        steps = Steps(looked, stop=lambda: len(told) == 2)
        done = await engine.cancel_all(ids, work=steps)
        assert told == [(4, 10), (8, 10)]
        assert [run.id for run in done] == ids[:8]
        left = await engine.runs(statuses=[Status.QUEUED])
        assert {run.id for run in left} == set(ids[8:])
        assert len(await engine.cancel_all(ids)) == 2


async def test_forgetting_twice_the_runs_starts_no_more_programs(
    paths: Paths, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "source")
    one = spec(workspace=WorkspaceSpec(WorkspaceKind.WORKTREE, str(source)))
    counts: list[int] = []
    async with Engine.open(paths, quick()) as engine:
        for count in (4, 8):
            runs = await waiting(engine, count, one)
            await engine.cancel_all([run.id for run in runs])
            with programs() as started:
                assert len(await engine.forgetting.forget(run.id for run in runs)) == count
            counts.append(len(started))
    assert counts[0] == counts[1] > 0  # the refs that held their commits go in one step
    assert not repos.git(source, "for-each-ref", "refs/swarm").strip()


async def test_forgetting_that_is_stopped_brings_every_workspace_back(paths: Paths) -> None:
    empty = WorkspaceSpec(WorkspaceKind.EMPTY)
    async with supervising(paths) as engine:
        runs = [await played(engine, "write a.txt x", workspace=empty) for _ in range(3)]
        ids, told = [run.id for run in runs], list[tuple[str, int, int]]()

        def hear(work: str, done: int, of: int) -> None:
            told.append((work, done, of))

        gone = await engine.forgetting.forget(
            ids,
            including_unsaved=True,
            told=hear,
            stop=lambda: (forgetting.MOVING, 1, 3) in told,
        )
        assert gone == []
        assert [work for work, *_ in told].count(forgetting.CHECKING) == 3
        assert {run.id for run in await engine.runs()} == set(ids)
        assert await engine.disk.trash() == []
        assert all(Path(run.workspace.path, "a.txt").is_file() for run in runs if run.workspace)
        assert await engine.forgetting.forget(ids, including_unsaved=True) == ids


async def test_emptying_the_trash_reads_no_entry_again_for_each_one(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = WorkspaceSpec(WorkspaceKind.EMPTY)
    async with supervising(paths) as engine:
        runs = [await played(engine, "write a.txt x", workspace=empty) for _ in range(3)]
        wish = CleanupFilter(runs=frozenset(run.id for run in runs), including_unsaved=True)
        await engine.disk.clean(await engine.disk.plan(wish), wish)
        entries = await engine.disk.trash()
        assert len(entries) == 3
        told: list[tuple[int, int]] = []

        def looked(done: int, of: int) -> None:
            told.append((done, of))

        def read(_: Trash, folder: Path) -> None:
            pytest.fail(f"{folder} was read")

        monkeypatch.setattr(Trash, "_read", read)
        done = await engine.disk.empty(entries, looked=looked)
        assert (done, told) == (3, [(0, 3), (1, 3), (2, 3)])
        assert not any(paths.environment(run.id).exists() for run in runs)
