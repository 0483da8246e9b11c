"""Homes and settings that the agent's commands can write to are refused for interactive runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.agents.codex.interactive import safety
from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, Workspace, WorkspaceKind


class Machine:
    """A user's folders, and the check of a run on them."""

    def __init__(self, top: Path) -> None:
        self.user = top / "user"
        self.paths = Paths(self.user / "data" / "home", self.user / "settings" / "config.yaml")
        self.codex = self.user / ".codex"
        self.workspace = self.paths.workspaces / "shop" / "run-1"
        for folder in (self.codex, self.workspace, self.paths.config.parent):
            folder.mkdir(parents=True)

    def check(self, *folders: Path, **variables: str) -> None:
        """Check a run that may write in further folders."""
        spec = RunSpec(
            "x", title="x", project="shop", interactive=True, add_dirs=tuple(map(str, folders))
        )
        workspace = Workspace(str(self.workspace), WorkspaceKind.EMPTY)
        run = Run("run-1", spec, 0.0, attempt=1, workspace=workspace)
        base = {"HOME": str(self.user), **variables}
        safety.check_home(spec, self.paths, base, self.codex, run)

    def make_writable(self, folder: Path, root: str) -> None:
        """Make a folder writable in settings of Codex."""
        folder.mkdir(exist_ok=True)
        section = f"[sandbox_workspace_write]\nwritable_roots = ['{root}']\n"
        (folder / "config.toml").write_text(section)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Make a machine whose temporary folder is elsewhere."""
    monkeypatch.setattr(safety, "_TEMPORARY", str(tmp_path / "tmp"))
    return Machine(tmp_path)


def test_usual_home_is_accepted(machine: Machine, tmp_path: Path) -> None:
    machine.check(tmp_path / "elsewhere", TMPDIR=str(machine.paths.temporary("run-1")))
    machine.check(machine.paths.workspaces / "shop" / "run-0")


@pytest.mark.parametrize(
    "folder",
    [
        "user",
        "user/data",
        "user/data/home",
        "user/data/home/runs",
        "user/data/home/runs/run-1/attempt-1",
        "user/data/home/runs/run-2/attempt-1",
        "user/data/home/workspaces/../runs",
        "user/settings",
        "user/settings/config.yaml",
        "link",
    ],
)
def test_folder_around_the_home_or_in_it_is_refused(
    machine: Machine, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "link").symlink_to(machine.paths.home)
    with pytest.raises(UserError, match="may write in") as refused:
        machine.check(tmp_path / folder)
    assert refused.value.code == "HOME_UNSAFE"
    with pytest.raises(UserError):
        machine.check(TMPDIR=str(tmp_path / folder))


@pytest.mark.parametrize("root", ["~", "~/data", "../data/home", "../settings"])
def test_roots_of_settings_are_read_as_codex_reads_them(machine: Machine, root: str) -> None:
    machine.make_writable(machine.codex, root)
    with pytest.raises(UserError, match="may write in"):
        machine.check()


def test_roots_of_the_projects_own_settings_count(machine: Machine) -> None:
    machine.make_writable(machine.workspace / ".codex", str(machine.paths.home))
    with pytest.raises(UserError, match="may write in"):
        machine.check()


def test_odd_settings_of_a_project_are_passed_over(machine: Machine) -> None:
    folder = machine.workspace / ".codex"
    folder.mkdir()
    os.mkfifo(folder / "config.toml")
    machine.check()
    (folder / "config.toml").unlink()
    (folder / "config.toml").write_bytes(b"\xff[[[")
    machine.check()
