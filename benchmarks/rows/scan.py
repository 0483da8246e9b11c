"""Sizes of folders, against `du`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.row import Bench, Round, Row, Unavailable, alternating

FOLDERS_EACH, FILES_EACH = 40, 50
_DROP = Path("/proc/sys/vm/drop_caches")


@contextmanager
def _warm(bench: Bench) -> Generator[Round]:
    tree = bench.shared("scan", lambda folder: _tree(folder, bench.size(200_000, 50_000)))
    assert _ours(tree)[1] == _du(tree)[1]  # and the system knows it now
    yield alternating(lambda: _ours(tree)[0], lambda: _du(tree)[0])


@contextmanager
def _cold(bench: Bench) -> Generator[Round]:
    tree = bench.shared("scan", lambda folder: _tree(folder, bench.size(200_000, 50_000)))

    def cold(measure: object) -> float:
        _forget()
        return measure(tree)[0]  # type: ignore[operator]  one of two kinds

    _forget()
    yield alternating(lambda: cold(_ours), lambda: cold(_du))


def _tree(top: Path, files: int) -> Path:
    """Make so many small files, 50 in a folder, as a project and what it builds on have them."""
    for n in range(files // FILES_EACH):
        folder = top / f"part-{n // FOLDERS_EACH}" / f"module-{n % FOLDERS_EACH}"
        folder.mkdir(parents=True)
        for m in range(FILES_EACH):
            (folder / f"file-{m}.js").write_bytes(b"x" * (100 + m))
    return top


def _ours(tree: Path) -> tuple[float, int]:
    """Return how long it takes, the start of the processes included, and what was found."""
    from engine.disk.scan.scanner import FolderScanner

    async def measured() -> int:
        async with FolderScanner() as scanner:
            disk = 0
            async for told in scanner.measure(tree):
                disk = told.figures.disk
            return disk

    began = time.perf_counter()
    disk = asyncio.run(measured())
    return time.perf_counter() - began, disk


def _du(tree: Path) -> tuple[float, int]:
    began = time.perf_counter()
    told = subprocess.run(
        ["nice", "-n", "5", "du", "-s", "--block-size=1", tree], capture_output=True, check=True
    )
    return time.perf_counter() - began, int(told.stdout.split()[0])


def _forget() -> None:
    """Drop what the system remembers of files."""
    os.sync()
    try:
        _DROP.write_text("3")
    except OSError as error:
        raise Unavailable(f"caches cannot be dropped here: {error.strerror}") from error


ROWS = [
    Row(
        name="disk.warm",
        what="disk scan, 200,000 files, warm",
        yardstick="`du -s` (as nice as ours)",
        target=1.2,
        aim=0.95,
        rounds=_warm,
        quick=False,
        note=(
            "a look in Python costs 1.7 times the processor time of du's (two processes: 1.9), all "
            "of it in making a stat result for each; helpers hide that only where a second "
            "processor is free. On a busy machine it would take a scan that is no Python: "
            "`fstatat` through ctypes is no quicker."
        ),
    ),
    Row(
        name="disk.cold",
        what="disk scan, 200,000 files, cold",
        yardstick="`du -s` (as nice as ours)",
        target=1.0,
        aim=0.7,
        rounds=_cold,
        times=3,
        quick=False,
    ),
]
