"""States of a workspace remembered, measured and brought back."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import repos
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import scene

from engine.domain.errors import UserError
from engine.domain.model import ChangeCount, Workspace, WorkspaceKind
from engine.workspaces.apply.apply import ApplyMode
from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints import snapshot
from engine.workspaces.checkpoints.changes import ChangeKind
from engine.workspaces.checkpoints.checkpoint_refs import has_baseline
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.files.rooted_dir import is_control
from engine.workspaces.git.pack import object_id


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace that began empty."""
    path = tmp_path / "ws"
    path.mkdir()
    return path


async def opened(root: Path, home: Path, kind: str = "empty", source: Path | None = None):
    workspace = Workspace(str(root), WorkspaceKind(kind), str(source) if source else None)
    folder = home / "runs" / "r" / "checkpoints.git"
    how = Checkpoints.open if has_baseline(folder) else Checkpoints.make
    return await how(folder, workspace)


async def test_every_kind_of_change_is_told(root: Path, home: Path) -> None:
    text = "".join(f"line {n}\n" for n in range(50))
    repos.write(root, {"mod": "a\nb\n", "gone": "1\n2\n3\n", "old name": text, "exec": "x\n"})
    repos.write(root, {"bin": b"\0\1", "to link": "file\n"})
    (root / "link").symlink_to("mod")
    run = await opened(root, home)
    assert (await run.record("baseline")).n == 0
    repos.write(root, {"mod": "a\nB\nc\n", "new": "n\n", "bin": b"\0\2"})
    (root / "gone").unlink()
    (root / "old name").rename(root / "new name")
    (root / "exec").chmod(0o755)
    (root / "to link").unlink()
    for name in ("to link", "link"):
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to("/etc/passwd")
    changes = await run.changes()
    told = {
        f.path: (f.kind, f.insertions, f.deletions, f.binary, f.is_link, f.old_path)
        for f in changes.files
    }
    assert told == {
        "bin": (ChangeKind.MODIFIED, 0, 0, True, False, None),
        "exec": (ChangeKind.MODE, 0, 0, False, False, None),
        "gone": (ChangeKind.DELETED, 0, 3, False, False, None),
        "link": (ChangeKind.MODIFIED, 1, 1, False, True, None),
        "mod": (ChangeKind.MODIFIED, 2, 1, False, False, None),
        "new": (ChangeKind.ADDED, 1, 0, False, False, None),
        "new name": (ChangeKind.RENAMED, 0, 0, False, False, "old name"),
        "to link": (ChangeKind.MODIFIED, 1, 1, False, True, None),
    }
    assert changes.total == ChangeCount(8, 5, 6)
    assert b"root:" not in await repos.written(run.write_diff)
    assert (await repos.written(partial(run.write_diff, paths=["mod"]))).count(b"diff --git") == 1
    assert await run.content("mod", 0) == b"a\nb\n"
    assert await run.content("mod") == b"a\nB\nc\n"
    assert await run.content("nothing") is None


async def test_checkpoints_are_numbered_and_only_made_of_changes(root: Path, home: Path) -> None:
    run = await opened(root, home)
    assert (await run.record("one")).n == 0
    assert (await run.record("two")).n == 0
    repos.write(root, {"a": "a\n"})
    second = await run.record("third [/red]\nmore")
    assert (second.n, second.ref) == (1, "refs/swarm/checkpoints/1")
    again = await opened(root, home)
    assert [(c.n, c.message) for c in await again.list()] == [(0, "one"), (1, "third [/red]")]
    assert (await again.changes(0, 1)).total == ChangeCount(1, 1, 0)
    assert (await again.changes(1)).files == ()
    with pytest.raises(UserError, match="no checkpoint 7"):
        await again.changes(7)


