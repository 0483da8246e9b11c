"""Folders copied as they stand."""

from __future__ import annotations

import os
import resource
import socket
import stat
from pathlib import Path

import pytest
import repos

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.create import create
from engine.workspaces.files import copying
from engine.workspaces.files.copying import copy_tree
from engine.workspaces.files.removal import remove


def times(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(root)): (path.lstat().st_mtime_ns, path.lstat().st_mode)
        for path in root.rglob("*")
    }


def make(source: Path, home: Path, kind: WorkspaceKind = WorkspaceKind.COPY, ignore: tuple = ()):
    target = home / "workspaces" / "p" / "r1"
    return create.make(WorkspaceSpec(kind, str(source)), target, home, lambda: False, ignore)


def test_content_modes_times_and_links_are_kept(tmp_path: Path) -> None:
    source = tmp_path / "s"
    repos.write(
        source, {"a": "a\n", "d/e/f": b"\0" * 5000, "empty": "", "big": os.urandom(1 << 24)}
    )
    (source / "a").chmod(0o640)
    (source / "hollow").mkdir()
    (source / "link").symlink_to("/etc/passwd")
    (source / "d" / "up").symlink_to("..")
    os.utime(source / "a", ns=(10**18, 10**18 + 123_456_789))
    os.utime(source / "link", ns=(10**18, 10**18), follow_symlinks=False)
    (source / "d").chmod(0o500)
    os.utime(source / "d", ns=(10**18, 10**18))
    copied = copying.copy_tree(source, tmp_path / "t")
    assert copied.left_out == []
    assert copied.files == 6
    assert repos.files(tmp_path / "t") == repos.files(source)
    assert times(tmp_path / "t") == times(source)
    (source / "d").chmod(0o700)
    (tmp_path / "t" / "d").chmod(0o700)


@pytest.mark.parametrize("refused", ["reflink", "both"])
def test_where_blocks_cannot_be_shared_they_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    repos.write(tmp_path / "s", {"a": os.urandom(20 << 20), "b": "b", "c": ""})

    def no(*_: object) -> int:
        raise OSError(95, "not supported")

    monkeypatch.setattr("fcntl.ioctl", no)
    if refused == "both":
        monkeypatch.setattr(os, "copy_file_range", no, raising=False)
    copying.copy_tree(tmp_path / "s", tmp_path / "t")
    assert repos.files(tmp_path / "t") == repos.files(tmp_path / "s")


def test_set_user_id_is_not_kept(tmp_path: Path) -> None:
    repos.write(tmp_path / "s", {"a": "a"})
    (tmp_path / "s" / "a").chmod(0o4755)
    copying.copy_tree(tmp_path / "s", tmp_path / "t")
    assert stat.S_IMODE((tmp_path / "t" / "a").stat().st_mode) == 0o755


def test_hostile_names_devices_and_ignored_files(tmp_path: Path) -> None:
    source = tmp_path / "s"
    names = [b"-rf", b"a\nb", b"\x1b[31m", b"\xff\xfe", b"x" * 255]
    source.mkdir()
    for name in names:
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_bytes(name)
    repos.write(source, {"node_modules/x/y": "y", "d/node_modules/z": "z", "a.pyc": "x"})
    repos.write(source, {"keep/build": "kept", "build/o": "o", "d/deep/cache": "c"})
    os.mkfifo(source / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(source / "socket"))
    server.close()
    ignore = ("node_modules/", "*.pyc", "/build", "d/deep/*")
    copied = copying.copy_tree(source, tmp_path / "t", ignore=ignore)
    wanted = {os.fsdecode(name) for name in names} | {"keep/build"}
    assert set(repos.files(tmp_path / "t")) == wanted
    assert sorted(copied.left_out) == ["pipe", "socket"]


