"""No agent works where our settings, our home or Codex's home lie."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import repos

from engine.doctor import check_home
from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyRequest, apply
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create


@pytest.fixture
def places(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    config = tmp_path / "c" / "codex-swarm" / "config.yaml"
    codex = tmp_path / "x" / ".codex"
    for folder in (config.parent / "templates", codex / "sub", home / "workspaces" / "p" / "r"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("SWARM_CONFIG", str(config))
    monkeypatch.setenv("SWARM_HOME", str(home))
    monkeypatch.setenv("CODEX_HOME", str(codex))
    return {"home": home, "config": config.parent, "codex": codex, "root": tmp_path}


@pytest.mark.parametrize("through_link", [False, True])
@pytest.mark.parametrize(
    "where",
    ["home", "home/workspaces/p/r", "root", "config", "config/templates", "config/..", "codex",
     "codex/sub", "codex/.."],
)  # fmt: skip
def test_in_place_is_refused_there(
    places: dict[str, Path], tmp_path: Path, where: str, through_link: bool
) -> None:
    name, _, below = where.partition("/")
    folder = places[name] / below
    if through_link:
        (tmp_path / "way").symlink_to(folder)
        folder = tmp_path / "way"
    spec = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(folder))
    for refused in (
        lambda: create.check(spec, 1 << 30, places["home"]),
        lambda: create.make(spec, tmp_path / "t", places["home"], lambda: False),
    ):
        with pytest.raises(UserError) as raised:
            refused()
        assert raised.value.code == "WORKSPACE_UNSAFE"


def test_a_project_beside_them_is_fine(places: dict[str, Path], tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    spec = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(project))
    create.check(spec, 1 << 30, places["home"])


@pytest.mark.parametrize("name", ["home", "config", "codex"])
async def test_nothing_is_applied_into_them(
    places: dict[str, Path], tmp_path: Path, name: str
) -> None:
    source = tmp_path / "s"
    repos.write(source, {"a": "a\n"})
    target = tmp_path / "w" / "p" / "r1"
    spec = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    made = await asyncio.to_thread(create.make, spec, target, places["home"], lambda: False)
    run = await Checkpoints.make(tmp_path / "c.git", made.workspace)
    await run.record("baseline")
    repos.write(target, {"config.yaml": "workspace: {setup: [evil]}\n"})
    (tmp_path / "way").symlink_to(places[name])
    for to in (places[name], tmp_path / "way"):
        with pytest.raises(UserError, match="lies in"):
            await apply(run, ApplyRequest(to), places["home"])
    assert not (places[name] / "config.yaml").exists()


def test_doctor_warns_about_a_home_that_agents_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    assert "TMPDIR" not in check_home(Path("/nonexistent/home")).message
    assert check_home(tmp_path / "tmp" / "home").recovery
    assert check_home(Path("/tmp/home")).recovery
    assert not check_home(Path("/nonexistent/home")).recovery
