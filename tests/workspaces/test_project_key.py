"""Two repositories with the same folder name are two projects."""

from __future__ import annotations

from pathlib import Path

import repos
from support import quick, spec

from engine.config.paths import Paths
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine


async def started(engine: Engine, source: Path, project: str = "api") -> Run:
    wish = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    return await engine.start(spec("say x", workspace=wish, project=project))


async def test_repositories_of_one_name_are_two_projects(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home", tmp_path / "config.yaml")
    first, second = (repos.repository(tmp_path / at / "api") for at in ("a", "b"))
    repos.git(first, "worktree", "add", "-q", str(tmp_path / "c" / "api"))
    async with Engine.open(paths, quick()) as engine:
        sources = (first, second, first, tmp_path / "c" / "api", second)
        found = [(await started(engine, source)).spec.project for source in sources]
        assert found == ["api", "b/api", "api", "api", "b/api"]
        assert (await started(engine, second, "chosen")).spec.project == "chosen"
        listed = await engine.runs(project="b/api")
        assert {run.spec.workspace.source for run in listed} == {str(second)}
