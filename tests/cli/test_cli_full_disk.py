"""Commands on a disk without any room: what reads or frees room works."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typed import Swarm

SIZE = "24m"
READING = ("ls", "show @last", "logs @last", "du", "cleanup --dry-run")


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of its own on which the home of this test lies."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)]
    if (
        not shutil.which("mount")
        or subprocess.run(words, capture_output=True, check=False).returncode
    ):
        pytest.skip("no small disk can be mounted here")
    monkeypatch.setenv("SWARM_HOME", str(disk / "home"))
    try:
        yield disk
    finally:
        (disk / "filler").unlink(missing_ok=True)
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill(disk: Path) -> None:
    filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for size in (65536, 4096, 1):
        try:
            while os.write(filler, b"x" * size) == size:
                pass
        except OSError:
            continue
    os.close(filler)


def test_commands_that_read_or_free_room_work_on_a_full_disk(full: Path, swarm: Swarm) -> None:
    words = ("--empty", "--agent", "simulated", "sim: write a.txt x\nsim: say x")
    for _ in range(2):
        assert swarm("run", *words).code == 0
    first, second = swarm("ls", "-q").out.split()
    assert swarm("cleanup", first, "--including-unsaved", "--force").code == 0
    _fill(full)
    _fill(full)
    assert "! warning  disk" in swarm("doctor").out
    assert swarm("cleanup", second, "--including-unsaved", "--force").code == 0
    _fill(full)  # the reserve too
    for line in (*READING, "cleanup --empty-trash --force"):
        _fill(full)
        done = swarm(*line.split())
        assert (done.code, done.err) == (0, ""), line
