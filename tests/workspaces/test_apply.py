"""A run's changes taken home: all or none, and nothing of the user's overwritten."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import repos
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply import file_transaction
from engine.workspaces.apply.apply import (
    ApplyMode,
    ApplyRequest,
    ApplyResult,
    apply,
    check,
    finish_earlier,
)
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create
from engine.workspaces.git.repository import find

BRANCH = "swarm/r1"


@dataclass
class Scene:
    """A source, and a run's workspace made from it with a baseline."""

    source: Path
    root: Path
    run: Checkpoints
    home: Path
    branch: str | None

    def wish(self, how: ApplyMode) -> ApplyRequest:
        return ApplyRequest(self.source, how, self.branch, "The agent's words\n\nAll of them.")

    async def check(self, how: ApplyMode = ApplyMode.EDITS) -> ApplyResult:
        return await check(self.run, self.wish(how), self.home)

    async def apply(self, how: ApplyMode = ApplyMode.EDITS) -> ApplyResult:
        return await apply(self.run, self.wish(how), self.home)

    async def refused(self, how: ApplyMode, *names: str) -> str:
        """Check that nothing changes, that `check` says so first, and that the files are named."""
        before = state(self.source)
        told = await self.check(how)
        assert not told.fits
        assert state(self.source) == before
        with pytest.raises(UserError) as raised:
            await self.apply(how)
        assert raised.value.code == "APPLY_CONFLICT"
        assert state(self.source) == before
        assert all(name in raised.value.message for name in names)
        return raised.value.message


def state(source: Path) -> object:
    if not (source / ".git").exists():
        return repos.files(source)
    return (
        repos.files(source),
        repos.git(source, "for-each-ref"),
        repos.git(source, "rev-parse", "HEAD"),
        repos.git(source, "ls-files", "-s"),
        repos.git(source, "status", "--porcelain", "--ignored"),
        sorted(path.name for path in (source / ".git").iterdir()),
    )


async def scene(
    source: Path, home: Path, kind: str = "worktree", *, uncommitted: bool = False
) -> Scene:
    spec = WorkspaceSpec(WorkspaceKind(kind), str(source), include_uncommitted=uncommitted)
    target = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "checkpoints.git", made.workspace)
    await run.record("baseline")
    return Scene(source, target, run, home, made.workspace.branch)


LINES = "".join(f"line {n}\n" for n in range(30))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(
        tmp_path / "s",
        {"a.txt": LINES, "sub/b.txt": "b\n", "gone": "x\n", "exec": "#!\n", "bin": b"\0\1\2"},
    )


def change(root: Path) -> None:
    """Do everything an agent does to files."""
    repos.write(root, {"a.txt": LINES.replace("line 3\n", "LINE 3\n"), "new/-rf": "n\n"})
    repos.write(root, {"we\nird \udcff": "w\n", "bin": b"\0\1\3"})
    (root / "gone").unlink()
    (root / "exec").chmod(0o755)
    (root / "sub" / "b.txt").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to("/etc")


@pytest.mark.parametrize("kind", ["worktree", "copy"])
async def test_edits_change_the_working_files_only(source: Path, home: Path, kind: str) -> None:
    repos.write(source, {"mine": "untracked\n"})
    here = await scene(source, home, kind)
    change(here.root)
    before = repos.git(source, "ls-files", "-s") + repos.git(source, "for-each-ref")
    told = await here.check()
    done = await here.apply()
    assert (told.files, told.clashes) == (done.files, ())
    wanted = repos.files(here.root) | {"mine": ("file", 0, b"untracked\n")}
    assert repos.files(source) == wanted
    assert repos.git(source, "ls-files", "-s") + repos.git(source, "for-each-ref") == before
    assert (await here.apply()).files == ()
    assert not list((source / ".git").glob(".swarm*"))
    assert not list((home / "placing").iterdir())


