"""Work in the corners of a workspace, where agents leave it: it is seen, and kept when it goes."""

from __future__ import annotations

import asyncio
import tarfile
from pathlib import Path

import pytest
import repos
from disk_runs import done, folder
from support import settled, spec, supervising

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, CleanupFilter, Engine


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository that ignores what holds secrets, what is built, and a folder of notes."""
    ignored = "*.log\n*.pyc\n.env\nbuild/\nnode_modules/\nnotes/\n"
    source = repos.repository(tmp_path / "s", {"a.txt": "one\n", ".gitignore": ignored})
    repos.write(source, {".env": "KEY=1\n"})
    return source


async def copied(engine: Engine, source: Path) -> Run:
    workspace = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    run = await engine.start(spec(workspace=workspace))
    await settled(engine)
    return engine.view.runs[run.id]


async def words(engine: Engine, run: Run) -> str:
    """Return what is nowhere else; what is, a clean-up leaves alone."""
    found = await engine.disk.unsaved(run.id)
    plan = await engine.disk.plan(CleanupFilter())
    kept = [item.why for item in plan.keep if item.run == run.id]
    assert kept == ([found.words] if found else [])
    return found.words


async def gone(engine: Engine, run: Run) -> Path:
    """Delete a workspace for good, and give where what was kept of it lies."""
    wish = CleanupFilter(runs=frozenset([run.id]), including_unsaved=True)
    report = await engine.disk.clean(await engine.disk.plan(wish), wish)
    assert [one.failure for one in report.cleaned] == [None]
    (entry,) = await engine.disk.trash()
    assert not entry.is_only_here
    assert await engine.disk.empty([entry]) == 1
    return engine.paths.run(run.id)


def fetched(bundle: Path, into: Path) -> str:
    """Fetch all that a bundle holds, as a user would."""
    for what in ("+refs/*:refs/kept/*", "+HEAD:refs/kept/head"):
        repos.git(into, "fetch", "-q", str(bundle), what, ok=False)  # it may hold one of both
    repos.git(into, "fsck", "--strict")
    return repos.git(into, "log", "--all", "--format=%s")


async def test_secrets_that_git_ignores(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        here = folder(run)
        assert await words(engine, run) == ""
        repos.write(here, {"build/x": "built", "node_modules/y": "z", "a.pyc": "", "err.log": "l"})
        repos.write(here, {".env": "KEY=1\n"})
        assert await words(engine, run) == ""  # the source has the same
        repos.write(here, {".env": "KEY=2\n", "notes/plan.md": "to do"})
        assert await words(engine, run) == "2 ignored files (.env, …)"
        kept = await gone(engine, run)
    with tarfile.open(kept / "unsaved-ignored.tar") as archive:
        assert sorted(archive.getnames()) == [".env", "notes/plan.md"]
        secret = archive.extractfile(".env")
        assert secret
        assert secret.read() == b"KEY=2\n"


async def test_all_that_an_agent_hides_by_its_own_rules(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        (folder(run) / ".gitignore").write_text("*\n")
        (folder(run) / "work.txt").write_text("work\n")
        assert "ignored file" in await words(engine, run)


async def test_stashes_of_a_copy(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await copied(engine, source)
        for text in ("first", "second"):
            (folder(run) / "a.txt").write_text(text)
            repos.git(folder(run), "stash", "push", "-q", "-m", text)
        assert "in no other repository" in await words(engine, run)
        kept = await gone(engine, run)
    said = fetched(kept / "unsaved.bundle", source)
    assert "On main: second" in said
    assert "On main: first" in said  # it is in no ref of the copy, only in a reflog


async def test_commits_on_a_detached_head_whose_branch_is_gone(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        here = folder(run)
        repos.git(here, "checkout", "-q", "--detach")
        repos.write(here, {"work.txt": "work"})
        commit = repos.commit(here, "work")
        state = "1 changed file not applied, 1 commit on no other branch"
        assert await words(engine, run) == state
        repos.git(here, "branch", "-D", f"swarm/{run.id}")
        repos.git(here, "revert", "--no-edit", "HEAD")
        assert await words(engine, run) == "2 commits on no other branch"
        await engine.disk.delete(run.id)
        repos.git(source, "reflog", "expire", "--expire=now", "--all")
        repos.git(source, "gc", "-q", "--prune=now")
        await engine.disk.undo()
        assert repos.git(here, "log", "-1", "--format=%H", "HEAD~") == commit
        kept = await gone(engine, run)
    assert "work" in fetched(kept / "unsaved.bundle", source)


async def test_commits_beside_what_was_taken_home(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        here = folder(run)
        repos.write(here, {"home.txt": "home"})
        repos.commit(here, "home")
        await engine.workspaces.apply(run.id, ApplyMode.EDITS)
        assert await words(engine, run) == ""
        repos.git(here, "checkout", "-q", "--detach")
        repos.git(here, "branch", "-f", f"swarm/{run.id}", "HEAD~")
        repos.git(here, "checkout", "-q", f"swarm/{run.id}")
        repos.write(here, {"aside.txt": "aside"})
        repos.commit(here, "aside")
        repos.git(here, "checkout", "-q", "--detach", "HEAD~")
        repos.write(here, {"home.txt": "home"})
        assert await words(engine, run) == "1 commit on no other branch"


async def test_repositories_that_an_agent_made(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        repos.repository(folder(run) / "notes" / "own", {"deep.txt": "deep"})  # ignored
        repos.git(folder(run) / "notes" / "own", "rm", "-q", "deep.txt")
        repos.commit(folder(run) / "notes" / "own", "last")
        assert await words(engine, run) == "2 commits of notes/own in no other repository"
        kept = await gone(engine, run)
    assert "last" in fetched(kept / "unsaved.bundle", source)


async def test_a_worktree_whose_git_was_replaced(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        here = folder(run)
        repos.write(here, {"work.txt": "work"})
        repos.commit(here, "on the branch")
        (here / "work.txt").unlink()
        (here / ".git").unlink()
        repos.git(here, "init", "-q", "-b", "main")
        repos.commit(here, "of its own")
        found = await words(engine, run)
        assert "1 commit on no other branch" in found
        assert "1 commit in no other repository" in found
        kept = await gone(engine, run)
    log = [fetched(one, source) for one in sorted(kept.glob("unsaved*.bundle"))]
    assert "of its own" in "".join(log)
    assert "on the branch" in "".join(log)


async def test_a_submodule_in_a_worktree(paths: Paths, source: Path, tmp_path: Path) -> None:
    library = repos.repository(tmp_path / "library")
    allow = ("-c", "protocol.file.allow=always")
    repos.git(source, *allow, "submodule", "add", "-q", str(library), "lib")
    repos.commit(source, "with a library")
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        here = folder(run)
        repos.git(here, *allow, "submodule", "update", "--init", "-q")
        assert "commit" not in await words(engine, run)  # it was fetched
        repos.write(here / "lib", {"work.txt": "work"})
        commit = repos.commit(here / "lib", "in the library")
        repos.git(here / "lib", "checkout", "-q", "HEAD~")
        assert "1 commit of lib in no other repository" not in await words(engine, run)
        repos.git(here / "lib", "branch", "kept", commit)
        assert "1 commit of lib in no other repository" in await words(engine, run)
        await engine.disk.delete(run.id)
        await engine.disk.undo()
        assert repos.git(here / "lib", "log", "-1", "--format=%s", "kept") == "in the library"
        kept = await gone(engine, run)
    bundles = [fetched(one, library) for one in kept.glob("unsaved*.bundle")]
    assert "in the library" in "".join(bundles)


async def test_two_clean_ups_at_once(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine, Engine.open(paths) as other:
        run = await done(engine, source=source)
        plan = await engine.disk.plan(CleanupFilter())
        both = await asyncio.gather(
            engine.disk.clean(plan, CleanupFilter()), other.disk.clean(plan, CleanupFilter())
        )
        failures = [one.failure for report in both for one in report.cleaned]
        assert sorted(one.code for one in failures if one) == ["WORKSPACE_MISSING"]
        assert len(await engine.disk.trash()) == 1
        assert (await engine.find(run.id)).in_trash
        with pytest.raises(UserError) as caught:
            await engine.resume(run.id, "sim: say more")
        assert "is in the trash" in caught.value.message


async def test_a_retry_while_it_is_deleted(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        await asyncio.gather(
            engine.disk.delete(run.id), engine.retry(run.id), return_exceptions=True
        )
        await settled(engine)
        after = await engine.find(run.id)
        assert after.in_trash != folder(run).is_dir()
        assert after.in_trash == bool(await engine.disk.trash())


async def test_a_branch_that_the_user_has_checked_out_stays(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "write work.txt work", source=source)
        repos.git(folder(run), "checkout", "-q", "--detach")
        repos.git(source, "checkout", "-q", f"swarm/{run.id}")
        await engine.disk.delete(run.id)
        assert repos.git(source, "branch", "--show-current") == f"swarm/{run.id}"
        assert repos.git(source, "status", "--porcelain") == ""
        await engine.disk.undo()
        assert (folder(run) / "work.txt").is_file()
