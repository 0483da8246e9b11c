"""`workspace.root`: where workspaces are created, refused where that is unsafe, never lost."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import repos
from support import played, quick, spec, supervising

from engine.config import workspace_roots
from engine.config.paths import Paths
from engine.config.settings import WorkspaceSettings, parse
from engine.config.values import RootFolder
from engine.disk import locations
from engine.disk.cleanup_plan import CleanupFilter
from engine.disk.locations import LocationKind
from engine.disk.trash import Trash
from engine.doctor import check_root
from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from engine.execution.local.recorded import workspace_of
from engine.workspaces.create import create, root
from engine.workspaces.create.isolation import check_apart
from engine.workspaces.files import removal


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "src" / "api")


def settings(folder: Path | None) -> WorkspaceSettings:
    return WorkspaceSettings(root=RootFolder(folder) if folder else None)


def worktree(source: Path) -> WorkspaceSpec:
    return WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))


@pytest.mark.parametrize(
    "value", ["ws", "./ws", "", "~nobody-at-all/ws", "$HOME/ws", "/a\\u0007", "/a\\0b", "7"]
)
def test_a_root_that_is_not_absolute_is_a_mistake(value: str) -> None:
    with pytest.raises(UserError, match=r"workspace\.root"):
        parse(f'workspace:\n  root: "{value}"\n', "config.yaml")


def test_a_home_directory_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    assert parse("workspace:\n  root: ~/a/../ws/\n", "c").workspace.root == "/h/ws"
    assert parse("workspace: {}\n", "c").workspace.root is None


def hostile(tmp_path: Path, source: Path, paths: Paths) -> dict[str, Path]:
    """Roots that are refused, by a word of the error."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "x")
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (tmp_path / "inside").symlink_to(source)
    repos.git(source, "worktree", "add", "-q", str(tmp_path / "linked"))
    return {
        "is not a folder": tmp_path / "file",
        "be used: Not a dir": tmp_path / "file" / "below",
        "or a link": tmp_path / "loop",
        "that leads to none": tmp_path / "nowhere",
        "every user": open_to_all,
        "the repository of": source / "ws",
        "lies in the repository": tmp_path / "inside" / "deep" / "ws",
        "repository of the": source / ".git" / "ws",
        "lies in the repository of": tmp_path / "linked" / "ws",
        "repository of the source": source.parent,  # `<root>/api` is the source
        "lies in the home": paths.home / "runs",
        "in the home of swarm-tui": paths.home,
        "contains the home": paths.home.parent,
        "be used": Path("/proc/self/ws"),
    }


async def test_hostile_roots_are_refused_before_anything_is_queued(
    tmp_path: Path, source: Path
) -> None:
    paths = Paths(tmp_path / "own" / "home", tmp_path / "config.yaml")
    async with Engine.open(paths, quick()) as engine:
        for words, folder in hostile(tmp_path, source, paths).items():
            engine._services.config = quick(workspace=settings(folder))
            wish = spec("say x", workspace=worktree(source), project="api")
            with pytest.raises(UserError, match=words) as caught:
                await engine.start(wish)
            assert caught.value.code in ("INPUT_INVALID", "WORKSPACE_UNSAFE"), folder
            assert str(folder) in caught.value.message
        assert await engine.runs() == []
    assert workspace_roots.chosen(paths.home) == []


async def test_a_root_in_another_runs_workspace_is_refused(tmp_path: Path) -> None:
    home, first = tmp_path / "home", tmp_path / "ws"
    empty = RunSpec("x", "x", "p")
    root.check(first, empty, home)
    with pytest.raises(UserError, match="lies in a workspace"):
        root.check(first / "p" / "r1" / "ws", empty, home)
    with pytest.raises(UserError, match="the workspaces of swarm-tui"):
        check_apart(first / "p" / "r1", home)
    with pytest.raises(UserError, match="holds the workspaces"):
        copy = WorkspaceSpec(WorkspaceKind.COPY, str(first))
        await asyncio.to_thread(create.check, copy, 1 << 30, home)


def test_doctor_names_a_root_that_is_missing_or_open_to_agents(tmp_path: Path) -> None:
    assert "is missing" in check_root(tmp_path / "ws").message
    assert "sandboxed agents" in check_root(Path("/tmp")).message


async def test_a_root_on_another_file_system_has_a_trash_of_its_own(
    tmp_path: Path, source: Path
) -> None:
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    paths = Paths(tmp_path / "home", tmp_path / "config.yaml")
    with TemporaryDirectory(dir=other) as folder:
        wish = RunSpec("x", "x", "api", workspace=worktree(source))
        root.check(Path(folder), wish, paths.home)
        target = paths.workspace("api", "r1", folder)
        run = Run("r1", wish, 0.0)
        run.workspace = await asyncio.to_thread(
            create.create, wish.workspace, target, paths.home, lambda: False
        )
        trash = Trash(paths)
        entry = await trash.put(run)
        assert not target.exists()
        await trash.restore(entry)
        assert (target / "a.txt").is_file()
        entry = await trash.put(run)
        assert removal.remove(trash.doom(entry)).left == []
        assert trash.list() == []


async def test_a_template_file_in_a_root_counts_as_an_agents(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home", tmp_path / "config.yaml")
    root.check(tmp_path / "ws", RunSpec("x", "x", "p"), paths.home)
    async with Engine.open(paths, quick(), follow=False) as engine:
        assert engine.templates.is_foreign(tmp_path / "ws" / "p" / "r1" / "x.yaml", None)
        assert not engine.templates.is_foreign(tmp_path / "wss" / "x.yaml", None)


async def test_workspaces_of_an_earlier_root_are_not_lost(tmp_path: Path, source: Path) -> None:
    """Shown, cleaned up and brought back after the setting has changed."""
    paths = Paths(tmp_path / "home", tmp_path / "config.yaml")
    chosen = tmp_path / "deep" / "ws"
    async with supervising(paths, workspace=settings(chosen)) as engine:
        run = await played(engine, "write new.txt new", workspace=worktree(source), project="api")
        assert run.workspace
        at = Path(run.workspace.path)
        assert at == chosen / "api" / run.id
        assert [folder.stat().st_mode & 0o777 for folder in (chosen, at.parent, at)] == [0o700] * 3
    repos.write(chosen / "api" / "mine", {"x": "x"})
    async with supervising(paths) as engine:
        found = locations.find(paths, await engine.runs())
        ours = [place.path for place in found if place.kind is LocationKind.WORKSPACE]
        assert ours == [at]
        wish = CleanupFilter(paths=frozenset([str(at)]), including_unsaved=True)
        await engine.disk.clean(await engine.disk.plan(wish), wish)
        assert not at.exists()
        (entry,) = await engine.disk.trash()
        assert list(paths.trash.glob("*")) == []  # moved on its own file system, never copied
        assert "swarm/" not in repos.git(source, "branch", "--list")
        await engine.disk.restore(entry)
        assert (at / "new.txt").is_file()
        again = await played(engine, workspace=worktree(source), project="api")
        assert again.workspace
        assert Path(again.workspace.path).is_relative_to(paths.workspaces)
    assert (chosen / "api" / "mine" / "x").is_file()
    rebuilt = workspace_of(run.id, paths)
    assert rebuilt
    assert rebuilt.path == str(at)