async def test_edits_of_a_plain_folder(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "plain"
    repos.write(source, {"a": "a\n", "b": "b\n", "c": "c\n"})
    here = await scene(source, home, "copy")
    repos.write(here.root, {"a": "A\n", "n/n": "n\n"})
    (here.root / "c").unlink()
    (source / "a").chmod(0o664)
    repos.write(source, {"b": "mine\n"})
    await here.apply()
    assert repos.files(source) == repos.files(here.root) | {"b": ("file", 0, b"mine\n")}
    assert (source / "a").stat().st_mode & 0o777 == 0o664
    assert not list(source.glob(".swarm*"))
    repos.write(here.root, {"b": "agent\n"})
    await here.refused(ApplyMode.EDITS, "b (has changed here since the run began)")
    with pytest.raises(UserError, match="no git repository"):
        await here.check(ApplyMode.COMMIT)


async def test_a_commit_on_the_runs_branch(source: Path, home: Path) -> None:
    here = await scene(source, home)
    change(here.root)
    repos.write(source, {"a.txt": "dirty\n"})
    before = repos.files(source), repos.git(source, "status", "--porcelain")
    assert (await here.check(ApplyMode.COMMIT)).fits
    done = await here.apply(ApplyMode.COMMIT)
    assert (repos.files(source), repos.git(source, "status", "--porcelain")) == before
    assert repos.git(source, "rev-parse", BRANCH) == done.commit
    assert repos.git(source, "log", "-1", "--format=%an <%ae> %cn|%P|%B", BRANCH) == (
        "Uma User <uma@example.com> Uma User|"
        + repos.git(source, "rev-parse", "main")
        + "|The agent's words\n\nAll of them."
    )
    assert repos.git(here.root, "status", "--porcelain") == ""
    assert repos.git(source, "fsck", "--strict") == ""
    again = await here.apply(ApplyMode.COMMIT)
    assert (again.files, again.commit) == ((), done.commit)
    repos.git(source, "checkout", "-q", "-f", "main")
    await asyncio.to_thread(lambda: __import__("shutil").rmtree(here.run.git.git_dir))
    assert repos.git(source, "fsck", "--full") == ""  # nothing of it lies in the run's store


@pytest.mark.parametrize("kind", ["worktree", "copy"])
async def test_a_merge_into_the_current_branch(source: Path, home: Path, kind: str) -> None:
    here = await scene(source, home, kind)
    change(here.root)
    repos.write(source, {"a.txt": LINES.replace("line 20\n", "mine\n"), "other": "o\n"})
    mine = repos.commit(source, "mine")
    repos.write(source, {"other": "not committed\n", "untracked": "u\n"})
    repos.write(source, {"staged": "s\n"})
    repos.git(source, "add", "staged")
    assert (await here.check(ApplyMode.MERGE)).fits
    done = await here.apply(ApplyMode.MERGE)
    assert repos.git(source, "rev-parse", "HEAD") == done.commit
    parents = [mine, repos.git(source, "rev-parse", BRANCH)] if kind == "worktree" else [mine]
    assert repos.git(source, "log", "-1", "--format=%P").split() == parents
    assert (source / "a.txt").read_text() == LINES.replace("line 20\n", "mine\n").replace(
        "line 3\n", "LINE 3\n"
    )
    assert set(repos.git(source, "status", "--porcelain").splitlines()) == {
        "A  staged",
        " M other",
        "?? untracked",
    }
    assert repos.git(source, "fsck", "--strict") == ""
    assert (await here.apply(ApplyMode.MERGE)).files == ()


async def test_a_merge_without_other_commits_is_forward(source: Path, home: Path) -> None:
    here = await scene(source, home)
    change(here.root)
    await here.apply(ApplyMode.COMMIT)
    done = await here.apply(ApplyMode.MERGE)
    assert repos.git(source, "rev-parse", BRANCH, "HEAD").split() == [done.commit] * 2
    assert repos.git(source, "log", "--format=%s").splitlines() == ["The agent's words", "first"]
    assert repos.git(source, "status", "--porcelain") == ""
    assert repos.files(source) == repos.files(here.root)


async def test_a_patch_that_git_can_apply(source: Path, home: Path, tmp_path: Path) -> None:
    here = await scene(source, home)
    change(here.root)
    wish = here.wish(ApplyMode.PATCH)
    patch = await repos.written(lambda file: apply(here.run, replace(wish, patch=file), home))
    clone = tmp_path / "clone"
    repos.git(tmp_path, "clone", "-q", str(source), str(clone))
    repos.git(clone, "apply", "--index", "-", stdin=patch)
    assert repos.files(clone) == repos.files(here.root)


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_a_subfolder_of_a_repository_copied(source: Path, home: Path, how: ApplyMode) -> None:
    here = await scene(source / "sub", home, "copy")
    assert here.branch is None
    repos.write(here.root, {"b.txt": "B\n", "c": "c\n"})
    here.branch = None if how is ApplyMode.MERGE else "swarm/own"
    await here.apply(how)
    if how is ApplyMode.COMMIT:
        assert repos.git(source, "show", "swarm/own:sub/b.txt") == "B"
        assert repos.git(source, "status", "--porcelain") == ""
    else:
        assert repos.files(source / "sub") == repos.files(here.root)


async def test_into_a_bare_repository(source: Path, home: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repos.git(tmp_path, "clone", "-q", "--bare", str(source), str(bare))
    here = await scene(bare, home)
    change(here.root)
    assert (await here.check(ApplyMode.COMMIT)).fits
    await here.apply(ApplyMode.COMMIT)
    assert repos.git(bare, "show", f"{BRANCH}:new/-rf") == "n"
    for how in (ApplyMode.EDITS, ApplyMode.MERGE):
        with pytest.raises(UserError, match="bare repository"):
            await here.check(how)


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_into_another_clone(source: Path, home: Path, tmp_path: Path, how: ApplyMode) -> None:
    other = tmp_path / "other"
    repos.git(tmp_path, "clone", "-q", str(source), str(other))
    repos.git(other, "config", "user.name", "Other")
    repos.write(other, {"more": "m\n"})
    repos.commit(other, "only there")
    here = await scene(source, home)
    change(here.root)
    here.source = other
    await here.apply(how)
    assert repos.git(other, "fsck", "--strict") == ""
    if how is ApplyMode.COMMIT:
        assert repos.git(other, "show", f"{BRANCH}:more") == "m"
    else:
        assert repos.files(other) == repos.files(here.root) | {"more": ("file", 0, b"m\n")}


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_from_a_run_that_goes_on_from_another(
    source: Path, home: Path, how: ApplyMode
) -> None:
    first = await scene(source, home)
    repos.write(first.root, {"a.txt": LINES.replace("line 20\n", "first\n")})
    target = first.root.with_name("r2")
    spec = WorkspaceSpec(WorkspaceKind.FROM_RUN, str(first.root))
    made = await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r2" / "checkpoints.git", made.workspace)
    await run.record("baseline")
    here = Scene(source, target, run, home, made.workspace.branch)
    change(target)
    repos.write(target, {"a.txt": LINES.replace("line 20\n", "first\n").replace("3\n", "x\n")})
    await first.apply(ApplyMode.MERGE)
    await here.apply(how)
    if how is ApplyMode.COMMIT:
        assert repos.git(source, "diff", "--name-only", "main", "swarm/r2").count("\n") > 4
    else:
        assert repos.files(source) == repos.files(target)


async def test_a_disk_that_refuses_changes_nothing(
    source: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await scene(source, home)
    change(here.root)
    before = state(source)
    real = file_transaction.FileTransaction._put

    def full(
        self: file_transaction.FileTransaction, below: object, number: int, step: object
    ) -> None:
        if number > 4:
            raise OSError(28, "No space left on device")
        real(self, below, number, step)  # type: ignore[arg-type]  a parameter of the test

    monkeypatch.setattr(file_transaction.FileTransaction, "_put", full)
    for how in (ApplyMode.EDITS, ApplyMode.MERGE):
        with pytest.raises(UserError) as raised:
            await here.apply(how)
        assert raised.value.code == "DISK_FULL"
        assert state(source) == before


async def test_line_ends_stay_what_they_are_on_both_sides(tmp_path: Path, home: Path) -> None:
    files: dict[str, str | bytes] = {".gitattributes": "* text=auto\n*.bat eol=crlf\n"}
    source = repos.repository(tmp_path / "s", files | {"a.bat": "1\n2\n3\n4\n", "b": "b\n"})
    (source / "a.bat").unlink()
    repos.git(source, "checkout", "-q", ".")
    here = await scene(source, home)
    repos.write(here.root, {"a.bat": "1\r\n2\r\n3\r\nfour\r\n", "n.bat": "n\r\n"})
    repos.write(source, {"a.bat": "one\r\n2\r\n3\r\n4\r\n"})
    repos.commit(source, "mine")
    await here.apply(ApplyMode.MERGE)
    assert (source / "a.bat").read_bytes() == b"one\r\n2\r\n3\r\nfour\r\n"
    assert repos.git(source, "show", "HEAD:a.bat").encode() == b"one\n2\n3\nfour"
    assert repos.git(source, "show", "HEAD:n.bat").encode() == b"n"
    assert repos.git(source, "status", "--porcelain") == ""


async def test_what_the_run_began_with_uncommitted_may_be_built_upon(
    source: Path, home: Path
) -> None:
    repos.write(source, {"a.txt": LINES + "mine\n"})
    here = await scene(source, home, uncommitted=True)
    repos.write(here.root, {"a.txt": LINES + "mine\nthe run's\n"})
    await here.apply()
    assert (source / "a.txt").read_text() == LINES + "mine\nthe run's\n"
    repos.write(here.root, {"a.txt": LINES + "mine\nmore\n"})
    await here.apply()
    assert (source / "a.txt").read_text() == LINES + "mine\nmore\n"
    repos.write(source, {"a.txt": LINES + "mine again\nmore\n"})
    repos.write(here.root, {"a.txt": LINES + "mine\nmore and more\n"})
    await here.refused(ApplyMode.EDITS, "a.txt (has uncommitted changes here)")


# What is refused, and changes nothing


async def test_uncommitted_work_where_the_run_changed_it(source: Path, home: Path) -> None:
    here = await scene(source, home)
    change(here.root)
    repos.write(source, {"a.txt": LINES.replace("line 20\n", "mine\n"), "new/-rf": "mine\n"})
    message = await here.refused(ApplyMode.EDITS, "a.txt (has uncommitted changes here)", "new/-rf")
    assert "bin" not in message
    await here.refused(ApplyMode.MERGE, "a.txt (has uncommitted changes here)", "new/-rf")
    assert (await here.check(ApplyMode.COMMIT)).fits


async def test_both_changed_the_same_line(source: Path, home: Path) -> None:
    here = await scene(source, home)
    change(here.root)
    repos.write(source, {"a.txt": LINES.replace("line 3\n", "mine\n"), "bin": b"\0\4"})
    (source / "exec").unlink()
    repos.commit(source, "mine")
    for how in (ApplyMode.EDITS, ApplyMode.MERGE):
        await here.refused(how, "a.txt (changed here and in the run)", "bin", "exec (was deleted")
    assert (await here.check(ApplyMode.COMMIT)).fits


async def test_folders_and_files_in_each_others_way(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"one": "1\n", "two/2": "2\n"})
    repos.write(source, {"one/mine": "m\n", "two": "m\n", ".gitignore": "one\ntwo\n"})
    await here.refused(ApplyMode.EDITS, "one/mine (is in the way)", "two (is in the way)")
    await here.refused(ApplyMode.MERGE, "one/mine (is in the way)", "two (is in the way)")
    repos.git(source, "add", "-f", ".")
    repos.git(source, "commit", "-qm", "x")
    await here.refused(ApplyMode.MERGE, "one (is a folder here)", "two (is in the way)")


async def test_a_link_in_the_source_is_never_followed(
    source: Path, home: Path, tmp_path: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"sub/b.txt": "B\n", "sub/n": "n\n"})
    outside = tmp_path / "outside"
    repos.write(outside, {"b.txt": "b\n"})
    (source / "sub" / "b.txt").unlink()
    (source / "sub").rmdir()
    (source / "sub").symlink_to(outside)
    await here.refused(ApplyMode.EDITS, "sub")
    assert repos.files(outside) == {"b.txt": ("file", 0, b"b\n")}


async def test_in_the_middle_of_something_else(source: Path, home: Path) -> None:
    here = await scene(source, home)
    change(here.root)
    (source / ".git" / "MERGE_HEAD").write_text(repos.git(source, "rev-parse", "HEAD") + "\n")
    await here.refused(ApplyMode.MERGE, "in the middle of something")
    (source / ".git" / "MERGE_HEAD").unlink()
    (source / ".git" / "index.lock").touch()
    with pytest.raises(UserError) as raised:
        await here.apply(ApplyMode.MERGE)
    assert raised.value.code == "WORKSPACE_BUSY"
    (source / ".git" / "index.lock").unlink()
    repos.git(source, "worktree", "remove", "--force", str(here.root))
    repos.write(here.root, {"new": "n\n"})
    repos.git(source, "checkout", "-q", BRANCH)
    await here.refused(ApplyMode.COMMIT, f"the branch {BRANCH} is checked out")


async def test_several_one_after_another(source: Path, tmp_path: Path) -> None:
    first, second = [await scene(source, tmp_path / name) for name in "ab"]
    assert (first.branch, second.branch) == ("swarm/r1", "swarm/r1-2")
    repos.write(first.root, {"a.txt": LINES.replace("line 3\n", "first\n")})
    repos.write(second.root, {"a.txt": LINES.replace("line 25\n", "second\n"), "n": "n\n"})
    await first.apply(ApplyMode.MERGE)
    await second.apply(ApplyMode.MERGE)
    text = (source / "a.txt").read_text()
    assert "first\n" in text
    assert "second\n" in text
    assert repos.git(source, "status", "--porcelain") == ""


# Killed in the middle


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.MERGE])
@pytest.mark.parametrize("step", range(0, 11, 2))
async def test_what_was_cut_short_is_taken_back_by_the_next_call(
    source: Path, home: Path, monkeypatch: pytest.MonkeyPatch, how: ApplyMode, step: int
) -> None:
    here = await scene(source, home)
    change(here.root)
    before = state(source)
    count = 0

    def killed(real):
        def work(*arguments: object) -> object:
            nonlocal count
            count += 1
            if count > step:
                raise Killed
            return real(*arguments)

        return work

    with monkeypatch.context() as patch:
        patch.setattr(
            file_transaction.FileTransaction,
            "_move_aside",
            killed(file_transaction.FileTransaction._move_aside),
        )
        patch.setattr(
            file_transaction.FileTransaction, "_put", killed(file_transaction.FileTransaction._put)
        )
        for name in ("undo", "finish"):
            patch.setattr(file_transaction.FileTransaction, name, lambda self: None)
        with pytest.raises(Killed):
            await here.apply(how)
    assert list((home / "placing").glob("*.json"))
    cut_short = state(source)
    with pytest.raises(UserError, match="killed before it was done"):
        await here.check(how)
    assert state(source) == cut_short
    repository = await find(source)
    await finish_earlier(repository, source, home, really=True)
    assert state(source) == before
    await here.apply(how)
    assert not list((home / "placing").iterdir())
    assert repos.files(source) == repos.files(here.root)