async def test_it_makes_no_difference_whether_the_agent_commits(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s")
    run = await opened(source, home, "in-place", source)
    await run.record("baseline")
    repos.write(source, {"a.txt": "one\n"})
    before = await run.changes()
    repos.commit(source, "by the agent")
    assert await run.changes() == before
    assert before.total == ChangeCount(1, 0, 2)
    assert repos.git(source, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert repos.git(source, "status", "--porcelain") == ""


async def test_restore_puts_back_what_counts_and_leaves_the_rest(root: Path, home: Path) -> None:
    repos.write(root, {".gitignore": "*.log\nbuild/\n", "a": "a\n", "d/b": "b\n", "x": "x\n"})
    (root / "x").chmod(0o750)
    run = await opened(root, home)
    await run.record("baseline")
    then = repos.files(root)
    repos.write(root, {"a": "A\n", "n/e/w": "w\n", "keep.log": "log\n", "build/o": "o\n"})
    (root / "d" / "b").unlink()
    (root / "d").rmdir()
    (root / "d").symlink_to("/")
    (root / "x").chmod(0o640)
    restored = await restore(run, 0)
    now = repos.files(root)
    assert {name: now.pop(name) for name in ("keep.log", "build/o")}
    assert now == then
    assert not (root / "n").exists()
    assert set(restored.files) == {"a", "d", "d/b", "n/e/w", "x"}
    assert restored.undo.n == 1
    await restore(run, restored.undo.n)
    assert (root / "d").is_symlink()
    assert (root / "a").read_text() == "A\n"
    assert os.listdir(root / "n" / "e") == ["w"]


async def test_restore_refuses_what_stands_in_the_way(root: Path, home: Path) -> None:
    repos.write(root, {"a": "a\n", "b": "b\n", ".gitignore": "*.log\n"})
    run = await opened(root, home)
    await run.record("baseline")
    (root / "a").unlink()
    repos.write(root, {"a/only.log": "kept\n", "b": "B\n"})
    with pytest.raises(UserError, match=r"only\.log") as raised:
        await restore(run, 0)
    assert raised.value.code == "WORKSPACE_BUSY"
    assert (root / "b").read_text() == "B\n"
    assert (root / "a" / "only.log").read_text() == "kept\n"


async def test_ignored_files_are_no_part_unless_they_were_there(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", {".gitignore": "*.log\n", "a": "a\n"})
    repos.write(source, {"forced.log": "1\n"})
    repos.git(source, "add", "-f", "forced.log")
    repos.git(source, "commit", "-qm", "x")
    (source / ".git" / "info" / "exclude").write_text("private\n")
    run = await opened(source, home, "in-place", source)
    await run.record("baseline")
    repos.write(source, {"forced.log": "2\n", "other.log": "x\n", "private": "x\n"})
    assert [file.path for file in (await run.changes()).files] == ["forced.log"]


async def test_gits_own_files_are_left_out_and_never_touched(root: Path, home: Path) -> None:
    run = await opened(root, home)
    await run.record("baseline")
    repos.repository(root / "project")
    repos.repository(root / "project" / "deeper", {"f": "f\n"})
    (root / "empty" / ".git").mkdir(parents=True)
    repos.write(root, {"fake/.git": "gitdir: /etc\n", "fake/f": "f\n"})
    repos.git(root, "init", "-q")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    paths = {file.path for file in (await run.changes()).files}
    wanted = {"project/a.txt", "project/sub/b.txt", "project/deeper/f", "fake/f"}
    wanted |= {"project", "project/deeper"}  # their commits
    assert paths == wanted
    await run.record("one")
    await restore(run, 0)
    left = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert left == {path: data for path, data in before.items() if ".git" in path.parts}
    await restore(run, 1)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


async def test_what_the_sandbox_puts_there_for_a_moment_is_no_change(
    root: Path, home: Path
) -> None:
    run = await opened(root, home)
    await run.record("start")
    for name in (".codex", ".agents", ".aws"):
        (root / name).touch()
    assert (await run.changes()).files == ()
    (root / ".codex").write_text("mine")
    assert [file.path for file in (await run.changes()).files] == [".codex"]


async def test_what_is_no_file_is_left_out(root: Path, home: Path) -> None:
    os.mkfifo(root / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(root / "socket"))
    server.close()
    repos.write(root, {"a": "a\n"})
    run = await opened(root, home)
    assert (await run.record("baseline")).left_out == ()
    assert [path async for path in _paths(run)] == ["a"]
    (root / "a").unlink()
    os.mkfifo(root / "a")
    assert [file.kind for file in (await run.changes()).files] == [ChangeKind.DELETED]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
async def test_a_folder_that_is_closed_to_us_is_told_and_stops_a_restore(
    root: Path, home: Path
) -> None:
    run = await opened(root, home)
    await run.record("baseline")
    repos.write(root, {"b": "b\n", "closed/deep/work": "precious\n"})
    (root / "closed").chmod(0)
    try:
        changes = await run.changes()
        assert [file.path for file in changes.files] == ["b"]
        assert changes.left_out == ("closed/",)
        with pytest.raises(UserError, match="closed/ cannot be remembered first"):
            await restore(run, 0)
        assert (root / "b").exists()
    finally:
        (root / "closed").chmod(0o700)
    assert (root / "closed/deep/work").read_text() == "precious\n"


async def _paths(run: Checkpoints):
    out = await run.git.run("ls-tree", "-r", "-z", "--name-only", "refs/swarm/checkpoints/0")
    for path in out.split(b"\0"):
        if path:
            yield os.fsdecode(path)


async def test_a_large_file_and_one_that_grows_are_taken_in(root: Path, home: Path) -> None:
    (root / "large").write_bytes(b"\0" + os.urandom(1 << 20) * 20)
    run = await opened(root, home)
    await run.record("baseline")
    stop = asyncio.Event()

    async def grow() -> None:
        with (root / "log").open("ab", 0) as file:
            while not stop.is_set():
                file.write(b"x" * 5000 + b"\n")
                await asyncio.sleep(0.001)

    growing = asyncio.create_task(grow())
    for _ in range(5):
        await run.record("while it grows")
    stop.set()
    await growing
    end = await run.record("end")
    assert await run.content("log", end.n) == (root / "log").read_bytes()
    with (root / "large").open("r+b") as file:
        file.truncate(17 << 20)
    changes = await run.changes()
    assert {file.path: file.binary for file in changes.files} == {"large": True, "log": False}
    await restore(run, 0)
    assert (root / "large").stat().st_size == 1 + (20 << 20)


async def test_a_change_that_keeps_size_and_time_is_seen(root: Path, home: Path) -> None:
    run = await opened(root, home)
    for number in range(20):
        (root / "a").write_text(f"{number:03}\n")
        os.utime(root / "a", ns=(10**18, 10**18))
        n = (await run.record("x")).n
        assert await run.content("a", n) == f"{number:03}\n".encode()


async def test_the_cache_may_be_lost_and_the_store_packed(root: Path, home: Path) -> None:
    repos.write(root, {f"{n}": f"{n}\n" for n in range(300)})
    run = await opened(root, home)
    first = await run.record("baseline")
    repos.write(root, {"1": "changed\n"})
    await run.record("one")
    await run.pack()
    (run.git.git_dir / "swarm-seen").write_bytes(b"\xc1 nonsense")
    assert (await run.changes(1)).files == ()
    assert (await run.record("same")).n == 1
    assert (await restore(run, 0)).files == ("1",)
    assert (await run.list())[0].sha == first.sha


async def test_small_packs_are_made_one_and_nothing_is_lost(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PACKS", 3)
    monkeypatch.setattr(snapshot, "LARGE_PACK_BYTES", 100_000)
    repos.write(root, {"large": os.urandom(200_000)})
    run = await opened(root, home)
    for number in range(9):
        repos.write(root, {"a": f"{number}\n"})
        await run.record(f"{number}")
        repos.write(root, {"a": f"{number} and a half\n"})
        assert [file.path for file in (await run.changes(number)).files] == ["a"]
    packs = [*run.git.git_dir.rglob("*.pack")]
    assert 2 <= len(packs) <= 4
    assert sum(path.stat().st_size > 100_000 for path in packs) == 1
    assert [await run.content("a", n) for n in range(9)] == [b"%d\n" % n for n in range(9)]
    assert len(await run.content("large", 8) or b"") == 200_000


async def test_calls_at_once_are_served_one_by_one(root: Path, home: Path) -> None:
    await (await opened(root, home)).record("baseline")
    runs = [await opened(root, home) for _ in range(4)]

    async def work(run: Checkpoints, number: int) -> None:
        for step in range(3):
            repos.write(root, {f"{number}-{step}": "x\n"})
            await run.record(f"{number}-{step}")
            await run.changes()

    await asyncio.gather(*(work(run, number) for number, run in enumerate(runs)))
    found = await runs[0].list()
    assert [one.n for one in found] == list(range(len(found)))
    assert (await runs[0].changes(found[-1].n)).files == ()


async def test_the_workspace_gone_is_said(root: Path, home: Path) -> None:
    run = await opened(root, home)
    await run.record("baseline")
    root.rmdir()
    with pytest.raises(UserError) as raised:
        await run.record("x")
    assert raised.value.code == "WORKSPACE_MISSING"


def swap(root: Path, secret: Path, stop: threading.Event) -> None:
    while not stop.is_set():
        (root / "d").rename(root / "e")
        (root / "d").symlink_to(secret)
        (root / "d").unlink()
        (root / "e").rename(root / "d")


def write_inside(root: Path, text: str) -> None:
    """Write files of `d` wherever it is just now, the way an honest program would not care."""
    for n in range(20):
        for folder in ("d", "e"):
            try:
                handle = os.open(root / folder, os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError:
                continue
            try:  # the file may be missing just now: the folder is closed all the same
                inner = os.open(f"f{n}", os.O_WRONLY | os.O_TRUNC, dir_fd=handle)
            finally:
                os.close(handle)
            with os.fdopen(inner, "w") as file:
                file.write(text)
            break


async def test_a_folder_swapped_for_a_link_leads_nowhere(
    root: Path, home: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "outside"
    outside: dict[str, str | bytes] = {f"f{n}": f"SECRET {n}\n" for n in range(20)}
    repos.write(secret, outside)
    repos.write(root, {f"d/f{n}": f"mine {n}\n" for n in range(20)})
    run = await opened(root, home)
    await run.record("baseline")
    stop = threading.Event()
    swapping = asyncio.create_task(asyncio.to_thread(swap, root, secret, stop))
    until = time.monotonic() + 2
    refused = 0
    while time.monotonic() < until:
        try:
            write_inside(root, f"mine {time.monotonic()}\n")
            await run.record("while it is swapped")
            await restore(run, 0)
        except UserError as error:
            assert error.code == "WORKSPACE_BUSY"
            refused += 1
        except FileNotFoundError:  # the test's own writing met the swap
            continue
    stop.set()
    await asyncio.gather(swapping, return_exceptions=True)
    assert {path.name: path.read_text() for path in secret.iterdir()} == outside
    out = await run.git.run("cat-file", "--batch-all-objects", "--batch")
    assert b"SECRET" not in out


async def test_five_thousand_files_cost_little(tmp_path: Path, home: Path) -> None:
    source = repos.repository(
        tmp_path / "s", {f"d{n % 100}/f{n}.py": f"line {n}\n" * 100 for n in range(5000)}
    )
    repos.git(source, "worktree", "add", "-q", str(tmp_path / "ws"))
    run = await opened(tmp_path / "ws", home, "worktree", source)
    for number in range(3):
        await run.record(f"{number}")
    stored = sum(path.stat().st_size for path in run.git.git_dir.rglob("*") if path.is_file())
    assert stored < 2 << 20  # the list of what was seen; no file is stored again
    repos.write(tmp_path / "ws", {f"d{n}/f{n}.py": "changed\n" for n in range(10)})
    assert (await run.changes()).total == ChangeCount(10, 10, 1000)
    shortstat = repos.git(tmp_path / "ws", "diff", "--shortstat")
    assert shortstat == " 10 files changed, 10 insertions(+), 1000 deletions(-)"


# Any name, any content

names = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.text(min_size=1, max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [
            *(b"-rf", b"--", b"a\nb", b"\x1b[31m", b'"q"', b"\\", b" ", b"\xff\xfe", b"x" * 255),
            *(b":(glob)*", b"*", b"[a]", b".gitignore.", b".gitmodules", b"HEAD", b"#x", b"!x"),
            *(b".git ", b"git~2", b".GIT.", b"con", b"a:b", b"~", b"a\tb"),
        ]
    ),
).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
folders = st.lists(names, max_size=2)
entries = st.dictionaries(
    st.tuples(folders, names).map(lambda parts: b"/".join([*parts[0], parts[1]])),
    st.tuples(st.sampled_from(["file", "exec", "link"]), st.binary(max_size=60)),
    max_size=5,
)


def lay(root: Path, wanted: dict[bytes, tuple[str, bytes]]) -> None:
    for path, (kind, data) in wanted.items():
        if any(part in (b".", b"..") or part.lower() in GITS for part in path.split(b"/")):
            continue
        if is_control(path):  # never put back: test_planted_state
            continue
        whole = os.fsencode(root) + b"/" + path
        try:
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            if kind == "link":
                os.symlink(data.replace(b"\0", b"_") or b"x", whole)
            else:
                with open(whole, "wb") as file:
                    file.write(data)
                os.chmod(whole, 0o755 if kind == "exec" else 0o644)
        except OSError:  # a file where a folder is wanted, or a link out: then without it
            continue


GITS = (b".git", b"git~1", b".gitignore", b".gitattributes")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=entries, second=entries)
def test_any_names_are_remembered_measured_and_brought_back(
    first: dict[bytes, tuple[str, bytes]], second: dict[bytes, tuple[str, bytes]]
) -> None:
    async def check(folder: Path) -> None:
        root = folder / "ws"
        root.mkdir()
        run = await opened(root, folder)
        lay(root, {path: entry for path, entry in first.items() if entry[0] != "link"})
        await run.record("baseline")
        one = repos.files(root)
        lay(root, second)
        two = repos.files(root)
        changes = await run.changes()
        told = {file.path for file in changes.files} | {
            file.old_path for file in changes.files if file.old_path
        }
        assert told == {name for name in one | two if one.get(name) != two.get(name)}
        last = await run.record("second")
        await restore(run, 0)
        assert repos.files(root) == one
        await restore(run, last.n)
        assert repos.files(root) == two

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))


@given(st.binary(max_size=200))
@settings(max_examples=20)
def test_object_ids_are_gits(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = repos.git(Path(folder), "hash-object", "--stdin", stdin=data)
    assert object_id("sha1", data) == found


@pytest.mark.parametrize("kind", ["worktree", "copy", "in-place"])
async def test_files_that_git_tracks_count_also_where_it_would_ignore_them(
    tmp_path: Path, home: Path, kind: str
) -> None:
    """An agent runs `git add --force`: what it committed has to come home in every way."""
    files: dict[str, str | bytes] = {"a.txt": "a\n", ".gitignore": "out/\n"}
    here = await scene(repos.repository(tmp_path / "s", files), home, kind)
    repos.write(here.root, {"out/forced": "f\n", "out/other": "o\n"})
    repos.git(here.root, "add", "--force", "out/forced")
    assert await here.changed() == ["out/forced"]
    if kind == "worktree":
        repos.git(here.root, "commit", "-qm", "forced")
        assert await here.changed() == ["out/forced"]
        assert (await here.apply(ApplyMode.MERGE)).files == ("out/forced",)
        assert (here.source / "out" / "forced").read_text() == "f\n"
        assert repos.git(here.source, "status", "--porcelain") == ""


async def test_ignored_files_that_the_user_has_staged_are_brought_along_and_count(
    tmp_path: Path, home: Path
) -> None:
    source = repos.repository(tmp_path / "s", {".gitignore": "out/\n"})
    repos.write(source, {"out/forced": "f\n", "out/other": "o\n"})
    repos.git(source, "add", "--force", "out/forced")
    here = await scene(source, home, include_uncommitted=True)
    assert await here.changed() == []
    repos.write(here.root, {"out/forced": "changed\n"})
    assert await here.changed() == ["out/forced"]
    await here.apply()
    assert (source / "out" / "forced").read_text() == "changed\n"
