"""Applied work counts as saved only while it can be reached; else the branch or workspace stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import repos
from disk_runs import done, folder
from support import settled, spec, supervising

from engine.config.paths import Paths
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, CleanupFilter, Engine

LINES = "".join(f"line {n}\n" for n in range(20))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "s", {"a.txt": LINES, "gone": "x\n"})


def work(root: Path) -> None:
    repos.write(root, {"a.txt": LINES.replace("line 3\n", "LINE 3\n"), "new": "one\ntwo\n"})
    (root / "gone").unlink()


def forget(source: Path) -> None:
    """Let git drop all that no ref reaches."""
    repos.git(source, "reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all")
    repos.git(source, "gc", "-q", "--prune=now")


async def cleaned(engine: Engine, run: Run, **more: bool) -> str:
    """Clean up, empty the trash, and return the reason that the plan gave."""
    wish = CleanupFilter(runs=frozenset([run.id]), **more)
    plan = await engine.disk.plan(wish)
    report = await engine.disk.clean(plan, wish)
    assert [one.failure for one in report.cleaned] == [None] * len(plan.take)
    await engine.disk.empty(await engine.disk.trash())
    (item,) = (*plan.take, *plan.keep)
    assert folder(run).is_dir() == (item in plan.keep)
    return item.why


def merged_elsewhere(source: Path, branch: str) -> None:
    repos.git(source, "merge", "-q", branch)


def tagged(source: Path, branch: str) -> None:
    repos.git(source, "tag", "kept", branch)


def fetched(source: Path, branch: str) -> None:
    repos.git(source, "update-ref", "refs/remotes/origin/x", branch)


def in_another_worktree(source: Path, branch: str) -> None:
    repos.git(source, "worktree", "add", "-q", "--detach", str(source.parent / "wt"), branch)


REACHED: list[Callable[[Path, str], None]] = [
    merged_elsewhere,
    tagged,
    fetched,
    in_another_worktree,
]


async def test_a_commit_that_only_the_branch_holds_keeps_the_branch(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        work(folder(run))
        branch = f"swarm/{run.id}"
        commit = (await engine.workspaces.apply(run.id, ApplyMode.COMMIT)).commit
        why = await cleaned(engine, run)
        assert why.endswith(f"nothing is lost, the branch {branch} stays")
        forget(source)
        assert repos.git(source, "rev-parse", branch) == commit
        repos.git(source, "fsck", "--strict")


@pytest.mark.parametrize("reached", REACHED)
async def test_a_commit_that_another_ref_reaches_lets_the_branch_go(
    paths: Paths, source: Path, reached: Callable[[Path, str], None]
) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        work(folder(run))
        commit = (await engine.workspaces.apply(run.id, ApplyMode.COMMIT)).commit
        branch = f"swarm/{run.id}"
        reached(source, branch)
        assert (await cleaned(engine, run)).endswith("nothing is lost")
        forget(source)
        assert repos.git(source, "branch", "--list", branch) == ""
        assert repos.git(source, "cat-file", "-t", commit or "") == "commit"


@pytest.mark.parametrize("is_forward", [True, False])
async def test_a_merge_that_was_reset_keeps_the_branch(
    paths: Paths, source: Path, is_forward: bool
) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        work(folder(run))
        if not is_forward:
            repos.write(source, {"mine": "m\n"})
            repos.commit(source, "mine")
        before = repos.git(source, "rev-parse", "HEAD")
        await engine.workspaces.apply(run.id, ApplyMode.MERGE)
        repos.git(source, "reset", "-q", "--hard", before)
        why = await cleaned(engine, run)
        assert why.endswith(f"nothing is lost, the branch swarm/{run.id} stays")
        forget(source)
        assert repos.git(source, "show", f"swarm/{run.id}:new") == "one\ntwo"


async def test_deleting_it_by_key_keeps_the_branch_and_undo_finds_it(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        work(folder(run))
        await engine.workspaces.apply(run.id, ApplyMode.COMMIT)
        branch = f"swarm/{run.id}"
        repos.git(source, "config", f"branch.{branch}.description", "kept")
        await engine.disk.delete(run.id)
        assert (await engine.find(run.id)).notice.endswith(f"the branch {branch} stays")
        forget(source)
        await engine.disk.undo(run.id)
        assert repos.git(folder(run), "branch", "--show-current") == branch
        assert repos.git(folder(run), "status", "--porcelain") == ""
        assert repos.git(source, "config", f"branch.{branch}.description") == "kept"


async def test_a_fresh_start_keeps_what_the_first_one_delivered(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        work(folder(run))
        commit = (await engine.workspaces.apply(run.id, ApplyMode.COMMIT)).commit
        await engine.retry(run.id, fresh=True)
        await settled(engine)
        wish = CleanupFilter(including_unsaved=True)
        report = await engine.disk.clean(await engine.disk.plan(wish), wish)
        assert [one.failure for one in report.cleaned] == [None, None]
        await engine.disk.empty(await engine.disk.trash())
        forget(source)
        assert repos.git(source, "rev-parse", f"swarm/{run.id}") == commit


def checked_out(source: Path) -> None:
    repos.git(source, "checkout", "-q", ".")
    repos.git(source, "clean", "-qfd")


def stash_dropped(source: Path) -> None:
    repos.git(source, "stash", "push", "-q", "-u")
    repos.git(source, "stash", "drop", "-q")


def committed_and_reset(source: Path) -> None:
    repos.commit(source, "the run's")
    repos.git(source, "reset", "-q", "--hard", "HEAD~")


def replaced(source: Path) -> None:
    repos.write(source, {"new": "mine\n", "a.txt": LINES})


@pytest.mark.parametrize("undo", [checked_out, stash_dropped, committed_and_reset, replaced])
@pytest.mark.parametrize("kind", [WorkspaceKind.WORKTREE, WorkspaceKind.COPY])
async def test_edits_that_were_taken_back_are_unsaved_again(
    paths: Paths, source: Path, kind: WorkspaceKind, undo: Callable[[Path], None]
) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec(workspace=WorkspaceSpec(kind, str(source))))
        await settled(engine)
        run = engine.view.runs[run.id]
        work(folder(run))
        await engine.workspaces.apply(run.id, ApplyMode.EDITS)
        assert (await engine.disk.unsaved(run.id)).words == ""
        undo(source)
        count = "2 applied files" if undo is replaced else "3 applied files"
        assert f"{count} no longer in the source" in await cleaned(engine, run)


def committed(source: Path) -> None:
    repos.commit(source, "the run's")


def committed_on_another_branch(source: Path) -> None:
    repos.git(source, "switch", "-qc", "other")
    repos.commit(source, "the run's")
    repos.git(source, "switch", "-q", "main")


def stashed(source: Path) -> None:
    repos.git(source, "stash", "push", "-q", "-u")
    repos.write(source, {"b": "b\n"})
    repos.git(source, "stash", "push", "-q", "-u")  # an older one is in the stash's log only


def committed_then_deleted(source: Path) -> None:
    repos.commit(source, "the run's")
    repos.git(source, "rm", "-qr", ".")
    repos.commit(source, "away")


def amended(source: Path) -> None:
    repos.commit(source, "the run's")
    repos.git(source, "commit", "-q", "--amend", "-m", "mine", "--author", "B <b@example.com>")


def built_upon(source: Path) -> None:
    repos.write(source, {"a.txt": LINES.replace("line 3\n", "LINE 3\n") + "mine\n"})
    repos.write(source, {"new": "one\nmine\ntwo\n"})


KEPT = [committed, committed_on_another_branch, stashed, committed_then_deleted, amended]


@pytest.mark.parametrize("keep", [*KEPT, built_upon])
async def test_edits_are_saved_where_they_are_reached(
    paths: Paths, source: Path, keep: Callable[[Path], None]
) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        work(folder(run))
        repos.commit(folder(run), "a step")
        await engine.workspaces.apply(run.id, ApplyMode.EDITS)
        keep(source)
        assert (await cleaned(engine, run)).endswith("nothing is lost")
        bundle = engine.paths.run(run.id) / "unsaved.bundle"
        repos.git(source, "fetch", "-q", str(bundle), "+refs/*:refs/kept/*")
        assert "a step" in repos.git(source, "log", "--all", "--format=%s")


async def test_a_merge_of_a_copy_that_was_reset_is_unsaved_again(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        workspace = WorkspaceSpec(WorkspaceKind.COPY, str(source))
        run = await engine.start(spec(workspace=workspace))
        await settled(engine)
        run = engine.view.runs[run.id]
        work(folder(run))
        await engine.workspaces.apply(run.id, ApplyMode.MERGE)
        assert (await engine.disk.unsaved(run.id)).words == ""
        repos.git(source, "reset", "-q", "--hard", "HEAD~")
        assert "3 applied files no longer in the source" in await cleaned(engine, run)


async def test_a_merge_that_was_squashed_is_found_by_its_content(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        workspace = WorkspaceSpec(WorkspaceKind.COPY, str(source))
        run = await engine.start(spec(workspace=workspace))
        await settled(engine)
        run = engine.view.runs[run.id]
        work(folder(run))
        await engine.workspaces.apply(run.id, ApplyMode.MERGE)
        repos.write(source, {"mine": "m\n"})
        repos.git(source, "add", "-A")
        repos.git(source, "commit", "-q", "--amend", "-m", "squashed")
        forget(source)
        assert (await engine.disk.unsaved(run.id)).words == ""


async def test_the_settings_of_a_branch_go_and_come_with_it(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        branch = f"swarm/{run.id}"
        for name in (branch, f"{branch}.x", f"{branch}-2", branch.upper(), "main"):
            repos.git(source, "config", f"branch.{name}.remote", "origin")
            repos.git(source, "config", "--add", f"branch.{name}.merge", "refs/heads/x")
        repos.git(source, "config", "--add", f"branch.{branch}.merge", "refs/heads/y")
        before = sorted(repos.git(source, "config", "--list").splitlines())
        await engine.disk.delete(run.id)
        left = sorted(repos.git(source, "config", "--list").splitlines())
        assert left == [
            line
            for line in before
            if not line.startswith(f"branch.{branch}.m")
            and not line.startswith(f"branch.{branch}.r")
        ]
        assert f'[branch "{branch}"]' not in (source / ".git" / "config").read_text()
        await engine.disk.undo(run.id)
        assert sorted(repos.git(source, "config", "--list").splitlines()) == before