class Killed(BaseException):
    pass


async def test_a_merge_cut_short_after_the_branch_moved_goes_forward(
    source: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await scene(source, home)
    change(here.root)
    lock = source / ".git" / "index.lock"
    with monkeypatch.context() as patch:
        real = Path.rename

        def rename(self: Path, target: Path) -> Path:
            if self == lock:
                raise Killed
            return real(self, target)

        patch.setattr(Path, "rename", rename)
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        patch.setattr(file_transaction.FileTransaction, "finish", lambda self: None)
        with pytest.raises(Killed):
            await here.apply(ApplyMode.MERGE)
    assert lock.exists()
    await here.apply(ApplyMode.MERGE)
    assert not lock.exists()
    assert repos.git(source, "status", "--porcelain") == ""
    assert repos.files(source) == repos.files(here.root)


async def test_a_file_that_changes_at_the_last_moment_is_kept(
    source: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await scene(source, home)
    change(here.root)
    real = file_transaction.FileTransaction.place

    def late(self: file_transaction.FileTransaction, note: str = "") -> None:
        repos.write(source, {"a.txt": "just now\n"})
        real(self, note)

    monkeypatch.setattr(file_transaction.FileTransaction, "place", late)
    for how in (ApplyMode.EDITS, ApplyMode.MERGE):
        repos.git(source, "checkout", "-q", "a.txt")
        before = repos.files(source)
        with pytest.raises(UserError, match="changed just now"):
            await here.apply(how)
        assert repos.files(source) == before | {"a.txt": ("file", 0, b"just now\n")}
        assert repos.git(source, "log", "--format=%s") == "first"


# Any change on either side: `check` tells the truth, the user's work is never touched

NAMES = ["a", "b", "d/a", "d/b", "d", "e/f/g"]
CONTENTS = ["1\n2\n3\n4\n5\n6\n", "x\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\nx\n", "\0", "", "->d"]
layouts = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CONTENTS), max_size=5)


