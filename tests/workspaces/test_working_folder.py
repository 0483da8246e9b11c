"""A run works in a folder of its workspace, and nowhere outside."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from repos import commit, repository, write
from support import fake_codex, played, quick, spec, supervising

from engine.batches.request import BatchRequest
from engine.config.paths import Paths
from engine.config.settings import WorkspaceSettings
from engine.domain.errors import UserError
from engine.domain.model import Agent, Run, Status, Workspace, WorkspaceKind, WorkspaceSpec
from engine.domain.run_json import run_json
from engine.engine import Engine
from engine.workspaces.create import create
from engine.workspaces.create.working_folder import chosen, working_folder
from engine.workspaces.files.named_files import record

FILES: dict[str, str | bytes] = {"top.txt": "t\n", "packages/api/a.txt": "a\n", "docs/d.txt": "d\n"}
HERE = "packages/api"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(tmp_path / "shop", FILES)


def wish(shop: Path, kind: WorkspaceKind, cwd: str | None = HERE) -> WorkspaceSpec:
    return WorkspaceSpec(kind, str(shop), cwd=cwd)


def made(wanted: WorkspaceSpec, tmp_path: Path, name: str = "run") -> Workspace:
    home = tmp_path / "home"
    create.check(wanted, 2**30, home)
    return create.make(wanted, home / "workspaces" / "p" / name, home, lambda: False).workspace


@pytest.mark.parametrize("kind", ["worktree", "copy", "in-place"])
def test_every_kind_has_the_folder(shop: Path, tmp_path: Path, kind: str) -> None:
    workspace = made(wish(shop, WorkspaceKind(kind)), tmp_path)
    assert workspace.cwd == HERE
    assert working_folder(workspace) == Path(workspace.path).resolve() / HERE
    assert (Path(workspace.path) / "top.txt").exists()


def test_a_worktree_works_in_the_folder_that_it_is_made_from(shop: Path, tmp_path: Path) -> None:
    wanted = WorkspaceSpec(WorkspaceKind.WORKTREE, str(shop / HERE))
    assert made(wanted, tmp_path).cwd == HERE
    for cwd, expected in ((".", ""), ("docs/", "docs"), ("./docs", "docs"), ("", "")):
        assert chosen(replace(wanted, cwd=cwd)) == expected
    assert chosen(WorkspaceSpec(WorkspaceKind.COPY, str(shop / HERE))) == ""


@pytest.mark.parametrize("cwd", ["..", "docs/..", "a/../../b", "/etc", ".git", "docs/.GIT", "a\0b"])
def test_folders_that_are_not_of_the_workspace_are_refused(
    shop: Path, tmp_path: Path, cwd: str
) -> None:
    with pytest.raises(UserError) as refused:
        made(wish(shop, WorkspaceKind.COPY, cwd), tmp_path)
    assert refused.value.code == "INPUT_INVALID"


@pytest.mark.parametrize("kind", ["worktree", "copy", "in-place", "empty"])
@pytest.mark.parametrize("cwd", ["absent", "top.txt", "packages/none"])
def test_a_folder_that_is_not_there_is_named(
    shop: Path, tmp_path: Path, kind: str, cwd: str
) -> None:
    with pytest.raises(UserError, match=f"There is no folder {cwd} in") as refused:
        create.check(wish(shop, WorkspaceKind(kind), cwd), 2**30, tmp_path / "home")
    assert refused.value.code == "SOURCE_NOT_FOUND"


def test_a_folder_that_is_not_committed_comes_with_the_uncommitted_work(
    shop: Path, tmp_path: Path
) -> None:
    write(shop, {"new/n.txt": "n\n"})
    wanted = wish(shop, WorkspaceKind.WORKTREE, "new")
    with pytest.raises(UserError, match="no folder new in the commit"):
        made(wanted, tmp_path)
    assert made(replace(wanted, include_uncommitted=True), tmp_path).cwd == "new"


def test_links_lead_nowhere_outside(shop: Path, tmp_path: Path) -> None:
    (shop / "out").symlink_to(tmp_path)
    (shop / "in").symlink_to("packages")
    commit(shop, "links")
    workspace = made(wish(shop, WorkspaceKind.WORKTREE, "in/api"), tmp_path)
    assert working_folder(workspace) == Path(workspace.path).resolve() / HERE
    for kind in (WorkspaceKind.WORKTREE, WorkspaceKind.COPY, WorkspaceKind.IN_PLACE):
        with pytest.raises(UserError, match="There is no folder out in"):
            made(wish(shop, kind, "out"), tmp_path, "other")
    assert not (tmp_path / "home" / "workspaces" / "p" / "other").exists()


def test_a_link_that_an_agent_puts_in_its_place_is_refused(shop: Path, tmp_path: Path) -> None:
    workspace = made(wish(shop, WorkspaceKind.COPY), tmp_path)
    folder = Path(workspace.path) / "packages"
    folder.rename(Path(workspace.path) / "moved")
    (tmp_path / "outside" / "api").mkdir(parents=True)
    folder.symlink_to(tmp_path / "outside")
    with pytest.raises(UserError) as refused:
        working_folder(workspace)
    assert refused.value.code == "WORKSPACE_MISSING"


def test_what_commands_can_run_in_the_folder_is_recorded(shop: Path) -> None:
    write(shop, {f"{HERE}/check.sh": "exit 0\n", "check.sh": "exit 1\n", "packages/up.sh": ""})
    commands = ["sh check.sh", "sh ../up.sh"]
    found = record(shop, commands, None, [HERE]).run
    assert found.keys() == {"check.sh", f"{HERE}/check.sh", "packages/up.sh"}
    assert record(shop, commands).run.keys() == {"check.sh"}


def work(tmp_path: Path, **more: Any) -> dict[str, Any]:
    done = """pwd; echo x >>../../top.txt; echo '{"type":"turn.completed","usage":{}}'"""
    return {
        "agent": Agent.CODEX,
        "codex_bin": fake_codex(tmp_path, f'printf "%s\\n" "$@" >{tmp_path}/args\n{done}'),
        "verify": 'test "$(basename "$PWD")" = api && test -s ../../top.txt',
        **more,
    }


async def ended_in(engine: Engine, run: Run) -> str:
    output = engine.paths.attempt(run.id, run.attempt).stdout.read_text()
    return output.splitlines()[0]


async def test_agent_set_up_check_and_shell_work_there(
    paths: Paths, shop: Path, tmp_path: Path
) -> None:
    settings = WorkspaceSettings(setup=(f"pwd >{tmp_path}/setup",))
    wanted = WorkspaceSpec(WorkspaceKind.WORKTREE, str(shop / HERE))
    async with supervising(paths, workspace=settings) as engine:
        run = await played(engine, **work(tmp_path), workspace=wanted)
        assert (run.error, run.status) == (None, Status.SUCCEEDED)
        assert run.workspace is not None
        top = Path(run.workspace.path).resolve()
        assert await ended_in(engine, run) == str(top / HERE)
        assert (tmp_path / "setup").read_text().strip() == str(top / HERE)
        assert await engine.workspaces.working_folder(run.id) == top / HERE
        assert run_json(run, 0)["workspace"]["cwd"] == HERE
        # Changes cover all of it, and the sandbox lets the agent write there.
        assert [delta.path for delta in (await engine.workspaces.changes(run.id)).files] == [
            "top.txt"
        ]
        arguments = (tmp_path / "args").read_text().splitlines()
        assert arguments[:3] == ["exec", "--add-dir", run.workspace.path]
        again = await played(
            engine, **work(tmp_path), workspace=WorkspaceSpec(WorkspaceKind.FROM_RUN, run.id)
        )
        assert again.workspace is not None and again.workspace.cwd == HERE
        assert await ended_in(engine, again) == os.path.realpath(Path(again.workspace.path) / HERE)
        other = WorkspaceSpec(WorkspaceKind.FROM_RUN, run.id, cwd="docs")
        docs = await played(engine, **work(tmp_path, verify=None), workspace=other)
        assert docs.workspace is not None and docs.workspace.cwd == "docs"


async def test_templates_and_rows_choose_the_folder(
    paths: Paths, shop: Path, tmp_path: Path
) -> None:
    folder = paths.config.parent / "templates"
    folder.mkdir(parents=True)
    (folder / "t.yaml").write_text("description: d\nprompt: p\ncwd: docs\n")
    rows = tmp_path / "rows.csv"
    rows.write_text(f"title,cwd\none,{HERE}\ntwo,\n")
    base = spec(workspace=WorkspaceSpec(WorkspaceKind.COPY, str(shop)))
    async with Engine.open(paths, quick(), follow=False) as engine:
        filled = await engine.templates.fill(await engine.templates.find("t"), {}, base)
        assert filled.workspace.cwd == "docs"
        plan = await engine.swarms.plan(BatchRequest(base, template="t", file=rows))
        assert [each.spec.workspace.cwd for each in plan.planned] == [HERE, "docs"]
