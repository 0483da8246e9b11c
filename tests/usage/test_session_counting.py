"""No request in session files counts twice, and none that was completely written is lost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from usage.session_model import Ledger, Thread, Tokens, compress

from engine.usage import session_worker

TOKENS = st.tuples(st.integers(1, 5000), st.integers(0, 1), st.integers(0, 900), st.integers(0, 0))
THREAD_OPS = st.one_of(
    st.tuples(st.just("request"), TOKENS),
    st.tuples(st.just("killed"), TOKENS),
    st.tuples(st.sampled_from(["repeat", "turn", "noise", "restart"]), st.none()),
)
THREADS = st.lists(
    st.tuples(
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, "copy", "total"]),
        st.lists(THREAD_OPS, max_size=8),
    ),
    min_size=1,
    max_size=4,
)
NUMBER = st.integers(0, 10_000)
DISK_OPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "write",
                "write",
                "read",
                "read",
                "quick",
                "cut",
                "archive",
                "copy",
                "compress",
                "twice",
                "second",
                "shrink",
                "delete",
            ]
        ),
        NUMBER,
        NUMBER,
    ),
    max_size=14,
)


@pytest.fixture(autouse=True, scope="module")
def small_batches() -> Iterator[None]:
    """Send each file's results by themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_worker, "BATCH_FILES", 1)
        yield


class Disk:
    """The files of some threads, which grow, move, are copied and damaged."""

    def __init__(self, home: Path, threads: list[Thread]) -> None:
        self.home = home
        self.threads = threads
        self.written = dict.fromkeys(range(len(threads)), 0)
        """Bytes of each thread's own file that are there."""
        self.archived = home / "archived_sessions"
        self.archived.mkdir()

    def content(self, number: int) -> bytes:
        """Return what the file of a thread holds in the end."""
        return b"".join(line + b"\n" for line in self.threads[number].lines)

    def path(self, number: int) -> Path:
        """Return the file of a thread."""
        thread = self.threads[number]
        path = self.home / thread.day / thread.name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def do(self, op: str, one: int, two: int) -> None:
        """Change something on the disk."""
        number = one % len(self.threads)
        path = self.path(number)
        if op in ("write", "second"):
            getattr(self, op)(number, path, two)
        elif path.exists():
            getattr(self, op)(path, two)

    def write(self, number: int, path: Path, place: int) -> None:
        """Extend the file of a thread, whatever was done to it."""
        content = self.content(number)
        self.written[number] = max(self.written[number], place * len(content) // 10_000)
        path.write_bytes(content[: self.written[number]])

    def second(self, number: int, path: Path, place: int) -> None:
        """Resume a thread into a second file, with its head."""
        lines = self.threads[number].lines
        first = place % len(lines)
        second = path.with_name(path.name.replace("T00", f"T{place % 10:02}"))
        second.write_bytes(b"".join(line + b"\n" for line in (lines[0], *lines[first:])))

    def shrink(self, path: Path, place: int) -> None:
        """Cut the file off."""
        path.write_bytes(path.read_bytes()[: place % 3000])

    def twice(self, path: Path, place: int) -> None:
        """Add some of its lines for the second time."""
        lines = path.read_bytes().split(b"\n")[:-1]
        first = place % (len(lines) + 1)
        block = lines[first : first + 5]
        path.write_bytes(b"".join(line + b"\n" for line in (*lines, *block)))

    def archive(self, path: Path, place: int) -> None:
        """Move it to the archive."""
        path.rename(self.archived / path.name)

    def copy(self, path: Path, place: int) -> None:
        """Copy it to the archive."""
        shutil.copyfile(path, self.archived / path.name)

    def compress(self, path: Path, place: int) -> None:
        """Compress it."""
        compress(path)

    def delete(self, path: Path, place: int) -> None:
        """Delete it."""
        path.unlink()

    def finish(self) -> None:
        """Write all files whole."""
        for number in self.written:
            self.path(number).write_bytes(self.content(number))


def made(
    asked: list[tuple[bool, bool, str | None, list[tuple[str, Tokens | None]]]],
) -> list[Thread]:
    """Return the threads that were asked for; a fork is one of the thread before."""
    threads: list[Thread] = []
    for number, (has_records, broken, forks, ops) in enumerate(asked):
        parent = threads[-1] if threads and forks else None
        if parent:
            has_records = parent.has_records
        restarts = any(op == "restart" for op, _ in ops)
        thread = Thread(number, has_records, parent=parent, copies=forks == "copy")
        thread.broken_times = broken and not restarts and parent is None
        for op, tokens in ops:
            if op in ("request", "killed"):
                assert tokens
                # Two with the same tokens would look alike after a restart.
                unlike = (tokens[0] + 10_000 * len(thread.billed), *tokens[1:])
                thread.request(unlike, killed=op == "killed")
            else:
                getattr(thread, op)()
        threads.append(thread)
    return threads


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(THREADS, DISK_OPS)
def test_every_request_counts_once(
    asked: list[tuple[bool, bool, str | None, list[tuple[str, Tokens | None]]]],
    ops: list[tuple[str, int, int]],
) -> None:
    threads = made(asked)
    with tempfile.TemporaryDirectory() as folder:
        disk, ledger = Disk(Path(folder), threads), Ledger(Path(folder))
        try:
            for op, one, two in ops:
                if op in ("read", "quick", "cut"):
                    ledger.read(is_complete=op == "read", upto=two % 4 if op == "cut" else None)
                    for thread in threads:
                        assert ledger.counted(thread.id) <= thread.counted()
                else:
                    disk.do(op, one, two)
            disk.finish()
            ledger.read()
            for thread in threads:
                assert ledger.counted(thread.id) == thread.counted()
        finally:
            ledger.close()