def test_it_can_be_stopped_and_leaves_nothing(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "s"
    repos.write(source, {f"d{n}/f": "x" for n in range(50)})
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    target = home / "workspaces" / "p" / "r1"
    with pytest.raises(InterruptedError):
        create.create(WorkspaceSpec(WorkspaceKind.COPY, str(source)), target, home, stop)
    assert not target.exists()


def test_a_copied_repository_reaches_into_no_other_working_tree(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s")
    repos.git(source, "worktree", "add", "-q", str(tmp_path / "linked"))
    made = make(source, home)
    target = Path(made.workspace.path)
    assert repos.git(target, "worktree", "list").count("\n") == 0
    assert repos.git(target, "status", "--porcelain") == ""
    again = make(tmp_path / "linked", home)
    assert not (target / ".git").exists()
    assert again.notices == ("not in the workspace: the git history (--worktree has it)",)
    assert repos.files(target) == repos.files(source)


def test_the_home_inside_the_source_is_left_out(tmp_path: Path) -> None:
    repos.write(tmp_path / "s", {"a": "a", "home/workspaces/p/r0/x": "x"})
    made = make(tmp_path / "s", tmp_path / "s" / "home")
    assert set(repos.files(Path(made.workspace.path))) == {"a"}


def test_in_place_is_the_folder_itself(tmp_path: Path, home: Path) -> None:
    repos.write(tmp_path / "s", {"a": "a"})
    made = make(tmp_path / "s", home, WorkspaceKind.IN_PLACE)
    assert made.workspace.path == made.workspace.source == str(tmp_path / "s")
    assert repos.files(tmp_path / "s") == {"a": ("file", 0, b"a")}
    for folder in ("/", str(Path.home()), str(home)):
        with pytest.raises(UserError) as raised:
            create.check(WorkspaceSpec(WorkspaceKind.IN_PLACE, folder), 1 << 30, home)
        assert raised.value.code == "WORKSPACE_UNSAFE"


def test_from_a_run_whose_workspace_is_a_copy(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s")
    repos.write(source, {"a.txt": "dirty\n"})
    made = make(source, home, WorkspaceKind.FROM_RUN)
    assert repos.git(Path(made.workspace.path), "status", "--porcelain") == " M a.txt"
    with pytest.raises(UserError) as raised:
        create.check(WorkspaceSpec(WorkspaceKind.FROM_RUN, str(tmp_path / "gone")), 1 << 30, home)
    assert raised.value.code == "WORKSPACE_MISSING"


def test_every_kind_needs_its_source_first(tmp_path: Path, home: Path) -> None:
    for kind in set(WorkspaceKind) - {WorkspaceKind.EMPTY, WorkspaceKind.FROM_RUN}:
        with pytest.raises(UserError) as raised:
            create.check(WorkspaceSpec(kind, str(tmp_path / "gone")), 1 << 30, home)
        assert raised.value.code == "SOURCE_NOT_FOUND"
        with pytest.raises(UserError):
            create.check(WorkspaceSpec(kind), 1 << 30, home)


@pytest.mark.parametrize("kind", ["copy", "worktree", "from-run"])
def test_nothing_is_left_of_a_copy_that_failed(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    source = repos.repository(tmp_path / "s", {"a": "a\n" * 9000, ".gitignore": ".env\n"})
    repos.write(source, {".env": "KEY=1\n" * 9000})
    start = source
    if kind == "from-run":
        made = home / "workspaces" / "p" / "r0"
        spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
        start = Path(create.make(spec, made, home, lambda: False).workspace.path)
        repos.write(start, {"b": "b\n" * 9000})
    before = repos.git(source, "worktree", "list"), repos.git(source, "branch")
    real = copying._copy_content

    def full(source: int, target: int, size_bytes: int) -> None:
        os.write(target, b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copying, "_copy_content", full)
    target = home / "workspaces" / "p" / "r1"
    spec = WorkspaceSpec(WorkspaceKind(kind), str(start))
    with pytest.raises((UserError, OSError)) as caught:
        create.make(spec, target, home, lambda: False, copy_files=[".env"])
    assert getattr(caught.value, "code", "DISK_FULL") == "DISK_FULL"
    assert not target.exists()
    assert (repos.git(source, "worktree", "list"), repos.git(source, "branch")) == before
    monkeypatch.setattr(copying, "_copy_content", real)
    create.make(spec, target, home, lambda: False, copy_files=[".env"])
    assert (target / "a").is_file()


def test_a_file_that_could_not_be_copied_whole_is_not_there(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = repos.repository(tmp_path / "s", {"a": "a\n", ".gitignore": ".env\n"})
    repos.write(source, {".env": "KEY=1\n"})

    def broken(source: int, target: int, size_bytes: int) -> None:
        os.write(target, b"half of it")
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(copying, "_copy_content", broken)
    target = home / "workspaces" / "p" / "r1"
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    made = create.make(spec, target, home, lambda: False, copy_files=[".env"])
    assert any("could not be brought along: .env" in one for one in made.notices)
    assert not (target / ".env").exists()


def test_folders_of_any_depth_are_copied(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    depth = min(700, hard // 2 - 100)  # source and copy are open at each level
    handle = os.open(tmp_path / "from", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        assert copy_tree(tmp_path / "from", tmp_path / "to").files == 1
        assert remove(tmp_path / "to").entries == depth + 2
        assert remove(tmp_path / "from").entries == depth + 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("kind", [WorkspaceKind.COPY, WorkspaceKind.FROM_RUN])
def test_files_with_holes_count_while_they_are_copied(tmp_path: Path, kind: WorkspaceKind) -> None:
    source, target = tmp_path / "s", tmp_path / "home" / "workspaces" / "p" / "r1"
    source.mkdir()
    for name in ("a", "b", "c"):
        with (source / name).open("wb") as file:
            file.truncate(1024**3)
    spec = WorkspaceSpec(kind, str(source))
    with pytest.raises(UserError) as caught:
        create.make(spec, target, tmp_path / "home", lambda: False, limit_bytes=1024**2)
    assert caught.value.code == "WORKSPACE_TOO_LARGE"
    assert not target.exists()


@pytest.mark.parametrize("way", ["uncommitted", "copy list", "copy list after a copy"])
def test_files_with_holes_count_by_whatever_way_they_come(tmp_path: Path, way: str) -> None:
    source, target = tmp_path / "s", tmp_path / "home" / "workspaces" / "p" / "r1"
    repos.repository(source, {"a": "a\n", ".gitignore": ".env\n"})
    name = "big" if way == "uncommitted" else ".env"
    with (source / name).open("wb") as file:
        file.truncate(1024**3)
    kind = WorkspaceKind.COPY if way.endswith("a copy") else WorkspaceKind.WORKTREE
    spec = WorkspaceSpec(kind, str(source), include_uncommitted=way == "uncommitted")
    with pytest.raises(UserError) as caught:
        create.make(
            spec, target, tmp_path / "home", lambda: False, [".env"], [".env"], limit_bytes=1024**2
        )
    assert caught.value.code == "WORKSPACE_TOO_LARGE"
    assert not target.exists()
    assert repos.git(source, "branch", "--list", "swarm/*") == ""
