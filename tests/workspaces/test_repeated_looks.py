"""Looks at a workspace that build on the one before: they find what a look at everything finds."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import repos
from scenes import Scene, scene

from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.snapshot import Missing
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.git import Git

STEPS = 15
ODD = os.fsdecode(b"odd-\xff\xfe")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "source")


@pytest.fixture
def gits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands of git that are started."""
    started: list[str] = []
    real = Git._start

    def start(self: Git, arguments: tuple[str | bytes, ...], *more: object) -> object:
        started.append(str(arguments[0]))
        return real(self, arguments, *more)  # pyright: ignore  passed on as it came

    monkeypatch.setattr(Git, "_start", start)
    return started


def step(root: Path, rolled: random.Random) -> None:
    """Do to one file what an agent may do to it."""
    name = rolled.choice(["a.txt", "sub/b.txt", "forced.ign", "more/c.ign", "new.txt", ODD])
    path = root / name
    text = rolled.choice(["one\n", "two\n"])
    actions: list[Callable[[], object]] = [
        lambda: path.write_text(text),
        lambda: same_times(path, text),
        lambda: path.unlink(),
        lambda: path.rename(root / "moved.txt"),
        lambda: path.chmod(rolled.choice([0o644, 0o755])),
        lambda: (path.unlink(missing_ok=True), path.symlink_to("/etc/hostname")),
        lambda: (path.unlink(missing_ok=True), os.mkfifo(path)),
        lambda: (path.unlink(missing_ok=True), repos.repository(path)),
        lambda: (root / ".gitignore").write_text(rolled.choice(["*.ign\n", "*.txt\n", "sub\n"])),
    ]
    if path.parent != root:
        actions.append(lambda: (shutil.rmtree(path.parent), path.parent.symlink_to("/etc")))
    if path.parent.is_symlink():
        path.parent.unlink()
    path.parent.mkdir(exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    if not path.is_file():
        path.unlink(missing_ok=True)
        path.write_text(text)
    rolled.choice(actions)()


def same_times(path: Path, text: str) -> None:
    """Change a file to a text of the same length, and set its time back."""
    info = path.lstat()
    path.write_text(text)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


async def without_memory(here: Scene, monkeypatch: pytest.MonkeyPatch) -> Checkpoints:
    """Make another store of the workspace, for which git is asked again what is missing."""
    assert here.workspace
    made = await Checkpoints.make(here.home / "runs" / "r2" / "c.git", here.workspace)
    await made.record("baseline")
    real = made.baselines.missing

    async def missing(tree: str | None, known: Missing | None) -> Missing:
        found = await real(tree)
        return found[0], sorted(found[1])

    monkeypatch.setattr(made.baselines, "missing", missing)
    return made


@pytest.mark.parametrize("seed", range(3))
async def test_a_look_finds_what_one_finds_that_asks_git_again(
    source: Path, home: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "more").mkdir()
    repos.write(source, {"forced.ign": "X\n", "more/c.ign": "C\n", ".gitignore": "*.ign\n"})
    repos.git(source, "add", "-f", ".")
    repos.commit(source, "files that git ignores")
    here, rolled = await scene(source, home, "copy"), random.Random(seed)
    other = await without_memory(here, monkeypatch)
    shutil.rmtree(here.root / ".git")  # no index says what counts: the baseline does
    for _ in range(STEPS):
        await asyncio.to_thread(step, here.root, rolled)
        assert await here.run.changes() == await other.changes()


async def test_a_look_starts_two_gits(source: Path, home: Path, gits: list[str]) -> None:
    here = await scene(source, home)
    (here.root / "new.txt").write_text("1\n")
    await here.run.changes()
    for number in range(3):
        (here.root / "new.txt").write_text(f"{number}\n")
        gits.clear()
        assert [one.path for one in (await here.run.changes()).files] == ["new.txt"]
        assert gits == ["ls-files", "diff-tree"]
    (here.root / "a.txt").unlink()
    await here.run.changes()
    await here.run.changes()  # asks what of the baseline is gone
    gits.clear()
    assert [one.path for one in (await here.run.changes()).files] == ["a.txt", "new.txt"]
    assert gits == ["ls-files", "diff-tree"]


def test_paths_are_looked_at_together_as_one_by_one(tmp_path: Path) -> None:
    repos.write(tmp_path, {"a": "1", "b": "2"})
    for folder in ("in", "in/deep", "closed"):
        (tmp_path / folder).mkdir()
        repos.write(tmp_path, {f"{folder}/c": "3"})
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "in" / "pipe")
    (tmp_path / "closed").chmod(0)
    names = "a b in in/ in/c in/deep/c in/pipe in/gone gone/c a/c out/hostname link . .. in/.. /a"
    paths = [b"", *(name.encode() for name in f"{names} ../x closed/c closed/ in//c".split())]
    found: dict[bytes, os.stat_result] = {}
    refused: list[bytes] = []
    with RootedDir(tmp_path) as below:
        together, left = dict(below.look(paths, left_out := list[bytes]())), left_out
        for path in paths:
            try:
                info = below.stat(path)
            except OSError:
                refused.append(path)
            else:
                found |= {path: info} if info else {}
    (tmp_path / "closed").chmod(0o700)
    assert (together, left) == (found, refused)
    assert {b"a", b"in/pipe", b"link"} < together.keys()
    assert {b"out/hostname", b"in/..", b"../x"}.isdisjoint(together)
