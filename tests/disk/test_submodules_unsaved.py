"""Submodules and nested repositories of a run: unsaved work until they are somewhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from disk_runs import done, folder
from support import settled, spec, supervising

from engine.config.paths import Paths
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, CleanupFilter, Engine

FILE = ("-c", "protocol.file.allow=always")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    library = repos.repository(tmp_path / "library", {"code.c": "1\n"})
    source = repos.repository(tmp_path / "s", {"a.txt": "one\n"})
    repos.git(source, *FILE, "submodule", "add", "-q", str(library), "lib")
    repos.commit(source, "with a library")
    return source


async def kept(engine: Engine, run: Run) -> str:
    """Return why a clean-up leaves a run alone; empty where it does not."""
    plan = await engine.disk.plan(CleanupFilter())
    return "".join(item.why for item in plan.keep if item.run == run.id)


async def deleted(engine: Engine, run: Run) -> Path:
    wish = CleanupFilter(runs=frozenset([run.id]), including_unsaved=True)
    report = await engine.disk.clean(await engine.disk.plan(wish), wish)
    assert [one.failure for one in report.cleaned] == [None]
    await engine.disk.empty(list(await engine.disk.trash()))
    return engine.paths.run(run.id)


def bundled(kept: Path, into: Path) -> str:
    """Return the subjects of the commits in all bundles, fetched as a user would."""
    for number, bundle in enumerate(sorted(kept.glob("unsaved*.bundle"))):
        for what in (f"+refs/*:refs/kept/{number}/*", f"+HEAD:refs/kept/{number}/head"):
            repos.git(into, "fetch", "-q", str(bundle), what, ok=False)
    return repos.git(into, "log", "--all", "--format=%s")


async def test_update_of_a_submodule(paths: Paths, source: Path, tmp_path: Path) -> None:
    repos.write(tmp_path / "library", {"code.c": "2\n"})
    new = repos.commit(tmp_path / "library", "second")
    repos.git(source, "submodule", "--quiet", "deinit", "-f", "lib")  # else it is filled
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        assert await kept(engine, run) == ""
        repos.git(folder(run), "update-index", "--cacheinfo", f"160000,{new},lib")
        assert await kept(engine, run) == "1 changed submodule not applied"
        await engine.workspaces.apply(run.id, ApplyMode.EDITS)
        assert await kept(engine, run) == "1 changed submodule not applied"
        await engine.workspaces.apply(run.id, ApplyMode.MERGE)
        assert await kept(engine, run) == ""
        run = await done(engine, source=source)
        repos.git(folder(run), "rm", "-q", "lib")
        words = "1 changed file not applied, 1 changed submodule not applied"
        assert await kept(engine, run) == words
        assert b"Subproject commit" in (await deleted(engine, run) / "unsaved.patch").read_bytes()


async def test_commits_in_a_submodule(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        repos.git(folder(run), *FILE, "submodule", "update", "--init", "-q")
        repos.write(folder(run) / "lib", {"code.c": "mine\n"})
        repos.commit(folder(run) / "lib", "mine")
        repos.git(folder(run), "commit", "-qam", "update")
        assert "1 commit of lib in no other repository" in await kept(engine, run)
        await engine.workspaces.apply(run.id, ApplyMode.MERGE)
        assert await kept(engine, run) == ""  # the source's submodule has it
        repos.write(folder(run) / "lib", {"code.c": "more\n"})
        repos.commit(folder(run) / "lib", "more")
        assert "1 commit of lib in no other repository" in await kept(engine, run)
        assert "more" in bundled(await deleted(engine, run), source / "lib")


async def test_nested_repository(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        repos.repository(folder(run) / "own", {"x": "x\n"})
        words = await kept(engine, run)
        assert "1 changed submodule not applied" in words
        assert "1 commit of own in no other repository" in words
        await engine.workspaces.apply(run.id, ApplyMode.EDITS)
        assert await kept(engine, run) == "1 commit of own in no other repository"
        assert "first" in bundled(await deleted(engine, run), source)


async def test_worktrees_of_a_copy(paths: Paths, source: Path, tmp_path: Path) -> None:
    repos.git(source, "worktree", "add", "-q", "--detach", str(tmp_path / "users"))
    repos.git(tmp_path / "users", "commit", "-q", "--allow-empty", "-m", "the user's")
    async with supervising(paths) as engine:
        workspace = WorkspaceSpec(WorkspaceKind.COPY, str(source))
        run = await engine.start(spec("say done", workspace=workspace))
        await settled(engine)
        run = await engine.find(run.id)
        assert await kept(engine, run) == ""
        repos.git(folder(run), "worktree", "add", "-q", "--detach", "tree")
        repos.git(folder(run) / "tree", "commit", "-q", "--allow-empty", "-m", "detached")
        assert "1 commit in no other repository" in await kept(engine, run)
        assert "detached" in bundled(await deleted(engine, run), source)


async def test_worktrees_in_a_workspace(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        repos.git(folder(run), "worktree", "add", "-q", "-b", "named", "tree")
        repos.git(folder(run) / "tree", "commit", "-q", "--allow-empty", "-m", "on a branch")
        assert "commit" not in await kept(engine, run)
        repos.git(folder(run) / "tree", "checkout", "-q", "--detach")
        repos.git(folder(run) / "tree", "commit", "-q", "--allow-empty", "-m", "detached")
        assert "1 commit of tree in no other repository" in await kept(engine, run)
        assert "detached" in bundled(await deleted(engine, run), source)
