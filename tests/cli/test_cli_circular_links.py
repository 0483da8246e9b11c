"""Links in a circle, and names of users that nobody has, are errors of the user, not of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import repos
from typed import ROOT, Swarm

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.system.files import expanded, real_path
from engine.workspaces.create import create
from engine.workspaces.git import repository


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    (tmp_path / "there").symlink_to("back")
    (tmp_path / "back").symlink_to("there")
    return tmp_path / "there"


@pytest.mark.parametrize("inside", ["", "sub/folder"])
@pytest.mark.parametrize("kind", [one for one in WorkspaceKind if one is not WorkspaceKind.EMPTY])
def test_a_source_behind_a_circular_link_does_not_exist(
    loop: Path, tmp_path: Path, kind: WorkspaceKind, inside: str
) -> None:
    with pytest.raises(UserError) as caught:
        create.check(WorkspaceSpec(kind, str(loop / inside)), 1000, tmp_path / "home")
    assert caught.value.code in ("SOURCE_NOT_FOUND", "WORKSPACE_MISSING")


def test_paths_are_resolved_as_far_as_possible(loop: Path, tmp_path: Path) -> None:
    assert real_path(loop / "x").name == "x"
    assert real_path("a\0b") == Path("a\0b")
    assert expanded("~no-such-user/x") == Path("~no-such-user/x")
    assert repository.locate(loop) is None


async def test_a_repository_with_circular_links_in_its_settings(loop: Path, tmp_path: Path) -> None:
    source = repos.repository(tmp_path / "source")
    repos.git(source, "config", "core.attributesFile", str(loop))
    (source / "loop").symlink_to("loop")
    home = tmp_path / "home" / "workspaces" / "p"
    home.mkdir(parents=True)
    found = await repository.must_find(source)
    assert found.top == source


def test_no_other_way_to_resolve_a_path_is_used() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for folder in ("engine", "tui")
        for file in (ROOT / folder).rglob("*.py")
        for line in file.read_text().splitlines()
        if re.search(r"\.resolve\(|\.expanduser\(\)", line)
        and not re.search(
            r"__file__|sys\.prefix|Path\.(resolve|expanduser)`|(updates|self|listeners)\.resolve",
            line,
        )
    ]
    assert found == []


def test_commands_name_what_is_missing(swarm: Swarm, loop: Path) -> None:
    agent = ("--agent", "simulated", "x")
    for words in (
        ("run", "--copy", str(loop), *agent),
        ("run", "--in-place", str(loop / "x"), *agent),
        ("run", "--empty", "--add-dir", "~no-such-user/x", *agent),
        ("run", "--worktree", "~no-such-user/x", *agent),
    ):
        done = swarm(*words)
        assert done.code not in (0, 70), words
        assert "INTERNAL" not in done.err and "Traceback" not in done.err, done.err
