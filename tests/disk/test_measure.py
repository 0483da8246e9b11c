"""Measured sizes are those that `du` gives, and nothing outside a folder is looked at."""

from __future__ import annotations

import asyncio
import marshal
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.disk.scan import scanner as measure
from engine.disk.scan.scanner import FolderScanner, FolderSize, ScanProgress


async def measured(path: Path, **options: bool) -> list[ScanProgress]:
    async with FolderScanner(("node_modules",)) as scanner:
        return [told async for told in scanner.measure(path, **options)]


def du(path: Path, *options: str) -> int:
    out = subprocess.run(["du", "-s", *options, path], capture_output=True, check=False).stdout
    return int(out.split()[0])


def fill(folder: Path) -> None:
    """Make a folder of all that is hard to measure."""
    deep = folder / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "text").write_text("x" * 10_000)
    (deep / "empty").touch()
    os.link(deep / "text", folder / "twin")
    (folder / "link").symlink_to("/usr")
    with (folder / "sparse").open("wb") as file:
        file.truncate(50_000_000)
    (folder / os.fsdecode(b"n\xffm\n\x1b[31m")).write_bytes(b"y" * 5000)
    modules = folder / "node_modules" / "left"
    modules.mkdir(parents=True)
    (modules / "pad.js").write_text("z" * 30_000)


async def test_it_is_what_du_says(tmp_path: Path) -> None:
    fill(tmp_path)
    told = (await measured(tmp_path))[-1]
    assert told.done
    assert told.figures.disk == du(tmp_path, "--block-size=1")
    assert told.figures.apparent == du(tmp_path, "--apparent-size", "--block-size=1")
    assert told.figures.rebuildable == du(tmp_path / "node_modules", "--block-size=1")
    assert list(told.linked.values()) == [((tmp_path / "twin").stat().st_blocks * 512, 10_000)]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root reads all")
async def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    fill(tree)
    (tree / "a" / "b").chmod(0)
    asked = marshal.dumps({"path": str(tree), "rebuildable": []})
    worker = [sys.executable, "-I", "-S", str(measure._PROGRAM)]
    try:
        answer = ruled(worker, len(asked).to_bytes(4, "big") + asked)
        told = marshal.loads(answer[4:])
        blocks = ruled(["du", "-s", "--block-size=1", str(tree)])
        apparent = ruled(["du", "-s", "--apparent-size", "--block-size=1", str(tree)])
    finally:
        (tree / "a" / "b").chmod(0o755)
    assert (told["disk"], told["apparent"]) == (int(blocks.split()[0]), int(apparent.split()[0]))
    assert told["unread"] == 1


def ruled(command: list[str], asked: bytes = b"") -> bytes:
    """Run it as somebody for whom permissions count: root without its leave to pass over them."""
    if os.geteuid() == 0:
        leave = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={leave}", f"--inh-caps={leave}", *command]
    return subprocess.run(command, input=asked, capture_output=True, check=False).stdout


async def test_a_folder_that_grows_and_vanishes_meanwhile(tmp_path: Path) -> None:
    over = threading.Event()

    def change() -> None:
        while not over.is_set():
            for number in range(50):
                (tmp_path / f"d{number}" / "e").mkdir(parents=True, exist_ok=True)
                (tmp_path / f"d{number}" / "e" / "f").write_bytes(b"x" * 5000)
            for number in range(50):
                shutil.rmtree(tmp_path / f"d{number}")

    (tmp_path / "stays").write_bytes(b"y" * 5000)
    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(20):
            told = (await measured(tmp_path))[-1]
            assert told.done
            assert told.error is None
            assert told.figures.apparent >= 5000
    finally:
        over.set()
        changing.join()
    shutil.rmtree(tmp_path)
    assert (await measured(tmp_path))[-1].error == "No such file or directory"


async def test_what_lies_inside_is_told_one_by_one(tmp_path: Path) -> None:
    fill(tmp_path)
    *parts, whole = await measured(tmp_path, inside=True)
    assert whole.name is None
    assert {part.name for part in parts} == set(os.listdir(tmp_path))
    assert whole.figures == (await measured(tmp_path))[-1].figures
    (modules,) = [part for part in parts if part.name == "node_modules"]
    assert modules.is_rebuildable
    assert modules.figures.disk == du(tmp_path / "node_modules", "--block-size=1")


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there").symlink_to("/usr")
    (told,) = await measured(tmp_path / "there")
    assert (told.done, told.is_folder, told.figures.entries) == (True, False, 1)
    assert told.figures.apparent == len("/usr")


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    (told,) = await measured(tmp_path / "nowhere")
    assert told.error == "No such file or directory"
    assert told.figures == FolderSize(unread=1)


async def test_a_very_deep_folder_is_measured(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    told = (await measured(tmp_path))[-1]
    assert (
        told.figures.entries + told.figures.unread >= 900
    )  # at least 1,024 open files are allowed
    await asyncio.to_thread(subprocess.run, ["rm", "-rf", tmp_path / "d"], check=True)


async def test_a_measurement_can_be_left_and_another_begun(tmp_path: Path) -> None:
    fill(tmp_path)
    async with FolderScanner(workers=1) as scanner:
        async for _ in scanner.measure(tmp_path, inside=True):
            break
        told = [told async for told in scanner.measure(tmp_path)]
    assert told[-1].done


async def test_what_helpers_look_at_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    for n in range(60):
        fill(tree / str(n % 6) / str(n))
        os.link(tree / "0/0/twin", tree / str(n % 6) / str(n) / "triplet")
    eager = tmp_path / "eager.py"
    eager.write_text(
        f"import sys; sys.path.insert(0, {str(measure._PROGRAM.parent)!r})\n"
        "import team, worker\n"
        "team.HELP_S = worker.LOOK_UP_S = worker.TELL_S = 0\n"
        "team.COLD = 1e9\n"
        "worker.main()\n"
    )
    monkeypatch.setattr(measure, "_PROGRAM", eager)
    for _ in range(3):
        *_, told = await measured(tree)
        assert told.figures.disk == du(tree, "--block-size=1")
        assert told.figures.apparent == du(tree, "--apparent-size", "--block-size=1")
        assert len(told.linked) == 60
        *parts, whole = await measured(tree, inside=True)
        assert whole.figures == told.figures
        assert [part.figures.unread for part in parts] == [0] * 6


async def test_cancels_leave_no_process_behind(tmp_path: Path) -> None:
    scanner, measured_once = FolderScanner(), asyncio.Event()

    async def measure_and_wait() -> None:
        async with scanner:
            async for _ in scanner.measure(tmp_path):
                measured_once.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(measure_and_wait())
    await measured_once.wait()
    while not task.done():  # as where a screen is left, and then the program
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    assert [worker.returncode for worker in scanner._all] == [-9]
