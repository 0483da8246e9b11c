"""Submodules of a new worktree are filled without network, and nothing hostile is followed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import repos
from scenes import Scene, scene

from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode
from engine.workspaces.create import create
from engine.workspaces.create.missing_parts import Lacking
from engine.workspaces.create.submodule_checkout import Filled

FILE = ("-c", "protocol.file.allow=always")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with a submodule that has one itself; what they were cloned from is gone."""
    inner = repos.repository(tmp_path / "inner", {"i.txt": "i\n"})
    library = repos.repository(tmp_path / "library", {"code.c": "1\n"})
    repos.git(library, *FILE, "submodule", "add", "-q", str(inner), "inner")
    repos.commit(library, "with inner")
    repos.git(library, "tag", "v1")
    path = repos.repository(tmp_path / "s", {"a.txt": "one\n"})
    repos.git(path, *FILE, "submodule", "add", "-q", "--name", "some/lib", str(library), "lib")
    repos.commit(path, "with a library")
    repos.git(path, *FILE, "submodule", "update", "-q", "--init", "--recursive")
    shutil.rmtree(library)
    shutil.rmtree(inner)
    return path


def lacks(here: Scene) -> str:
    return " ".join(one for one in here.notices if one.startswith("not in"))


async def test_submodules_are_filled_at_every_depth(source: Path, home: Path) -> None:
    here = await scene(source, home)
    assert repos.files(here.root) == repos.files(source)
    assert lacks(here) == ""
    for path in ("lib", "lib/inner"):
        assert repos.git(here.root / path, "status", "--porcelain") == ""
        assert repos.git(here.root / path, "rev-parse", "--show-toplevel") == str(here.root / path)
        repos.git(here.root / path, "fsck", "--strict")
    assert repos.git(here.root / "lib", "describe", "--tags") == "v1"
    assert not (here.root / "lib" / ".git").read_text().startswith(f"gitdir: {source}/.git/modules")
    assert repos.git(here.root, "submodule", "status", "--recursive").startswith(" ")
    assert repos.git(source, "status", "--porcelain") == ""
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    await asyncio.to_thread(create.discard, spec, here.root, home)
    assert not (source / ".git" / "worktrees").exists()


async def test_worktree_of_a_linked_worktree_is_filled_too(source: Path, home: Path) -> None:
    linked = source.parent / "linked"
    repos.git(source, "worktree", "add", "-q", str(linked))
    here = await scene(linked, home)
    assert (here.root / "lib" / "inner" / "i.txt").exists()
    assert lacks(here) == ""


async def test_uncommitted_work_in_submodules_is_brought_or_reported(
    source: Path, home: Path
) -> None:
    repos.write(source, {"lib/code.c": "mine\n", "lib/new.c": "new\n"})
    here = await scene(source, home)
    assert lacks(here) == "not in the workspace: 2 uncommitted files of submodules"
    shutil.rmtree(home / "runs")
    here = await scene(source, home, include_uncommitted=True)
    assert lacks(here) == ""
    assert (here.root / "lib" / "code.c").read_text() == "mine\n"
    assert repos.git(here.root / "lib", "status", "--porcelain") == " M code.c\n?? new.c"


async def test_another_commit_in_the_source_is_reported(source: Path, home: Path) -> None:
    repos.write(source / "lib", {"code.c": "2\n"})
    repos.commit(source / "lib", "newer")
    here = await scene(source, home)
    assert (here.root / "lib" / "code.c").read_text() == "1\n"
    assert lacks(here) == "not in the workspace: the commit that the source has checked out of lib"


async def test_what_cannot_be_filled_stays_empty_and_is_named(source: Path, home: Path) -> None:
    nothing = "0" * 39 + "1"
    repos.git(source, "update-index", "--cacheinfo", f"160000,{nothing},lib")
    repos.git(source, "update-index", "--add", "--cacheinfo", f"160000,{nothing},no name")
    repos.git(source, "commit", "-qm", "gone")
    here = await scene(source, home)
    assert list((here.root / "lib").iterdir()) == []
    assert "2 submodules (lib, no name; `git submodule update" in lacks(here)
    assert repos.git(here.root, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "name", ["../../elsewhere", "x/../../../elsewhere", "/{tmp}/elsewhere", "link", "a/hooks"]
)
async def test_hostile_names_lead_nowhere(
    source: Path, home: Path, tmp_path: Path, name: str
) -> None:
    """A name may not leave `modules`, and a link in it is not followed."""
    modules = source / ".git" / "modules"
    shutil.copytree(modules / "some" / "lib", tmp_path / "elsewhere")
    (modules / "link").symlink_to(tmp_path / "elsewhere")
    repos.git(source, "mv", "lib", "moved")
    name = name.replace("{tmp}", str(tmp_path))
    text = f'[submodule "{name}"]\n\tpath = moved\n\turl = x\n\tupdate = !touch {tmp_path}/ran\n'
    repos.write(source, {".gitmodules": text})
    repos.git(source, "config", f"submodule.{name}.url", "ext::sh -c touch% ran")
    repos.git(source, "add", ".gitmodules")
    repos.git(source, "commit", "-qm", "hostile")
    here = await scene(source, home)
    assert list((here.root / "moved").iterdir()) == []
    assert not (tmp_path / "ran").exists()
    assert "1 submodule (moved;" in lacks(here)


async def test_settings_of_a_submodule_are_not_taken_over(source: Path, home: Path) -> None:
    module = source / ".git" / "modules" / "some" / "lib"
    repos.git(module, "config", "core.fsmonitor", "touch ran")
    repos.git(module, "config", "remote.origin.url", "ext::touch ran")
    hook = module / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    here = await scene(source, home)
    git_dir = Path((here.root / "lib" / ".git").read_text().removeprefix("gitdir: ").strip())
    assert "ran" not in (git_dir / "config").read_text()
    assert not (git_dir / "hooks").exists()
    assert (here.root / "lib" / "code.c").exists()
    assert list(source.parent.rglob("ran")) == []


async def test_workspace_of_an_earlier_run_shares_no_submodule(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root / "lib", {"code.c": "agent\n"})
    own = repos.commit(here.root / "lib", "agent's")
    repos.write(here.root / "lib", {"dirty.c": "x\n"})
    spec = WorkspaceSpec(WorkspaceKind.FROM_RUN, str(here.root))
    target = here.root.with_name("r2")
    await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    for path in ("lib", "lib/inner"):
        assert repos.git(target / path, "rev-parse", "--show-toplevel") == str(target / path)
    assert repos.git(target / "lib", "rev-parse", "HEAD") == own
    assert repos.git(target / "lib", "status", "--porcelain") == "?? dirty.c"
    repos.write(target / "lib", {"code.c": "second\n"})
    repos.commit(target / "lib", "second")
    assert repos.git(here.root / "lib", "rev-parse", "HEAD") == own
    assert repos.git(here.root / "lib", "status", "--porcelain") == "?? dirty.c"


async def test_commit_in_a_filled_submodule_is_applied(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root / "lib", {"code.c": "agent\n"})
    new = repos.commit(here.root / "lib", "agent's")
    await here.apply(ApplyMode.MERGE)
    assert repos.git(source, "rev-parse", "HEAD:lib") == new
    assert "swarm/" in repos.git(source / "lib", "branch", "--contains", new)


def test_names_in_the_notice_are_quoted_for_a_shell(tmp_path: Path) -> None:
    many = Lacking(submodules=Filled(empty=["a b", "$(x)", "c\nd"]))
    assert "-- 'a b' '$(x)'`" in many.notice(tmp_path)
    assert "\n" not in many.notice(tmp_path)
