"""Damaged stores of checkpoints come back as they were, or the error says that they cannot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import repos
from repos import git

from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind
from engine.workspaces.checkpoints.checkpoints import Checkpoints

REF = "refs/swarm/checkpoints"


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with two checkpoints, of `one` and `two`."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a.txt").write_text("one\n")
    made = await Checkpoints.make(tmp_path / "run" / "store.git", workspace(tmp_path))
    await made.record("first")
    (root / "a.txt").write_text("two\n")
    await made.record("second")
    return tmp_path / "run" / "store.git"


def workspace(tmp_path: Path) -> Workspace:
    return Workspace(str(tmp_path / "tree"), WorkspaceKind.EMPTY)


def empty(name: str) -> Callable[[Path], None]:
    return lambda store: (store / name).write_bytes(b"")


def remove(name: str) -> Callable[[Path], None]:
    return lambda store: (store / name).unlink()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(empty("HEAD"), id="empty HEAD"),
        pytest.param(remove("HEAD"), id="no HEAD"),
        pytest.param(empty(f"{REF}/0"), id="empty baseline"),
        pytest.param(remove(f"{REF}/0"), id="no baseline"),
    ],
)
async def test_what_is_known_comes_back(
    store: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    before = git(store, "rev-parse", f"{REF}/0", f"{REF}/1")
    (store / "swarm-points").unlink(missing_ok=True)
    damage(store)
    opened = await Checkpoints.open(store, workspace(tmp_path))
    assert git(store, "rev-parse", f"{REF}/0", f"{REF}/1") == before
    assert "+two" in (await repos.written(opened.write_diff)).decode()


async def test_a_baseline_whose_objects_are_lost_is_an_error(store: Path, tmp_path: Path) -> None:
    for part in (store / "objects" / "pack").iterdir():
        part.unlink()
    (store / f"{REF}/0").write_bytes(b"")
    with pytest.raises(UserError) as caught:
        await Checkpoints.open(store, workspace(tmp_path))
    assert caught.value.code == "CHANGES_UNKNOWN"
    assert (store / f"{REF}/0").read_bytes() == b""


async def test_lost_packs_are_reported_as_unknown_changes(store: Path, tmp_path: Path) -> None:
    for part in (store / "objects" / "pack").iterdir():
        part.unlink()
    opened = await Checkpoints.open(store, workspace(tmp_path))
    between = partial(opened.write_diff, since=0, until=1)
    writing = [repos.written(one) for one in (between, opened.write_diff)]
    for ask in (*writing, opened.changes(0, 1)):
        with pytest.raises(UserError) as caught:
            await ask
        assert caught.value.code == "CHANGES_UNKNOWN"
    assert [point.n for point in await opened.list()] == [0, 1]
