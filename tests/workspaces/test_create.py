"""Workspaces made, empty or as a copy: inside the home, whole, and never too much."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.config.paths import Paths, safe_name
from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.workspaces.create import create

EMPTY = WorkspaceSpec(WorkspaceKind.EMPTY)
LIMIT = 10_000


def copy_of(source: Path | str) -> WorkspaceSpec:
    return WorkspaceSpec(WorkspaceKind.COPY, str(source))


def made(paths: Paths, wish: WorkspaceSpec) -> Workspace:
    return create.create(wish, paths.workspace("project", "run"), paths.home, lambda: False)


def refused(paths: Paths, wish: WorkspaceSpec) -> UserError:
    with pytest.raises(UserError) as caught:
        create.check(wish, LIMIT, paths.home)
    return caught.value


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "inner/run.sh").write_text("#!/bin/sh")
    (folder / "inner/run.sh").chmod(0o755)
    return folder


# Names

names = st.text(st.characters(), max_size=300) | st.sampled_from(
    ["..", ".", "", "/", "../..", "/etc", "a/../../b", "\0", "x" * 300, "🙂" * 100, "~", "-rf",
     "\x1b[31m", "\udc80", "CON", "a\nb", "C:\\", "．．／"]
)  # fmt: skip


@given(names, names)
@example("../../etc", "../..")
def test_no_name_leads_out_of_the_home(project: str, run: str) -> None:
    paths = Paths(Path("/home-of-runs"), Path("/config.yaml"))
    for path, depth in ((paths.workspace(project, run), 3), (paths.run(run), 2)):
        assert Path(os.path.normpath(path)) == path
        assert len(path.relative_to(paths.home).parts) == depth
        assert all(len(os.fsencode(part)) < 100 for part in path.parts)
        assert "\0" not in str(path)


@given(names, names)
def test_two_names_are_two_folders(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


def test_a_plain_name_stays_as_it_is() -> None:
    assert safe_name("My-project_2.0") == "My-project_2.0"


@pytest.mark.parametrize("project", ["../..", "/etc", "\0", "x" * 300, "🙂", "a\nb", "."])
def test_a_workspace_of_an_odd_project_can_be_made(paths: Paths, project: str) -> None:
    target = paths.workspace(project, "run")
    create.create(EMPTY, target, paths.home, lambda: False)
    assert [path.name for path in (paths.home / "workspaces").iterdir()] == [target.parent.name]


# Made


def test_an_empty_workspace_is_private(paths: Paths) -> None:
    create.check(EMPTY, 0, paths.home)
    workspace = made(paths, EMPTY)
    folder = Path(workspace.path)
    assert (workspace.kind, workspace.source) == (WorkspaceKind.EMPTY, None)
    assert list(folder.iterdir()) == []
    for path in (folder, folder.parent, paths.home / "workspaces"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_copy_has_all_and_is_private(paths: Paths, source: Path) -> None:
    source.chmod(0o755)
    create.check(copy_of(source), LIMIT, paths.home)
    copy = Path(made(paths, copy_of(source)).path)
    assert (copy / "a.txt").read_text() == "a"
    assert stat.S_IMODE((copy / "inner/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    (copy / "a.txt").write_text("changed")
    assert (source / "a.txt").read_text() == "a"


def test_links_stay_links_wherever_they_lead(paths: Paths, source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for name, leads in (("out", "../secret"), ("abs", "/etc/passwd"), ("gone", "nowhere"),
                        ("up", ".."), ("in", "a.txt")):  # fmt: skip
        (source / name).symlink_to(leads)
    copy = Path(made(paths, copy_of(source)).path)
    assert (copy / "out").readlink() == Path("../secret")
    assert (copy / "abs").readlink() == Path("/etc/passwd")
    assert (copy / "gone").is_symlink()
    assert (copy / "up").is_symlink()
    assert (copy / "in").read_text() == "a"


def test_a_source_that_is_a_link_is_what_it_leads_to(
    paths: Paths, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(source)
    workspace = made(paths, copy_of(tmp_path / "link"))
    assert workspace.source == str(source)
    assert (Path(workspace.path) / "a.txt").is_file()


def test_sockets_and_pipes_are_left_out(
    paths: Paths, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(source / "pipe")
    monkeypatch.chdir(source)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")  # relative: a socket's path may only be short
    copy = Path(made(paths, copy_of(source)).path)
    assert sorted(path.name for path in copy.iterdir()) == ["a.txt", "inner"]


def test_odd_file_names_are_copied(paths: Paths, source: Path) -> None:
    odd = ["a\nb", "\x1b[31m", "[red]", "-rf", " ", "🙂", os.fsdecode(b"\xff\xfe")]
    for name in odd:
        (source / name).write_text("x")
    copy = Path(made(paths, copy_of(source)).path)
    assert {path.name for path in copy.iterdir()} == {"a.txt", "inner", *odd}


def test_a_source_that_holds_the_home_is_copied_without_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    paths = Paths(source / "deep/home", tmp_path / "config.yaml")
    paths.prepare()
    (source / "a.txt").write_text("a")
    copy = Path(made(paths, copy_of(source)).path)
    assert sorted(str(p.relative_to(copy)) for p in copy.rglob("*")) == ["a.txt", "deep"]


@pytest.mark.parametrize("left", ["folder", "link"])
def test_what_an_earlier_try_left_is_replaced(
    paths: Paths, source: Path, tmp_path: Path, left: str
) -> None:
    target = paths.workspace("project", "run")
    target.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").touch()
    if left == "link":
        target.symlink_to(victim)
    else:
        target.mkdir()
        (target / "half").touch()
        (target / "link").symlink_to(victim)
    copy = Path(made(paths, copy_of(source)).path)
    assert sorted(path.name for path in copy.iterdir()) == ["a.txt", "inner"]
    assert not copy.is_symlink()
    assert (victim / "kept").exists()


def test_a_copy_can_be_given_up(paths: Paths, source: Path) -> None:
    with pytest.raises(InterruptedError):
        create.create(copy_of(source), paths.workspace("p", "r"), paths.home, lambda: True)
    assert (source / "a.txt").read_text() == "a"


# Refused before anything is made


@pytest.mark.parametrize("where", ["/", "~", "/tmp/..", "//", "~/."])
def test_what_is_too_wide_is_refused(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "user").mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    error = refused(paths, copy_of(where.replace("~", str(tmp_path / "user"))))
    assert error.code == "WORKSPACE_UNSAFE"


def test_a_link_to_what_is_too_wide_is_refused_too(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    assert refused(paths, copy_of(tmp_path / "link")).code == "WORKSPACE_UNSAFE"


@pytest.mark.parametrize("inside", ["", "workspaces", "workspaces/project"])
def test_what_holds_the_workspaces_is_refused(paths: Paths, inside: str) -> None:
    (paths.home / inside).mkdir(parents=True, exist_ok=True)
    assert refused(paths, copy_of(paths.home / inside)).code == "WORKSPACE_UNSAFE"


def test_the_workspace_of_another_run_can_be_copied(paths: Paths) -> None:
    other = paths.workspace("project", "other")
    other.mkdir(parents=True)
    (other / "a.txt").touch()
    create.check(copy_of(other), LIMIT, paths.home)
    assert (Path(made(paths, copy_of(other)).path) / "a.txt").exists()


@pytest.mark.parametrize("source", ["/nowhere", "/etc/passwd", "a\0b", "\x1b[31m"])
def test_a_source_that_is_no_folder_is_named(paths: Paths, source: str) -> None:
    error = refused(paths, copy_of(source))
    assert error.code == "SOURCE_NOT_FOUND"
    assert "\x1b" not in error.message


def test_too_much_is_refused_with_the_limit(paths: Paths, source: Path, tmp_path: Path) -> None:
    (source / "inner/big").write_bytes(b"x" * LIMIT)
    error = refused(paths, copy_of(source))
    assert error.code == "WORKSPACE_TOO_LARGE"
    assert str(source) in error.message


def test_a_link_weighs_nothing(paths: Paths, source: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * LIMIT * 2)
    (source / "link").symlink_to(tmp_path / "big")
    (source / "folder").symlink_to(tmp_path)
    create.check(copy_of(source), LIMIT, paths.home)


def test_a_source_that_went_away_meanwhile_is_said(paths: Paths, source: Path) -> None:
    shutil.rmtree(source)
    with pytest.raises(UserError) as caught:
        made(paths, copy_of(source))
    assert caught.value.code == "SOURCE_NOT_FOUND"