def lay(root: Path, layout: dict[str, str]) -> None:
    for path in [*root.iterdir()]:
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, content in layout.items():
        path = root / name
        if any(parent != root and parent.is_symlink() for parent in path.parents):
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_text(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue


@dataclass(frozen=True)
class Story:
    base: dict[str, str]
    run: dict[str, str]
    committed: dict[str, str] | None
    dirty: dict[str, str] | None
    how: ApplyMode
    kind: str


stories = st.builds(
    Story,
    layouts,
    layouts,
    st.none() | layouts,
    st.none() | layouts,
    st.sampled_from([ApplyMode.EDITS, ApplyMode.MERGE, ApplyMode.COMMIT]),
    st.sampled_from(["worktree", "copy"]),
)


async def begun(story: Story, folder: Path) -> tuple[Scene, dict[str, tuple[str, int, bytes]]]:
    """Play a story up to the point of taking home; gives the source's committed files, too."""
    source = repos.repository(folder / "s", {})
    lay(source, story.base)
    repos.commit(source, "base")
    here = await scene(source, folder / "home", story.kind)
    here.branch = here.branch or "swarm/copy"
    lay(here.root, story.run)
    if story.committed is not None:
        lay(source, story.committed)
        repos.commit(source, "mine")
    clean = repos.files(source)
    if story.dirty is not None:
        lay(source, story.dirty)
    return here, clean


async def play(story: Story, folder: Path) -> None:
    here, clean = await begun(story, folder)
    before, files = state(here.source), repos.files(here.source)
    left = repos.files(here.root)
    changed = {os.fsdecode(pair.path) for pair in await here.run.pairs()}
    told = await here.check(story.how)
    assert state(here.source) == before
    try:
        done = await here.apply(story.how)
    except UserError as error:
        assert (error.code, told.fits) == ("APPLY_CONFLICT", False)
        assert state(here.source) == before
        return
    assert told.fits
    assert done.files == told.files
    after = repos.files(here.source)
    unsaved = {name for name in clean.keys() | files.keys() if clean.get(name) != files.get(name)}
    for name in clean.keys() | files.keys() | after.keys():
        if name not in changed or story.how is ApplyMode.COMMIT:
            assert after.get(name) == files.get(name)
        elif name in unsaved:  # untouched, or it was what the run began with
            assert after.get(name) in (files.get(name), left.get(name))
    if story.committed is None and story.dirty is None and story.how is not ApplyMode.COMMIT:
        assert after == left
    assert (await here.check(story.how)).files == ()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
def test_check_never_lies_and_nothing_of_the_users_is_lost(story: Story) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(story, Path(folder)))
