"""What changes in live workspaces, as the system tells it."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from support import LIMIT_S

from engine.domain.events import FileChange, FilesChanged, Notice
from engine.execution.local import folder_watch
from engine.execution.local.watcher import WorkspaceWatcher
from engine.store.appending import AppendRequest
from engine.system import inotify

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="counts inotify watches")


class ChangeRecorder:
    """What a watcher said, run by run."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, FileChange]] = []
        self.notices: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    async def commit(self, entries: Sequence[AppendRequest]) -> None:
        for entry in entries:
            for body in entry.bodies:
                if isinstance(body, FilesChanged):
                    self.changes += [(entry.run, change) for change in body.changes]
                elif isinstance(body, Notice):
                    self.notices.append((entry.run, body.text))
        self._news.set()

    async def of(self, path: str, change: str, run: str = "r") -> None:
        """Wait until a change was recorded."""
        await self.until(lambda: (run, FileChange(path, change)) in self.changes)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not holds():
                self._news.clear()
                await self._news.wait()

    @property
    def paths(self) -> set[str]:
        return {change.path for _, change in self.changes}


@pytest_asyncio.fixture
async def recorder() -> ChangeRecorder:
    return ChangeRecorder()


@pytest_asyncio.fixture
async def watcher(recorder: ChangeRecorder) -> AsyncIterator[WorkspaceWatcher]:
    watcher = WorkspaceWatcher(recorder.commit)
    running = asyncio.create_task(watcher.run())
    yield watcher
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "node_modules" / "workspace"  # where it lies says nothing about it
    (folder / "src" / "inner").mkdir(parents=True)
    for name in (".git/objects", "node_modules/a/b", "src/__pycache__", "target/debug"):
        (folder / name).mkdir(parents=True)
    return folder


async def watching(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path, run: str = "r"
) -> None:
    """Watch a folder, and wait until what happens there is recorder."""
    watcher.watch(run, str(root))
    async with asyncio.timeout(LIMIT_S):
        number = 0
        while not any(
            who == run and change.path.startswith("probe") for who, change in recorder.changes
        ):
            (root / f"probe{number}").touch()
            number += 1
            await asyncio.sleep(0.05)


def watches() -> int:
    """Number of watches of the system that this process holds."""
    count = 0
    for info in Path("/proc/self/fdinfo").iterdir():
        try:
            count += info.read_text().count("inotify wd:")
        except OSError:
            continue
    return count


@on_linux
async def test_only_folders_that_are_somebody_s_work_are_watched(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path
) -> None:
    before = watches()
    await watching(watcher, recorder, root)
    assert watches() - before == len(("", "src", "src/inner"))


async def test_files_come_change_and_go(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path
) -> None:
    await watching(watcher, recorder, root)
    (root / "src/inner/a\nb.py").write_text("1")
    await recorder.of("src/inner/a\\nb.py", "added")
    (root / "src/inner/a\nb.py").write_text("22")
    await recorder.of("src/inner/a\\nb.py", "modified")
    (root / "src/inner/a\nb.py").unlink()
    await recorder.of("src/inner/a\\nb.py", "deleted")


async def test_what_is_in_new_folders_is_told_however_quickly_it_came(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path
) -> None:
    await watching(watcher, recorder, root)
    for number in range(60):
        folder = root / f"new{number % 6}/deep{number}"
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    (root / "new0/node_modules/p").mkdir(parents=True)
    (root / "new0/node_modules/p/x.js").touch()
    wanted = {f"new{number % 6}/deep{number}/file" for number in range(60)}
    await recorder.until(lambda: wanted <= recorder.paths)
    (root / "new1/deep1/later").write_text("x")
    await recorder.of("new1/deep1/later", "added")
    assert not any("node_modules" in path for path in recorder.paths)


async def test_a_folder_made_anew_is_watched_anew(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path
) -> None:
    await watching(watcher, recorder, root)
    for number in range(3):
        (root / "src/inner").rename(root / f"moved{number}")
        (root / "src/inner").mkdir()
        (root / f"src/inner/file{number}").write_text("x")
        await recorder.of(f"src/inner/file{number}", "added")
        (root / f"moved{number}/file").write_text("x")
        await recorder.of(f"moved{number}/file", "added")


async def test_links_are_told_and_never_followed(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside/deep").mkdir(parents=True)
    (tmp_path / "outside/secret").touch()
    await watching(watcher, recorder, root)
    (root / "link").symlink_to(tmp_path / "outside")
    await recorder.of("link", "added")
    (tmp_path / "outside/later").touch()
    (root / "src/last").touch()
    await recorder.of("src/last", "added")
    assert not any("secret" in path or "later" in path for path in recorder.paths)


async def test_what_the_sandbox_puts_there_for_a_moment_is_not_told(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path
) -> None:
    await watching(watcher, recorder, root)
    recorder.changes.clear()
    (root / ".codex").mkdir()
    (root / ".agents").touch()
    (root / ".aws").mkdir()
    (root / "src/one").touch()
    await recorder.of("src/one", "added")
    (root / ".codex").rmdir()
    (root / ".agents").unlink()
    (root / ".aws").rmdir()
    (root / "src/two").touch()
    await recorder.of("src/two", "added")
    assert {path for path in recorder.paths if not path.startswith("probe")} == {
        "src/one",
        "src/two",
    }


async def test_each_run_is_told_of_its_own_workspace_until_it_ends(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    await watching(watcher, recorder, root, "a")
    await watching(watcher, recorder, other, "b")
    (other / "x").touch()
    await recorder.of("x", "added", "b")
    watcher.forget("b")
    (other / "y").touch()
    (root / "z").touch()
    await recorder.of("z", "added", "a")
    assert "y" not in recorder.paths
    assert ("a", FileChange("x", "added")) not in recorder.changes


async def test_where_the_limit_is_reached_it_says_so_once_and_scans(
    watcher: WorkspaceWatcher,
    recorder: ChangeRecorder,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def limited(*_: object) -> int:
        raise OSError(errno.ENOSPC, "the limit on watches is reached")

    monkeypatch.setattr(inotify, "add", limited)
    monkeypatch.setattr(folder_watch, "POLL_S", 0.05)
    await watching(watcher, recorder, root)
    (root / "src/inner/a").touch()
    await recorder.of("src/inner/a", "added")
    (root / "fresh").mkdir()
    (root / "fresh/b").touch()
    await recorder.of("fresh/b", "added")
    other = tmp_path / "other"
    other.mkdir()
    await watching(watcher, recorder, other, "b")
    assert [run for run, _ in recorder.notices] == ["r"]
    assert "scanning" in recorder.notices[0][1]


async def test_a_workspace_that_goes_away_stops_nothing(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    (gone / "deep").mkdir(parents=True)
    await watching(watcher, recorder, gone, "gone")
    (gone / "deep").rmdir()
    os.rename(gone, tmp_path / "elsewhere")
    await watching(watcher, recorder, root)
    (root / "src/x").touch()
    await recorder.of("src/x", "added")


ODD_NAMES = [
    b"caf\xe9.txt",
    b"\xff\xfe",
    b"new\nline",
    b"\x1b[31mred",
    b"-rf",
    b"\xed\xa0\x80",
    b"a b",
]


async def test_names_of_any_bytes_are_told_readably(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path
) -> None:
    await watching(watcher, recorder, root)
    for name in ODD_NAMES:
        (root / os.fsdecode(name)).write_text("x")
    folder = root / os.fsdecode(b"dir\xe9")
    folder.mkdir()
    (folder / "inner").touch()
    await recorder.of("dir\\xe9/inner", "added")
    await recorder.of("caf\\xe9.txt", "added")
    await recorder.of("\\xff\\xfe", "added")
    (folder / "later").touch()
    await recorder.of("dir\\xe9/later", "added")
    (root / os.fsdecode(ODD_NAMES[0])).unlink()
    await recorder.of("caf\\xe9.txt", "deleted")
    assert all(path.isprintable() for path in recorder.paths)


async def test_a_workspace_replaced_while_it_is_watched_is_watched_again(
    watcher: WorkspaceWatcher,
    recorder: ChangeRecorder,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.execution.local.watcher.RETRY_S", 0.05)
    await watching(watcher, recorder, root)
    before = watcher.seen("r")
    root.rename(tmp_path / "elsewhere")
    await asyncio.sleep(0.1)
    (root / "deep").mkdir(parents=True)
    recorder.changes.clear()
    await watching(watcher, recorder, root)
    (root / "deep/file").touch()
    await recorder.of("deep/file", "added")
    (tmp_path / "elsewhere/src/unseen").touch()
    (root / "deep/last").touch()
    await recorder.of("deep/last", "added")
    assert "src/unseen" not in recorder.paths
    assert watcher.seen("r") > before


async def test_links_in_the_place_of_watched_folders_lead_nowhere(
    watcher: WorkspaceWatcher,
    recorder: ChangeRecorder,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.execution.local.watcher.RETRY_S", 0.05)
    (tmp_path / "outside/inner").mkdir(parents=True)
    other = tmp_path / "other"
    other.mkdir()
    await watching(watcher, recorder, root)
    await watching(watcher, recorder, other, "o")
    (root / "src").rename(root / "renamed")
    (root / "src").symlink_to(tmp_path / "outside")
    other.rename(tmp_path / "moved")
    other.symlink_to(tmp_path / "outside")
    await recorder.of("src", "added")
    (root / "new").mkdir()  # the watch is renewed
    (root / "new/a").touch()
    await recorder.of("new/a", "added")
    (tmp_path / "outside/inner/secret").touch()
    (tmp_path / "outside/secret").touch()
    (root / "new/b").touch()
    await recorder.of("new/b", "added")
    assert not any("secret" in path for path in recorder.paths)


async def test_where_changes_were_too_many_for_the_system_the_workspaces_are_walked_again(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watching(watcher, recorder, root)
    read, counted = inotify.read, watcher.seen("r")

    def overflown(handle: int) -> Iterator[tuple[int, int, bytes]]:
        if not list(read(handle)):
            return
        monkeypatch.setattr(inotify, "read", read)
        yield -1, inotify.QUEUE_OVERFLOW, b""

    monkeypatch.setattr(inotify, "read", overflown)
    (root / "missed").mkdir()
    (root / "missed/file").touch()
    await recorder.of("missed/file", "added")
    assert watcher.seen("r") > counted


async def test_after_a_fault_it_goes_on_with_the_workspaces_it_had(
    recorder: ChangeRecorder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = WorkspaceWatcher(recorder.commit)
    watcher.watch("r", str(root))

    def faulty(_watch: folder_watch.FolderWatch) -> float:
        return 1 / 0

    with monkeypatch.context() as patched:
        patched.setattr(folder_watch.FolderWatch, "wait", faulty)
        with pytest.raises(ZeroDivisionError):
            await watcher.run()
    running = asyncio.create_task(watcher.run())
    await watching(watcher, recorder, root)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_deleted_folders_make_room_for_others(
    watcher: WorkspaceWatcher, recorder: ChangeRecorder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.execution.local.watcher.MAX_FOLDERS", 6)
    await watching(watcher, recorder, root)  # three of them
    for number in range(8):
        (root / f"new{number}/deep").mkdir(parents=True)
        (root / f"new{number}/deep/file").touch()
        await recorder.of(f"new{number}/deep/file", "added")
        (root / f"new{number}/deep/later").touch()
        await recorder.of(f"new{number}/deep/later", "added")
        (root / f"new{number}").rename(root.parent / f"gone{number}")
        (root / f"end{number}").touch()  # recorder after what became of the folder
        await recorder.of(f"end{number}", "added")


@on_linux
def test_watch_that_is_closed_while_it_waits_reads_no_other_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    between, closed = threading.Event(), threading.Event()

    def pause(_seconds: float) -> None:
        between.set()
        closed.wait(LIMIT_S)

    monkeypatch.setattr(folder_watch.time, "sleep", pause)
    watch = folder_watch.FolderWatch()
    before = set(os.listdir("/proc/self/fd"))
    watch.renew([str(root)])
    waiting = threading.Thread(target=watch.wait)
    waiting.start()
    (root / "x").touch()
    assert between.wait(LIMIT_S)
    watch.close()  # as when the task that waits for the thread is cancelled
    ours, theirs = os.pipe()  # gets the lowest number that is free
    os.write(theirs, b"a line of another program")
    closed.set()
    waiting.join(LIMIT_S)
    os.set_blocking(ours, False)
    assert os.read(ours, 100) == b"a line of another program"
    os.close(ours)
    os.close(theirs)
    assert set(os.listdir("/proc/self/fd")) == before
    assert watch.renew([str(root)]) == watch.wait() == set(), "it stays closed"
    assert set(os.listdir("/proc/self/fd")) == before


_UNDER_A_LIMIT = """
import sys, pathlib
from engine.execution.local.folder_watch import FolderWatch
folders = [pathlib.Path(sys.argv[1], str(number)) for number in range(20)]
for folder in folders:
    folder.mkdir()
watch = FolderWatch()
watch.renew(map(str, folders))
(folders[-1] / "x").touch()
while not any(path.endswith("x") for _, path in watch.wait()):
    pass
print("scanning" if watch.is_scanning else "watching")
"""


@on_linux
@pytest.mark.parametrize(("limit", "how"), [("5", "scanning"), ("500", "watching")])
def test_the_system_s_own_limit_is_noticed(tmp_path: Path, limit: str, how: str) -> None:
    limited = 'echo $1 > /proc/sys/user/max_inotify_watches && shift && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh", limit]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True, timeout=LIMIT_S)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the limit cannot be set here")
    program = [sys.executable, "-c", _UNDER_A_LIMIT, str(tmp_path)]
    out = subprocess.run([*command, *program], capture_output=True, text=True, timeout=LIMIT_S)
    assert out.stdout == f"{how}\n"
